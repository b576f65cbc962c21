//! Why a volume cannot be attached or mounted, in the words of the kubelet, the attach controller, CSI drivers and mount(8).

use super::message::{Message, say};
use crate::pod::event::Event;

/// What is worth looking at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Where the volume is attached, and which pods use it.
    Attachment,
    /// The pod's service account.
    Account,
    /// Objects of this kind.
    Object(&'static str),
    /// The node.
    Node,
    /// What the volume is made of.
    Source,
}

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VolumeError {
    /// The cause.
    pub cause: Message,
    /// What to do, where it follows.
    pub advice: Option<Message>,
    /// What to look at.
    pub look: Look,
}

fn found(look: Look, cause: Message) -> VolumeError {
    VolumeError {
        cause,
        advice: None,
        look,
    }
}

fn advised(look: Look, cause: Message, advice: Message) -> VolumeError {
    VolumeError {
        advice: Some(advice),
        ..found(look, cause)
    }
}

/// What an event about a volume means.
pub(super) fn diagnose(told: &Event) -> VolumeError {
    let message = told.message.as_str();
    let is_attach = told.reason == "FailedAttachVolume" || message.starts_with("AttachVolume");
    let common = of_attachment(message).or_else(|| of_reference(message));
    match (common, is_attach) {
        (Some(found), _) => found,
        (None, true) => of_controller(message),
        (None, false) => of_server(message)
            .or_else(|| of_driver(message))
            .or_else(|| of_node(message))
            .unwrap_or_else(|| found(Look::Source, say("volumes.other"))),
    }
}

fn has(message: &str) -> impl Fn(&[&str]) -> bool {
    let lower = message.to_lowercase();
    move |any: &[&str]| any.iter().any(|words| lower.contains(words))
}

/// The volume is somewhere else, or on its way there (attach controller, `reconciler.go`; the clouds' drivers).
fn of_attachment(message: &str) -> Option<VolumeError> {
    let says = has(message);
    let elsewhere = |cause: Message| advised(Look::Attachment, cause, say("volumes.multi-attach.next"));
    Some(match () {
        () if says(&["multi-attach"]) => match pods_of(message) {
            Some(pods) => elsewhere(say("volumes.multi-attach-pods").with("pods", pods)),
            None => elsewhere(say("volumes.multi-attach")),
        },
        () if says(&[
            "still attached to",
            "already attached to",
            "is attached to a different",
            "currently attached to",
            "volumeinuse",
            "resource_in_use",
            "already being used by",
            "is in use",
            "in-use",
            "status must be available",
        ]) && !says(&["already attached to this node"]) =>
        {
            elsewhere(say("volumes.attached-elsewhere"))
        }
        () if says(&["waitforattach failed"]) && says(&["timed out", "deadline exceeded", "watch expired"]) => advised(
            Look::Attachment,
            say("volumes.attach-slow"),
            say("volumes.attachment.next"),
        ),
        () if says(&["volume attachment is being deleted"]) => advised(
            Look::Attachment,
            say("volumes.attachment-going"),
            say("volumes.attachment.next"),
        ),
        () if says(&[
            "not attached according to node status",
            "not in the list of volumesattached",
        ]) =>
        {
            found(Look::Attachment, say("volumes.not-attached"))
        }
        () if says(&[
            "zonemismatch",
            "nodeaffinity check failed",
            "no matching nodeselectorterms",
            "not in the same zone",
        ]) =>
        {
            found(Look::Source, say("scheduling.volume-zone"))
        }
        () if says(&[
            "attachmentlimitexceeded",
            "maximum number of",
            "max volume",
            "too many volumes",
            "attachment limit",
        ]) =>
        {
            found(Look::Node, say("scheduling.volume-count"))
        }
        () => return None,
    })
}

/// The pods that a Multi-Attach error names: `Volume is already used by pod(s) db-0, db-1`.
fn pods_of(message: &str) -> Option<String> {
    let (_, named) = message.split_once("used by pod(s) ")?;
    Some(
        named
            .split(" and ")
            .next()
            .unwrap_or(named)
            .trim()
            .trim_end_matches('.')
            .to_owned(),
    )
}

