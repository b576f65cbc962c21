//! `RuntimeDefault`: what a container may ask of the kernel.
//!
//! Built on what container engines agree on (containerd's `contrib/seccomp/seccomp_default.go`): everything that ordinary
//! programs use is allowed, the rest answers EPERM. Two kinds of calls answer ENOSYS, so that programs fall back on older
//! ones: `clone3`, whose flags a filter cannot read, and calls that are newer than the profile, as runc has it.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::{
    error::{During, LaunchError},
    identity,
};
use crate::runtime::{Seccomp, Security};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

macro_rules! numbers {
    ($($name:ident)*) => { [$(libc::$name),*] };
}

/// On every architecture.
const ALLOWED: &[libc::c_long] = &numbers![
    SYS_accept SYS_accept4 SYS_adjtimex SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir SYS_clock_adjtime
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_close SYS_close_range SYS_connect
    SYS_copy_file_range SYS_dup SYS_dup3 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2
    SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64
    SYS_fallocate SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat
    SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr SYS_fsetxattr SYS_fstat
    SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_getcpu SYS_getcwd SYS_getdents64
    SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpid
    SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid SYS_get_robust_list
    SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr
    SYS_inotify_add_watch SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_ioctl SYS_io_destroy
    SYS_io_getevents SYS_ioprio_get SYS_ioprio_set SYS_io_setup SYS_io_submit SYS_kill SYS_landlock_add_rule
    SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen SYS_listxattr
    SYS_llistxattr SYS_lremovexattr SYS_lseek SYS_lsetxattr SYS_madvise SYS_membarrier SYS_memfd_create
    SYS_memfd_secret SYS_mincore SYS_mkdirat SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_mprotect
    SYS_mq_getsetattr SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap
    SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
    SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat SYS_openat SYS_openat2 SYS_pidfd_open
    SYS_pidfd_send_signal SYS_pipe2 SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64
    SYS_preadv SYS_preadv2 SYS_prlimit64 SYS_process_mrelease SYS_process_vm_readv SYS_process_vm_writev
    SYS_pselect6 SYS_ptrace SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv
    SYS_recvfrom SYS_recvmmsg SYS_recvmsg SYS_remap_file_pages SYS_removexattr SYS_renameat2
    SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo
    SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo SYS_sched_getaffinity
    SYS_sched_getattr SYS_sched_getparam SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_setattr SYS_sched_setparam
    SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget SYS_semop SYS_semtimedop SYS_sendfile
    SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer
    SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid
    SYS_set_robust_list SYS_setsid SYS_setsockopt SYS_set_tid_address SYS_setuid SYS_setxattr SYS_shmat SYS_shmctl
    SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd4 SYS_socketpair SYS_splice SYS_statfs SYS_statx
    SYS_symlinkat SYS_sync SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill SYS_timer_create
    SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create
    SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat
    SYS_utimensat SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev SYS_clone3
];

/// Calls of Linux 6.5 and later, which have one number on all architectures and most no name in libc: cachestat, fchmodat2,
/// map_shadow_stack, futex_wake, futex_wait, futex_requeue, statmount, listmount, lsm_get_self_attr, lsm_set_self_attr,
/// lsm_list_modules, mseal, setxattrat, getxattrat, listxattrat, removexattrat.
const ALLOWED_NEW: std::ops::RangeInclusive<libc::c_long> = 451..=466;

/// The older calls that this architecture still has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[libc::c_long] = &numbers![
    SYS_getrlimit SYS_renameat SYS_setrlimit SYS_sync_file_range
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_ctl_old
    SYS_epoll_wait SYS_epoll_wait_old SYS_eventfd SYS_fork SYS_futimesat SYS_getdents SYS_getpgrp SYS_inotify_init
    SYS_lchown SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open SYS_pause SYS_pipe SYS_poll
    SYS_readlink SYS_rename SYS_rmdir SYS_select SYS_signalfd SYS_stat SYS_symlink SYS_time SYS_unlink SYS_utime
    SYS_utimes SYS_vfork
];
/// Calls that libc has no name for here: io_pgetevents, uretprobe.
#[cfg(target_arch = "x86_64")]
const UNNAMED_HERE: &[libc::c_long] = &[333, 335];
/// Calls that libc has no name for here: io_pgetevents.
#[cfg(not(target_arch = "x86_64"))]
const UNNAMED_HERE: &[libc::c_long] = &[292];
/// Calls that libc has no name for here: renameat, sync_file_range, getrlimit, setrlimit.
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[libc::c_long] = &[38, 84, 163, 164];

