//! Address translation by the kernel: one nftables table (linux/netfilter/nf_tables.h) with a masquerade rule.
//!
//! The table is owned by its socket (NFT_TABLE_F_OWNER, Linux 5.12): it is gone as soon as the socket is closed, however
//! that comes about.

use super::netlink::{Attributes, CREATE, Message, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, Socket};
use std::io;
use std::net::IpAddr;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const NEWTABLE: u16 = 0;
const NEWCHAIN: u16 = 3;
const NEWRULE: u16 = 6;
const FAMILY_INET: u8 = 1;
const TABLE_OWNER: u32 = 0x2;
const HOOK_PREROUTING: u32 = 0;
const HOOK_FORWARD: u32 = 2;
const HOOK_POSTROUTING: u32 = 4;
/// Priority of destination translation (NF_IP_PRI_NAT_DST).
const PRIORITY_NAT_DESTINATION: i32 = -100;
/// Priority of source translation (NF_IP_PRI_NAT_SRC).
const PRIORITY_NAT_SRC: i32 = 100;
/// Just before other filters (NF_IP_PRI_FILTER is 0).
const PRIORITY_FILTER: i32 = -1;
/// The 16-byte register in which values are compared (NFT_REG_1).
const REGISTER: [u8; 4] = [0, 0, 0, 1];
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_NFPROTO: u32 = 15;
const META_L4PROTO: u32 = 16;
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
/// NF_CT_STATE_BIT(IP_CT_NEW), linux/netfilter/nf_conntrack_common.h.
const CT_STATE_NEW: u32 = 1 << 3;
const CT_STATUS_DNAT: u32 = 1 << 5;
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

/// What a packet must be for a rule to apply, one condition after the other, and what then becomes of it.
#[derive(Debug, Default)]
pub(crate) struct Rule(Attributes);

impl Rule {
    /// Leaves by the device.
    pub(crate) fn out_by(self, device: &str) -> Self {
        self.meta(META_OIFNAME).compare(EQUAL, &padded(device))
    }

    /// Leaves by any other device.
    pub(crate) fn not_out_by(self, device: &str) -> Self {
        self.meta(META_OIFNAME).compare(UNEQUAL, &padded(device))
    }

    /// Came in by the device.
    pub(crate) fn in_by(self, device: &str) -> Self {
        self.meta(META_IIFNAME).compare(EQUAL, &padded(device))
    }

    /// Comes from the address.
    pub(crate) fn from(self, source: IpAddr) -> Self {
        match source {
            // Offsets of the source address in the header: RFC 791 section 3.1, RFC 8200 section 3.
            IpAddr::V4(a) => self
                .protocol(NFPROTO_IPV4)
                .load(12, 4)
                .compare(EQUAL, &a.octets()),
            IpAddr::V6(a) => self
                .protocol(NFPROTO_IPV6)
                .load(8, 16)
                .compare(EQUAL, &a.octets()),
        }
    }

    /// Goes to an address outside the prefix.
    pub(crate) fn beyond(self, network: IpAddr, length: u8) -> Self {
        let (rule, mask) = match network {
            // Offsets of the destination address, sources as above.
            IpAddr::V4(_) => (
                self.protocol(NFPROTO_IPV4).load(16, 4),
                u32::MAX
                    .unbounded_shl(32 - u32::from(length))
                    .to_be_bytes()
                    .to_vec(),
            ),
            IpAddr::V6(_) => (
                self.protocol(NFPROTO_IPV6).load(24, 16),
                u128::MAX
                    .unbounded_shl(128 - u32::from(length))
                    .to_be_bytes()
                    .to_vec(),
            ),
        };
        match network {
            IpAddr::V4(a) => rule.mask(&mask).compare(UNEQUAL, &a.octets()),
            IpAddr::V6(a) => rule.mask(&mask).compare(UNEQUAL, &a.octets()),
        }
    }

    /// Is TCP.
    pub(crate) fn tcp(self) -> Self {
        self.meta(META_L4PROTO)
            .compare(EQUAL, &[libc::IPPROTO_TCP as u8])
    }

    /// Opens a connection, and no destination translation (a published port, say) asked for it.
    pub(crate) fn uninvited(self) -> Self {
        self.conntrack(CT_STATE, CT_STATE_NEW)
            .compare(UNEQUAL, &[0; 4])
            .conntrack(CT_STATUS, CT_STATUS_DNAT)
            .compare(EQUAL, &[0; 4])
    }

    /// It gets the address of the device by which it leaves.
    pub(crate) fn masquerade(self) -> Self {
        self.expression("masq", Attributes::default())
    }

    /// It goes to this port of the namespace itself instead.
    pub(crate) fn redirect(self, port: u16) -> Self {
        let load = Attributes::default()
            .attr(1, &REGISTER)
            .nest(2, |a| a.attr(1, &port.to_be_bytes()));
        self.expression("immediate", load)
            .expression("redir", Attributes::default().attr(1, &REGISTER))
    }

