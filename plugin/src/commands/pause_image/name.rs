//! The name that the image gets.

use emulator::image::reference::Reference;

use super::PauseImageError;

/// Refuses what no engine takes as the name of an image, and what would have to be known before the image is made.
pub(super) fn check(name: &str) -> Result<(), PauseImageError> {
    let reference = Reference::parse(name).map_err(PauseImageError::Name)?;
    if reference.digest.is_some() {
        return Err(PauseImageError::Name(format!(
            "{name:?} names a digest, which follows from the content: name a tag, as in registry.example/pause:1"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_engines_take() {
        for good in ["localhost/pause:0.1.0", "registry.example:5000/tools/pause", "pause"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Pause",
            "a b",
            "pause:",
            "registry.example/pause:a\"b",
            "pause\npause",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_cannot_be_chosen() {
        let name = format!("localhost/pause@sha256:{}", "a".repeat(64));
        assert!(check(&name).unwrap_err().to_string().contains("name a tag"));
    }
}
