//! `-c`: some of a pod's containers, by name.

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::usage::UsageError;
use crate::completion::objects;

/// Which containers; all where none is named.
#[derive(Clone, Debug, Default, Args)]
pub struct Containers {
    /// Only this container; can be repeated
    #[arg(
        short = 'c',
        long = "container",
        value_name = "NAME",
        add = ArgValueCompleter::new(objects::containers)
    )]
    containers: Vec<String>,
}

impl Containers {
    /// Whether any is named.
    pub fn is_some(&self) -> bool {
        !self.containers.is_empty()
    }

    /// Whether a container is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.containers.is_empty() || self.containers.iter().any(|own| own == name)
    }

    /// Makes sure that each named container is one of a pod's.
    ///
    /// # Errors
    /// The first one that is not, in kubectl's words.
    pub fn check<'a>(&self, pod: &str, containers: impl Iterator<Item = &'a str> + Clone) -> Result<(), UsageError> {
        let is_unknown = |name: &&String| !containers.clone().any(|known| known == name.as_str());
        match self.containers.iter().find(is_unknown) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = containers.collect();
                Err(UsageError::new(format!(
                    "container {name} is not valid for pod {pod} out of: {}",
                    known.join(", ")
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_all_containers_are_meant() {
        assert!(Containers::default().has("app"));
        let one = Containers {
            containers: vec!["app".into()],
        };
        assert!(one.has("app") && !one.has("proxy"));
    }

    #[test]
    fn a_container_that_is_not_there_is_named_with_those_that_are() {
        let one = Containers {
            containers: vec!["nope".into()],
        };
        assert_eq!(
            one.check("web", ["app", "proxy"].into_iter()).unwrap_err().to_string(),
            "container nope is not valid for pod web out of: app, proxy"
        );
        assert!(Containers::default().check("web", [].into_iter()).is_ok());
    }
}
