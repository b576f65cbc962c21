//! The node around the runtime, for real: configurations from the store, volumes on the disk, probes over the network.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{LifecycleHandler, Probe};

use crate::{
    container_config::{self, Node, Subject, files, resolv_conf, resources, sandbox},
    disk_usage,
    host_ports::HostPorts,
    kubelet::{
        edges::{Aim, Edges, Outcome, Start, VolumeFailure, VolumePaths},
        eviction::{StorageUsed, Volume},
        pod::{Declared, Pod},
        pressure::Observations,
        start_failure::StartFailure,
    },
    observations, probe,
    runtime::{ContainerConfig, ContainerStatus, PodRef, PodStatus, Resources, SandboxConfig, SharedRuntime, Usage},
    volumes::Volumes,
};

/// The longest termination message from a file, in bytes.
const MESSAGE_MAX: u64 = 4096;

/// The longest one from the log, in bytes and lines.
const FALLBACK_MAX: (u64, usize) = (2048, 80);

/// A node on this machine.
pub struct NodeEdges {
    node: Node,
    runtime: SharedRuntime,
    volumes: Volumes,
}

impl NodeEdges {
    /// Puts the parts together.
    pub fn new(node: Node, runtime: SharedRuntime, volumes: Volumes) -> Self {
        Self { node, runtime, volumes }
    }

    /// What each container uses of one resource, by its name.
    async fn used(&self, status: &PodStatus, of: fn(Usage) -> u64) -> BTreeMap<String, u64> {
        let mut used = BTreeMap::new();
        for container in &status.containers {
            if let Ok(usage) = self.runtime.usage(&container.id).await {
                *used.entry(container.name.clone()).or_default() += of(usage);
            }
        }
        used
    }
}

#[async_trait]
impl Edges for NodeEdges {
    fn sandbox_config(&self, pod: &Pod, attempt: u32) -> SandboxConfig {
        sandbox::sandbox_config(pod, &self.node, attempt)
    }

    fn omitted_dns(&self, pod: &Pod) -> Vec<String> {
        resolv_conf::of_pod(pod).omitted
    }

    async fn bind_ports(&self, pod: &Pod) -> Result<HostPorts, String> {
        HostPorts::bind(&pod.host_ports(), &self.runtime).await
    }

    fn pod_resources(&self, pod: &Pod) -> Resources {
        resources::of_pod(pod)
    }

    fn resources(&self, pod: &Pod, declared: &Declared) -> Resources {
        resources::of(&self.node, pod, &declared.container)
    }

    async fn container_config(&self, start: Start<'_>) -> Result<ContainerConfig, StartFailure> {
        container_config::container_config(&Subject {
            node: &self.node,
            pod: start.pod,
            declared: start.declared,
            image: start.image,
            attempt: start.attempt,
            volumes: start.volumes,
            image_volumes: start.image_volumes,
            ips: start.ips,
            target: start.target,
        })
    }

    async fn set_up_volumes(&self, pod: &Pod) -> Result<VolumePaths, Vec<VolumeFailure>> {
        self.volumes.set_up(pod)
    }

    async fn refresh_volumes(&self, pod: &Pod) -> Vec<VolumeFailure> {
        self.volumes.refresh(pod)
    }

    fn next_renewal(&self, pod: &Pod) -> Option<Timestamp> {
        self.volumes.next_renewal(&pod.uid)
    }

    async fn tear_down(&self, pod: &PodRef) {
        // What could not be removed now is removed with the next pod that ends, or at the next start.
        drop(self.volumes.tear_down(&pod.uid));
    }

