//! Markov models of fixed order: what a language model has to beat.
//!
//! The next base is predicted from the `k` before it, by counts over the training sequences, both
//! strands. Each order mixes in the next lower one, down to 1/4 each below order 0:
//! p_k(b | c) = (n(c, b) + s p_{k-1}(b | c')) / (n(c) + s). With Witten and Bell (T. C. Bell,
//! J. G. Cleary, I. H. Witten, "Text Compression", 1990) s is the number of different bases seen after
//! the context. That takes counts at their word, and where several strains of one species are nearly
//! the same text, a count of four may be one genome seen four times. [`Markov::tune`] therefore chooses
//! an s for each order that predicts other sequences best; the baselines to beat are those.

use crate::fasta::reverse_complement;

/// Highest order: its counts take 256 MiB.
pub const MOST_ORDER: usize = 12;

/// Counts of all contexts up to some length.
#[derive(Debug, Clone)]
pub struct Markov {
    /// `counts[k][4 * context + base]`; the last base before it is the lowest two bits of a context.
    counts: Vec<Vec<u32>>,
    n_bases: u64,
    /// What each order's next lower one counts for; `None` is Witten and Bell's.
    strengths: Option<Vec<f64>>,
}

/// The strengths that are tried: powers of two up to 2 to this one.
const MOST_DOUBLINGS: i32 = 16;

/// 0 to 3 for A, C, G and T in either case.
fn code(base: u8) -> Option<usize> {
    match base {
        b'A' | b'a' => Some(0),
        b'C' | b'c' => Some(1),
        b'G' | b'g' => Some(2),
        b'T' | b't' => Some(3),
        _ => None,
    }
}

/// The bases before one: as many as there are without a gap.
#[derive(Clone, Copy, Default)]
struct Context {
    code: usize,
    length: usize,
}

impl Context {
    /// The last `n` bases, as a number.
    fn last(self, n: usize) -> usize {
        self.code & ((1 << (2 * n)) - 1)
    }

    fn push(&mut self, base: usize, most: usize) {
        self.code = (self.code << 2 | base) & ((1 << (2 * most)) - 1);
        self.length = (self.length + 1).min(most);
    }
}

impl Markov {
    /// Counts bases of sequences on both strands, up to an order. What is not A, C, G or T is no base,
    /// and nothing is predicted across it.
    ///
    /// # Panics
    /// If the order is above [`MOST_ORDER`].
    pub fn train<S: AsRef<[u8]>>(order: usize, sequences: impl IntoIterator<Item = S>) -> Markov {
        assert!(order <= MOST_ORDER, "orders go to {MOST_ORDER}");
        let counts = (0..=order).map(|k| vec![0; 4 << (2 * k)]).collect();
        let mut markov = Markov { counts, n_bases: 0, strengths: None };
        for sequence in sequences {
            markov.count(sequence.as_ref());
            markov.count(&reverse_complement(sequence.as_ref()));
        }
        // Each base was counted under its longest context alone: what a shorter one saw is the sum over
        // its continuations into the past.
        for k in (1..=order).rev() {
            let (lower, higher) = markov.counts.split_at_mut(k);
            let mask = (1 << (2 * k)) - 1;
            for (at, n) in higher[0].iter().enumerate() {
                let count = &mut lower[k - 1][at & mask];
                *count = count.saturating_add(*n);
            }
        }
        markov
    }

    fn count(&mut self, sequence: &[u8]) {
        let order = self.order();
        let mut context = Context::default();
        for base in sequence {
            let Some(base) = code(*base) else {
                context = Context::default();
                continue;
            };
            let k = context.length;
            let count = &mut self.counts[k][4 * context.last(k) + base];
            *count = count.saturating_add(1);
            self.n_bases += 1;
            context.push(base, order);
        }
    }

    /// The highest order it can be asked for.
    pub fn order(&self) -> usize {
        self.counts.len() - 1
    }

    /// Bases counted, both strands.
    pub fn n_bases(&self) -> u64 {
        self.n_bases
    }

