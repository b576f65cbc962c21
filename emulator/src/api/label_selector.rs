//! Label selectors: their grammar and their words (`apimachinery/pkg/labels/selector.go`).

use std::collections::BTreeSet;

use super::admission::{label_value, qualified};

/// What one label has to fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

impl Requirement {
    /// Whether an object with this value of the label, or without it, fulfils it.
    pub(super) fn matches(&self, label: Option<&str>) -> bool {
        let number = || label.and_then(|label| label.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => label.is_some_and(|label| values.contains(label)),
            Operator::NotIn(values) => label.is_none_or(|label| !values.contains(label)),
            Operator::Exists => label.is_some(),
            Operator::Absent => label.is_none(),
            Operator::Greater(than) => number().is_some_and(|number| number > *than),
            Operator::Less(than) => number().is_some_and(|number| number < *than),
        }
    }
}

/// Reads a selector; an empty one requires nothing.
///
/// # Errors
/// The server's words.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut parser = Parser {
        words: words(text),
        at: 0,
    };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            "" => return Ok(requirements),
            word if is_identifier(word) || word == "!" => {}
            other => return Err(format!("found '{other}', expected: !, identifier, or 'end of string'")),
        }
        let requirement = parser.requirement();
        requirements.push(requirement.map_err(|why| format!("unable to parse requirement: {why}"))?);
        match parser.take() {
            "" => return Ok(requirements),
            "," if is_identifier(parser.peek()) || parser.peek() == "!" => {}
            "," => return Err(format!("found '{}', expected: identifier after ','", parser.peek())),
            other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
        }
    }
}

/// The words of a selector; the end is an empty one.
struct Parser<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.words.get(self.at).copied().unwrap_or_default()
    }

    fn take(&mut self) -> &'a str {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.peek() == "!";
        if absent {
            self.take();
        }
        let key = self.take();
        if !is_identifier(key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        let mistakes = qualified(key);
        if !mistakes.is_empty() {
            return Err(format!("key: Invalid value: \"{key}\": {}", mistakes.join("; ")));
        }
        let operator = match self.peek() {
            "" | "," if absent => Operator::Absent,
            "" | "," => Operator::Exists,
            _ => self.operator(key)?,
        };
        Ok(Requirement {
            key: key.to_owned(),
            operator,
        })
    }

    fn operator(&mut self, key: &str) -> Result<Operator, String> {
        Ok(match self.take() {
            "in" => Operator::In(checked(key, self.list()?)?),
            "notin" => Operator::NotIn(checked(key, self.list()?)?),
            "=" | "==" => Operator::In(checked(key, self.value()?)?),
            "!=" => Operator::NotIn(checked(key, self.value()?)?),
            ">" => Operator::Greater(number(&self.value()?)?),
            "<" => Operator::Less(number(&self.value()?)?),
            other => return Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn value(&mut self) -> Result<BTreeSet<String>, String> {
        if matches!(self.peek(), "" | ",") {
            return Ok([String::new()].into());
        }
        match self.take() {
            word if is_identifier(word) => Ok([word.to_owned()].into()),
            other => Err(format!("found '{other}', expected: identifier")),
        }
    }

    /// `(a,b)`; nothing between two commas is the empty value.
    fn list(&mut self) -> Result<BTreeSet<String>, String> {
        match self.take() {
            "(" => {}
            other => return Err(format!("found '{other}' expected: '('")),
        }
        let mut values = BTreeSet::new();
        if self.peek() == ")" {
            self.take();
            return Ok(values);
        }
        loop {
            let value = match self.peek() {
                "," | ")" => "",
                word if is_identifier(word) => self.take(),
                other if values.is_empty() => {
                    return Err(format!("found '{other}', expected: ',', ')' or identifier"));
                }
                other => return Err(format!("found '{other}', expected: ',', or identifier")),
            };
            values.insert(value.to_owned());
            match self.take() {
                ")" => return Ok(values),
                "," => {}
                other => return Err(format!("found '{other}', expected: ',' or ')'")),
            }
        }
    }
}

/// Names and values, `in` and `notin` among them where they stand as such.
fn is_identifier(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(is_symbol)
}

fn is_symbol(character: char) -> bool {
    matches!(character, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_symbol(first) {
            if rest.starts_with("==") || rest.starts_with("!=") {
                2
            } else {
                1
            }
        } else {
            let end = |character: char| is_symbol(character) || character.is_whitespace();
            rest.find(end).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn checked(key: &str, values: BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    for (index, value) in values.iter().enumerate() {
        let mistakes = label_value(value);
        if !mistakes.is_empty() {
            let why = mistakes.join("; ");
            return Err(format!("values[{index}][{key}]: Invalid value: \"{value}\": {why}"));
        }
    }
    Ok(values)
}

fn number(values: &BTreeSet<String>) -> Result<i64, String> {
    let value = values.first().map(String::as_str).unwrap_or_default();
    value.parse().map_err(|_| {
        format!("values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str) -> bool {
        let label = |key: &str| match key {
            "app" => Some("web"),
            "n" => Some("5"),
            "in" => Some("in"),
            "empty" => Some(""),
            _ => None,
        };
        let requirements = parse(selector).unwrap();
        requirements
            .iter()
            .all(|requirement| requirement.matches(label(&requirement.key)))
    }

    #[test]
    fn labels_are_selected_by_every_operator() {
        for selector in [
            "",
            "app",
            "app=web",
            "app==web,n=5",
            "app in (web, db)",
            "x notin (y)",
            "!x",
            "! x",
            "x!=y",
            "n>4",
            "n < 6",
            "in=in",
            "in in (in)",
            "empty=",
            "empty in (,a)",
            "empty=,app",
        ] {
            assert!(matches(selector), "{selector}");
        }
        for selector in [
            "x",
            "app=db",
            "app!=web",
            "app in (db)",
            "app in ()",
            "app notin (web,db)",
            "!app",
            "n>5",
        ] {
            assert!(!matches(selector), "{selector}");
        }
    }

    #[test]
    fn mistakes_are_said_in_the_servers_words() {
        for (selector, words) in [
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("a,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            (
                "a>b",
                "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ] {
            assert_eq!(parse(selector).unwrap_err(), words, "{selector}");
        }
        let key = parse("a/b/c=d").unwrap_err();
        assert!(
            key.starts_with("unable to parse requirement: key: Invalid value: \"a/b/c\": "),
            "{key}"
        );
        let value = parse("a=-b").unwrap_err();
        assert!(
            value.starts_with("unable to parse requirement: values[0][a]: Invalid value: \"-b\": "),
            "{value}"
        );
    }
}
