//! What there is to know about pods: concepts, phases, conditions, reasons, exit codes, in data files, one per language;
//! and the fields of a Pod, from Kubernetes' own schema.

pub mod behaviour;
pub mod detail;
pub mod field;
pub mod language;

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::usage::nearest;
use language::Language;

/// One thing that is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// What kind of thing it is: `concept`, `phase`, `condition`, `reason`, `exit code`.
    pub group: String,
    /// Other names for it.
    #[serde(default)]
    pub also: Vec<String>,
    /// Its heading.
    pub title: String,
    /// What it means.
    pub text: String,
    /// What to do about it; empty where nothing is to be done.
    pub fix: String,
}

/// All that is known in one language, in the order of the file.
pub struct Catalogue {
    entries: Vec<(String, Entry)>,
}

impl Catalogue {
    /// The language's file, which is part of the program, and is read when it is first needed.
    pub fn of(language: Language) -> &'static Self {
        static ENGLISH: OnceLock<Catalogue> = OnceLock::new();
        static KOREAN: OnceLock<Catalogue> = OnceLock::new();
        let (catalogue, text) = match language {
            Language::English => (&ENGLISH, include_str!("en.yaml")),
            Language::Korean => (&KOREAN, include_str!("ko.yaml")),
        };
        catalogue.get_or_init(|| {
            // A test reads both files: what is built in can be read.
            let entries: Map<String, Value> = serde_saphyr::from_str(text).unwrap_or_default();
            let read = |(name, entry): (String, Value)| Some((name, serde_json::from_value(entry).ok()?));
            Self {
                entries: entries.into_iter().filter_map(read).collect(),
            }
        })
    }

    /// Finds an entry by its name or another of its names, in upper or lower case.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let is_it = |other: &str| other.to_lowercase() == name.to_lowercase();
        let by_name = self.entries.iter().find(|(own, _)| is_it(own));
        by_name
            .or_else(|| {
                self.entries
                    .iter()
                    .find(|(_, entry)| entry.also.iter().any(|other| is_it(other)))
            })
            .map(|(_, entry)| entry)
    }

    /// The name under which an entry is filed, from any of its names.
    pub fn name_of(&self, name: &str) -> Option<&str> {
        let entry = self.find(name)?;
        self.entries
            .iter()
            .find(|(_, other)| std::ptr::eq(other, entry))
            .map(|(name, _)| name.as_str())
    }

    /// The name nearest to one that is not known.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        let known = self
            .entries
            .iter()
            .flat_map(|(own, entry)| std::iter::once(own.as_str()).chain(entry.also.iter().map(String::as_str)));
        nearest(name, known)
    }

    /// All entries with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_know_the_same() {
        let names = |language| {
            Catalogue::of(language)
                .entries()
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert!(names(Language::English).len() > 70);
        assert_eq!(names(Language::English), names(Language::Korean));
        for language in [Language::English, Language::Korean] {
            for (name, entry) in Catalogue::of(language).entries() {
                assert!(!entry.title.is_empty() && !entry.text.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn things_are_found_by_every_name_in_any_case() {
        let english = Catalogue::of(Language::English);
        for name in [
            "Pod",
            "ErrImagePull",
            "staticPodPath",
            "init container",
            "sigkill",
            "SIGSEGV",
            "SIGPIPE",
            "137",
        ] {
            assert!(english.find(name).is_some(), "{name}");
        }
        let korean = Catalogue::of(Language::Korean);
        for name in [
            "파드",
            "템플릿",
            "레이블",
            "생명 주기",
            "프로브",
            "핸들러",
            "진단 결과",
            "초기화 컨테이너",
            "파드 인프라 컨테이너",
            "스태틱 파드",
        ] {
            assert!(korean.find(name).is_some(), "{name}");
        }
        assert_eq!(english.suggest("CrashLoopBackof"), Some("CrashLoopBackOff"));
    }

    #[test]
    fn every_reason_condition_event_and_exit_code_is_known_in_both_languages() {
        let names = "ImagePullBackOff ErrImagePull ErrImageNeverPull ImageInspectError InvalidImageName RegistryUnavailable \
            SignatureValidationFailed ImageVolumeMountFailed RROUnsupported SecurityProfileInvalid \
            CreateContainerConfigError CreateContainerError PreCreateHookError PreStartHookError PostStartHookError \
            CrashLoopBackOff RunContainerError KillContainerError CreatePodSandboxError ConfigPodSandboxError \
            KillPodSandboxError ResizePodInPlaceError RemoveContainerError ContainerCreating PodInitializing \
            Completed Error OOMKilled StartError ContainerCannotRun DeadlineExceeded ContainerStatusUnknown Evicted \
            Preempting Terminated Shutdown NodeShutdown NodeLost OutOfcpu OutOfmemory OutOfephemeral-storage \
            OutOfpods NodeAffinity NodeName NodePorts TaintToleration PodOSSelectorNodeLabelDoesNotMatch \
            PodOSNotSupported InvalidNodeInfo InitContainerRestartPolicyForbidden \
            SupplementalGroupsPolicyNotSupported UnexpectedAdmissionError AppArmor PodLevelResourcesNotSupported \
            PodFeatureUnsupported TopologyAffinityError SMTAlignmentError SysctlForbidden \
            VolumeAttachmentLimitExceeded Unschedulable SchedulingGated SchedulerError PodReadyToStartContainers \
            PodHasNetwork ContainersNotInitialized UnknownContainerStatuses PodCompleted ContainersNotReady \
            PodFailed ReadinessGatesNotReady DisruptionTarget PreemptionByScheduler TerminationByKubelet \
            EvictionByEvictionAPI DeletionByTaintManager DeletionByPodGC PodResizePending Deferred Infeasible \
            PodResizeInProgress AllContainersRestarting Created Started Failed Killing BackOff Preempted \
            ExceededGracePeriod Pulling Pulled InspectFailed SandboxChanged FailedCreatePodSandBox \
            FailedPodSandBoxStatus NetworkNotReady FailedMount FailedAttachVolume FailedMapVolume \
            SuccessfulAttachVolume AlreadyMountedVolume VolumeResizeFailed FileSystemResizeFailed Unhealthy \
            ProbeWarning FailedPostStartHook FailedPreStopHook FailedSync FailedValidation DNSConfigForming \
            Scheduled FailedScheduling TaintManagerEviction 0 1 2 126 127 128 130 134 135 136 137 139 141 143 255 \
            NotReady";
        let (english, korean) = (Catalogue::of(Language::English), Catalogue::of(Language::Korean));
        for name in names.split_whitespace() {
            let filed = english.name_of(name);
            assert!(filed.is_some_and(|filed| korean.find(filed).is_some()), "{name}");
        }
        for message in [
            "Insufficient cpu",
            "Too many pods",
            "had untolerated taint(s)",
            "didn't satisfy existing pods anti-affinity rules",
            "no nodes available to schedule pods",
        ] {
            assert!(english.find(message).is_some(), "{message}");
        }
    }

    #[test]
    fn a_name_is_filed_once_in_each_language() {
        for language in [Language::English, Language::Korean] {
            let catalogue = Catalogue::of(language);
            let mut seen = std::collections::BTreeSet::new();
            for (name, entry) in catalogue.entries() {
                assert!(seen.insert(name.to_lowercase()), "{name}");
                for also in &entry.also {
                    assert!(seen.insert(also.to_lowercase()), "{name}: {also}");
                }
            }
        }
    }
}
