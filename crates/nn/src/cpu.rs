//! What the processor offers, asked once.

use std::ffi::OsStr;
use std::sync::OnceLock;

use crate::error::Error;

/// Vector instructions that the operations here are written for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust, on any processor. The definition that the others must match.
    Portable,
    /// AVX2 with FMA, eight floats at a time.
    Avx2,
    /// AVX-512 (F, BW, DQ, VL), sixteen floats at a time.
    Avx512,
}

impl Isa {
    /// All, weakest first.
    const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// `portable`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    fn named(name: &OsStr) -> Result<Isa, Error> {
        let isa = Isa::ALL.into_iter().find(|isa| name == isa.name());
        isa.ok_or_else(|| Error::Limit { name: name.to_string_lossy().into_owned() })
    }
}

/// The environment variable that says what [`Cpu::limit`] gives.
pub(crate) const LIMIT: &str = "TETRAD_CPU";

/// Instructions used, as found or as chosen for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Vectors of floats.
    pub isa: Isa,
    /// Products of bfloat16 pairs (`AVX512_BF16`).
    pub bf16: bool,
    /// Products of bytes (`AVX512_VNNI`, or AVX-VNNI on AVX2).
    pub vnni: bool,
    /// Tiles of bfloat16 and bytes (AMX), where the kernel lets this process use them.
    pub amx: bool,
    /// Schedules that a search of `kernels` found for vectors of sixteen floats, in place of the
    /// plain ones; the same bits. Where they come from is in `provenance/`.
    pub found: bool,
}

impl Cpu {
    /// Nothing but plain Rust.
    pub const PORTABLE: Cpu =
        Cpu { isa: Isa::Portable, bf16: false, vnni: false, amx: false, found: false };

    /// The best that this processor has, within [`Cpu::limit`].
    pub fn best() -> Cpu {
        static BEST: OnceLock<Cpu> = OnceLock::new();
        *BEST.get_or_init(|| {
            let found = crate::simd::detect();
            match Cpu::limit() {
                Ok(Some(isa)) if isa <= found.isa => {
                    Cpu { isa, found: found.found && isa == found.isa, ..Cpu::PORTABLE }
                }
                _ => found,
            }
        })
    }

    /// The strongest that may be used, without extensions, where the environment names one
    /// (`TETRAD_CPU=avx2`): what a weaker processor would do, and how fast.
    ///
    /// # Errors
    /// If nothing has that name. There is no limit then.
    pub fn limit() -> Result<Option<Isa>, Error> {
        std::env::var_os(LIMIT).map(|name| Isa::named(&name)).transpose()
    }

    /// Every combination that this processor can run, weakest first: for parity tests and benches.
    pub fn all() -> Vec<Cpu> {
        let best = Cpu::best();
        let mut all = vec![Cpu::PORTABLE];
        for isa in [Isa::Avx2, Isa::Avx512] {
            if isa <= best.isa {
                all.push(Cpu { isa, ..Cpu::PORTABLE });
            }
            if isa < best.isa && crate::simd::vnni(isa) {
                all.push(Cpu { isa, vnni: true, ..Cpu::PORTABLE });
            }
        }
        if best.found {
            all.push(Cpu { isa: best.isa, found: true, ..Cpu::PORTABLE });
        }
        if best.bf16 || best.vnni {
            all.push(Cpu { amx: false, ..best });
        }
        if best.amx {
            all.push(best);
        }
        all
    }

    /// Its parts by name, for reports.
    pub fn names(self) -> Vec<&'static str> {
        let vnni = if self.isa == Isa::Avx2 { "avx-vnni" } else { "avx512-vnni" };
        let more = [(self.bf16, "avx512-bf16"), (self.vnni, vnni), (self.amx, "amx")];
        let more = more.into_iter().filter_map(|(has, name)| has.then_some(name));
        std::iter::once(self.isa.name()).chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_again() {
        for isa in Isa::ALL {
            assert_eq!(Isa::named(isa.name().as_ref()).expect("a name"), isa);
        }
        let error = Isa::named("sse9".as_ref()).expect_err("no name").to_string();
        assert_eq!(error, "`TETRAD_CPU` names no instructions: `sse9`");
    }
}
