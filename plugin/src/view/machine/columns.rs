//! `-o custom-columns`: one row for each object (`kubectl/pkg/cmd/get/customcolumn.go`).

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::jsonpath::{JsonPath, shown};

/// The least width of a column, and the blanks between two.
const LEAST: usize = 6;
const PADDING: usize = 3;

/// Columns, read.
#[derive(Clone, Debug)]
pub struct Columns(Vec<(String, JsonPath)>);

impl Columns {
    /// Reads `HEADER:EXPRESSION,…`.
    ///
    /// # Errors
    /// What is wrong with it, in kubectl's words.
    pub fn parse(specification: &str) -> Result<Self, String> {
        let columns = specification.split(',').map(|column| {
            let (header, expression) = column.split_once(':').ok_or_else(|| {
                format!("unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>")
            })?;
            Ok((header.to_owned(), relaxed(expression)?))
        });
        columns.collect::<Result<_, String>>().map(Self)
    }

    /// Reads a line of headers and a line of expressions.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(str::split_whitespace);
        let (Some(headers), Some(expressions)) = (lines.next(), lines.next()) else {
            return Err(
                "invalid template, missing spec line. Two lines, headers and field specs, are expected".to_owned(),
            );
        };
        let (headers, expressions): (Vec<&str>, Vec<&str>) = (headers.collect(), expressions.collect());
        if headers.len() != expressions.len() {
            return Err(format!(
                "number of headers ({}) and field specifications ({}) don't match",
                headers.len(),
                expressions.len()
            ));
        }
        let columns = headers.into_iter().zip(expressions);
        let read = columns.map(|(header, expression)| Ok((header.to_owned(), relaxed(expression)?)));
        read.collect::<Result<_, String>>().map(Self)
    }

    /// The row of an object.
    pub fn row(&self, object: &Value) -> Vec<String> {
        let cells = self.0.iter().map(|(_, expression)| {
            let found: Vec<String> = expression.found(object).into_iter().map(shown).collect();
            if found.is_empty() {
                "<none>".to_owned()
            } else {
                found.join(",").replace(['\n', '\t', '\r'], " ")
            }
        });
        cells.collect()
    }

    /// The table of some rows.
    pub fn table(&self, rows: Vec<Vec<String>>, has_headers: bool) -> String {
        let headers = has_headers.then(|| self.0.iter().map(|(header, _)| header.clone()).collect());
        let rows: Vec<Vec<String>> = headers.into_iter().chain(rows).collect();
        let widths: Vec<usize> = (0..self.0.len())
            .map(|column| {
                let widest = rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
                (widest + PADDING).max(LEAST)
            })
            .collect();
        let mut text = String::new();
        for row in &rows {
            for (number, (cell, width)) in row.iter().zip(&widths).enumerate() {
                text.push_str(cell);
                if number + 1 < row.len() {
                    text.extend(std::iter::repeat_n(' ', width - cell.width()));
                }
            }
            text.push('\n');
        }
        text
    }
}

/// An expression with or without braces and the dot that it begins with: `metadata.name`, `{.metadata.name}`.
fn relaxed(expression: &str) -> Result<JsonPath, String> {
    let inner = expression.trim();
    let inner = inner
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(inner);
    if inner.is_empty() || inner.contains(['{', '}']) {
        return Err(format!(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or \
             '{{.name1.name2}}', found {expression:?}"
        ));
    }
    let dot = if inner.starts_with(['.', '[', '$']) { "" } else { "." };
    JsonPath::parse(&format!("{{{dot}{inner}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_laid_out_as_kubectl_lays_them_out() {
        let one = json!({"metadata": {"name": "a-long-name"}, "spec": {"images": ["x", "y"]}});
        let two = json!({"metadata": {"name": "b"}, "n": 2});
        let columns = Columns::parse("NAME:.metadata.name,N:{.n},IMAGES:spec.images[*]").unwrap();
        assert_eq!(
            columns.table(vec![columns.row(&one), columns.row(&two)], true),
            "NAME          N        IMAGES\na-long-name   <none>   x,y\nb             2        <none>\n"
        );
        assert_eq!(columns.table(vec![columns.row(&two)], false), "b     2     <none>\n");
    }

    #[test]
    fn what_is_no_column_is_refused() {
        assert_eq!(
            Columns::parse("NAME").unwrap_err(),
            "unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>"
        );
        assert!(
            Columns::parse("NAME:{a}{b}")
                .unwrap_err()
                .starts_with("unexpected path string")
        );
        assert!(Columns::parse_file("A B\n.x\n").unwrap_err().contains("don't match"));
    }
}
