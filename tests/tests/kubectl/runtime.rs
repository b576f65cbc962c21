//! What containerd and runc do for every container, and programs rely on.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use tests::{kubectl::Version, output::Output, tools};

use crate::World;

/// A pod of one container that runs once.
fn once(name: &str, script: &str, changes: &Value) -> Value {
    let mut container =
        json!({"name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", script]});
    for (field, value) in changes.as_object().into_iter().flatten() {
        container[field] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}})
}

fn apply(world: &World, pod: &Value) -> Output {
    let applied = world.kubectl.feed("apply -f -", &pod.to_string());
    assert_eq!(applied.code, 0, "{applied:#?}");
    applied
}

/// Waits until the pod has ended so; its log.
fn log_of_ended(world: &World, name: &str, phase: &str) -> String {
    let line = format!("get pod {name} -o jsonpath={{.status.phase}}");
    world.kubectl.until(&line, |now| now == phase);
    world.kubectl.says(&format!("logs {name}"))
}

fn shell(world: &World, pod: &str, script: &str) -> Output {
    Output::of(&mut world.kubectl.command_of(&["exec", pod, "--", "sh", "-c", script]))
}

#[test]
fn refused_program_starts_and_ends_with_255() {
    let world = World::with_sleeper(Version::Current);
    let mut pod = once(
        "refused",
        "",
        &json!({"command": ["/data/app"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}),
    );
    pod["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    pod["spec"]["initContainers"] = json!([{"name": "write", "image": "busybox:1", "imagePullPolicy": "Never",
        "command": ["sh", "-c", "echo echo >/data/app; chmod +x /data/app"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]);
    apply(&world, &pod);
    assert_eq!(
        log_of_ended(&world, "refused", "Failed"),
        "exec /data/app: exec format error\n"
    );
    let ended = "get pod refused -o jsonpath={.status.containerStatuses[0].state.terminated}";
    let ended: Value = serde_json::from_str(&world.kubectl.says(ended)).unwrap();
    assert_eq!((&ended["reason"], &ended["exitCode"]), (&json!("Error"), &json!(255)));
    assert!(
        ended["startedAt"].as_str().is_some_and(|at| !at.starts_with("1970")),
        "{ended}"
    );
    let started = "get events --field-selector=involvedObject.name=refused,reason=Started -o name";
    world.kubectl.until(started, |events| events.lines().count() == 2);

    let _ = shell(&world, "sleeper", "echo echo >/tmp/app; chmod +x /tmp/app").succeeded();
    let refused = world.kubectl.run("exec sleeper -- /tmp/app");
    assert_eq!(refused.code, 255, "{refused:#?}");
    assert!(
        refused.stderr.starts_with("exec /tmp/app: exec format error\n"),
        "{refused:#?}"
    );
}

#[test]
fn every_user_may_serve_low_ports() {
    let world = World::new(Version::Current);
    let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; httpd -p 80 && echo serves";
    apply(
        &world,
        &once("low", script, &json!({"securityContext": {"runAsUser": 1000}})),
    );
    assert_eq!(log_of_ended(&world, "low", "Succeeded"), "0\nserves\n");
    let mut own = once("own", script, &json!({"securityContext": {"runAsUser": 1000}}));
    own["spec"]["securityContext"] =
        json!({"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "500"}]});
    apply(&world, &own);
    let log = log_of_ended(&world, "own", "Failed");
    assert!(log.contains("500\n") && log.contains("Permission denied"), "{log}");
}

#[test]
fn capability_names_with_prefix_have_no_effect() {
    let world = World::new(Version::Current);
    let capabilities = json!({"add": ["CAP_NET_ADMIN", "sys_time", "FLY"], "drop": ["CAP_CHOWN", "kill"]});
    let pod = once(
        "caps",
        "grep CapBnd /proc/self/status",
        &json!({"securityContext": {"capabilities": capabilities}}),
    );
    let warned = apply(&world, &pod).stderr;
    let warnings: Vec<&str> = warned.lines().filter(|line| line.starts_with("Warning: ")).collect();
    let at = "Warning: spec.containers[0].securityContext.capabilities";
    assert_eq!(
        warnings,
        [
            format!("{at}.add[0]: \"CAP_NET_ADMIN\" has no effect, CAP_ is put before each name: use \"NET_ADMIN\""),
            format!("{at}.add[2]: \"FLY\" has no effect: it is no capability of Linux"),
            format!("{at}.drop[0]: \"CAP_CHOWN\" has no effect, CAP_ is put before each name: use \"CHOWN\""),
        ]
    );
    // containerd's own, with SYS_TIME (25) and without KILL (5).
    assert_eq!(log_of_ended(&world, "caps", "Succeeded"), "CapBnd:\t00000000aa0425db\n");
}

#[test]
fn volumes_of_an_image_are_writable_and_filled() {
    let world = World::new(Version::Current);
    let archive = tools::volumes_archive();
    let _ = world
        .emulator
        .command(&["load", &archive.to_string_lossy()])
        .succeeded();
    let script =
        "cat /etc/passwd; touch /etc/new /data/new && echo written; touch /new 2>/dev/null || echo fixed; ls /data";
    let sealed = json!({"image": "volumes:1", "securityContext": {"readOnlyRootFilesystem": true}});
    apply(&world, &once("filled", script, &sealed));
    let log = log_of_ended(&world, "filled", "Succeeded");
    assert_eq!(log, "root:x:0:0:root:/root:/bin/sh\nwritten\nfixed\nnew\n");
    let mut mounted = once("mounted", "ls /data; touch /data/new || echo refused", &sealed);
    mounted["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "own", "mountPath": "/data/"}]);
    mounted["spec"]["volumes"] = json!([{"name": "own", "configMap": {"name": "own"}}]);
    world.kubectl.does("create configmap own --from-literal=key=value");
    apply(&world, &mounted);
    let log = log_of_ended(&world, "mounted", "Succeeded");
    assert!(log.contains("key\n") && log.contains("refused\n"), "{log}");
}

#[test]
fn exec_lasts_until_its_output_is_closed() {
    let world = World::with_sleeper(Version::Current);
    let late = "(until [ -e /tmp/go ]; do sleep 0.1; done; echo late) & echo early";
    let mut command = world.kubectl.command_of(&["exec", "sleeper", "--", "sh", "-c", late]);
    let mut command = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(command.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "early");
    // Long enough for one that looks at the command alone to be over.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(command.try_wait().unwrap(), None, "a process holds its output");
    let _ = shell(&world, "sleeper", "touch /tmp/go").succeeded();
    assert_eq!(lines.next().unwrap().unwrap(), "late");
    assert!(command.wait().unwrap().success());
}

#[test]
fn hooks_and_probes_wait_for_what_they_leave_behind() {
    let world = World::new(Version::Current);
    let sleeps = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    let hook = json!({"postStart": {"exec": {"command": ["sh", "-c", "(sleep 2; touch /hooked) & exit 0"]}}});
    apply(&world, &once("hooked", sleeps, &json!({"lifecycle": hook})));
    world.kubectl.until_ready("hooked");
    let _ = shell(&world, "hooked", "ls /hooked").succeeded();
    let probe = json!({"exec": {"command": ["sh", "-c", "sleep 600 & exit 0"]}, "periodSeconds": 1});
    apply(&world, &once("probed", sleeps, &json!({"readinessProbe": probe})));
    let unhealthy =
        "get events --field-selector=involvedObject.name=probed,reason=Unhealthy -o jsonpath={.items[*].message}";
    world
        .kubectl
        .until(unhealthy, |message| message.contains("command timed out"));
    let ready = "get pod probed -o jsonpath={.status.containerStatuses[0].ready}";
    assert_eq!(world.kubectl.says(ready), "false");
}
