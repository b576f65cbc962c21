//! Compiles the pause program for every architecture whose core library is installed, and writes the list of results.
//!
//! Cargo has no per-package code generation flags for a dependency, and the program wants its own: so rustc is called here.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[path = "build/compile.rs"]
mod compile;

use compile::{compile, installed};

/// Rust's name of an architecture, and the name that images use.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=program");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target = env::var("TARGET")?;
    let target_architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let on_linux = env::var("CARGO_CFG_TARGET_OS")? == "linux";

    let mut list = String::from("&[");
    for (architecture, image_architecture) in ARCHITECTURES {
        let own = on_linux && architecture == target_architecture;
        let candidates = if own {
            vec![target.clone()]
        } else {
            ["musl", "gnu"]
                .map(|libc| format!("{architecture}-unknown-linux-{libc}"))
                .to_vec()
        };
        let binary = out.join(format!("pause-{image_architecture}"));
        match candidates.iter().find(|target| installed(target)) {
            Some(found) => match compile(Path::new("."), found, &binary) {
                Ok(()) => {
                    writeln!(
                        list,
                        "Binary {{ architecture: {image_architecture:?}, bytes: include_bytes!({binary:?}) }},"
                    )?;
                }
                Err(why) if own => return Err(why.into()),
                Err(why) => println!(
                    "cargo::warning=pause is left out for {image_architecture}: {}",
                    why.replace('\n', " ")
                ),
            },
            None if own => return Err(format!("Rust's core library for {target} is not installed").into()),
            None => {}
        }
    }
    list.push(']');
    std::fs::write(out.join("binaries.rs"), list)?;
    Ok(())
}
