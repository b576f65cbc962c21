//! aarch64: how the kernel starts us, and how it is called.

use core::arch::{asm, naked_asm};

/// The numbers of the system calls.
pub(crate) mod number {
    pub(crate) const CHDIR: usize = 49;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const EXIT: usize = 94;
    pub(crate) const RT_SIGACTION: usize = 134;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 137;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const WAIT4: usize = 260;
    pub(crate) const PWRITEV2: usize = 287;
    pub(crate) const CLOSE_RANGE: usize = 436;
}

/// The first instruction: hands the stack to the program, which never comes back.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn _start() -> ! {
    naked_asm!("mov x0, sp", "bl {main}", main = sym crate::main)
}

/// One system call; negative results are errors.
#[inline(always)]
pub(crate) fn system_call(number: usize, arguments: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: every caller passes numbers, or the addresses of values that outlive the call.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") arguments[0] as isize => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack),
        );
    }
    result
}
