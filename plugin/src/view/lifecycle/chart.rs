//! The chart on a terminal, in any width.

use unicode_width::UnicodeWidthStr;

use crate::pod::age;
use crate::pod::axis::Axis;
use crate::pod::chart::{Chart, Look, Row, Sign};
use crate::view::text::{Line, Tone};
use crate::view::wrap::cut;

/// Narrower than this, a row's words stand above its bar.
const BESIDE: usize = 64;
/// The widest chart: beyond this, bars say no more.
const WIDEST: usize = 200;
/// Between the parts of a row.
const GAP: usize = 2;
/// The columns of a folded stretch.
const FOLD: f64 = 3.0;

/// Draws the chart, its axis at the top and the meaning of its signs at the bottom.
pub fn lines(chart: &Chart, columns: usize) -> Vec<Line> {
    let columns = columns.min(WIDEST);
    let is_beside = columns >= BESIDE;
    let widest = |text: fn(&Row) -> &str| chart.rows.iter().map(|row| text(row).width()).max().unwrap_or(0);
    let labels = widest(|row| &row.label).min(columns / 4);
    let notes = widest(|row| &row.note).min((columns / 4).max(24));
    let (left, bar) = if is_beside {
        (GAP + labels + GAP, columns - (GAP + labels + GAP) - (GAP + notes))
    } else {
        (GAP, columns - GAP)
    };
    let Some(axis) = Axis::of(chart.moments(), width_of(bar), FOLD) else {
        return Vec::new();
    };
    let mut lines = vec![axis_line(chart, &axis, bar).indent(left)];
    for row in &chart.rows {
        let cells = cells(row, &axis, bar);
        if is_beside {
            lines.push(
                Line::new()
                    .plain(" ".repeat(GAP))
                    .plain(cut(&row.label, labels))
                    .pad_to(left)
                    .join(painted(&cells))
                    .pad_to(left + bar + GAP)
                    .tone(Tone::Plain, cut(&row.note, notes)),
            );
        } else {
            let label = cut(&row.label, columns.saturating_sub(GAP));
            let room = columns.saturating_sub(GAP + label.width() + GAP);
            lines.push(
                Line::new()
                    .plain(" ".repeat(GAP))
                    .tone(Tone::Heading, label)
                    .plain(" ".repeat(GAP))
                    .plain(cut(&row.note, room)),
            );
            lines.push(painted(&cells).indent(left));
        }
    }
    lines.extend(legend(chart, &axis, columns));
    lines
}

fn width_of(columns: usize) -> f64 {
    f64::from(u32::try_from(columns).unwrap_or(u32::MAX))
}

/// The column of a position; the right edge belongs to the last one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions lie between 0 and the width"
)]
fn column(position: f64, width: usize) -> usize {
    (position.max(0.0) as usize).min(width.saturating_sub(1))
}

type Cell = Option<(char, Tone)>;

fn cells(row: &Row, axis: &Axis, width: usize) -> Vec<Cell> {
    let mut cells: Vec<Cell> = vec![None; width];
    for span in &row.spans {
        let from = column(axis.position(span.from), width);
        // What begins where it ends is seen all the same.
        let to = column((axis.position(span.to) - 1e-9).max(axis.position(span.from)), width);
        cells[from..=to].fill(Some(look(span.look)));
    }
    for mark in &row.marks {
        cells[column(axis.position(mark.at), width)] = Some(sign(mark.sign));
    }
    cells
}

fn painted(cells: &[Cell]) -> Line {
    let mut line = Line::new();
    for group in cells.chunk_by(|a, b| a == b) {
        let (glyph, tone) = group[0].unwrap_or((' ', Tone::Plain));
        line = line.tone(tone, glyph.to_string().repeat(group.len()));
    }
    line
}

fn look(look: Look) -> (char, Tone) {
    match look {
        Look::Stage => ('━', Tone::Plain),
        Look::Waiting => ('·', Tone::Faint),
        Look::Unready => ('▒', Tone::Warning),
        Look::Running => ('█', Tone::Good),
        Look::BackOff => ('░', Tone::Warning),
        Look::Unknown => ('?', Tone::Faint),
    }
}

