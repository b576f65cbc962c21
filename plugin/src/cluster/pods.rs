//! Pods and their events.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::ListParams;

use super::Cluster;
use super::error::ClusterError;
use crate::cli::selection::Choice;

/// A pod and all events that name it. Events that may not be read are left out: the pod still can be shown.
#[derive(Clone, Debug)]
pub struct PodAndEvents {
    /// The pod.
    pub pod: Pod,
    /// Events about objects of its name; some may be about a predecessor.
    pub events: Vec<Event>,
    /// Why there are no events, where they could not be fetched.
    pub events_error: Option<String>,
}

impl Cluster {
    /// Fetches a pod and its events at once.
    ///
    /// # Errors
    /// What the server says about the pod.
    pub async fn pod_and_events(&self, namespace: &str, name: &str) -> Result<PodAndEvents, ClusterError> {
        let (pod, events) = tokio::join!(
            self.get::<Pod>(namespace, name),
            self.list::<Event>(Some(namespace), ListParams::default().fields(&about(name)))
        );
        Ok(with_events(pod?, events))
    }

    /// Fetches what was selected, with events where `wants_events`: one round of requests for named pods, two for others.
    ///
    /// Pods that could not be had come as errors beside those that could.
    pub async fn selected(&self, choice: &Choice) -> Vec<Result<PodAndEvents, ClusterError>> {
        match choice {
            Choice::Named(names) => {
                let fetches = names.iter().map(|name| self.pod_and_events(&self.namespace, name));
                futures::future::join_all(fetches).await
            }
            Choice::Matching {
                labels,
                fields,
                everywhere,
            } => {
                let namespace = (!everywhere).then_some(self.namespace.as_str());
                let params = ListParams {
                    label_selector: labels.clone(),
                    field_selector: fields.clone(),
                    ..ListParams::default()
                };
                let (pods, events) = tokio::join!(
                    self.list::<Pod>(namespace, params),
                    self.list::<Event>(namespace, ListParams::default().fields("involvedObject.kind=Pod"))
                );
                match pods {
                    Err(error) => vec![Err(error)],
                    Ok(pods) => pods.into_iter().map(|pod| Ok(with_events(pod, own(&events)))).collect(),
                }
            }
            Choice::Files(_) => Vec::new(),
        }
    }
}

/// The field selector for the events about a pod.
pub fn about(name: &str) -> String {
    format!("involvedObject.kind=Pod,involvedObject.name={name}")
}

fn own(events: &Result<Vec<Event>, ClusterError>) -> Result<Vec<Event>, String> {
    match events {
        Ok(events) => Ok(events.clone()),
        Err(error) => Err(error.to_string()),
    }
}

fn with_events<E: ToString>(pod: Pod, events: Result<Vec<Event>, E>) -> PodAndEvents {
    let is_own = |event: &Event| {
        event.involved_object.name == pod.metadata.name && event.metadata.namespace == pod.metadata.namespace
    };
    match events {
        Ok(events) => PodAndEvents {
            events: events.into_iter().filter(is_own).collect(),
            pod,
            events_error: None,
        },
        Err(error) => PodAndEvents {
            pod,
            events: Vec::new(),
            events_error: Some(error.to_string()),
        },
    }
}
