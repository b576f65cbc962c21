//! Each check: what fails it, in the server's words, and the release that changed it.

use serde_json::{Value, json};

use super::*;

/// What the checks of a level in a release say of a pod: `reason (detail)` each.
fn words(level: Level, minor: u32, pod: &Value) -> Vec<String> {
    let policy = LevelVersion {
        level,
        version: Version::Minor(minor),
    };
    let found = failed(policy, Subject::of(pod));
    found
        .iter()
        .map(|one| format!("{} ({})", one.reason, one.detail))
        .collect()
}

fn fields(level: Level, pod: &Value) -> Vec<String> {
    let found = failed(LevelVersion::latest(level), Subject::of(pod));
    found.into_iter().flat_map(|one| one.fields).collect()
}

/// A pod that is restricted in every release.
fn hardened() -> Value {
    let container = |name: &str| {
        json!({"name": name, "image": "i", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}})
    };
    json!({"metadata": {}, "spec": {
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [container("i")], "containers": [container("a")]}})
}

/// The hardened pod with one more field, at a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut pod = hardened();
    let mut place = &mut pod;
    for step in pointer.split('/') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    pod
}

/// Asserts what baseline (or the level of the case) says of the hardened pod with one more field, in the newest release.
fn assert_baseline(pointer: &str, value: Value, expected: &str, field: &str) {
    let pod = with(pointer, value);
    assert_eq!(words(Level::Baseline, NEWEST, &pod), [expected], "{pointer}");
    assert_eq!(fields(Level::Baseline, &pod), [field], "{pointer}");
}

#[test]
fn hardened_pod_meets_every_level_in_every_release() {
    let none: Vec<String> = Vec::new();
    for minor in 0..=40 {
        assert_eq!(words(Level::Restricted, minor, &hardened()), none, "1.{minor}");
    }
}

#[test]
fn plain_pod_meets_baseline_and_not_restricted() {
    let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
    let none: Vec<String> = Vec::new();
    assert_eq!(words(Level::Baseline, NEWEST, &pod), none);
    assert_eq!(
        words(Level::Restricted, NEWEST, &pod),
        [
            "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set \
             securityContext.allowPrivilegeEscalation=false)",
            "unrestricted capabilities (containers \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"])",
            "runAsNonRoot != true (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true)",
            "seccompProfile (pod or containers \"a\", \"b\" must set securityContext.seccompProfile.type to \
             \"RuntimeDefault\" or \"Localhost\")",
        ]
    );
}

#[test]
fn app_armor_by_field_and_annotation_must_confine() {
    let mut pod = with("spec/securityContext/appArmorProfile", json!({"type": "Unconfined"}));
    let key = "container.apparmor.security.beta.kubernetes.io/a";
    pod["metadata"]["annotations"][key] = json!("unconfined");
    assert_eq!(
        words(Level::Baseline, NEWEST, &pod),
        [format!(
            "forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to \"Unconfined\", \
             \"{key}=\"unconfined\"\")"
        )]
    );
    assert_baseline(
        "spec/containers/0/securityContext/appArmorProfile",
        json!({"type": "Unconfined"}),
        "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to \"Unconfined\")",
        "spec.containers[0].securityContext.appArmorProfile.type",
    );
}

#[test]
fn capabilities_are_checked_by_baseline_or_restricted() {
    let pod = with(
        "spec/containers/0/securityContext/capabilities/add",
        json!(["CHOWN", "NET_RAW"]),
    );
    assert_eq!(
        words(Level::Baseline, NEWEST, &pod),
        ["non-default capabilities (container \"a\" must not include \"NET_RAW\" in securityContext.capabilities.add)"]
    );
    assert_eq!(
        fields(Level::Baseline, &pod),
        ["spec.containers[0].securityContext.capabilities.add[1]"]
    );
    assert_eq!(
        words(Level::Restricted, NEWEST, &pod),
        [
            "unrestricted capabilities (container \"a\" must not include \"CHOWN\", \"NET_RAW\" in \
          securityContext.capabilities.add)"
        ]
    );
    // Before 1.22 restricted asked for no more than baseline.
    assert_eq!(words(Level::Restricted, 21, &pod), words(Level::Baseline, 21, &pod));
    let pod = with(
        "spec/initContainers/0/securityContext/capabilities",
        json!({"add": ["NET_BIND_SERVICE"]}),
    );
    assert_eq!(
        words(Level::Restricted, 22, &pod),
        ["unrestricted capabilities (container \"i\" must set securityContext.capabilities.drop=[\"ALL\"])"]
    );
}

#[test]
fn host_namespaces_ports_and_paths_are_forbidden() {
    assert_baseline(
        "spec/hostPID",
        json!(true),
        "host namespaces (hostPID=true)",
        "spec.hostPID",
    );
    assert_baseline(
        "spec/volumes",
        json!([{"name": "v", "hostPath": {"path": "/"}}]),
        "hostPath volumes (volume \"v\")",
        "spec.volumes[0].hostPath",
    );
    assert_baseline(
        "spec/containers/0/ports",
        json!([{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]),
        "hostPort (container \"a\" uses hostPort 81)",
        "spec.containers[0].ports[1].hostPort",
    );
    let mut pod = with("spec/containers/0/ports", json!([{"hostPort": 9}, {"hostPort": 80}]));
    pod["spec"]["initContainers"][0]["ports"] = json!([{"hostPort": 80}]);
    assert_eq!(
        words(Level::Baseline, NEWEST, &pod),
        ["hostPort (containers \"i\", \"a\" use hostPorts 80, 9)"]
    );
}

#[test]
fn probe_hosts_are_forbidden_since_1_34() {
    let pod = with(
        "spec/containers/0/livenessProbe",
        json!({"httpGet": {"host": "10.0.0.1"}}),
    );
    let none: Vec<String> = Vec::new();
    assert_eq!(words(Level::Baseline, 33, &pod), none);
    let expected = "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"10.0.0.1\")";
    assert_eq!(words(Level::Baseline, 34, &pod), [expected]);
    assert_baseline(
        "spec/containers/0/lifecycle",
        json!({"preStop": {"tcpSocket": {"host": "h"}}}),
        "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")",
        "spec.containers[0].lifecycle.preStop.tcpSocket.host",
    );
}

