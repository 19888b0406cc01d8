//! Outputs against what is expected.
//!
//! Before a call every output is filled with a pattern that was never seen before: for floats,
//! numbers that are not numbers. What still shows it was not written.

use rand::{Rng, RngExt};
use sandbox::shared::Memory;

use super::expect::{Bounds, Expected, Tolerance};
use crate::evaluation::{Reason, Rejection};
use crate::graph::{Dtype, Tensor};

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// What an output is filled with before a call, again and again.
pub(crate) type Poison = [u8; 8];

/// A pattern for outputs of this type.
pub(crate) fn poison(dtype: Dtype, rng: &mut impl Rng) -> Poison {
    let random: u64 = rng.random();
    match dtype {
        Dtype::F32 => {
            // Quiet, of either sign, with a payload.
            let quiet = |bits: u64| (bits as u32 & 0x803f_ffff) | 0x7fc0_0001;
            let (low, high) = (quiet(random), quiet(random >> 32));
            (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
        }
        Dtype::F64 => (random & 0x8007_ffff_ffff_ffff | 0x7ff8_0000_0000_0001).to_le_bytes(),
        Dtype::I64 | Dtype::I32 | Dtype::I8 | Dtype::U8 => random.to_le_bytes(),
        // Neither false nor true.
        Dtype::Bool => random.to_le_bytes().map(|byte| byte | 2),
    }
}

/// Fills `length` bytes from `offset`.
pub(super) fn fill(memory: &mut Memory, offset: usize, length: usize, poison: Poison) {
    let piece: Vec<u8> = poison.iter().copied().cycle().take(PIECE.min(length)).collect();
    let mut done = 0;
    while done < length {
        let count = piece.len().min(length - done);
        memory.write(offset + done, &piece[..count]);
        done += count;
    }
}

/// How an output compares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// Largest error over the tolerance at its place, of what is within it.
    pub(crate) worst: f64,
    /// What is wrong.
    pub(crate) rejection: Option<Rejection>,
}

/// Counts what is off while an output is walked through.
struct Tally<'a> {
    expected: &'a Expected,
    worst: f64,
    /// End of the row that `scale` belongs to: elements come in order, and a division for each
    /// would cost more than all the rest.
    row_end: usize,
    scale: f64,
    n_wrong: u64,
    n_unwritten: u64,
    first: Option<(usize, f64)>,
}

impl Tally<'_> {
    /// As [`Expected::limit`], for elements in order.
    fn limit(&mut self, at: usize, want: f64) -> f64 {
        match &self.expected.tolerance {
            Tolerance::All(limit) => *limit,
            Tolerance::Each(limits) => limits[at],
            Tolerance::Scaled { relative, absolute, n_row, scales } => {
                if at >= self.row_end {
                    self.row_end = (at / n_row + 1) * n_row;
                    self.scale = scales[at / n_row];
                }
                let own = if want.is_finite() { want.abs() } else { 0.0 };
                relative * own.max(self.scale) + absolute
            }
        }
    }

    /// `largest` is the type's largest finite number: what is expected beyond it must overflow.
    fn element(&mut self, at: usize, got: f64, poisoned: bool, largest: f64) {
        let want = self.expected.values[at];
        let limit = self.limit(at, want);
        let error = (got - want).abs();
        if error <= self.worst * limit {
            return;
        }
        let same = got == want
            || (got.is_nan() && want.is_nan())
            || (got.is_infinite() && want.abs() > largest && got.signum() == want.signum());
        // What is not finite has no error to measure.
        let near = error.is_finite() && error <= limit;
        if poisoned && (!same || got.is_nan()) {
            self.n_unwritten += 1;
        } else if same {
            return;
        } else if near {
            self.worst = error / limit;
            return;
        } else {
            self.n_wrong += 1;
        }
        self.first.get_or_insert((at, got));
    }
}

/// Compares the output at `offset` of `memory`.
pub(super) fn compare(
    memory: &Memory,
    offset: usize,
    tensor: &Tensor,
    expected: &Expected,
    poison: Poison,
) -> Comparison {
    judged(tensor, expected, poison, |at, piece| memory.read(offset + at, piece))
}

/// Compares an output's bytes.
///
/// # Panics
/// If they are fewer than the tensor has.
pub(crate) fn compare_bytes(
    bytes: &[u8],
    tensor: &Tensor,
    expected: &Expected,
    poison: Poison,
) -> Comparison {
    judged(tensor, expected, poison, |at, piece| {
        piece.copy_from_slice(&bytes[at..at + piece.len()])
    })
}

