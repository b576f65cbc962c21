//! What a container sees of the machine, and what it may do there.

use std::{fs, path::Path};

use emulator::{
    image::Root,
    runtime::{Mount, Propagation, Runtime, SandboxConfig, Seccomp, User},
};
use tokio::io::AsyncReadExt;

use crate::machine::{Machine, output, pod};

#[tokio::test]
async fn pods_have_addresses_that_the_node_reaches() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let serve = machine.container("while :; do echo hello | nc -l -p 80; done");
    let id = machine.start(&sandbox, &serve).await;
    let listens = [
        "sh",
        "-c",
        "until grep -q ':0050 .* 0A ' /proc/net/tcp*; do sleep 0.02; done",
    ]
    .map(str::to_owned);
    machine.runtime.exec(&id, &listens, None).await.unwrap();
    let status = machine.runtime.pod_status(&pod().pod).await.unwrap();
    let address = status.sandboxes[0].ips[0];
    let mut text = String::new();
    let mut stream = machine.runtime.dial((address, 80).into()).await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello\n");
    drop(stream);
    machine.runtime.exec(&id, &listens, None).await.unwrap();
    let mut text = String::new();
    let mut stream = machine.runtime.connect(&sandbox, 80).await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello\n");
    machine.close().await;
}

#[tokio::test]
async fn low_ports_and_ping_are_open_to_every_user_of_a_pod() {
    let machine = Machine::new().await;
    let plain = SandboxConfig {
        sysctls: Default::default(),
        ..pod()
    };
    let own = SandboxConfig {
        sysctls: [
            ("net.ipv4.ip_unprivileged_port_start", "99"),
            ("net.ipv4.ping_group_range", "5 6"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..pod()
    };
    let host_network = SandboxConfig {
        host_network: true,
        ..plain.clone()
    };
    let names = ["ip_unprivileged_port_start", "ping_group_range"].map(|name| format!("/proc/sys/net/ipv4/{name}"));
    let of_machine = names.clone().map(|name| fs::read_to_string(name).unwrap()).concat();
    for (sandbox, expected) in [
        (&plain, "0\n0\t2147483647\n"),
        (&own, "99\n5\t6\n"),
        (&host_network, of_machine.as_str()),
    ] {
        let sandbox = machine.runtime.run_sandbox(sandbox).await.unwrap();
        let config = machine.container(&format!("cat {}", names.join(" ")));
        let _ = fs::remove_file(&config.log_path);
        let id = machine.start(&sandbox, &config).await;
        machine.ended(&id).await;
        assert_eq!(output(&config.log_path), expected);
        machine.runtime.remove_sandbox(&sandbox).await.unwrap();
    }
    machine.close().await;
}

#[tokio::test]
async fn a_container_has_the_user_capabilities_and_files_that_it_was_given() {
    let machine = Machine::new().await;
    let volume = machine.data.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("file"), "content").unwrap();
    let mount = |to: &str, read_only| Mount {
        host_path: volume.clone(),
        container_path: to.into(),
        read_only,
        propagation: Propagation::Private,
        ids_mapped: false,
    };
    let mut config = machine.container(
        "id -u; id -G; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr '\\t' ' '; cat /in/file; echo; \
         touch /in/new 2>/dev/null || echo protected; touch /out/new && echo written; touch /new 2>/dev/null || echo fixed; \
         mknod /tmp/sda b 8 0 2>/dev/null; pwd; test -e /proc/kcore && head -c 1 /proc/kcore; ls /dev/shm /dev/pts/ptmx",
    );
    config.mounts = vec![mount("/in", true), mount("/out", false)];
    config.working_dir = "/made/here".into();
    config.user = User {
        uid: 0,
        gid: 7,
        supplemental_groups: vec![7, 1000],
    };
    config.security.no_new_privileges = true;
    config.security.read_only_root_filesystem = true;
    config.security.seccomp = Seccomp::RuntimeDefault;
    let (status, output) = machine.run(&config).await;
    assert_eq!(
        output,
        "0\n7 1000\nCapBnd: 00000000000000e1\nNoNewPrivs: 1\nSeccomp: 2\ncontent\nprotected\nwritten\nfixed\n\
         /made/here\n/dev/pts/ptmx\n\n/dev/shm:\n",
        "{status:?}"
    );
    machine.close().await;
}

#[tokio::test]
async fn the_machines_own_files_are_a_root_without_the_emulators() {
    let machine = Machine::new().await;
    fs::write(machine.data.path().join("secret"), "key").unwrap();
    let data = machine.data.path().canonicalize().unwrap();
    let mut config = machine.container("");
    config.image.root = Root::Host;
    config.command[2] = format!(
        "test -x /usr/bin/env && echo files; cat {}/secret 2>/dev/null || echo hidden; \
         touch /etc/new && touch /usr/new && echo written; ls /run | head -1; ls /tmp",
        data.display()
    );
    let (status, output) = machine.run(&config).await;
    assert_eq!(output, "files\nhidden\nwritten\n", "{status:?}");
    assert!(!Path::new("/etc/new").exists() && !Path::new("/usr/new").exists());
    machine.close().await;
}

#[tokio::test]
async fn a_pod_may_share_the_machines_namespaces() {
    let machine = Machine::new().await;
    let shared = SandboxConfig {
        host_network: true,
        host_pid: true,
        host_ipc: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&shared).await.unwrap();
    let config = machine.container("for n in net uts ipc pid; do readlink /proc/self/ns/$n; done");
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    let own = |kind| {
        fs::read_link(format!("/proc/self/ns/{kind}"))
            .unwrap()
            .display()
            .to_string()
            + "\n"
    };
    assert_eq!(
        output(&config.log_path),
        own("net") + &own("uts") + &own("ipc") + &own("pid")
    );
    machine.close().await;
}

#[tokio::test]
async fn containers_of_a_pod_share_memory_host_name_and_localhost() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let first = machine.container("echo shared > /dev/shm/note; hostname; nc -l -p 8080");
    machine.start(&sandbox, &first).await;
    let mut second =
        machine.container("cat /dev/shm/note; until echo hello | nc 127.0.0.1 8080; do sleep 0.05; done 2>/dev/null");
    machine.until(|| output(&first.log_path) == "p\n").await;
    second.log_path = machine.data.path().join("pods/p/second/0.log");
    let id = machine.start(&sandbox, &second).await;
    assert_eq!(machine.ended(&id).await.exit_code, Some(0));
    assert_eq!(output(&second.log_path), "shared\n");
    machine.until(|| output(&first.log_path) == "p\nhello\n").await;
    machine.close().await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn default_profile_answers_as_containerd_and_runc_do() {
    let machine = Machine::new().await;
    let mut config = machine.container("");
    config.image.root = Root::Host;
    config.security.seccomp = Seccomp::RuntimeDefault;
    // keyctl is refused, io_pgetevents and cachestat reach the kernel, and 500 is newer than the profile.
    let program = "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                   for number in (250, 333, 451, 500):\n    libc.syscall(number, -1, 0, 0, 0, 0, 0)\n    \
                   print(errno.errorcode[ctypes.get_errno()])";
    config.command = ["/usr/bin/python3", "-c", program].map(str::to_owned).to_vec();
    let (status, output) = machine.run(&config).await;
    let answers: Vec<&str> = output.lines().collect();
    assert_eq!(answers.first(), Some(&"EPERM"), "{status:?} {output}");
    assert!(!["EPERM", "ENOSYS"].contains(&answers[1]), "{output}");
    // A kernel before 6.5 does not have it.
    assert_ne!(answers[2], "EPERM", "{output}");
    assert_eq!(answers[3], "ENOSYS", "{output}");
    machine.close().await;
}

#[tokio::test]
async fn a_command_run_later_has_no_more_rights_than_the_first() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("sleep 1000");
    config.user = User {
        uid: 1234,
        gid: 1234,
        supplemental_groups: vec![1234],
    };
    config.security.no_new_privileges = true;
    config.security.seccomp = Seccomp::RuntimeDefault;
    let id = machine.start(&sandbox, &config).await;
    let see = [
        "sh",
        "-c",
        "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr '\\t' ' '; cat /proc/1/root/etc/passwd | head -c 4",
    ];
    let seen = machine.runtime.exec(&id, &see.map(str::to_owned), None).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&seen.output()),
        "1234\nCapEff: 0000000000000000\nCapBnd: 00000000000000e1\nNoNewPrivs: 1\nSeccomp: 2\nroot"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_container_cannot_see_the_machine_through_the_pause_process() {
    let machine = Machine::new().await;
    let shared = SandboxConfig {
        share_process_namespace: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&shared).await.unwrap();
    let mut config =
        machine.container("ls -A /proc/1/root/ 2>/dev/null; ls /proc/1/root/etc 2>/dev/null || echo nothing");
    config.user = User {
        uid: 65535,
        gid: 65535,
        supplemental_groups: vec![65535],
    };
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    assert_eq!(output(&config.log_path), ".shm\npause\nnothing\n");
    machine.close().await;
}

#[tokio::test]
async fn a_privileged_container_has_the_machines_devices() {
    let machine = Machine::new().await;
    let mut config = machine.container("grep CapBnd /proc/self/status | tr '\\t' ' '; test -c /dev/kmsg && echo devices; touch /sys/fs/cgroup/new 2>/dev/null; echo ok");
    config.security.privileged = true;
    let (status, output) = machine.run(&config).await;
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let bounding = own.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).unwrap();
    assert_eq!(output, format!("CapBnd: {bounding}\ndevices\nok\n"), "{status:?}");
    machine.close().await;
}
