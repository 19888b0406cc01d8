//! Matrix products in the three precisions, over weights packed by panels of 32 outputs.

mod ahead;
mod bf16;
mod f32;
mod int8;
mod line;
mod pages;
mod tight;

pub(crate) use ahead::Share;
pub(crate) use bf16::{round_row, round_rows, tile as tile_bf16, tiles as tiles_bf16};
pub(crate) use f32::{
    tile as tile_f32, tile_anew as tile_f32_anew, tile_over as tile_f32_over, tiles as tiles_f32,
    tiles_anew as tiles_f32_anew,
};

use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::{Cpu, Isa};
use crate::linear::Precision;
use crate::threads;
use pages::{Pages, Plain};
use tight::Tight;

/// With fewer tokens than this, setting up tiles costs more than they gain.
#[cfg(target_arch = "x86_64")]
const FEW_TOKENS: usize = 4;

/// Matrices of so many weights are kept in fewer bits where that loses nothing. Smaller ones are in a cache
/// anyway, and would be made floats for too few tokens.
const FROM_WEIGHTS: usize = 1 << 17;

/// A matrix `[N, K]`, packed.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    n_outputs: usize,
    n_inputs: usize,
    panels: Panels,
}

/// `[N / 32]` panels, each of the inner dimension in steps of 1, 2 or 4 inputs by 32 outputs.
#[derive(Debug, Clone)]
enum Panels {
    F32(Packed<Row, ()>),
    /// f32 too, where bfloat16 holds every weight exactly: half the memory, and the same bits.
    Exact(Packed<Panel, ()>),
    /// f32 too, where exponents are few: an eighth less memory, and the same bits.
    Tight(Packed<Tight, tight::Exponents>),
    Bf16(Packed<Panel, ()>),
    Int8(Packed<Panel, int8::Columns>),
}

/// Panels, and what there is beside each.
#[derive(Debug, Clone)]
struct Packed<T, X> {
    lines: Pages<T>,
    beside: Vec<X>,
}

impl<T: Plain + Send, X: Send> Packed<T, X> {
    /// Panels of `size` lines each, if `pack` can make all of them of the rows for each.
    fn new(
        [n_panels, size]: [usize; 2],
        rows_of: &(impl Fn(usize) -> Vec<f32> + Sync),
        pack: impl Fn(&[f32], &mut [T]) -> Option<X> + Sync,
    ) -> Option<Packed<T, X>> {
        let all = AtomicBool::new(true);
        let mut beside = Vec::new();
        let lines = Pages::filled(n_panels * size, |lines| {
            beside = threads::map(lines.chunks_mut(size).enumerate().collect(), |(panel, into)| {
                let one = all.load(Relaxed).then(|| pack(&rows_of(panel), into)).flatten();
                all.fetch_and(one.is_some(), Relaxed);
                one
            });
        });
        let beside = beside.into_iter().collect::<Option<_>>()?;
        Some(Packed { lines, beside })
    }

    fn some(&self, panels: &Range<usize>) -> (&[T], &[X]) {
        let size = self.lines.len() / self.beside.len();
        (&self.lines[panels.start * size..panels.end * size], &self.beside[panels.clone()])
    }

    fn size_bytes(&self) -> usize {
        size_of_val::<[_]>(&self.lines) + size_of_val(self.beside.as_slice())
    }
}

/// Room for what operations need in passing, kept between them so that a loop which must not allocate
/// does not.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    narrow: Vec<Narrow>,
    rounded: Vec<Row>,
    pub(crate) factors: Vec<f32>,
    pub(crate) head: crate::attend::Room,
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    /// One row for each panel.
    pub(crate) bias: Option<&'a [Row]>,
    /// Rows besides.
    pub(crate) rows: Rows<'a>,
}

/// Rows that a product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// There are none.
    None,
    /// Those that lie where it is written.
    Own,
    /// Others, as many.
    Other(&'a [Row]),
}

impl Start<'_> {
    /// Nothing at all.
    pub(crate) const NOTHING: Start<'static> = Start { bias: None, rows: Rows::None };

    /// Writes it, for products that add to what they find; where there is nothing, `false`.
    fn write(self, n_tokens: usize, out: &mut [Row]) -> bool {
        match self.rows {
            Rows::None if self.bias.is_none() => return false,
            Rows::Other(rows) => out.copy_from_slice(rows),
            Rows::None | Rows::Own => {}
        }
        for (rows, bias) in out.chunks_exact_mut(n_tokens).zip(self.bias.into_iter().flatten()) {
            match self.rows {
                Rows::None => rows.fill(*bias),
                Rows::Own | Rows::Other(_) => {
                    for row in rows {
                        row.0.iter_mut().zip(bias.0).for_each(|(to, bias)| *to += bias);
                    }
                }
            }
        }
        true
    }
}

/// What is multiplied, in the precision of the weights.
pub(crate) enum Input<'a> {
    F32(&'a [Row]),
    Bf16(&'a [Narrow]),
    Int8 { bytes: &'a [Narrow], scales: &'a [f32] },
}

impl<'a> Input<'a> {
    /// Rounds activations for weights of a precision.
    pub(crate) fn new(
        cpu: Cpu,
        x: &'a Blocked,
        precision: Precision,
        scratch: &'a mut Scratch,
    ) -> Input<'a> {
        let Scratch { narrow, rounded, factors, .. } = scratch;
        match precision {
            Precision::F32 => Input::F32(x.rows()),
            // Without an instruction for it, numbers of bfloat16 are multiplied as floats.
            Precision::Bf16 if !cpu.bf16 => {
                bf16::round_to_floats(cpu, x, rounded);
                Input::F32(rounded)
            }
            Precision::Bf16 => {
                bf16::round_input(cpu, x, narrow);
                Input::Bf16(narrow)
            }
            Precision::Int8 => {
                int8::round_input(cpu, x, narrow, factors);
                Input::Int8 { bytes: narrow, scales: factors }
            }
        }
    }
}

