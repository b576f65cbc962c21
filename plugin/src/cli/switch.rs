//! Flags that are on or off, as Go reads them: `--flag`, `--flag=true`, `--flag=f`.

use clap::{Arg, Command};

/// How help names the value of such a flag, and what such a flag is known by.
pub const VALUE: &str = "BOOL";

/// Lets such flags stand without a value too, in the command and those below it; off is what they are unless they say
/// otherwise.
pub fn as_go_has_them(command: Command) -> Command {
    command.mut_args(alone).mut_subcommands(as_go_has_them)
}

fn alone(flag: Arg) -> Arg {
    if !matches!(flag.get_value_names(), Some([name]) if *name == VALUE) {
        return flag;
    }
    let flag = match flag.get_default_values() {
        [] => flag.default_value("false"),
        _ => flag,
    };
    flag.num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_default_value(true)
}

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
