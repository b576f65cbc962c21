//! One mistake each, and the server's words for it.

use serde_json::json;

use super::*;
use crate::api::admission::defaults;

/// The words for a pod with this spec, after `Pod "p" is invalid: `.
fn mistakes(spec: Value) -> String {
    let mut pod = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": spec});
    defaults::apply(Resource::Pods, &mut pod);
    match validate(Resource::Pods, &pod) {
        Ok(()) => String::new(),
        Err(error) => error
            .to_string()
            .trim_start_matches("Pod \"p\" is invalid: ")
            .to_owned(),
    }
}

/// The same for a pod of one container with these fields besides name and image.
fn of_container(fields: Value) -> String {
    let mut container = json!({"name": "a", "image": "b"});
    for (field, value) in fields.as_object().unwrap() {
        container[field] = value.clone();
    }
    mistakes(json!({"containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}))
}

#[test]
fn a_container_needs_a_name_and_an_image() {
    assert_eq!(mistakes(json!({})), "spec.containers: Required value");
    assert_eq!(
        mistakes(json!({"containers": [{}]})),
        "[spec.containers[0].name: Required value, spec.containers[0].image: Required value]"
    );
}

#[test]
fn names_must_be_labels_and_differ() {
    assert!(of_container(json!({"name": "A"})).starts_with(
        "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric \
         characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used \
         for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ));
    let two = json!([{"name": "a", "image": "b"}, {"name": "a", "image": "b"}]);
    assert_eq!(
        mistakes(json!({"containers": two})),
        "spec.containers[1].name: Duplicate value: \"a\""
    );
}

#[test]
fn a_policy_is_one_of_a_few() {
    assert_eq!(
        of_container(json!({"imagePullPolicy": "Sometimes"})),
        "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\""
    );
    assert_eq!(
        mistakes(json!({"restartPolicy": "Maybe", "containers": [{"name": "a", "image": "b"}]})),
        "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\""
    );
}

#[test]
fn ports_are_numbers_below_65536() {
    assert_eq!(
        of_container(json!({"ports": [{"containerPort": 70000}]})),
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"
    );
}

#[test]
fn a_request_is_at_most_the_limit() {
    assert_eq!(
        of_container(json!({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}})),
        "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
    );
    assert_eq!(
        of_container(json!({"resources": {"limits": {"memory": "-1"}, "requests": {"memory": "-1"}}})),
        "[spec.containers[0].resources.limits[memory]: Invalid value: \"-1\": must be greater than or equal to 0, \
         spec.containers[0].resources.requests[memory]: Invalid value: \"-1\": must be greater than or equal to 0]"
    );
}

#[test]
fn a_mount_needs_its_volume() {
    assert_eq!(
        of_container(json!({"volumeMounts": [{"name": "x", "mountPath": "/x"}]})),
        "spec.containers[0].volumeMounts[0].name: Not found: \"x\""
    );
    assert_eq!(
        of_container(json!({"volumeMounts": [{"name": "v", "mountPath": "/x"}, {"name": "v", "mountPath": "/x"}]})),
        "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique"
    );
}

#[test]
fn a_volume_has_one_source() {
    assert_eq!(
        mistakes(json!({"containers": [{"name": "a", "image": "b"}],
            "volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]})),
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"
    );
}

#[test]
fn a_probe_has_one_handler() {
    assert_eq!(
        of_container(json!({"livenessProbe": {}})),
        "spec.containers[0].livenessProbe: Required value: must specify a handler type"
    );
    assert_eq!(
        of_container(json!({"livenessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}})),
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"
    );
    assert_eq!(
        of_container(json!({"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}})),
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"
    );
}

#[test]
fn init_containers_have_no_probes_and_no_hooks() {
    let init = |restart: Value| {
        let mut init = json!({"name": "i", "image": "b", "livenessProbe": {"exec": {"command": ["x"]}},
            "lifecycle": {"preStop": {"exec": {"command": ["x"]}}}});
        if !restart.is_null() {
            init["restartPolicy"] = restart;
        }
        mistakes(json!({"containers": [{"name": "a", "image": "b"}], "initContainers": [init]}))
    };
    assert_eq!(
        init(Value::Null),
        "[spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always, \
         spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always]"
    );
    assert_eq!(init("Always".into()), "");
}

#[test]
fn a_variable_has_one_source() {
    assert_eq!(
        of_container(json!({"env": [{"name": "A=B"}]})),
        "spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of printable \
         ASCII characters other than '='"
    );
    assert_eq!(
        of_container(json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]})),
        "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.x\": error converting fieldPath: field label \
         not supported: spec.x"
    );
    assert_eq!(
        of_container(json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]})),
        ""
    );
}

#[test]
fn ranges_are_kept() {
    let with = |field: &str, value: Value| {
        let mut spec = json!({"containers": [{"name": "a", "image": "b"}]});
        spec[field] = value;
        mistakes(spec)
    };
    assert_eq!(
        with("activeDeadlineSeconds", json!(0)),
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"
    );
    assert_eq!(
        with("securityContext", json!({"runAsUser": -1})),
        "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"
    );
    assert_eq!(
        with("hostAliases", json!([{"ip": "x"}])),
        "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    );
    assert_eq!(
        with("tolerations", json!([{"operator": "Equal"}])),
        "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all \
         values and all keys\""
    );
    for (value, why) in [
        ("", "must be non-empty"),
        ("007", "must be a valid decimal integer in canonical form"),
        ("-0", "must be a valid decimal integer in canonical form"),
        ("1.5", "must be a valid decimal integer in canonical form"),
    ] {
        assert_eq!(
            with("tolerations", json!([{"key": "k", "operator": "Gt", "value": value}])),
            format!("spec.tolerations[0].value: Invalid value: {value:?}: {why}")
        );
    }
    assert_eq!(
        with("dnsPolicy", json!("None")),
        "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"
    );
}

#[test]
fn metadata_is_checked_first() {
    let mut pod = json!({"metadata": {"name": "P_1", "namespace": "default", "labels": {"a b": "c d"}},
        "spec": {"containers": [{"name": "a", "image": "b"}]}});
    defaults::apply(Resource::Pods, &mut pod);
    let error = validate(Resource::Pods, &pod).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "Pod \"P_1\" is invalid: [metadata.name: Invalid value: \"P_1\": a lowercase RFC 1123 subdomain must"
        ),
        "{error}"
    );
    assert!(
        error.contains("metadata.labels: Invalid value: \"a b\": name part must consist of"),
        "{error}"
    );
    assert!(
        error.contains("metadata.labels: Invalid value: \"c d\": a valid label must be"),
        "{error}"
    );
}

#[test]
fn keys_of_config_maps_are_file_names() {
    let map = json!({"metadata": {"name": "m", "namespace": "default"}, "data": {"a/b": ""}});
    let error = validate(Resource::ConfigMaps, &map).unwrap_err().to_string();
    assert!(
        error.starts_with("ConfigMap \"m\" is invalid: data[a/b]: Invalid value: \"a/b\": a valid config key must"),
        "{error}"
    );
}

#[test]
fn an_apparmor_profile_is_of_a_known_kind_and_of_a_container_that_is_there() {
    let profile = |profile: Value| of_container(json!({"securityContext": {"appArmorProfile": profile}}));
    let path = "spec.containers[0].securityContext.appArmorProfile";
    for (given, mistake) in [
        (
            json!({"type": "Localhost"}),
            ".localhostProfile: Required value: must be set when AppArmor type is Localhost",
        ),
        (
            json!({"type": "Localhost", "localhostProfile": " p"}),
            ".localhostProfile: Invalid value: \" p\": must not be padded with whitespace",
        ),
        (
            json!({"type": "Unconfined", "localhostProfile": "p"}),
            ".localhostProfile: Invalid value: \"p\": can only be set when AppArmor type is Localhost",
        ),
        (
            json!({"type": "Other"}),
            ".type: Unsupported value: \"Other\": supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\"",
        ),
        (
            json!({"type": ""}),
            ".type: Required value: type is required when appArmorProfile is set",
        ),
    ] {
        assert_eq!(profile(given), format!("{path}{mistake}"));
    }
    assert_eq!(profile(json!({"type": "RuntimeDefault"})), "");
    let key = "container.apparmor.security.beta.kubernetes.io/x";
    let mut pod = json!({"metadata": {"name": "p", "namespace": "default", "annotations": {key: "none"}},
        "spec": {"containers": [{"name": "a", "image": "b"}]}});
    defaults::apply(Resource::Pods, &mut pod);
    assert_eq!(
        validate(Resource::Pods, &pod).unwrap_err().to_string(),
        format!(
            "Pod \"p\" is invalid: [metadata.annotations[{key}]: Invalid value: \"x\": container not found, \
             metadata.annotations[{key}]: Invalid value: \"none\": invalid AppArmor profile name: \"none\"]"
        )
    );
}

/// The words for an object of a kind that is no pod, after `KIND "o" is invalid: `.
fn mistakes_of(resource: Resource, body: Value) -> String {
    let mut object = json!({"metadata": {"name": "o", "namespace": "default"}});
    for (field, value) in body.as_object().unwrap() {
        object[field] = value.clone();
    }
    defaults::apply(resource, &mut object);
    let error = validate(resource, &object).err().map(|error| error.to_string());
    let words = error.unwrap_or_default();
    words
        .split_once("is invalid: ")
        .map_or(words.clone(), |(_, words)| words.to_owned())
}

#[test]
fn limit_range_contradicting_itself_is_refused() {
    let item = |item: Value| mistakes_of(Resource::LimitRanges, json!({"spec": {"limits": [item]}}));
    for (given, expected) in [
        (
            json!({"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1"}}),
            "",
        ),
        (
            json!({"type": "Thing"}),
            "spec.limits[0].type: Invalid value: \"Thing\": must be a standard limit type or fully qualified",
        ),
        (
            json!({"type": "Pod", "default": {"cpu": "1"}}),
            "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
        ),
        (
            json!({"type": "Container", "max": {"pods": "1"}, "default": {"pods": "1"}, "defaultRequest": {"pods": "1"}}),
            "[spec.limits[0].max[pods]: Invalid value: \"pods\": must be a standard resource for containers, \
             spec.limits[0].default[pods]: Invalid value: \"pods\": must be a standard resource for containers, \
             spec.limits[0].defaultRequest[pods]: Invalid value: \"pods\": must be a standard resource for containers]",
        ),
        (
            json!({"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}),
            "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
        ),
        (
            json!({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}}),
            "spec.limits[0].defaultRequest[cpu]: Invalid value: \"2\": default request value 2 is greater than default limit \
             value 1",
        ),
        (
            json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}),
            "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1",
        ),
        (
            json!({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}}),
            "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = 2.000000",
        ),
        (
            json!({"type": "PersistentVolumeClaim", "max": {"example.com/x": "1"}}),
            "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was \
             provided",
        ),
    ] {
        assert_eq!(item(given), expected);
    }
    let twice = json!({"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}});
    assert_eq!(
        mistakes_of(Resource::LimitRanges, twice),
        "spec.limits[1].type: Duplicate value: \"Pod\""
    );
}

#[test]
fn quota_with_unfit_names_or_scopes_is_refused() {
    let spec = |spec: Value| mistakes_of(Resource::ResourceQuotas, json!({"spec": spec}));
    for (given, expected) in [
        (
            json!({"hard": {"pods": "1", "count/jobs.batch": "2", "requests.example.com/gpu": "1"}}),
            "",
        ),
        (
            json!({"hard": {"gpus": "1"}}),
            "[spec.hard[gpus]: Invalid value: \"gpus\": must be a standard resource type or fully qualified, \
             spec.hard[gpus]: Invalid value: \"gpus\": must be a standard resource for quota]",
        ),
        (
            json!({"hard": {"pods": "-1"}}),
            "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
        (
            json!({"hard": {"pods": "1500m"}}),
            "spec.hard[pods]: Invalid value: \"1500m\": must be an integer",
        ),
        (
            json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
            "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource",
        ),
        (
            json!({"scopes": ["Terminating", "NotTerminating"]}),
            "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes",
        ),
        (
            json!({"scopes": ["Some"]}),
            "spec.scopes: Invalid value: [\"Some\"]: unsupported scope",
        ),
        (
            json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}}),
            "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' \
             or 'NotIn' for scope selector",
        ),
        (
            json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Is"}]}}),
            "spec.scopeSelector.matchExpressions.operator: Invalid value: \"Is\": not a valid selector operator",
        ),
    ] {
        assert_eq!(spec(given), expected);
    }
}

#[test]
fn runtime_class_with_unfit_handler_or_overhead_is_refused() {
    let class = |class: Value| mistakes_of(Resource::RuntimeClasses, class);
    assert_eq!(
        class(json!({"handler": "runc", "overhead": {"podFixed": {"cpu": "1"}}})),
        ""
    );
    assert!(
        class(json!({"handler": "Run C"})).starts_with("handler: Invalid value: \"Run C\": a lowercase RFC 1123 label")
    );
    assert_eq!(
        class(json!({"handler": "runc", "overhead": {"podFixed": {"cpu": "-1"}}})),
        "overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"
    );
    let toleration = json!({"key": "a", "operator": "Exists"});
    assert_eq!(
        class(json!({"handler": "runc", "scheduling": {"tolerations": [toleration, toleration]}})),
        "scheduling.tolerations[1]: Duplicate value: {\"key\":\"a\",\"operator\":\"Exists\"}"
    );
}

#[test]
fn pod_template_is_checked_at_its_place() {
    let template = |template: Value| mistakes_of(Resource::PodTemplates, json!({"template": template}));
    let spec = json!({"containers": [{"name": "a", "image": "b"}]});
    assert_eq!(template(json!({"spec": spec})), "");
    assert_eq!(
        template(json!({"metadata": {"labels": {"a": "b c"}}, "spec": {"containers": [{"name": "a"}]}}))
            .matches("template.labels: Invalid value: \"b c\"")
            .count(),
        1
    );
    assert_eq!(
        template(json!({"spec": {"containers": [{"name": "a"}]}})),
        "template.spec.containers[0].image: Required value"
    );
    let mut with_ephemeral = spec;
    with_ephemeral["ephemeralContainers"] = json!([{"name": "d", "image": "b"}]);
    assert_eq!(
        template(json!({"spec": with_ephemeral})),
        "template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template"
    );
}
