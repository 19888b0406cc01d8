//! A look at a compiled object before it is linked: which symbols it needs, which sections it has.
//!
//! The reader trusts nothing: every offset and count is checked against the file.

use crate::evaluation::{Reason, Rejection};

/// Symbols from outside that a kernel may need, beside those of [`allowed`]'s patterns.
const SYMBOLS: [&str; 45] = [
    "_GLOBAL_OFFSET_TABLE_",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    // Arithmetic of the compiler's own library.
    "__popcountdi2",
    "__udivti3",
    "__umodti3",
    "__divti3",
    "__modti3",
    "__udivmodti4",
    "__floattisf",
    "__floattidf",
    "__floatuntisf",
    "__floatuntidf",
    "__fixsfti",
    "__fixdfti",
    "__extendhfsf2",
    "__truncsfhf2",
    "__truncdfhf2",
    "__mulsc3",
    "__divsc3",
    "__muldc3",
    "__divdc3",
    "__powisf2",
    "__powidf2",
    // OpenMP beside its questions.
    "omp_set_num_threads",
    "omp_set_dynamic",
    "omp_set_nested",
    "omp_set_schedule",
    "omp_set_max_active_levels",
    "omp_in_parallel",
    "omp_init_lock",
    "omp_destroy_lock",
    "omp_set_lock",
    "omp_unset_lock",
    "omp_test_lock",
    // Mathematics without an `f` form, or with another.
    "sincos",
    "sincosf",
    "exp10",
    "exp10f",
    "ldexp",
    "ldexpf",
    "__signbitf",
    "__signbit",
];

/// Functions of the mathematical library; each with `f` for floats.
const MATHEMATICS: [&str; 52] = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "hypot",
    "ilogb",
    "lgamma",
    "llrint",
    "llround",
    "log",
    "log10",
    "log1p",
    "log2",
    "logb",
    "lrint",
    "lround",
    "modf",
    "nearbyint",
    "nextafter",
    "pow",
    "remainder",
    "rint",
    "round",
    "scalbln",
    "scalbn",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
];

/// Sections that a kernel may have, by prefix. Not here: whatever runs by itself before or after.
const SECTIONS: [&str; 18] = [
    ".text",
    ".rodata",
    ".data",
    ".bss",
    ".tdata",
    ".tbss",
    ".comment",
    ".note",
    ".eh_frame",
    ".rela",
    ".symtab",
    ".strtab",
    ".shstrtab",
    ".group",
    ".llvm",
    ".lbss",
    ".lrodata",
    ".ldata",
];

/// Symbols that every kernel defines.
const KERNEL: [&str; 2] = ["tetrad_kernel", "tetrad_scratch_bytes"];

fn allowed(symbol: &str) -> bool {
    let plain = symbol.strip_suffix('f').unwrap_or(symbol);
    // `__expf_finite` of old fast mathematics.
    let inner = symbol.strip_prefix("__").and_then(|rest| rest.strip_suffix("_finite"));
    SYMBOLS.contains(&symbol)
        || MATHEMATICS.contains(&symbol)
        || MATHEMATICS.contains(&plain)
        || inner.is_some_and(allowed)
        || symbol.starts_with("omp_get_")
        || (symbol.starts_with("GOMP_")
            && !symbol.starts_with("GOMP_target")
            && !symbol.starts_with("GOMP_offload")
            && !symbol.starts_with("GOMP_PLUGIN"))
        // Vector forms of the mathematical library.
        || symbol.strip_prefix("_ZGV").is_some_and(|rest| {
            rest.split_once('_').is_some_and(|(_, name)| {
                MATHEMATICS.contains(&name)
                    || MATHEMATICS.contains(&name.strip_suffix('f').unwrap_or(name))
                    || name.starts_with("sincos")
            })
        })
}

struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn number<const N: usize>(&self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..at.checked_add(N)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn text(&self, at: usize) -> Option<&'a str> {
        let rest = self.0.get(at..)?;
        let end = rest.iter().take(4096).position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }
}

struct Section<'a> {
    name: &'a str,
    kind: u64,
    flags: u64,
    offset: usize,
    size: usize,
    link: usize,
}

struct Symbol<'a> {
    name: &'a str,
    /// Low four bits of the info: object, function, section.
    kind: u64,
    /// High four bits: local, global, weak.
    binding: u64,
    section: usize,
}

fn index(value: u64) -> Option<usize> {
    usize::try_from(value).ok()
}