/// What the volume is made of is missing, or not as the pod asks for it.
fn of_reference(message: &str) -> Option<VolumeError> {
    let says = has(message);
    let quoted = |words: &str| {
        let (_, rest) = message.split_once(words)?;
        rest.split('"').next()
    };
    Some(match () {
        () if says(&[
            "references non-existent config key",
            "references non-existent secret key",
        ]) =>
        {
            let key = message.rsplit(": ").next().unwrap_or_default();
            found(Look::Source, say("volumes.no-key").with("key", key.trim()))
        }
        () if says(&["has volumemode filesystem"]) => found(Look::Source, say("volumes.mode-filesystem")),
        () if says(&["has volumemode block"]) => found(Look::Source, say("volumes.mode-block")),
        () if says(&["provider not found"]) => found(
            Look::Object("secretproviderclass"),
            say("volumes.no-provider").with("name", quoted("provider not found: provider \"").unwrap_or_default()),
        ),
        () if says(&["secretproviderclass"]) && says(&["not found"]) => {
            let name = message
                .split("\" not found")
                .next()
                .and_then(|before| before.rsplit('"').next());
            let named =
                say("volumes.missing").with("name", format!("SecretProviderClass {}", name.unwrap_or_default()));
            found(Look::Object("secretproviderclass"), named)
        }
        () if says(&["serviceaccounts \"", "service account"]) && says(&["not found"]) => found(
            Look::Account,
            say("volumes.missing").with("name", missing(message).join(", ")),
        ),
        () if says(&["failed to fetch token", "token request"]) && says(&["could not find the requested resource"]) => {
            found(Look::Account, say("volumes.no-token-request"))
        }
        () if says(&["failed to fetch token"]) => found(Look::Account, say("volumes.token")),
        () if says(&["not registered", "failed to sync"]) => found(Look::Source, say("waiting.config.sync")),
        () if !missing(message).is_empty() => found(
            Look::Source,
            say("volumes.missing").with("name", missing(message).join(", ")),
        ),
        () if says(&["persistentvolumeclaim", "pvc"]) && says(&["is being deleted"]) => {
            found(Look::Source, say("volumes.claim-going"))
        }
        () if says(&["unbound", "not bound"]) => found(Look::Source, say("volumes.unbound")),
        () => return None,
    })
}

/// The attach controller and the controller of the driver: nothing of it happens on the node.
fn of_controller(message: &str) -> VolumeError {
    let says = has(message);
    // Every message begins with the volume that it is about.
    let reason = message.split_once("\" : ").map_or(message, |(_, reason)| reason);
    let names_volume = has(reason)(&["volume \"", "disk \""]);
    let attach = |cause: Message| advised(Look::Attachment, cause, say("volumes.attachment.next"));
    match () {
        () if says(&["external-attacher"]) => {
            let driver = message
                .split_once("external-attacher of ")
                .map(|(_, rest)| rest.split(' ').next().unwrap_or(rest));
            attach(say("volumes.attacher-silent").with("driver", driver.unwrap_or_default()))
        }
        () if is_denied(message) => attach(say("volumes.attach-denied")),
        () if says(&["csinode", "does not contain driver"]) => found(Look::Node, say("volumes.csi-driver")),
        () if says(&["instance", "node \""]) && says(&["not found", "does not exist", "notfound"]) && !names_volume => {
            found(Look::Node, say("volumes.attach-node"))
        }
        () if says(&["not found", "does not exist", "notfound"]) => found(Look::Source, say("volumes.storage-missing")),
        () if says(&["requestlimitexceeded", "throttl", "rate exceeded", "too many requests"]) => {
            attach(say("volumes.attach-throttled"))
        }
        () if says(&["code = unavailable", "connection refused"]) => attach(say("volumes.attach-unavailable")),
        () if says(&[
            "deadlineexceeded",
            "deadline exceeded",
            "timed out",
            "attaching",
            "detaching",
            "code = aborted",
        ]) =>
        {
            attach(say("volumes.attach-slow"))
        }
        () => attach(say("volumes.attach-other")),
    }
}

fn is_denied(message: &str) -> bool {
    has(message)(&[
        "permission denied",
        "permissiondenied",
        "access denied",
        "accessdenied",
        "unauthorized",
        "not authorized",
        "authorizationfailed",
        "forbidden",
        "statuscode=403",
        "status code: 403",
        "response 403",
    ])
}

