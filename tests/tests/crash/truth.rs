//! What clients were told, and what may be true besides because an answer never came.

use std::collections::BTreeMap;

/// What is known of one config map: the values that it may have, none where it may be absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    possible: Vec<Option<u64>>,
}

impl Known {
    pub(crate) fn absent() -> Self {
        Self { possible: vec![None] }
    }

    /// What it is, where that is certain.
    pub(crate) fn certain(&self) -> Option<u64> {
        assert_eq!(self.possible.len(), 1, "asked before it was seen: {self:?}");
        self.possible[0]
    }

    /// A client was told so.
    pub(crate) fn told(&mut self, value: Option<u64>) {
        self.possible = vec![value];
    }

    /// A client asked for it and was not answered.
    pub(crate) fn asked(&mut self, value: Option<u64>) {
        self.possible.push(value);
    }

    /// It was seen: that is true, and nothing else.
    pub(crate) fn see(&mut self, name: &str, value: Option<u64>) {
        assert!(
            self.possible.contains(&value),
            "config map {name} is {value:?}, and clients were told {:?}",
            self.possible
        );
        self.told(value);
    }
}

/// How a pod is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Once, with this code.
    Exits(i32),
    /// With code 7, again and again.
    Crashes,
    /// Not before it is told to.
    Runs,
    /// Only when it is killed.
    Stubborn,
}

/// What is known of one pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) kind: Kind,
    /// Its UID, where a client was told that it exists.
    pub(crate) uid: Option<String>,
    /// Someone has asked for its deletion, with or without an answer.
    pub(crate) deleting: bool,
    /// The container that it was seen running.
    pub(crate) container: Option<String>,
}

pub(crate) type Pods = BTreeMap<String, Pod>;
