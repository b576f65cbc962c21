//! Bodies in Kubernetes' protobuf: what kubectl's typed clients create, read into JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::time::seconds;

/// What every such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The fields of a message: number, name, and what they hold.
type Message = &'static [(u64, &'static str, Field)];

#[derive(Clone, Copy)]
enum Field {
    Text,
    Bytes,
    Bool,
    Number,
    Time,
    Texts,
    TextMap,
    BytesMap,
    One(Message),
    Many(Message),
}

use Field::{Bool, Bytes, BytesMap, Many, Number, One, Text, TextMap, Texts, Time};

const OWNER: Message = &[
    (1, "kind", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "controller", Bool),
    (7, "blockOwnerDeletion", Bool),
];
const METADATA: Message = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Number),
    (8, "creationTimestamp", Time),
    (9, "deletionTimestamp", Time),
    (10, "deletionGracePeriodSeconds", Number),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (13, "ownerReferences", Many(OWNER)),
    (14, "finalizers", Texts),
];
const CONFIG_MAP: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "data", TextMap),
    (3, "binaryData", BytesMap),
    (4, "immutable", Bool),
];
const SECRET: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "data", BytesMap),
    (3, "type", Text),
    (4, "stringData", TextMap),
    (5, "immutable", Bool),
];
const NAMESPACE: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "spec", One(&[(1, "finalizers", Texts)])),
    (3, "status", One(&[(1, "phase", Text)])),
];
const REFERENCE: Message = &[
    (1, "kind", Text),
    (2, "namespace", Text),
    (3, "name", Text),
    (4, "uid", Text),
    (5, "apiVersion", Text),
    (6, "resourceVersion", Text),
    (7, "fieldPath", Text),
];
const SERVICE_ACCOUNT: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "secrets", Many(REFERENCE)),
    (3, "imagePullSecrets", Many(&[(1, "name", Text)])),
    (4, "automountServiceAccountToken", Bool),
];
const BOUND_OBJECT: Message = &[
    (1, "kind", Text),
    (2, "apiVersion", Text),
    (3, "name", Text),
    (4, "uid", Text),
];
const TOKEN_REQUEST: Message = &[
    (1, "metadata", One(METADATA)),
    (
        2,
        "spec",
        One(&[
            (1, "audiences", Texts),
            (3, "boundObjectRef", One(BOUND_OBJECT)),
            (4, "expirationSeconds", Number),
        ]),
    ),
];
const DELETE_OPTIONS: Message = &[
    (1, "gracePeriodSeconds", Number),
    (
        2,
        "preconditions",
        One(&[(1, "uid", Text), (2, "resourceVersion", Text)]),
    ),
    (3, "orphanDependents", Bool),
    (4, "propagationPolicy", Text),
    (5, "dryRun", Texts),
];

const PRIORITY_CLASS: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "value", Number),
    (3, "globalDefault", Bool),
    (4, "description", Text),
    (5, "preemptionPolicy", Text),
];
const EVICTION: Message = &[
    (1, "metadata", One(METADATA)),
    (2, "deleteOptions", One(DELETE_OPTIONS)),
];
const BINDING: Message = &[(1, "metadata", One(METADATA)), (2, "target", One(REFERENCE))];

/// The object in a body, where it is protobuf and of a kind that clients send so.
pub(super) fn to_json(body: &[u8]) -> Option<Value> {
    const TYPE: Message = &[(1, "apiVersion", Text), (2, "kind", Text)];
    const ENVELOPE: Message = &[(1, "type", One(TYPE)), (2, "raw", Bytes)];
    let envelope = message(body.strip_prefix(MAGIC)?, ENVELOPE)?;
    let raw = BASE64_STANDARD
        .decode(envelope["raw"].as_str().unwrap_or_default())
        .ok()?;
    let fields = match envelope["type"]["kind"].as_str()? {
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Namespace" => NAMESPACE,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "TokenRequest" => TOKEN_REQUEST,
        "DeleteOptions" => DELETE_OPTIONS,
        "PriorityClass" => PRIORITY_CLASS,
        "Eviction" => EVICTION,
        "Binding" => BINDING,
        _ => return None,
    };
    let mut object = message(&raw, fields)?;
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    object["kind"] = envelope["type"]["kind"].clone();
    Some(object)
}

