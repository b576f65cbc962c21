//! The probers of one pod: a task per probe, which runs it and keeps its finding.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Probe;
use tokio::{sync::Notify, task::JoinSet, time::Instant};

use super::{
    edges::{Aim, Outcome},
    node::Node,
    pod::{Declared, Kind, Pod},
    probe_state::{Finding, ProbeKind, ProbeState, Results, Target, Tick},
};
use crate::events::EventType;

/// How often a probe that can't be run is tried before its tick is given up.
const TRIES: usize = 3;

/// What the probers see of their pod.
#[derive(Clone)]
pub(super) struct View {
    pub(super) pod: Arc<Pod>,
    /// By container name.
    pub(super) targets: BTreeMap<String, Target>,
    /// The pod is being ended.
    pub(super) ending: bool,
    pub(super) ip: Option<IpAddr>,
}

struct Shared {
    node: Arc<Node>,
    results: Mutex<Results>,
    view: Mutex<View>,
    news: Arc<Notify>,
}

/// The probers of one pod; they end when this is dropped.
pub(super) struct Probers {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    triggers: HashMap<String, Arc<Notify>>,
}

impl Probers {
    /// Starts a prober for each probe in the spec. `news` is told of findings that ask for a sync.
    pub(super) fn start(node: Arc<Node>, pod: &Arc<Pod>, news: Arc<Notify>, results: Results) -> Self {
        let shared = Arc::new(Shared {
            node,
            results: Mutex::new(results),
            view: Mutex::new(View {
                pod: pod.clone(),
                targets: BTreeMap::new(),
                ending: false,
                ip: None,
            }),
            news,
        });
        let (mut tasks, mut triggers) = (JoinSet::new(), HashMap::new());
        for declared in pod.of(&[Kind::Sidecar, Kind::Regular]) {
            let container = &declared.container;
            for (kind, probe) in [
                (ProbeKind::Startup, &container.startup_probe),
                (ProbeKind::Readiness, &container.readiness_probe),
                (ProbeKind::Liveness, &container.liveness_probe),
            ] {
                let Some(probe) = probe.clone() else { continue };
                let trigger = Arc::new(Notify::new());
                if kind == ProbeKind::Readiness {
                    triggers.insert(declared.name().to_owned(), trigger.clone());
                }
                tasks.spawn(run(shared.clone(), declared.name().to_owned(), kind, probe, trigger));
            }
        }
        Self {
            shared,
            tasks,
            triggers,
        }
    }

    /// What the probes have found so far.
    pub(super) fn results(&self) -> Results {
        lock(&self.shared.results).clone()
    }

    /// Shows the probers the pod as it is now.
    pub(super) fn show(&self, view: View) {
        *lock(&self.shared.view) = view;
    }

    /// Has the readiness probe of a container run at once.
    pub(super) fn trigger_readiness(&self, container: &str) {
        if let Some(trigger) = self.triggers.get(container) {
            trigger.notify_one();
        }
    }

    /// Ends all of them.
    pub(super) fn stop(&mut self) {
        self.tasks.abort_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(shared: Arc<Shared>, container: String, kind: ProbeKind, probe: Probe, trigger: Arc<Notify>) {
    let period = Duration::from_secs(u64::try_from(probe.period_seconds.unwrap_or(10)).unwrap_or(10).max(1));
    let mut state = ProbeState::new(kind, &probe);
    let mut next = Instant::now();
    loop {
        let view = lock(&shared.view).clone();
        let (tick, changed) = state.tick(
            view.targets.get(&container),
            view.ending,
            &mut lock(&shared.results),
            shared.node.clock.now(),
        );
        if changed && kind != ProbeKind::Liveness {
            shared.news.notify_one();
        }
        match tick {
            Tick::Stop => return,
            Tick::Wait => {}
            Tick::Probe => {
                if let (Some(declared), Some(target)) = (view.pod.container(&container), view.targets.get(&container)) {
                    let finding = once(&shared.node, &view, declared, target, kind, &probe).await;
                    let changed = state.record(finding, &mut lock(&shared.results));
                    if changed && (kind != ProbeKind::Liveness || finding == Finding::Failure) {
                        shared.news.notify_one();
                    }
                }
            }
        }
        next += period;
        let now = Instant::now();
        if next < now {
            // A probe that took longer than its period: the ticks that passed meanwhile are one.
            next = now;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = trigger.notified() => next = Instant::now(),
        }
    }
}

async fn once(
    node: &Node,
    view: &View,
    declared: &Declared,
    target: &Target,
    kind: ProbeKind,
    probe: &Probe,
) -> Finding {
    let mut outcome = Outcome::Errored("unknown", String::new());
    for _ in 0..TRIES {
        let aim = Aim {
            pod: &view.pod,
            declared,
            id: &target.id,
            ip: view.ip,
        };
        outcome = node.edges.probe(aim, probe).await;
        if !matches!(outcome, Outcome::Errored(..)) {
            break;
        }
    }
    let name = kind.as_str();
    let (finding, event) = match outcome {
        Outcome::Success => (Finding::Success, None),
        Outcome::Warning(output) => (
            Finding::Success,
            Some(("ProbeWarning", format!("{name} probe warning: {output}"))),
        ),
        Outcome::Failure(output) => (
            Finding::Failure,
            Some(("Unhealthy", format!("{name} probe failed: {output}"))),
        ),
        Outcome::Errored(state, error) => (
            Finding::Unknown,
            Some((
                "Unhealthy",
                format!("{name} probe errored and resulted in {state} state: {error}"),
            )),
        ),
    };
    if let Some((reason, message)) = event {
        node.container_event(&view.pod, declared, EventType::Warning, reason, &message);
    }
    finding
}
