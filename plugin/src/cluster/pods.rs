//! Pods and their events.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::ControlFlow;

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::Api;
use kube::api::ListParams;

use super::Cluster;
use super::error::ClusterError;
use super::watch::Query;
use crate::cli::selection::Choice;
use crate::cli::usage::nearest;

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

impl PodAndEvents {
    /// A pod whose events were not asked for.
    pub fn without_events(pod: Pod) -> Self {
        Self {
            pod,
            events: Vec::new(),
            events_error: None,
        }
    }
}

/// What is fetched along with pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Their events.
    Events,
    /// Nothing: their names are enough.
    Nothing,
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
            Err(error) if error.is_not_found() => {
                let (missing, meant) =
                    tokio::join!(self.missing_namespace(namespace), self.nearest_pod(namespace, name));
                Err(missing.unwrap_or_else(|| error.meant(meant)))
            }
            Err(error) => Err(error),
        }
    }

    /// Says that a namespace does not exist, where the server says so: kubectl prefers that to a pod that does not.
    async fn missing_namespace(&self, namespace: &str) -> Option<ClusterError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let error = self.limited(api.get_metadata(namespace)).await.err()?;
        error.is_not_found().then_some(error)
    }

    /// The pod whose name is nearest to one that is none, or begins with it; among the first page of names.
    async fn nearest_pod(&self, namespace: &str, name: &str) -> Option<String> {
        let api: Api<Pod> = self.api(Some(namespace));
        let params = ListParams {
            limit: self.page,
            ..ListParams::default()
        };
        let pods = self.limited(api.list_metadata(&params)).await.ok()?;
        let names: Vec<&str> = pods
            .items
            .iter()
            .filter_map(|pod| pod.metadata.name.as_deref())
            .collect();
        let begins = || names.iter().copied().find(|known| known.starts_with(name));
        nearest(name, names.iter().copied()).or_else(begins).map(str::to_owned)
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
        let pods: Vec<Pod> = self
            .list::<Pod>(query.namespace.as_deref(), query.params())
            .await?
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
        let mut events = self.events_of_pods(query.namespace.as_deref()).await;
        Ok(pods.into_iter().map(|pod| events.with(pod)).collect())
    }

    /// Fetches what was selected, with its events: one round of requests, and one before it where pods are chosen by what
    /// they belong to.
    ///
    /// Pods that could not be had come as errors beside those that could.
    pub async fn selected(&self, choice: &Choice) -> Vec<Result<PodAndEvents, ClusterError>> {
        let mut selected = Vec::new();
        let whole: Result<(), Infallible> = self
            .selected_in_pages(choice, Along::Events, async |page| {
                selected.extend(page);
                Ok(ControlFlow::Continue(()))
            })
            .await;
        let Ok(()) = whole;
        selected
    }

    /// The same page by page, each handed to `take` before the next one is asked for: memory holds a page of pods, and of
    /// all events what is told of them. `take` may end it.
    ///
    /// # Errors
    /// What `take` fails with.
    pub async fn selected_in_pages<E>(
        &self,
        choice: &Choice,
        along: Along,
        mut take: impl AsyncFnMut(Vec<Result<PodAndEvents, ClusterError>>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        if let Choice::Named(names) = choice {
            let fetches = names.iter().map(|name| self.pod_and_events(&self.namespace, name));
            return take(futures::future::join_all(fetches).await).await.map(drop);
        }
        let mut seen = HashSet::new();
        for query in self.queries(choice).await {
            let query = match query {
                Ok(query) => query,
                Err(error) => {
                    if take(vec![Err(error)]).await?.is_break() {
                        return Ok(());
                    }
                    continue;
                }
            };
            let namespace = query.namespace.as_deref();
            let mut pages = self.pages::<Pod>(namespace, query.params());
            let (mut page, mut events) = match along {
                Along::Events => tokio::join!(pages.next(), self.events_of_pods(namespace)),
                Along::Nothing => (pages.next().await, EventsOfPods::default()),
            };
            let mut is_first = true;
            loop {
                let pods = match page {
                    Ok(Some(pods)) if is_first && pods.is_empty() && query.is_one() => vec![Err(query.not_found())],
                    Ok(Some(mut pods)) => {
                        // A pod may belong to several of the objects that were named.
                        pods.retain(|pod| pod.metadata.uid.is_none() || seen.insert(pod.metadata.uid.clone()));
                        pods.into_iter().map(|pod| Ok(events.with(pod))).collect()
                    }
                    Ok(None) => break,
                    Err(error) => vec![Err(error.about_list(query.labels.as_deref(), query.fields.as_deref()))],
                };
                if take(pods).await?.is_break() {
                    return Ok(());
                }
                is_first = false;
                page = pages.next().await;
            }
        }
        Ok(())
    }

    /// kubectl's sentence for a selection that nothing matches.
    pub fn nothing_found(&self, choice: &Choice) -> String {
        match choice {
            Choice::Matching { everywhere: true, .. } => "No resources found".to_owned(),
            _ => format!("No resources found in {} namespace.", self.namespace),
        }
    }

    async fn events_of_pods(&self, namespace: Option<&str>) -> EventsOfPods {
        let mut pages = self.pages::<Event>(namespace, ListParams::default().fields("involvedObject.kind=Pod"));
        let mut events = EventsOfPods::default();
        loop {
            match pages.next().await {
                Ok(Some(page)) => page.into_iter().for_each(|event| events.add(event)),
                Ok(None) => break,
                Err(error) => {
                    return EventsOfPods {
                        error: Some(error.to_string()),
                        ..EventsOfPods::default()
                    };
                }
            }
        }
        events
    }
}

/// All events about pods, by the pod that they are about.
#[derive(Debug, Default)]
struct EventsOfPods {
    by_pod: HashMap<(Option<String>, Option<String>), Vec<Event>>,
    error: Option<String>,
}

impl EventsOfPods {
    fn add(&mut self, mut event: Event) {
        // Who wrote which field of an event takes more room than what it says.
        event.metadata.managed_fields = None;
        let key = (event.metadata.namespace.clone(), event.involved_object.name.clone());
        self.by_pod.entry(key).or_default().push(event);
    }

    /// Gives a pod its own events.
    fn with(&mut self, pod: Pod) -> PodAndEvents {
        let key = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
        PodAndEvents {
            events: self.by_pod.remove(&key).unwrap_or_default(),
            pod,
            events_error: self.error.clone(),
        }
    }
}

/// The field selector for the events about a pod.
pub fn about(name: &str) -> String {
    format!("involvedObject.kind=Pod,involvedObject.name={name}")
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