/// A value as it stands on the wire.
enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

fn message(mut bytes: &[u8], fields: Message) -> Option<Value> {
    let mut object = Map::new();
    while !bytes.is_empty() {
        let (number, value) = next(&mut bytes)?;
        let Some((_, name, field)) = fields.iter().find(|(known, ..)| *known == number) else {
            continue;
        };
        add(&mut object, name, *field, value)?;
    }
    Some(Value::Object(object))
}

fn add(object: &mut Map<String, Value>, name: &str, field: Field, value: Wire<'_>) -> Option<()> {
    let single = match (field, value) {
        (Bool, Wire::Varint(number)) => json!(number != 0),
        (Number, Wire::Varint(number)) => json!(number.cast_signed()),
        (Text, Wire::Bytes(bytes)) => match text(bytes)? {
            // Go writes empty texts as well.
            Value::String(text) if text.is_empty() => return Some(()),
            text => text,
        },
        (Bytes, Wire::Bytes(bytes)) => json!(BASE64_STANDARD.encode(bytes)),
        (Time, Wire::Bytes(bytes)) => match time(bytes)? {
            Value::Null => return Some(()),
            time => time,
        },
        (One(fields), Wire::Bytes(bytes)) => message(bytes, fields)?,
        (Texts, Wire::Bytes(bytes)) => return push(object, name, text(bytes)?),
        (Many(fields), Wire::Bytes(bytes)) => return push(object, name, message(bytes, fields)?),
        (TextMap | BytesMap, Wire::Bytes(bytes)) => {
            let kind = if matches!(field, TextMap) { Text } else { Bytes };
            let (key, value) = entry(bytes, kind)?;
            object.entry(name).or_insert_with(|| json!({}))[key] = value;
            return Some(());
        }
        _ => return None,
    };
    object.insert(name.to_owned(), single);
    Some(())
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) -> Option<()> {
    object
        .entry(name)
        .or_insert_with(|| json!([]))
        .as_array_mut()?
        .push(value);
    Some(())
}

fn entry(mut bytes: &[u8], kind: Field) -> Option<(String, Value)> {
    let (mut key, mut content): (&[u8], &[u8]) = (&[], &[]);
    while !bytes.is_empty() {
        match next(&mut bytes)? {
            (1, Wire::Bytes(bytes)) => key = bytes,
            (2, Wire::Bytes(bytes)) => content = bytes,
            _ => {}
        }
    }
    let value = if matches!(kind, Text) {
        text(content)?
    } else {
        json!(BASE64_STANDARD.encode(content))
    };
    Some((str::from_utf8(key).ok()?.to_owned(), value))
}

fn text(bytes: &[u8]) -> Option<Value> {
    Some(json!(str::from_utf8(bytes).ok()?))
}

/// A time; null for the one that Go writes where none is set.
fn time(bytes: &[u8]) -> Option<Value> {
    let fields = message(bytes, &[(1, "seconds", Number)])?;
    let time = fields["seconds"]
        .as_i64()
        .and_then(|second| Timestamp::from_second(second).ok());
    Some(
        time.filter(|time| time.as_second() > 0)
            .map_or(Value::Null, |time| json!(seconds(time))),
    )
}

fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Wire::Varint(varint(bytes)?),
        1 => Wire::Bytes(take(bytes, 8)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Wire::Bytes(take(bytes, length)?)
        }
        5 => Wire::Bytes(take(bytes, 4)?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = field(1, &[field(1, b"looks"), field(3, b"")].concat());
        let data = field(2, &[field(1, b"colour"), field(2, b"blue")].concat());
        let raw = [metadata, data, vec![4 << 3, 1]].concat();
        let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let body = [MAGIC.to_vec(), field(1, &kind), field(2, &raw)].concat();
        let expected = json!({
            "metadata": {"name": "looks"}, "data": {"colour": "blue"}, "immutable": true,
            "apiVersion": "v1", "kind": "ConfigMap",
        });
        assert_eq!(to_json(&body), Some(expected));
    }

    #[test]
    fn broken_bodies_and_other_formats_are_none() {
        for body in [
            &b""[..],
            b"{}",
            b"k8s\0",
            b"k8s\0\x0a\xff",
            b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(to_json(body), None, "{body:?}");
        }
    }
}
