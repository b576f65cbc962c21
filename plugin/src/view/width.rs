//! How wide the output may be.

/// The columns of a terminal: as `COLUMNS` says, else as the terminal itself does; nothing where the output is a pipe and
/// nobody says: then lines are as long as they are.
pub fn columns(is_terminal: bool) -> Option<usize> {
    let said = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.trim().parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    said.or_else(|| is_terminal.then(asked).flatten())
        .filter(|columns| *columns > 0)
        .map(|columns: usize| columns.max(LEAST))
}

/// The rows of a terminal.
pub fn rows() -> usize {
    let asked = terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
    asked.filter(|rows| *rows > 0).unwrap_or(24)
}

/// Nothing can be drawn in fewer columns.
const LEAST: usize = 20;
