//! The same source gives the same bytes, wherever it lies.

use std::fs;
use std::path::Path;

#[path = "../../build/compile.rs"]
mod compile;

#[test]
fn another_folder_gives_the_same_bytes() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("program")).unwrap();
    for entry in fs::read_dir(package.join("program")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), elsewhere.path().join("program").join(entry.file_name())).unwrap();
    }
    let target = ["gnu", "musl"]
        .map(|libc| format!("{}-unknown-linux-{libc}", std::env::consts::ARCH))
        .into_iter()
        .find(|target| compile::installed(target))
        .expect("the core library that the build used");
    let binary = elsewhere.path().join("again");
    compile::compile(elsewhere.path(), &target, &binary).unwrap();
    assert_eq!(fs::read(&binary).unwrap(), pause::BINARY);
}
