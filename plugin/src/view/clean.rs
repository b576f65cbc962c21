//! Untrusted text: whatever a cluster or a file says may hold terminal escapes. They are shown, not obeyed.

use std::borrow::Cow;

/// Makes control characters and direction overrides visible, as `\u{1b}` and the like.
///
/// A tab is kept: it moves the cursor forward and no further. A line break is not: whoever prints several lines says so
/// by printing them one by one, and nobody else can fake a line.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escape(text, is_obeyed))
}

/// The same for text of several lines that we laid out ourselves: line breaks stay.
pub fn clean_document(text: &str) -> Cow<'_, str> {
    let is_hidden = |character: char| character != '\n' && is_obeyed(character);
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escape(text, is_hidden))
}

fn escape(text: &str, is_hidden: impl Fn(char) -> bool) -> String {
    text.chars()
        .fold(String::with_capacity(text.len() + 16), |mut cleaned, character| {
            match character {
                '\n' if is_hidden(character) => cleaned.push_str("\\n"),
                '\r' => cleaned.push_str("\\r"),
                character if is_hidden(character) => cleaned.extend(character.escape_unicode()),
                character => cleaned.push(character),
            }
            cleaned
        })
}

/// Whether a terminal acts on the character instead of drawing it.
fn is_obeyed(character: char) -> bool {
    let is_direction =
        matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_line_break = matches!(character, '\u{2028}' | '\u{2029}');
    (character.is_control() && character != '\t') || is_direction || is_line_break
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_in_any_script_is_left_alone() {
        for text in ["hello", "파드가 실행 중", "a\tb", "naïve – ✓"] {
            assert!(matches!(clean(text), Cow::Borrowed(kept) if kept == text));
        }
    }

    #[test]
    fn escapes_are_shown() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m"), "\\u{1b}[31mred\\u{1b}[0m");
        assert_eq!(clean("safe\u{202e}exe.txt"), "safe\\u{202e}exe.txt");
        assert_eq!(clean("a\rb\u{9b}2J"), "a\\rb\\u{9b}2J");
    }

    #[test]
    fn a_message_cannot_fake_a_line_but_a_document_has_lines() {
        assert_eq!(clean("one\nStatus: Running"), "one\\nStatus: Running");
        assert_eq!(clean_document("one\ntwo\u{7}"), "one\ntwo\\u{7}");
    }
}
