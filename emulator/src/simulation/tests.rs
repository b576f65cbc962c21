//! Lives that are simulated.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::kubelet::invariants::Invariants;

fn scenario(spec: Value) -> Scenario {
    Scenario {
        pod: json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}),
        companions: Vec::new(),
        containers: Default::default(),
        deeds: Vec::new(),
        room: BTreeMap::new(),
        start: Timestamp::from_second(1_800_000_000).unwrap(),
        horizon: Duration::from_secs(3600),
    }
}

fn lived(scenario: Scenario) -> Vec<(i64, Arc<Value>, bool)> {
    let start = scenario.start.as_second();
    let mut seen = Vec::new();
    let mut invariants = Invariants::default();
    simulate(scenario, |moment| {
        if !moment.is_event {
            invariants.check(&moment.object, moment.is_gone);
            seen.push((moment.at.as_second() - start, moment.object.clone(), moment.is_gone));
        }
        false
    })
    .unwrap();
    let violations = invariants.violations;
    assert!(violations.is_empty(), "{violations:#?}");
    seen
}

#[test]
fn a_day_of_a_pod_that_runs_takes_no_time() {
    let mut scenario = scenario(json!({"containers": [{"name": "a", "image": "i:1"}]}));
    scenario.horizon = Duration::from_secs(24 * 3600);
    let began = std::time::Instant::now();
    let seen = lived(scenario);
    assert_eq!(seen.last().unwrap().1["status"]["phase"], "Running");
    // Nowhere near the day that it would take.
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}

#[test]
fn a_deletion_takes_as_long_as_the_container_does() {
    let mut scenario = scenario(json!({"containers": [{"name": "a", "image": "i:1"}]}));
    let run = Run {
        stops_after: Some(Duration::from_secs(12)),
        ..Run::default()
    };
    scenario.containers.insert(
        "a".into(),
        Behaviour {
            runs: vec![run],
            ..Behaviour::default()
        },
    );
    scenario.deeds = vec![(Duration::from_secs(60), Deed::Delete { grace: None })];
    let seen = lived(scenario);
    let (at, _, is_gone) = seen.last().unwrap();
    assert!(*is_gone);
    assert_eq!(*at, 72);
}

#[test]
fn what_the_api_would_refuse_is_refused_in_its_words() {
    let error = simulate(scenario(json!({"containers": [{"name": "a"}]})), |_| false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Pod \"p\" is invalid: spec.containers[0].image: Required value"
    );
}

#[test]
fn a_missing_config_map_keeps_the_container_from_starting() {
    let spec = json!({"containers": [{"name": "a", "image": "i:1", "envFrom": [{"configMapRef": {"name": "c"}}]}]});
    let seen = lived(scenario(spec.clone()));
    let waiting = &seen.last().unwrap().1["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["reason"], "CreateContainerConfigError");
    assert_eq!(waiting["message"], "configmap \"c\" not found");
    let mut with = scenario(spec);
    with.companions = vec![json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})];
    assert_eq!(lived(with).last().unwrap().1["status"]["phase"], "Running");
}

#[test]
fn gates_open_when_they_are_opened() {
    let mut scenario = scenario(json!({"schedulingGates": [{"name": "x.com/g"}], "readinessGates":
        [{"conditionType": "x.com/r"}], "containers": [{"name": "a", "image": "i:1"}]}));
    scenario.deeds = vec![
        (Duration::from_secs(10), Deed::OpenGate { name: "x.com/g".into() }),
        (
            Duration::from_secs(30),
            Deed::Condition {
                kind: "x.com/r".into(),
                status: true,
            },
        ),
    ];
    let seen = lived(scenario);
    let first = |wanted: &dyn Fn(&Value) -> bool| seen.iter().find(|(_, pod, _)| wanted(pod)).map(|(at, ..)| *at);
    assert_eq!(first(&|pod| pod["status"]["phase"] == "Running"), Some(10));
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    assert_eq!(first(&ready), Some(30));
}

#[test]
fn a_node_fits_the_pod_unless_it_is_said_what_it_has() {
    let spec = json!({
        "containers": [{"name": "a", "image": "i:1", "resources": {"limits": {"example.com/gpu": 2, "cpu": 3}}}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]},
                {"key": "disk", "operator": "Exists"}, {"key": "cores", "operator": "Gt", "values": ["7"]},
                {"key": "old", "operator": "DoesNotExist"}]}]}}},
    });
    let is_placed = |scenario| {
        lived(scenario)
            .iter()
            .any(|(_, pod, _)| !pod["spec"]["nodeName"].is_null())
    };
    assert!(is_placed(scenario(spec.clone())));
    let mut small = scenario(spec);
    small.room = BTreeMap::from([("cpu".to_owned(), "2".to_owned())]);
    assert!(!is_placed(small));
}

#[test]
fn what_the_pod_asks_of_the_cluster_is_there() {
    let scenario = scenario(json!({
        "runtimeClassName": "gvisor",
        "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {}}],
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "other"}}}]}},
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "env", "emptyDir": {}}],
        "containers": [{"name": "a", "image": "i:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "env": [{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "env", "path": "f", "key": "A"}}}]}],
    }));
    assert_eq!(lived(scenario).last().unwrap().1["status"]["phase"], "Running");
}

#[test]
fn name_that_is_no_image_reference_is_never_pulled() {
    let seen = lived(scenario(
        json!({"containers": [{"name": "a", "image": "<your-image>"}]}),
    ));
    let status = &seen.last().unwrap().1["status"];
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"]["reason"],
        "InvalidImageName"
    );
}

#[test]
fn restarts_without_back_off_end_in_a_bounded_number_of_steps() {
    let rule = json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]);
    let mut scenario = scenario(
        json!({"restartPolicy": "Never", "initContainers": [{"name": "setup", "image": "i:1"}],
        "containers": [{"name": "a", "image": "i:1", "restartPolicy": "Never", "restartPolicyRules": rule}]}),
    );
    for (name, code) in [("setup", 0), ("a", 42)] {
        let run = Run {
            lasts: Some(Duration::ZERO),
            ends: Termination::exit(code),
            ..Run::default()
        };
        let behaviour = Behaviour {
            runs: vec![run],
            ..Behaviour::default()
        };
        scenario.containers.insert(name.into(), behaviour);
    }
    let mut steps = 0;
    let ended = simulate(scenario, |_| {
        steps += 1;
        false
    });
    assert!(ended.unwrap().is_cut_short);
    assert!(steps <= MAX_STEPS, "{steps}");
}