    /// Chooses how much the next lower order counts, for one order after another from the lowest, such
    /// that other sequences than those counted are likeliest.
    pub fn tune<S: AsRef<[u8]>>(&mut self, sequences: impl IntoIterator<Item = S>) {
        // Of every base: which it is, what stands before it, and what the order below says of it.
        let mut places: Vec<(usize, Context, f64)> = Vec::new();
        for sequence in sequences {
            let mut context = Context::default();
            for base in sequence.as_ref() {
                match code(*base) {
                    Some(base) => {
                        places.push((base, context, 0.25));
                        context.push(base, self.order());
                    }
                    None => context = Context::default(),
                }
            }
        }
        let mut strengths = Vec::new();
        for (k, counts) in self.counts.iter().enumerate() {
            places.retain(|(_, context, _)| context.length >= k);
            let with = |strength: f64, (base, context, below): &(usize, Context, f64)| {
                let at = 4 * context.last(k);
                let n: f64 = counts[at..at + 4].iter().map(|n| f64::from(*n)).sum();
                (f64::from(counts[at + base]) + strength * below) / (n + strength)
            };
            let total =
                |strength: f64| places.iter().map(|place| with(strength, place).ln()).sum::<f64>();
            let tried = (0..=MOST_DOUBLINGS).map(|doublings| f64::from(doublings).exp2());
            let best = tried
                .map(|strength| (total(strength), strength))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map_or(1.0, |(_, strength)| strength);
            for place in &mut places {
                place.2 = with(best, place);
            }
            strengths.push(best);
        }
        self.strengths = Some(strengths);
    }

    /// What each order's next lower one counts for, once it is tuned.
    pub fn strengths(&self) -> Option<&[f64]> {
        self.strengths.as_deref()
    }

    /// Probabilities of A, C, G and T after some bases, by an order at most.
    pub fn probabilities(&self, order: usize, before: &[u8]) -> [f64; 4] {
        let mut context = Context::default();
        for base in before {
            match code(*base) {
                Some(base) => context.push(base, self.order()),
                None => context = Context::default(),
            }
        }
        self.after(order, context)
    }

    fn after(&self, order: usize, context: Context) -> [f64; 4] {
        let mut probabilities = [0.25; 4];
        for k in 0..=order.min(self.order()).min(context.length) {
            let at = 4 * context.last(k);
            let counts = &self.counts[k][at..at + 4];
            let n: f64 = counts.iter().map(|n| f64::from(*n)).sum();
            // Longer contexts were not seen either.
            if n == 0.0 {
                break;
            }
            let strength = match &self.strengths {
                Some(strengths) => strengths[k],
                None => counts.iter().filter(|n| **n > 0).count() as f64,
            };
            for (probability, count) in probabilities.iter_mut().zip(counts) {
                *probability = (f64::from(*count) + strength * *probability) / (n + strength);
            }
        }
        probabilities
    }

