//! One path in kubectl's spelling, as the same path in that of RFC 9535.
//!
//! kubectl takes names with dashes and slashes as they are, escapes dots in them, and lets a path begin with a dot.

use serde_json::Value;
use serde_json_path::JsonPath as StandardPath;

/// A path, and what it begins at.
#[derive(Clone, Debug)]
pub(super) struct Path {
    standard: StandardPath,
    from_root: bool,
}

impl Path {
    /// What it finds.
    pub(super) fn find<'a>(&self, root: &'a Value, current: &'a Value) -> Vec<&'a Value> {
        let from = if self.from_root { root } else { current };
        self.standard.query(from).all()
    }
}

/// Reads a path.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Path, String> {
    let (from_root, rest) = match text.chars().next() {
        Some('$') => (true, &text[1..]),
        Some('@') => (false, &text[1..]),
        Some('.' | '[') => (false, text),
        Some(_) => return Err(format!("unrecognized identifier {text}")),
        None => return Err("an expression is empty".to_owned()),
    };
    let (segments, after) = segments(rest)?;
    if !after.is_empty() {
        return Err(format!(
            "unrecognized character {:?}",
            after.chars().next().unwrap_or_default()
        ));
    }
    let standard = format!("${segments}");
    let standard = StandardPath::parse(&standard).map_err(|error| format!("{text}: {}", error.message()))?;
    Ok(Path { standard, from_root })
}

/// The segments at the beginning of a text in the standard's spelling, and what comes after them.
fn segments(text: &str) -> Result<(String, &str), String> {
    let mut standard = String::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after).ok_or("unterminated array")?;
            standard.push_str(&brackets(&after[..end])?);
            rest = &after[end + 1..];
            continue;
        }
        let (is_deep, after) = match rest.strip_prefix("..") {
            Some(after) => (true, after),
            None => match rest.strip_prefix('.') {
                Some(after) => (false, after),
                None => return Ok((standard, rest)),
            },
        };
        if is_deep {
            standard.push_str("..");
        }
        if let Some(after) = after.strip_prefix('*') {
            standard.push_str("[*]");
            rest = after;
            continue;
        }
        let (name, after) = name(after);
        // A dot alone is the value itself; after two, and before brackets, it is nothing.
        if !name.is_empty() {
            standard.push_str(&format!("[{}]", Value::String(name)));
        }
        rest = after;
    }
}

/// A name, up to whatever cannot be in one without a backslash.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            '.' | '[' | ']' | '(' | ')' | '{' | '}' | ' ' | '=' | '!' | '<' | '>' | '&' | '|' | ',' => {
                return (name, &text[place..]);
            }
            other => name.push(other),
        }
    }
    (name, "")
}

/// Where the bracket that is open closes; quotes hide one.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(place),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

/// What stands in brackets: an index, a slice, a star, names in quotes, a filter.
fn brackets(inside: &str) -> Result<String, String> {
    let inside = inside.trim();
    if let Some(filter) = inside.strip_prefix('?') {
        return Ok(format!("[?{}]", filtered(filter.trim())?));
    }
    if !inside.starts_with(['\'', '"']) {
        let is_plain = |letter: char| letter.is_ascii_digit() || "*:,- ".contains(letter);
        return match inside.chars().all(is_plain) && !inside.is_empty() {
            true => Ok(format!("[{inside}]")),
            false => Err(format!("invalid array index {inside}")),
        };
    }
    // A name in quotes is a path of its own: its dots separate, unless they are escaped.
    let names: Vec<&str> = inside
        .split(',')
        .map(|name| name.trim().trim_matches(['\'', '"']))
        .collect();
    let mut paths = Vec::new();
    for name in names {
        paths.push(segments(&format!(".{name}"))?.0);
    }
    match paths.as_slice() {
        [path] => Ok(path.clone()),
        paths if paths.iter().all(|path| path.matches('[').count() == 1) => {
            let inner: Vec<&str> = paths.iter().map(|path| path.trim_matches(['[', ']'])).collect();
            Ok(format!("[{}]", inner.join(",")))
        }
        _ => Err(format!(
            "[{inside}]: several paths of more than one name are not supported"
        )),
    }
}

/// A filter: the paths in it are in kubectl's spelling too.
fn filtered(filter: &str) -> Result<String, String> {
    let mut standard = String::new();
    let mut rest = filter;
    while let Some(letter) = rest.chars().next() {
        match letter {
            '@' | '$' => {
                let (path, after) = segments(&rest[1..])?;
                standard.push(letter);
                standard.push_str(&path);
                rest = after;
            }
            '"' | '\'' => {
                let end = rest[1..].find(letter).ok_or("unterminated quoted string")?;
                standard.push_str(&rest[..end + 2]);
                rest = &rest[end + 2..];
            }
            other => {
                standard.push(other);
                rest = &rest[other.len_utf8()..];
            }
        }
    }
    Ok(standard)
}
