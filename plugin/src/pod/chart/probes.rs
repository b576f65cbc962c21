//! The row of a container's probes that failed.

use super::{Mark, Row, Sign};
use crate::pod::container::Container;
use crate::pod::history::History;

pub(super) fn failures(history: &History, container: &Container) -> Option<Row> {
    let of_container = history
        .failures
        .iter()
        .filter(|failure| failure.container == container.name);
    let marks: Vec<Mark> = of_container
        .clone()
        .map(|failure| Mark {
            at: failure.at,
            sign: Sign::Failure,
        })
        .collect();
    let mut notes = Vec::new();
    for (probe, _) in container.probes() {
        let count: i32 = history
            .events
            .iter()
            .filter(|event| event.reason == "Unhealthy" && event.container() == Some(container.name.as_str()))
            .filter(|event| event.message.starts_with(probe))
            .map(|event| event.count)
            .sum();
        if count > 0 {
            notes.push(format!("{} {count}x", probe.to_lowercase()));
        }
    }
    (!marks.is_empty()).then(|| Row {
        label: "  probes".to_owned(),
        note: notes.join(", "),
        is_stage: false,
        spans: Vec::new(),
        marks,
    })
}
