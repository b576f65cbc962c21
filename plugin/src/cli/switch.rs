//! Flags that are on or off, as Go reads them: `--flag`, `--flag=true`, `--flag=f`.

/// Reads the value of such a flag.
///
/// # Errors
/// Go's sentence for what is neither (`strconv.ParseBool`).
pub fn parse(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_and_off_are_read_as_go_reads_them() {
        assert_eq!(parse("T"), Ok(true));
        assert_eq!(parse("0"), Ok(false));
        assert_eq!(
            parse("maybe"),
            Err("strconv.ParseBool: parsing \"maybe\": invalid syntax".into())
        );
    }
}
