//! A program running as PID 1, seen through `/proc`.

use std::fs;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe, read};

use crate::program::Program;

/// Longer than any of the programs takes to come to rest on a busy machine.
const SETTLED: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program, killed with all that is in its namespace when it is dropped.
pub(crate) struct Process {
    pid: Pid,
    ended: bool,
    /// Read until its exec, whenever that is on a busy machine.
    kept: Kept,
}

/// What the new process needs between its start and exec.
struct Exec {
    words: Vec<*const libc::c_char>,
    environment: [*const libc::c_char; 1],
    null: libc::c_int,
    traced: bool,
    /// A CPU of its own, so that neither of us waits for the other.
    cpus: libc::cpu_set_t,
    /// Nanoseconds of the monotonic clock right before exec: what goes before is no property of the program.
    begins: AtomicU64,
}

/// Nanoseconds of the monotonic clock.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a time there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The set of the CPU of that number.
fn cpu(number: usize) -> libc::cpu_set_t {
    // SAFETY: a set of no CPUs is all zeroes, and the number is below its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(number, &mut set);
        set
    }
}

/// Keeps the benchmark itself on the first CPU, while the programs run on the last one; and all of it goes before whatever else
/// the machine does, where that is allowed.
pub(crate) fn take_turns_first() {
    let (cpus, priority) = (cpu(0), libc::sched_param { sched_priority: 1 });
    // SAFETY: the kernel reads both.
    unsafe {
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const cpus);
        libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority);
    }
}

extern "C" fn exec(exec: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `start` passes an `Exec` that outlives the process; what is called are system calls alone.
    unsafe {
        let exec = &*exec.cast::<Exec>();
        for descriptor in 0..3 {
            libc::dup2(exec.null, descriptor);
        }
        if exec.traced {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const exec.cpus);
        exec.begins.store(now(), Ordering::SeqCst);
        libc::execve(exec.words[0], exec.words.as_ptr(), exec.environment.as_ptr());
        libc::_exit(127)
    }
}

