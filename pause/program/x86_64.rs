//! x86_64: how the kernel starts us, and how it is called.

use core::arch::{asm, naked_asm};

/// The numbers of the system calls.
pub(crate) mod number {
    pub(crate) const WRITE: usize = 1;
    pub(crate) const CLOSE: usize = 3;
    pub(crate) const RT_SIGACTION: usize = 13;
    pub(crate) const RT_SIGPROCMASK: usize = 14;
    pub(crate) const GETPID: usize = 39;
    pub(crate) const WAIT4: usize = 61;
    pub(crate) const CHDIR: usize = 80;
    pub(crate) const RT_SIGTIMEDWAIT: usize = 128;
    pub(crate) const EXIT: usize = 231;
    pub(crate) const PPOLL: usize = 271;
    pub(crate) const PWRITEV2: usize = 328;
    pub(crate) const CLOSE_RANGE: usize = 436;
}

/// The first instruction: hands the stack to the program, which never comes back.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn _start() -> ! {
    naked_asm!("mov rdi, rsp", "call {main}", main = sym crate::main)
}

/// One system call; negative results are errors.
#[inline(always)]
pub(crate) fn system_call(number: usize, arguments: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: every caller passes numbers, or the addresses of values that outlive the call.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
