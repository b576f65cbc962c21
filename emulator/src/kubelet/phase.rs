//! The phase of a pod, from its container statuses.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus};

use super::{
    container_status::{Statuses, state},
    pod::{Kind, Pod},
    restart::restarts,
    restart_all::RESETTING,
};

/// `status.phase`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the Kubernetes phase of that name")]
pub enum Phase {
    #[default]
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    /// As it is written in `status.phase`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    /// The phase of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Running, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|phase| phase.as_str() == name)
    }

    /// Whether nothing follows it.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

#[derive(Default)]
struct Count {
    running: usize,
    waiting: usize,
    stopped: usize,
    succeeded: usize,
    unknown: usize,
}

impl Count {
    fn add(&mut self, status: Option<&ContainerStatus>) {
        let Some(status) = status else {
            self.unknown += 1;
            return;
        };
        let state = state(status);
        if state.running.is_some() {
            self.running += 1;
        } else if let Some(ended) = &state.terminated {
            self.stopped += 1;
            self.succeeded += usize::from(ended.exit_code == 0);
        } else if state.waiting.is_some() {
            match last_exit(status) {
                Some(_) => self.stopped += 1,
                None => self.waiting += 1,
            }
        } else {
            self.unknown += 1;
        }
    }
}

/// The phase. `begun`: a regular container was made in the sandbox that stands. `ended`: no container of the pod will run
/// any more.
pub fn phase(pod: &Pod, statuses: &Statuses, begun: bool, ended: bool) -> Phase {
    // Init containers that have work to do keep the pod Pending however far it was before: after the loss of its sandbox,
    // and where all its containers start anew. Sidecars do so only until the pod has begun (`kubelet_pods.go`, `getPhase`).
    let (mut initializing, mut awaits_sidecars) = (false, false);
    for declared in pod.init() {
        let Some(status) = statuses.of(declared.name()) else {
            initializing = true;
            continue;
        };
        let state = state(status);
        if declared.kind == Kind::Sidecar {
            let starting = state.running.is_some() && status.started != Some(true);
            awaits_sidecars |= starting || (state.waiting.is_some() && last_exit(status).is_none());
            continue;
        }
        match state
            .terminated
            .as_ref()
            .map(|ended| ended.exit_code)
            .or_else(|| state.waiting.as_ref().and(last_exit(status)))
        {
            Some(0) => {}
            Some(_) if is_reset(status) => {}
            Some(code) if !restarts(pod, declared, code) => return Phase::Failed,
            Some(_) => {}
            None => initializing = true,
        }
    }

    let mut count = Count::default();
    for declared in pod.of(&[Kind::Sidecar]) {
        let status = statuses.of(declared.name());
        // Exited sidecars never affect the phase.
        if status.is_none_or(|status| state(status).terminated.is_none() && last_exit_while_waiting(status).is_none()) {
            count.add(status);
        }
    }
    for declared in pod.regular() {
        count.add(statuses.of(declared.name()));
    }

    if initializing || (awaits_sidecars && !begun) || count.waiting > 0 {
        return Phase::Pending;
    }
    if count.unknown > 0 {
        return Phase::Pending;
    }
    if count.running > 0 {
        return Phase::Running;
    }
    if count.stopped == 0 {
        return Phase::Pending;
    }
    let all_succeeded = count.stopped == count.succeeded;
    let restarting = pod.regular().any(|declared| {
        statuses.of(declared.name()).is_some_and(|status| {
            let code = state(status)
                .terminated
                .as_ref()
                .map(|ended| ended.exit_code)
                .or_else(|| last_exit(status));
            is_reset(status) || code.is_some_and(|code| restarts(pod, declared, code))
        })
    });
    match (ended && !pod.is_static, restarting, all_succeeded) {
        (false, true, _) => Phase::Running,
        (_, _, true) => Phase::Succeeded,
        (_, _, false) => Phase::Failed,
    }
}

fn last_exit_while_waiting(status: &ContainerStatus) -> Option<i32> {
    state(status).waiting.as_ref().and(last_exit(status))
}

/// Whether it was removed so that all containers start anew.
fn is_reset(status: &ContainerStatus) -> bool {
    let reason = |state: &ContainerState| state.terminated.as_ref().and_then(|ended| ended.reason.clone());
    let last = status.last_state.as_ref().filter(|_| state(status).waiting.is_some());
    reason(state(status)).or(last.and_then(reason)).as_deref() == Some(RESETTING)
}

