//! Which addresses terminals have, as in the real network: one IPv4 address behind carrier NAT and an IPv6 /56 each.

use crate::ip::Router;
use core::str::FromStr;
use skyweave_base::TerminalId;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses of a terminal: packets from the PoP side are matched against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalAddress {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its address in 100.64.0.0/10.
    pub v4: Ipv4Addr,
    /// First address of its /56.
    pub v6_prefix: Ipv6Addr,
}

impl TerminalAddress {
    /// The address of its /56 that the terminal itself uses: the one that ends in 1.
    pub fn v6(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.v6_prefix.to_bits() | 1)
    }
}

/// Gives addresses to terminals by number: one of 100.64.0.0/10 (RFC 6598) each, and one /56 each of a unique local /40
/// (RFC 4193). The PoP's router is 100.64.0.1 and the first address but one of the first /56.
///
/// ```
/// use skyweave_base::TerminalId;
/// let plan: skyweave_dataplane::AddressPlan = "fd5c:77ea:5e00::/40".parse().unwrap();
/// let third = plan.address(TerminalId(2)).unwrap();
/// assert_eq!(third.v4.to_string(), "100.64.0.4");
/// assert_eq!(third.v6_prefix.to_string(), "fd5c:77ea:5e00:300::");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPlan {
    v6: Ipv6Addr,
}

/// Why a prefix cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressPlanError {
    /// The text is no IPv6 prefix.
    #[error("`{0}` is not an IPv6 prefix such as fd5c:77ea:5e00::/40")]
    Syntax(String),
    /// The prefix length is not 40.
    #[error(
        "the IPv6 prefix is a /{0}; a /40 is needed, it holds a /56 for each of 65535 terminals"
    )]
    Length(u8),
    /// Bits after the 40th are set.
    #[error("{0} has bits set after the 40th")]
    HostBits(Ipv6Addr),
    /// Not in fd00::/8.
    #[error("{0} is not a unique local address (fd00::/8, RFC 4193)")]
    NotUniqueLocal(Ipv6Addr),
}

/// Why the addresses of terminals cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A terminal is listed twice.
    #[error("terminal {0} has addresses twice")]
    DuplicateTerminal(TerminalId),
    /// Two terminals, or a terminal and the PoP's router, share an address.
    #[error("terminal {0} has the IPv4 address or IPv6 /56 of another terminal or of the PoP")]
    DuplicateAddress(TerminalId),
    /// A prefix has bits set after the 56th.
    #[error("the IPv6 prefix {prefix} of terminal {terminal} has bits set after the 56th")]
    HostBits {
        /// Whose.
        terminal: TerminalId,
        /// The prefix.
        prefix: Ipv6Addr,
    },
}

impl AddressPlan {
    /// The plan with which skyweave comes.
    pub const DEFAULT: Self = Self {
        v6: Ipv6Addr::new(0xfd5c, 0x77ea, 0x5e00, 0, 0, 0, 0, 0),
    };
    /// How many terminals have addresses: the /56 prefixes of a /40 less the PoP's.
    pub const TERMINALS: u32 = (1 << 16) - 1;
    /// Prefix length of [`v4_network`](Self::v4_network).
    pub const V4_LENGTH: u8 = 10;
    /// Prefix length of [`v6_network`](Self::v6_network).
    pub const V6_LENGTH: u8 = 40;
    /// Prefix length of a terminal's IPv6 prefix.
    pub const V6_TERMINAL_LENGTH: u8 = 56;

    /// A plan on a unique local /40.
    pub fn new(v6_network: Ipv6Addr) -> Result<Self, AddressPlanError> {
        if v6_network.to_bits() << Self::V6_LENGTH != 0 {
            return Err(AddressPlanError::HostBits(v6_network));
        }
        if v6_network.octets()[0] != 0xfd {
            return Err(AddressPlanError::NotUniqueLocal(v6_network));
        }
        Ok(Self { v6: v6_network })
    }

    /// The addresses of a terminal; `None` from number [`TERMINALS`](Self::TERMINALS) on.
    pub fn address(&self, terminal: TerminalId) -> Option<TerminalAddress> {
        let n = terminal.0;
        if n >= Self::TERMINALS {
            return None;
        }
        // In each /24 the last octets 0, 1 and 255 stay free: 0 and 255 confuse old software, 1 is the PoP's habit.
        const PER_24: u32 = 253;
        let v4 = self.v4_network().to_bits() + (n / PER_24) * 256 + 2 + n % PER_24;
        let v6_prefix = self.v6.to_bits() | (u128::from(n) + 1) << (128 - Self::V6_TERMINAL_LENGTH);
        Some(TerminalAddress {
            terminal,
            v4: Ipv4Addr::from_bits(v4),
            v6_prefix: Ipv6Addr::from_bits(v6_prefix),
        })
    }

    /// All of the terminals' IPv4 addresses and the PoP's: 100.64.0.0, a /10.
    pub const fn v4_network(&self) -> Ipv4Addr {
        Ipv4Addr::new(100, 64, 0, 0)
    }

    /// All of the terminals' IPv6 prefixes and the PoP's, a /40.
    pub const fn v6_network(&self) -> Ipv6Addr {
        self.v6
    }

    /// The address of the PoP's router, as users of the real network see it in traceroutes.
    pub const fn gateway_v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(100, 64, 0, 1)
    }

    /// The IPv6 address of the PoP's router.
    pub const fn gateway_v6(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.v6.to_bits() | 1)
    }
}

impl FromStr for AddressPlan {
    type Err = AddressPlanError;

