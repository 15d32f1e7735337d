//! Two registers as one value: two independent chains of operations side by side, so that one is computed while the other waits
//! for its last result. A processor does not look far enough ahead to find the second chain by itself.

use core::ops::{Add, BitAnd, BitAndAssign, BitOr, Div, Mul, Neg, Sub};
use fearless_simd::{Select, Simd, SimdInto, f64x8, mask64x8, prelude::*};

/// Sixteen numbers.
#[derive(Clone, Copy)]
pub(crate) struct Wide<S: Simd>(pub(crate) f64x8<S>, pub(crate) f64x8<S>);

/// Sixteen conditions.
#[derive(Clone, Copy)]
pub(crate) struct WideMask<S: Simd>(pub(crate) mask64x8<S>, pub(crate) mask64x8<S>);

/// What may stand beside a [`Wide`]: another, or one number for all lanes.
pub(crate) trait Operand<S: Simd> {
    type Half: SimdInto<f64x8<S>, S>;
    fn halves(self) -> (Self::Half, Self::Half);
}

impl<S: Simd> Operand<S> for Wide<S> {
    type Half = f64x8<S>;
    #[inline(always)]
    fn halves(self) -> (f64x8<S>, f64x8<S>) {
        (self.0, self.1)
    }
}

impl<S: Simd> Operand<S> for f64 {
    type Half = f64;
    #[inline(always)]
    fn halves(self) -> (f64, f64) {
        (self, self)
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident)*) => {
        $(
            impl<S: Simd> $operator for Wide<S> {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: Self) -> Self {
                    Self(self.0.$method(other.0), self.1.$method(other.1))
                }
            }

            impl<S: Simd> $operator<f64> for Wide<S> {
                type Output = Self;
                #[inline(always)]
                fn $method(self, other: f64) -> Self {
                    Self(self.0.$method(other), self.1.$method(other))
                }
            }
        )*
    };
}

operators!(Add add Sub sub Mul mul Div div);

impl<S: Simd> Neg for Wide<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl<S: Simd> Wide<S> {
    #[inline(always)]
    pub(crate) fn splat(simd: S, value: f64) -> Self {
        Self(f64x8::splat(simd, value), f64x8::splat(simd, value))
    }

    /// self · a + b.
    #[inline(always)]
    pub(crate) fn mul_add(self, a: impl Operand<S>, b: impl Operand<S>) -> Self {
        let (a, b) = (a.halves(), b.halves());
        Self(self.0.mul_add(a.0, b.0), self.1.mul_add(a.1, b.1))
    }

    /// self · a − b.
    #[inline(always)]
    pub(crate) fn mul_sub(self, a: impl Operand<S>, b: impl Operand<S>) -> Self {
        let (a, b) = (a.halves(), b.halves());
        Self(self.0.mul_sub(a.0, b.0), self.1.mul_sub(a.1, b.1))
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self(self.0.sqrt(), self.1.sqrt())
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self(self.0.abs(), self.1.abs())
    }

    #[inline(always)]
    pub(crate) fn max(self, least: f64) -> Self {
        Self(self.0.max(least), self.1.max(least))
    }

    #[inline(always)]
    pub(crate) fn min(self, most: f64) -> Self {
        Self(self.0.min(most), self.1.min(most))
    }

    #[inline(always)]
    pub(crate) fn is_above(self, value: f64) -> WideMask<S> {
        WideMask(self.0.simd_gt(value), self.1.simd_gt(value))
    }

    #[inline(always)]
    pub(crate) fn is_at_least(self, value: f64) -> WideMask<S> {
        WideMask(self.0.simd_ge(value), self.1.simd_ge(value))
    }

    #[inline(always)]
    pub(crate) fn is_below(self, value: f64) -> WideMask<S> {
        WideMask(self.0.simd_lt(value), self.1.simd_lt(value))
    }
}

impl<S: Simd> BitAnd for WideMask<S> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0, self.1 & other.1)
    }
}

impl<S: Simd> BitAndAssign for WideMask<S> {
    #[inline(always)]
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

impl<S: Simd> BitOr for WideMask<S> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0, self.1 | other.1)
    }
}

impl<S: Simd> WideMask<S> {
    #[inline(always)]
    pub(crate) fn splat(simd: S, value: bool) -> Self {
        let mask = mask64x8::splat(simd, value);
        Self(mask, mask)
    }

    #[inline(always)]
    pub(crate) fn any_true(self) -> bool {
        (self.0 | self.1).any_true()
    }

    #[inline(always)]
    pub(crate) fn select(self, a: Wide<S>, b: Wide<S>) -> Wide<S> {
        Wide(self.0.select(a.0, b.0), self.1.select(a.1, b.1))
    }
}
