//! What a component's message means: the cause, the advice that follows from it, and where to look.

use super::Finding;
use super::command::{describe_node, here, show_command};
use super::message::{Message, say};
use crate::pod::Facts;
use crate::pod::container::Container;

/// Where a fault lies, which decides what is worth looking at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The image, or the command that the pod runs from it.
    Image,
    /// A field of the pod.
    Pod,
    /// The node or its container runtime.
    Node,
    /// The network plugin of the node.
    Network,
    /// The message is not recognized.
    Unknown,
}

/// The meaning of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The cause.
    pub cause: Message,
    /// What to do, where it follows from the cause.
    pub advice: Option<Message>,
    /// Where the fault lies.
    pub place: Place,
}

impl Diagnosis {
    /// A cause without advice of its own.
    pub fn new(place: Place, cause: Message) -> Self {
        Self {
            cause,
            advice: None,
            place,
        }
    }

    /// Adds the advice.
    #[must_use]
    pub fn advise(mut self, advice: Message) -> Self {
        self.advice = Some(advice);
        self
    }
}

impl Finding {
    /// Adds a diagnosis: its cause, its advice, and commands that show the place of the fault.
    #[must_use]
    pub(super) fn diagnosed(self, facts: &Facts, container: Option<&Container>, diagnosis: Diagnosis) -> Self {
        self.because(diagnosis.cause.clone())
            .treated(facts, container, diagnosis)
    }

    /// Adds what to do about a diagnosis whose cause has been given already.
    #[must_use]
    pub(super) fn treated(self, facts: &Facts, container: Option<&Container>, diagnosis: Diagnosis) -> Self {
        let finding = self.advised(diagnosis.advice);
        match (diagnosis.place, container) {
            (Place::Image, Some(container)) => finding
                .then(
                    say("advice.compare-with-image")
                        .with("container", container.name.as_str())
                        .with("image", container.spec.image.clone().unwrap_or_default()),
                )
                .run(show_command(facts, container)),
            (Place::Node, _) => finding.maybe_run(describe_node(facts)).then(say("advice.runtime-log")),
            (Place::Network, _) => finding
                .maybe_run(describe_node(facts))
                .then(say("creation.sandbox.next")),
            (Place::Pod, _) => finding.run(here(facts, &["get", "pod", &facts.name, "-o", "yaml"])),
            (Place::Image | Place::Unknown, _) => finding.run(here(facts, &["describe", "pod", &facts.name])),
        }
    }
}
