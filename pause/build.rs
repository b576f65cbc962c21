//! Compiles the pause program for every architecture whose core library is installed, and writes the list of results.
//!
//! Cargo has no per-package code generation flags for a dependency, and the program wants its own: so rustc is called here.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rust's name of an architecture, and the name that images use.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

/// Size before all, no unwinding, fixed addresses: `RUSTFLAGS` has no say in it, so that every build gives the same bytes.
const FLAGS: [&str; 9] = [
    "--edition=2024",
    "--crate-type=bin",
    "--crate-name=pause",
    "-Copt-level=z",
    "-Clto=fat",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Crelocation-model=static",
];

/// Ways to link, best first: the linker that comes with Rust, and the system's where a distribution leaves that one out.
const LINKERS: [&[&str]; 2] = [
    &[
        "-Clinker=rust-lld",
        "-Clinker-flavor=ld.lld",
        "-Clink-args=-nostdlib -static --build-id=none -z norelro --no-eh-frame-hdr -n --no-rosegment -z nosectionheader",
    ],
    &["-Clink-args=-nostartfiles -nostdlib -static -Wl,--build-id=none,-z,norelro,--no-eh-frame-hdr,-n"],
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=program");
    println!("cargo::rerun-if-changed=build.rs");
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
            Some(found) => match compile(found, &binary) {
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

/// Whether programs for `target` can be compiled here.
fn installed(target: &str) -> bool {
    let output = rustc().args(["--print=target-libdir", "--target", target]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn compile(target: &str, binary: &Path) -> Result<(), String> {
    let mut failures = String::new();
    for linker in LINKERS {
        let output = rustc()
            .args(FLAGS)
            .args([
                "-Cforce-unwind-tables=no",
                "--remap-path-prefix=program=pause",
                "--target",
                target,
            ])
            .args(linker)
            .arg("-o")
            .arg(binary)
            .arg("program/pause.rs")
            .output()
            .map_err(|error| format!("cannot start rustc: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        failures.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Err(failures)
}

fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
