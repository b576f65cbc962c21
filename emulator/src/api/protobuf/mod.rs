//! Bodies in Kubernetes' protobuf: what typed clients in Go create, read into JSON.

mod fields;
mod wire;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::fields::{Kind, Shape};
use self::wire::{Wire, next};
use super::time::seconds;

/// What every such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Why a body can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtobufError {
    /// It breaks off, or is of the wrong kind.
    #[error("the body is no valid protobuf of {0}")]
    Broken(String),
}

/// The object in a body; nothing where it is not protobuf, or of a kind that is not served.
///
/// # Errors
/// Where it is no valid protobuf.
pub(super) fn to_json(body: &[u8]) -> Result<Option<Value>, ProtobufError> {
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        return Ok(None);
    };
    let broken = |what: &str| ProtobufError::Broken(what.to_owned());
    let (version, kind, raw) = open(envelope).ok_or_else(|| broken("a Kubernetes object"))?;
    let name = match (version, kind) {
        ("events.k8s.io/v1", "Event") => "events.Event",
        (_, kind) => kind,
    };
    let Some(name) = fields::name_of(name) else {
        return Ok(None);
    };
    let mut object = Map::new();
    message(raw, name, &mut object)?;
    object.insert("apiVersion".into(), version.into());
    object.insert("kind".into(), kind.into());
    Ok(Some(Value::Object(object)))
}