impl Weights {
    /// Packs the rows that `read` gives: as floats are read fastest, or, for use in one step, as they are
    /// packed fastest.
    pub(crate) fn pack(
        [n_outputs, n_inputs]: [usize; 2],
        precision: Precision,
        one_step: bool,
        read: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Weights {
        let n_panels = n_outputs.div_ceil(BLOCK);
        let rows_of = |panel: usize| {
            let n_rows = BLOCK.min(n_outputs - panel * BLOCK);
            let mut rows = vec![0.0; BLOCK * n_inputs];
            for (row, into) in rows.chunks_exact_mut(n_inputs).take(n_rows).enumerate() {
                read(panel * BLOCK + row, into);
            }
            rows
        };
        let shape = |inputs_at_once: usize, step: usize| {
            [n_panels, n_inputs.next_multiple_of(inputs_at_once) / step]
        };
        let pairs = |rows: &[f32], into: &mut [Panel]| {
            bf16::pack(rows, n_inputs, into);
            Some(())
        };
        let floats = || {
            Packed::new(shape(BLOCK, 1), &rows_of, |rows, into| {
                f32::pack(rows, n_inputs, into);
                Some(())
            })
        };
        // The first rows tell of most matrices what all need.
        let fewer_bits = !one_step && n_outputs * n_inputs >= FROM_WEIGHTS;
        let first = || fewer_bits.then(|| rows_of(0));
        let exact = || {
            first().filter(|rows| bf16::exact(rows))?;
            Packed::new(shape(BLOCK, 2), &rows_of, |rows, into| {
                if bf16::exact(rows) { pairs(rows, into) } else { None }
            })
        };
        let tight = || {
            // Without these instructions, making floats of it takes longer than reading them.
            let rows = first().filter(|_| Cpu::best().isa >= Isa::Avx512)?;
            let [_, size] = shape(BLOCK, 2);
            tight::pack(&rows, n_inputs, &mut vec![Tight::ZERO; size])?;
            Packed::new(shape(BLOCK, 2), &rows_of, |rows, into| tight::pack(rows, n_inputs, into))
        };
        let panels = match precision {
            Precision::F32 => exact()
                .map(Panels::Exact)
                .or_else(|| tight().map(Panels::Tight))
                .or_else(|| floats().map(Panels::F32)),
            Precision::Bf16 => Packed::new(shape(BLOCK, 2), &rows_of, pairs).map(Panels::Bf16),
            Precision::Int8 => Packed::new(shape(2 * BLOCK, 4), &rows_of, |rows, into| {
                Some(int8::pack(rows, n_inputs, into))
            })
            .map(Panels::Int8),
        };
        let panels = panels.expect("the last way takes all rows");
        Weights { n_outputs, n_inputs, panels }
    }

    pub(crate) fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    pub(crate) fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    pub(crate) fn precision(&self) -> Precision {
        match self.panels {
            Panels::F32(_) | Panels::Exact(_) | Panels::Tight(_) => Precision::F32,
            Panels::Bf16(_) => Precision::Bf16,
            Panels::Int8(_) => Precision::Int8,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(packed) => packed.size_bytes(),
            Panels::Exact(packed) | Panels::Bf16(packed) => packed.size_bytes(),
            Panels::Tight(packed) => {
                let whole = packed.beside.iter().map(tight::Exponents::whole_bytes).sum::<usize>();
                packed.size_bytes() + whole
            }
            Panels::Int8(packed) => packed.size_bytes(),
        }
    }

    /// Writes the products with some panels, added to `start`, to `out`, `[panels][T]`.
    pub(crate) fn product(
        &self,
        cpu: Cpu,
        input: &Input<'_>,
        panels: Range<usize>,
        start: Start<'_>,
        out: &mut [Row],
    ) {
        // Sums of bytes are whole numbers until the end, which is where these add what they start from.
        let anew =
            self.precision() != Precision::Int8 && !start.write(out.len() / panels.len(), out);
        match (&self.panels, input) {
            (Panels::F32(all), Input::F32(x)) => {
                let (lines, beside) = all.some(&panels);
                f32::product(cpu, x, lines, beside, anew, out);
            }
            (Panels::Exact(all) | Panels::Bf16(all), Input::F32(x)) => {
                let (lines, beside) = all.some(&panels);
                f32::product(cpu, x, lines, beside, anew, out);
            }
            (Panels::Tight(all), Input::F32(x)) => {
                let (lines, beside) = all.some(&panels);
                f32::product(cpu, x, lines, beside, anew, out);
            }
            (Panels::Bf16(all), Input::Bf16(x)) => {
                let (lines, _) = all.some(&panels);
                bf16::product(cpu, x, lines, panels.len(), anew, out);
            }
            (Panels::Int8(all), Input::Int8 { bytes, scales }) => {
                let (lines, columns) = all.some(&panels);
                int8::product(cpu, bytes, scales, lines, columns, start, out);
            }
            _ => unreachable!("the input was made for these weights"),
        }
    }
}