fn sign(sign: Sign) -> (char, Tone) {
    match sign {
        Sign::Well => ('✓', Tone::Good),
        Sign::Badly => ('✗', Tone::Bad),
        Sign::Failure => ('!', Tone::Warning),
    }
}

fn axis_line(chart: &Chart, axis: &Axis, width: usize) -> Line {
    let mut text: Vec<char> = vec![' '; width];
    for tick in axis.ticks(chart.from, 9.0) {
        let words: Vec<char> = age::elapsed(tick.after).chars().collect();
        let at = column(tick.position, width).min(width.saturating_sub(words.len()));
        let is_free = text[at.saturating_sub(1)..(at + words.len()).min(width)]
            .iter()
            .all(|cell| *cell == ' ');
        if is_free && at + words.len() <= width {
            text[at..at + words.len()].copy_from_slice(&words);
        }
    }
    for (from, to) in axis.folds() {
        let (from, to) = (column(from, width), column(to - 1.0, width));
        for cell in &mut text[from..=to] {
            if *cell == ' ' {
                *cell = '~';
            }
        }
    }
    Line::new().tone(Tone::Faint, text.into_iter().collect::<String>())
}

fn legend(chart: &Chart, axis: &Axis, columns: usize) -> Vec<Line> {
    let looks = [
        (Look::Waiting, "waits"),
        (Look::Unready, "runs, not ready"),
        (Look::Running, "runs"),
        (Look::BackOff, "backs off"),
        (Look::Unknown, "not kept"),
    ];
    let signs = [
        (Sign::Well, "ended well"),
        (Sign::Badly, "ended badly"),
        (Sign::Failure, "probe failed"),
    ];
    let has_look = |look| {
        chart
            .rows
            .iter()
            .flat_map(|row| &row.spans)
            .any(|span| span.look == look)
    };
    let has_sign = |sign| {
        chart
            .rows
            .iter()
            .flat_map(|row| &row.marks)
            .any(|mark| mark.sign == sign)
    };
    let looks = looks
        .into_iter()
        .filter(|(look, _)| has_look(*look))
        .map(|(one, words)| (look(one), words));
    let signs = signs
        .into_iter()
        .filter(|(sign, _)| has_sign(*sign))
        .map(|(one, words)| (sign(one), words));
    let fold = axis.folds().next().map(|_| (('~', Tone::Faint), "time folded"));
    let mut lines = Vec::new();
    let mut line = Line::new().plain(" ".repeat(GAP));
    for ((glyph, tone), words) in looks.chain(signs).chain(fold) {
        let item = Line::new()
            .tone(tone, glyph.to_string())
            .tone(Tone::Faint, format!(" {words}   "));
        if line.width() + item.width() > columns + 3 && line.width() > GAP {
            lines.push(std::mem::take(&mut line));
            line = Line::new().plain(" ".repeat(GAP));
        }
        line = line.join(item);
    }
    if line.width() > GAP {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{chart, saved};

    fn drawn(name: &str, columns: usize) -> Vec<String> {
        let chart = chart::of(&saved::history(name)).unwrap();
        lines(&chart, columns).iter().map(Line::words).collect()
    }

    #[test]
    fn a_chart_fits_every_width() {
        for name in [
            "seed-init",
            "crashloop",
            "liveness-http",
            "gated",
            "deadline",
            "sidecar",
        ] {
            for columns in [20, 40, 63, 64, 80, 120, 200, 300] {
                for line in drawn(name, columns) {
                    assert!(line.trim_end().width() <= columns, "{name} at {columns}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn the_signs_that_are_used_are_explained() {
        let crashes = drawn("crashloop", 80).join("\n");
        assert!(crashes.contains("✗ ended badly"), "{crashes}");
        assert!(!crashes.contains("probe failed"), "{crashes}");
        assert!(drawn("liveness-http", 80).join("\n").contains("! probe failed"));
    }

    #[test]
    fn bars_follow_one_another() {
        let rows = drawn("seed-init", 80);
        let place = |label: &str| {
            let mut own = rows.iter().filter(|row| row.trim_start().starts_with(label));
            let row = own.find(|row| row.contains('█')).unwrap();
            row.chars().position(|glyph| glyph == '█').unwrap()
        };
        assert!(place("init init-myservice") < place("init init-mydb"));
    }
}
