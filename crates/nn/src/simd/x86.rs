//! [`Lanes`] on AVX2 and AVX-512.
#![expect(unsafe_code, reason = "vector instructions; callers are compiled for them by `run`")]

use std::arch::x86_64::*;

use super::bits::{Pairs, Quads};
use super::lanes::{Kernel, LANES, Lanes, plain_pairs};

/// `_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC`.
const NEAREST: i32 = 8;

/// Two vectors of eight. With `VNNI`, products of bytes are instructions.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const VNNI: bool>(__m256, __m256);

/// One vector of sixteen. With `BF16` and `VNNI`, products of bfloat16 and bytes are instructions.
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool, const VNNI: bool>(__m512);

/// Runs a kernel compiled for AVX2.
///
/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2<false>>()
}

/// Runs a kernel compiled for AVX2 with AVX-VNNI.
///
/// # Safety
/// The processor has it, AVX2 and FMA.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn run_avx2_vnni<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2<true>>()
}

/// Runs a kernel compiled for AVX-512.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512<false, false>>()
}

/// Runs a kernel compiled for AVX-512 with `AVX512_VNNI`.
///
/// # Safety
/// The processor has it, and AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn run_avx512_vnni<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512<false, true>>()
}

/// Runs a kernel compiled for AVX-512 with `AVX512_BF16` and `AVX512_VNNI`.
///
/// # Safety
/// The processor has them, and AVX-512 F, BW, DQ and VL.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni")]
pub(super) unsafe fn run_avx512_bf16<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512<true, true>>()
}

/// The same intrinsic on one or two vectors.
macro_rules! each {
    ($f:ident, $a:expr) => {
        // SAFETY: a value of this type exists only inside `run_avx2`.
        unsafe { Self($f($a.0), $f($a.1)) }
    };
    ($f:ident, $a:expr, $b:expr) => {
        // SAFETY: as above.
        unsafe { Self($f($a.0, $b.0), $f($a.1, $b.1)) }
    };
    ($f:ident, $a:expr, $b:expr, $c:expr) => {
        // SAFETY: as above.
        unsafe { Self($f($a.0, $b.0, $c.0), $f($a.1, $b.1, $c.1)) }
    };
}

impl<const VNNI: bool> Lanes for Avx2<VNNI> {
    type Ints = (__m256i, __m256i);

