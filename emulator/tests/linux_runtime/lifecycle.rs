//! From made to removed, with everything that can come between.

use std::{
    fs,
    time::{Duration, Instant},
};

use emulator::runtime::{ContainerConfig, ContainerState, Mount, Propagation, Resources, Runtime, SandboxConfig};

use crate::machine::{Machine, output, pod};

#[tokio::test]
async fn a_container_runs_to_its_end_with_its_code_and_its_log() {
    let machine = Machine::new().await;
    let (status, output) = machine
        .run(&machine.container("echo $WHO; hostname; echo $$; exit 3"))
        .await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(3), ""));
    assert_eq!(output, "me\np\n1\n");
    assert!(status.started_at.unwrap() <= status.finished_at.unwrap());
    machine.close().await;
}

#[tokio::test]
async fn a_container_is_stopped_by_its_signal_or_killed_after_the_grace() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = machine.container("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    let polite = machine.start(&sandbox, &config).await;
    machine.until(|| output(&config.log_path) == "ready\n").await;
    machine
        .runtime
        .stop_container(&polite, Duration::from_secs(600))
        .await
        .unwrap();
    assert_eq!(machine.status(&polite).await.exit_code, Some(5));
    let deaf = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let before = Instant::now();
    machine
        .runtime
        .stop_container(&deaf, Duration::from_millis(300))
        .await
        .unwrap();
    assert!(before.elapsed() >= Duration::from_millis(300));
    assert_eq!(machine.status(&deaf).await.exit_code, Some(137));
    machine.runtime.remove_container(&deaf).await.unwrap();
    machine.close().await;
}

#[tokio::test]
async fn a_container_over_its_memory_limit_is_oom_killed() {
    let machine = Machine::new().await;
    let config = ContainerConfig {
        resources: Resources {
            memory_limit: Some(32 << 20),
            ..Resources::default()
        },
        ..machine.container("x=; while :; do x=$x$(head -c 1000000 /dev/zero | tr '\\0' x)$x; done")
    };
    let (status, _) = machine.run(&config).await;
    assert_eq!((status.exit_code, status.reason.as_str()), (Some(137), "OOMKilled"));
    machine.close().await;
}

#[tokio::test]
async fn a_shared_pid_namespace_has_pause_first_and_a_dead_container_leaves_nothing_there() {
    let machine = Machine::new().await;
    let config = SandboxConfig {
        share_process_namespace: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&config).await.unwrap();
    let first = machine
        .start(&sandbox, &machine.container("sleep 4711 & exec sleep 4712"))
        .await;
    let second = machine.start(&sandbox, &machine.container("exec sleep 4713")).await;
    let see = ["sh", "-c", "cat /proc/1/cmdline; echo; ps"]
        .map(str::to_owned)
        .to_vec();
    let all = |text: &str| text.starts_with("/pause") && text.contains("4711") && text.contains("4712");
    machine.until_said(&second, &see, all).await;
    machine.runtime.stop_container(&first, Duration::ZERO).await.unwrap();
    let second_alone = |text: &str| !text.contains("4711") && !text.contains("4712") && text.contains("4713");
    machine.until_said(&second, &see, second_alone).await;
    machine.close().await;
}

#[tokio::test]
async fn a_new_runtime_finds_what_goes_on_and_what_has_ended() {
    let Machine { data, runtime } = Machine::new().await;
    let machine = Machine { data, runtime };
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let long = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let short = machine.start(&sandbox, &machine.container("sleep 0.3; exit 6")).await;
    let Machine { data, runtime } = machine;
    drop(runtime);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let runtime = Machine::open(data.path()).await;
    let machine = Machine { data, runtime };
    assert_eq!(machine.status(&long).await.state, ContainerState::Running);
    // Where the machine stood still meanwhile, it ends only now.
    assert_eq!(machine.ended(&short).await.exit_code, Some(6));
    let run = ["echo", "still here"].map(str::to_owned).to_vec();
    assert_eq!(
        machine.runtime.exec(&long, &run, None).await.unwrap().output(),
        b"still here\n"
    );
    machine.close().await;
}

