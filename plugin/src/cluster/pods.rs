//! Pods and their events.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::Api;
use kube::api::ListParams;

use super::Cluster;
use super::error::ClusterError;
use super::watch::Query;
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
    /// What the server says about the pod; that there is no such namespace, where that is why there is no such pod.
    pub async fn pod_and_events(&self, namespace: &str, name: &str) -> Result<PodAndEvents, ClusterError> {
        let (pod, events) = tokio::join!(
            self.get::<Pod>(namespace, name),
            self.list::<Event>(Some(namespace), ListParams::default().fields(&about(name)))
        );
        match pod {
            Ok(pod) => Ok(with_event_list(pod, events)),
            Err(error) if error.is_not_found() => Err(self.missing_namespace(namespace).await.unwrap_or(error)),
            Err(error) => Err(error),
        }
    }

    /// Says that a namespace does not exist, where the server says so: kubectl prefers that to a pod that does not.
    async fn missing_namespace(&self, namespace: &str) -> Option<ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let error = self.limited(api.get_metadata(namespace)).await.err()?;
        error.is_not_found().then_some(error)
    }

    /// Fetches the pods whose names begin with `prefix`, as `kubectl describe` takes a name that is none.
    ///
    /// # Errors
    /// Whatever the server or the way to it says.
    pub async fn pods_with_prefix(&self, prefix: &str) -> Result<Vec<PodAndEvents>, ClusterError> {
        let query = Query {
            namespace: Some(self.namespace.clone()),
            ..Query::default()
        };
        let pods = self.pods_of(&query).await?;
        let pods: Vec<Pod> = pods
            .into_iter()
            .filter(|pod| {
                pod.metadata
                    .name
                    .as_deref()
                    .is_some_and(|name| name.starts_with(prefix))
            })
            .collect();
        if pods.is_empty() {
            return Ok(Vec::new());
        }
        let events = self.events_of_pods(query.namespace.as_deref()).await;
        Ok(with_events(pods, events))
    }

    /// Fetches what was selected, with its events: one round of requests, and one before it where pods are chosen by what
    /// they belong to.
    ///
    /// Pods that could not be had come as errors beside those that could.
    pub async fn selected(&self, choice: &Choice) -> Vec<Result<PodAndEvents, ClusterError>> {
        if let Choice::Named(names) = choice {
            let fetches = names.iter().map(|name| self.pod_and_events(&self.namespace, name));
            return futures::future::join_all(fetches).await;
        }
        let mut selected = Vec::new();
        let mut seen = HashSet::new();
        for query in self.queries(choice).await {
            let query = match query {
                Ok(query) => query,
                Err(error) => {
                    selected.push(Err(error));
                    continue;
                }
            };
            let (pods, events) = tokio::join!(self.pods_of(&query), self.events_of_pods(query.namespace.as_deref()));
            match pods {
                Err(error) => selected.push(Err(error)),
                Ok(pods) if pods.is_empty() && query.is_one() => selected.push(Err(query.not_found())),
                Ok(mut pods) => {
                    // A pod may belong to several of the objects that were named.
                    pods.retain(|pod| pod.metadata.uid.is_none() || seen.insert(pod.metadata.uid.clone()));
                    selected.extend(with_events(pods, events).into_iter().map(Ok));
                }
            }
        }
        selected
    }

    /// kubectl's sentence for a selection that nothing matches.
    pub fn nothing_found(&self, choice: &Choice) -> String {
        match choice {
            Choice::Matching { everywhere: true, .. } => "No resources found".to_owned(),
            _ => format!("No resources found in {} namespace.", self.namespace),
        }
    }

    async fn pods_of(&self, query: &Query) -> Result<Vec<Pod>, ClusterError> {
        let listed = self.list::<Pod>(query.namespace.as_deref(), query.params()).await;
        listed.map_err(|error| error.about_list(query.labels.as_deref(), query.fields.as_deref()))
    }

    async fn events_of_pods(&self, namespace: Option<&str>) -> Result<Vec<Event>, ClusterError> {
        let params = ListParams::default().fields("involvedObject.kind=Pod");
        self.list::<Event>(namespace, params).await
    }
}

/// The field selector for the events about a pod.
pub fn about(name: &str) -> String {
    format!("involvedObject.kind=Pod,involvedObject.name={name}")
}

/// Gives each pod its own events.
fn with_events(pods: Vec<Pod>, events: Result<Vec<Event>, ClusterError>) -> Vec<PodAndEvents> {
    let (events, events_error) = match events {
        Ok(events) => (events, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let mut by_pod: HashMap<(Option<String>, Option<String>), Vec<Event>> = HashMap::new();
    for event in events {
        let key = (event.metadata.namespace.clone(), event.involved_object.name.clone());
        by_pod.entry(key).or_default().push(event);
    }
    let own = |pod: Pod| PodAndEvents {
        events: by_pod
            .remove(&(pod.metadata.namespace.clone(), pod.metadata.name.clone()))
            .unwrap_or_default(),
        pod,
        events_error: events_error.clone(),
    };
    pods.into_iter().map(own).collect()
}

fn with_event_list(pod: Pod, events: Result<Vec<Event>, ClusterError>) -> PodAndEvents {
    let (events, events_error) = match events {
        Ok(events) => (events, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    PodAndEvents {
        pod,
        events,
        events_error,
    }
}
