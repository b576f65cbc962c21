//! One thing that happened, and how it is known.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::rank::Rank;

/// How an entry is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The status or an event says so.
    Recorded,
    /// It follows from what is recorded.
    Inferred,
    /// It happened, and its record is gone.
    Expired,
    /// It would happen: nobody runs the pod.
    Simulated,
}

impl Source {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Inferred => "inferred",
            Self::Expired => "expired",
            Self::Simulated => "simulated",
        }
    }
}

/// Whether what happened is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mood {
    /// A step forward.
    Good,
    /// Neither.
    Neutral,
    /// A step back.
    Bad,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When; nobody knows of what has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// When it was seen, by whoever watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// How it is known.
    pub source: Source,
    /// Whether it is welcome.
    pub mood: Mood,
    /// The container that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What happened.
    pub what: String,
    /// Tells this entry from all others, so that a live view says everything once.
    #[serde(skip)]
    pub key: String,
    /// The same for all tellings of one thing that goes on, such as a probe that fails again and again.
    #[serde(skip)]
    pub subject: String,
    /// Among entries of one second: what causes the others comes first.
    #[serde(skip)]
    pub(super) rank: Rank,
    /// The second to stand at, for what has no time.
    #[serde(skip)]
    pub(super) place: Option<i64>,
}

impl Entry {
    pub(super) fn new(at: Option<Timestamp>, rank: Rank, key: impl Into<String>, what: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            at,
            seen: None,
            source: if at.is_some() {
                Source::Recorded
            } else {
                Source::Expired
            },
            mood: Mood::Neutral,
            container: None,
            what: what.into(),
            subject: key.clone(),
            key,
            rank,
            place: None,
        }
    }

    pub(super) fn mood(mut self, mood: Mood) -> Self {
        self.mood = mood;
        self
    }

    pub(super) fn inferred(mut self) -> Self {
        self.source = Source::Inferred;
        self
    }

    /// What happened at some moment before `second` that nobody kept.
    pub(super) fn expired_before(mut self, second: Option<i64>) -> Self {
        self.source = Source::Expired;
        self.place = second;
        self
    }

    /// The best that is known of when it was.
    pub fn moment(&self) -> Option<Timestamp> {
        self.seen.or(self.at)
    }
}