fn judged(
    tensor: &Tensor,
    expected: &Expected,
    poison: Poison,
    read: impl Fn(usize, &mut [u8]),
) -> Comparison {
    let n = tensor.n_elements();
    let width = tensor.dtype.size_bytes();
    let mut tally = Tally {
        expected,
        worst: 0.0,
        row_end: 0,
        scale: 0.0,
        n_wrong: 0,
        n_unwritten: 0,
        first: None,
    };
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while done < n {
        let count = (PIECE / width).min(n - done);
        let bytes = &mut piece[..count * width];
        read(done * width, bytes);
        if tensor.dtype == Dtype::F32 && within(bytes, done, expected.bounds(), &mut tally.worst) {
            done += count;
            continue;
        }
        walk(tensor.dtype, bytes, done, poison, &mut tally);
        done += count;
    }
    let rejection = tally.first.map(|(at, got)| {
        let off = tally.n_wrong + tally.n_unwritten;
        let (want, limit) = (expected.values[at], expected.limit(at));
        let reason = if tally.n_wrong > 0 { Reason::Wrong } else { Reason::Unwritten };
        let detail = if tally.n_wrong > 0 {
            format!(
                "{off} of {n} elements of `{}` are off ({} not written); element {at} is {got:e}, \
                 expected {want:e} within {limit:.1e}",
                tensor.name, tally.n_unwritten
            )
        } else {
            format!("{off} of {n} elements of `{}` were not written, from {at} on", tensor.name)
        };
        Rejection { reason, detail }
    });
    Comparison { worst: tally.worst, rejection }
}

/// Elements looked at together, so that the compiler can use vectors.
const LANES: usize = 16;

/// Whether every element lies within its bounds; then `worst` takes in the largest share of the
/// tolerance, up to single-precision rounding. Most outputs are right nearly everywhere, and walking
/// through them one by one takes longer than computing them.
fn within(bytes: &[u8], first: usize, bounds: &Bounds, worst: &mut f64) -> bool {
    let n = bytes.len() / 4;
    let (low, high) = (&bounds.low[first..first + n], &bounds.high[first..first + n]);
    let mut shares = [0.0_f32; LANES];
    let mut all = true;
    let one = |raw: &[u8], low: f32, high: f32| {
        let got = f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]);
        let (middle, half) = (0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low);
        // Where nothing may be off, the share is 0 / 0, which is larger than nothing.
        ((got - middle).abs() / half, got >= low && got <= high)
    };
    let pieces = bytes.chunks_exact(4 * LANES).zip(low.chunks_exact(LANES));
    for ((raw, low), high) in pieces.zip(high.chunks_exact(LANES)) {
        for lane in 0..LANES {
            let (share, is_within) = one(&raw[4 * lane..4 * lane + 4], low[lane], high[lane]);
            all &= is_within;
            shares[lane] = if share > shares[lane] { share } else { shares[lane] };
        }
        if !all {
            return false;
        }
    }
    for at in n - n % LANES..n {
        let (share, is_within) = one(&bytes[4 * at..4 * at + 4], low[at], high[at]);
        all &= is_within;
        shares[0] = if share > shares[0] { share } else { shares[0] };
    }
    if all {
        *worst = shares.iter().fold(*worst, |worst, share| worst.max(f64::from(*share).min(1.0)));
    }
    all
}

