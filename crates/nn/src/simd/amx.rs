//! Tile products (AMX): 16 × 16 sums at once.
//!
//! The compiler has no tile type on stable Rust, so each product is one block of assembly that
//! configures the tiles, sweeps the whole inner dimension, stores the sums, and releases the tiles.
#![expect(unsafe_code, reason = "tile instructions are reachable through assembly only")]

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;

use crate::blocked::{Narrow, Panel, Row};

/// Rows of a tile, and its columns of 32 bits.
const TILE: usize = 16;

/// Palette 1, then rows and bytes per row of eight tiles.
#[repr(C, align(64))]
struct Config([u8; 64]);

impl Config {
    /// Sums in tiles 0 and 1 (upper rows) and 2 and 3 (lower rows), inputs in 4 (upper) and 5
    /// (lower), weights in 6 and 7.
    fn of(upper: usize, lower: usize) -> Config {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let rows = [upper, upper, lower, lower, upper, lower, TILE, TILE];
        for (tile, n_rows) in rows.into_iter().enumerate() {
            bytes[48 + tile] = u8::try_from(n_rows).expect("at most 16");
            bytes[16 + 2 * tile] = if n_rows == 0 { 0 } else { 64 };
        }
        Config(bytes)
    }
}

/// Whether the processor has tiles of bfloat16 and bytes, and the kernel lets this process use them.
pub(super) fn permitted() -> bool {
    const TILE_DATA: i64 = 18;
    const REQUEST: i64 = 0x1023;
    // Bits of leaf 7 in `edx`: AMX-BF16 22, AMX-TILE 24, AMX-INT8 25.
    let needed = 1 << 22 | 1 << 24 | 1 << 25;
    if __cpuid_count(7, 0).edx & needed != needed {
        return false;
    }
    // SAFETY: asks for a larger register state for this process; nothing else changes.
    #[cfg(target_os = "linux")]
    return unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 };
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// Sweeps the inner dimension for up to 32 rows and 32 columns.
macro_rules! sweep {
    ($product:literal, $config:expr, $x:expr, $step:expr, $weights:expr, $n:expr, $sums:expr) => {
        asm!(
            "ldtilecfg [{config}]",
            "tileloadd tmm0, [{sums} + {wide}]",
            "tileloadd tmm1, [{sums} + {wide} + 64]",
            "test {lower:e}, {lower:e}",
            "jz 2f",
            "tileloadd tmm2, [{sums} + {wide} + 2048]",
            "tileloadd tmm3, [{sums} + {wide} + 2112]",
            "3:",
            "tileloadd tmm4, [{x} + {narrow}]",
            "tileloadd tmm6, [{weights} + {wide}]",
            concat!($product, " tmm0, tmm4, tmm6"),
            "tileloadd tmm7, [{weights} + {wide} + 64]",
            concat!($product, " tmm1, tmm4, tmm7"),
            "tileloadd tmm5, [{x} + {narrow} + 1024]",
            concat!($product, " tmm2, tmm5, tmm6"),
            concat!($product, " tmm3, tmm5, tmm7"),
            "add {x}, {step}",
            "add {weights}, 2048",
            "dec {n}",
            "jnz 3b",
            "tilestored [{sums} + {wide} + 2048], tmm2",
            "tilestored [{sums} + {wide} + 2112], tmm3",
            "jmp 4f",
            "2:",
            "tileloadd tmm4, [{x} + {narrow}]",
            "tileloadd tmm6, [{weights} + {wide}]",
            concat!($product, " tmm0, tmm4, tmm6"),
            "tileloadd tmm7, [{weights} + {wide} + 64]",
            concat!($product, " tmm1, tmm4, tmm7"),
            "add {x}, {step}",
            "add {weights}, 2048",
            "dec {n}",
            "jnz 2b",
            "4:",
            "tilestored [{sums} + {wide}], tmm0",
            "tilestored [{sums} + {wide} + 64], tmm1",
            "tilerelease",
            config = in(reg) &raw const $config.0,
            sums = in(reg) $sums,
            wide = in(reg) 128_usize,
            narrow = in(reg) 64_usize,
            lower = in(reg) usize::from($config.0[50]),
            x = inout(reg) $x => _,
            step = in(reg) $step,
            weights = inout(reg) $weights => _,
            n = inout(reg) $n => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// Adds `x` times one panel to `out`: `x` is `[n_blocks][n_tokens]` of 32 bfloat16, the panel
/// `[n_blocks * 16]` of 32 pairs, `out` `[n_tokens]` of 32 floats.
///
/// # Panics
/// If the sizes do not fit, or there are no tiles here.
pub(crate) fn tile_bf16(x: &[Narrow], panel: &[Panel], out: &mut [Row]) {
    assert!(crate::Cpu::best().amx);
    let n_tokens = out.len();
    let n_blocks = panel.len() / TILE;
    assert!(n_blocks > 0 && x.len() == n_blocks * n_tokens && panel.len() == n_blocks * TILE);
    let step = n_tokens * size_of::<Narrow>();
    for (at, rows) in out.chunks_mut(2 * TILE).enumerate() {
        let (upper, lower) = (rows.len().min(TILE), rows.len().saturating_sub(TILE));
        let config = Config::of(upper, lower);
        let x = x[at * 2 * TILE..].as_ptr();
        // SAFETY: there are tiles. Those of `rows` read and write `rows.len()` rows of 128 bytes;
        // those of `x` read as many rows of 64 bytes in each of the `n_blocks` blocks, which are
        // `step` bytes apart; those of the panel read 16 rows of 128 bytes per block. The tile
        // registers are named as overwritten.
        unsafe {
            sweep!("tdpbf16ps", config, x, step, panel.as_ptr(), n_blocks, rows.as_mut_ptr());
        }
    }
}

/// Sums of one panel: `x` is `[n_blocks][n_tokens]` of 64 unsigned bytes, the panel
/// `[n_blocks * 16]` of 32 times four signed bytes, `sums` `[n_tokens]` of 32 integers, zero at
/// first.
///
/// # Panics
/// If the sizes do not fit, or there are no tiles here.
pub(crate) fn tile_i8(x: &[Narrow], panel: &[Panel], sums: &mut [Panel]) {
    assert!(crate::Cpu::best().amx);
    let n_tokens = sums.len();
    let n_blocks = panel.len() / TILE;
    assert!(n_blocks > 0 && x.len() == n_blocks * n_tokens && panel.len() == n_blocks * TILE);
    let step = n_tokens * size_of::<Narrow>();
    for (at, rows) in sums.chunks_mut(2 * TILE).enumerate() {
        let (upper, lower) = (rows.len().min(TILE), rows.len().saturating_sub(TILE));
        let config = Config::of(upper, lower);
        let x = x[at * 2 * TILE..].as_ptr();
        // SAFETY: as in `tile_bf16`; sums of 32 bits take the place of floats.
        unsafe {
            sweep!("tdpbusd", config, x, step, panel.as_ptr(), n_blocks, rows.as_mut_ptr());
        }
    }
}
