//! Which addresses pods get.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// 1024 addresses, about as many as a bridge has ports: the node's own is the first, pods have the rest but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// The first address, which names the subnet.
    pub(crate) base: Ipv4Addr,
}

/// How many bits name the subnet.
pub(crate) const PREFIX: u8 = 22;

/// How many addresses there are.
pub(crate) const ADDRESSES: u32 = 1 << (32 - PREFIX);

/// The last address that a pod can have: behind it is the one for all.
const LAST: u32 = ADDRESSES - 2;

impl Subnet {
    /// The node's address on the bridge.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    fn address(self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + host)
    }

    /// The next free address after `last`, round and round, so that one is not used again at once.
    pub(crate) fn next(self, last: Ipv4Addr, used: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let host = u32::from(last).checked_sub(u32::from(self.base));
        let last = host.filter(|host| *host <= LAST).unwrap_or(1);
        let mut candidates = (last + 1..=LAST).chain(2..=last).filter(|host| *host >= 2);
        candidates.find_map(|host| Some(self.address(host)).filter(|address| !used(*address)))
    }

    /// A subnet of 10.89 to 10.99 that nothing on the machine has a route into. Emulators that start at once look
    /// from different places on, for the route of one may not stand yet when another looks.
    pub(crate) fn free(routed: &[(Ipv4Addr, u8)], from: u8) -> Option<Self> {
        let bases = (89..=99).flat_map(|second| {
            (0..64_u8).map(move |step| Ipv4Addr::new(10, second, (from & !3).wrapping_add(step * 4), 0))
        });
        bases
            .map(|base| Self { base })
            .find(|subnet| !routed.iter().any(|route| subnet.overlaps(*route)))
    }

    fn overlaps(self, (address, length): (Ipv4Addr, u8)) -> bool {
        // The default route leads everywhere and is no reason against any place.
        if length == 0 {
            return false;
        }
        let shorter = length.min(PREFIX);
        let mask = u32::MAX << (32 - u32::from(shorter));
        u32::from(address) & mask == u32::from(self.base) & mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: Subnet = Subnet {
        base: Ipv4Addr::new(10, 89, 4, 0),
    };

    #[test]
    fn a_subnet_is_free_where_no_route_leads() {
        let routes = [
            (Ipv4Addr::new(0, 0, 0, 0), 0),
            (Ipv4Addr::new(10, 89, 0, 0), 24),
            (Ipv4Addr::new(10, 89, 5, 7), 32),
            (Ipv4Addr::new(10, 89, 8, 0), 21),
        ];
        assert_eq!(
            Subnet::free(&routes, 0).map(|subnet| subnet.base),
            Some(Ipv4Addr::new(10, 89, 16, 0))
        );
        assert_eq!(Subnet::free(&[(Ipv4Addr::new(10, 0, 0, 0), 8)], 7), None);
    }

    #[test]
    fn addresses_go_round_and_used_ones_are_passed_over() {
        let used = |address: Ipv4Addr| address == Ipv4Addr::new(10, 89, 5, 0);
        let at = |third, fourth| Ipv4Addr::new(10, 89, third, fourth);
        assert_eq!(SUBNET.next(at(4, 255), used), Some(at(5, 1)));
        assert_eq!(SUBNET.next(at(7, 253), used), Some(at(7, 254)));
        assert_eq!(SUBNET.next(at(7, 254), used), Some(at(4, 2)));
        assert_eq!(SUBNET.next(at(9, 9), used), Some(at(4, 2)));
        assert_eq!(SUBNET.next(SUBNET.gateway(), |_| false), Some(at(4, 2)));
        assert_eq!(SUBNET.next(SUBNET.gateway(), |_| true), None);
    }
}