    /// Log-likelihood of each base given those before it in the sequence, in nats, by an order at most.
    /// What is no base has none: 0.
    pub fn log_likelihoods(&self, order: usize, sequence: &[u8]) -> Vec<f32> {
        let mut context = Context::default();
        let one = |base: &u8| match code(*base) {
            Some(base) => {
                let probability = self.after(order, context)[base];
                context.push(base, self.order());
                probability.ln() as f32
            }
            None => {
                context = Context::default();
                0.0
            }
        };
        sequence.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    #[test]
    fn a_small_case_is_as_computed_by_hand() {
        // Forward AAC, reverse GTT. Order 0: A 2, C 1, G 1, T 2.
        let markov = Markov::train(1, ["AAC"]);
        assert_eq!(markov.n_bases(), 6);
        let zero = |n: f64| (n + 4.0 * 0.25) / (6.0 + 4.0);
        let [a, c, g, t] = markov.probabilities(0, b"A");
        close(a, zero(2.0));
        close(c, zero(1.0));
        close(g, zero(1.0));
        close(t, zero(2.0));
        // After A: A once, C once; after T: T once; after G: T once; after C: nothing.
        let [a, c, g, t] = markov.probabilities(1, b"A");
        close(a, (1.0 + 2.0 * 0.3) / 4.0);
        close(c, (1.0 + 2.0 * 0.2) / 4.0);
        close(g, (2.0 * 0.2) / 4.0);
        close(t, (2.0 * 0.3) / 4.0);
        close(markov.probabilities(1, b"G")[3], (1.0 + 0.3) / 2.0);
        assert_eq!(markov.probabilities(1, b"C"), markov.probabilities(0, b""));
        let got = markov.log_likelihoods(1, b"aNAc");
        let want = [0.3_f64.ln(), 0.0, 0.3_f64.ln(), 0.35_f64.ln()];
        for (got, want) in got.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "{got} is not {want}");
        }
    }

    #[test]
    fn lower_orders_are_what_they_would_be_alone() {
        let sequences = ["ACGGTCATTTACGNNACGATTTAGCAC", "GATTACA", "T"];
        let high = Markov::train(5, sequences);
        for order in 0..5 {
            let alone = Markov::train(order, sequences);
            assert_eq!(high.counts[order], alone.counts[order]);
            let (a, b) = (high.log_likelihoods(order, b"GATTTACGG"), alone);
            assert_eq!(a, b.log_likelihoods(order, b"GATTTACGG"));
        }
    }

    #[test]
    fn order_zero_reaches_the_entropy_of_its_bases() {
        // Its own reverse complement, so that both strands have the same bases: A and T 3/8 each.
        let sequence = "AAACGTTT".repeat(2000);
        let markov = Markov::train(0, [&sequence]);
        let sum: f32 = markov.log_likelihoods(0, sequence.as_bytes()).iter().sum();
        let entropy = -(2.0 * 0.375_f64 * 0.375_f64.log2() + 2.0 * 0.125 * 0.125_f64.log2());
        let bits = -f64::from(sum) / std::f64::consts::LN_2 / sequence.len() as f64;
        // Mixing in 1/4 each adds what falls as one by the number of bases.
        assert!((bits - entropy).abs() < 1e-3, "{bits} is not {entropy}");
        let periodic = Markov::train(3, [&sequence]);
        let sum: f32 = periodic.log_likelihoods(3, sequence.as_bytes()).iter().sum();
        assert!(f64::from(-sum) / sequence.len() as f64 <= 0.01, "three bases say the next one");
    }

    #[test]
    fn a_text_seen_many_times_over_is_believed_less_once_tuned() {
        // Strains: one random genome, eight times; what is predicted is another of its kind.
        let mut state = 1_u64;
        let mut random = |n: usize| -> Vec<u8> {
            let next = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"AACGTT"[(state >> 33) as usize % 6]
            };
            (0..n).map(next).collect()
        };
        let (genome, valid, test) = (random(2000), random(2000), random(2000));
        let mut markov = Markov::train(6, std::iter::repeat_n(&genome, 8));
        let bits = |markov: &Markov, order| {
            let sum: f32 = markov.log_likelihoods(order, &test).iter().sum();
            f64::from(-sum) / std::f64::consts::LN_2 / test.len() as f64
        };
        assert!(bits(&markov, 6) > 2.2, "counts at their word are worse than nothing known");
        let plain = bits(&markov, 0);
        markov.tune([&valid]);
        assert_eq!(markov.strengths().map(<[f64]>::len), Some(7));
        // 1.918 is what six letters of which two come twice hold.
        assert!((bits(&markov, 6) - plain).abs() < 0.02, "{}", bits(&markov, 6));
        assert!(markov.probabilities(6, b"ACGTAC").iter().sum::<f64>() - 1.0 < 1e-12);
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one(
            text in "[ACGTN]{0,60}", before in "[ACGTN]{0,8}", order in 0_usize..6,
        ) {
            let markov = Markov::train(4, [text]);
            let probabilities = markov.probabilities(order, before.as_bytes());
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(probabilities.iter().all(|probability| *probability > 0.0));
        }

        #[test]
        fn both_strands_count_alike(text in "[ACGTN]{0,60}") {
            let other = reverse_complement(text.as_bytes());
            let (one, other) = (Markov::train(3, [text.as_bytes()]), Markov::train(3, [other]));
            prop_assert_eq!(one.counts, other.counts);
        }
    }
}
