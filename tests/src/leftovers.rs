//! What an emulator could leave behind: processes and mounts that use its folder.

use std::fs;
use std::path::Path;

/// Processes and mounts that use a folder.
#[must_use]
pub fn uses_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let used = processes().into_iter().chain(mounts());
    used.filter(|thing| thing.contains(&*folder)).collect()
}

/// The command lines of all processes but this one.
fn processes() -> Vec<String> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != own)
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some(format!(
                "process {pid} {}",
                String::from_utf8_lossy(&line).replace('\0', " ")
            ))
        })
        .collect()
}

/// Where something is mounted, in this mount namespace.
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(|point| format!("mount {point}")).collect()
}