#[tokio::test]
async fn a_killed_shim_takes_its_containers_with_it() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let holder = machine
        .data
        .path()
        .join("sandboxes")
        .join(&sandbox.0)
        .join("holder.json");
    let holder: serde_json::Value = serde_json::from_slice(&fs::read(holder).unwrap()).unwrap();
    let shim = i32::try_from(holder["shim"]["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(machine.ended(&id).await.exit_code, Some(137));
    let status = machine.runtime.pod_status(&pod().pod).await.unwrap();
    assert!(!status.sandboxes[0].ready);
    machine.close().await;
}

#[tokio::test]
async fn a_volume_that_is_not_there_is_a_start_error() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("exit 0");
    config.mounts.push(Mount {
        host_path: "/no/such/folder".into(),
        container_path: "/in".into(),
        read_only: false,
        propagation: Propagation::Private,
        ids_mapped: false,
    });
    let id = machine.runtime.create_container(&sandbox, &config).await.unwrap();
    let error = machine.runtime.start_container(&id).await.unwrap_err().to_string();
    assert!(
        error.ends_with("error mounting \"/no/such/folder\" to rootfs at \"/in\": no such file or directory"),
        "{error}"
    );
    machine.close().await;
}

#[tokio::test]
async fn limits_of_a_running_container_can_be_changed() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let config = ContainerConfig {
        resources: Resources {
            memory_limit: Some(512 << 20),
            ..Resources::default()
        },
        ..machine.container("until test -e /go; do sleep 0.05; done; x=$(head -c 60000000 /dev/zero | tr '\\0' x)")
    };
    let id = machine.start(&sandbox, &config).await;
    let less = Resources {
        memory_limit: Some(24 << 20),
        ..Resources::default()
    };
    machine.runtime.update_resources(&id, &less).await.unwrap();
    assert!(machine.runtime.usage(&id).await.unwrap().memory_working_set > 0);
    // It needs less than it had, and more than it has.
    let go = ["touch", "/go"].map(str::to_owned);
    machine.runtime.exec(&id, &go, None).await.unwrap();
    assert_eq!(machine.ended(&id).await.reason, "OOMKilled");
    machine.close().await;
}

#[tokio::test]
async fn a_sandbox_whose_pause_dies_is_not_ready_and_can_be_removed() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("sleep 1000")).await;
    let holder = machine
        .data
        .path()
        .join("sandboxes")
        .join(&sandbox.0)
        .join("holder.json");
    let holder: serde_json::Value = serde_json::from_slice(&fs::read(holder).unwrap()).unwrap();
    let pause = i32::try_from(holder["pause"]["pid"].as_i64().unwrap()).unwrap();
    let mut events = machine.runtime.subscribe();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pause), nix::sys::signal::Signal::SIGKILL).unwrap();
    // News of the start may come before it.
    while machine.runtime.pod_status(&pod().pod).await.unwrap().sandboxes[0].ready {
        let event = tokio::time::timeout(Duration::from_secs(120), events.recv()).await;
        assert_eq!(event.unwrap().unwrap().pod, pod().pod);
    }
    machine.runtime.stop_sandbox(&sandbox).await.unwrap();
    assert_eq!(machine.status(&id).await.exit_code, Some(137));
    machine.close().await;
}

#[tokio::test]
async fn an_infra_image_holds_the_sandbox_in_place_of_the_built_in_pause() {
    let machine = Machine::new().await;
    let mut infra = machine.container("").image;
    infra.config.entrypoint = ["/bin/sleep", "4714"].map(str::to_owned).to_vec();
    let machine = machine.again(|options| options.infra = Some(infra)).await;
    let config = SandboxConfig {
        share_process_namespace: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&config).await.unwrap();
    let id = machine.start(&sandbox, &machine.container("exec sleep 1000")).await;
    let see = ["cat", "/proc/1/cmdline"].map(str::to_owned).to_vec();
    let seen = machine.runtime.exec(&id, &see, None).await.unwrap();
    assert_eq!(seen.output(), b"/bin/sleep\x004714\0");
    machine.close().await;
}
