//! As much of IPv4, IPv6 and ICMP as one router needs: checks, the TTL, and errors to the sender.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const V6_HEADER: usize = 40;
/// TTL of packets made here: the default of RFC 1700, "IP time to live".
const TTL: u8 = 64;

/// What a router reads of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Length of the packet; bytes behind it are padding of a link.
    pub(crate) len: usize,
    /// TTL or hop limit.
    pub(crate) ttl: u8,
}

/// Source and destination of an IP packet; `None` if it is none.
pub fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    Header::parse(packet).map(|h| (h.source, h.destination))
}

impl Header {
    /// RFC 1812 section 5.2.2 and RFC 8200 section 3. Jumbograms (RFC 2675) are not known here.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let header_len = usize::from(packet[0] & 15) * 4;
                let header = packet.get(..header_len).filter(|h| h.len() >= 20)?;
                let len = usize::from(u16_at(header, 2));
                if len < header_len || len > packet.len() || checksum(sum(header)) != 0 {
                    return None;
                }
                let address = |at| IpAddr::V4(Ipv4Addr::from_bits(u32_at(header, at)));
                Some(Self {
                    source: address(12),
                    destination: address(16),
                    len,
                    ttl: header[8],
                })
            }
            6 => {
                let header: &[u8; V6_HEADER] = packet.first_chunk()?;
                let len = V6_HEADER + usize::from(u16_at(header, 4));
                if len > packet.len() {
                    return None;
                }
                let address = |at: usize| {
                    let octets: [u8; 16] = header[at..at + 16].try_into().expect("16 octets");
                    IpAddr::V6(octets.into())
                };
                Some(Self {
                    source: address(8),
                    destination: address(24),
                    len,
                    ttl: header[7],
                })
            }
            _ => None,
        }
    }

    /// Whether it must stay on its link: a router passes on no multicast (we have no groups), no broadcast, nothing
    /// from or to link-local (RFC 3927 section 2.7, RFC 4291 section 2.5.6) or unspecified addresses, no loopback.
    pub(crate) fn stays_on_link(&self) -> bool {
        let bound = |address: IpAddr| match address {
            IpAddr::V4(a) => {
                a.is_link_local() || a.is_loopback() || a.octets()[0] == 0 || a.octets()[0] >= 224
            }
            IpAddr::V6(a) => {
                a.is_unicast_link_local()
                    || a.is_loopback()
                    || a.is_unspecified()
                    || a.is_multicast()
            }
        };
        bound(self.source) || bound(self.destination)
    }
}

/// Which port of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpPort {
    Source = 0,
    Destination = 2,
}

/// A port of a packet that [`Header::parse`] accepts; `None` if it is no TCP segment or hides its ports: a later fragment,
/// or behind extension headers.
pub(crate) fn tcp_port(packet: &[u8], which: TcpPort) -> Option<u16> {
    const TCP: u8 = 6;
    let (protocol, header_len) = match packet[0] >> 4 {
        4 if u16_at(packet, 6) & 0x1fff == 0 => (packet[9], usize::from(packet[0] & 15) * 4),
        4 => return None,
        _ => (packet[6], V6_HEADER),
    };
    let ports = packet.get(header_len..header_len + 4)?;
    (protocol == TCP).then(|| u16_at(ports, which as usize))
}

/// Takes one from the TTL or hop limit, which must be above 0, of a packet that [`Header::parse`] accepts.
pub(crate) fn decrement_ttl(packet: &mut [u8]) {
    if packet[0] >> 4 == 6 {
        packet[7] -= 1;
        return;
    }
    // RFC 1624 equation 3, HC' = ~(~HC + ~m + m'), on the word that holds TTL and protocol.
    let before = u16_at(packet, 8);
    packet[8] -= 1;
    let after = u16_at(packet, 8);
    let updated = checksum(u32::from(!u16_at(packet, 10)) + u32::from(!before) + u32::from(after));
    packet[10..12].copy_from_slice(&updated.to_be_bytes());
}

/// What the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// RFC 792 and RFC 4443: time exceeded in transit.
    TimeExceeded,
    /// RFC 792: host unreachable; RFC 4443: no route to destination.
    Unreachable,
    /// RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1: communication administratively prohibited.
    Prohibited,
}

/// The addresses that the router answers from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Router {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

