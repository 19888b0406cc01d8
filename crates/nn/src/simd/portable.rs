//! The definition of [`Lanes`], in plain Rust.

use super::bits::{Pairs, Quads, dot_bytes, high, low};
use super::lanes::{LANES, Lanes};

/// Sixteen floats in an array.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn each(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Self(out)
    }
}

impl Lanes for Portable {
    type Ints = [i32; LANES];

    const ROWS: usize = 4;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }

    #[inline(always)]
    fn evens(pairs: &Pairs) -> Self {
        Self(pairs.map(low))
    }

    #[inline(always)]
    fn odds(pairs: &Pairs) -> Self {
        Self(pairs.map(high))
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.each(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.each(other, |a, b| a / b)
    }

    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        let mut out = [0.0; LANES];
        for (lane, out) in out.iter_mut().enumerate() {
            *out = self.0[lane].mul_add(factor.0[lane], addend.0[lane]);
        }
        Self(out)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.each(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.each(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.each(self, |a, _| a.round_ties_even())
    }

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        self.each(power, |a, power| {
            // The exponent of a float sits above its 23 bits of fraction, offset by 127.
            a * f32::from_bits((((power as i32) + 127) << 23).cast_unsigned())
        })
    }

    #[inline(always)]
    fn raise(self, shifted: Self) -> Self {
        self.each(shifted, |a, shifted| {
            // Of `INTEGERS` itself nothing is left of the exponent's place.
            f32::from_bits(a.to_bits().wrapping_add(shifted.to_bits() << 23))
        })
    }

    #[inline(always)]
    fn prefetch<T>(_: *const T, _: usize) {}

    #[inline(always)]
    fn dot_pairs(self, pair: u32, pairs: &Pairs) -> Self {
        let mut out = self.0;
        for (out, weights) in out.iter_mut().zip(pairs) {
            *out = low(pair).mul_add(low(*weights), *out);
            *out = high(pair).mul_add(high(*weights), *out);
        }
        Self(out)
    }

    #[inline(always)]
    fn no_ints() -> Self::Ints {
        [0; LANES]
    }

    #[inline(always)]
    fn dot_quads(mut sums: Self::Ints, unsigned: u32, quads: &Quads) -> Self::Ints {
        for (sum, quad) in sums.iter_mut().zip(quads) {
            *sum += dot_bytes(unsigned, *quad);
        }
        sums
    }

    #[inline(always)]
    fn less(mut sums: Self::Ints, offsets: &[i32; LANES]) -> Self::Ints {
        for (sum, offset) in sums.iter_mut().zip(offsets) {
            *sum -= offset;
        }
        sums
    }

    #[inline(always)]
    fn from_ints(sums: Self::Ints) -> Self {
        Self(sums.map(|sum| sum as f32))
    }
}
