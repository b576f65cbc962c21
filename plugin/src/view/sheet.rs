//! Names and values in columns, as `kubectl describe` lays them out.

use super::text::{Line, Tone};

/// Rows that are aligned when all of them are known.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
enum Row {
    Pair { indent: usize, name: String, value: Line },
    Free(Line),
}

/// Between a name and its value.
const GAP: usize = 2;

impl Sheet {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name and its value.
    pub fn pair(&mut self, indent: usize, name: impl Into<String>, value: impl Into<Line>) {
        self.rows.push(Row::Pair {
            indent,
            name: name.into(),
            value: value.into(),
        });
    }

    /// A name and its value, where there is one.
    pub fn maybe(&mut self, indent: usize, name: &str, value: Option<impl Into<Line>>) {
        if let Some(value) = value {
            self.pair(indent, name, value);
        }
    }

    /// A name and several values below each other; `<none>` where there are none.
    pub fn column(&mut self, indent: usize, name: &str, values: impl IntoIterator<Item = String>) {
        let mut values = values.into_iter();
        self.pair(indent, name, values.next().unwrap_or_else(|| "<none>".to_owned()));
        for value in values {
            self.rows.push(Row::Pair {
                indent,
                name: String::new(),
                value: Line::from(value),
            });
        }
    }

    /// A name, and its value in lines of its own below.
    pub fn block(&mut self, indent: usize, name: &str, lines: impl IntoIterator<Item = String>) {
        self.heading(indent, name);
        for line in lines {
            self.free(Line::from(line).indent(indent + 2));
        }
    }

    /// A text of one or several lines: beside its name, or below it.
    pub fn text(&mut self, indent: usize, name: &str, text: &str) {
        if text.trim_end().contains('\n') {
            self.block(indent, name, text.trim_end().lines().map(str::to_owned));
        } else {
            self.pair(indent, name, text.trim_end());
        }
    }

    /// The name of what follows.
    pub fn heading(&mut self, indent: usize, name: &str) {
        self.free(
            Line::new()
                .plain(" ".repeat(indent))
                .tone(Tone::Heading, format!("{name}:")),
        );
    }

    /// A line as it is.
    pub fn free(&mut self, line: Line) {
        self.rows.push(Row::Free(line));
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows as lines; values of one indentation stand below each other, at `column` at least.
    pub fn lines(self, column: usize) -> Vec<Line> {
        let width = |indent: usize| {
            let names = self.rows.iter().filter_map(|row| match row {
                Row::Pair { indent: own, name, .. } if *own == indent => Some(Line::from(name.as_str()).width()),
                _ => None,
            });
            (names.max().unwrap_or(0) + indent + 1 + GAP).max(column)
        };
        self.rows
            .iter()
            .map(|row| match row {
                Row::Free(line) => line.clone(),
                Row::Pair { indent, name, value } => {
                    let colon = if name.is_empty() { "" } else { ":" };
                    Line::new()
                        .plain(" ".repeat(*indent))
                        .plain(format!("{name}{colon}"))
                        .pad_to(width(*indent))
                        .join(value.clone())
                }
            })
            .collect()
    }
}

/// A table without borders, as kubectl draws them: columns as wide as their widest cell, three blanks between.
pub fn table(indent: usize, header: &[&str], rows: Vec<Vec<Line>>) -> Vec<Line> {
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(Line::width);
            cells.max().unwrap_or(0).max(title.len())
        })
        .collect();
    let titles = header
        .iter()
        .map(|title| Line::new().tone(Tone::Faint, *title))
        .collect();
    std::iter::once(titles)
        .chain(rows)
        .map(|cells: Vec<Line>| {
            let mut line = Line::new().plain(" ".repeat(indent));
            let mut end = indent;
            for (cell, width) in cells.into_iter().zip(&widths) {
                line = line.pad_to(end).join(cell);
                end += width + 3;
            }
            line
        })
        .collect()
}