    /// From `fd..::/40`.
    fn from_str(text: &str) -> Result<Self, AddressPlanError> {
        let syntax = || AddressPlanError::Syntax(text.to_owned());
        let (network, length) = text.trim().split_once('/').ok_or_else(syntax)?;
        let network = network.parse().map_err(|_| syntax())?;
        match length.parse().map_err(|_| syntax())? {
            Self::V6_LENGTH => Self::new(network),
            other => Err(AddressPlanError::Length(other)),
        }
    }
}

/// Who has which address.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Ascending by id. A terminal's place in it is what the engine calls its position.
    pub(crate) by_id: Vec<TerminalAddress>,
    /// (address, position), ascending.
    by_v4: Vec<(u32, u32)>,
    /// (the first 56 bits of the prefix, position), ascending.
    by_v6: Vec<(u64, u32)>,
}

impl Directory {
    pub(crate) fn new(
        mut by_id: Vec<TerminalAddress>,
        router: Router,
    ) -> Result<Self, AddressError> {
        by_id.sort_unstable_by_key(|a| a.terminal);
        if let Some(pair) = by_id
            .windows(2)
            .find(|pair| pair[0].terminal == pair[1].terminal)
        {
            return Err(AddressError::DuplicateTerminal(pair[0].terminal));
        }
        if let Some(a) = by_id
            .iter()
            .find(|a| a.v6_prefix.to_bits() << AddressPlan::V6_TERMINAL_LENGTH != 0)
        {
            return Err(AddressError::HostBits {
                terminal: a.terminal,
                prefix: a.v6_prefix,
            });
        }
        let positions = 0..by_id.len() as u32;
        let mut by_v4: Vec<_> = by_id
            .iter()
            .map(|a| a.v4.to_bits())
            .zip(positions.clone())
            .collect();
        let mut by_v6: Vec<_> = by_id
            .iter()
            .map(|a| prefix_56(a.v6_prefix))
            .zip(positions)
            .collect();
        by_v4.sort_unstable();
        by_v6.sort_unstable();
        let duplicate_v4 = by_v4
            .windows(2)
            .find(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1);
        let duplicate_v6 = by_v6
            .windows(2)
            .find(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1);
        let directory = Self {
            by_id,
            by_v4,
            by_v6,
        };
        let router_v4 = directory.owner(router.v4.into()).map(|p| p as u32);
        let router_v6 = directory.owner(router.v6.into()).map(|p| p as u32);
        match duplicate_v4.or(duplicate_v6).or(router_v4).or(router_v6) {
            Some(p) => Err(AddressError::DuplicateAddress(
                directory.by_id[p as usize].terminal,
            )),
            None => Ok(directory),
        }
    }

    pub(crate) fn position(&self, terminal: TerminalId) -> Option<usize> {
        // Ids are positions in a list as a rule, and then this is at once the place.
        if self
            .by_id
            .get(terminal.index())
            .is_some_and(|a| a.terminal == terminal)
        {
            return Some(terminal.index());
        }
        self.by_id
            .binary_search_by_key(&terminal, |a| a.terminal)
            .ok()
    }

    /// Position of the terminal whose address this is.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<usize> {
        let position = match address {
            IpAddr::V4(a) => {
                let at = self
                    .by_v4
                    .binary_search_by_key(&a.to_bits(), |&(v4, _)| v4)
                    .ok()?;
                self.by_v4[at].1
            }
            IpAddr::V6(a) => {
                let at = self
                    .by_v6
                    .binary_search_by_key(&prefix_56(a), |&(v6, _)| v6)
                    .ok()?;
                self.by_v6[at].1
            }
        };
        Some(position as usize)
    }
}

fn prefix_56(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 72) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_terminal_has_addresses_of_its_own_and_none_is_special() {
        let plan = AddressPlan::DEFAULT;
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..AddressPlan::TERMINALS {
            let a = plan.address(TerminalId(n)).unwrap();
            let [first, second, _, last] = a.v4.octets();
            assert!(
                first == 100 && second & 0xc0 == 64 && (2..255).contains(&last),
                "{}",
                a.v4
            );
            assert_eq!(
                a.v6_prefix.to_bits() >> 88,
                plan.v6_network().to_bits() >> 88
            );
            assert_ne!(
                a.v6_prefix.to_bits() >> 72,
                plan.gateway_v6().to_bits() >> 72
            );
            assert!(seen.insert(a.v4.to_bits().into()) && seen.insert(a.v6_prefix.to_bits()));
        }
        assert_eq!(plan.address(TerminalId(AddressPlan::TERMINALS)), None);
        assert_eq!(plan.address(TerminalId(u32::MAX)), None);
    }

    #[test]
    fn unfit_prefixes_are_refused_with_the_reason() {
        let parse = |text: &str| text.parse::<AddressPlan>();
        assert_eq!(parse("fd5c:77ea:5e00::/40"), Ok(AddressPlan::DEFAULT));
        assert_eq!(
            parse("fd5c:77ea:5e00::/48"),
            Err(AddressPlanError::Length(48))
        );
        assert!(matches!(
            parse("fd5c:77ea:5e01::/40"),
            Err(AddressPlanError::HostBits(_))
        ));
        assert!(matches!(
            parse("2001:db8::/40"),
            Err(AddressPlanError::NotUniqueLocal(_))
        ));
        for text in ["", "fd00::", "/40", "100.64.0.0/10x", "fd00::/400"] {
            assert!(
                matches!(parse(text), Err(AddressPlanError::Syntax(_))),
                "{text}"
            );
        }
    }
}
