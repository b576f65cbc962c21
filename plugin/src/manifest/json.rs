//! What JSON may hold as it is and YAML only as an escape.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// The text as a reader of YAML takes it: all of JSON is YAML but for control characters and noncharacters within
/// strings (RFC 8259, 7; YAML 1.2.2, 5.1). Nothing but the columns behind such a character changes.
pub(super) fn as_yaml(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unprintable(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether JSON has the character in strings, and YAML does not.
fn is_unprintable(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_of_json_may_hold_what_yaml_escapes() {
        let text = "{\"a\": \"\u{7f}\u{9b}\u{fffe}\u{85}\"}";
        let escaped = as_yaml(text);
        assert_eq!(escaped, "{\"a\": \"\\u007f\\u009b\\ufffe\u{85}\"}");
        let (before, after): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(text).unwrap(),
            serde_json::from_str(&escaped).unwrap(),
        );
        assert_eq!(before, after);
    }

    #[test]
    fn what_is_no_json_is_left_as_it_is() {
        let text = "{a: 'one\u{7f}'}";
        assert_eq!(as_yaml(text), text);
    }
}
