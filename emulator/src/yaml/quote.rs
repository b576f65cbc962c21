//! `\'` in double quotes: go-yaml takes it, and the scanner, which follows YAML 1.2, refuses it.

use super::node::Place;

/// Rewrites `\'` in the double-quoted scalar that begins at a place as the quote and a filler, so that nothing behind it
/// moves; none where it has no such escape.
pub(super) fn rewrite(text: &str, begin: Place, filler: char) -> Option<String> {
    let begin = offset(text, begin)?;
    let mut rest = text[begin..].strip_prefix('"')?;
    let mut changed = String::with_capacity(text.len() + 16);
    changed.push_str(&text[..=begin]);
    let mut is_changed = false;
    while let Some(first) = rest.chars().next().filter(|first| *first != '"') {
        if let Some(after) = rest.strip_prefix("\\'") {
            changed.extend(['\'', filler]);
            (rest, is_changed) = (after, true);
            continue;
        }
        let mut length = first.len_utf8();
        if first == '\\' {
            length += rest[length..].chars().next().map_or(0, char::len_utf8);
        }
        changed.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    changed.push_str(rest);
    is_changed.then_some(changed)
}

/// Returns a character of the private use area that the text does not have.
pub(super) fn filler(text: &str) -> Option<char> {
    ('\u{e000}'..='\u{f8ff}').find(|character| !text.contains(*character))
}

fn offset(text: &str, place: Place) -> Option<usize> {
    let before = place.line.checked_sub(1)?;
    let line_start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let characters = text.get(line_start..)?.chars().take(place.column.saturating_sub(1));
    Some(line_start + characters.map(char::len_utf8).sum::<usize>())
}
