//! Tokens taken from tokens: the neighbourhoods of a convolution, or a range.

use crate::blocked::{Blocked, Row};

/// Where there is no token to take: outside of a picture.
const NONE: u32 = u32::MAX;

/// For each token that comes out of a sample, those of the sample it is made of, side by side:
/// `[n, C]` to `[m, taps · C]`. A product after that is a convolution, with weights
/// `[N, height, width, C]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    n_in: usize,
    n_taps: usize,
    /// `[m, taps]`.
    from: Vec<u32>,
}

impl Gather {
    /// Squares of `kernel` positions, `stride` apart, over `height` rows of `width` positions with
    /// `padding` zeros around. Gives the shape that comes out beside it.
    ///
    /// # Panics
    /// If the picture is smaller than the kernel, or has more positions than a u32 counts.
    pub fn convolution(
        [height, width]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> (Gather, [usize; 2]) {
        let out = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        let shape = [out(height), out(width)];
        let place = |out: usize, tap: usize, size: usize| {
            (out * stride + tap).checked_sub(padding).filter(|at| *at < size)
        };
        let mut from = Vec::with_capacity(shape[0] * shape[1] * kernel * kernel);
        for (row, column) in (0..shape[0]).flat_map(|r| (0..shape[1]).map(move |c| (r, c))) {
            for (down, right) in (0..kernel).flat_map(|r| (0..kernel).map(move |c| (r, c))) {
                let row = place(row, down, height);
                let at = row.zip(place(column, right, width)).map(|(r, c)| r * width + c);
                from.push(at.map_or(NONE, |at| u32::try_from(at).expect("a picture")));
            }
        }
        (Gather { n_in: height * width, n_taps: kernel * kernel, from }, shape)
    }

    /// A range of the `n_in` tokens of a sample, as it is.
    ///
    /// # Panics
    /// If it is not inside.
    pub fn range(n_in: usize, range: std::ops::Range<usize>) -> Gather {
        assert!(range.end <= n_in, "a range of the sample");
        let from = range.map(|at| u32::try_from(at).expect("a token")).collect();
        Gather { n_in, n_taps: 1, from }
    }

    /// The one token of a sample, `n` times.
    pub fn repeat(n: usize) -> Gather {
        Gather { n_in: 1, n_taps: 1, from: vec![0; n] }
    }

    /// Tokens of a sample that go in.
    pub fn n_in(&self) -> usize {
        self.n_in
    }

    /// Tokens of a sample that come out.
    pub fn n_out(&self) -> usize {
        self.from.len() / self.n_taps
    }

    /// Positions side by side.
    pub fn n_taps(&self) -> usize {
        self.n_taps
    }

    /// The position that each token has at each tap, `[m, taps]`, if there is one.
    pub fn taps(&self) -> impl Iterator<Item = Option<usize>> {
        self.from.iter().map(|at| (*at != NONE).then_some(*at as usize))
    }

    pub(super) fn forward(&self, x: &Blocked, out: &mut Blocked) {
        let (n_in, n_out) = (self.n_in, self.n_out());
        let (n_blocks, n_all) = (x.n_blocks(), out.n_tokens());
        for (idx, out) in out.rows_mut().chunks_exact_mut(n_all).enumerate() {
            let (tap, block) = (idx / n_blocks, idx % n_blocks);
            let samples = x.block(block).chunks_exact(n_in).zip(out.chunks_exact_mut(n_out));
            for (x, out) in samples {
                let from = self.from[tap..].iter().step_by(self.n_taps);
                for (out, from) in out.iter_mut().zip(from) {
                    *out = if *from == NONE { Row::ZERO } else { x[*from as usize] };
                }
            }
        }
    }

    /// Adds the gradient of what came out to that of what went in.
    pub(super) fn add_backward(&self, d: &Blocked, dx: &mut Blocked) {
        let (n_in, n_out) = (self.n_in, self.n_out());
        let (n_blocks, n_all) = (dx.n_blocks(), dx.n_tokens());
        for (idx, d) in d.rows().chunks_exact(d.n_tokens()).enumerate() {
            let (tap, block) = (idx / n_blocks, idx % n_blocks);
            let dx = &mut dx.rows_mut()[block * n_all..][..n_all];
            for (d, dx) in d.chunks_exact(n_out).zip(dx.chunks_exact_mut(n_in)) {
                let from = self.from[tap..].iter().step_by(self.n_taps);
                for (d, from) in d.iter().zip(from).filter(|(_, from)| **from != NONE) {
                    let into = &mut dx[*from as usize].0;
                    into.iter_mut().zip(&d.0).for_each(|(into, d)| *into += d);
                }
            }
        }
    }
}

/// Samples of several activations, one after another: tokens of the first, then of the second, ….
pub(super) fn join(parts: &[&Blocked], n_samples: usize, out: &mut Blocked) {
    let n_all = out.n_tokens();
    let each = n_all / n_samples;
    for (block, out) in out.rows_mut().chunks_exact_mut(n_all).enumerate() {
        for (sample, out) in out.chunks_exact_mut(each).enumerate() {
            let mut at = 0;
            for part in parts {
                let n = part.n_tokens() / n_samples;
                out[at..at + n].copy_from_slice(&part.block(block)[sample * n..][..n]);
                at += n;
            }
        }
    }
}

/// The gradient of a part whose tokens began at `first` in each sample, as [`join`] put them.
pub(super) fn unjoin(d: &Blocked, n_samples: usize, first: usize, part: &mut Blocked) {
    let (each, n) = (d.n_tokens() / n_samples, part.n_tokens() / n_samples);
    let n_all = part.n_tokens();
    for (block, part) in part.rows_mut().chunks_exact_mut(n_all).enumerate() {
        for (sample, part) in part.chunks_exact_mut(n).enumerate() {
            part.copy_from_slice(&d.block(block)[sample * each + first..][..n]);
        }
    }
}
