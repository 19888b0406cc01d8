//! Narrow numbers as they lie in weight panels.

use super::lanes::LANES;

/// Pairs of bfloat16, the one of the even index in the low half.
pub(crate) type Pairs = [u32; LANES];

/// Four signed bytes each, the one of the lowest index in the lowest byte.
pub(crate) type Quads = [u32; LANES];

/// The even one of a pair, as a float.
#[inline(always)]
pub(crate) fn low(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

/// The odd one of a pair, as a float.
#[inline(always)]
pub(crate) fn high(pair: u32) -> f32 {
    f32::from_bits(pair & 0xffff_0000)
}

/// Sum of four products of unsigned by signed bytes.
#[inline(always)]
pub(crate) fn dot_bytes(unsigned: u32, signed: u32) -> i32 {
    let (a, b) = (unsigned.to_le_bytes(), signed.to_le_bytes());
    let mut sum = 0;
    for (a, b) in a.into_iter().zip(b) {
        sum += i32::from(a) * i32::from(b.cast_signed());
    }
    sum
}

/// Bits of the nearest bfloat16, ties to even; what is not a number stays one.
#[inline(always)]
pub(crate) fn to_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) >> 16;
    if value.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}