    /// It is dropped.
    pub(crate) fn drop(self) -> Self {
        const REGISTER_VERDICT: u32 = 0;
        const DROP: u32 = 0;
        let verdict = Attributes::default()
            .attr(1, &REGISTER_VERDICT.to_be_bytes())
            .nest(2, |a| a.nest(2, |a| a.attr(1, &DROP.to_be_bytes())));
        self.expression("immediate", verdict)
    }

    fn meta(self, key: u32) -> Self {
        self.expression(
            "meta",
            Attributes::default()
                .attr(1, &REGISTER)
                .attr(2, &key.to_be_bytes()),
        )
    }

    fn protocol(self, number: u8) -> Self {
        self.meta(META_NFPROTO).compare(EQUAL, &[number])
    }

    /// Bytes of the network header.
    fn load(self, offset: u32, length: u32) -> Self {
        const NETWORK_HEADER: u32 = 1;
        let load = Attributes::default()
            .attr(1, &REGISTER)
            .attr(2, &NETWORK_HEADER.to_be_bytes())
            .attr(3, &offset.to_be_bytes())
            .attr(4, &length.to_be_bytes());
        self.expression("payload", load)
    }

    /// One bit of what the kernel knows of the packet's connection.
    fn conntrack(self, key: u32, bit: u32) -> Self {
        self.expression(
            "ct",
            Attributes::default()
                .attr(1, &REGISTER)
                .attr(2, &key.to_be_bytes()),
        )
        .mask(&bit.to_ne_bytes())
    }

    /// Only these bits of the register.
    fn mask(self, bits: &[u8]) -> Self {
        let length = bits.len() as u32;
        let mask = Attributes::default()
            .attr(1, &REGISTER)
            .attr(2, &REGISTER)
            .attr(3, &length.to_be_bytes())
            .nest(4, |a| a.attr(1, bits))
            .nest(5, |a| a.attr(1, &vec![0; bits.len()]));
        self.expression("bitwise", mask)
    }

    fn compare(self, how: u32, value: &[u8]) -> Self {
        let compare = Attributes::default()
            .attr(1, &REGISTER)
            .attr(2, &how.to_be_bytes())
            .nest(3, |a| a.attr(1, value));
        self.expression("cmp", compare)
    }

    fn expression(self, name: &str, data: Attributes) -> Self {
        Self(
            self.0
                .nest(1, |a| a.text(1, name).nest(2, |a| a.append(&data))),
        )
    }
}

/// Where in a packet's way through the kernel the rules of a chain apply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    /// Translation of the destination, as packets arrive.
    DestinationNat,
    /// Translation of the source, as packets leave.
    SourceNat,
    /// Packets that are passed on.
    Forward,
}

/// Makes a table of the namespace in which `socket` was made. It lives until `socket` is closed.
pub(crate) fn install(
    socket: &mut Socket,
    table: &str,
    chains: Vec<(Hook, Vec<Rule>)>,
) -> io::Result<()> {
    let named = || Attributes::default().text(1, table);
    let mut batch = vec![boundary(BATCH_BEGIN)];
    batch.push(message(
        NEWTABLE,
        CREATE,
        named().attr(2, &TABLE_OWNER.to_be_bytes()),
    ));
    for (hook, rules) in chains {
        let (chain, kind, number, priority) = match hook {
            Hook::DestinationNat => ("in", "nat", HOOK_PREROUTING, PRIORITY_NAT_DESTINATION),
            Hook::SourceNat => ("out", "nat", HOOK_POSTROUTING, PRIORITY_NAT_SRC),
            Hook::Forward => ("pass", "filter", HOOK_FORWARD, PRIORITY_FILTER),
        };
        let attributes = named()
            .text(3, chain)
            .nest(4, |a| {
                a.attr(1, &number.to_be_bytes())
                    .attr(2, &priority.to_be_bytes())
            })
            .text(7, kind);
        batch.push(message(NEWCHAIN, CREATE, attributes));
        for rule in rules {
            let attributes = named().text(2, chain).nest(4, |a| a.append(&rule.0));
            batch.push(message(
                NEWRULE,
                NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND,
                attributes,
            ));
        }
    }
    batch.push(boundary(BATCH_END));
    socket.request(batch)
}

fn message(kind: u16, flags: u16, attributes: Attributes) -> Message {
    Message::new(
        (SUBSYSTEM << 8) | kind,
        flags,
        &[FAMILY_INET, 0, 0, 0],
        attributes,
    )
}

fn boundary(kind: u16) -> Message {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Message::new(kind, 0, &[0, 0, high, low], Attributes::default())
}

/// A device's name as the kernel compares it: 16 bytes.
fn padded(device: &str) -> [u8; 16] {
    let mut name = [0; 16];
    let length = device.len().min(15);
    name[..length].copy_from_slice(&device.as_bytes()[..length]);
    name
}
