//! The shim as an executable of its own, for tests whose executable can't be one.

fn main() {
    #[cfg(target_os = "linux")]
    emulator::runtime::linux::shim_main_if_asked();
    std::process::exit(64)
}
