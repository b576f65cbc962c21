//! The plugin is installed from its manifest and archive as krew does it, and kubectl finds it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tests::kubectl::Version;
use tests::output::Output;
use tests::tools;

/// A manifest, with no field that krew does not know (`krew/pkg/index/types.go`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    version: String,
    homepage: String,
    short_description: String,
    description: String,
    caveats: String,
    platforms: Vec<Platform>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    selector: Selector,
    uri: String,
    sha256: String,
    bin: String,
    files: Option<Vec<FileOperation>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOperation {
    from: String,
    to: String,
}

impl Manifest {
    fn read(path: &Path) -> Self {
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Krew's rules (`krew/internal/index/validation/validate.go`), and those of who keeps an index.
    fn check(&self) {
        assert_eq!(self.api_version, "krew.googlecontainertools.github.com/v1alpha2");
        assert_eq!((self.kind.as_str(), self.metadata.name.as_str()), ("Plugin", "pod"));
        let version = self.spec.version.strip_prefix('v').unwrap();
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 3, "{version}");
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        assert!(self.spec.homepage.starts_with("https://"));
        assert!(!self.spec.description.is_empty() && !self.spec.caveats.is_empty());
        let short = &self.spec.short_description;
        assert!(
            !short.is_empty() && short.len() <= 50 && !short.contains(['\n', '\r']),
            "{short}"
        );
        assert!(!self.spec.platforms.is_empty());
        let mut seen = Vec::new();
        for platform in &self.spec.platforms {
            let labels = &platform.selector.match_labels;
            assert!(labels.keys().eq(["arch", "os"].iter()), "{labels:?}");
            assert!(!seen.contains(&labels), "two archives for {labels:?}");
            seen.push(labels);
            let (os, arch) = (&labels["os"], &labels["arch"]);
            let archive = format!("/releases/download/v{version}/kubectl-pod-{os}-{arch}.tar.gz");
            assert!(platform.uri.ends_with(&archive), "{}", platform.uri);
            assert!(
                platform.sha256.len() == 64 && platform.sha256.chars().all(|digit| "0123456789abcdef".contains(digit))
            );
            let suffix = if os == "windows" { ".exe" } else { "" };
            assert_eq!(platform.bin, format!("kubectl-pod{suffix}"));
            assert!(platform.files.as_ref().is_none_or(|files| !files.is_empty()));
        }
    }

    /// The platform of this machine.
    fn here(&self) -> &Platform {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let is_here = |platform: &&Platform| {
            let labels = &platform.selector.match_labels;
            labels["os"] == "linux" && labels["arch"] == arch
        };
        self.spec.platforms.iter().find(is_here).unwrap()
    }
}

/// Installs as `krew install --manifest --archive` does, and returns the folder that krew puts on PATH.
fn install(manifest: &Manifest, archive: &Path, root: &Path) -> Result<PathBuf, String> {
    let platform = manifest.here();
    let sum = Output::of(Command::new("sha256sum").arg(archive)).succeeded();
    let sum = sum.split(' ').next().unwrap();
    if sum != platform.sha256 {
        return Err(format!("checksum does not match, want: {}, got {sum}", platform.sha256));
    }
    let (unpacked, store) = (
        root.join("unpacked"),
        root.join("store/pod").join(&manifest.spec.version),
    );
    for folder in [&unpacked, &store, &root.join("bin")] {
        fs::create_dir_all(folder).unwrap();
    }
    let _ = Output::of(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&unpacked)).succeeded();
    let everything = [FileOperation {
        from: "*".to_owned(),
        to: ".".to_owned(),
    }];
    for operation in platform.files.as_deref().unwrap_or(&everything) {
        let to = store.join(&operation.to);
        fs::create_dir_all(&to).unwrap();
        let mut copy = Command::new("sh");
        copy.args(["-c", &format!("cp -r {} \"$0\"", operation.from)])
            .arg(to)
            .current_dir(&unpacked);
        let _ = Output::of(&mut copy).succeeded();
    }
    symlink(store.join(&platform.bin), root.join("bin/kubectl-pod")).unwrap();
    Ok(root.join("bin"))
}

/// Runs the release script with the profile that the tests are built with; returns archive and manifest.
fn release(folder: &Path) -> (PathBuf, PathBuf) {
    let mut script = Command::new(tools::checkout().join("release"));
    script
        .args(["--profile", "dev"])
        .arg(folder)
        .current_dir(tools::checkout());
    let said = Output::of(&mut script).succeeded();
    let paths: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
    let [archive, manifest] = paths.as_slice() else {
        panic!("{said}");
    };
    (archive.clone(), manifest.clone())
}

#[test]
fn the_manifest_keeps_krews_rules() {
    Manifest::read(&tools::checkout().join("krew-manifest.yaml")).check();
}

#[test]
fn an_archive_of_the_release_script_installs_and_kubectl_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, manifest) = release(folder.path());
    let manifest = Manifest::read(&manifest);
    manifest.check();
    // What was not built is not offered.
    assert_eq!(manifest.spec.platforms.len(), 1);

    let listed = Output::of(Command::new("tar").arg("-tzf").arg(&archive)).succeeded();
    for file in [
        "LICENSE",
        "kubectl-pod",
        "kubectl_complete-pod",
        "man/man1/kubectl-pod-describe.1",
    ] {
        assert!(listed.lines().any(|line| line == file), "{file}: {listed}");
    }

    let path = install(&manifest, &archive, folder.path()).unwrap();
    let run = |words: &[&str]| {
        let mut kubectl = Command::new(Version::Current.program());
        kubectl.args(words).env("PATH", &path).env("HOME", folder.path());
        Output::of(&mut kubectl).succeeded()
    };
    assert_eq!(
        run(&["pod", "--version"]),
        format!("kubectl-pod {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(run(&["pod", "explain", "OOMKilled"]).contains("OOMKilled"));
    assert!(run(&["plugin", "list"]).contains("kubectl-pod"));

    // One bit of the archive, and krew does not take it.
    let mut changed = fs::read(&archive).unwrap();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&archive, changed).unwrap();
    let refused = install(&manifest, &archive, &folder.path().join("again")).unwrap_err();
    assert!(refused.starts_with("checksum does not match"), "{refused}");
}
