//! The gate of an MLP, `y = act(gate) · value`, both ways.

use crate::blocked::{Blocked, Row};
use crate::cpu::Cpu;
use crate::glu::{Activation, Gate};
use crate::simd::{self, Kernel, Lanes};
use crate::threads;

/// `act(gate) · value`.
pub(super) fn forward(
    cpu: Cpu,
    gate: &Blocked,
    value: &Blocked,
    activation: Activation,
) -> Blocked {
    let mut out = gate.clone();
    let (n, size) = (gate.n_blocks(), gate.n_tokens());
    threads::by_units(out.rows_mut(), n, size, |first, rows| {
        let value = &value.rows()[first * size..][..rows.len()];
        simd::run(cpu, Gate { rows, value, activation });
    });
    out
}

/// Gradients of gate and value.
pub(super) fn backward(
    cpu: Cpu,
    gate: &Blocked,
    value: &Blocked,
    activation: Activation,
    d: Blocked,
) -> (Blocked, Blocked) {
    let (n, size) = (gate.n_blocks(), gate.n_tokens());
    let (mut dgate, mut dvalue) = (d, Blocked::new(size, gate.n_channels()));
    threads::by_units_with(dgate.rows_mut(), dvalue.rows_mut(), n, size, |first, dgate, dvalue| {
        let range = first * size..first * size + dgate.len();
        let (gate, value) = (&gate.rows()[range.clone()], &value.rows()[range]);
        simd::run(cpu, Backward { gate, value, activation, dgate, dvalue });
    });
    (dgate, dvalue)
}

/// On entry `dgate` holds the gradient of the output.
struct Backward<'a> {
    gate: &'a [Row],
    value: &'a [Row],
    activation: Activation,
    dgate: &'a mut [Row],
    dvalue: &'a mut [Row],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Lanes>(self) {
        let rows = self.dgate.iter_mut().zip(self.dvalue).zip(self.gate.iter().zip(self.value));
        for ((dgate, dvalue), (gate, value)) in rows {
            let (gate, value) = (gate.halves().map(V::load), value.halves().map(V::load));
            let pairs = dgate.halves_mut().into_iter().zip(dvalue.halves_mut());
            for (half, (dgate, dvalue)) in pairs.enumerate() {
                let d = V::load(dgate);
                let (act, slope) = match self.activation {
                    Activation::Identity => (gate[half], V::splat(1.0)),
                    Activation::Gelu => gelu_and_slope(gate[half]),
                };
                d.mul(act).store(dvalue);
                d.mul(slope).mul(value[half]).store(dgate);
            }
        }
    }
}

/// `x Φ(x)`, and its derivative `Φ(x) + x φ(x)`.
#[inline(always)]
pub(super) fn gelu_and_slope<V: Lanes>(x: V) -> (V, V) {
    let root = V::splat(std::f32::consts::FRAC_1_SQRT_2);
    let half = V::splat(0.5);
    let below = x.mul(root).erf().fma(half, half);
    let density = x.mul(x).mul(V::splat(-0.5)).exp();
    // 1 / √(2π).
    let density = density.mul(V::splat(0.398_942_3));
    (x.mul(below), x.fma(density, below))
}
