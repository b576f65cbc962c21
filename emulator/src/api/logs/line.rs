//! One line of a log file: `2026-01-01T00:00:00.000000000Z stdout F text`.

use jiff::Timestamp;

use super::options::{LogOptions, LogStream};

/// Turns lines of the file into what the client gets.
#[derive(Debug)]
pub(super) struct Printer {
    timestamps: bool,
    since: Option<Timestamp>,
    stream: LogStream,
    /// Bytes that may still be sent.
    left: Option<u64>,
    /// The line before was cut in the middle.
    inside: bool,
}

impl Printer {
    pub(super) fn new(options: &LogOptions) -> Self {
        Self {
            timestamps: options.timestamps,
            since: options.since,
            stream: options.stream,
            left: options.limit_bytes,
            inside: false,
        }
    }

    /// Whether no more bytes may be sent.
    pub(super) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Appends what the client gets for one line, without its line break, of the file.
    pub(super) fn print(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let Some(Line {
            time,
            stream,
            partial,
            text,
        }) = split(line)
        else {
            return;
        };
        let wanted = match self.stream {
            LogStream::All => true,
            LogStream::Stdout => stream == b"stdout",
            LogStream::Stderr => stream == b"stderr",
        };
        if !wanted || self.is_before(time) {
            return;
        }
        let start = out.len();
        if self.timestamps && !self.inside {
            out.extend_from_slice(time);
            out.push(b' ');
        }
        out.extend_from_slice(text);
        if !partial {
            out.push(b'\n');
        }
        self.inside = partial;
        if let Some(left) = &mut self.left {
            let allowed = usize::try_from(*left).unwrap_or(usize::MAX);
            out.truncate(start + (out.len() - start).min(allowed));
            *left -= (out.len() - start) as u64;
        }
    }

    fn is_before(&self, time: &[u8]) -> bool {
        let Some(since) = self.since else { return false };
        std::str::from_utf8(time)
            .ok()
            .and_then(|time| time.parse::<Timestamp>().ok())
            .is_some_and(|time| time < since)
    }
}

struct Line<'a> {
    time: &'a [u8],
    stream: &'a [u8],
    /// The text goes on in the next line.
    partial: bool,
    text: &'a [u8],
}

fn split(line: &[u8]) -> Option<Line<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, tags) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Line {
        time,
        stream,
        partial: tags.split(|byte| *byte == b':').next()? == b"P",
        text: parts.next().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(options: &LogOptions, lines: &[&str]) -> String {
        let mut printer = Printer::new(options);
        let mut out = Vec::new();
        for line in lines {
            printer.print(line.as_bytes(), &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    const LINES: [&str; 3] = [
        "2026-01-01T00:00:00.1Z stdout P one ",
        "2026-01-01T00:00:00.2Z stdout F line",
        "2026-01-01T00:00:05Z stderr F ",
    ];

    #[test]
    fn a_long_line_is_put_together() {
        assert_eq!(print(&LogOptions::default(), &LINES), "one line\n\n");
    }

    #[test]
    fn a_line_gets_one_time() {
        let options = LogOptions {
            timestamps: true,
            ..LogOptions::default()
        };
        assert_eq!(
            print(&options, &LINES),
            "2026-01-01T00:00:00.1Z one line\n2026-01-01T00:00:05Z \n"
        );
    }

    #[test]
    fn since_stream_and_limit_cut() {
        let since = LogOptions {
            since: Some("2026-01-01T00:00:01Z".parse().unwrap()),
            ..LogOptions::default()
        };
        assert_eq!(print(&since, &LINES), "\n");
        let stream = LogOptions {
            stream: LogStream::Stdout,
            ..LogOptions::default()
        };
        assert_eq!(print(&stream, &LINES), "one line\n");
        let limit = LogOptions {
            limit_bytes: Some(6),
            ..LogOptions::default()
        };
        assert_eq!(print(&limit, &LINES), "one li");
    }
}
