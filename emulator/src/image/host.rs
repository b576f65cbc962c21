//! `localhost/host`, the image that is always there: the machine's own files, read-only under a writable layer.

use super::{Image, ImageConfig, Root};

/// Its repository; any tag of it means the same.
pub const NAME: &str = "localhost/host";

/// The image.
pub fn image() -> Image {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Image {
        id: super::digest::of(NAME.as_bytes()),
        reference: format!("{NAME}:latest"),
        size: 0,
        config: ImageConfig {
            cmd: vec!["sh".to_owned()],
            env: vec![("PATH".to_owned(), path.to_owned())],
            ..ImageConfig::default()
        },
        root: Root::Host,
    }
}