#[test]
fn privileged_and_host_process_are_forbidden() {
    assert_baseline(
        "spec/containers/0/securityContext/privileged",
        json!(true),
        "privileged (container \"a\" must not set securityContext.privileged=true)",
        "spec.containers[0].securityContext.privileged",
    );
    assert_baseline(
        "spec/securityContext/windowsOptions",
        json!({"hostProcess": true}),
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        "spec.securityContext.windowsOptions.hostProcess",
    );
}

#[test]
fn open_proc_is_baseline_in_a_user_namespace_since_1_35() {
    let mut pod = with("spec/containers/0/securityContext/procMount", json!("Unmasked"));
    let expected = "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")";
    assert_eq!(words(Level::Baseline, 35, &pod), [expected]);
    pod["spec"]["hostUsers"] = json!(false);
    let none: Vec<String> = Vec::new();
    assert_eq!(words(Level::Baseline, 34, &pod), [expected]);
    assert_eq!(words(Level::Baseline, 35, &pod), none);
    assert_eq!(words(Level::Restricted, 35, &pod), [expected]);
}

#[test]
fn se_linux_types_are_few_and_one_more_since_1_31() {
    let pod = with(
        "spec/securityContext/seLinuxOptions",
        json!({"type": "container_engine_t", "user": "u", "role": "r"}),
    );
    let rest = "user may not be set; role may not be set";
    assert_eq!(
        words(Level::Baseline, 30, &pod),
        [format!(
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"container_engine_t\"; {rest})"
        )]
    );
    assert_eq!(
        words(Level::Baseline, 31, &pod),
        [format!(
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: {rest})"
        )]
    );
}

#[test]
fn seccomp_was_an_annotation_before_1_19() {
    let mut pod = with(
        "spec/containers/0/securityContext/seccompProfile",
        json!({"type": "Unconfined"}),
    );
    let key = "container.seccomp.security.alpha.kubernetes.io/a";
    pod["metadata"]["annotations"][key] = json!("unconfined");
    assert_eq!(
        words(Level::Baseline, 18, &pod),
        [format!("seccompProfile (forbidden annotation {key}=\"unconfined\")")]
    );
    let by_field =
        "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")";
    assert_eq!(words(Level::Baseline, 19, &pod), [by_field]);
    assert_eq!(words(Level::Restricted, 19, &pod), [by_field]);
}

#[test]
fn sysctls_grow_with_the_releases() {
    let pod = with(
        "spec/securityContext/sysctls",
        json!([{"name": "net.ipv4.tcp_rmem"}, {"name": "net.ipv4.tcp_keepalive_time"}, {"name": "kernel.msgmax"}]),
    );
    for (minor, forbidden) in [
        (28, "net.ipv4.tcp_rmem, net.ipv4.tcp_keepalive_time, kernel.msgmax"),
        (31, "net.ipv4.tcp_rmem, kernel.msgmax"),
        (32, "kernel.msgmax"),
        (99, "kernel.msgmax"),
    ] {
        let expected = format!("forbidden sysctls ({forbidden})");
        assert_eq!(words(Level::Baseline, minor, &pod), [expected], "1.{minor}");
    }
}

#[test]
fn restricted_volumes_replace_host_paths() {
    let pod = with(
        "spec/volumes",
        json!([{"name": "h", "hostPath": {}}, {"name": "n", "nfs": {}}, {"name": "e", "emptyDir": {}}, {"name": "d"}]),
    );
    assert_eq!(
        words(Level::Restricted, NEWEST, &pod),
        ["restricted volume types (volumes \"h\", \"n\" use restricted volume types \"hostPath\", \"nfs\")"]
    );
}

#[test]
fn root_is_refused_but_in_a_user_namespace_since_1_35() {
    let mut pod = with("spec/containers/0/securityContext/runAsNonRoot", json!(false));
    pod["spec"]["securityContext"]["runAsUser"] = json!(0);
    let expected = [
        "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
        "runAsUser=0 (pod must not set runAsUser=0)",
    ];
    assert_eq!(words(Level::Restricted, NEWEST, &pod), expected);
    assert_eq!(words(Level::Restricted, 22, &pod), expected[..1]);
    pod["spec"]["hostUsers"] = json!(false);
    assert_eq!(words(Level::Restricted, 34, &pod), expected);
    let none: Vec<String> = Vec::new();
    assert_eq!(words(Level::Restricted, 35, &pod), none);
}

#[test]
fn windows_pods_need_no_linux_fields_since_1_25() {
    let pod = json!({"spec": {"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true},
        "containers": [{"name": "a"}]}});
    let none: Vec<String> = Vec::new();
    assert_eq!(words(Level::Restricted, 25, &pod), none);
    assert_eq!(words(Level::Restricted, 24, &pod).len(), 3);
}