/// A file server, as mount(8) and its helpers tell.
fn of_server(message: &str) -> Option<VolumeError> {
    let says = has(message);
    if !says(&[
        "mount failed",
        "mount.",
        "mounting arguments",
        "mount error",
        "exit status 32",
    ]) {
        return None;
    }
    Some(match () {
        () if says(&[
            "/sbin/mount.",
            "unknown filesystem type",
            "mount.nfs: not found",
            "helper program",
            "executable file not found",
        ]) =>
        {
            advised(
                Look::Node,
                say("volumes.mount-helper"),
                say("volumes.mount-helper.next"),
            )
        }
        () if says(&[
            "access denied by server",
            "permission denied",
            "operation not permitted",
            "mount error(13)",
        ]) =>
        {
            advised(
                Look::Node,
                say("volumes.server-denied"),
                say("volumes.server-denied.next"),
            )
        }
        () if says(&["stale file handle"]) => found(Look::Node, say("volumes.server-stale")),
        () if says(&[
            "connection timed out",
            "connection refused",
            "no route to host",
            "network is unreachable",
            "host is down",
            "mount error(113)",
            "mount error(110)",
            "failed to resolve server",
            "name or service not known",
        ]) =>
        {
            advised(
                Look::Node,
                say("volumes.server-silent"),
                say("volumes.server-silent.next"),
            )
        }
        () if says(&["reason given by server: no such file", "mount error(2)"]) => {
            found(Look::Node, say("volumes.server-path"))
        }
        () if says(&["wrong fs type", "bad superblock", "bad option"]) => found(Look::Node, say("volumes.wrong-fs")),
        () if says(&[
            "structure needs cleaning",
            "input/output error",
            "can't read superblock",
        ]) =>
        {
            found(Look::Node, say("volumes.file-system"))
        }
        () if says(&["special device", "no such device"]) && says(&["does not exist", "no such device"]) => {
            found(Look::Node, say("volumes.no-device"))
        }
        () => found(Look::Node, say("volumes.mount")),
    })
}

/// The CSI driver on the node, and the services behind it.
fn of_driver(message: &str) -> Option<VolumeError> {
    let says = has(message);
    Some(match () {
        () if says(&[
            "not found in the list of registered csi drivers",
            "does not contain driver",
        ]) =>
        {
            found(Look::Node, say("volumes.csi-driver"))
        }
        () if says(&["csi.sock"]) && says(&["connection refused", "no such file", "error while dialing"]) => {
            found(Look::Node, say("volumes.csi-driver"))
        }
        () if is_denied(message) => found(Look::Source, say("volumes.denied")),
        () if says(&["secrets store objects", "secretproviderclass"]) && says(&["not found", "notfound", "404"]) => {
            found(Look::Object("secretproviderclass"), say("volumes.no-secret"))
        }
        () if says(&[
            "an operation with the given volume",
            "already exists for volume",
            "operation pending",
        ]) =>
        {
            found(Look::Node, say("volumes.busy"))
        }
        () if says(&["code = notfound"]) && says(&["volume"]) => found(Look::Source, say("volumes.storage-missing")),
        () if says(&["code = deadlineexceeded", "context deadline exceeded"]) => {
            found(Look::Node, say("volumes.driver-slow"))
        }
        () if says(&[
            "code = unavailable",
            "connection refused",
            "no such host",
            "i/o timeout",
        ]) =>
        {
            found(Look::Node, say("volumes.service-silent"))
        }
        () => return None,
    })
}

/// The node's own part.
fn of_node(message: &str) -> Option<VolumeError> {
    let says = has(message);
    Some(match () {
        () if says(&["hostpath type check failed"]) => {
            advised(Look::Node, say("volumes.host-path"), say("volumes.host-path.next"))
        }
        () if says(&["fsck", "structure needs cleaning", "input/output error"]) => {
            found(Look::Node, say("volumes.file-system"))
        }
        () if says(&["no space left on device"]) => {
            advised(Look::Node, say("node-error.no-space"), say("pull.no-space.next"))
        }
        () if says(&["read-only file system"]) => found(Look::Node, say("node-error.read-only")),
        () if says(&[
            "find device path",
            "device not found",
            "devicepath is empty",
            "device is not found",
            "nvme",
        ]) =>
        {
            found(Look::Node, say("volumes.no-device"))
        }
        () if says(&["volume ownership", "fsgroup"]) => found(Look::Source, say("volumes.ownership")),
        () if says(&["path does not exist", "no such file or directory"])
            || says(&["path \""]) && says(&["does not exist"]) =>
        {
            found(Look::Node, say("volumes.no-path"))
        }
        () if says(&["timed out", "deadline exceeded"]) => found(Look::Source, say("volumes.timed-out")),
        () => return None,
    })
}

