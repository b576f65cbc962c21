//! Unmodified kubectl, today's and Debian's 1.20, against the emulator.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

mod configuration;
mod confinement;
mod copying;
mod debugging;
mod deletion;
mod discovery;
mod editing;
mod image_volumes;
mod manifests;
mod measuring;
mod networks;
mod node;
mod policies;
mod reading;
mod refusals;
mod running;
mod runtime;
mod serving;
mod static_pods;
mod user_namespaces;
mod volumes;
mod watching;
mod websockets;

use tests::emulator::Emulator;
use tests::kubectl::{Kubectl, Version};

/// A pod that runs until it is told to end, and ends at once then.
const SLEEPER: &str = "apiVersion: v1
kind: Pod
metadata:
  name: sleeper
  labels: {app: sleeper}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - name: main
    image: busybox:1
    imagePullPolicy: Never
    command: ['sh', '-c', \"trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done\"]
";

/// An emulator and a kubectl for it.
struct World {
    emulator: Emulator,
    kubectl: Kubectl,
}

impl World {
    fn new(version: Version) -> Self {
        let emulator = Emulator::start();
        let kubectl = emulator.kubectl(version);
        Self { emulator, kubectl }
    }

    /// One with the pod `sleeper`, ready, and ready to end.
    fn with_sleeper(version: Version) -> Self {
        let world = Self::new(version);
        assert_eq!(
            world.kubectl.feed("apply -f -", SLEEPER).succeeded(),
            "pod/sleeper created\n"
        );
        world.kubectl.until_ready("sleeper");
        // A container is ready once it runs, which its trap needs a moment more for.
        world.kubectl.until("logs sleeper", |log| log == "started\n");
        world
    }
}

/// Makes each function of the module a test with either kubectl.
#[macro_export]
macro_rules! with_either_kubectl {
    ($($name:ident)*) => {
        mod kubectl_1_37 {
            $(#[test] fn $name() { super::$name(tests::kubectl::Version::Current); })*
        }
        mod kubectl_1_20 {
            $(#[test] fn $name() { super::$name(tests::kubectl::Version::Old); })*
        }
    };
}
