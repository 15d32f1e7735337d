//! The sets of vector instructions of this machine, for tests that compare them.

use fearless_simd::Level;

/// Each set, the best first, and whether it fuses multiplication and addition.
pub(crate) fn levels() -> Vec<(Level, bool)> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    let all = [
        best.as_avx512().map(|token| (Level::Avx512(token), true)),
        best.as_avx2().map(|token| (Level::Avx2(token), true)),
        best.as_sse4_2().map(|token| (Level::Sse4_2(token), false)),
        best.as_sse2().map(|token| (Level::Sse2(token), false)),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [Some((best, cfg!(target_arch = "aarch64")))];
    all.into_iter().flatten().collect()
}