/// The objects that are said to be missing, with their kinds: `configmap "a" not found`, several of them in a projected
/// volume. What a driver does not find is no such object.
fn missing(message: &str) -> Vec<String> {
    let count = message.matches("\" not found").count();
    let named = message.split("\" not found").take(count).filter_map(|part| {
        let (before, name) = part.rsplit_once('"')?;
        let word = before.trim_end().rsplit([' ', '[']).next().unwrap_or_default();
        let kind = match word.trim_end_matches('s') {
            "configmap" => "ConfigMap",
            "secret" => "Secret",
            "persistentvolumeclaim" => "PersistentVolumeClaim",
            "serviceaccount" => "ServiceAccount",
            _ => return None,
        };
        Some(format!("{kind} {name}"))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(reason: &str, message: &str) -> &'static str {
        let event: k8s_openapi::api::core::v1::Event = serde_json::from_value(serde_json::json!({
            "metadata": {}, "involvedObject": {}, "reason": reason, "message": message,
        }))
        .unwrap();
        match diagnose(&Event::of(&event)).cause {
            Message::Sentence { key, .. } => key,
            _ => "",
        }
    }

    #[test]
    fn what_keeps_a_volume_from_being_attached_is_told_apart() {
        for (message, expected) in [
            (
                "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to \
                 another",
                "volumes.multi-attach",
            ),
            (
                "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) db-0",
                "volumes.multi-attach-pods",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = FailedPrecondition desc = disk is still attached \
                 to instance \"worker-1\"",
                "volumes.attached-elsewhere",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : timed out waiting for external-attacher of ebs.csi.aws.com CSI \
                 driver to attach volume vol-01",
                "volumes.attacher-silent",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = UnauthorizedOperation: You are \
                 not authorized to perform this operation. status code: 403",
                "volumes.attach-denied",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = Internal desc = attachment of disk \"vol-0\" \
                 failed, expected device to be attached but was attaching",
                "volumes.attach-slow",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = NotFound desc = volume \"vol-1\" not found",
                "volumes.storage-missing",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : rpc error: code = NotFound desc = Instance \"i-0\" not found",
                "volumes.attach-node",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : InvalidVolume.ZoneMismatch: The volume is not in the same zone",
                "scheduling.volume-zone",
            ),
            (
                "AttachVolume.Attach failed for volume \"pvc-1\" : something new",
                "volumes.attach-other",
            ),
        ] {
            assert_eq!(key("FailedAttachVolume", message), expected, "{message}");
        }
    }

    #[test]
    fn what_keeps_a_volume_from_being_mounted_is_told_apart() {
        for (message, expected) in [
            (
                "MountVolume.SetUp failed for volume \"c\" : configmap references non-existent config key: app.conf",
                "volumes.no-key",
            ),
            (
                "MountVolume.SetUp failed for volume \"c\" : [configmap \"a\" not found, secret \"b\" not found]",
                "volumes.missing",
            ),
            (
                "MountVolume.SetUp failed for volume \"c\" : failed to sync configmap cache: timed out waiting for the condition",
                "waiting.config.sync",
            ),
            (
                "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the \
                 condition",
                "volumes.timed-out",
            ),
            (
                "MountVolume.WaitForAttach failed for volume \"pvc-1\" : volume attachment is being deleted",
                "volumes.attachment-going",
            ),
            (
                "MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32\nOutput: mount.nfs: access denied by server \
                 while mounting nfs:/export",
                "volumes.server-denied",
            ),
            (
                "MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32\nOutput: mount.nfs: Connection timed out",
                "volumes.server-silent",
            ),
            (
                "MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32\nOutput: mount: bad option; for several \
                 filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.",
                "volumes.mount-helper",
            ),
            (
                "MountVolume.MountDevice failed for volume \"d\" : mount failed: exit status 32\nOutput: mount: wrong fs type, bad \
                 option, bad superblock on /dev/sdb",
                "volumes.wrong-fs",
            ),
            (
                "MountVolume.SetUp failed for volume \"s\" : rpc error: code = Unknown desc = error connecting to provider \"vault\": \
                 provider not found: provider \"vault\"",
                "volumes.no-provider",
            ),
            (
                "MountVolume.SetUp failed for volume \"s\" : rpc error: code = Unknown desc = failed to get secretproviderclass a/b, \
                 error: SecretProviderClass.secrets-store.csi.x-k8s.io \"b\" not found",
                "volumes.missing",
            ),
            (
                "MountVolume.SetUp failed for volume \"t\" : failed to fetch token: the server could not find the requested resource",
                "volumes.no-token-request",
            ),
            (
                "MountVolume.SetUp failed for volume \"d\" : hostPath type check failed: /srv/data is not a directory",
                "volumes.host-path",
            ),
            (
                "MapVolume.SetUpDevice failed: volume data has volumeMode Filesystem, but is specified in volumeDevices",
                "volumes.mode-filesystem",
            ),
            (
                "MountVolume.MountDevice failed for volume \"pvc-1\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsi\
                 DriverClient: driver name ebs.csi.aws.com not found in the list of registered CSI drivers",
                "volumes.csi-driver",
            ),
            (
                "MountVolume.SetUp failed for volume \"d\" : something new",
                "volumes.other",
            ),
        ] {
            assert_eq!(key("FailedMount", message), expected, "{message}");
        }
    }
}
