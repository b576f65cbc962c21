//! Plain scalars and their types, as go-yaml resolves them (`go.yaml.in/yaml/v2`, `resolve.go`).

use serde_json::Number;

use super::node::Content;

/// The prefix of the tags that YAML itself defines.
const YAML: &str = "tag:yaml.org,2002:";

/// Returns the value of a plain scalar, or of one with a tag.
///
/// # Errors
/// The reason why the text is not of the tag's type.
pub(super) fn resolve(text: &str, tag: Option<&str>) -> Result<Content, String> {
    if matches!(
        text.trim_start_matches(['+', '-']),
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    ) && tag.is_none()
    {
        return Err(format!("{text} cannot be written in JSON"));
    }
    let Some(tag) = tag else { return Ok(plain(text)) };
    let Some(kind) = tag.strip_prefix(YAML) else {
        // A tag of somebody's own makes no difference.
        return Ok(Content::Text(text.to_owned()));
    };
    let cannot = |is: &str| Err(format!("cannot decode !!{is} `{text}` as a !!{kind}"));
    match (kind, plain(text)) {
        ("str" | "timestamp", _) => Ok(Content::Text(text.to_owned())),
        ("binary", _) => decoded(text),
        ("int", value @ Content::Number(_)) if !is_float(text) => Ok(value),
        ("float", value @ Content::Number(_))
        | ("bool", value @ Content::Bool(_))
        | ("null", value @ Content::Null) => Ok(value),
        ("int" | "float" | "bool" | "null", other) => cannot(match other {
            Content::Null => "null",
            Content::Bool(_) => "bool",
            Content::Number(_) if is_float(text) => "float",
            Content::Number(_) => "int",
            _ => "str",
        }),
        _ => Ok(Content::Text(text.to_owned())),
    }
}

fn decoded(text: &str) -> Result<Content, String> {
    use base64::Engine as _;
    let bare: String = text.chars().filter(|letter| !matches!(letter, '\r' | '\n')).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(bare);
    let bytes = bytes.map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
    Ok(Content::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns the value of a plain scalar without a tag.
fn plain(text: &str) -> Content {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Content::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Content::Bool(false);
        }
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-') if !is_time(text) => {
            let bare = text.replace('_', "");
            integer(&bare).or_else(|| is_float(&bare).then(|| float(&bare)).flatten())
        }
        Some(b'.') => float(text),
        _ => None,
    };
    number.map_or_else(|| Content::Text(text.to_owned()), Content::Number)
}

/// A whole number in base 2, 8, 10 or 16, by its prefix; `0400` is octal.
fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(octal) if octal.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // Only the whole text may have a sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    if is_negative {
        return 0_i64.checked_sub_unsigned(size).map(Number::from);
    }
    // An unsigned number takes no sign at all.
    (size <= i64::MAX.unsigned_abs() || !text.starts_with('+')).then(|| size.into())
}

/// Whether the text is a decimal number with a point or an exponent, or one that only looks octal.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    has_digits && is_digits(whole) && is_digits(fraction) && exponent_fits && integer(text).is_none()
}

/// A number as Go writes a float64 in JSON: a whole one without a point.
fn float(text: &str) -> Option<Number> {
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    if value.fract() == 0.0 {
        let whole = format!("{value:.0}");
        // Beyond these bounds a whole number stays a floating-point number to every reader of JSON.
        if let Some(number) = whole.parse::<u64>().ok().map(Number::from) {
            return Some(number);
        }
        if let Some(number) = whole.parse::<i64>().ok().map(Number::from) {
            return Some(number);
        }
    }
    Number::from_f64(value)
}

/// Whether go-yaml takes the text for a point in time, which stays text.
fn is_time(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4 && text.as_bytes().get(4) == Some(&b'-') && text.len() > 7
}

/// Returns a key as JSON has it.
///
/// # Errors
/// The reason why the value is no key.
pub(super) fn key(content: &Content) -> Result<String, String> {
    match content {
        Content::Text(text) => Ok(text.clone()),
        Content::Bool(value) => Ok(value.to_string()),
        Content::Number(number) => Ok(number.to_string()),
        Content::Null => Err("a key of a mapping is empty".to_owned()),
        Content::List(_) | Content::Map(_) => Err("a key of a mapping is a list or a mapping".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(text: &str, tag: Option<&str>) -> Result<Value, String> {
        Ok(match resolve(text, tag)? {
            Content::Null => Value::Null,
            Content::Bool(value) => value.into(),
            Content::Number(number) => Value::Number(number),
            Content::Text(text) => text.into(),
            Content::List(_) | Content::Map(_) => json!("no scalar"),
        })
    }

    #[test]
    fn plain_scalars_have_types_of_yaml_1_1() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("yEs", json!("yEs")),
            ("~", Value::Null),
            ("0400", json!(256)),
            ("0o17", json!(15)),
            ("08", json!(8)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("+5", json!(5)),
            ("+-5", json!("+-5")),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1.5e-3", json!(0.0015)),
            (".5", json!(0.5)),
            ("5.", json!(5)),
            ("1.2.3", json!("1.2.3")),
            ("100m", json!("100m")),
            ("2001-01-01", json!("2001-01-01")),
            ("1:30", json!("1:30")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1e999", json!("1e999")),
        ] {
            assert_eq!(value(text, None), Ok(expected), "{text}");
        }
    }

    #[test]
    fn tag_decides_type_or_is_refused() {
        let of = |text, kind: &str| value(text, Some(&format!("{YAML}{kind}")));
        assert_eq!(of("5", "str"), Ok(json!("5")));
        assert_eq!(of("5", "int"), Ok(json!(5)));
        assert_eq!(of("5", "float"), Ok(json!(5)));
        assert_eq!(of("aGk=", "binary"), Ok(json!("hi")));
        assert_eq!(of("a", "int"), Err("cannot decode !!str `a` as a !!int".to_owned()));
        assert_eq!(value("5", Some("!own")), Ok(json!("5")));
    }
}
