//! How the program is compiled: one call of rustc, whose flags nothing from outside changes.

use std::env;
use std::path::Path;
use std::process::Command;

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

/// Whether programs for `target` can be compiled here.
pub(crate) fn installed(target: &str) -> bool {
    let output = rustc().args(["--print=target-libdir", "--target", target]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

/// Compiles `program/pause.rs` in the folder `package` for `target` into `binary`.
pub(crate) fn compile(package: &Path, target: &str, binary: &Path) -> Result<(), String> {
    let mut failures = String::new();
    for linker in LINKERS {
        let output = rustc()
            .current_dir(package)
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
