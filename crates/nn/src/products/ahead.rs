//! Weights are asked for before they are needed: a product of few tokens waits for nothing else.

use crate::simd::Lanes;

/// How much earlier one that is alone asks. Much more would reach into what another thread reads.
pub(super) const AHEAD_BYTES: usize = 4096;

/// What a product reads after the panel, or the part of one, that it is at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    /// Where it begins. Nothing need be there: it is asked for, not read.
    first: *const u8,
    block_bytes: usize,
}

impl Next {
    /// What lies so many bytes after some lines, of which `in_block` are a block.
    pub(super) fn after<T>(lines: &[T], bytes: usize, in_block: usize) -> Next {
        let first = lines.as_ptr().cast::<u8>().wrapping_add(bytes);
        Next { first, block_bytes: in_block * size_of::<T>() }
    }

    /// What lies behind a panel.
    pub(super) fn panel<T>(panel: &[T], in_block: usize) -> Next {
        Next::after(panel, size_of_val(panel), in_block)
    }
}

/// One of the tiles that pass over a panel of weights. Each asks memory for its share of what is next, so
/// that reading goes on as evenly as reckoning; one that is alone asks for what comes soon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    tile: usize,
    /// 0 where nothing is to be asked for.
    pub(super) n_tiles: usize,
    next: Next,
}

impl Share {
    /// Of a tile that is alone.
    pub(crate) const ALL: Share = Share { n_tiles: 1, ..Share::NONE };

    /// Of one whose weights are near.
    pub(crate) const NONE: Share =
        Share { tile: 0, n_tiles: 0, next: Next { first: std::ptr::null(), block_bytes: 0 } };

    pub(super) fn of(next: Next, tile: usize, n_tiles: usize) -> Share {
        Share { tile, n_tiles, next }
    }

    /// Asks for its lines of a block.
    #[inline(always)]
    pub(super) fn ask<V: Lanes>(self, block: usize) {
        let Next { first, block_bytes } = self.next;
        for line in (self.tile..block_bytes / 64).step_by(self.n_tiles) {
            V::prefetch(first, block * block_bytes + line * 64);
        }
    }
}
