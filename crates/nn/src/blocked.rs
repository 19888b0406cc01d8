//! Activations in blocks of channels.
//!
//! `[C / 32][T]` of 32 floats: what one output panel of a product writes, what a filter over time
//! reads, and what the next product broadcasts from all lie together, so that nothing is packed or
//! transposed between operations, and threads own whole blocks.

/// Channels per block.
pub const BLOCK: usize = 32;

/// One block of channels at one token.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Row(pub [f32; BLOCK]);

impl Row {
    /// Zeros.
    pub const ZERO: Row = Row([0.0; BLOCK]);

    /// Its two halves, one vector each.
    #[inline(always)]
    pub(crate) fn halves(&self) -> [&[f32; 16]; 2] {
        let (low, high) = self.0.split_at(16);
        [low.try_into().expect("16"), high.try_into().expect("16")]
    }

    /// Its two halves, one vector each.
    #[inline(always)]
    pub(crate) fn halves_mut(&mut self) -> [&mut [f32; 16]; 2] {
        let (low, high) = self.0.split_at_mut(16);
        [low.try_into().expect("16"), high.try_into().expect("16")]
    }
}

/// 64 bytes of narrow activations at one token: 32 bfloat16 or 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Narrow(pub(crate) [u32; 16]);

/// Narrow weights of 32 columns: a pair of bfloat16 or four bytes each.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Panel(pub(crate) [u32; BLOCK]);

impl Panel {
    /// Zeros.
    pub(crate) const ZERO: Panel = Panel([0; BLOCK]);

    /// Its two halves, one vector each.
    #[inline(always)]
    pub(crate) fn halves(&self) -> [&[u32; 16]; 2] {
        let (low, high) = self.0.split_at(16);
        [low.try_into().expect("16"), high.try_into().expect("16")]
    }
}

/// Activations `[T, C]`, stored by blocks of channels. Channels that fill up the last block are 0.
#[derive(Debug, Clone, Default)]
pub struct Blocked {
    n_tokens: usize,
    n_channels: usize,
    rows: Vec<Row>,
}

impl Blocked {
    /// Zeros.
    pub fn new(n_tokens: usize, n_channels: usize) -> Blocked {
        let rows = vec![Row::ZERO; n_channels.div_ceil(BLOCK) * n_tokens];
        Blocked { n_tokens, n_channels, rows }
    }

    /// From row-major `[T, C]`.
    ///
    /// # Panics
    /// If `values` is not a whole number of rows.
    pub fn from_rows(values: &[f32], n_channels: usize) -> Blocked {
        assert_eq!(values.len() % n_channels, 0, "whole rows");
        let mut all = Blocked::new(values.len() / n_channels, n_channels);
        for (token, values) in values.chunks_exact(n_channels).enumerate() {
            all.write_token(token, values);
        }
        all
    }

    /// Gives it another shape; what it holds is then unspecified. Memory is kept.
    pub fn reshape(&mut self, n_tokens: usize, n_channels: usize) {
        self.rows.resize(n_channels.div_ceil(BLOCK) * n_tokens, Row::ZERO);
        (self.n_tokens, self.n_channels) = (n_tokens, n_channels);
    }

    /// Tokens, `T`.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Channels, `C`.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Blocks of channels.
    pub fn n_blocks(&self) -> usize {
        self.n_channels.div_ceil(BLOCK)
    }

    /// One block of channels over all tokens.
    pub fn block(&self, block: usize) -> &[Row] {
        &self.rows[block * self.n_tokens..(block + 1) * self.n_tokens]
    }

    /// All rows, block after block.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All rows, block after block.
    pub fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }

    /// Copies the channels of one token to `into`, `[C]`.
    pub fn read_token(&self, token: usize, into: &mut [f32]) {
        for (block, into) in into[..self.n_channels].chunks_mut(BLOCK).enumerate() {
            into.copy_from_slice(&self.rows[block * self.n_tokens + token].0[..into.len()]);
        }
    }

    /// Copies `values`, `[C]`, to one token.
    pub fn write_token(&mut self, token: usize, values: &[f32]) {
        for (block, values) in values[..self.n_channels].chunks(BLOCK).enumerate() {
            let row = &mut self.rows[block * self.n_tokens + token].0;
            row[..values.len()].copy_from_slice(values);
            row[values.len()..].fill(0.0);
        }
    }

    /// A copy of some tokens.
    pub fn tokens(&self, range: std::ops::Range<usize>) -> Blocked {
        let blocks = (0..self.n_blocks()).flat_map(|block| &self.block(block)[range.clone()]);
        let rows = blocks.copied().collect();
        Blocked { n_tokens: range.len(), n_channels: self.n_channels, rows }
    }

    /// Overwrites tokens from `first` on.
    ///
    /// # Panics
    /// If `with` has other channels or too many tokens.
    pub fn write_tokens(&mut self, first: usize, with: &Blocked) {
        assert_eq!(self.n_channels, with.n_channels, "channels");
        for block in 0..self.n_blocks() {
            let from = block * self.n_tokens + first;
            self.rows[from..from + with.n_tokens].copy_from_slice(with.block(block));
        }
    }

    /// Row-major `[T, C]`.
    pub fn to_rows(&self) -> Vec<f32> {
        let mut all = vec![0.0; self.n_tokens * self.n_channels];
        for (token, into) in all.chunks_exact_mut(self.n_channels.max(1)).enumerate() {
            self.read_token(token, into);
        }
        all
    }
}
