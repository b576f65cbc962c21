//! Which pods: names, selectors, or files, as kubectl takes them.

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::target::{PodsOf, Target};
use super::usage::UsageError;
use super::{switch, target};
use crate::completion::{flags, objects};

/// kubectl's selection flags and arguments.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// Pods by NAME, or by what they belong to: deploy/NAME, rs, sts, ds, job, cj, rc, svc, node; all of the namespace
    /// where nothing is named
    #[arg(value_name = "NAME | TYPE/NAME", add = ArgValueCompleter::new(objects::pods))]
    pub names: Vec<String>,
    /// Selector (label query) to filter on, e.g. app=web,tier!=cache
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// Selector (field query) to filter on, e.g. status.phase=Running,spec.nodeName=node1
    #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(flags::selectable_fields))]
    pub field_selector: Option<String>,
    /// The pods of all namespaces
    #[arg(
        short = 'A',
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    pub all_namespaces: bool,
    /// File or directory with pods, or - for standard input; read without a cluster
    #[arg(short = 'f', long, value_name = "FILE")]
    pub filename: Vec<String>,
    /// Also read the directories below those given with -f
    #[arg(
        short = 'R',
        long,
        value_parser = switch::parse,
        value_name = switch::VALUE
    )]
    pub recursive: bool,
}

/// What the selection comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Pods that were named.
    Named(Vec<String>),
    /// The pods of objects that were named, such as a Deployment; pods among them.
    Of(Vec<Target>),
    /// Whatever matches.
    Matching {
        /// A label query, as typed.
        labels: Option<String>,
        /// A field query, as typed.
        fields: Option<String>,
        /// In every namespace.
        everywhere: bool,
    },
    /// Files, directories, or `-`.
    Files(Vec<String>),
}

impl Selection {
    /// Decides between names, selectors and files.
    ///
    /// # Errors
    /// kubectl's sentence where they contradict each other, or where something other than a pod is named.
    pub fn choice(&self) -> Result<Choice, UsageError> {
        let targets = target::read(&self.names)?;
        let has_selector = self.selector.is_some() || self.field_selector.is_some();
        if !self.filename.is_empty() {
            if !targets.is_empty() || has_selector || self.all_namespaces {
                return Err(UsageError::new(
                    "when files or directories are given with -f, neither names nor selectors may be",
                ));
            }
            if let Some(url) = self.filename.iter().find(|name| name.contains("://")) {
                return Err(UsageError::new(format!(
                    "-f {url}: URLs are not read; download the file and name it, or pipe it into -f -"
                )));
            }
            return Ok(Choice::Files(self.filename.clone()));
        }
        match (targets.is_empty(), has_selector, self.all_namespaces) {
            (false, true, _) => Err(UsageError::new("name cannot be provided when a selector is specified")),
            (false, _, true) => Err(UsageError::new(
                "a resource cannot be retrieved by name across all namespaces",
            )),
            (false, false, false) if targets.iter().all(|target| target.kind.pods == PodsOf::Itself) => {
                Ok(Choice::Named(targets.into_iter().map(|target| target.name).collect()))
            }
            (false, false, false) => Ok(Choice::Of(targets)),
            (true, _, everywhere) => Ok(Choice::Matching {
                labels: self.selector.clone(),
                fields: self.field_selector.clone(),
                everywhere,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(names: &[&str]) -> Selection {
        Selection {
            names: names.iter().map(ToString::to_string).collect(),
            ..Selection::default()
        }
    }

    fn named(names: &[&str]) -> Result<Choice, UsageError> {
        Ok(Choice::Named(names.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn pods_are_named_in_every_way_that_kubectl_takes() {
        assert_eq!(selection(&["web"]).choice(), named(&["web"]));
        assert_eq!(selection(&["pod/web", "po/db"]).choice(), named(&["web", "db"]));
        assert_eq!(selection(&["pods", "web", "db"]).choice(), named(&["web", "db"]));
    }

    #[test]
    fn names_and_selectors_exclude_each_other() {
        let mut both = selection(&["web"]);
        both.selector = Some("app=web".into());
        assert_eq!(
            both.choice(),
            Err(UsageError::new("name cannot be provided when a selector is specified"))
        );
    }

    #[test]
    fn a_url_is_refused_by_name() {
        let mut remote = selection(&[]);
        remote.filename = vec!["https://example.com/pod.yaml".into()];
        assert!(
            remote
                .choice()
                .unwrap_err()
                .to_string()
                .starts_with("-f https://example.com/pod.yaml: URLs")
        );
    }

    #[test]
    fn without_names_it_is_the_whole_namespace() {
        let all = Choice::Matching {
            labels: None,
            fields: None,
            everywhere: false,
        };
        assert_eq!(selection(&["pods"]).choice(), Ok(all.clone()));
        assert_eq!(selection(&[]).choice(), Ok(all));
    }
}
