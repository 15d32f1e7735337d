//! A three-component vector of `f64`; the frame is named by the type that wraps it.

use core::ops::{Add, Mul, Neg, Sub};
use serde::{Deserialize, Serialize};

/// A vector in three dimensions. Carries no frame and no unit: use it inside a type or a field that names both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vec3 {
    /// First component.
    pub x: f64,
    /// Second component.
    pub y: f64,
    /// Third component.
    pub z: f64,
}

impl Vec3 {
    /// The vector with the given components.
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self { x, y, z }
    }

    /// Scalar product.
    pub fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    /// Vector product.
    pub fn cross(self, o: Self) -> Self {
        Self::new(
            self.y * o.z - self.z * o.y,
            self.z * o.x - self.x * o.z,
            self.x * o.y - self.y * o.x,
        )
    }

    /// Euclidean length.
    pub fn norm(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The vector of length 1 in the same direction. A zero vector gives NaN components.
    pub fn unit(self) -> Self {
        self * (1.0 / self.norm())
    }

    /// Rotation of the *frame* about z by `angle_rad` (the matrix R3 of the astronomical literature).
    pub fn rotate_frame_z(self, angle_rad: f64) -> Self {
        let (s, c) = angle_rad.sin_cos();
        Self::new(c * self.x + s * self.y, c * self.y - s * self.x, self.z)
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f64> for Vec3 {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Self::new(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}
