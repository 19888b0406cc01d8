//! Vector instructions: the only place with `unsafe`.
//!
//! Operations are written once, generic over [`Lanes`], and compiled here for what processors have.
#![expect(unsafe_code, reason = "runs code compiled for instructions that were found present")]

#[cfg(target_arch = "x86_64")]
mod amx;
mod bits;
mod lanes;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use bits::{Pairs, Quads, to_bf16};
pub(crate) use lanes::{INTEGERS, Kernel, LANES, Lanes};

use crate::cpu::{Cpu, Isa};

#[cfg(target_arch = "x86_64")]
pub(crate) use amx::{tile_bf16, tile_i8};

/// Finds what this processor and kernel offer.
#[cfg(target_arch = "x86_64")]
pub(crate) fn detect() -> Cpu {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("fma") && has!("f16c");
    let avx512 =
        avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    let isa = match (avx512, avx2) {
        (true, _) => Isa::Avx512,
        (_, true) => Isa::Avx2,
        _ => Isa::Portable,
    };
    let bf16 = avx512 && has!("avx512bf16");
    let vnni = vnni(isa);
    Cpu { isa, bf16, vnni, amx: bf16 && vnni && amx::permitted(), found: avx512 }
}

/// Whether products of bytes are an instruction on vectors of a kind.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vnni(isa: Isa) -> bool {
    match isa {
        Isa::Portable => false,
        Isa::Avx2 => std::arch::is_x86_feature_detected!("avxvnni"),
        Isa::Avx512 => std::arch::is_x86_feature_detected!("avx512vnni"),
    }
}

/// Whether products of bytes are an instruction on vectors of a kind.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn vnni(_: Isa) -> bool {
    false
}

/// Finds what this processor and kernel offer.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn detect() -> Cpu {
    Cpu::PORTABLE
}

/// Runs a kernel on the vectors that `cpu` names.
///
/// # Panics
/// If the processor does not have them.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn run<K: Kernel>(cpu: Cpu, kernel: K) -> K::Output {
    let best = Cpu::best();
    assert!(cpu.isa <= best.isa && cpu.bf16 <= best.bf16 && (!cpu.vnni || vnni(cpu.isa)));
    match cpu.isa {
        Isa::Portable => kernel.run::<portable::Portable>(),
        // SAFETY: `best` has found the instructions, or at least these.
        Isa::Avx2 if cpu.vnni => unsafe { x86::run_avx2_vnni(kernel) },
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::run_avx2(kernel) },
        // SAFETY: as above.
        Isa::Avx512 if cpu.bf16 && cpu.vnni => unsafe { x86::run_avx512_bf16(kernel) },
        // SAFETY: as above.
        Isa::Avx512 if cpu.vnni => unsafe { x86::run_avx512_vnni(kernel) },
        // SAFETY: as above.
        Isa::Avx512 => unsafe { x86::run_avx512(kernel) },
    }
}

/// Runs a kernel: there is only plain Rust here.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn run<K: Kernel>(_: Cpu, kernel: K) -> K::Output {
    kernel.run::<portable::Portable>()
}
