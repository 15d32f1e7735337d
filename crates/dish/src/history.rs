//! The rings of the last quarter of an hour, one sample a second.

/// How many samples each ring holds.
pub const SAMPLES: usize = 900;

/// One second as the terminal saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Share of its pings to the PoP that were lost, 0 to 1.
    pub(crate) drop_rate: f32,
    /// Mean round trip of the others, ms; 0 if there were none.
    pub(crate) latency_ms: f32,
    /// Mean over the second.
    pub(crate) down_bps: f32,
    /// Mean over the second.
    pub(crate) up_bps: f32,
    /// What it draws, W.
    pub(crate) power_w: f32,
}

/// Sample `k` since boot, from 0, is at index `k mod 900`; what is not written yet is zero.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Samples written since boot.
    pub(crate) current: u64,
    samples: Vec<Sample>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            current: 0,
            samples: vec![Sample::default(); SAMPLES],
        }
    }

    pub(crate) fn push(&mut self, sample: Sample) {
        self.samples[(self.current % SAMPLES as u64) as usize] = sample;
        self.current += 1;
    }

    /// The newest; zeros before the first.
    pub(crate) fn newest(&self) -> Sample {
        self.samples[(self.current.wrapping_sub(1) % SAMPLES as u64) as usize]
    }

    /// The newest `n`, newest first, as far as there are so many.
    pub(crate) fn last(&self, n: usize) -> impl Iterator<Item = Sample> {
        let there = self.current.min(SAMPLES as u64).min(n as u64);
        (1..=there).map(|back| self.samples[((self.current - back) % SAMPLES as u64) as usize])
    }

    /// One quantity over the whole ring, in the ring's order.
    pub(crate) fn ring(&self, of: impl Fn(&Sample) -> f32) -> Vec<f32> {
        self.samples.iter().map(of).collect()
    }
}
