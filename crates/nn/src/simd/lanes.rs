//! Sixteen floats, whatever holds them.

use super::bits::{Pairs, Quads, to_bf16};

/// Floats in one vector.
pub(crate) const LANES: usize = 16;

/// A float whose neighbours are the integers: what is added to it is rounded, ties to even, into its
/// last bits.
pub(crate) const INTEGERS: f32 = 12_582_912.0;

/// [`Lanes::pairs`] where no instruction does it.
#[inline(always)]
pub(super) fn plain_pairs<V: Lanes>(halves: [V; 2]) -> Pairs {
    let mut all = [[0.0; LANES]; 2];
    halves[0].store(&mut all[0]);
    halves[1].store(&mut all[1]);
    let bits = all.map(|half| half.map(to_bf16));
    let bits = bits.as_flattened();
    std::array::from_fn(|idx| bits[2 * idx] | bits[2 * idx + 1] << 16)
}

/// Sixteen floats. Every implementation gives the same bits for the same operations: fused
/// multiply-add everywhere, sums across lanes in one fixed order.
pub(crate) trait Lanes: Copy {
    /// Sixteen sums of byte products.
    type Ints: Copy;

    /// Rows of a product that fit into the registers beside two vectors of its columns.
    const ROWS: usize;

    /// All lanes the same.
    fn splat(value: f32) -> Self;
    /// From memory.
    fn load(from: &[f32; LANES]) -> Self;
    /// The even ones of sixteen pairs of bfloat16, as floats.
    fn evens(pairs: &Pairs) -> Self;
    /// The odd ones.
    fn odds(pairs: &Pairs) -> Self;
    /// Thirty-two floats from the lower 16 bits of their fractions, their signs above the other 7, and
    /// four bits each, of the later sixteen above those of the first, that say which of the exponents
    /// they have.
    #[inline(always)]
    fn tight(
        low: &[u16; 2 * LANES],
        middle: &[u8; 2 * LANES],
        codes: &[u8; LANES],
        exponents: &[u32; LANES],
    ) -> [Self; 2] {
        [0, 1].map(|half| {
            Self::load(&std::array::from_fn(|lane| {
                let at = LANES * half + lane;
                let (low, middle) = (u32::from(low[at]), u32::from(middle[at]));
                let exponent = exponents[usize::from(codes[lane] >> (4 * half) & 15)];
                f32::from_bits((middle & 0x80) << 24 | exponent | (middle & 0x7f) << 16 | low)
            }))
        })
    }
    /// To memory.
    fn store(self, to: &mut [f32; LANES]);
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn fma(self, factor: Self, addend: Self) -> Self;
    /// The greater one. Of a number and NaN, either.
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    /// To the nearest integer, ties to even.
    fn round(self) -> Self;
    /// `self` × 2^`power` for integral powers from −126 to 127.
    fn scale_by_power(self, power: Self) -> Self;
    /// `self` × 2^n, where `shifted` is [`INTEGERS`] + n and the result is a normal number.
    fn raise(self, shifted: Self) -> Self;

    /// Thirty-two floats as pairs of the nearest bfloat16, ties to even. Subnormal ones may become 0, by
    /// processor, as products take them for 0.
    #[inline(always)]
    fn pairs(halves: [Self; 2]) -> Pairs {
        plain_pairs(halves)
    }
    /// Adds the products of one pair of bfloat16 with sixteen pairs. The sum of a pair may be
    /// rounded once or twice, by processor.
    fn dot_pairs(self, pair: u32, pairs: &Pairs) -> Self;
    /// Sixteen zeros.
    fn no_ints() -> Self::Ints;
    /// Adds the products of four unsigned bytes with sixteen times four signed ones; exact.
    fn dot_quads(sums: Self::Ints, unsigned: u32, quads: &Quads) -> Self::Ints;
    /// Differences.
    fn less(sums: Self::Ints, offsets: &[i32; LANES]) -> Self::Ints;
    /// Nearest floats.
    fn from_ints(sums: Self::Ints) -> Self;

    /// Columns of sixteen rows: rows and lanes change places.
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut from = [[0.0; LANES]; LANES];
        for (row, to) in rows.into_iter().zip(&mut from) {
            row.store(to);
        }
        std::array::from_fn(|lane| Self::load(&std::array::from_fn(|row| from[row][lane])))
    }

    /// Asks for what lies some bytes after `from`; reads nothing.
    fn prefetch<T>(from: *const T, bytes: usize);

    /// Sum across lanes: halves are added until one is left.
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut all = [0.0; LANES];
        self.store(&mut all);
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                all[lane] += all[lane + width];
            }
            width /= 2;
        }
        all[0]
    }

    /// Greatest lane.
    #[inline(always)]
    fn greatest(self) -> f32 {
        let mut all = [0.0; LANES];
        self.store(&mut all);
        let mut best = all[0];
        for lane in all {
            best = if lane > best { lane } else { best };
        }
        best
    }

    /// e^x, to 2 units in the last place; below −87 it is flushed towards 0, above 88 it stays there.
    #[inline(always)]
    fn exp(self) -> Self {
        let x = self.max(Self::splat(-87.0)).min(Self::splat(88.0));
        // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts keeps r exact.
        let n = x.mul(Self::splat(std::f32::consts::LOG2_E)).round();
        x.exp_beside(n).scale_by_power(n)
    }

    /// e^x of what is not above 0: the bits of [`Lanes::exp`] in fewer instructions, because rounding is
    /// an addition, and the sum's last bits go into the exponent as they are.
    #[inline(always)]
    fn exp_below(self) -> Self {
        let x = self.max(Self::splat(-87.0));
        let shifted = x.mul(Self::splat(std::f32::consts::LOG2_E)).add(Self::splat(INTEGERS));
        x.exp_beside(shifted.add(Self::splat(-INTEGERS))).raise(shifted)
    }

    /// e^x / 2^n, where n is the integer nearest to x / ln 2.
    #[inline(always)]
    fn exp_beside(self, n: Self) -> Self {
        let r = n.fma(Self::splat(-0.693_359_4), self);
        let r = n.fma(Self::splat(2.121_944_4e-4), r);
        // Taylor's series to r^7 is below half a unit of the last place on this range.
        let mut p = Self::splat(1.0 / 5040.0);
        for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = p.fma(r, Self::splat(coefficient));
        }
        p
    }

    /// Error function, to 5e-7: the ratio of polynomials that Eigen uses for floats.
    #[inline(always)]
    fn erf(self) -> Self {
        let x = self.max(Self::splat(-4.0)).min(Self::splat(4.0));
        let square = x.mul(x);
        let mut above = Self::splat(-2.726_142_3e-10);
        for coefficient in [
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906_3e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ] {
            above = above.fma(square, Self::splat(coefficient));
        }
        let mut below = Self::splat(-1.456_607_2e-5);
        for coefficient in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329_2e-3, -1.426_473_9e-2] {
            below = below.fma(square, Self::splat(coefficient));
        }
        x.mul(above).div(below)
    }

    /// x Φ(x), the exact GELU.
    #[inline(always)]
    fn gelu(self) -> Self {
        let half = self.mul(Self::splat(0.5));
        let erf = self.mul(Self::splat(std::f32::consts::FRAC_1_SQRT_2)).erf();
        half.fma(erf, half)
    }
}

/// Work that is written once for every kind of vector.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;
    /// Does it. Implementations are `#[inline(always)]`, so that they are compiled for the
    /// instructions of their caller.
    fn run<V: Lanes>(self) -> Self::Output;
}
