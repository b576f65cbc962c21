//! What a control plane does by itself, as far as pods need it: namespaces, the node object, taints, pods that
//! no kubelet removes, the status of quotas, ageing of events.

pub mod events;
pub mod namespaces;
pub mod node;
mod pod_gc;
pub mod priority_classes;
pub(crate) mod resource_quotas;
mod taint_eviction;

use std::future::Future;

use crate::{clock::Clock, events::Recorder, store::Store};

/// Runs all of them; they end with `shutdown`.
///
/// `root_ca` is the API server's CA certificate, PEM, which every namespace gets as `kube-root-ca.crt`.
pub async fn run(store: Store, clock: Clock, root_ca: String, node: node::Facts, shutdown: impl Future<Output = ()>) {
    let recorder = Recorder::new(store.clone(), clock.clone(), &node.name);
    let all = async {
        tokio::join!(
            namespaces::run(&store, &clock, &root_ca),
            node::run(&store, &clock, &node),
            events::run(&store, &clock),
            pod_gc::run(&store, &clock),
            resource_quotas::run(&store, &clock),
            taint_eviction::run(&store, &clock, &recorder),
        )
    };
    tokio::select! {
        _ = all => {}
        () = shutdown => {}
    }
}
