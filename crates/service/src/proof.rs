//! How a terminal proves who it is, before it gets an address: it signs a challenge with its Ed25519 key (RFC 8032).
//!
//! What is signed names the network, the terminal, the time and a number of 256 random bits. A challenge is for one terminal,
//! holds for a minute and is used once: an answer that was overheard is worth nothing, here or in another network. The random
//! bits are given by the caller.

use crate::ids::{PublicKey, UtId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use skyweave_base::{Span, Time};
use std::collections::BTreeMap;

/// How long a challenge holds.
const HOLDS: Span = Span::from_secs(60);
/// Challenges that wait at a time; the oldest makes room. More than a network of this program has terminals.
const MOST: usize = 4096;

/// What a terminal has to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The run of the network.
    network: PublicKey,
    /// The terminal.
    terminal: UtId,
    /// When it was made, on the network's clock.
    at: Time,
    /// Once and never again.
    number: PublicKey,
}

/// A challenge and the terminal's signature of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// What was signed.
    pub challenge: Challenge,
    /// 128 hexadecimal digits.
    pub signature: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum NotProven {
    #[error("the challenge is not one of this network, or was answered before")]
    Unknown,
    #[error("the challenge is too old")]
    Expired,
    #[error("the service knows no terminal {0}")]
    NoTerminal(UtId),
    #[error("the signature is not that of the terminal's key")]
    Signature,
}

impl Challenge {
    /// Who is to sign.
    pub fn terminal(&self) -> UtId {
        self.terminal
    }

    /// What is signed: a name for this use of the key, then everything of fixed length.
    fn message(&self) -> Vec<u8> {
        let mut message = b"skyweave terminal proof 1\n".to_vec();
        message.extend_from_slice(&self.network.0);
        for group in self.terminal.groups() {
            message.extend_from_slice(&group.to_be_bytes());
        }
        message.extend_from_slice(&self.at.nanos().to_be_bytes());
        message.extend_from_slice(&self.number.0);
        message
    }

    /// What the terminal answers.
    pub fn sign(self, key: &SigningKey) -> Proof {
        let signature = key.sign(&self.message()).to_bytes();
        Proof {
            signature: signature.iter().map(|b| format!("{b:02x}")).collect(),
            challenge: self,
        }
    }
}

/// The network's side: what it has asked and not yet heard.
#[derive(Debug)]
pub struct Gate {
    network: PublicKey,
    /// By number.
    asked: BTreeMap<PublicKey, (UtId, Time)>,
}

impl Gate {
    /// Of a network whose name nobody can guess: random.
    pub fn new(network: [u8; 32]) -> Self {
        Self {
            network: PublicKey(network),
            asked: BTreeMap::new(),
        }
    }

    /// Asks a terminal. `number` is random: nobody can guess it, and it never comes again.
    pub fn challenge(&mut self, terminal: UtId, now: Time, number: [u8; 32]) -> Challenge {
        self.asked.retain(|_, (_, at)| now - *at <= HOLDS);
        while self.asked.len() >= MOST {
            let oldest = self.asked.iter().min_by_key(|(_, (_, at))| *at);
            let number = *oldest.expect("it is not empty").0;
            self.asked.remove(&number);
        }
        let number = PublicKey(number);
        self.asked.insert(number, (terminal, now));
        Challenge {
            network: self.network,
            terminal,
            at: now,
            number,
        }
    }

    /// Judges an answer by the key that the service knows. The challenge is used up, whatever comes of it.
    ///
    /// # Errors
    /// [`NotProven`]
    pub fn judge(
        &mut self,
        proof: &Proof,
        key: impl FnOnce(UtId) -> Option<PublicKey>,
        now: Time,
    ) -> Result<UtId, NotProven> {
        let Challenge {
            network,
            terminal,
            at,
            number,
        } = proof.challenge;
        let asked = self.asked.remove(&number);
        if network != self.network || asked != Some((terminal, at)) {
            return Err(NotProven::Unknown);
        }
        if now - at > HOLDS {
            return Err(NotProven::Expired);
        }
        let key = key(terminal).ok_or(NotProven::NoTerminal(terminal))?;
        // Strict: no weak keys and no second form of a signature (RFC 8032, section 8.4).
        let good = VerifyingKey::from_bytes(&key.0)
            .ok()
            .zip(signature(&proof.signature))
            .is_some_and(|(key, signature)| {
                key.verify_strict(&proof.challenge.message(), &signature)
                    .is_ok()
            });
        good.then_some(terminal).ok_or(NotProven::Signature)
    }
}

