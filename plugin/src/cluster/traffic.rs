//! Services and disruption budgets that select a pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;

use super::Cluster;
use super::error::ClusterError;
use crate::pod::surroundings::{BudgetState, ServiceState};

/// The label that ties endpoints to their Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

impl Cluster {
    /// The Services that select a pod, and what endpoints they have left.
    pub(super) async fn services(
        &self,
        namespace: &str,
        pod: &Pod,
        is_needed: bool,
    ) -> Result<Vec<ServiceState>, ClusterError> {
        if !is_needed {
            return Ok(Vec::new());
        }
        let (services, slices) = tokio::join!(
            self.list::<Service>(Some(namespace), ListParams::default()),
            self.list_or_older::<EndpointSlice>(namespace, "v1beta1"),
        );
        let services = match services {
            // A server without Services has none that select the pod.
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            services => services?,
        };
        let slices = slices?.items;
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        Ok(services
            .into_iter()
            .filter(|service| {
                let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                selector.is_some_and(|selector| {
                    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
                })
            })
            .map(|service| {
                let name = service.metadata.name.unwrap_or_default();
                let own = slices.iter().filter(|slice| {
                    let labels = slice.metadata.labels.as_ref();
                    labels.and_then(|labels| labels.get(SERVICE_NAME)) == Some(&name)
                });
                let endpoints: Vec<bool> = own
                    .flat_map(|slice| slice.endpoints.iter().flatten())
                    .map(|endpoint| {
                        let conditions = endpoint.conditions.as_ref();
                        conditions.and_then(|conditions| conditions.ready).unwrap_or(true)
                    })
                    .collect();
                ServiceState {
                    name,
                    ready: endpoints.iter().filter(|is_ready| **is_ready).count(),
                    total: endpoints.len(),
                }
            })
            .collect())
    }

    /// The disruption budgets that select a pod.
    pub(super) async fn budgets(
        &self,
        namespace: &str,
        pod: &Pod,
        is_needed: bool,
    ) -> Result<Vec<BudgetState>, ClusterError> {
        if !is_needed {
            return Ok(Vec::new());
        }
        let budgets = self.list_or_older::<PodDisruptionBudget>(namespace, "v1beta1").await?;
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        // An empty selector takes no pod in policy/v1beta1, and all pods since.
        let takes = |selector: &LabelSelector| {
            let is_nothing = budgets.is_older && *selector == LabelSelector::default();
            !is_nothing && selects(selector, &labels)
        };
        Ok(budgets
            .items
            .iter()
            .filter(|budget| {
                let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                selector.is_some_and(takes)
            })
            .cloned()
            .filter_map(|budget| {
                let status = budget.status?;
                Some(BudgetState {
                    name: budget.metadata.name.unwrap_or_default(),
                    allowed: status.disruptions_allowed.unwrap_or(0),
                    healthy: status.current_healthy.unwrap_or(0),
                    desired: status.desired_healthy.unwrap_or(0),
                })
            })
            .collect())
    }
}

/// Whether a label selector takes these labels (`apimachinery/pkg/apis/meta/v1/helpers.go`).
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let by_labels = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let by_expressions = selector.match_expressions.iter().flatten().all(|expression| {
        let value = labels.get(&expression.key);
        let is_listed = value.is_some_and(|value| expression.values.iter().flatten().any(|other| other == value));
        match expression.operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    by_labels && by_expressions
}
