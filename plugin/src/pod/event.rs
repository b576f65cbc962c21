//! Events with their true times: old ones have first and last timestamps, newer ones an event time and a series.

use k8s_openapi::api::core::v1::Event as Recorded;
use k8s_openapi::jiff::Timestamp;

use super::Facts;

/// An event about the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened first.
    pub first: Option<Timestamp>,
    /// When it happened last.
    pub last: Option<Timestamp>,
    /// How often it happened.
    pub count: i32,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// The reason in one word.
    pub reason: String,
    /// What is said about it.
    pub message: String,
    /// Who said it: `kubelet`, `default-scheduler`.
    pub source: String,
    /// What it is about inside the pod, such as `spec.containers{app}`; may be empty.
    pub field_path: String,
}

impl Event {
    /// Reads a recorded event.
    pub fn of(event: &Recorded) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let event_time = event.event_time.as_ref().map(|time| time.0);
        let first = event.first_timestamp.as_ref().map(|time| time.0).or(event_time);
        let last = event
            .series
            .as_ref()
            .and_then(|series| series.last_observed_time.as_ref())
            .map(|time| time.0)
            .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
            .or(event_time)
            .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let source = event
            .source
            .as_ref()
            .map(|source| text(&source.component))
            .unwrap_or_default();
        Self {
            first: refined(first.or(last), event.metadata.name.as_deref()),
            last,
            count: event
                .series
                .as_ref()
                .and_then(|series| series.count)
                .or(event.count)
                .unwrap_or(1)
                .max(1),
            kind: text(&event.type_),
            reason: text(&event.reason),
            message: text(&event.message).trim().to_owned(),
            source: if source.is_empty() {
                text(&event.reporting_component)
            } else {
                source
            },
            field_path: text(&event.involved_object.field_path),
        }
    }

    /// Whether it tells of trouble.
    pub fn is_warning(&self) -> bool {
        self.kind == "Warning"
    }

    /// The container it is about: the name inside the braces of the field path.
    pub fn container(&self) -> Option<&str> {
        let (_, rest) = self.field_path.split_once('{')?;
        rest.strip_suffix('}')
    }
}

/// Recorders name an event after the nanosecond of its birth (`web.18eabdcf1bd885e1`); timestamps have whole seconds.
/// Where both agree, the name knows more.
fn refined(first: Option<Timestamp>, name: Option<&str>) -> Option<Timestamp> {
    let first = first?;
    let born = name
        .and_then(|name| name.rsplit_once('.'))
        .and_then(|(_, suffix)| i128::from_str_radix(suffix, 16).ok())
        .and_then(|nanoseconds| Timestamp::from_nanosecond(nanoseconds).ok());
    match born {
        Some(born) if first.subsec_nanosecond() == 0 && born.as_second() == first.as_second() => Some(born),
        _ => Some(first),
    }
}

/// The events that are about this very pod: by its UID, or by the one that the kubelet gave a static pod.
pub fn about(facts: &Facts, recorded: &[Recorded]) -> Vec<Event> {
    let mirror = facts.static_pod.as_ref().and_then(|pod| pod.mirror.as_deref());
    let is_about = |event: &&Recorded| {
        let object = &event.involved_object;
        let uid = object.uid.as_deref().unwrap_or_default();
        let is_same = uid.is_empty() || facts.uid.is_empty() || uid == facts.uid || Some(uid) == mirror;
        object.kind.as_deref() == Some("Pod") && object.name.as_deref() == Some(&facts.name) && is_same
    };
    merged(recorded.iter().filter(is_about).map(Event::of).collect())
}

/// Puts what is said several times into one, and all in the order in which it happened.
pub fn merged(events: Vec<Event>) -> Vec<Event> {
    let mut merged: Vec<Event> = Vec::with_capacity(events.len());
    for event in events {
        let same = merged.iter_mut().find(|other| {
            (
                &other.kind,
                &other.reason,
                &other.message,
                &other.source,
                &other.field_path,
            ) == (
                &event.kind,
                &event.reason,
                &event.message,
                &event.source,
                &event.field_path,
            )
        });
        match same {
            None => merged.push(event),
            Some(other) => {
                other.count += event.count;
                other.first = [other.first, event.first].into_iter().flatten().min();
                other.last = other.last.max(event.last);
            }
        }
    }
    // Times of last occurrence are whole seconds: within one, the order of birth decides.
    merged.sort_by_key(|event| (event.last.map(|last| last.as_second()), event.first));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: serde_json::Value) -> Event {
        Event::of(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_series_knows_the_last_time_best() {
        let event = event(serde_json::json!({
            "metadata": {}, "involvedObject": {"fieldPath": "spec.containers{app}"},
            "eventTime": "2026-01-01T00:00:00.500000Z", "lastTimestamp": "2026-01-01T00:00:05Z",
            "series": {"count": 4, "lastObservedTime": "2026-01-01T00:01:00.000000Z"},
        }));
        assert_eq!(event.last, "2026-01-01T00:01:00Z".parse().ok());
        assert_eq!(event.count, 4);
        assert_eq!(event.container(), Some("app"));
    }

    #[test]
    fn a_new_event_has_only_an_event_time() {
        let event = event(serde_json::json!({
            "metadata": {}, "involvedObject": {}, "firstTimestamp": null, "lastTimestamp": null,
            "eventTime": "2026-01-01T00:00:00.500000Z", "reportingComponent": "default-scheduler", "source": {},
        }));
        assert_eq!((event.first, event.last), (event.last, event.first));
        assert_eq!(event.source, "default-scheduler");
    }

    #[test]
    fn the_name_of_an_event_refines_its_time() {
        let event = event(serde_json::json!({
            "metadata": {"name": "crashloop.18eabdcf42c2bde9"}, "involvedObject": {},
            "firstTimestamp": "2026-11-23T17:48:19Z", "lastTimestamp": "2026-11-23T17:48:33Z",
        }));
        let first = event.first.unwrap();
        assert_eq!(first.as_second(), event.last.unwrap().as_second() - 14);
        assert!(first.subsec_nanosecond() > 0);
    }
}
