//! Randomness that nobody can guess, for keys, challenges and secrets.

/// Random bytes of the operating system.
///
/// # Panics
/// If it has none to give, which a Linux kernel that has booted does not do (getrandom(2)).
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
