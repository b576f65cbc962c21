//! Many pods at once: read page by page, and kept only where something is not well.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;

use super::Cluster;
use super::error::ClusterError;
use super::pods::{PodAndEvents, about};
use crate::cli::selection::Choice;
use crate::findings::Verdict;
use crate::findings::reading::Reading;

/// Up to so many pods, each one's events are asked for; beyond that, all events are cheaper.
const FEW: usize = 20;

/// How many pods there are, and what is wrong with those that are not well.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many got each verdict.
    pub counts: BTreeMap<Verdict, usize>,
    /// Those that are not well, the worst first.
    pub unwell: Vec<Reading>,
}

impl Survey {
    /// Takes a pod in.
    pub fn add(&mut self, reading: Reading) {
        *self.counts.entry(reading.verdict).or_default() += 1;
        if !matches!(reading.verdict, Verdict::Healthy | Verdict::Done) {
            self.unwell.push(reading);
        }
    }

    /// Puts the worst first: by the verdict, then by how bad and how much it is.
    pub fn rank(&mut self) {
        self.unwell.sort_by_key(|reading| {
            let name = (reading.facts.namespace.clone(), reading.facts.name.clone());
            (
                std::cmp::Reverse(reading.verdict),
                std::cmp::Reverse(reading.worst()),
                std::cmp::Reverse(reading.findings.len()),
                name,
            )
        });
    }
}

impl Cluster {
    /// Reads all chosen pods. Memory holds a page of them, and those that are not well.
    ///
    /// What could not be had comes as errors beside the rest.
    pub async fn survey(&self, choice: &Choice) -> (Survey, Vec<ClusterError>) {
        let mut survey = Survey::default();
        let mut errors = Vec::new();
        for query in self.queries(choice).await {
            let query = match query {
                Ok(query) => query,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let namespace = query.namespace.clone();
            let mut unwell = Vec::new();
            let now = Timestamp::now();
            let mut pages = self.pages::<Pod>(namespace.as_deref(), query.params());
            loop {
                let page = match pages.next().await {
                    Ok(Some(page)) => page,
                    Ok(None) => break,
                    Err(error) => {
                        errors.push(error);
                        break;
                    }
                };
                for pod in page {
                    // Without events already, most pods can be told to be well.
                    let reading = Reading::of(PodAndEvents::without_events(pod), now);
                    match reading.verdict {
                        Verdict::Healthy | Verdict::Done => survey.add(reading),
                        _ => unwell.push(reading.facts.pod),
                    }
                }
            }
            for fetched in self.with_their_events(namespace.as_deref(), unwell).await {
                survey.add(Reading::of(fetched, Timestamp::now()));
            }
        }
        survey.rank();
        (survey, errors)
    }

    async fn with_their_events(&self, namespace: Option<&str>, pods: Vec<Pod>) -> Vec<PodAndEvents> {
        let key = |namespace: Option<&String>, name: Option<&String>| (namespace.cloned(), name.cloned());
        let mut all: HashMap<_, PodAndEvents> = pods
            .into_iter()
            .map(|pod| {
                let key = key(pod.metadata.namespace.as_ref(), pod.metadata.name.as_ref());
                (key, PodAndEvents::without_events(pod))
            })
            .collect();
        let failed = if all.len() <= FEW {
            let fetches = all.values().map(|one| {
                let name = one.pod.metadata.name.clone().unwrap_or_default();
                let namespace = one.pod.metadata.namespace.clone();
                async move {
                    let params = ListParams::default().fields(&about(&name));
                    self.list::<Event>(namespace.as_deref(), params).await
                }
            });
            let fetched = futures::future::join_all(fetches).await;
            let mut failed = None;
            for events in fetched {
                match events {
                    Ok(events) => give(events, &mut all),
                    Err(error) => failed = Some(error),
                }
            }
            failed
        } else {
            let params = ListParams::default().fields("involvedObject.kind=Pod");
            let mut pages = self.pages::<Event>(namespace, params);
            loop {
                match pages.next().await {
                    Ok(Some(page)) => give(page, &mut all),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            }
        };
        if let Some(error) = failed {
            let error = error.to_string();
            all.values_mut().for_each(|one| one.events_error = Some(error.clone()));
        }
        all.into_values().collect()
    }
}

/// Gives events to the pods that they are about; those of others are dropped.
fn give(events: Vec<Event>, pods: &mut HashMap<(Option<String>, Option<String>), PodAndEvents>) {
    for event in events {
        let key = (event.metadata.namespace.clone(), event.involved_object.name.clone());
        if let Some(pod) = pods.get_mut(&key) {
            pod.events.push(event);
        }
    }
}
