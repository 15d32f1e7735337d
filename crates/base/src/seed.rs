//! The seed tree: every entity draws from a generator of its own, so that one more draw here shifts nothing there.

/// A node of the seed tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root of a tree.
    pub const fn root(seed: u64) -> Self {
        Self(seed)
    }

    /// The child for an entity: `label` names its kind, `index` which one.
    pub fn child(self, label: &str, index: u64) -> Self {
        // FNV-1a over the label, then one SplitMix64 step over each part: distinct paths give unrelated states.
        let label = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(mix(mix(self.0 ^ label).wrapping_add(mix(index))))
    }

    /// The generator of this entity.
    pub fn rng(self) -> Rng {
        Rng(self.0)
    }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `[0, 1)`.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_sequence() {
        // First outputs for seed 1234567, as in the reference C code of S. Vigna (prng.di.unimi.it/splitmix64.c).
        let mut rng = Seed::root(1_234_567).rng();
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn children_differ_by_label_and_by_index() {
        let root = Seed::root(7);
        assert_ne!(root.child("terminal", 1), root.child("terminal", 2));
        assert_ne!(root.child("terminal", 1), root.child("gateway", 1));
    }
}
