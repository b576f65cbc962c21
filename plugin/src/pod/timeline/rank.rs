//! The place of an entry among those of its second: causes before effects.
//!
//! An init container's start and end follow those of the one before it, a restart follows the end before it.

use crate::pod::container::{Container, Role};

/// A place; lower comes first.
pub(super) type Rank = i32;

pub(super) const CREATED: Rank = 0;
pub(super) const SCHEDULED: Rank = 1;
pub(super) const SANDBOX: Rank = 2;
pub(super) const PULL: Rank = 3;
const INIT: Rank = 10;
const REGULAR: Rank = 100_000;
pub(super) const READY: Rank = Rank::MAX - 5;
pub(super) const EVENT: Rank = Rank::MAX - 4;
pub(super) const UNREADY: Rank = Rank::MAX - 3;
pub(super) const DELETION: Rank = Rank::MAX - 2;
pub(super) const OVER: Rank = Rank::MAX - 1;
pub(super) const EXPIRED: Rank = Rank::MAX;

/// A container's start in its n-th run; its end is 3 later, what it waits for then 4. What ends a run stands at 2.
pub(super) fn start(container: &Container, run: i32) -> Rank {
    let runs = run.clamp(0, 1_000_000) * 5;
    match container.role {
        Role::Init | Role::Sidecar => INIT + Rank::try_from(container.position).unwrap_or(0) * 1_000 + runs.min(990),
        Role::Regular | Role::Ephemeral => REGULAR + runs,
    }
}
