//! What fuzzing has found, once more: every input that is kept, through the same targets, without a fuzzer.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says which input it is about, and ends where something that it needs fails"
)]

use std::path::{Path, PathBuf};

/// The files in a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Feeds a target with what is kept for it.
fn replay(name: &str) {
    // A panic in a task of the runtime ends the program too, as it does under the fuzzer.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let (_, target) = fuzz::TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name));
    assert!(!files.is_empty());
    for file in files {
        println!("{}", file.display());
        target(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn manifests() {
    replay("manifests");
}

/// The manifests of the examples and of other tests, each document by itself.
#[test]
fn manifests_of_repository_have_servers_verdict() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (_, target) = fuzz::TARGETS.iter().find(|(known, _)| *known == "manifests").unwrap();
    let folders = ["examples", "tests/conformance/cases", "emulator/src/api/pod_fields"];
    let files = folders.iter().flat_map(|folder| files(&root.join(folder)));
    let manifests: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|end| end == "yaml"))
        .collect();
    assert!(manifests.len() > 40);
    for file in manifests {
        println!("{}", file.display());
        for document in std::fs::read_to_string(&file).unwrap().split("\n---\n") {
            target(document.as_bytes());
        }
    }
}

#[test]
fn patches() {
    replay("patches");
}

#[test]
fn selectors() {
    replay("selectors");
}

#[cfg(target_os = "linux")]
#[test]
fn images() {
    replay("images");
}

#[test]
fn streams() {
    replay("streams");
}