fn signature(text: &str) -> Option<Signature> {
    let halves = text.split_at_checked(64)?;
    let half = |text: &str| text.parse::<PublicKey>().ok();
    let bytes = [half(halves.0)?.0, half(halves.1)?.0].concat();
    Some(Signature::from_bytes(&bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const ID: UtId = UtId::new([1, 2, 3]);

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn known(id: UtId) -> Option<PublicKey> {
        (id == ID).then(|| PublicKey(key().verifying_key().to_bytes()))
    }

    /// Asks with a number that did not come before.
    fn ask(gate: &mut Gate, terminal: UtId, now: Time) -> Challenge {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut number = [0; 32];
        number[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        gate.challenge(terminal, now, number)
    }

    fn at(s: i64) -> Time {
        Time::from_nanos(s * 1_000_000_000)
    }

    #[test]
    fn the_holder_of_the_key_is_let_in_once() {
        let mut gate = Gate::new([1; 32]);
        let proof = ask(&mut gate, ID, at(0)).sign(&key());
        assert_eq!(gate.judge(&proof, known, at(1)), Ok(ID));
        assert_eq!(
            gate.judge(&proof, known, at(1)),
            Err(NotProven::Unknown),
            "a replay"
        );
    }

    #[test]
    fn a_copied_id_without_the_key_is_not_let_in() {
        let mut gate = Gate::new([1; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let proof = ask(&mut gate, ID, at(0)).sign(&other);
        assert_eq!(gate.judge(&proof, known, at(1)), Err(NotProven::Signature));
        for bad in ["", "00", &"0".repeat(128), &"é".repeat(64)] {
            let mut proof = ask(&mut gate, ID, at(0)).sign(&key());
            proof.signature = bad.to_owned();
            assert_eq!(
                gate.judge(&proof, known, at(1)),
                Err(NotProven::Signature),
                "{bad}"
            );
        }
        let stranger = UtId::new([9, 9, 9]);
        let proof = ask(&mut gate, stranger, at(0)).sign(&key());
        assert_eq!(
            gate.judge(&proof, known, at(1)),
            Err(NotProven::NoTerminal(stranger))
        );
    }

    #[test]
    fn an_answer_is_worth_nothing_for_another_terminal_time_or_network() {
        let (mut gate, mut elsewhere) = (Gate::new([1; 32]), Gate::new([2; 32]));
        let proof = ask(&mut gate, ID, at(0)).sign(&key());
        assert_eq!(
            elsewhere.judge(&proof, known, at(1)),
            Err(NotProven::Unknown)
        );
        let mut moved = ask(&mut gate, ID, at(0)).sign(&key());
        moved.challenge.at = at(5);
        assert_eq!(gate.judge(&moved, known, at(6)), Err(NotProven::Unknown));
        // A challenge for one terminal with the signature of another's.
        let mut swapped = ask(&mut gate, UtId::new([4, 5, 6]), at(0)).sign(&key());
        swapped.challenge.terminal = ID;
        assert_eq!(gate.judge(&swapped, known, at(1)), Err(NotProven::Unknown));
        let mut mixed = ask(&mut gate, ID, at(0)).sign(&key());
        mixed.signature = proof.signature;
        assert_eq!(gate.judge(&mixed, known, at(1)), Err(NotProven::Signature));
        let late = ask(&mut gate, ID, at(0)).sign(&key());
        assert_eq!(gate.judge(&late, known, at(61)), Err(NotProven::Expired));
    }

    #[test]
    fn challenges_do_not_pile_up() {
        let mut gate = Gate::new([1; 32]);
        for _ in 0..MOST + 10 {
            ask(&mut gate, ID, at(0));
        }
        assert_eq!(gate.asked.len(), MOST);
        ask(&mut gate, ID, at(100));
        assert_eq!(gate.asked.len(), 1);
    }
}