/// What a capability opens.
const WITH_CAPABILITY: &[(&str, &[libc::c_long])] = &[
    ("DAC_READ_SEARCH", &numbers![SYS_open_by_handle_at]),
    (
        "SYS_ADMIN",
        &numbers![
            SYS_bpf SYS_clone SYS_fanotify_init SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick SYS_lookup_dcookie
            SYS_mount SYS_mount_setattr SYS_move_mount SYS_open_tree SYS_perf_event_open SYS_quotactl
            SYS_quotactl_fd SYS_setdomainname SYS_sethostname SYS_setns SYS_syslog SYS_umount2 SYS_unshare
        ],
    ),
    ("SYS_BOOT", &numbers![SYS_reboot]),
    ("SYS_CHROOT", &numbers![SYS_chroot]),
    (
        "SYS_MODULE",
        &numbers![SYS_delete_module SYS_init_module SYS_finit_module],
    ),
    ("SYS_PACCT", &numbers![SYS_acct]),
    ("SYS_PTRACE", &numbers![SYS_kcmp SYS_pidfd_getfd SYS_process_madvise]),
    ("SYS_TIME", &numbers![SYS_settimeofday SYS_clock_settime]),
    ("SYS_TTY_CONFIG", &numbers![SYS_vhangup]),
    ("SYS_NICE", &numbers![SYS_get_mempolicy SYS_mbind SYS_set_mempolicy]),
    ("SYSLOG", &numbers![SYS_syslog]),
    ("BPF", &numbers![SYS_bpf]),
    ("PERFMON", &numbers![SYS_perf_event_open]),
];

/// Flags of `clone` that make namespaces.
const NAMESPACES: u64 = 0x7e02_0000;

/// The personalities that are ordinary: Linux, 32 bit, and the question for the present one.
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The filters of a container, in the order in which they are applied; none where it is unconfined.
pub(super) fn filter(security: &Security) -> Result<Vec<BpfProgram>, LaunchError> {
    if security.privileged || security.seccomp == Seccomp::Unconfined {
        return Ok(Vec::new());
    }
    let held = identity::wanted(security);
    let failed = |error: seccompiler::BackendError| LaunchError(format!("seccomp: {error}"));
    let clone3_is_unknown = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let holds_admin = held & bit("SYS_ADMIN") != 0;
    let allow = SeccompAction::Allow;
    let mut programs = Vec::new();
    if !holds_admin {
        let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
        programs.push(compile(clone3_is_unknown, allow.clone(), unknown).map_err(failed)?);
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    programs.push(compile(rules(held).map_err(failed)?, refuse, allow).map_err(failed)?);
    // The last one: of two filters that answer with an error the kernel takes the newer.
    programs.push(newer_calls());
    Ok(programs)
}

/// A filter that answers ENOSYS to every call with a number above those of the profile.
fn newer_calls() -> BpfProgram {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        // The number of the call is the first word of `struct seccomp_data`.
        instruction(LOAD_WORD, 0, 0, 0),
        instruction(JUMP_IF_GREATER, 0, 1, *ALLOWED_NEW.end() as u32),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

fn bit(name: &str) -> u64 {
    identity::CAPABILITIES
        .iter()
        .position(|known| *known == name)
        .map_or(0, |number| 1 << number)
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let here = if cfg!(target_arch = "aarch64") {
        TargetArch::aarch64
    } else {
        TargetArch::x86_64
    };
    SeccompFilter::new(rules, otherwise, matched, here)?.try_into()
}

fn rules(held: u64) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = Rules::new();
    let mut when = |number: libc::c_long, argument: u8, operation: SeccompCmpOp, value: u64| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operation, value)?;
        rules
            .entry(number)
            .or_default()
            .push(SeccompRule::new(vec![condition])?);
        Ok::<(), seccompiler::BackendError>(())
    };
    when(libc::SYS_clone, 0, SeccompCmpOp::MaskedEq(NAMESPACES), 0)?;
    when(libc::SYS_socket, 0, SeccompCmpOp::Ne, libc::AF_VSOCK as u64)?;
    for personality in PERSONALITIES {
        when(libc::SYS_personality, 0, SeccompCmpOp::Eq, personality)?;
    }
    let opened = WITH_CAPABILITY.iter().filter(|(name, _)| held & bit(name) != 0);
    let opened = opened.flat_map(|(_, numbers)| numbers.iter());
    for number in ALLOWED
        .iter()
        .chain(ALLOWED_HERE)
        .chain(opened)
        .copied()
        .chain(ALLOWED_NEW)
    {
        rules.insert(number, Vec::new());
    }
    for number in UNNAMED_HERE {
        rules.insert(*number, Vec::new());
    }
    Ok(rules)
}

/// Puts filters on the calling process, for good.
pub(super) fn apply(programs: &[BpfProgram]) -> Result<(), LaunchError> {
    for program in programs {
        let length = u16::try_from(program.len()).map_err(|_| LaunchError("seccomp: too many rules".into()))?;
        let filter = libc::sock_fprog {
            len: length,
            filter: program.as_ptr().cast_mut().cast(),
        };
        // SAFETY: the pointer is to as many instructions as the length says, in the kernel's layout, and the kernel
        // copies them.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
        nix::errno::Errno::result(result).during("seccomp")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_profile_compiles_and_a_capability_opens_calls() {
        let plain = Security {
            seccomp: Seccomp::RuntimeDefault,
            ..Security::default()
        };
        assert_eq!(filter(&plain).expect("compiles").len(), 3);
        assert!(!rules(0).expect("rules").contains_key(&libc::SYS_mount));
        assert!(rules(bit("SYS_ADMIN")).expect("rules").contains_key(&libc::SYS_mount));
    }

    #[test]
    fn unconfined_and_privileged_have_no_filter() {
        assert!(filter(&Security::default()).expect("none").is_empty());
        let privileged = Security {
            seccomp: Seccomp::RuntimeDefault,
            privileged: true,
            ..Security::default()
        };
        assert!(filter(&privileged).expect("none").is_empty());
    }
}
