//! Which processes a container may trace, and whose memory it may read: its own, and with `hostPID` no more than a process
//! of its user with no more capabilities than it has (ptrace(2), "Ptrace access mode checking").

use std::{
    fs,
    process::{Child, Command},
};

use emulator::{
    image::Root,
    runtime::{ContainerConfig, Runtime, SandboxConfig},
};

use crate::machine::{Machine, output, pod};

/// Three ways into each process: to attach, to read with a call, to read its file. The first is a child of its own.
const TRY: &str = r#"
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def reads(pid):
    room = ctypes.create_string_buffer(8)
    here, there = Part(ctypes.addressof(room), 8), Part(0x1000, 8)
    got = libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return got >= 0 or ctypes.get_errno() == 14  # EFAULT: allowed, and nothing lies there
def opens(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
        return True
    except OSError:
        return False
def attaches(pid):
    return libc.ptrace(0x4206, pid, 0, 0) == 0  # PTRACE_SEIZE
child = subprocess.Popen(["sleep", "1000"])
for name, pid in [("own", child.pid)] + [one.split("=") for one in sys.argv[1:]]:
    ways = [way.__name__ for way in (reads, opens, attaches) if way(int(pid))]
    print(name, " ".join(ways) or "refused", flush=True)
child.kill()
"#;

/// A process of the machine, with all that root may do.
struct OfMachine(Child);

impl OfMachine {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }
}

impl Drop for OfMachine {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The machine's number of the process with this command line.
fn pid_of(command: &[&str]) -> Option<u32> {
    let wanted: String = command.iter().map(|word| format!("{word}\0")).collect();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    numbers.find(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
}

/// What a container of this pod says of the processes that it tries to get into; the other pod's has a capability more.
async fn tried(change: impl Fn(&mut SandboxConfig, &mut ContainerConfig)) -> String {
    let machine = Machine::new().await;
    let mut other = pod();
    (other.pod.name, other.pod.uid) = ("other".into(), "uid-2".into());
    let other = machine.runtime.run_sandbox(&other).await.unwrap();
    let seconds = format!("{}", 1_000_000 + std::process::id());
    let mut victim = machine.container("");
    victim.command = vec!["sleep".into(), seconds.clone()];
    victim.security.capabilities.push("CAP_NET_RAW".into());
    victim.log_path = machine.data.path().join("pods/other/app/0.log");
    machine.start(&other, &victim).await;
    let command = ["sleep", &seconds];
    machine.until(|| pid_of(&command).is_some()).await;
    let of_pod = pid_of(&command).unwrap();
    let of_machine = OfMachine::start();

    let mut config = machine.container("");
    config.image.root = Root::Host;
    config.command = ["python3", "-c", TRY].map(str::to_owned).to_vec();
    config.command.push(format!("pod={of_pod}"));
    config.command.push(format!("machine={}", of_machine.0.id()));
    let mut sandbox = pod();
    change(&mut sandbox, &mut config);
    let sandbox = machine.runtime.run_sandbox(&sandbox).await.unwrap();
    let id = machine.start(&sandbox, &config).await;
    let status = machine.ended(&id).await;
    let said = output(&config.log_path);
    assert_eq!(status.exit_code, Some(0), "{said}");
    machine.runtime.remove_sandbox(&sandbox).await.unwrap();
    machine.runtime.remove_sandbox(&other).await.unwrap();
    machine.close().await;
    said
}

/// Its own child, and nobody else.
const OWN_ALONE: &str = "own reads opens attaches\npod refused\nmachine refused\n";

#[tokio::test]
async fn a_container_traces_its_own_processes_and_no_others() {
    assert_eq!(tried(|_, _| ()).await, OWN_ALONE);
}

#[tokio::test]
async fn to_share_processes_in_a_pod_shares_none_of_another() {
    assert_eq!(tried(|pod, _| pod.share_process_namespace = true).await, OWN_ALONE);
}

#[tokio::test]
async fn the_machines_processes_are_seen_with_host_pid_and_not_traced() {
    assert_eq!(tried(|pod, _| pod.host_pid = true).await, OWN_ALONE);
}

#[tokio::test]
async fn who_is_given_the_right_to_trace_has_it() {
    let all = "own reads opens attaches\npod reads opens attaches\nmachine reads opens attaches\n";
    let said = tried(|pod, container| {
        pod.host_pid = true;
        container.security.capabilities.push("CAP_SYS_PTRACE".into());
    });
    assert_eq!(said.await, all);
}