impl Process {
    /// Starts it. The new process shares this one's memory until its exec, so that next to nothing happens before.
    ///
    /// Returns as it comes to its exec.
    fn start(program: &Program, traced: bool) -> Self {
        let mut words: Vec<*const libc::c_char> = program.words.iter().map(|word| word.as_ptr()).collect();
        words.push(std::ptr::null());
        let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
        let mut kept = Kept {
            exec: Box::new(Exec {
                words,
                environment: [std::ptr::null()],
                null: std::os::fd::AsRawFd::as_raw_fd(&null),
                traced,
                // SAFETY: a question to the C library.
                cpus: cpu(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }.cast_unsigned() as usize - 1),
                begins: AtomicU64::new(0),
            }),
            stack: vec![0; 64 * 1024],
            _null: null,
        };
        let flags = libc::CLONE_VM | libc::CLONE_NEWPID | libc::SIGCHLD;
        // SAFETY: the stack grows down from its aligned end, and `kept` lives as long as the process.
        let pid = unsafe {
            let top = kept.stack.as_mut_ptr().add(kept.stack.len());
            let top = top.sub(top as usize % 16);
            libc::clone(exec, top.cast(), flags, (&raw mut *kept.exec).cast())
        };
        assert!(pid > 0, "a PID namespace needs root: {}", Errno::last());
        while kept.exec.begins.load(Ordering::SeqCst) == 0 {
            // It begins on our CPU, at our priority.
            thread::yield_now();
        }
        Self {
            pid: Pid::from_raw(pid),
            ended: false,
            kept,
        }
    }

    /// Starts it and waits until it has come to rest.
    pub(crate) fn settled(program: &Program) -> Self {
        let process = Self::start(program, false);
        thread::sleep(SETTLED);
        process
    }

    /// Starts it and waits until it sleeps in that system call; and how long that took.
    pub(crate) fn asleep(program: &Program, call: &(String, bool)) -> (Self, Duration) {
        let process = Self::start(program, false);
        while process.call() != *call {
            assert!(process.age() < PATIENCE, "{} does not come to rest", program.name);
        }
        let age = process.age();
        (process, age)
    }

    /// Starts it, sends it a stop after `delay`, and lets it be.
    pub(crate) fn stopped_after(program: &Program, delay: Duration) -> Self {
        let process = Self::start(program, false);
        while process.age() < delay {
            std::hint::spin_loop();
        }
        let _ = kill(process.pid, Signal::SIGTERM);
        process
    }

    /// How many system calls it makes before the one that it sleeps in.
    pub(crate) fn calls_to_sleep(program: &Program) -> usize {
        let mut process = Self::start(program, true);
        let pid = process.pid;
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Stopped(pid, Signal::SIGTRAP)));
        ptrace::setoptions(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
        let mut entered = 0;
        ptrace::syscall(pid, None).unwrap();
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < SETTLED {
            let status = waitpid(pid, Some(WaitPidFlag::WNOHANG)).unwrap();
            let signal = match status {
                WaitStatus::StillAlive => {
                    thread::sleep(Duration::from_micros(50));
                    continue;
                }
                WaitStatus::PtraceSyscall(_) => {
                    let stop = ptrace::syscall_info(pid).unwrap();
                    entered += usize::from(stop.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
                    None
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                other => panic!("{} ended under the tracer: {other:?}", program.name),
            };
            quiet_since = Instant::now();
            ptrace::syscall(pid, signal).unwrap();
        }
        process.kill();
        // The last one is the sleep.
        entered - 1
    }

    /// The time since its exec began.
    fn age(&self) -> Duration {
        Duration::from_nanos(now() - self.kept.exec.begins.load(Ordering::SeqCst))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_default()
    }

    /// The system call that it waits in: its number, and whether its first argument is nothing.
    ///
    /// Right after exec all registers are zero, and so is the number of `read`.
    pub(crate) fn call(&self) -> (String, bool) {
        let text = self.proc("syscall");
        let mut words = text.split_whitespace();
        let number = words.next().unwrap_or_default().to_owned();
        (number, words.next() == Some("0x0"))
    }

    /// The numbers behind the keys in a file of `/proc`, added up.
    pub(crate) fn sum(&self, file: &str, keys: &[&str]) -> u64 {
        let text = self.proc(file);
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let numbers = lines.filter(|(key, _)| keys.contains(key));
        numbers
            .map(|(_, rest)| rest.split_whitespace().next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// The time that it was on a CPU.
    pub(crate) fn on_cpu(&self) -> Duration {
        let text = self.proc("schedstat");
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    /// How often it was put on a CPU.
    pub(crate) fn switches(&self) -> u64 {
        self.sum("status", &["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"])
    }

    fn children(&self) -> usize {
        self.proc(&format!("task/{}/children", self.pid))
            .split_whitespace()
            .count()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        if !self.ended {
            self.ended = waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).unwrap() != WaitStatus::StillAlive;
        }
        self.ended
    }

    /// Tells it to end, and how long that takes; none where the stop is lost.
    pub(crate) fn time_to_end(mut self) -> Option<Duration> {
        let begin = Instant::now();
        self.send(Signal::SIGTERM);
        while begin.elapsed() < Duration::from_secs(2) {
            if self.has_ended() {
                return Some(begin.elapsed());
            }
        }
        None
    }

    /// Has it adopt `count` processes, all of which end, and waits until it has none of them.
    pub(crate) fn adopt(&self, count: usize) {
        const AT_ONCE: usize = 500;
        let own = self.children();
        for _ in 0..count / AT_ONCE {
            leave_orphans(self.pid, AT_ONCE);
        }
        let begin = Instant::now();
        while self.children() > own {
            assert!(begin.elapsed() < PATIENCE, "it does not reap");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill(&mut self) {
        if !self.ended {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
            self.ended = true;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process that was just started still reads.
struct Kept {
    exec: Box<Exec>,
    stack: Vec<u8>,
    _null: fs::File,
}

/// Forks `count` processes inside the namespace, which end as soon as their parent has.
fn leave_orphans(init: Pid, count: usize) {
    let namespace = fs::File::open(format!("/proc/{init}/ns/pid")).unwrap();
    // SAFETY: the child and its children make system calls alone; this process has one thread.
    unsafe {
        match fork().unwrap() {
            ForkResult::Parent { child } => {
                waitpid(child, None).unwrap();
            }
            ForkResult::Child => {
                setns(namespace.as_fd(), CloneFlags::CLONE_NEWPID).unwrap();
                // The first process that is inside, and the parent of the others.
                match fork().unwrap() {
                    ForkResult::Parent { child } => {
                        let _ = waitpid(child, None);
                        libc::_exit(0)
                    }
                    ForkResult::Child => {
                        let (reader, writer) = pipe().unwrap();
                        for _ in 0..count {
                            if let ForkResult::Child = fork().unwrap() {
                                drop(writer);
                                let _ = read(&reader, &mut [0]);
                                libc::_exit(0);
                            }
                        }
                        libc::_exit(0)
                    }
                }
            }
        }
    }
}
