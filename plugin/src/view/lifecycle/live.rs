//! What stands at the bottom of a terminal while pods are followed: how they are, and what comes next.

use super::{PIPE_COLUMNS, headline, several, summary};
use crate::pod::history::History;
use crate::view::text::Line;
use crate::view::width;
use crate::view::wrap::clip;

/// The lines to draw of the first of `total` pods: no wider than the terminal, and lower, so that what is told above stays
/// in sight.
pub fn frame(histories: &[History], total: usize, is_one: bool) -> Vec<Line> {
    let columns = width::columns(true).unwrap_or(PIPE_COLUMNS);
    let rows = width::rows();
    let beyond = total - histories.len().min(total);
    fitted(lines(histories, is_one, columns), beyond, columns, rows)
}

fn lines(histories: &[History], is_one: bool, columns: usize) -> Vec<Line> {
    match histories {
        [] => Vec::new(),
        [history] if is_one => {
            let mut lines = vec![Line::new(), headline(&history.facts)];
            // The headline stands right above the chart.
            lines.extend(
                summary(history, Some(columns), history.gone.is_none())
                    .into_iter()
                    .skip(1),
            );
            lines
        }
        several => {
            let mut lines = vec![Line::new()];
            lines.extend(several::lines(several, Some(columns)));
            lines
        }
    }
}

/// Leaves out what does not fit, and says so.
fn fitted(lines: Vec<Line>, beyond: usize, columns: usize, rows: usize) -> Vec<Line> {
    // One column and three rows stay free: terminals break a full line, and scroll a full page.
    let most = rows.saturating_sub(3).max(1);
    let hidden = lines.len().saturating_sub(most) + beyond;
    let mut shown: Vec<Line> = lines
        .into_iter()
        .take(most)
        .map(|line| clip(&line, columns.saturating_sub(1)))
        .collect();
    if hidden > 0 {
        shown.pop();
        shown.push(Line::from(format!("  … {} more lines", hidden + 1)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::saved;

    #[test]
    fn a_frame_fits_the_terminal() {
        for (columns, rows) in [(20, 5), (40, 10), (80, 24), (200, 50)] {
            for names in [&["crashloop"][..], &["seed-init", "liveness-http", "gated"]] {
                let histories: Vec<History> = names.iter().map(|name| saved::history(name)).collect();
                let frame = fitted(lines(&histories, names.len() == 1, columns), 0, columns, rows);
                assert!(frame.len() < rows, "{columns}x{rows}: {frame:?}");
                assert!(
                    frame.iter().all(|line| line.width() < columns),
                    "{columns}x{rows}: {frame:?}"
                );
            }
        }
    }
}
