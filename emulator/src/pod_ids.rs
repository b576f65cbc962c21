//! The users and groups of a pod with `hostUsers: false` (KEP-127): what they are on the machine.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::network::POD_ADDRESSES;

/// How many a pod has, from 0 on (`kubelet/userns/userns_manager.go`).
const LENGTH: u32 = 1 << 16;

/// Where those of all pods begin: no distribution gives such high ones to users or to their containers (systemd's
/// `docs/UIDS-GIDS.md`).
const FIRST: u32 = 0x7000_0000;

/// The machine's IDs that stand for those of one pod, for users and groups alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PodIds {
    first: u32,
}

impl PodIds {
    /// Those of the pod with this address: as no two pods of a node share it, they share no ID.
    pub(crate) fn of(address: Ipv4Addr) -> Self {
        Self {
            first: FIRST + u32::from(address) % POD_ADDRESSES * LENGTH,
        }
    }

    /// What one of the pod's IDs is on the machine, if it is one of the pod's.
    pub(crate) fn on_machine(self, id: u32) -> Option<u32> {
        (id < LENGTH).then(|| self.first + id)
    }

    /// As the kernel takes it for a user namespace (`user_namespaces(7)`).
    pub(crate) fn map(self) -> String {
        format!("0 {} {LENGTH}", self.first)
    }

    /// What tells apart from other pods' what is made for these.
    pub(crate) fn name(self) -> String {
        self.first.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_of_a_node_have_no_id_in_common() {
        let ids = |address: [u8; 4]| PodIds::of(address.into());
        let (first, next, last) = (ids([10, 89, 4, 2]), ids([10, 89, 4, 3]), ids([10, 89, 7, 254]));
        assert_eq!(first.map(), "0 1879179264 65536");
        assert_eq!(first.on_machine(65535).map(|id| id + 1), next.on_machine(0));
        assert_eq!(first.on_machine(65536), None);
        assert!(
            last.on_machine(65535).is_some_and(|id| id < 0x7FFE_0000),
            "below what systemd has for foreign files"
        );
    }
}
