//! Tables: what `kubectl get` prints, made by the server.

mod age;
mod event;
mod node;
mod pod;
mod pod_template;
mod resource_quota;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::age::since;
use super::event_form::exchanged;
use crate::store::Resource;

/// A column: name, type, format, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, &'static str, bool);

const NAME: Column = ("Name", "string", "name", false);
const AGE: Column = ("Age", "string", "", false);

/// How much of each object comes along with its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// A client's wish for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) include: Include,
    /// Of the table: `meta.k8s.io/v1`, or `v1beta1` for old clients.
    pub(super) version: &'static str,
    /// Events come along as those of `events.k8s.io`.
    pub(super) new_events: bool,
}

impl Wish {
    /// The table of objects; `with_columns` is false for later events of a watch.
    pub(super) fn table(self, resource: Resource, objects: &[Arc<Value>], now: Timestamp, with_columns: bool) -> Value {
        let columns: Vec<Value> = if with_columns {
            columns(resource).iter().map(column).collect()
        } else {
            Vec::new()
        };
        let rows: Vec<Value> = objects
            .iter()
            .map(|object| {
                let mut row = json!({"cells": cells(resource, object, now)});
                match self.include {
                    Include::None => {}
                    Include::Metadata => {
                        row["object"] = json!({
                            "kind": "PartialObjectMetadata",
                            "apiVersion": self.version,
                            "metadata": object["metadata"],
                        });
                    }
                    Include::Object if self.new_events => row["object"] = exchanged(object),
                    Include::Object => row["object"] = Value::clone(object),
                }
                row
            })
            .collect();
        json!({
            "kind": "Table",
            "apiVersion": self.version,
            "metadata": {},
            "columnDefinitions": columns,
            "rows": rows,
        })
    }
}

fn column((name, kind, format, wide): &Column) -> Value {
    json!({"name": name, "type": kind, "format": format, "description": "", "priority": u8::from(*wide)})
}

fn columns(resource: Resource) -> Vec<Column> {
    match resource {
        Resource::Pods => pod::COLUMNS.to_vec(),
        Resource::Events => event::COLUMNS.to_vec(),
        Resource::Nodes => node::COLUMNS.to_vec(),
        Resource::Namespaces => vec![NAME, ("Status", "string", "", false), AGE],
        Resource::ConfigMaps => vec![NAME, ("Data", "string", "", false), AGE],
        Resource::Secrets => vec![NAME, ("Type", "string", "", false), ("Data", "string", "", false), AGE],
        Resource::ServiceAccounts => vec![NAME, ("Secrets", "string", "", false), AGE],
        Resource::Leases => vec![NAME, ("Holder", "string", "", false), AGE],
        Resource::LimitRanges => vec![NAME, ("Created At", "date", "", false)],
        Resource::PodTemplates => pod_template::COLUMNS.to_vec(),
        Resource::ResourceQuotas => resource_quota::COLUMNS.to_vec(),
        Resource::RuntimeClasses => vec![NAME, ("Handler", "string", "", false), AGE],
        Resource::PriorityClasses => vec![
            NAME,
            ("Value", "string", "", false),
            ("Global-Default", "string", "", false),
            AGE,
            ("PreemptionPolicy", "string", "", false),
        ],
    }
}

fn cells(resource: Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let age = json!(since(&object["metadata"]["creationTimestamp"], now));
    let count = |fields: &[&str]| -> usize {
        fields
            .iter()
            .map(|field| object[field].as_object().map_or(0, serde_json::Map::len))
            .sum()
    };
    match resource {
        Resource::Pods => pod::cells(object, now),
        Resource::Events => event::cells(object, now),
        Resource::Nodes => node::cells(object, now),
        Resource::Namespaces => vec![name, object["status"]["phase"].clone(), age],
        Resource::ConfigMaps => vec![name, json!(count(&["data", "binaryData"])), age],
        Resource::Secrets => vec![name, object["type"].clone(), json!(count(&["data"])), age],
        Resource::ServiceAccounts => vec![name, json!(object["secrets"].as_array().map_or(0, Vec::len)), age],
        Resource::Leases => vec![
            name,
            json!(object["spec"]["holderIdentity"].as_str().unwrap_or_default()),
            age,
        ],
        Resource::LimitRanges => vec![name, object["metadata"]["creationTimestamp"].clone()],
        Resource::PodTemplates => pod_template::cells(object),
        Resource::ResourceQuotas => resource_quota::cells(object, age),
        Resource::RuntimeClasses => vec![name, object["handler"].clone(), age],
        Resource::PriorityClasses => vec![
            name,
            object["value"].clone(),
            json!(object["globalDefault"] == true),
            age,
            object["preemptionPolicy"].clone(),
        ],
    }
}
