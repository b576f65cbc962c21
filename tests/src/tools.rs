//! Where the programs are that the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::output::Output;

/// The checkout.
///
/// # Panics
/// Never: this package is in the checkout.
#[must_use]
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
}

/// The folder that `tests/run` keeps its tools in.
#[must_use]
pub fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("KUBECTL_POD_TEST_CACHE") {
        return cache.into();
    }
    let home = std::env::home_dir().unwrap_or_default();
    std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| home.join(".cache"), PathBuf::from)
        .join("kubectl-pod-tests")
}

/// A file that `tests/run` sees to.
///
/// # Panics
/// Where it is missing.
#[must_use]
pub fn prepared(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run tests/run --prepare", path.display());
    path
}

/// The plugin, built; where another user runs the tests than built them, it is there already.
///
/// # Panics
/// Where it can't be built.
#[must_use]
pub fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        if std::env::var_os("KUBECTL_POD_TEST_USER").is_some() {
            return prepared(target().join("debug").join("kubectl-pod"));
        }
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--workspace", "--bins"])
            .current_dir(checkout());
        let _ = Output::of(&mut build).succeeded();
        target().join("debug").join("kubectl-pod")
    })
}

/// The folder that this test was built into.
///
/// # Panics
/// Never: a test has a file.
#[must_use]
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a file");
    let target = test.ancestors().nth(3).expect("target/PROFILE/deps/TEST");
    target.to_owned()
}

/// A file of the conformance folder.
#[must_use]
pub fn conformance(file: &str) -> PathBuf {
    checkout().join("tests/conformance").join(file)
}

/// An archive of the image `docker.io/library/busybox:1`, made from the machine's busybox.
///
/// # Panics
/// Where busybox is missing.
#[must_use]
pub fn busybox_archive() -> PathBuf {
    busybox_image("busybox.tar", &[])
}

/// An archive of the image that the examples name, made from the machine's busybox: it serves on port 8080.
///
/// # Panics
/// Where busybox is missing.
#[must_use]
pub fn simple_app_archive() -> PathBuf {
    let name = "docker.io/arisu1000/simple-container-app:latest";
    busybox_image("simple-container-app.tar", &[name, "httpd", "-f", "-p", "8080"])
}

/// An archive of the image `docker.io/library/volumes:1`, which declares the volumes `/etc` and `/data`.
///
/// # Panics
/// Where busybox is missing.
#[must_use]
pub fn volumes_archive() -> PathBuf {
    let name = "docker.io/library/volumes:1";
    busybox_image("volumes.tar", &[name, "--volume=/etc", "--volume=/data"])
}

fn busybox_image(file: &str, more: &[&str]) -> PathBuf {
    let archive = cache().join(file);
    if !archive.exists() {
        let part = cache().join(format!("{file}.{}", std::process::id()));
        let mut write = Command::new("python3");
        write
            .arg(conformance("busybox-image.py"))
            .arg(prepared("/bin/busybox".into()))
            .arg(&part)
            .args(more);
        let _ = Output::of(&mut write).succeeded();
        std::fs::rename(&part, &archive).expect("the cache can be written");
    }
    archive
}
