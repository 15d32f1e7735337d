//! Secrets: random ones and their texts, and passwords as Argon2id hashes.

use super::problem::{Kind, Problem};
use crate::random::random;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skyweave_service::{SecretHash, SignInId, TokenId};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of a random secret.
const BYTES: usize = 32;
/// What a token begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "skyweave";
/// Argon2id with 19 MiB, two passes and one lane (OWASP, "Password Storage Cheat Sheet", 2024).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Length of a password, characters (NIST SP 800-63B-4, section 3.1.1.2: at least 15 where it is the only factor; at least
/// 64 must be possible).
const SHORTEST: usize = 15;
const LONGEST: usize = 256;
/// Hashes that are made at the same time: each takes a core for tens of milliseconds.
const AT_ONCE: usize = 2;

/// A secret of 256 random bits.
pub(crate) struct Secret([u8; BYTES]);

impl Secret {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    pub(crate) fn hash(&self) -> SecretHash {
        SecretHash(blake3::derive_key("skyweave 2026-11 api secret", &self.0))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// As a token's holder writes it.
    pub(crate) fn token(&self, id: TokenId) -> String {
        format!("{PREFIX}_{id}_{}", self.text())
    }

    /// As a session's cookie.
    pub(crate) fn session(&self, id: SignInId) -> String {
        format!("{id}.{}", self.text())
    }
}

/// The number and the secret of a token.
pub(crate) fn parse_token(text: &str) -> Option<(u64, Secret)> {
    let (id, secret) = text
        .strip_prefix(PREFIX)?
        .strip_prefix('_')?
        .split_once('_')?;
    Some((id.parse().ok()?, Secret::parse(secret)?))
}

/// The number and the secret of a session.
pub(crate) fn parse_session(text: &str) -> Option<(u64, Secret)> {
    let (id, secret) = text.split_once('.')?;
    Some((id.parse().ok()?, Secret::parse(secret)?))
}

/// A one-time secret that people can type: 120 bits as five groups.
pub(crate) fn one_time() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random::<24>();
    let letters = bytes.map(|b| char::from(LETTERS[usize::from(b % 32)]));
    let groups: Vec<String> = letters.chunks(5).map(|g| g.iter().collect()).collect();
    groups.join("-")
}

/// Makes and checks hashes of passwords, off the threads that serve.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    /// What is checked when there is no such user, so that the time does not tell.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are in range");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, &one_time());
        Self {
            argon2,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: nobody.into(),
        }
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        let length = password.chars().count();
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(Problem::invalid(format!(
                "a password has {SHORTEST} to {LONGEST} characters, not {length}; a few words are good"
            )));
        }
        let argon2 = self.argon2.clone();
        self.work(move || hash(&argon2, &password)).await
    }

    /// As [`Passwords::hash`] for a secret that was made here.
    pub(crate) fn hash_now(&self, secret: &str) -> String {
        hash(&self.argon2, secret)
    }

    /// Whether this is the password of that hash; without a hash the answer is no, after the same time.
    pub(crate) async fn verify(
        &self,
        password: String,
        expected: Option<String>,
    ) -> Result<bool, Problem> {
        if password.chars().count() > LONGEST {
            return Ok(false);
        }
        let (argon2, nobody) = (self.argon2.clone(), Arc::clone(&self.nobody));
        self.work(move || {
            let hash = expected.as_deref().unwrap_or(&nobody);
            let right = argon2.verify_password(password.as_bytes(), hash).is_ok();
            right && expected.is_some()
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await
            .map_err(|_| Problem::new(Kind::Broken, "a password could not be worked on"))
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> String {
    let salt = random::<16>();
    argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("a password and a salt of these lengths have a hash")
        .to_string()
}
