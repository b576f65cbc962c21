//! In which form a client wants objects: whole, as rows of a table, or their metadata alone.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event_form::{EVENTS_VERSION, exchanged};
use super::table::{Include, Wish};
use crate::store::Resource;

/// The form of the objects in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As they are stored.
    Whole,
    /// Events as those of `events.k8s.io`.
    NewEvents,
    /// Rows of a table.
    Table(Wish),
    /// `PartialObjectMetadata` of this version of `meta.k8s.io`.
    Metadata(&'static str),
}

impl Shape {
    /// Reads `Accept:` and `includeObject`; the first type that can be served decides.
    pub(super) fn of(accept: &str, include: Option<&str>) -> Self {
        let served = accept.split(',').find_map(|media| {
            let mut parts = media.split(';').map(str::trim);
            if !matches!(parts.next()?, "application/json" | "application/*" | "*/*") {
                return None;
            }
            let parameter = |name: &str| {
                let mut all = media.split(';').filter_map(|part| part.trim().split_once('='));
                all.find(|(one, _)| *one == name).map(|(_, value)| value)
            };
            let version = match parameter("v") {
                Some("v1") => "meta.k8s.io/v1",
                Some("v1beta1") => "meta.k8s.io/v1beta1",
                _ => "",
            };
            match parameter("as") {
                None => Some(Self::Whole),
                Some("Table") if !version.is_empty() => {
                    let include = match include {
                        Some("None") => Include::None,
                        Some("Object") => Include::Object,
                        _ => Include::Metadata,
                    };
                    Some(Self::Table(Wish {
                        include,
                        version,
                        new_events: false,
                    }))
                }
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if !version.is_empty() => {
                    Some(Self::Metadata(version))
                }
                Some(_) => None,
            }
        });
        served.unwrap_or(Self::Whole)
    }

    /// The same for events that are seen as those of `events.k8s.io`.
    pub(super) fn of_new_events(self) -> Self {
        match self {
            Self::Whole => Self::NewEvents,
            Self::Table(wish) => Self::Table(Wish {
                new_events: true,
                ..wish
            }),
            other => other,
        }
    }

