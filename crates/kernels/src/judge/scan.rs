//! A look at the source text and the options before anything is compiled.
//!
//! This is for early and clear answers, not for safety: what slips through here meets the look at
//! the object file, and whatever runs is confined by the sandbox and measured from outside.

use crate::evaluation::{Reason, Rejection};

/// Longest source text.
const MOST_BYTES: usize = 1 << 20;

/// Headers that a kernel may include: none brings anything that is not checked as a symbol later.
const HEADERS: [&str; 24] = [
    "assert.h",
    "complex.h",
    "emmintrin.h",
    "float.h",
    "immintrin.h",
    "inttypes.h",
    "limits.h",
    "math.h",
    "omp.h",
    "smmintrin.h",
    "stdalign.h",
    "stdbool.h",
    "stddef.h",
    "stdint.h",
    "stdio.h",
    "stdlib.h",
    "stdnoreturn.h",
    "string.h",
    "tgmath.h",
    "tmmintrin.h",
    "x86intrin.h",
    "xmmintrin.h",
    "arm_neon.h",
    "nmmintrin.h",
];

/// Words that no kernel needs.
const WORDS: [&str; 14] = [
    "asm",
    "__asm",
    "__asm__",
    "constructor",
    "__constructor__",
    "destructor",
    "__destructor__",
    "ifunc",
    "__ifunc__",
    "target_clones",
    "__target_clones__",
    "init_priority",
    "__builtin_apply",
    "__builtin_return",
];

/// Compiler options that a candidate may ask for, after the fixed ones. They may change accuracy:
/// the tolerance decides about that. Options that read files, instrument or load code are not here.
const FLAGS: [&str; 38] = [
    "-O1",
    "-O2",
    "-O3",
    "-Ofast",
    "-ffast-math",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-freciprocal-math",
    "-ffinite-math-only",
    "-fno-finite-math-only",
    "-funsafe-math-optimizations",
    "-ffp-contract=fast",
    "-ffp-contract=off",
    "-fno-rounding-math",
    "-funroll-loops",
    "-fno-unroll-loops",
    "-funroll-all-loops",
    "-ftree-vectorize",
    "-fno-tree-vectorize",
    "-fno-tree-slp-vectorize",
    "-fvect-cost-model=unlimited",
    "-fvect-cost-model=dynamic",
    "-fvect-cost-model=cheap",
    "-fsimd-cost-model=unlimited",
    "-fprefetch-loop-arrays",
    "-ftree-loop-distribution",
    "-fno-tree-loop-distribute-patterns",
    "-floop-interchange",
    "-floop-unroll-and-jam",
    "-fno-strict-aliasing",
    "-fno-ivopts",
    "-fomit-frame-pointer",
    "-fschedule-insns",
    "-mprefer-vector-width=128",
    "-mprefer-vector-width=256",
    "-mprefer-vector-width=512",
];

fn forbidden(detail: String) -> Result<(), Rejection> {
    Err(Rejection { reason: Reason::Forbidden, detail })
}

/// Whether every option is on the list.
pub(super) fn check_flags(flags: &[String]) -> Result<(), Rejection> {
    match flags.iter().find(|flag| !FLAGS.contains(&flag.as_str())) {
        None => Ok(()),
        Some(flag) => {
            let shown: String = flag.chars().take(60).collect();
            let detail = format!("compiler option `{shown}` is not on the list");
            Err(Rejection { reason: Reason::Flag, detail })
        }
    }
}

/// Whether the text is free of what no kernel needs.
pub(super) fn check_source(source: &str) -> Result<(), Rejection> {
    if source.len() > MOST_BYTES {
        return forbidden(format!("{} bytes of source; at most {MOST_BYTES}", source.len()));
    }
    if source.contains('\0') {
        return forbidden("a zero byte in the source".to_owned());
    }
    let text = plain(source);
    for line in text.lines() {
        check_directive(line.trim_start())?;
    }
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    for word in words {
        if WORDS.contains(&word) {
            return forbidden(format!("`{word}` in the source"));
        }
    }
    Ok(())
}

fn check_directive(line: &str) -> Result<(), Rejection> {
    let Some(rest) = line.strip_prefix('#').or_else(|| line.strip_prefix("%:")) else {
        return Ok(());
    };
    let rest = rest.trim_start();
    let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    match name.as_str() {
        "include" => {
            let target = rest["include".len()..].trim();
            let header = target.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
            match header {
                Some(header) if HEADERS.contains(&header.trim()) => Ok(()),
                _ => {
                    let shown: String = target.chars().take(60).collect();
                    forbidden(format!("`#include {shown}` is not on the list of headers"))
                }
            }
        }
        "import" | "include_next" | "embed" | "incbin" => forbidden(format!("`#{name}`")),
        _ => Ok(()),
    }
}

/// The text with line splices joined, comments removed and strings emptied, so that words are
/// words of the program. What is quoted after `#include` stays.
fn plain(source: &str) -> String {
    let source = source.replace("\\\r\n", "").replace("\\\n", "");
    let mut text = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => {
                while letters.next_if(|next| *next != '\n').is_some() {}
            }
            '/' if letters.peek() == Some(&'*') => {
                letters.next();
                let mut before = ' ';
                for next in letters.by_ref() {
                    if before == '*' && next == '/' {
                        break;
                    }
                    if next == '\n' {
                        text.push('\n');
                    }
                    before = next;
                }
                text.push(' ');
            }
            '"' | '\'' => {
                text.push(letter);
                while let Some(next) = letters.next_if(|next| *next != '\n') {
                    if next == '\\' {
                        letters.next();
                    } else if next == letter {
                        break;
                    }
                }
                text.push(letter);
            }
            _ => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> Option<String> {
        check_source(source).err().map(|rejection| rejection.detail)
    }

    #[test]
    fn kernels_with_ordinary_words_pass() {
        let source = "#include <math.h>\n# include < omp.h >\n// asm volatile\n\
                      const char *s = \"asm\"; /* constructor\n */ int asmx, section;\n\
                      #pragma omp parallel sections\n";
        assert_eq!(refused(source), None);
    }

    #[test]
    fn inline_assembly_is_found_behind_splices_and_comments() {
        for source in ["__asm__(\"nop\");", "as\\\nm(\"nop\");", "/* x */asm/**/volatile(\"\");"] {
            assert!(refused(source).is_some(), "{source}");
        }
    }

    #[test]
    fn constructors_are_found() {
        assert!(refused("__attribute__((constructor)) void f(void) {}").is_some());
    }

    #[test]
    fn only_listed_headers_may_be_included() {
        for source in [
            "#include \"/etc/passwd\"",
            "#include <unistd.h>",
            "#inc\\\nlude </etc/passwd>",
            "%:include \"x\"",
            "#define H <stdio.h>\n#include H",
            "/**/ #include <fcntl.h>",
            "#include_next <math.h>",
        ] {
            assert!(refused(source).is_some(), "{source}");
        }
    }

    #[test]
    fn options_outside_the_list_are_refused() {
        let flags = |flag: &str| check_flags(&[flag.to_owned()]).is_ok();
        assert!(flags("-O2") && flags("-mprefer-vector-width=512"));
        for flag in
            ["-fplugin=x.so", "-I/", "-O3 -B/tmp", "@file", "-Wl,-z", "-finstrument-functions"]
        {
            assert!(!flags(flag), "{flag}");
        }
    }
}
