//! The pod as its worker is to lead it.

use std::sync::Arc;

use serde_json::Value;

use super::node::RoomFor;

/// The pod as it is wanted.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    /// The object, or as it last was.
    pub(super) object: Arc<Value>,
    /// The object no longer exists.
    pub(super) gone: bool,
    /// It has to make room, and for what.
    pub(super) makes_room: Option<RoomFor>,
}

impl Desired {
    /// Whether the pod is to be ended.
    pub(super) fn ends(&self) -> bool {
        self.gone || self.is_deleted()
    }

    /// Whether its object is on its way out.
    fn is_deleted(&self) -> bool {
        self.object["metadata"]["deletionTimestamp"].is_string()
    }

    /// Whether nobody can see any more how it ends.
    pub(super) fn is_abandoned(&self) -> bool {
        self.gone && !self.is_static()
    }

    fn is_static(&self) -> bool {
        self.object["metadata"]["annotations"]["kubernetes.io/config.source"] == "file"
    }

    /// The grace period that its deletion gives.
    pub(super) fn grace(&self) -> Option<i64> {
        let asked = self.object["metadata"]["deletionGracePeriodSeconds"].as_i64();
        // A static pod's file can be gone without any deletion; then the pod's own grace period counts.
        asked.or(if self.is_abandoned() { Some(0) } else { None })
    }
}
