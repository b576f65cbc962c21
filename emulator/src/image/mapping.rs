//! `--map-image FROM=TO`: another image wherever a container asks for one.

use super::reference::Reference;

/// The image to use where `asked` is asked for: that of the first pair that fits.
///
/// FROM is a name as manifests write it, or a beginning of one with `*` behind it; `*` alone is every image.
pub(super) fn apply<'a>(pairs: &'a [(String, String)], asked: &'a str) -> &'a str {
    pairs
        .iter()
        .find(|(from, _)| fits(from, asked))
        .map_or(asked, |(_, to)| to)
}

fn fits(from: &str, asked: &str) -> bool {
    let full = |text: &str| Reference::parse(text).map(|reference| reference.to_string());
    if let Some(start) = from.strip_suffix('*') {
        return asked.starts_with(start) || full(asked).is_ok_and(|asked| asked.starts_with(start));
    }
    from == asked || matches!((full(from), full(asked)), (Ok(from), Ok(asked)) if from == asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_its_beginning_is_replaced() {
        let pairs = |from: &str| vec![(from.to_owned(), "localhost/host".to_owned())];
        for (from, asked, replaced) in [
            ("busybox", "busybox", true),
            ("busybox", "docker.io/library/busybox:latest", true),
            ("busybox", "busybox:1", false),
            ("user/*", "user/app:1", true),
            ("docker.io/*", "user/app:1", true),
            ("*", "anything:1", true),
            ("user/*", "other/app", false),
        ] {
            assert_eq!(
                apply(&pairs(from), asked) == "localhost/host",
                replaced,
                "{from} {asked}"
            );
        }
    }
}
