//! Identifiers as newtypes, so that a batch number is never taken for an account number.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty)),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// An account: one holder, any number of terminals.
    AccountId(u64),
    /// A service area.
    AreaId(u32),
    /// A production batch of terminals.
    BatchId(u32),
    /// A finding of misuse.
    IncidentId(u64),
    /// An allow list.
    ListId(u32),
    /// An organisation.
    OrganisationId(u64),
    /// A plan.
    PlanId(u32),
    /// A request to be put on an allow list.
    RequestId(u64),
}

/// A terminal's identifier in the form that a dish reports: `ut` and three groups of eight hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtId([u32; 3]);

/// Why a text is not a terminal's identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a terminal id: expected ut01000000-00000000-0012ab34")]
pub struct BadUtId(String);

impl UtId {
    /// From its three groups.
    pub const fn new(groups: [u32; 3]) -> Self {
        Self(groups)
    }

    /// The three groups.
    pub const fn groups(self) -> [u32; 3] {
        self.0
    }
}

impl fmt::Display for UtId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "ut{a:08x}-{b:08x}-{c:08x}")
    }
}

impl FromStr for UtId {
    type Err = BadUtId;

    fn from_str(text: &str) -> Result<Self, BadUtId> {
        let group = |s: &str| -> Option<u32> {
            (s.len() == 8 && s.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u32::from_str_radix(s, 16).ok())?
        };
        let parse = || {
            let mut groups = text.strip_prefix("ut")?.split('-').map(group);
            let id = [groups.next()??, groups.next()??, groups.next()??];
            groups.next().is_none().then_some(Self(id))
        };
        parse().ok_or_else(|| BadUtId(text.chars().take(60).collect()))
    }
}

/// A market: the two capital letters of ISO 3166-1 alpha-2. Which pairs are countries is the operator's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Market([u8; 2]);

/// Why a text is not a market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a market: expected two capital letters, for example UA")]
pub struct BadMarket(String);

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

impl FromStr for Market {
    type Err = BadMarket;

    fn from_str(text: &str) -> Result<Self, BadMarket> {
        match text.as_bytes() {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(BadMarket(text.chars().take(20).collect())),
        }
    }
}

/// The public half of a terminal's Ed25519 key (RFC 8032, section 5.1.5: 32 bytes). Kept here as bytes only: signatures
/// are checked where packets are, and the outcome comes in as a claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// Why a text is not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public key is 64 hexadecimal digits, not {0} characters of another kind")]
pub struct BadPublicKey(usize);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = BadPublicKey;

    fn from_str(text: &str) -> Result<Self, BadPublicKey> {
        let bad = || BadPublicKey(text.chars().count());
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| bad())?;
        let value = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = value(pair[0]).zip(value(pair[1])).ok_or_else(bad)?;
            *byte = high << 4 | low;
        }
        Ok(Self(key))
    }
}

macro_rules! serde_as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
serde_as_text!(UtId, Market, PublicKey);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "ut",
            "ut01000000-00000000",
            "ut01000000-00000000-0012ab3",
            "UT01000000-00000000-0012ab34",
            "ut01000000-00000000-0012ab34-",
            "ut+1000000-00000000-0012ab34",
            "ut0100000é-0000000-0012ab34",
        ] {
            assert!(bad.parse::<UtId>().is_err(), "{bad}");
        }
        for bad in ["", "ua", "UKR", "U1", "É"] {
            assert!(bad.parse::<Market>().is_err(), "{bad}");
        }
        assert!("+f".repeat(32).parse::<PublicKey>().is_err());
        assert!("ff".repeat(31).parse::<PublicKey>().is_err());
    }

    proptest! {
        #[test]
        fn texts_round_trip(groups: [u32; 3], key: [u8; 32]) {
            let id = UtId::new(groups);
            prop_assert_eq!(id.to_string().parse::<UtId>().unwrap(), id);
            let key = PublicKey(key);
            prop_assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = (text.parse::<UtId>(), text.parse::<Market>(), text.parse::<PublicKey>());
        }
    }
}