fn walk(dtype: Dtype, bytes: &[u8], first: usize, poison: Poison, tally: &mut Tally<'_>) {
    macro_rules! each {
        ($type:ty, $largest:expr) => {{
            const WIDTH: usize = size_of::<$type>();
            for (idx, raw) in bytes.chunks_exact(WIDTH).enumerate() {
                let at = first + idx;
                let got = <$type>::from_le_bytes(raw.try_into().expect("of this width"));
                let phase = at * WIDTH % 8;
                let poisoned = raw == &poison[phase..phase + WIDTH];
                tally.element(at, got as f64, poisoned, $largest);
            }
        }};
    }
    match dtype {
        Dtype::F32 => each!(f32, f64::from(f32::MAX)),
        Dtype::F64 => each!(f64, f64::MAX),
        Dtype::I64 => each!(i64, f64::INFINITY),
        Dtype::I32 => each!(i32, f64::INFINITY),
        Dtype::I8 => each!(i8, f64::INFINITY),
        Dtype::U8 | Dtype::Bool => each!(u8, f64::INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use sandbox::shared::Inside;

    use super::*;

    /// Compares written floats with expected ones within 0.5.
    fn check(written: &[f32], values: &[f64]) -> (f64, Option<Reason>) {
        let mut memory = Memory::create(4096, Inside::Writes).expect("memory");
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let poison = poison(Dtype::F32, &mut rng);
        fill(&mut memory, 64, values.len() * 4, poison);
        let bytes: Vec<u8> = written.iter().flat_map(|value| value.to_le_bytes()).collect();
        memory.write(64, &bytes);
        let tensor = Tensor { name: "y".to_owned(), dtype: Dtype::F32, shape: vec![values.len()] };
        let expected = Expected::new(values.to_vec(), Tolerance::All(0.5));
        let comparison = compare(&memory, 64, &tensor, &expected, poison);
        (comparison.worst, comparison.rejection.map(|rejection| rejection.reason))
    }

    #[test]
    fn within_the_tolerance_the_largest_share_of_it_is_told() {
        assert_eq!(check(&[1.25, 2.0, -3.0], &[1.0, 2.0, -3.0]), (0.5, None));
    }

    #[test]
    fn limits_in_proportion_follow_rows() {
        let values = vec![1.0, 2.0, -3.0, f64::INFINITY, 0.5];
        let tolerance = Tolerance::Scaled {
            relative: 0.1,
            absolute: 0.01,
            n_row: 2,
            scales: vec![4.0, 1.0, 0.0],
        };
        let expected = Expected::new(values.clone(), tolerance);
        let mut tally = Tally {
            expected: &expected,
            worst: 0.0,
            row_end: 0,
            scale: 0.0,
            n_wrong: 0,
            n_unwritten: 0,
            first: None,
        };
        for (at, want) in [0.41, 0.41, 0.31, 0.11, 0.06].into_iter().enumerate() {
            assert!((tally.limit(at, values[at]) - want).abs() < 1e-12, "{at}");
            assert_eq!(tally.limit(at, values[at]), expected.limit(at));
        }
    }

    #[test]
    fn beyond_the_tolerance_it_is_wrong() {
        assert_eq!(check(&[1.0, 2.75], &[1.0, 2.0]).1, Some(Reason::Wrong));
    }

    #[test]
    fn what_was_not_written_shows_also_where_nothing_is_expected() {
        assert_eq!(check(&[1.0], &[1.0, 2.0]).1, Some(Reason::Unwritten));
        assert_eq!(check(&[1.0], &[1.0, f64::NAN]).1, Some(Reason::Unwritten));
    }

    #[test]
    fn infinities_and_what_is_no_number_must_be_met_as_they_are() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        assert_eq!(check(&[f32::INFINITY, f32::NAN], &[inf, nan]), (0.0, None));
        assert_eq!(check(&[f32::NEG_INFINITY], &[inf]).1, Some(Reason::Wrong));
        assert_eq!(check(&[f32::NAN], &[1.0]).1, Some(Reason::Wrong));
        assert_eq!(check(&[1.0], &[nan]).1, Some(Reason::Wrong));
        assert_eq!(check(&[f32::MAX], &[inf]).1, Some(Reason::Wrong));
        assert_eq!(check(&[f32::INFINITY], &[1.0]).1, Some(Reason::Wrong));
        // What overflows a float may be infinite in it.
        assert_eq!(check(&[f32::INFINITY], &[1e39]).1, None);
        assert_eq!(check(&[f32::NEG_INFINITY], &[1e39]).1, Some(Reason::Wrong));
    }

    #[test]
    fn patterns_of_floats_are_no_numbers_and_differ() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..100 {
            let single = poison(Dtype::F32, &mut rng);
            let halves = [&single[..4], &single[4..]];
            for half in halves {
                assert!(f32::from_le_bytes(half.try_into().expect("four")).is_nan());
            }
            assert!(f64::from_le_bytes(poison(Dtype::F64, &mut rng)).is_nan());
            assert!(poison(Dtype::Bool, &mut rng).iter().all(|byte| *byte > 1));
        }
        assert_ne!(poison(Dtype::F32, &mut rng), poison(Dtype::F32, &mut rng));
    }
}
