//! Which array lies where.

use super::MOST_THREADS;
use crate::graph::Dtype;
use crate::plan::{Plan, Vectors, inner_size};

/// Where a source lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Given,
    Output(usize),
    /// Bytes into the scratch memory.
    Scratch(usize),
    /// A variable inside a pass.
    Register,
    /// Bytes into the scratch memory, and bytes of each thread's share.
    Local(usize, usize),
    /// Not stored at all.
    Absent,
}

/// Places of all sources.
pub(super) struct Storage {
    places: Vec<Place>,
    dtypes: Vec<Dtype>,
    n_given: usize,
    pub(super) scratch_bytes: usize,
    /// Whether all of it runs in one parallel region.
    pub(super) region: bool,
    /// Extra scratch of each product: bytes into the scratch memory.
    pub(super) products: Vec<ProductScratch>,
}

/// Scratch of one product.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProductScratch {
    /// The packed rows, or the weights of a convolution.
    pub(super) left: usize,
    /// Offsets along the depth, of 32 bits.
    pub(super) offsets: usize,
    /// A packed strip of each thread.
    pub(super) strips: usize,
    /// Bytes of one.
    pub(super) strip_bytes: usize,
    /// Tiles that wait for more of the depth, of each thread.
    pub(super) sums: usize,
    /// Bytes of them.
    pub(super) sum_bytes: usize,
}

fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(64)
}

impl Storage {
    pub(super) fn new(plan: &Plan, width: usize) -> Self {
        let program = &plan.program;
        let n_given = program.given.len();
        let n = n_given + program.definitions.len();
        let mut places = vec![Place::Absent; n];
        places[..n_given].fill(Place::Given);
        let mut bytes = 0;
        let mut take = |size: usize| {
            let at = bytes;
            bytes += aligned(size);
            at
        };
        let mut products = Vec::new();
        for nest in &plan.nests {
            let n_outer = nest.outer.len();
            for stage in &nest.stages {
                let output = program.outputs.iter().position(|&each| each == stage.buffer);
                let size: usize = program.shape(stage.buffer).iter().product();
                places[stage.buffer] = if let Some(output) = output {
                    Place::Output(output)
                } else if !nest.local.contains(&stage.buffer) {
                    Place::Scratch(take(size * stage.dtype.size_bytes()))
                } else if stage.n_spatial == n_outer {
                    Place::Register
                } else {
                    let tile = match nest.vectors {
                        Vectors::Outer(_) => nest.part.unroll.max(1) * width,
                        _ => 1,
                    };
                    let n = inner_size(stage, n_outer) as usize * tile;
                    let share = aligned(n * stage.dtype.size_bytes());
                    Place::Local(take(share * MOST_THREADS), share)
                };
            }
            if let Some(product) = &nest.product {
                let stage = &nest.stages[0];
                let extent =
                    |vars: &[usize]| vars.iter().map(|&var| stage.extents[var]).product::<usize>();
                let depth = extent(&product.depth);
                let rows = extent(&product.rows).next_multiple_of(product.tile_rows);
                let batch = product.batch.iter().filter(|&&var| product.left.mentions(var));
                let batch = extent(&batch.copied().collect::<Vec<_>>());
                let across = product.tile_columns * width;
                let strip_bytes = aligned(product.deep * across * 4);
                let blocks = rows / product.tile_rows;
                let per_chunk = blocks.div_ceil(nest.part.chunks.clamp(1, blocks));
                let sum_bytes = match product.deep < depth {
                    true => aligned(per_chunk * product.tile_rows * across * 4),
                    false => 0,
                };
                products.push(ProductScratch {
                    left: take(batch * rows * depth * 4),
                    offsets: take(depth * 4),
                    strips: take(strip_bytes * MOST_THREADS),
                    strip_bytes,
                    sums: take(sum_bytes * MOST_THREADS),
                    sum_bytes,
                });
            } else if let Some(direct) = &nest.direct {
                let stage = &nest.stages[0];
                let across = direct.n_vectors * width;
                let channels = stage.extents[direct.channel].next_multiple_of(across);
                let depth: usize = stage.extents[stage.n_spatial..].iter().product();
                let left = take(channels * depth * 4);
                products.push(ProductScratch { left, ..ProductScratch::default() });
            } else {
                products.push(ProductScratch::default());
            }
        }
        let dtypes = (0..n).map(|source| program.dtype(source)).collect();
        let region = plan.nests.iter().any(|nest| nest.part.threads);
        Self { places, dtypes, n_given, scratch_bytes: bytes, region, products }
    }

    pub(super) fn place(&self, source: usize) -> Place {
        self.places[source]
    }

    /// Type and name of a source's array.
    pub(super) fn array(&self, source: usize) -> (Dtype, String) {
        let name = match self.places[source] {
            Place::Given => format!("g{source}"),
            Place::Output(output) => format!("o{output}"),
            Place::Register => format!("r{source}"),
            _ => format!("t{source}"),
        };
        (self.dtypes[source], name)
    }

    /// Pointers to everything that is there for the whole call.
    pub(super) fn declarations(&self) -> String {
        let mut text = String::new();
        for (source, place) in self.places.iter().enumerate() {
            let (dtype, name) = self.array(source);
            let of = dtype.c_name();
            match place {
                Place::Given if source < self.n_given => {
                    text.push_str(&format!(
                        "    const {of} *restrict {name} = in[{source}]; (void){name};\n"
                    ));
                }
                Place::Output(output) => {
                    text.push_str(&format!("    {of} *restrict {name} = out[{output}];\n"));
                }
                Place::Scratch(at) => {
                    text.push_str(&format!(
                        "    {of} *restrict {name} = ({of} *)((char *)scratch + {at});\n"
                    ));
                }
                _ => {}
            }
        }
        text
    }
}