    const ROWS: usize = 3;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: `Lanes` is used inside `run_avx2` only.
        let half = unsafe { _mm256_set1_ps(value) };
        Self(half, half)
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: both halves are inside the array.
        unsafe { Self(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
    }

    #[inline(always)]
    fn evens(pairs: &Pairs) -> Self {
        // SAFETY: `Lanes` is used inside `run_avx2` only; both halves are inside the array.
        unsafe {
            let (low, high) = (pairs.as_ptr().cast(), pairs.as_ptr().add(8).cast());
            Self(
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_loadu_si256(low))),
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_loadu_si256(high))),
            )
        }
    }

    #[inline(always)]
    fn odds(pairs: &Pairs) -> Self {
        // SAFETY: as above.
        unsafe {
            let (low, high) = (pairs.as_ptr().cast(), pairs.as_ptr().add(8).cast());
            let odd = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            Self(
                _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(low), odd)),
                _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(high), odd)),
            )
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: both halves are inside the array.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), self.0);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
        }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each!(_mm256_add_ps, self, other)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        each!(_mm256_mul_ps, self, other)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        each!(_mm256_div_ps, self, other)
    }

    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        each!(_mm256_fmadd_ps, self, factor, addend)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        each!(_mm256_max_ps, self, other)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        each!(_mm256_min_ps, self, other)
    }

    #[inline(always)]
    fn round(self) -> Self {
        // SAFETY: `Lanes` is used inside `run_avx2` only.
        unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
    }

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        #[inline(always)]
        fn half(value: __m256, power: __m256) -> __m256 {
            // SAFETY: `Lanes` is used inside `run_avx2` only.
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(power), _mm256_set1_epi32(127));
                _mm256_mul_ps(value, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
            }
        }
        Self(half(self.0, power.0), half(self.1, power.1))
    }

    #[inline(always)]
    fn raise(self, shifted: Self) -> Self {
        #[inline(always)]
        fn half(value: __m256, shifted: __m256) -> __m256 {
            // SAFETY: `Lanes` is used inside `run_avx2` only.
            unsafe {
                let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), power))
            }
        }
        Self(half(self.0, shifted.0), half(self.1, shifted.1))
    }

    #[inline(always)]
    fn prefetch<T>(from: *const T, bytes: usize) {
        // SAFETY: an address that is not mapped is ignored.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(bytes));
        }
    }

    #[inline(always)]
    fn dot_pairs(self, pair: u32, pairs: &Pairs) -> Self {
        #[inline(always)]
        fn half(sum: __m256, pair: __m256i, pairs: *const u32) -> __m256 {
            // SAFETY: `Lanes` is used inside `run_avx2` only; `pairs` points to eight.
            unsafe {
                let pairs = _mm256_loadu_si256(pairs.cast());
                let odd = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
                let low = |all| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(all));
                let high = |all| _mm256_castsi256_ps(_mm256_and_si256(all, odd));
                let sum = _mm256_fmadd_ps(low(pair), low(pairs), sum);
                _mm256_fmadd_ps(high(pair), high(pairs), sum)
            }
        }
        // SAFETY: as above; both halves are inside the array.
        unsafe {
            let pair = _mm256_set1_epi32(pair.cast_signed());
            let from = pairs.as_ptr();
            Self(half(self.0, pair, from), half(self.1, pair, from.add(8)))
        }
    }

    #[inline(always)]
    fn no_ints() -> Self::Ints {
        // SAFETY: `Lanes` is used inside `run_avx2` only.
        unsafe { (_mm256_setzero_si256(), _mm256_setzero_si256()) }
    }

    #[inline(always)]
    fn dot_quads(sums: Self::Ints, unsigned: u32, quads: &Quads) -> Self::Ints {
        #[inline(always)]
        fn half<const VNNI: bool>(sum: __m256i, unsigned: __m256i, quads: *const u32) -> __m256i {
            // SAFETY: `Lanes` is used inside `run_avx2` only, and with `VNNI` inside `run_avx2_vnni`;
            // `quads` points to eight.
            unsafe {
                let signed = _mm256_loadu_si256(quads.cast());
                if VNNI {
                    return _mm256_dpbusd_avx_epi32(sum, unsigned, signed);
                }
                // Bytes of even and odd index as 16-bit numbers; sums of two products fit 32 bits.
                let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(signed));
                let odd = _mm256_srai_epi16::<8>(signed);
                let even_a = _mm256_and_si256(unsigned, _mm256_set1_epi16(0xff));
                let odd_a = _mm256_srli_epi16::<8>(unsigned);
                let sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even_a, even));
                _mm256_add_epi32(sum, _mm256_madd_epi16(odd_a, odd))
            }
        }
        // SAFETY: as above; both halves are inside the array.
        unsafe {
            let unsigned = _mm256_set1_epi32(unsigned.cast_signed());
            let from = quads.as_ptr();
            (half::<VNNI>(sums.0, unsigned, from), half::<VNNI>(sums.1, unsigned, from.add(8)))
        }
    }

    #[inline(always)]
    fn less(sums: Self::Ints, offsets: &[i32; LANES]) -> Self::Ints {
        // SAFETY: as above; both halves are inside the array.
        unsafe {
            let low = _mm256_loadu_si256(offsets.as_ptr().cast());
            let high = _mm256_loadu_si256(offsets.as_ptr().add(8).cast());
            (_mm256_sub_epi32(sums.0, low), _mm256_sub_epi32(sums.1, high))
        }
    }

    #[inline(always)]
    fn from_ints(sums: Self::Ints) -> Self {
        // SAFETY: `Lanes` is used inside `run_avx2` only.
        unsafe { Self(_mm256_cvtepi32_ps(sums.0), _mm256_cvtepi32_ps(sums.1)) }
    }
}

impl<const BF16: bool, const VNNI: bool> Lanes for Avx512<BF16, VNNI> {
    type Ints = __m512i;