fn last_exit(status: &ContainerStatus) -> Option<i32> {
    Some(status.last_state.as_ref()?.terminated.as_ref()?.exit_code)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(policy: &str, init: Value) -> Pod {
        let spec =
            json!({"restartPolicy": policy, "initContainers": init, "containers": [{"name": "a"}, {"name": "b"}]});
        Pod::read(&json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    fn statuses(states: &[(&str, &str)]) -> Statuses {
        let all = states.iter().map(|(name, what)| {
            let ended = |code: &str| json!({"terminated": {"exitCode": code.parse::<i32>().unwrap()}});
            let (state, last) = match what.split_once(' ') {
                Some(("ended", code)) => (ended(code), json!({})),
                Some(("waiting", code)) => (json!({"waiting": {}}), ended(code)),
                _ if *what == "running" => (json!({"running": {}}), json!({})),
                _ => (json!({"waiting": {}}), json!({})),
            };
            let started = *what == "running";
            let status = json!({"name": name, "image": "", "imageID": "", "ready": started, "restartCount": 0,
                "started": started, "state": state, "lastState": last});
            serde_json::from_value(status).unwrap()
        });
        Statuses::for_tests(all.collect())
    }

    #[test]
    fn follows_the_kubelets_order_of_rules() {
        use Phase::{Failed, Pending, Running, Succeeded};
        let none = json!([]);
        let init = json!([{"name": "i"}]);
        let sidecar = json!([{"name": "s", "restartPolicy": "Always"}]);
        type Row<'a> = (&'a str, &'a Value, &'a [(&'a str, &'a str)], bool, Phase);
        let rows: &[Row<'_>] = &[
            ("Always", &none, &[("a", "waiting"), ("b", "running")], false, Pending),
            ("Always", &none, &[("a", "running"), ("b", "running")], false, Running),
            ("Always", &none, &[("a", "running"), ("b", "ended 1")], false, Running),
            ("Always", &none, &[("a", "ended 0"), ("b", "waiting 1")], false, Running),
            (
                "OnFailure",
                &none,
                &[("a", "ended 0"), ("b", "ended 0")],
                false,
                Succeeded,
            ),
            (
                "OnFailure",
                &none,
                &[("a", "ended 0"), ("b", "ended 1")],
                false,
                Running,
            ),
            ("Never", &none, &[("a", "ended 0"), ("b", "ended 1")], false, Failed),
            ("Never", &none, &[("a", "ended 0"), ("b", "ended 0")], false, Succeeded),
            ("Always", &none, &[("a", "ended 0"), ("b", "ended 0")], true, Succeeded),
            ("Always", &none, &[("a", "ended 0"), ("b", "ended 137")], true, Failed),
            (
                "Always",
                &init,
                &[("i", "running"), ("a", "waiting"), ("b", "waiting")],
                false,
                Pending,
            ),
            (
                "Always",
                &init,
                &[("i", "ended 4"), ("a", "waiting"), ("b", "waiting")],
                false,
                Pending,
            ),
            (
                "Never",
                &init,
                &[("i", "ended 4"), ("a", "waiting"), ("b", "waiting")],
                false,
                Failed,
            ),
            (
                "Always",
                &init,
                &[("i", "ended 0"), ("a", "running"), ("b", "running")],
                false,
                Running,
            ),
            (
                "Never",
                &sidecar,
                &[("s", "running"), ("a", "ended 0"), ("b", "ended 0")],
                false,
                Running,
            ),
            (
                "Never",
                &sidecar,
                &[("s", "ended 137"), ("a", "ended 0"), ("b", "ended 0")],
                false,
                Succeeded,
            ),
            (
                "Always",
                &sidecar,
                &[("s", "waiting 1"), ("a", "running"), ("b", "running")],
                false,
                Running,
            ),
            (
                "Always",
                &sidecar,
                &[("s", "waiting"), ("a", "waiting"), ("b", "waiting")],
                false,
                Pending,
            ),
        ];
        for (policy, init, states, ended, expected) in rows {
            let begun = states
                .iter()
                .any(|(name, state)| matches!(*name, "a" | "b") && *state != "waiting");
            assert_eq!(
                phase(&pod(policy, (*init).clone()), &statuses(states), begun, *ended),
                *expected,
                "{policy} {states:?}"
            );
        }
    }
    #[test]
    fn what_starts_from_its_beginning_is_pending_while_it_initializes() {
        let init = pod(
            "Always",
            json!([{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]),
        );
        let of = |init_state: &str, sidecar: &str, begun: bool| {
            let states = [
                ("i", init_state),
                ("s", sidecar),
                ("a", "waiting 1"),
                ("b", "waiting 1"),
            ];
            phase(&init, &statuses(&states), begun, false)
        };
        assert_eq!(of("waiting 137", "waiting 137", false), Phase::Running);
        assert_eq!(of("running", "waiting 137", false), Phase::Pending);
        assert_eq!(of("ended 0", "waiting", false), Phase::Pending);
        assert_eq!(of("ended 0", "running", false), Phase::Running);
    }
}
