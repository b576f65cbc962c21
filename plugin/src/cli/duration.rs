//! Durations as Go writes and kubectl reads them: `300ms`, `1.5h`, `2h45m`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// Go's sentence for what is none.
pub fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let amount: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(rest.len());
        let unit = &rest[..letters];
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        total += Duration::try_from_secs_f64(amount * seconds).map_err(|_| invalid())?;
        rest = &rest[letters..];
    }
    Ok(total)
}

/// Reads the value of a flag of the kind for which Go says no more than that it cannot be parsed.
///
/// # Errors
/// Those two words.
pub fn parse_or_parse_error(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|_| "parse error".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_named_as_go_names_it() {
        assert_eq!(parse("x"), Err("time: invalid duration \"x\"".into()));
        assert_eq!(parse("10"), Err("time: missing unit in duration \"10\"".into()));
        assert_eq!(parse("5y"), Err("time: unknown unit \"y\" in duration \"5y\"".into()));
        assert_eq!(parse(""), Err("time: invalid duration \"\"".into()));
    }
}
