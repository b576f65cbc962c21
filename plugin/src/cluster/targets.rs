//! What was chosen, as queries for pods: the selector of a Deployment, the jobs of a CronJob, the pods of a node.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::Cluster;
use super::error::ClusterError;
use super::watch::Query;
use crate::cli::selection::Choice;
use crate::cli::target::{PodsOf, Target, TargetKind};

impl Cluster {
    /// The queries that find the chosen pods; an object whose pods cannot be found comes as an error beside the others.
    ///
    /// Asks the server only about objects other than pods.
    pub async fn queries(&self, choice: &Choice) -> Vec<Result<Query, ClusterError>> {
        let here = Some(self.namespace.clone());
        match choice {
            Choice::Named(names) => names.iter().map(|name| Ok(self.pod_query(name))).collect(),
            Choice::Of(targets) => {
                let found = futures::future::join_all(targets.iter().map(|target| self.target_queries(target))).await;
                let each = |queries| match queries {
                    Ok(queries) => Vec::into_iter(queries).map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                found.into_iter().flat_map(each).collect()
            }
            Choice::Matching {
                labels,
                fields,
                everywhere,
            } => vec![Ok(Query {
                namespace: if *everywhere { None } else { here },
                labels: labels.clone(),
                fields: fields.clone(),
            })],
            Choice::Files(_) => Vec::new(),
        }
    }

    fn pod_query(&self, name: &str) -> Query {
        Query {
            namespace: Some(self.namespace.clone()),
            labels: None,
            fields: Some(format!("metadata.name={name}")),
        }
    }

    async fn target_queries(&self, target: &Target) -> Result<Vec<Query>, ClusterError> {
        let in_namespace = |labels| Query {
            namespace: Some(self.namespace.clone()),
            labels: Some(labels),
            fields: None,
        };
        match target.kind.pods {
            PodsOf::Itself => Ok(vec![self.pod_query(&target.name)]),
            PodsOf::Node => {
                self.object(target.kind, &target.name).await?;
                // A node's pods are of all namespaces, unless one is named.
                Ok(vec![Query {
                    namespace: self.namespace_is_named.then(|| self.namespace.clone()),
                    labels: None,
                    fields: Some(format!("spec.nodeName={}", target.name)),
                }])
            }
            PodsOf::Selector | PodsOf::Labels => {
                let object = self.object(target.kind, &target.name).await?;
                let labels = selector(target.kind, &object).ok_or_else(|| without_selector(target))?;
                Ok(vec![in_namespace(labels)])
            }
            PodsOf::Jobs => {
                let cron = self.object(target.kind, &target.name).await?;
                let uid = cron.metadata.uid.unwrap_or_default();
                let jobs = self.objects(target.kind.group, "jobs", "Job").await?;
                let is_own = |job: &&DynamicObject| {
                    job.metadata
                        .owner_references
                        .iter()
                        .flatten()
                        .any(|owner| owner.uid == uid)
                };
                let labels = jobs.iter().filter(is_own).filter_map(|job| label_selector(&job.data));
                Ok(labels.map(in_namespace).collect())
            }
        }
    }

    async fn object(&self, kind: &TargetKind, name: &str) -> Result<DynamicObject, ClusterError> {
        match self.object_of(kind, kind.version, name).await {
            // Kubernetes 1.20 has jobs on a schedule in an older version alone.
            Err(ClusterError::NoResourceType(_)) if kind.pods == PodsOf::Jobs => {
                self.object_of(kind, "v1beta1", name).await
            }
            answer => answer,
        }
    }

    async fn object_of(&self, kind: &TargetKind, version: &str, name: &str) -> Result<DynamicObject, ClusterError> {
        let resource = resource(kind.group, version, kind.resource, kind.short_name());
        let api: Api<DynamicObject> = if kind.pods == PodsOf::Node {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
        };
        self.limited(api.get(name)).await.map_err(|error| match error {
            // A server without such objects does not speak of the one that was asked for.
            ClusterError::Server { code: 404, message, .. } if !message.contains(name) => {
                ClusterError::NoResourceType(kind.short_name().to_owned())
            }
            other => other,
        })
    }

    async fn objects(&self, group: &str, plural: &str, kind: &str) -> Result<Vec<DynamicObject>, ClusterError> {
        let resource = resource(group, "v1", plural, kind);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        Ok(self.limited(api.list(&ListParams::default())).await?.items)
    }
}

fn resource(group: &str, version: &str, plural: &str, kind: &str) -> ApiResource {
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// The label query that an object's `spec.selector` comes to; none where it selects nothing.
fn selector(kind: &TargetKind, object: &DynamicObject) -> Option<String> {
    if kind.pods == PodsOf::Selector {
        return label_selector(&object.data);
    }
    let labels = object.data.pointer("/spec/selector")?.as_object()?;
    let terms: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    (!terms.is_empty()).then(|| terms.join(","))
}

fn label_selector(object: &Value) -> Option<String> {
    let selector: LabelSelector = serde_json::from_value(object.pointer("/spec/selector")?.clone()).ok()?;
    let labels = selector.match_labels.into_iter().flatten();
    let mut terms: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    for expression in selector.match_expressions.into_iter().flatten() {
        let (key, values) = (expression.key, expression.values.unwrap_or_default().join(","));
        terms.push(match expression.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key,
        });
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

fn without_selector(target: &Target) -> ClusterError {
    ClusterError::Configuration(format!(
        "{} {:?} has no selector: there are no pods to find through it",
        target.kind.resource, target.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selector_of(word: &str, selector: Value) -> Option<String> {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"selector": selector},
        }))
        .unwrap();
        super::selector(TargetKind::named(word).unwrap(), &object)
    }

    #[test]
    fn selectors_are_written_as_the_server_reads_them() {
        let selector = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
                {"key": "track", "operator": "NotIn", "values": ["canary"]},
                {"key": "release", "operator": "Exists"},
            ],
        });
        assert_eq!(
            selector_of("deploy", selector).unwrap(),
            "app=web,tier in (a,b),!old,track notin (canary),release"
        );
        assert_eq!(selector_of("svc", json!({"app": "web"})).unwrap(), "app=web");
    }

    #[test]
    fn what_selects_nothing_leads_to_no_pods() {
        assert_eq!(selector_of("svc", Value::Null), None);
        assert_eq!(selector_of("svc", json!({})), None);
        assert_eq!(selector_of("deploy", json!({})), None);
    }
}
