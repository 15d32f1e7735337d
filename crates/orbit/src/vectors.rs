//! Many vectors as a structure of arrays, the layout that vector instructions want.

use fearless_simd::{Simd, f64x8};
use skyweave_base::Vec3;

/// Vectors in a [`Block`]: the f64 lanes of the widest registers in use (AVX-512), one cache line for each axis.
pub const LANES: usize = 8;

/// The components of [`LANES`] vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(64))]
pub struct Block {
    /// First components.
    pub x: [f64; LANES],
    /// Second components.
    pub y: [f64; LANES],
    /// Third components.
    pub z: [f64; LANES],
}

impl Block {
    pub(crate) const NAN: Self = Self {
        x: [f64::NAN; LANES],
        y: [f64::NAN; LANES],
        z: [f64::NAN; LANES],
    };

    /// The vector in `lane`, if it exists.
    ///
    /// # Panics
    /// If there is no such lane.
    pub fn get(&self, lane: usize) -> Option<Vec3> {
        let v = Vec3::new(self.x[lane], self.y[lane], self.z[lane]);
        (!v.x.is_nan()).then_some(v)
    }

    pub(crate) fn set(&mut self, lane: usize, vector: Option<Vec3>) {
        let Vec3 { x, y, z } = vector.unwrap_or(Vec3::new(f64::NAN, f64::NAN, f64::NAN));
        (self.x[lane], self.y[lane], self.z[lane]) = (x, y, z);
    }

    #[inline(always)]
    pub(crate) fn from_lanes<S: Simd>([x, y, z]: [f64x8<S>; 3]) -> Self {
        Self {
            x: x.into(),
            y: y.into(),
            z: z.into(),
        }
    }
}

/// Vectors by satellite id, in blocks of [`LANES`]. A vector that does not exist, as that of a satellite whose propagation
/// fails, is not a number in all three components; so are the lanes of the last block beyond the last vector.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    blocks: Vec<Block>,
    len: usize,
}

impl Vectors {
    /// `len` vectors that do not exist yet.
    pub fn new(len: usize) -> Self {
        let mut vectors = Self::default();
        vectors.resize(len);
        vectors
    }

    /// Changes the number of vectors. What the vectors are afterwards is unspecified.
    pub fn resize(&mut self, len: usize) {
        self.blocks.resize(len.div_ceil(LANES), Block::NAN);
        if let Some(last) = self.blocks.last_mut() {
            *last = Block::NAN;
        }
        self.len = len;
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without vectors.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The vector at `index`, if it exists.
    pub fn get(&self, index: usize) -> Option<Vec3> {
        if index >= self.len {
            return None;
        }
        self.blocks[index / LANES].get(index % LANES)
    }

    pub(crate) fn set(&mut self, index: usize, v: Vec3) {
        self.blocks[index / LANES].set(index % LANES, Some(v));
    }

    /// All vectors in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<Vec3>> + '_ {
        (0..self.len).map(|index| self.get(index))
    }

    /// The blocks: vector `i` is lane `i % LANES` of block `i / LANES`.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.blocks
    }
}
