//! Whether what an assumption is about is there.

use k8s_openapi::api::core::v1::Pod;

use super::assume::Clause;
use crate::cli::usage::{UsageError, nearest};

/// That the pod has no such container.
pub(super) fn unknown<'a>(name: &str, text: &str, known: impl Iterator<Item = &'a String>) -> UsageError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let meant = match nearest(name, known.iter().copied()) {
        Some(meant) => format!(", did you mean {meant:?}?"),
        None => format!(
            "; there are: {}, and node for what is done to the pod",
            known.join(", ")
        ),
    };
    UsageError::new(format!(
        "invalid argument {text:?} for \"--assume\" flag: the pod has no container {name:?}{meant}"
    ))
}

/// A gate is one of the pod's: what nobody waits for is a slip of the pen.
///
/// # Errors
/// That the pod has no such gate, and which it has.
pub(super) fn awaited(pod: &Pod, clause: &Clause, text: &str) -> Result<(), UsageError> {
    let spec = pod.spec.as_ref();
    let (what, name, known): (_, _, Vec<&str>) = match clause {
        Clause::Gate { name, .. } => {
            let gates = spec.into_iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
            ("scheduling gate", name, gates.map(|gate| gate.name.as_str()).collect())
        }
        Clause::Condition { kind, .. } => {
            let gates = spec.into_iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
            (
                "readiness gate",
                kind,
                gates.map(|gate| gate.condition_type.as_str()).collect(),
            )
        }
        _ => return Ok(()),
    };
    if known.contains(&name.as_str()) {
        return Ok(());
    }
    let meant = match (nearest(name, known.iter().copied()), known.as_slice()) {
        (Some(meant), _) => format!(", did you mean {meant:?}?"),
        (None, []) => ": it has none".to_owned(),
        (None, known) => format!("; there are: {}", known.join(", ")),
    };
    Err(UsageError::new(format!(
        "invalid argument {text:?} for \"--assume\" flag: the pod has no {what} {name:?}{meant}"
    )))
}
