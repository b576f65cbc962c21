//! Writing protobuf messages: fields of text, of numbers and of messages.

/// A message that is being written.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Adds a field of text; an empty one is not written.
    pub(super) fn text(&mut self, field: u32, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
        self
    }

    /// Adds a field that is a message.
    pub(super) fn message(&mut self, field: u32, message: &Self) -> &mut Self {
        self.bytes(field, &message.0);
        self
    }

    /// The message's bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        // Wire type 2: a length, then as many bytes.
        self.number(u64::from(field) << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_a_number_and_a_length() {
        let mut inner = Message::default();
        inner.text(2, "testing").text(3, "");
        let mut outer = Message::default();
        outer.message(100, &inner);
        let bytes = outer.into_bytes();
        assert_eq!(bytes, [&[0xa2, 0x06, 9, 0x12, 7][..], b"testing"].concat());
    }
}