    async fn forget(&self, pod: &PodRef) {
        let folder = self
            .node
            .logs
            .join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid));
        drop(fs::remove_dir_all(folder));
        self.node.immutable.forget(&pod.uid);
    }

    async fn storage(&self, pod: &Pod, status: &PodStatus) -> StorageUsed {
        let mut used = StorageUsed::default();
        for volume in pod.spec.volumes.iter().flatten() {
            if let Some(source) = &volume.empty_dir {
                let folder = self.node.pod_files(&pod.uid).join("volumes").join(&volume.name);
                let bytes = disk_usage::of(folder).await;
                let in_memory = source.medium.as_deref() == Some("Memory");
                used.volumes.insert(volume.name.clone(), Volume { bytes, in_memory });
            }
        }
        for container in &status.containers {
            let entry = used.containers.entry(container.name.clone()).or_default();
            *entry += self.runtime.storage(&container.id).await;
        }
        for (name, bytes) in &mut used.containers {
            *bytes += disk_usage::of(self.node.pod_logs(pod).join(name)).await;
        }
        used
    }

    async fn observe_node(&self) -> Observations {
        observations::of(&self.node.volumes)
    }

    async fn memory(&self, status: &PodStatus) -> BTreeMap<String, u64> {
        self.used(status, |usage| usage.memory_working_set).await
    }

    async fn memory_with_files(&self, status: &PodStatus) -> BTreeMap<String, u64> {
        self.used(status, |usage| usage.memory).await
    }

    async fn probe(&self, aim: Aim<'_>, probe: &Probe) -> Outcome {
        probe::probe(&self.runtime, aim, probe).await
    }

    async fn hook(
        &self,
        aim: Aim<'_>,
        handler: &LifecycleHandler,
        timeout: Option<Duration>,
    ) -> Result<Option<String>, String> {
        probe::hook(&self.runtime, aim, handler, timeout).await
    }

    async fn termination_message(&self, pod: &Pod, declared: &Declared, ended: &ContainerStatus) -> String {
        let path = files::termination_log(&self.node, &pod.uid, declared.name(), ended.attempt);
        let message = read_end(&path).unwrap_or_default();
        let falls_back = declared.container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        if !message.is_empty() || !falls_back || ended.exit_code == Some(0) {
            return message;
        }
        fs::File::open(&ended.log_path).map(last_lines).unwrap_or_default()
    }
}

/// The end of a file, as `kuberuntime_container.go`, `getTerminationMessage`, reads it.
fn read_end(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let _ = file.seek(SeekFrom::Start(length.saturating_sub(MESSAGE_MAX)))?;
    let mut bytes = Vec::new();
    let _ = file.take(MESSAGE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The end of a log without what the runtime writes before each line (`kuberuntime_container.go`, `readLastStringFromContainerLogs`).
fn last_lines(mut log: impl Read + Seek) -> String {
    /// More than the message can take, with what precedes each line.
    const WINDOW: u64 = 16 * 1024;
    let length = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let start = length.saturating_sub(WINDOW);
    let mut bytes = Vec::new();
    if log.seek(SeekFrom::Start(start)).is_err() || log.read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().skip(usize::from(start > 0)).collect();
    let kept = &lines[lines.len().saturating_sub(FALLBACK_MAX.1)..];
    let mut message = String::new();
    for line in kept {
        // Time, stream, tag, content.
        let mut fields = line.splitn(4, ' ');
        let (tag, content) = (fields.nth(2).unwrap_or_default(), fields.next().unwrap_or_default());
        message.push_str(content);
        if tag != "P" {
            message.push('\n');
        }
    }
    let excess = message
        .len()
        .saturating_sub(usize::try_from(FALLBACK_MAX.0).unwrap_or(0));
    let cut = (excess..=message.len())
        .find(|place| message.is_char_boundary(*place))
        .unwrap_or(0);
    message.split_off(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_end_of_a_long_message_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{}the end", "x".repeat(9000))).unwrap();
        let message = read_end(file.path()).unwrap();
        assert!(
            message.len() == 4096 && message.ends_with("xthe end"),
            "{}",
            message.len()
        );
    }

    #[test]
    fn the_end_of_a_log_is_read_without_its_prefixes() {
        let log =
            "2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:00Z stderr P tw\n2026-01-01T00:00:00Z stderr F o\n";
        assert_eq!(last_lines(Cursor::new(log)), "one\ntwo\n");
        let long: String = (0..200)
            .map(|n| format!("2026-01-01T00:00:00Z stdout F line {n}\n"))
            .collect();
        let message = last_lines(Cursor::new(long));
        assert!(
            message.starts_with("line 120\n") && message.ends_with("line 199\n"),
            "{message}"
        );
        let wide = format!("2026-01-01T00:00:00Z stdout F {}\n", "한".repeat(2000));
        assert!(last_lines(Cursor::new(wide)).len() <= 2048);
    }
}
