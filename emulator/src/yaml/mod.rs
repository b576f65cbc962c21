//! YAML and JSON as kubectl and the API server read them: `sigs.k8s.io/yaml`, which follows YAML 1.1.
//!
//! Every value keeps its place in the text.

mod node;
mod quote;
mod reader;
mod scalar;
mod stream;

pub use self::{
    node::{Content, Key, Node, Place},
    reader::{Duplicate, Parsed},
    stream::documents,
};

/// The reason why a text is not valid YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// The reason, without its place.
    pub message: String,
    /// The place of the fault, where it is known.
    pub place: Option<Place>,
}

impl YamlError {
    fn new(message: impl Into<String>, place: Option<Place>) -> Self {
        Self {
            message: message.into(),
            place,
        }
    }
}

/// Returns the first document of a text.
///
/// # Errors
/// The first fault of the syntax.
pub fn document(text: &str) -> Result<Parsed, YamlError> {
    reader::read(text, Place { line: 1, column: 1 })
}
