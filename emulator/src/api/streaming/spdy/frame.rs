//! Frames: eight bytes of head, then the body.

/// The sender's half of the stream ends with this frame.
pub(super) const END: u8 = 1;

/// What a control frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    SynStream,
    Reset,
    Ping,
    GoAway,
    Headers,
    /// SETTINGS, WINDOW_UPDATE and what else there may be: nothing to do.
    Other,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Control { kind: Kind, flags: u8, length: u32 },
    Data { stream: u32, end: bool, length: u32 },
}

impl Head {
    pub(super) fn parse(head: [u8; 8]) -> Self {
        let [a, b, c, d, flags, e, f, g] = head;
        let length = u32::from_be_bytes([0, e, f, g]);
        if a & 0x80 == 0 {
            return Self::Data {
                stream: u32::from_be_bytes([a, b, c, d]),
                end: flags & END != 0,
                length,
            };
        }
        let kind = match u16::from_be_bytes([c, d]) {
            1 => Kind::SynStream,
            3 => Kind::Reset,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::Headers,
            _ => Kind::Other,
        };
        Self::Control { kind, flags, length }
    }
}

/// The number at the start of a body.
pub(super) fn number(body: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(body.get(..4)?.try_into().ok()?))
}

/// The stream at the start of a body.
pub(super) fn stream_of(body: &[u8]) -> Option<u32> {
    Some(number(body)? & 0x7fff_ffff)
}

/// The stream that a SYN_STREAM opens, and its block of headers.
pub(super) fn syn_stream(body: &[u8]) -> Option<(u32, &[u8])> {
    Some((stream_of(body)?, body.get(10..)?))
}

fn control(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3, 0, kind, 0];
    frame.extend_from_slice(&length(body.len()));
    frame.extend_from_slice(body);
    frame
}

fn length(length: usize) -> [u8; 3] {
    let [_, a, b, c] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [a, b, c]
}

/// SYN_REPLY.
pub(super) fn reply(stream: u32, headers: &[u8]) -> Vec<u8> {
    let mut body = stream.to_be_bytes().to_vec();
    body.extend_from_slice(headers);
    control(2, &body)
}

/// RST_STREAM, with CANCEL.
pub(super) fn reset(stream: u32) -> Vec<u8> {
    let mut body = stream.to_be_bytes().to_vec();
    body.extend_from_slice(&5_u32.to_be_bytes());
    control(3, &body)
}

/// The answer to a PING: the same.
pub(super) fn ping(id: u32) -> Vec<u8> {
    control(6, &id.to_be_bytes())
}

/// GOAWAY, with OK.
pub(super) fn go_away(last: u32) -> Vec<u8> {
    let mut body = last.to_be_bytes().to_vec();
    body.extend_from_slice(&0_u32.to_be_bytes());
    control(7, &body)
}

/// The head of a data frame; at most 16 MiB may follow.
pub(super) fn data(stream: u32, size: usize, end: bool) -> Vec<u8> {
    let mut frame = (stream & 0x7fff_ffff).to_be_bytes().to_vec();
    frame.push(if end { END } else { 0 });
    frame.extend_from_slice(&length(size));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_are_written() {
        let head: [u8; 8] = data(5, 70_000, true).try_into().unwrap();
        assert_eq!(
            Head::parse(head),
            Head::Data {
                stream: 5,
                end: true,
                length: 70_000
            }
        );
        let frame = ping(7);
        assert_eq!(
            Head::parse(frame[..8].try_into().unwrap()),
            Head::Control {
                kind: Kind::Ping,
                flags: 0,
                length: 4
            }
        );
    }

    #[test]
    fn short_bodies_are_no_frames() {
        assert_eq!(syn_stream(&[0; 9]), None);
        assert_eq!(number(&[0; 3]), None);
    }
}
