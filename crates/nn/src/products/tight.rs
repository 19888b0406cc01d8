//! Floats in 28 bits, with nothing lost: of the eight bits of an exponent, weights that were trained or
//! drawn use few values, so four bits say which.

use super::line::Line;
use crate::blocked::{BLOCK, Row};
use crate::simd::Lanes;

/// The code of a first output whose line is kept as it is, elsewhere. Others are numbers of exponents.
const WHOLE: u8 = 15;

/// Of so many lines at most one may be kept elsewhere, for what is gained not to be lost again.
const LINES_FOR_A_WHOLE: usize = 64;

/// Weights of two inputs by 32 outputs.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Tight {
    /// The lower 16 bits of fractions; where the line is kept elsewhere, its number is the first.
    low: [[u16; BLOCK]; 2],
    /// Signs, above the upper 7 bits of fractions.
    middle: [[u8; BLOCK]; 2],
    /// Which exponents: those of outputs from 16 on above those of the first 16.
    codes: [[u8; BLOCK / 2]; 2],
}

/// What the codes in a panel stand for.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Exponents {
    /// Of floats, where they are in them.
    bits: [u32; 16],
    /// Lines with other exponents, in the order of the panel.
    whole: Vec<Row>,
}

impl Tight {
    /// Zeros.
    pub(super) const ZERO: Tight =
        Tight { low: [[0; BLOCK]; 2], middle: [[0; BLOCK]; 2], codes: [[0; BLOCK / 2]; 2] };
}

impl Exponents {
    /// The most frequent ones, and not that of what is no number.
    fn of(rows: &[f32]) -> Exponents {
        let mut counts = [0_usize; 256];
        for value in rows {
            counts[exponent(*value)] += usize::from(value.is_finite());
        }
        let mut all: Vec<u8> = (0..=255).collect();
        all.sort_by_key(|exponent| std::cmp::Reverse(counts[usize::from(*exponent)]));
        let bits = std::array::from_fn(|code| u32::from(all[code]) << 23);
        Exponents { bits, whole: Vec::new() }
    }

    /// Bytes of the lines.
    pub(super) fn whole_bytes(&self) -> usize {
        size_of_val(self.whole.as_slice())
    }
}

/// The eight bits of it.
fn exponent(value: f32) -> usize {
    (value.to_bits() >> 23 & 0xff) as usize
}

/// Transposes 32 rows of weights to `[K / 2]`; `None` if their exponents are too many.
pub(super) fn pack(rows: &[f32], n_inputs: usize, into: &mut [Tight]) -> Option<Exponents> {
    let mut beside = Exponents::of(rows);
    let mut codes = [WHOLE; 256];
    for (code, bits) in (0..WHOLE).zip(beside.bits) {
        codes[(bits >> 23) as usize] = code;
    }
    let most = n_inputs / LINES_FOR_A_WHOLE;
    for input in 0..n_inputs {
        let line = Row(std::array::from_fn(|output| rows[output * n_inputs + input]));
        let Tight { low, middle, codes: places } = &mut into[input / 2];
        let (low, middle, places) =
            (&mut low[input % 2], &mut middle[input % 2], &mut places[input % 2]);
        if line.0.iter().any(|value| codes[exponent(*value)] == WHOLE) {
            places[0] = WHOLE;
            low[0] = u16::try_from(beside.whole.len()).ok().filter(|n| usize::from(*n) < most)?;
            beside.whole.push(line);
            continue;
        }
        for (output, value) in line.0.into_iter().enumerate() {
            let bits = value.to_bits();
            low[output] = (bits & 0xffff) as u16;
            middle[output] = (bits >> 24 & 0x80 | bits >> 16 & 0x7f) as u8;
            places[output % 16] |= codes[exponent(value)] << (output / 16 * 4);
        }
    }
    Some(beside)
}

impl Line for Tight {
    type Beside = Exponents;

    const INPUTS: usize = 2;

    const TOKENS: usize = 10;

    #[inline(always)]
    fn weights<V: Lanes>(&self, input: usize, beside: &Exponents) -> [V; 2] {
        let (low, codes) = (&self.low[input], &self.codes[input]);
        if codes[0] & 15 == WHOLE {
            let line = &beside.whole[usize::from(low[0])];
            // The next but one, for when it is needed.
            V::prefetch(line, 2 * size_of::<Row>());
            V::prefetch(line, 2 * size_of::<Row>() + 64);
            return line.weights::<V>(0, &());
        }
        V::tight(low, &self.middle[input], codes, &beside.bits)
    }
}