fn sections<'a>(file: &File<'a>) -> Option<Vec<Section<'a>>> {
    // A 64-bit little-endian relocatable file.
    if file.0.get(..6)? != b"\x7fELF\x02\x01" || file.number::<2>(16)? != 1 {
        return None;
    }
    let table = index(file.number::<8>(40)?)?;
    let (size, count) = (index(file.number::<2>(58)?)?, index(file.number::<2>(60)?)?);
    let names = index(file.number::<2>(62)?)?;
    // With 0xff00 sections or more the count is elsewhere: no kernel has as many.
    if size != 64 || count == 0 || names >= count {
        return None;
    }
    let header = |idx: usize| -> Option<usize> { table.checked_add(idx.checked_mul(size)?) };
    let names = index(file.number::<8>(header(names)?.checked_add(24)?)?)?;
    let section = |idx: usize| -> Option<Section<'a>> {
        let at = header(idx)?;
        Some(Section {
            name: file.text(names.checked_add(index(file.number::<4>(at)?)?)?)?,
            kind: file.number::<4>(at + 4)?,
            flags: file.number::<8>(at + 8)?,
            offset: index(file.number::<8>(at + 24)?)?,
            size: index(file.number::<8>(at + 32)?)?,
            link: index(file.number::<4>(at + 40)?)?,
        })
    };
    (0..count).map(section).collect()
}

fn symbols<'a>(file: &File<'a>, sections: &[Section<'a>]) -> Option<Vec<Symbol<'a>>> {
    const SYMBOL_TABLE: u64 = 2;
    const ENTRY: usize = 24;
    let table = sections.iter().find(|section| section.kind == SYMBOL_TABLE)?;
    let names = sections.get(table.link)?.offset;
    file.0.get(table.offset..table.offset.checked_add(table.size)?)?;
    let symbol = |idx: usize| -> Option<Symbol<'a>> {
        let at = table.offset + idx * ENTRY;
        let info = file.number::<1>(at + 4)?;
        Some(Symbol {
            name: file.text(names.checked_add(index(file.number::<4>(at)?)?)?)?,
            kind: info & 15,
            binding: info >> 4,
            section: index(file.number::<2>(at + 6)?)?,
        })
    };
    (0..table.size / ENTRY).map(symbol).collect()
}

/// What speaks against linking and running this object.
pub(super) fn check(bytes: &[u8]) -> Result<(), Rejection> {
    let reject = |reason, detail: String| Err(Rejection { reason, detail });
    let file = File(bytes);
    let Some(sections) = sections(&file) else {
        return reject(Reason::Forbidden, "the object file cannot be read".to_owned());
    };
    let Some(symbols) = symbols(&file, &sections) else {
        return reject(Reason::Forbidden, "the object's symbols cannot be read".to_owned());
    };
    for section in &sections[1..] {
        if !SECTIONS.iter().any(|allowed| section.name.starts_with(allowed)) {
            let shown: String = section.name.chars().take(60).collect();
            return reject(Reason::Forbidden, format!("section `{shown}` in the object"));
        }
    }
    const OBJECT: u64 = 1;
    const RESOLVER: u64 = 10;
    const EXECUTABLE: u64 = 4;
    const WEAK: u64 = 2;
    let mut defined = Vec::new();
    for symbol in &symbols[1.min(symbols.len())..] {
        let shown: String = symbol.name.chars().take(60).collect();
        if symbol.kind == RESOLVER {
            return reject(Reason::Forbidden, format!("`{shown}` is chosen by code at the start"));
        }
        let section = sections.get(symbol.section);
        if symbol.kind == OBJECT && section.is_some_and(|at| at.flags & EXECUTABLE != 0) {
            return reject(Reason::Forbidden, format!("`{shown}` is data among the code"));
        }
        if symbol.section != 0 {
            defined.push(symbol.name);
        } else if !symbol.name.is_empty() && !allowed(symbol.name) {
            let weak = if symbol.binding == WEAK { ", weakly" } else { "" };
            return reject(Reason::Symbol, format!("it needs `{shown}`{weak}"));
        }
    }
    match KERNEL.iter().find(|name| !defined.contains(name)) {
        None => Ok(()),
        Some(name) => reject(Reason::Symbol, format!("it does not define `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_may_need_mathematics_threads_and_copies_only() {
        for symbol in [
            "expf",
            "fmaf",
            "GOMP_parallel",
            "omp_get_thread_num",
            "memcpy",
            "_ZGVdN8v_expf",
            "__expf_finite",
        ] {
            assert!(allowed(symbol), "{symbol}");
        }
        for symbol in [
            "malloc",
            "open",
            "syscall",
            "dlopen",
            "GOMP_target_ext",
            "clock_gettime",
            "_ZGVdN8v_system",
            "main",
            "f",
        ] {
            assert!(!allowed(symbol), "{symbol}");
        }
    }

    #[test]
    fn garbage_and_cut_files_are_refused_not_read() {
        assert!(check(b"").is_err());
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(64, 0xff);
        assert!(check(&file).is_err());
        file[16..18].copy_from_slice(&[1, 0]);
        file[58..60].copy_from_slice(&[64, 0]);
        assert!(check(&file).is_err());
    }
}