impl Router {
    pub(crate) fn owns(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => a == self.v4,
            IpAddr::V6(a) => a == self.v6,
        }
    }

    /// Writes to `out` (empty) the ICMP error for a packet that [`Header::parse`] accepts; false if none may be sent for it.
    pub(crate) fn write_error(&self, error: Error, packet: &[u8], out: &mut Vec<u8>) -> bool {
        if packet[0] >> 4 == 4 {
            may_report_v4(packet) && {
                self.write_v4(error, packet, out);
                true
            }
        } else {
            may_report_v6(packet) && {
                self.write_v6(error, packet, out);
                true
            }
        }
    }

    fn write_v4(&self, error: Error, packet: &[u8], out: &mut Vec<u8>) {
        // RFC 1812 section 4.3.2.3: as much of the packet as fits in 576 bytes.
        let quoted = &packet[..packet.len().min(576 - 28)];
        let (kind, code) = match error {
            Error::TimeExceeded => (11, 0),
            Error::Unreachable => (3, 1),
            Error::Prohibited => (3, 13),
        };
        let len = (28 + quoted.len()) as u16;
        // Type of service 0xc0, internetwork control (RFC 1812 section 4.3.2.5); don't fragment, so no identification
        // is needed (RFC 6864).
        out.extend_from_slice(&[0x45, 0xc0]);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&[0, 0, 0x40, 0, TTL, ICMP, 0, 0]);
        out.extend_from_slice(&self.v4.octets());
        out.extend_from_slice(&packet[12..16]);
        let header_checksum = checksum(sum(out));
        out[10..12].copy_from_slice(&header_checksum.to_be_bytes());
        out.extend_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(quoted);
        let icmp_checksum = checksum(sum(&out[20..]));
        out[22..24].copy_from_slice(&icmp_checksum.to_be_bytes());
    }

    fn write_v6(&self, error: Error, packet: &[u8], out: &mut Vec<u8>) {
        // RFC 4443 section 2.4 (c): as much as fits in the minimum MTU of 1280 bytes.
        let quoted = &packet[..packet.len().min(1280 - V6_HEADER - 8)];
        let (kind, code) = match error {
            Error::TimeExceeded => (3, 0),
            Error::Unreachable => (1, 0),
            Error::Prohibited => (1, 1),
        };
        let len = (8 + quoted.len()) as u16;
        out.extend_from_slice(&[0x60, 0, 0, 0]);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&[ICMPV6, TTL]);
        out.extend_from_slice(&self.v6.octets());
        out.extend_from_slice(&packet[8..24]);
        out.extend_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(quoted);
        // Over the pseudo header of RFC 8200 section 8.1: addresses, length, next header.
        let pseudo = sum(&out[8..V6_HEADER]) + u32::from(len) + u32::from(ICMPV6);
        let icmp_checksum = checksum(pseudo + sum(&out[V6_HEADER..]));
        out[V6_HEADER + 2..V6_HEADER + 4].copy_from_slice(&icmp_checksum.to_be_bytes());
    }
}

/// RFC 1812 section 4.3.2.7: not about an ICMP error, and only about the first fragment. (Multicast and the like never
/// get here: see [`Header::stays_on_link`].)
fn may_report_v4(packet: &[u8]) -> bool {
    let header_len = usize::from(packet[0] & 15) * 4;
    let first_fragment = u16_at(packet, 6) & 0x1fff == 0;
    // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
    let icmp_error = packet[9] == ICMP
        && packet
            .get(header_len)
            .is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12));
    first_fragment && !icmp_error
}

/// RFC 4443 section 2.4 (e): not about an ICMPv6 error (types below 128) or redirect (137). What extension headers hide
/// is not reported either.
fn may_report_v6(packet: &[u8]) -> bool {
    const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];
    match packet[6] {
        ICMPV6 => packet
            .get(V6_HEADER)
            .is_some_and(|&kind| kind >= 128 && kind != 137),
        next => !EXTENSIONS.contains(&next),
    }
}

/// Sum of big-endian words (RFC 1071), not folded. Up to 64 KiB cannot overflow it.
fn sum(bytes: &[u8]) -> u32 {
    let (words, odd) = bytes.as_chunks::<2>();
    let odd = odd.first().map_or(0, |&b| u32::from(b) << 8);
    words
        .iter()
        .map(|w| u32::from(u16::from_be_bytes(*w)))
        .sum::<u32>()
        + odd
}

/// The Internet checksum (RFC 1071) from a sum of words.
fn checksum(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
