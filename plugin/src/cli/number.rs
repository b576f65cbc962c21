//! Numbers of flags, with Go's words for what is none.

use std::num::IntErrorKind;

/// Reads a number.
///
/// # Errors
/// Go's sentence for what is none (`strconv.ParseInt`).
pub fn parse(text: &str) -> Result<i32, String> {
    text.parse::<i32>().map_err(|error| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_named_as_go_names_it() {
        assert_eq!(parse("-3"), Ok(-3));
        assert_eq!(
            parse("x"),
            Err("strconv.ParseInt: parsing \"x\": invalid syntax".into())
        );
        assert_eq!(
            parse("99999999999"),
            Err("strconv.ParseInt: parsing \"99999999999\": value out of range".into())
        );
    }
}
