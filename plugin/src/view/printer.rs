//! The one place that writes to the terminal. Everything printed passes through here, is cleaned here, and gets its colour here.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::ops::ControlFlow;

use anstyle::{AnsiColor, Style};

use super::clean::{clean, clean_document};
use super::text::{Line, Span, Tone};

/// Writes lines and documents to standard output, and complaints to standard error.
pub struct Printer {
    out: Stream,
    err: Stream,
    failed: Option<io::Error>,
    /// How many lines of a drawing stand at the end of the output, to be drawn anew in place.
    frame: usize,
    /// Whether the terminal moves its cursor when asked to.
    can_draw: bool,
}

struct Stream {
    to: Box<dyn Write>,
    is_terminal: bool,
    has_colour: bool,
    /// The reader is gone (`kubectl pod … | head`): writing on is pointless, and no error.
    is_closed: bool,
}

impl Printer {
    /// A printer to the process's standard streams. Colour only on a terminal, and never against `NO_COLOR`.
    pub fn stdio() -> Self {
        let is_able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let wants_colour = is_able && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let out_is_terminal = io::stdout().is_terminal();
        let err_is_terminal = io::stderr().is_terminal();
        Self {
            out: Stream {
                to: Box::new(io::BufWriter::new(io::stdout())),
                is_terminal: out_is_terminal,
                has_colour: wants_colour && out_is_terminal,
                is_closed: false,
            },
            err: Stream {
                to: Box::new(io::stderr()),
                is_terminal: err_is_terminal,
                has_colour: wants_colour && err_is_terminal,
                is_closed: false,
            },
            failed: None,
            frame: 0,
            can_draw: out_is_terminal && is_able,
        }
    }

    /// A printer into memory or a file: no terminal, no colour.
    pub fn to(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        let stream = |to| Stream {
            to,
            is_terminal: false,
            has_colour: false,
            is_closed: false,
        };
        Self {
            out: stream(out),
            err: stream(err),
            failed: None,
            frame: 0,
            can_draw: false,
        }
    }

    /// Whether standard output is a terminal, so that drawing in place makes sense.
    pub fn is_terminal(&self) -> bool {
        self.out.is_terminal
    }

    /// Whether the reader of standard output went away: a command that goes on for long may stop.
    pub fn is_closed(&self) -> bool {
        self.out.is_closed
    }

    /// Whether lines can be drawn anew in place.
    pub fn can_draw(&self) -> bool {
        self.can_draw
    }

    /// Draws lines at the end of the output, in the place of those drawn before. Each must fit one row of the terminal.
    pub fn frame(&mut self, lines: &[Line]) {
        self.erase_frame();
        for line in lines {
            let written = self.out.line(line);
            self.keep(written);
        }
        self.frame = lines.len();
        self.flush();
    }

    /// Takes the drawing away.
    pub fn erase_frame(&mut self) {
        if self.frame > 0 {
            // Up to its first line, and erase from there to the end of the screen.
            let written = self.out.write(&format!("\x1b[{}A\r\x1b[J", self.frame));
            self.frame = 0;
            self.keep(written);
        }
    }

    /// One line to standard output.
    pub fn line(&mut self, line: &Line) {
        self.erase_frame();
        let written = self.out.line(line);
        self.keep(written);
    }

    /// Lines to standard output.
    pub fn lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            self.line(line);
        }
    }

    /// A document for machines or from us (JSON, YAML, help): as it is through a pipe, cleaned on a terminal.
    pub fn document(&mut self, text: &str) {
        let cleaned = if self.out.is_terminal {
            clean_document(text)
        } else {
            text.into()
        };
        let written = self.out.write(&cleaned);
        self.keep(written);
    }

    /// One line to standard error.
    pub fn error_line(&mut self, line: &Line) {
        // What was already said comes first when both streams are one terminal.
        self.erase_frame();
        self.flush();
        // Nobody is left to be told when standard error itself cannot be written.
        let _ = self.err.line(line);
    }

    /// Something worth knowing beside the answer, to standard error.
    pub fn note(&mut self, words: &str) {
        self.error_line(&Line::new().tone(Tone::Warning, "note:").plain(" ").plain(words));
    }

    /// Shows what has been printed so far; a live view calls it after each step.
    pub fn flush(&mut self) {
        let flushed = self.out.flush();
        self.keep(flushed);
    }

    /// Shows what a page of many has printed, and says whether anybody reads on.
    pub fn page_end(&mut self) -> ControlFlow<()> {
        self.flush();
        match self.is_closed() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Ends the output.
    ///
    /// # Errors
    /// The first failure to write standard output other than a closed pipe: a full disk is said, not suffered.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush();
        match self.failed.take() {
            None => Ok(()),
            Some(error) => {
                let complaint = format!("error: cannot write the output: {error}");
                let _ = self.err.line(&Line::from(complaint));
                Err(error)
            }
        }
    }

    fn keep(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

impl Stream {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let painted: String = line.spans().iter().map(|span| self.paint(span)).collect();
        self.write(painted.trim_end_matches(' '))?;
        self.write("\n")
    }

    fn paint(&self, span: &Span) -> String {
        let cleaned = clean(&span.text);
        let style = style(span.tone);
        if self.has_colour && style != Style::new() && !cleaned.trim().is_empty() {
            format!("{style}{cleaned}{style:#}")
        } else {
            cleaned.into_owned()
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let written = self.to.write_all(text.as_bytes());
        self.unless_closed(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.unless_closed(flushed)
    }

    fn unless_closed(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Heading => Style::new().bold(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Warning => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Faint => Style::new().dimmed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn tones_leave_no_trace_where_there_is_no_terminal() {
        let out = Shared::default();
        let mut printer = Printer::to(Box::new(out.clone()), Box::new(io::sink()));
        printer.line(&Line::new().tone(Tone::Bad, "broken\u{1b}").plain(" pod   "));
        printer.finish().unwrap();
        assert_eq!(out.0.lock().unwrap().as_slice(), b"broken\\u{1b} pod\n");
    }

    #[test]
    fn a_frame_is_drawn_anew_in_place_and_makes_way_for_lines() {
        let out = Shared::default();
        let mut printer = Printer::to(Box::new(out.clone()), Box::new(io::sink()));
        printer.frame(&[Line::from("one"), Line::from("two")]);
        printer.frame(&[Line::from("three")]);
        printer.line(&Line::from("told"));
        printer.finish().unwrap();
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "one\ntwo\n\x1b[2A\r\x1b[Jthree\n\x1b[1A\r\x1b[Jtold\n");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let mut printer = Printer::to(Box::new(Refusing(ErrorKind::BrokenPipe)), Box::new(io::sink()));
        printer.line(&Line::from("unread"));
        assert!(printer.is_closed());
        assert!(printer.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_said() {
        let err = Shared::default();
        let mut printer = Printer::to(Box::new(Refusing(ErrorKind::StorageFull)), Box::new(err.clone()));
        printer.line(&Line::from("lost"));
        assert!(printer.finish().is_err());
        assert!(String::from_utf8_lossy(&err.0.lock().unwrap()).contains("cannot write the output"));
    }
}
