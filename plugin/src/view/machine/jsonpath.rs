//! kubectl's templates of JSONPath: text, expressions in braces, `{range}` to `{end}`
//! (`client-go/util/jsonpath`). The paths themselves are those of RFC 9535, in kubectl's spelling.

use serde_json::Value;

use super::path;

/// A template, read.
#[derive(Clone, Debug)]
pub struct JsonPath {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Path(path::Path),
    Range(path::Path, Vec<Part>),
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, in kubectl's words.
    pub fn parse(template: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("error parsing jsonpath {template}, {why}");
        let mut open: Vec<(Option<path::Path>, Vec<Part>)> = vec![(None, Vec::new())];
        let mut rest = template;
        while let Some(start) = rest.find('{') {
            push(&mut open, Part::Text(rest[..start].to_owned()));
            let (inside, after) = action(&rest[start + 1..]).ok_or_else(|| wrong("unclosed action".to_owned()))?;
            rest = after;
            let inside = inside.trim();
            if inside == "end" {
                let (range, parts) = open.pop().unwrap_or_default();
                let range = range.ok_or_else(|| wrong("not in range, nothing to end".to_owned()))?;
                push(&mut open, Part::Range(range, parts));
            } else if let Some(path) = inside
                .strip_prefix("range")
                .filter(|rest| !rest.starts_with(char::is_alphanumeric))
            {
                open.push((Some(path::parse(path.trim()).map_err(wrong)?), Vec::new()));
            } else {
                let part = match (words(inside).as_slice(), literal(inside)) {
                    ([_], Some(text)) => Part::Text(text),
                    ([], _) => Part::Path(path::parse("@").map_err(wrong)?),
                    ([word], None) => Part::Path(path::parse(word).map_err(wrong)?),
                    _ => return Err(wrong(format!("{{{inside}}} is more than one expression"))),
                };
                push(&mut open, part);
            }
        }
        push(&mut open, Part::Text(rest.to_owned()));
        match open.pop() {
            Some((None, parts)) => Ok(Self { parts }),
            _ => Err(wrong("unclosed range, expected {end}".to_owned())),
        }
    }

    /// What the template makes of a value.
    pub fn render(&self, value: &Value) -> String {
        let mut text = String::new();
        render(&self.parts, value, value, &mut text);
        text
    }

    /// What the template's expressions find, all in one list.
    pub fn found<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = Vec::new();
        collect(&self.parts, value, value, &mut found);
        found
    }
}

fn push(open: &mut [(Option<path::Path>, Vec<Part>)], part: Part) {
    if matches!(&part, Part::Text(text) if text.is_empty()) {
        return;
    }
    if let Some((_, parts)) = open.last_mut() {
        parts.push(part);
    }
}

fn render(parts: &[Part], root: &Value, current: &Value, text: &mut String) {
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Path(path) => {
                let found: Vec<String> = path.find(root, current).into_iter().map(shown).collect();
                text.push_str(&found.join(" "));
            }
            Part::Range(path, body) => {
                for item in path.find(root, current) {
                    render(body, root, item, text);
                }
            }
        }
    }
}

fn collect<'a>(parts: &[Part], root: &'a Value, current: &'a Value, found: &mut Vec<&'a Value>) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Path(path) => found.extend(path.find(root, current)),
            Part::Range(path, body) => {
                for item in path.find(root, current) {
                    collect(body, root, item, found);
                }
            }
        }
    }
}

/// A value in a line: text as it is, all else as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is inside of the braces, and what comes after them; quotes hide a brace.
fn action(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') => return Some((&text[..place], &text[place + 1..])),
            (None, _) => {}
        }
    }
    None
}

/// The words of an action, which blanks separate where they stand in neither quotes nor brackets.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_usize, None);
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match (quote, letter) {
            (_, '\\') => drop(letters.next()),
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, letter) if letter.is_whitespace() && depth == 0 => {
                words.push(&text[start..place]);
                start = place + letter.len_utf8();
            }
            (None, _) => {}
        }
    }
    words.push(&text[start..]);
    words.retain(|word| !word.is_empty());
    words
}

/// A text in quotes, with Go's escapes.
fn literal(word: &str) -> Option<String> {
    let quote = word.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
    let inner = word.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(template: &str) -> String {
        let value = json!({
            "kind": "List",
            "items": [
                {"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x", "up-to": "1"}}, "n": 1, "status": {"phase": "Running"}},
                {"metadata": {"name": "b"}, "n": 2, "on": true, "status": {"phase": "Failed"}},
            ],
        });
        JsonPath::parse(template).unwrap().render(&value)
    }

    #[test]
    fn templates_give_what_kubectl_gives() {
        for (template, text) in [
            ("{.kind}", "List"),
            ("{.items[*].metadata.name}", "a b"),
            (
                "{range .items[*]}{.metadata.name}{\"\\t\"}{.n}{\"\\n\"}{end}",
                "a\t1\nb\t2\n",
            ),
            ("{.items[?(@.status.phase==\"Failed\")].metadata.name}", "b"),
            ("{.items[?(@.n>1)].metadata.name}", "b"),
            ("{.items[?(@.on)].metadata.name}", "b"),
            ("{.items[0].metadata.labels.app\\.kubernetes\\.io/name}", "x"),
            ("{.items[0].metadata.labels['app\\.kubernetes\\.io/name']}", "x"),
            ("{.items[0].metadata.labels.up-to}", "1"),
            ("{.items[-1:].metadata.name}", "b"),
            ("{.items[0]['metadata.name']}", "a"),
            ("{.items[0,1].n}", "1 2"),
            ("{..name}", "a b"),
            ("{.items[1].metadata}", "{\"name\":\"b\"}"),
            ("{range .items[*]}{.n} of {$.kind}; {end}", "1 of List; 2 of List; "),
            ("{.kind} {.missing.field}|", "List |"),
            ("plain", "plain"),
            ("{'it''s'}", "it''s"),
            ("{.items[1].metadata}{.kind}", "{\"name\":\"b\"}List"),
        ] {
            assert_eq!(rendered(template), text, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in [
            "{.a",
            "{range .a}",
            "{end}",
            "{.a[}",
            "{.a[?(@.b==}",
            "{.a[x]}",
            "{.a .b}",
        ] {
            let error = JsonPath::parse(template).unwrap_err();
            assert!(
                error.starts_with(&format!("error parsing jsonpath {template}, ")),
                "{error}"
            );
        }
    }
}
