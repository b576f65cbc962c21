//! The version of an engine, as its users write it.

use std::str::FromStr;

/// Major and minor; what comes after does not decide anything here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Version {
    pub(super) const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl FromStr for Version {
    type Err = String;

    /// `1.30`, `v1.30.2-gke.1`, and `1.30+` as some providers write it.
    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?;
            let minor = minor.strip_suffix('+').unwrap_or(minor).parse().ok()?;
            Some(Self { major, minor })
        };
        read().ok_or_else(|| format!("{text:?} is no version: it takes the form MAJOR.MINOR, as in 1.30"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_and_minor_are_read() {
        for text in ["1.30", "v1.30", "1.30.2", "v1.30.2-gke.1", "1.30+", "1.30.0+build"] {
            assert_eq!(text.parse(), Ok(Version::new(1, 30)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_form() {
        for text in ["", "1", "new", "1.", ".1", "1.x", "-1.2", "vv1.2", "1.99999999999"] {
            let refused = text.parse::<Version>().unwrap_err();
            assert!(refused.ends_with("as in 1.30"), "{refused}");
        }
    }
}
