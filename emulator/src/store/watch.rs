//! A reader of changes, at its own pace.

use tokio::sync::watch::Receiver;

use super::{Expired, Resource, Store, WatchEvent};

/// The changes of one kind of object from one version on.
pub struct Watch {
    store: Store,
    latest: Receiver<u64>,
    resource: Resource,
    namespace: Option<String>,
    version: u64,
}

impl Watch {
    pub(super) fn new(
        store: Store,
        latest: Receiver<u64>,
        resource: Resource,
        namespace: Option<String>,
        version: u64,
    ) -> Self {
        Self {
            store,
            latest,
            resource,
            namespace,
            version,
        }
    }

    /// The next change; waits for it. Safe to cancel.
    ///
    /// # Errors
    /// `Expired` where the reader was so slow that the change is no longer kept.
    pub async fn next(&mut self) -> Result<WatchEvent, Expired> {
        loop {
            let seen = *self.latest.borrow_and_update();
            if let Some(event) = self.poll()? {
                return Ok(event);
            }
            self.version = self.version.max(seen);
            if self.latest.changed().await.is_err() {
                // The sender lives in the store that this watch holds.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Up to which version everything has been read: what a bookmark carries.
    pub fn version(&self) -> u64 {
        self.version
    }

    fn poll(&mut self) -> Result<Option<WatchEvent>, Expired> {
        let event = self.store.lock().history.next(self.version, |event| {
            event.key.resource == self.resource && self.namespace.as_ref().is_none_or(|n| *n == event.key.namespace)
        })?;
        if let Some(event) = &event {
            self.version = event.version;
        }
        Ok(event)
    }
}
