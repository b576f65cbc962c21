//! Pods whose users are not the machine's (`hostUsers: false`).

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use emulator::{
    image::Root,
    runtime::{Mount, Propagation, Runtime, SandboxConfig},
};

use crate::machine::{Machine, output, pod};

/// Where the users of all pods begin.
const FIRST: u32 = 0x7000_0000;

fn own_users() -> SandboxConfig {
    SandboxConfig {
        user_namespace: true,
        sysctls: [
            ("net.ipv4.ip_unprivileged_port_start", "7"),
            ("kernel.shm_rmid_forced", "1"),
            ("kernel.msgmax", "4321"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..pod()
    }
}

fn volume(from: &Path, to: &str) -> Mount {
    Mount {
        host_path: from.to_owned(),
        container_path: to.into(),
        read_only: false,
        propagation: Propagation::Private,
        ids_mapped: false,
    }
}

/// A command that nobody else on the machine runs.
fn own_sleep() -> String {
    format!("sleep {}", 1_000_000 + std::process::id())
}

/// As whom on the machine processes with this command line run.
fn users_of(command: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut found: Vec<u32> = entries
        .filter(|entry| {
            fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line == command.replace(' ', "\0") + "\0")
        })
        .filter_map(|entry| Some(fs::metadata(entry.path()).ok()?.uid()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn root_of_such_a_pod_is_nobody_on_the_machine_and_finds_everything_as_ever() {
    let machine = Machine::new().await;
    let owned = machine.data.path().join("layer/etc/owned");
    fs::write(&owned, "").unwrap();
    chown(&owned, Some(33), Some(44)).unwrap();
    let files = machine.data.path().join("volume");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("theirs"), "").unwrap();
    chown(files.join("theirs"), Some(1000), Some(2000)).unwrap();
    let sleep = own_sleep();
    let mut config = machine.container(&format!(
        "owner() {{ ls -ldn $1 | tr -s ' ' | cut -d' ' -f3,4; }}; id -u; \
         for path in / /bin/busybox /etc/owned /made /dev /dev/shm /data /data/theirs /dev/stdout; do \
         echo $path $(owner $path); done; echo new >/data/new; echo new >/etc/new; chown 12:34 /etc/new; owner /etc/new; \
         echo through >/dev/stdout; hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start \
         /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmax; {sleep}",
    ));
    config.working_dir = "/made".into();
    config.mounts = vec![volume(&files, "/data")];
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    machine.start(&sandbox, &config).await;
    machine.until(|| output(&config.log_path).contains("4321\n")).await;
    assert_eq!(
        output(&config.log_path),
        "0\n/ 0 0\n/bin/busybox 0 0\n/etc/owned 33 44\n/made 0 0\n/dev 0 0\n/dev/shm 0 0\n/data 0 0\n\
         /data/theirs 1000 2000\n/dev/stdout 0 0\n12 34\nthrough\np\n7\n1\n4321\n"
    );
    machine.until(|| !users_of(&sleep).is_empty()).await;
    let first = users_of(&sleep)[0];
    assert!(first >= FIRST && first.is_multiple_of(65536), "{first}");
    assert_eq!(
        fs::metadata(files.join("new")).unwrap().uid(),
        0,
        "the volume keeps IDs as they are"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_user_of_such_a_pod_has_its_groups_and_no_more_capabilities_than_elsewhere() {
    let machine = Machine::new().await;
    let files = machine.data.path().join("volume");
    fs::create_dir(&files).unwrap();
    chown(&files, Some(0), Some(3000)).unwrap();
    fs::set_permissions(&files, fs::Permissions::from_mode(0o2770)).unwrap();
    let mut config = machine.container(
        "id -u; id -G; echo x >/data/new && ls -n /data | tail -n 1 | tr -s ' ' | cut -d' ' -f3,4; \
         grep -E 'CapEff|CapBnd' /proc/self/status | tr '\\t' ' '; touch /etc/new 2>/dev/null || echo refused; \
         echo ok >/dev/stdout",
    );
    config.mounts = vec![volume(&files, "/data")];
    config.user.uid = 1000;
    config.user.gid = 2000;
    config.user.supplemental_groups = vec![3000];
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let id = machine.start(&sandbox, &config).await;
    assert_eq!(machine.ended(&id).await.exit_code, Some(0));
    assert_eq!(
        output(&config.log_path),
        "1000\n2000 3000\n1000 3000\nCapEff: 0000000000000000\nCapBnd: 00000000000000e1\nrefused\nok\n"
    );
    machine.close().await;
}

#[tokio::test]
async fn capabilities_are_over_what_is_the_pods_and_nothing_else() {
    let machine = Machine::new().await;
    let mut config = machine.container(
        "mkdir /tmp/mine && mount -t tmpfs mine /tmp/mine && touch /tmp/mine/x && echo mounted; \
         mknod /tmp/null c 1 3 2>/dev/null || echo no device; hostname other && hostname; \
         echo 1 2>/dev/null >/proc/sys/vm/swappiness || echo no setting; umount /bin 2>/dev/null; ls /bin/sh",
    );
    config.command[0] = "/bin/busybox".into();
    config.command.insert(1, "sh".into());
    config.command[3] = config.command[3]
        .replace("mount -t", "busybox mount -t")
        .replace("umount", "busybox umount");
    config.security.capabilities = ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE"]
        .map(str::to_owned)
        .to_vec();
    config.security.readonly_paths.clear();
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    assert_eq!(
        output(&config.log_path),
        "mounted\nno device\nother\nno setting\n/bin/sh\n"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_further_process_has_the_same_users_also_under_a_later_emulator() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let mut config = machine.container("sleep 1000");
    config.user.uid = 7;
    let id = machine.start(&sandbox, &config).await;
    let machine = machine.again(|_| {}).await;
    let command = words("sh -c")
        .into_iter()
        .chain(["id -u; cat /proc/1/uid_map /proc/self/uid_map".to_owned()]);
    let done = machine
        .runtime
        .exec(&id, &command.collect::<Vec<_>>(), None)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&done.output()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "7");
    assert!(
        lines[1].contains(" 65536") && !lines[1].contains("4294967295"),
        "{text}"
    );
    assert_eq!(lines[1], lines[2]);
    machine.close().await;
}

#[tokio::test]
async fn a_terminal_is_the_users() {
    let machine = Machine::new().await;
    let mut config = machine.container("tty; ls -ln $(tty) | tr -s ' ' | cut -d' ' -f3,4; echo more >/dev/tty");
    config.tty = true;
    config.user.uid = 7;
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    assert_eq!(output(&config.log_path).replace('\r', ""), "/dev/pts/0\n7 5\nmore\n");
    machine.close().await;
}

#[tokio::test]
async fn the_machines_own_files_are_a_root_too() {
    let machine = Machine::new().await;
    let mut config = machine.container(
        "ls -ldn / /usr /usr/bin | tr -s ' ' | cut -d' ' -f3,4; touch /usr/new && rm /usr/new && echo written; \
         touch /new && echo written",
    );
    config.image.root = Root::Host;
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    assert_eq!(output(&config.log_path), "0 0\n0 0\n0 0\nwritten\nwritten\n");
    machine.close().await;
}

#[tokio::test]
async fn containers_within_a_container_need_its_proc_unmasked() {
    let machine = Machine::new().await;
    let mut config =
        machine.container("unshare --user --map-root-user --pid --fork --mount-proc id -u 2>/dev/null || echo refused");
    config.image.root = Root::Host;
    // Which a container has by default, and who maps root needs (user_namespaces(7)).
    config.security.capabilities.push("CAP_SETFCAP".into());
    let mut said = Vec::new();
    for unmasked in [false, true] {
        if unmasked {
            config.security.masked_paths.clear();
            config.security.readonly_paths.clear();
        }
        let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
        let _ = fs::remove_file(&config.log_path);
        let id = machine.start(&sandbox, &config).await;
        machine.ended(&id).await;
        said.push(output(&config.log_path));
        machine.runtime.remove_sandbox(&sandbox).await.unwrap();
    }
    assert_eq!(said, ["refused\n", "0\n"]);
    machine.close().await;
}

#[tokio::test]
async fn pods_have_no_user_in_common() {
    let machine = Machine::new().await;
    let mut started = Vec::new();
    for name in ["one", "two"] {
        let mut sandbox = own_users();
        sandbox.pod.uid = name.into();
        let sandbox = machine.runtime.run_sandbox(&sandbox).await.unwrap();
        let mut config = machine.container(&format!("exec {}", own_sleep()));
        config.log_path = machine.data.path().join(name).join("0.log");
        started.push(machine.start(&sandbox, &config).await);
    }
    machine.until(|| users_of(&own_sleep()).len() == 2).await;
    machine.close().await;
}

#[tokio::test]
async fn who_the_pod_does_not_have_is_refused() {
    let machine = Machine::new().await;
    let mut config = machine.container("id");
    config.user.uid = 70_000;
    let sandbox = machine.runtime.run_sandbox(&own_users()).await.unwrap();
    let id = machine.runtime.create_container(&sandbox, &config).await.unwrap();
    let refused = machine.runtime.start_container(&id).await.unwrap_err().to_string();
    let why = "unable to setup user: cannot set uid to unmapped user in user namespace";
    assert!(refused.ends_with(why), "{refused}");
    machine.close().await;
}
