//! Matrix products in the three precisions, over weights packed by panels of 32 outputs.

mod bf16;
mod f32;
mod int8;
mod line;
mod pages;

pub(crate) use bf16::{round_row, round_rows, tile as tile_bf16, tiles as tiles_bf16};
pub(crate) use f32::{
    Share, tile as tile_f32, tile_anew as tile_f32_anew, tile_over as tile_f32_over,
    tiles as tiles_f32, tiles_anew as tiles_f32_anew,
};

use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::blocked::{BLOCK, Blocked, Narrow, Panel, Row};
use crate::cpu::Cpu;
use crate::linear::Precision;
use crate::threads;
use pages::Pages;

/// With fewer tokens than this, setting up tiles costs more than they gain.
#[cfg(target_arch = "x86_64")]
const FEW_TOKENS: usize = 4;

/// Matrices of so many weights are kept in 16 bits where that loses nothing. Smaller ones are in a cache
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
    F32(Pages<Row>),
    /// f32 too, where bfloat16 holds every weight exactly: half the memory, and the same bits.
    Exact(Pages<Panel>),
    Bf16(Pages<Panel>),
    Int8 {
        panels: Pages<Panel>,
        columns: Vec<int8::Columns>,
    },
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
    /// Packs the rows that `read` gives.
    pub(crate) fn pack(
        n_outputs: usize,
        n_inputs: usize,
        precision: Precision,
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
        let size =
            |inputs_at_once: usize, step: usize| n_inputs.next_multiple_of(inputs_at_once) / step;
        // Panels of pairs, for as long as `takes` takes the rows.
        let pairs = |takes: &(dyn Fn(&[f32]) -> bool + Sync)| {
            let size = size(BLOCK, 2);
            let all = AtomicBool::new(true);
            let panels = Pages::filled(n_panels * size, |panels| {
                threads::map(panels.chunks_mut(size).enumerate().collect(), |(panel, into)| {
                    let rows = all.load(Relaxed).then(|| rows_of(panel));
                    match rows.filter(|rows| takes(rows)) {
                        Some(rows) => bf16::pack(&rows, n_inputs, into),
                        None => all.store(false, Relaxed),
                    }
                });
            });
            all.into_inner().then_some(panels)
        };
        // The first rows tell of most matrices that floats are needed.
        let exact = || match n_outputs * n_inputs >= FROM_WEIGHTS && bf16::exact(&rows_of(0)) {
            true => pairs(&bf16::exact),
            false => None,
        };
        let floats = || {
            let size = size(BLOCK, 1);
            Pages::filled(n_panels * size, |all| {
                threads::map(all.chunks_mut(size).enumerate().collect(), |(panel, into)| {
                    f32::pack(&rows_of(panel), n_inputs, into);
                });
            })
        };
        let panels = match precision {
            Precision::F32 => exact().map_or_else(|| Panels::F32(floats()), Panels::Exact),
            Precision::Bf16 => Panels::Bf16(pairs(&|_| true).expect("all rows are taken")),
            Precision::Int8 => {
                let size = size(2 * BLOCK, 4);
                let mut columns = Vec::new();
                let panels = Pages::filled(n_panels * size, |all| {
                    let parts = all.chunks_mut(size).enumerate().collect();
                    columns = threads::map(parts, |(panel, into)| {
                        int8::pack(&rows_of(panel), n_inputs, into)
                    });
                });
                Panels::Int8 { panels, columns }
            }
        };
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
            Panels::F32(_) | Panels::Exact(_) => Precision::F32,
            Panels::Bf16(_) => Precision::Bf16,
            Panels::Int8 { .. } => Precision::Int8,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(panels) => size_of_val::<[_]>(panels),
            Panels::Exact(panels) | Panels::Bf16(panels) => size_of_val::<[_]>(panels),
            Panels::Int8 { panels, columns } => {
                size_of_val::<[_]>(panels) + size_of_val(columns.as_slice())
            }
        }
    }

    fn n_panels(&self) -> usize {
        self.n_outputs.div_ceil(BLOCK)
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
        fn some<'a, T>(all: &'a [T], n: usize, panels: &Range<usize>) -> &'a [T] {
            let size = all.len() / n;
            &all[panels.start * size..panels.end * size]
        }
        let n = self.n_panels();
        // Sums of bytes are whole numbers until the end, which is where these add what they start from.
        let anew =
            self.precision() != Precision::Int8 && !start.write(out.len() / panels.len(), out);
        match (&self.panels, input) {
            (Panels::F32(all), Input::F32(x)) => {
                f32::product(cpu, x, some(all, n, &panels), panels.len(), anew, out);
            }
            (Panels::Exact(all) | Panels::Bf16(all), Input::F32(x)) => {
                f32::product(cpu, x, some(all, n, &panels), panels.len(), anew, out);
            }
            (Panels::Bf16(all), Input::Bf16(x)) => {
                bf16::product(cpu, x, some(all, n, &panels), panels.len(), anew, out);
            }
            (Panels::Int8 { panels: all, columns }, Input::Int8 { bytes, scales }) => {
                let columns = &columns[panels.clone()];
                int8::product(cpu, bytes, scales, some(all, n, &panels), columns, start, out);
            }
            _ => unreachable!("the input was made for these weights"),
        }
    }
}
