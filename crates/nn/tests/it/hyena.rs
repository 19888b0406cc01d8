//! The Hyena operator.

use nn::{Blocked, Cpu, Filter, Hyena};

use crate::reference::{assert_close, random};

/// Sums of up to 150 products, gated twice.
const TOLERANCE: f32 = 2e-5;

const CHANNELS: usize = 64;

struct Case {
    short: Vec<f32>,
    skip: Vec<f32>,
    /// Oldest first.
    taps: Vec<f32>,
    n_taps: usize,
    modes: Option<(Vec<f32>, Vec<f32>, usize)>,
}

impl Case {
    fn fir(n_taps: usize) -> Case {
        let taps = random(1, CHANNELS * n_taps).iter().map(|tap| tap / 8.0).collect();
        Case {
            short: random(2, 9 * CHANNELS),
            skip: random(3, CHANNELS),
            taps,
            n_taps,
            modes: None,
        }
    }

    /// The taps are the impulse response, as long as the sequence.
    fn modal(n_modes: usize, length: usize) -> Case {
        let poles: Vec<f32> =
            random(4, CHANNELS * n_modes).iter().map(|x| (-0.3 - 0.29 * x).exp()).collect();
        let residues: Vec<f32> = random(5, CHANNELS * n_modes).iter().map(|x| x / 4.0).collect();
        let response = |channel: usize, lag: usize| -> f32 {
            let at = channel * n_modes..(channel + 1) * n_modes;
            let modes = poles[at.clone()].iter().zip(&residues[at]);
            modes.map(|(p, r)| f64::from(*r) * f64::from(*p).powi(lag as i32)).sum::<f64>() as f32
        };
        let taps = (0..CHANNELS)
            .flat_map(|channel| (0..length).rev().map(move |lag| (channel, lag)))
            .map(|(channel, lag)| response(channel, lag))
            .collect();
        let modes = Some((poles, residues, n_modes));
        Case {
            short: random(2, 9 * CHANNELS),
            skip: random(3, CHANNELS),
            taps,
            n_taps: length,
            modes,
        }
    }

    fn hyena(&self) -> Hyena {
        let filter = match &self.modes {
            None => Filter::Fir { taps: &self.taps, n_taps: self.n_taps },
            Some((poles, residues, n_modes)) => {
                Filter::Modal { poles, residues, n_modes: *n_modes }
            }
        };
        Hyena::new(&self.short, 3, filter, Some(&self.skip))
    }

    /// `out` by its definition, from `p`, `[T, 3 C]`.
    fn reference(&self, p: &[f32]) -> Vec<f32> {
        let n_tokens = p.len() / (3 * CHANNELS);
        let filtered = |x: &dyn Fn(usize) -> f64, taps: &[f32], t: usize| -> f64 {
            let lags = taps.iter().rev().enumerate().take(t + 1);
            lags.map(|(lag, tap)| f64::from(*tap) * x(t - lag)).sum()
        };
        let mut out = vec![0.0; n_tokens * CHANNELS];
        for c in 0..CHANNELS {
            let z = |third: usize| -> Vec<f64> {
                let row = third * CHANNELS + c;
                let x = |t: usize| f64::from(p[t * 3 * CHANNELS + row]);
                let taps = &self.short[row * 3..][..3];
                (0..n_tokens).map(|t| filtered(&x, taps, t)).collect()
            };
            let (x2, x1, v) = (z(0), z(1), z(2));
            let g: Vec<f64> = x1.iter().zip(&v).map(|(a, b)| a * b).collect();
            for t in 0..n_tokens {
                let y = filtered(&|t| g[t], &self.taps[c * self.n_taps..][..self.n_taps], t);
                out[t * CHANNELS + c] = (x2[t] * (y + f64::from(self.skip[c]) * g[t])) as f32;
            }
        }
        out
    }

    /// `out` of `p`, given in pieces, and the states after it.
    fn run(&self, cpu: Cpu, p: &[f32], pieces: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let hyena = self.hyena();
        let mut state = hyena.state();
        let mut all = Vec::new();
        let mut at = 0;
        for piece in pieces {
            let part = &p[at * 3 * CHANNELS..(at + piece) * 3 * CHANNELS];
            let part = Blocked::from_rows(part, 3 * CHANNELS);
            let mut out = Blocked::new(*piece, CHANNELS);
            hyena.forward(cpu, &part, &mut state, &mut out);
            all.extend(out.to_rows());
            at += piece;
        }
        let mut states = hyena.inner_state(&state);
        states.extend(hyena.short_state(&state));
        (all, states)
    }
}

#[test]
fn filters_match_their_definition_on_every_processor() {
    let n_tokens = 150;
    let p = random(6, n_tokens * 3 * CHANNELS);
    for case in [
        Case::fir(1),
        Case::fir(7),
        Case::fir(128),
        Case::modal(4, n_tokens),
        Case::modal(16, n_tokens),
        Case::modal(20, n_tokens),
    ] {
        let want = case.reference(&p);
        for cpu in Cpu::all() {
            let (got, _) = case.run(cpu, &p, &[n_tokens]);
            assert_close(&got, &want, TOLERANCE, &format!("{cpu:?} {} taps", case.n_taps));
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_bits_and_states() {
    let n_tokens = 150;
    let p = random(7, n_tokens * 3 * CHANNELS);
    for case in [Case::fir(7), Case::fir(128), Case::modal(16, n_tokens), Case::modal(20, n_tokens)]
    {
        let whole = case.run(Cpu::best(), &p, &[n_tokens]);
        let ones = vec![1; n_tokens];
        for pieces in [&ones[..], &[1, 2, 3, 5, 64, 75], &[149, 1], &[65, 85], &[130, 20]] {
            let got = case.run(Cpu::best(), &p, pieces);
            assert!(got == whole, "{} taps, pieces {pieces:?}", case.n_taps);
        }
        assert!(case.run(Cpu::PORTABLE, &p, &[n_tokens]) == whole, "{} taps", case.n_taps);
    }
}