    const ROWS: usize = 14;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: `Lanes` is used inside `run_avx512` only.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: the array has sixteen floats.
        Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }

    #[inline(always)]
    fn evens(pairs: &Pairs) -> Self {
        // SAFETY: the array has sixteen pairs.
        unsafe {
            let pairs = _mm512_loadu_si512(pairs.as_ptr().cast());
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)))
        }
    }

    #[inline(always)]
    fn odds(pairs: &Pairs) -> Self {
        // SAFETY: as above.
        unsafe {
            let pairs = _mm512_loadu_si512(pairs.as_ptr().cast());
            let odd = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            Self(_mm512_castsi512_ps(_mm512_and_si512(pairs, odd)))
        }
    }

    #[inline(always)]
    fn tight(
        low: &[u16; 2 * LANES],
        middle: &[u8; 2 * LANES],
        codes: &[u8; LANES],
        exponents: &[u32; LANES],
    ) -> [Self; 2] {
        // SAFETY: `Lanes` is used inside `run_avx512` only; each load is inside its array.
        unsafe {
            let exponents = _mm512_loadu_si512(exponents.as_ptr().cast());
            let codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().cast()));
            // Of each number the lower four bits choose.
            let chosen = [
                _mm512_permutexvar_epi32(codes, exponents),
                _mm512_permutexvar_epi32(_mm512_srli_epi32::<4>(codes), exponents),
            ];
            let kept = _mm512_set1_epi32(0x807f_0000_u32.cast_signed());
            let mut out = [Self(_mm512_setzero_ps()); 2];
            for half in 0..2 {
                let at = 16 * half;
                let low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(low.as_ptr().add(at).cast()));
                let middle = _mm512_cvtepi8_epi32(_mm_loadu_si128(middle.as_ptr().add(at).cast()));
                let middle = _mm512_slli_epi32::<16>(middle);
                // (middle and kept) or low.
                let fraction = _mm512_ternarylogic_epi32::<0xea>(middle, kept, low);
                out[half].0 = _mm512_castsi512_ps(_mm512_or_si512(fraction, chosen[half]));
            }
            out
        }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: the array has sixteen floats.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of this type exists only inside `run_avx512`.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_div_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_roundscale_ps::<NEAREST>(self.0) })
    }

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(power.0), _mm512_set1_epi32(127));
            Self(_mm512_mul_ps(self.0, _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))))
        }
    }

    #[inline(always)]
    fn raise(self, shifted: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), power)))
        }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let eight =
                _mm256_add_ps(_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0));
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn greatest(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut out = rows;
        // SAFETY: as above.
        unsafe {
            // Of each four rows, by quarter of a vector: columns of fours.
            let mut fours = rows.map(|row| row.0);
            for four in fours.as_chunks_mut::<4>().0 {
                let [a, b, c, d] = *four;
                // Casts are spelled out: a closure here would be compiled for fewer instructions.
                let low_ab = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
                let low_cd = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
                let high_ab = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
                let high_cd = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
                *four = [
                    _mm512_castpd_ps(_mm512_unpacklo_pd(low_ab, low_cd)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(low_ab, low_cd)),
                    _mm512_castpd_ps(_mm512_unpacklo_pd(high_ab, high_cd)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(high_ab, high_cd)),
                ];
            }
            // Even quarters, then odd ones, of all four.
            for column in 0..4 {
                let (a, b, c, d) =
                    (fours[column], fours[4 + column], fours[8 + column], fours[12 + column]);
                let even = [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d)];
                let odd = [_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d)];
                out[column].0 = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
                out[8 + column].0 = _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]);
                out[4 + column].0 = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
                out[12 + column].0 = _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]);
            }
        }
        out
    }

    #[inline(always)]
    fn prefetch<T>(from: *const T, bytes: usize) {
        // SAFETY: an address that is not mapped is ignored.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(bytes));
        }
    }

    #[inline(always)]
    fn pairs(halves: [Self; 2]) -> Pairs {
        if BF16 {
            let [low, high] = halves;
            // SAFETY: `BF16` is true inside `run_avx512_bf16` only; both types hold 64 bytes.
            return unsafe {
                std::mem::transmute::<__m512bh, Pairs>(_mm512_cvtne2ps_pbh(high.0, low.0))
            };
        }
        plain_pairs(halves)
    }

    #[inline(always)]
    fn dot_pairs(self, pair: u32, pairs: &Pairs) -> Self {
        // SAFETY: as above; the array has sixteen pairs; `BF16` is true inside `run_avx512_bf16`
        // only; both vector types hold 64 bytes.
        unsafe {
            let pair = _mm512_set1_epi32(pair.cast_signed());
            let pairs = _mm512_loadu_si512(pairs.as_ptr().cast());
            if BF16 {
                let pair = std::mem::transmute::<__m512i, __m512bh>(pair);
                let pairs = std::mem::transmute::<__m512i, __m512bh>(pairs);
                return Self(_mm512_dpbf16_ps(self.0, pair, pairs));
            }
            let odd = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            let low = |all| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(all));
            let high = |all| _mm512_castsi512_ps(_mm512_and_si512(all, odd));
            let sum = _mm512_fmadd_ps(low(pair), low(pairs), self.0);
            Self(_mm512_fmadd_ps(high(pair), high(pairs), sum))
        }
    }

    #[inline(always)]
    fn no_ints() -> Self::Ints {
        // SAFETY: as above.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn dot_quads(sums: Self::Ints, unsigned: u32, quads: &Quads) -> Self::Ints {
        // SAFETY: as for pairs; `VNNI` is true where that was found.
        unsafe {
            let unsigned = _mm512_set1_epi32(unsigned.cast_signed());
            let signed = _mm512_loadu_si512(quads.as_ptr().cast());
            if VNNI {
                return _mm512_dpbusd_epi32(sums, unsigned, signed);
            }
            let even = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(signed));
            let odd = _mm512_srai_epi16::<8>(signed);
            let even_a = _mm512_and_si512(unsigned, _mm512_set1_epi16(0xff));
            let odd_a = _mm512_srli_epi16::<8>(unsigned);
            let sums = _mm512_add_epi32(sums, _mm512_madd_epi16(even_a, even));
            _mm512_add_epi32(sums, _mm512_madd_epi16(odd_a, odd))
        }
    }

    #[inline(always)]
    fn less(sums: Self::Ints, offsets: &[i32; LANES]) -> Self::Ints {
        // SAFETY: the array has sixteen integers.
        unsafe { _mm512_sub_epi32(sums, _mm512_loadu_si512(offsets.as_ptr().cast())) }
    }

    #[inline(always)]
    fn from_ints(sums: Self::Ints) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_cvtepi32_ps(sums) })
    }
}