    /// One object in this form; `with_columns` is false for later events of a watch.
    pub(super) fn one(self, resource: Resource, object: &Arc<Value>, now: Timestamp, with_columns: bool) -> Value {
        match self {
            Self::Whole => Value::clone(object),
            Self::NewEvents => exchanged(object),
            Self::Table(wish) => {
                let mut table = wish.table(resource, std::slice::from_ref(object), now, with_columns);
                table["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
                table
            }
            Self::Metadata(version) => metadata_of(object, version),
        }
    }

    /// One object in this form, as text. Whole objects are written as they are: most answers are of them.
    pub(super) fn one_written(
        self,
        resource: Resource,
        object: &Arc<Value>,
        now: Timestamp,
        with_columns: bool,
    ) -> String {
        match self {
            Self::Whole => object.to_string(),
            _ => self.one(resource, object, now, with_columns).to_string(),
        }
    }

    /// A list in this form, as text: hundreds of whole objects are not copied first.
    pub(super) fn list_written(
        self,
        resource: Resource,
        objects: &[Arc<Value>],
        metadata: Value,
        now: Timestamp,
    ) -> String {
        if self != Self::Whole {
            return self.list(resource, objects, metadata, now).to_string();
        }
        let items: Vec<String> = objects.iter().map(|object| object.to_string()).collect();
        format!(
            "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[{}]}}",
            resource.kind(),
            resource.api_version(),
            items.join(",")
        )
    }

    /// A list in this form.
    pub(super) fn list(self, resource: Resource, objects: &[Arc<Value>], metadata: Value, now: Timestamp) -> Value {
        match self {
            Self::Whole => {
                let items: Vec<&Value> = objects.iter().map(|object| &**object).collect();
                let kind = format!("{}List", resource.kind());
                json!({"kind": kind, "apiVersion": resource.api_version(), "metadata": metadata, "items": items})
            }
            Self::NewEvents => {
                let items: Vec<Value> = objects.iter().map(|object| exchanged(object)).collect();
                json!({"kind": "EventList", "apiVersion": EVENTS_VERSION, "metadata": metadata, "items": items})
            }
            Self::Table(wish) => {
                let mut table = wish.table(resource, objects, now, true);
                table["metadata"] = metadata;
                table
            }
            Self::Metadata(version) => {
                let items: Vec<Value> = objects.iter().map(|object| metadata_of(object, version)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": version, "metadata": metadata, "items": items})
            }
        }
    }

    /// A bookmark of a watch: no object, but metadata with a version.
    pub(super) fn bookmark(self, resource: Resource, metadata: Value, now: Timestamp, with_columns: bool) -> Value {
        match self {
            Self::Whole => {
                json!({"kind": resource.kind(), "apiVersion": resource.api_version(), "metadata": metadata})
            }
            Self::NewEvents => json!({"kind": "Event", "apiVersion": EVENTS_VERSION, "metadata": metadata}),
            Self::Table(wish) => {
                let mut table = wish.table(resource, &[], now, with_columns);
                table["metadata"]["resourceVersion"] = metadata["resourceVersion"].clone();
                let object = metadata_of(&json!({"metadata": metadata}), wish.version);
                table["rows"] = json!([{"cells": [], "object": object}]);
                table
            }
            Self::Metadata(version) => metadata_of(&json!({"metadata": metadata}), version),
        }
    }
}

fn metadata_of(object: &Value, version: &str) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": object["metadata"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_served_is_taken() {
        let table = |include, version| {
            Shape::Table(Wish {
                include,
                version,
                new_events: false,
            })
        };
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(
            Shape::of(kubectl, Some("Object")),
            table(Include::Object, "meta.k8s.io/v1")
        );
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
        assert_eq!(Shape::of(metadata, None), Shape::Metadata("meta.k8s.io/v1"));
        for (accept, shape) in [
            ("", Shape::Whole),
            ("*/*", Shape::Whole),
            ("application/json", Shape::Whole),
            ("application/vnd.kubernetes.protobuf,application/json", Shape::Whole),
            (
                "application/json; as=Table; g=meta.k8s.io; v=v1beta1",
                table(Include::Metadata, "meta.k8s.io/v1beta1"),
            ),
            (
                "application/json;as=Table;v=v2;g=meta.k8s.io,application/json",
                Shape::Whole,
            ),
        ] {
            assert_eq!(Shape::of(accept, None), shape, "{accept}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_made() {
        let objects: Vec<Arc<Value>> = ["a", "b"]
            .map(|name| Arc::new(json!({"kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "]}"}})))
            .into();
        let now = Timestamp::UNIX_EPOCH;
        for shape in [Shape::Whole, Shape::Metadata("meta.k8s.io/v1")] {
            for objects in [&objects[..], &objects[..1], &[]] {
                let metadata = json!({"resourceVersion": "5"});
                let written = shape.list_written(Resource::ConfigMaps, objects, metadata.clone(), now);
                let made = shape.list(Resource::ConfigMaps, objects, metadata, now);
                assert_eq!(written, made.to_string());
            }
            let one = shape.one(Resource::ConfigMaps, &objects[0], now, true).to_string();
            assert_eq!(shape.one_written(Resource::ConfigMaps, &objects[0], now, true), one);
        }
    }

    #[test]
    fn metadata_comes_without_the_rest() {
        let object = Arc::new(json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {}}));
        let shape = Shape::Metadata("meta.k8s.io/v1");
        let one = shape.one(Resource::Pods, &object, Timestamp::UNIX_EPOCH, true);
        assert_eq!(
            one,
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}})
        );
        let list = shape.list(Resource::Pods, &[object], json!({}), Timestamp::UNIX_EPOCH);
        assert_eq!(list["items"], json!([one]));
    }
}
