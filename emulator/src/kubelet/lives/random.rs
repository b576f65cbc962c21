//! Lives by random scripts: whatever happens, no published status breaks the rules.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// One container, and what becomes of it.
#[derive(Clone, Debug)]
struct RandomContainer {
    plays: Vec<(u64, i32, Option<u64>)>,
    readiness: Option<RandomProbe>,
    liveness: Option<RandomProbe>,
    startup: Option<RandomProbe>,
    post_start: Option<(u64, bool)>,
    pre_stop: Option<u64>,
}

/// A probe, and the seconds at which its answer changes between success and failure.
#[derive(Clone, Debug)]
struct RandomProbe {
    period: u64,
    delay: u64,
    threshold: u64,
    flips: Vec<u64>,
}

/// What is done to the pod from outside.
#[derive(Clone, Debug)]
enum Incident {
    Delete(i64),
    LoseSandboxes,
    LoseContainer,
    ChangeImage,
}

#[derive(Clone, Debug)]
struct RandomLife {
    policy: &'static str,
    grace: u64,
    deadline: Option<u64>,
    init: Vec<(bool, RandomContainer)>,
    regular: Vec<RandomContainer>,
    incidents: Vec<(u64, Incident)>,
}

fn probe() -> impl Strategy<Value = Option<RandomProbe>> {
    let flips = proptest::collection::vec(1..30_u64, 0..5);
    let probe = (1..6_u64, 0..8_u64, 1..4_u64, flips).prop_map(|(period, delay, threshold, flips)| RandomProbe {
        period,
        delay,
        threshold,
        flips,
    });
    proptest::option::of(probe)
}

fn container() -> impl Strategy<Value = RandomContainer> {
    let play = (
        0..40_u64,
        prop_oneof![Just(0), Just(1)],
        proptest::option::of(0..12_u64),
    );
    let plays = proptest::collection::vec(play, 0..4);
    let hooks = (
        proptest::option::of((0..8_u64, any::<bool>())),
        proptest::option::of(0..8_u64),
    );
    (plays, probe(), probe(), probe(), hooks).prop_map(|(plays, readiness, liveness, startup, hooks)| RandomContainer {
        plays,
        readiness,
        liveness,
        startup,
        post_start: hooks.0,
        pre_stop: hooks.1,
    })
}

fn life() -> impl Strategy<Value = RandomLife> {
    let incident = prop_oneof![
        (0..10_i64).prop_map(Incident::Delete),
        Just(Incident::LoseSandboxes),
        Just(Incident::LoseContainer),
        Just(Incident::ChangeImage),
    ];
    (
        prop_oneof![Just("Always"), Just("OnFailure"), Just("Never")],
        0..12_u64,
        proptest::option::of(1..90_u64),
        proptest::collection::vec((any::<bool>(), container()), 0..3),
        proptest::collection::vec(container(), 1..3),
        proptest::collection::vec((1..80_u64, incident), 0..4),
    )
        .prop_map(|(policy, grace, deadline, init, regular, incidents)| RandomLife {
            policy,
            grace,
            deadline,
            init,
            regular,
            incidents,
        })
}

/// What a script is made up of while containers are added to it.
#[derive(Default)]
struct Parts {
    script: Script,
    edges: ScriptedEdges,
}

impl Parts {
    fn add(&mut self, name: &str, random: &RandomContainer, may_have_probes: bool) -> Value {
        let plays = random.plays.iter().map(|(lasts, code, on_term)| Play::Runs {
            lasts: (*lasts < 30).then(|| Duration::from_secs(*lasts)),
            termination: Termination::exit(*code),
            on_term: on_term.map(|after| (Duration::from_secs(after), Termination::exit(*code))),
        });
        self.script = std::mem::take(&mut self.script).with(name, plays);
        let mut container = json!({"name": name});
        if !may_have_probes {
            return container;
        }
        for (field, probe) in [
            ("readinessProbe", &random.readiness),
            ("livenessProbe", &random.liveness),
            ("startupProbe", &random.startup),
        ] {
            let Some(probe) = probe else { continue };
            let command = format!("{name}-{field}");
            let mut flips = probe.flips.clone();
            flips.sort_unstable();
            let answers = std::iter::once(0).chain(flips).enumerate().map(|(index, second)| {
                let fails = Outcome::Failure("no".into());
                (second, if index % 2 == 0 { fails } else { Outcome::Success })
            });
            self.edges = std::mem::take(&mut self.edges).probe(&command, answers.collect::<Vec<_>>());
            container[field] = json!({"exec": {"command": [command]}, "periodSeconds": probe.period,
                "initialDelaySeconds": probe.delay, "failureThreshold": probe.threshold});
        }
        let hooks = [
            ("postStart", random.post_start),
            ("preStop", random.pre_stop.map(|takes| (takes, true))),
        ];
        for (field, hook) in hooks {
            let Some((takes, succeeds)) = hook else { continue };
            let command = format!("{name}-{field}");
            let outcome = if succeeds { Ok(()) } else { Err("no".to_owned()) };
            self.edges = std::mem::take(&mut self.edges).hook(&command, takes, outcome);
            container["lifecycle"][field] = json!({"exec": {"command": [command]}});
        }
        container
    }
}

async fn play(random: RandomLife) {
    let mut parts = Parts::default();
    let mut spec = json!({"restartPolicy": random.policy, "terminationGracePeriodSeconds": random.grace});
    if let Some(deadline) = random.deadline {
        spec["activeDeadlineSeconds"] = json!(deadline);
    }
    let init = random.init.iter().enumerate().map(|(index, (is_sidecar, container))| {
        let mut init = parts.add(&format!("i{index}"), container, *is_sidecar);
        init["image"] = json!("busybox:1");
        if *is_sidecar {
            init["restartPolicy"] = json!("Always");
        }
        init
    });
    spec["initContainers"] = init.collect();
    let regular = random.regular.iter().enumerate();
    spec["containers"] = regular
        .map(|(index, container)| parts.add(&format!("c{index}"), container, true))
        .collect();
    let life = Life::with(parts.script, ScriptedImages::default(), parts.edges);
    life.create(spec);
    let mut incidents = random.incidents;
    incidents.sort_by_key(|(at, _)| *at);
    let mut now = 0;
    for (at, incident) in incidents {
        life.pass(at - now).await;
        now = at;
        if life.store.get(&Life::key()).is_none() {
            break;
        }
        match incident {
            Incident::Delete(grace) => life.delete(grace),
            Incident::LoseSandboxes => life.runtime.lose_sandboxes(),
            Incident::LoseContainer => {
                if let Some(newest) = life.runtime.instances("c0").first() {
                    life.runtime.lose(&newest.id);
                }
            }
            Incident::ChangeImage => life.change(|pod| pod["spec"]["containers"][0]["image"] = json!("busybox:2")),
        }
    }
    life.pass(150).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_script_keeps_every_invariant(random in life()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(play(random));
    }
}
