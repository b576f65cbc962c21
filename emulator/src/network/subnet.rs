//! Which addresses pods get.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// 1024 addresses, about as many as a bridge has ports: the first is the node's, the second the machine's end of the link
/// to it, and pods have the rest but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// The first address, which names the subnet.
    pub(crate) base: Ipv4Addr,
}

/// How many bits name the subnet.
pub(crate) const PREFIX: u8 = 22;

/// How many addresses there are.
pub(crate) const ADDRESSES: u32 = 1 << (32 - PREFIX);

/// The first and the last address that a pod can have; after it comes the broadcast address.
const FIRST: u32 = 3;
const LAST: u32 = ADDRESSES - 2;

/// Where subnets are looked for, in this order: private and other addresses that no host on the internet has, without the
/// defaults of Podman (10.88.0.0/16 and above), kubeadm (10.96.0.0/12), flannel, K3s and Docker (172.17.0.0/16 and above).
/// The later ones are for machines with a VPN that claims all of 10.0.0.0/8.
const RANGES: [(Ipv4Addr, u8); 5] = [
    (Ipv4Addr::new(10, 64, 0, 0), 12),
    (Ipv4Addr::new(172, 16, 0, 0), 16),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// A route with a shorter prefix leads to the whole internet or a large part of it (a VPN may split its default route
/// into halves or eighths), and is no reason against a subnet.
const SHORTEST: u8 = 8;

impl Subnet {
    /// The node's address on the bridge.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The address of the machine's end of the link to the bridge.
    pub(crate) fn machine(self) -> Ipv4Addr {
        self.address(2)
    }

    fn address(self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + host)
    }

    /// The next free address after `last`, round and round, so that one is not used again at once.
    pub(crate) fn next(self, last: Ipv4Addr, used: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        let host = u32::from(last).checked_sub(u32::from(self.base));
        let last = host.filter(|host| *host <= LAST).unwrap_or(FIRST - 1);
        let mut candidates = (last + 1..=LAST).chain(FIRST..=last).filter(|host| *host >= FIRST);
        candidates.find_map(|host| Some(self.address(host)).filter(|address| !used(*address)))
    }

    /// A subnet that nothing on the machine has a route into; where there is none, one within a larger network, as the
    /// more specific route wins. Emulators that start at once look from different places on, for the route of one may not
    /// exist yet when another looks.
    pub(crate) fn free(routed: &[(Ipv4Addr, u8)], from: u8) -> Option<Self> {
        let all = RANGES.into_iter().flat_map(|(first, length)| {
            let count = 1_u32 << (PREFIX - length);
            (0..count).map(move |step| Self {
                base: Ipv4Addr::from(u32::from(first) + (u32::from(from) + step) % count * ADDRESSES),
            })
        });
        [SHORTEST, PREFIX].into_iter().find_map(|shortest| {
            let mut candidates = all.clone();
            candidates.find(|subnet| {
                let mut routed = routed.iter().filter(|(_, length)| *length >= shortest);
                !routed.any(|route| subnet.overlaps(*route))
            })
        })
    }

    fn overlaps(self, (address, length): (Ipv4Addr, u8)) -> bool {
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

    fn free(routed: &[([u8; 4], u8)], from: u8) -> Option<Ipv4Addr> {
        let routed: Vec<(Ipv4Addr, u8)> = routed.iter().map(|(to, length)| ((*to).into(), *length)).collect();
        Subnet::free(&routed, from).map(|subnet| subnet.base)
    }

    #[test]
    fn subnet_is_chosen_where_no_route_leads() {
        let routed = [
            ([0, 0, 0, 0], 0),
            ([10, 64, 0, 0], 24),
            ([10, 64, 5, 7], 32),
            ([10, 64, 8, 0], 21),
        ];
        assert_eq!(free(&routed, 0), Some(Ipv4Addr::new(10, 64, 16, 0)));
    }

    #[test]
    fn subnet_with_vpn_on_10_8_is_chosen_elsewhere() {
        let vpn = ([10, 0, 0, 0], 8);
        assert_eq!(free(&[vpn], 1), Some(Ipv4Addr::new(172, 16, 4, 0)));
        let lan = [vpn, ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)];
        assert_eq!(free(&lan, 0), Some(Ipv4Addr::new(198, 18, 0, 0)));
    }

    #[test]
    fn subnet_with_default_route_in_halves_is_free() {
        let halves = [([0, 0, 0, 0], 1), ([128, 0, 0, 0], 1), ([8, 0, 0, 0], 5)];
        assert_eq!(free(&halves, 0), Some(Ipv4Addr::new(10, 64, 0, 0)));
    }

    #[test]
    fn subnet_without_free_range_lies_in_larger_network() {
        let mut routed: Vec<([u8; 4], u8)> = RANGES.iter().map(|(to, length)| (to.octets(), *length)).collect();
        routed.push(([10, 64, 1, 0], 24));
        assert_eq!(free(&routed, 0), Some(Ipv4Addr::new(10, 64, 4, 0)));
    }

    #[test]
    fn subnet_is_never_among_defaults_of_other_tools() {
        let others = Vec::from([
            ([10, 88, 0, 0], 13),
            ([10, 96, 0, 0], 12),
            ([10, 42, 0, 0], 15),
            ([10, 244, 0, 0], 16),
        ]);
        for from in 0..=u8::MAX {
            let subnet = Subnet::free(&[], from).unwrap();
            assert!(
                !others
                    .iter()
                    .any(|(to, length)| subnet.overlaps(((*to).into(), *length)))
            );
            assert!(
                !Subnet::free(&[([10, 0, 0, 0].into(), 8)], from)
                    .unwrap()
                    .overlaps(([172, 17, 0, 0].into(), 16))
            );
        }
    }

    #[test]
    fn addresses_go_round_and_used_ones_are_passed_over() {
        let used = |address: Ipv4Addr| address == Ipv4Addr::new(10, 89, 5, 0);
        let at = |third, fourth| Ipv4Addr::new(10, 89, third, fourth);
        assert_eq!(SUBNET.next(at(4, 255), used), Some(at(5, 1)));
        assert_eq!(SUBNET.next(at(7, 253), used), Some(at(7, 254)));
        assert_eq!(SUBNET.next(at(7, 254), used), Some(at(4, 3)));
        assert_eq!(SUBNET.next(at(9, 9), used), Some(at(4, 3)));
        assert_eq!(SUBNET.next(SUBNET.gateway(), |_| false), Some(at(4, 3)));
        assert_eq!(SUBNET.next(SUBNET.gateway(), |_| true), None);
    }
}
