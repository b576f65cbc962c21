//! Text in lines of a given width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::clean::clean;
use super::text::Line;

/// Breaks a text between words; a word that is longer than a line is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.width());
        let gap = usize::from(line > 0);
        if line + gap + word.width() > width && line > 0 {
            lines.push(String::new());
        }
        let mut rest = word;
        while let Some(line) = lines.last_mut() {
            if !line.is_empty() && line.width() < width && rest.len() == word.len() {
                line.push(' ');
            }
            let room = width.saturating_sub(line.width());
            let cut = fitting(rest, room.max(1));
            line.push_str(&rest[..cut]);
            rest = &rest[cut..];
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// A label, and a text beside it that is broken between words and goes on below its own beginning; in one line where nobody
/// says how wide that may be, and where there is too little room for sentences.
pub fn hang(label: Line, text: &Line, columns: Option<usize>) -> Vec<Line> {
    let start = label.width();
    let Some(columns) = columns.filter(|columns| *columns >= start + LEAST_ROOM) else {
        return vec![label.join(text.clone())];
    };
    let mut words = vec![Line::new()];
    for span in text.spans() {
        for (number, part) in span.text.split(' ').enumerate() {
            if number > 0 {
                words.push(Line::new());
            }
            // A word may change its tone within: `code` and the full stop behind it stay together.
            if let Some(word) = words.last_mut().filter(|_| !part.is_empty()) {
                *word = std::mem::take(word).tone(span.tone, part);
            }
        }
    }
    let mut lines = Vec::new();
    let mut line = label;
    for (number, word) in words.into_iter().enumerate() {
        let gap = usize::from(number > 0 && line.width() > start);
        if line.width() > start && line.width() + gap + word.width() > columns {
            lines.push(std::mem::replace(&mut line, Line::from(" ".repeat(start))));
        } else if gap > 0 {
            line = line.plain(" ");
        }
        line = line.join(word);
    }
    lines.push(line);
    lines
}

/// In less room than this, breaking lines makes them harder to read.
pub const LEAST_ROOM: usize = 24;

/// As much of a text as fits, and an ellipsis where that is not all.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let mut used = 0;
    let fits = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= room
    });
    fits.chain(['…']).collect()
}

/// As much of a line as fits; what a terminal would act on takes the columns that it is shown in.
pub fn clip(line: &Line, width: usize) -> Line {
    let mut clipped = Line::new();
    let mut room = width;
    for span in line.spans() {
        let text = clean(&span.text).replace('\t', " ");
        if text.width() > room {
            return clipped.tone(span.tone, cut(&text, room));
        }
        room -= text.width();
        clipped = clipped.tone(span.tone, text);
    }
    clipped
}

/// The bytes of the longest begin that fits; at least one character.
fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width && index > 0 {
            return index;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::text::Tone;

    #[test]
    fn a_text_goes_on_below_its_own_beginning() {
        let text = Line::from("the volume cannot be set up:").tone(Tone::Faint, " no such secret  [FailedMount]");
        let lines = |columns| -> Vec<String> {
            let hung = hang(Line::from("  ERROR  "), &text, columns);
            hung.iter().map(|line| line.words().trim_end().to_owned()).collect()
        };
        assert_eq!(
            lines(Some(40)),
            [
                "  ERROR  the volume cannot be set up: no",
                "         such secret  [FailedMount]"
            ]
        );
        assert_eq!(lines(None).len(), 1);
        assert_eq!(lines(Some(20)).len(), 1);
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one", 10), ["one"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn a_word_that_is_too_long_is_cut() {
        assert_eq!(
            wrap("a registry.example.com b", 8),
            ["a", "registry", ".example", ".com b"]
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("파드 상태", 5), ["파드", "상태"]);
        assert_eq!(cut("파드 상태", 5), "파드…");
        assert_eq!(cut("web", 3), "web");
        assert_eq!(cut("web", 1), "…");
    }
}
