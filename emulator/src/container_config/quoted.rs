//! Text between double quotes, as Go's `%q` writes it (`strconv.Quote`).

/// Quotes and escapes it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            shown if is_shown(shown) => out.push(shown),
            '\0'..='\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            '\u{80}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

/// Whether it can be seen as it is. Rust judges as Go does, but for marks that have no letter before them.
fn is_shown(character: char) -> bool {
    character == '\'' || format!("a{character}").escape_debug().skip(1).eq([character])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_seen_is_escaped_as_in_go() {
        for (text, expected) in [
            ("it's \"x\"\\", r#""it's \"x\"\\""#),
            ("a\tb\nc\r", r#""a\tb\nc\r""#),
            ("\u{7}\u{8}\u{b}\u{c}\u{1}\u{7f}", r#""\a\b\v\f\x01\x7f""#),
            ("é한\u{301}’", "\"é한\u{301}’\""),
            ("\u{a0}\u{200b}\u{e0001}", r#""\u00a0\u200b\U000e0001""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
