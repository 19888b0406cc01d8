//! Softmax over blocks of keys.

use crate::blocked::{BLOCK, Row};
use crate::simd::Lanes;

/// Of every query's scores over blocks of keys, `[blocks][T]`, the first `n_keys` of which there are.
#[inline(always)]
pub(super) fn softmax_all<V: Lanes>(rows: &mut [Row], each: usize, n_keys: usize, scale: f32) {
    match rows.len() / each {
        1 => softmax_of::<V, 1>(rows, n_keys, scale),
        2 => softmax_of::<V, 2>(rows, n_keys, scale),
        3 => softmax_of::<V, 3>(rows, n_keys, scale),
        4 => softmax_of::<V, 4>(rows, n_keys, scale),
        _ => (0..each).for_each(|query| softmax::<V>(rows, each, query, n_keys, scale)),
    }
}

/// Of one query's scores over blocks of keys, the first `n_keys` of which there are.
#[inline(always)]
fn softmax<V: Lanes>(rows: &mut [Row], each: usize, query: usize, n_keys: usize, scale: f32) {
    let last = rows.len() / each - 1;
    for lane in n_keys - last * BLOCK..BLOCK {
        rows[last * each + query].0[lane] = f32::MIN;
    }
    let mut best = V::splat(f32::MIN);
    for row in rows[query..].iter().step_by(each) {
        let [low, high] = row.halves().map(V::load);
        best = best.max(low).max(high);
    }
    let minus = V::splat(-best.greatest());
    let scale = V::splat(scale);
    let mut total = V::splat(0.0);
    for row in rows[query..].iter_mut().step_by(each) {
        for half in row.halves_mut() {
            let e = V::load(half).add(minus).mul(scale).exp_below();
            e.store(half);
        }
    }
    // Exponentials of what is not there are small, not nothing.
    rows[last * each + query].0[n_keys - last * BLOCK..].fill(0.0);
    for row in rows[query..].iter().step_by(each) {
        let [low, high] = row.halves().map(V::load);
        total = total.add(low.add(high));
    }
    let factor = V::splat(1.0 / total.sum());
    for row in rows[query..].iter_mut().step_by(each) {
        for half in row.halves_mut() {
            V::load(half).mul(factor).store(half);
        }
    }
}

/// [`softmax`] of every query over `N` blocks of keys, which stay in registers. The order of every sum is
/// that of [`softmax`], and so are the bits.
#[inline(always)]
fn softmax_of<V: Lanes, const N: usize>(rows: &mut [Row], n_keys: usize, scale: f32) {
    let each = rows.len() / N;
    let n_last = n_keys - (N - 1) * BLOCK;
    let there = Row(std::array::from_fn(|lane| if lane < n_last { 1.0 } else { 0.0 }));
    let limit = Row(there.0.map(|there| if there > 0.0 { f32::INFINITY } else { f32::MIN }));
    let (there, limit) = (there.halves().map(V::load), limit.halves().map(V::load));
    let scale = V::splat(scale);
    for query in 0..each {
        let mut all = [[V::splat(0.0); 2]; N];
        let mut best = V::splat(f32::MIN);
        for (block, all) in all.iter_mut().enumerate() {
            *all = rows[block * each + query].halves().map(V::load);
            if block == N - 1 {
                *all = [all[0].min(limit[0]), all[1].min(limit[1])];
            }
            best = best.max(all[0].max(all[1]));
        }
        let minus = V::splat(-best.greatest());
        let mut total = V::splat(0.0);
        for (block, all) in all.iter_mut().enumerate() {
            for half in 0..2 {
                let e = all[half].add(minus).mul(scale).exp_below();
                all[half] = if block == N - 1 { e.mul(there[half]) } else { e };
            }
            total = total.add(all[0].add(all[1]));
        }
        let factor = V::splat(1.0 / total.sum());
        for (block, all) in all.into_iter().enumerate() {
            let [low, high] = rows[block * each + query].halves_mut();
            all[0].mul(factor).store(low);
            all[1].mul(factor).store(high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::simd::{self, Kernel};

    /// Scores of some queries, through either softmax.
    struct Softmax<'a> {
        rows: &'a mut [Row],
        n_keys: usize,
        whole: bool,
    }

    impl Kernel for Softmax<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Lanes>(self) {
            let Softmax { rows, n_keys, whole } = self;
            let each = rows.len() / n_keys.div_ceil(BLOCK);
            match (whole, n_keys.div_ceil(BLOCK)) {
                (true, 1) => softmax_of::<V, 1>(rows, n_keys, 0.125),
                (true, 3) => softmax_of::<V, 3>(rows, n_keys, 0.125),
                _ => (0..each).for_each(|query| softmax::<V>(rows, each, query, n_keys, 0.125)),
            }
        }
    }

    #[test]
    fn softmax_in_registers_gives_the_bits_of_the_other() {
        for cpu in Cpu::all() {
            for n_keys in [1_usize, 19, 32, 67, 80, 96] {
                let n_rows = 5 * n_keys.div_ceil(BLOCK);
                let score = |row: usize, lane: usize| ((row * 97 + lane * 41) % 199) as f32 - 90.0;
                let rows = (0..n_rows).map(|row| Row(std::array::from_fn(|lane| score(row, lane))));
                let [mut one, mut other] = [rows.clone().collect::<Vec<_>>(), rows.collect()];
                simd::run(cpu, Softmax { rows: &mut one, n_keys, whole: true });
                simd::run(cpu, Softmax { rows: &mut other, n_keys, whole: false });
                assert_eq!(one, other, "{n_keys} keys, {}", cpu.names().join(" "));
                let sum: f32 = one.iter().step_by(5).flat_map(|row| row.0).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
        }
    }
}
