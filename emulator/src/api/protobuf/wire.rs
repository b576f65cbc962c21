//! Protobuf on the wire: fields of numbers and of bytes, one after the other.

/// The wire types that begin and end a group: deprecated, and in none of Kubernetes' messages.
const GROUP: (u64, u64) = (3, 4);

/// A value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A group, which has been skipped with all that is in it.
    Group,
}

/// The next field: its number and value.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let (number, kind) = tag(bytes)?;
    if kind == GROUP.0 {
        skip_group(bytes)?;
        return Some((number, Wire::Group));
    }
    Some((number, value(bytes, kind)?))
}

/// A field's number and wire type.
fn tag(bytes: &mut &[u8]) -> Option<(u64, u64)> {
    let tag = varint(bytes)?;
    (tag >> 3 != 0).then_some((tag >> 3, tag & 7))
}

fn value<'a>(bytes: &mut &'a [u8], kind: u64) -> Option<Wire<'a>> {
    Some(match kind {
        0 => Wire::Varint(varint(bytes)?),
        1 => Wire::Bytes(take(bytes, 8)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Wire::Bytes(take(bytes, length)?)
        }
        5 => Wire::Bytes(take(bytes, 4)?),
        _ => return None,
    })
}

/// Skips what is left of a group, with the groups inside.
fn skip_group(bytes: &mut &[u8]) -> Option<()> {
    let mut depth = 1_usize;
    while depth > 0 {
        match tag(bytes)? {
            (_, kind) if kind == GROUP.0 => depth += 1,
            (_, kind) if kind == GROUP.1 => depth -= 1,
            (_, kind) => drop(value(bytes, kind)?),
        }
    }
    Some(())
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

    #[test]
    fn fields_are_read_one_by_one() {
        let mut bytes: &[u8] = &[0x08, 0x96, 0x01, 0x12, 2, b'h', b'i'];
        assert_eq!(next(&mut bytes), Some((1, Wire::Varint(150))));
        assert_eq!(next(&mut bytes), Some((2, Wire::Bytes(b"hi"))));
        assert_eq!(next(&mut bytes), None);
        assert_eq!(next(&mut &[0x12, 9, b'h'][..]), None);
    }
}