/// `apiVersion`, `kind` and the message of an envelope (`runtime.Unknown`).
fn open(mut envelope: &[u8]) -> Option<(&str, &str, &[u8])> {
    let (mut kind, mut raw): (&[u8], &[u8]) = (&[], &[]);
    while !envelope.is_empty() {
        match next(&mut envelope)? {
            (1, Wire::Bytes(bytes)) => kind = bytes,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (version, kind) = pair(kind)?;
    Some((str::from_utf8(version).ok()?, str::from_utf8(kind).ok()?, raw))
}

/// Fields 1 and 2 of a message, as bytes.
fn pair(mut bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut one, mut two): (&[u8], &[u8]) = (&[], &[]);
    while !bytes.is_empty() {
        match next(&mut bytes)? {
            (1, Wire::Bytes(bytes)) => one = bytes,
            (2, Wire::Bytes(bytes)) => two = bytes,
            _ => {}
        }
    }
    Some((one, two))
}

/// Reads a message's fields into `object`; fields that are not known are skipped, as protobuf requires.
fn message(mut bytes: &[u8], name: &'static str, object: &mut Map<String, Value>) -> Result<(), ProtobufError> {
    let broken = || ProtobufError::Broken(name.to_owned());
    while !bytes.is_empty() {
        let (number, wire) = next(&mut bytes).ok_or_else(broken)?;
        let Some(field) = fields::field(name, number) else {
            continue;
        };
        match (field.shape, field.kind) {
            (Shape::Inline, Kind::Message(inner)) => {
                let Wire::Bytes(bytes) = wire else { return Err(broken()) };
                message(bytes, inner, object)?;
            }
            (Shape::Map, kind) => {
                let Wire::Bytes(bytes) = wire else { return Err(broken()) };
                let (key, content) = pair(bytes).ok_or_else(broken)?;
                let key = str::from_utf8(key).map_err(|_| broken())?.to_owned();
                let value = value(Wire::Bytes(content), kind)?.ok_or_else(broken)?;
                object.entry(field.name).or_insert_with(|| json!({}))[key] = value;
            }
            (Shape::Many, kind) => {
                let value = value(wire, kind)?.ok_or_else(broken)?;
                let list = object.entry(field.name).or_insert_with(|| json!([]));
                list.as_array_mut().ok_or_else(broken)?.push(value);
            }
            // A message that comes in several pieces is the union of them.
            (_, Kind::Message(inner)) => {
                let Wire::Bytes(bytes) = wire else { return Err(broken()) };
                let part = object.entry(field.name).or_insert_with(|| json!({}));
                message(bytes, inner, part.as_object_mut().ok_or_else(broken)?)?;
            }
            (_, kind) => match value(wire, kind)?.ok_or_else(broken)? {
                Value::Null => {}
                // Go writes empty texts as well.
                Value::String(text) if text.is_empty() => {}
                value => drop(object.insert(field.name.to_owned(), value)),
            },
        }
    }
    Ok(())
}

/// One value; nothing where the wire has something else, null where it says that none is set.
fn value(wire: Wire<'_>, kind: Kind) -> Result<Option<Value>, ProtobufError> {
    Ok(match (kind, wire) {
        (Kind::Bool, Wire::Varint(number)) => Some(json!(number != 0)),
        (Kind::Number, Wire::Varint(number)) => Some(json!(number.cast_signed())),
        (Kind::Text, Wire::Bytes(bytes)) => str::from_utf8(bytes).ok().map(Value::from),
        (Kind::Bytes, Wire::Bytes(bytes)) => Some(json!(BASE64_STANDARD.encode(bytes))),
        (Kind::Time, Wire::Bytes(bytes)) => {
            time(bytes).map(|time| time.map_or(Value::Null, |time| json!(seconds(time))))
        }
        (Kind::MicroTime, Wire::Bytes(bytes)) => {
            time(bytes).map(|time| time.map_or(Value::Null, |time| json!(format!("{time:.6}"))))
        }
        (Kind::Quantity, Wire::Bytes(bytes)) => {
            pair(bytes).and_then(|(text, _)| str::from_utf8(text).ok().map(Value::from))
        }
        (Kind::IntOrString, Wire::Bytes(bytes)) => int_or_string(bytes),
        (Kind::Json, Wire::Bytes(bytes)) => pair(bytes).and_then(|(json, _)| serde_json::from_slice(json).ok()),
        (Kind::Message(name), Wire::Bytes(bytes)) => {
            let mut object = Map::new();
            message(bytes, name, &mut object)?;
            Some(Value::Object(object))
        }
        _ => None,
    })
}

/// A time; none for the one that Go writes where none is set.
fn time(mut bytes: &[u8]) -> Option<Option<Timestamp>> {
    let (mut second, mut nanosecond) = (0, 0);
    while !bytes.is_empty() {
        match next(&mut bytes)? {
            (1, Wire::Varint(number)) => second = number.cast_signed(),
            (2, Wire::Varint(number)) => nanosecond = i32::try_from(number).ok()?,
            _ => {}
        }
    }
    let time = Timestamp::new(second, nanosecond).ok();
    Some(time.filter(|time| time.as_second() > 0))
}

fn int_or_string(mut bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, "");
    while !bytes.is_empty() {
        match next(&mut bytes)? {
            (1, Wire::Varint(kind)) => is_text = kind == 1,
            (2, Wire::Varint(value)) => number = value.cast_signed(),
            (3, Wire::Bytes(bytes)) => text = str::from_utf8(bytes).ok()?,
            _ => {}
        }
    }
    Some(if is_text { json!(text) } else { json!(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let kind = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &kind), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = field(1, &[field(1, b"looks"), field(3, b"")].concat());
        let data = field(2, &[field(1, b"colour"), field(2, b"blue")].concat());
        let raw = [metadata, data, vec![4 << 3, 1]].concat();
        let expected = json!({
            "metadata": {"name": "looks"}, "data": {"colour": "blue"}, "immutable": true,
            "apiVersion": "v1", "kind": "ConfigMap",
        });
        assert_eq!(to_json(&body("ConfigMap", &raw)), Ok(Some(expected)));
    }

    #[test]
    fn a_pod_is_read_down_to_its_probes() {
        let action = field(2, &[field(1, b"/"), field(2, &[1 << 3, 0, 2 << 3, 80])].concat());
        let probe = field(10, &[field(1, &action), vec![2 << 3, 5]].concat());
        let cpu = [field(1, b"cpu"), field(2, &field(1, b"100m"))].concat();
        let resources = field(8, &field(1, &cpu));
        let container = field(2, &[field(1, b"c"), resources, probe].concat());
        let volume = field(1, &[field(1, b"v"), field(2, &field(2, &field(1, b"Memory")))].concat());
        let raw = field(2, &[volume, container].concat());
        let expected = json!({
            "spec": {
                "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
                "containers": [{
                    "name": "c", "resources": {"limits": {"cpu": "100m"}},
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 5},
                }],
            },
            "apiVersion": "v1", "kind": "Pod",
        });
        assert_eq!(to_json(&body("Pod", &raw)), Ok(Some(expected)));
    }

    #[test]
    fn unknown_fields_are_skipped_at_every_depth() {
        // Clients in Go up to 1.24 write the field 15 of ObjectMeta, clusterName. The others have every type of the wire.
        let old = field(15, b"");
        let numbers = [
            &[0x98, 6, 1][..],
            &[0x99, 6, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x9d, 6, 1, 2, 3, 4],
        ]
        .concat();
        let group = [&[0x9b, 6][..], &[0x13, 0x08, 1, 0x14], &[0x9c, 6]].concat();
        let metadata = field(1, &[field(1, b"p"), old.clone()].concat());
        let container = field(2, &[group.clone(), field(1, b"c")].concat());
        let raw = [old, numbers, group, metadata, field(2, &container)].concat();
        let expected = json!({
            "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}, "apiVersion": "v1", "kind": "Pod",
        });
        assert_eq!(to_json(&body("Pod", &raw)), Ok(Some(expected)));
    }

    #[test]
    fn message_in_pieces_is_merged() {
        let raw = [field(1, &field(1, b"p")), field(1, &field(3, b"n"))].concat();
        let object = to_json(&body("Pod", &raw)).unwrap().unwrap();
        assert_eq!(object["metadata"], json!({"name": "p", "namespace": "n"}));
    }

    #[test]
    fn broken_body_is_refused() {
        for bytes in [
            &b"k8s\0\x0a\xff"[..],
            b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(matches!(to_json(bytes), Err(ProtobufError::Broken(_))), "{bytes:?}");
        }
        // Field number 0, a group without its end, an end without its group.
        for raw in [&[0x02, 1, b'x'][..], &[0xfb, 6, 8, 1], &[0xfc, 6]] {
            assert!(to_json(&body("Pod", raw)).is_err(), "{raw:?}");
        }
        for bytes in [&b""[..], b"{}", b"k8s\0"] {
            assert!(matches!(to_json(bytes), Ok(None)), "{bytes:?}");
        }
        assert_eq!(to_json(&body("Deployment", b"")), Ok(None));
    }
}
