//! kube, the client of Kubernetes in Rust, against the emulator: a second real client beside kubectl.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

mod objects;
mod streams;
mod watching;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions::is_pod_running, wait::await_condition};
use kube::{Client, Config};
use serde_json::{Value, json};
use tests::emulator::Emulator;

/// An emulator and a client for it.
struct World {
    client: Client,
    _emulator: Emulator,
}

impl World {
    async fn new() -> Self {
        let emulator = Emulator::start();
        let kubeconfig = Kubeconfig::read_from(emulator.kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        Self {
            client: Client::try_from(config).unwrap(),
            _emulator: emulator,
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates a pod and waits until it runs.
    async fn run(&self, name: &str, command: &str) -> Pod {
        self.run_pod(&pod(name, command)).await
    }

    async fn run_pod(&self, pod: &Pod) -> Pod {
        let pods = self.pods();
        pods.create(&PostParams::default(), pod).await.unwrap();
        let running = await_condition(pods, pod.metadata.name.as_ref().unwrap(), is_pod_running());
        running.await.unwrap().unwrap()
    }
}

/// A pod of one container, which a shell runs.
fn pod(name: &str, command: &str) -> Pod {
    serde_json::from_value(manifest(name, command)).unwrap()
}

fn manifest(name: &str, command: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "main", "image": "busybox:1", "imagePullPolicy": "Never", "stdin": true,
                "command": ["sh", "-c", command],
            }],
        },
    })
}

/// Runs until it is told to end.
const SLEEP: &str = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done";
