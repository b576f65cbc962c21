//! How the messages of several channels go over one WebSocket (`wsstream` in Kubernetes' streaming library).

use axum::body::Bytes;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio_tungstenite::tungstenite::protocol::Message;

/// The form of a message with its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelCodec {
    /// `channel.k8s.io`: the first byte is the channel's number.
    Binary,
    /// `base64.channel.k8s.io`: the first character is the channel's digit, the rest is base64. Clients that have only text
    /// take it.
    Base64,
}

impl ChannelCodec {
    /// Writes a message of a channel.
    pub(super) fn encode(self, channel: u8, payload: &[u8]) -> Message {
        match self {
            Self::Binary => {
                let mut data = Vec::with_capacity(1 + payload.len());
                data.push(channel);
                data.extend_from_slice(payload);
                Message::Binary(data.into())
            }
            Self::Base64 => {
                let digit = char::from(b'0'.wrapping_add(channel));
                Message::Text(format!("{digit}{}", BASE64_STANDARD.encode(payload)).into())
            }
        }
    }

    /// Reads a message; nothing where it is of no channel, or not of this form.
    pub(super) fn decode(self, message: Message) -> Option<(u8, Bytes)> {
        let data: Bytes = match message {
            Message::Binary(data) => data,
            Message::Text(text) => text.into(),
            _ => return None,
        };
        let first = *data.first()?;
        let payload = data.slice(1..);
        match self {
            Self::Binary => Some((first, payload)),
            Self::Base64 => Some((first.wrapping_sub(b'0'), BASE64_STANDARD.decode(payload).ok()?.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_the_same() {
        for codec in [ChannelCodec::Binary, ChannelCodec::Base64] {
            for payload in [&b""[..], b"hello\n", &[0, 255, 128]] {
                let decoded = codec.decode(codec.encode(3, payload));
                assert_eq!(decoded, Some((3, Bytes::copy_from_slice(payload))), "{codec:?}");
            }
        }
    }

    #[test]
    fn base64_messages_are_text() {
        assert_eq!(ChannelCodec::Base64.encode(1, b"\n"), Message::Text("1Cg==".into()));
        assert_eq!(
            ChannelCodec::Binary.encode(1, b"\n"),
            Message::Binary((&b"\x01\n"[..]).into())
        );
    }

    #[test]
    fn broken_messages_are_none() {
        assert_eq!(ChannelCodec::Base64.decode(Message::Text("0***".into())), None);
        assert_eq!(ChannelCodec::Binary.decode(Message::Binary(Bytes::new())), None);
        assert_eq!(ChannelCodec::Binary.decode(Message::Ping(Bytes::new())), None);
    }
}
