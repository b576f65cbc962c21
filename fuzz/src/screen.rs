//! A terminal that minds what it is told.

use std::io::{self, Write};

use kubectl_pod::view::printer::Printer;

/// Takes text, and no text that a terminal would obey.
struct Screen;

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes).expect("what is printed is text");
        let obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        assert!(!text.contains(obeyed), "a terminal would obey {text:?}");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A printer to such terminals.
pub(crate) fn printer() -> Printer {
    Printer::to(Box::new(Screen), Box::new(Screen))
}
