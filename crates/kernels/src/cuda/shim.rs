//! CUDA C as C++ for the CPU: the candidate's text between `shim.h` and what launches it.
//!
//! Only for function. What the shim has no answer for is refused with its name; see `shim.h` for
//! what a run shows: races, by running warps, lanes and blocks in ever other orders; shared memory
//! that is overrun or read before it is written; barriers that not all threads reach. Global
//! memory has the judge's guard pages and garbage round every buffer.

use std::fmt::Write;

use super::launch::{Argument, Launches};
use crate::evaluation::{Reason, Rejection};

/// Types, functions, fibers.
const HEADER: &str = include_str!("shim.h");

/// What is told with every result of the shim.
pub const UNMEASURED: &str =
    "unmeasured: run on the CPU by a shim, for function only; no GPU has run or timed it";

/// Words without an answer here, and what they stand for.
const UNCOVERED: [(&str, &str); 27] = [
    ("asm", "inline PTX"),
    ("__asm", "inline PTX"),
    ("__asm__", "inline PTX"),
    ("wmma", "tensor cores"),
    ("nvcuda", "tensor cores"),
    ("mma_sync", "tensor cores"),
    ("__pipeline_memcpy_async", "asynchronous copies"),
    ("__pipeline_commit", "asynchronous copies"),
    ("__pipeline_wait_prior", "asynchronous copies"),
    ("memcpy_async", "asynchronous copies"),
    ("__cvta_generic_to_shared", "asynchronous copies"),
    ("cooperative_groups", "cooperative groups"),
    ("__cluster_dims__", "clusters"),
    ("__half", "half precision types"),
    ("half2", "half precision types"),
    ("__half2", "half precision types"),
    ("__nv_bfloat16", "half precision types"),
    ("__nv_bfloat162", "half precision types"),
    ("__nv_fp8_e4m3", "types of 8 bits"),
    ("__activemask", "the lanes that happen to be active"),
    ("clock", "the device's clock"),
    ("clock64", "the device's clock"),
    ("globaltimer", "the device's clock"),
    ("printf", "output"),
    ("thread_local", "host storage"),
    ("_Pragma", "pragmas in macros"),
    ("typeid", "type information"),
];

/// Headers whose content is there anyway, on both sides.
const HEADERS: [&str; 12] = [
    "cuda_runtime.h",
    "cuda.h",
    "device_launch_parameters.h",
    "math_constants.h",
    "math.h",
    "cmath",
    "stdint.h",
    "cstdint",
    "float.h",
    "cfloat",
    "limits.h",
    "climits",
];

fn forbidden<T>(detail: String) -> Result<T, Rejection> {
    Err(Rejection { reason: Reason::Forbidden, detail })
}

/// A text that was looked at, without comments and headers, and what it launches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looked {
    /// As many lines as the candidate's text, up to joined ones.
    pub(super) text: String,
    pub(super) launches: Launches,
}

/// Looks at a candidate's text: the same for the shim and for a device.
pub(super) fn look(source: &str) -> Result<Looked, Rejection> {
    if source.len() > 1 << 20 || source.contains('\0') {
        return forbidden("more than 1 MiB of source, or a zero byte in it".to_owned());
    }
    let launches =
        Launches::read(source).map_err(|detail| Rejection { reason: Reason::Forbidden, detail })?;
    let mut text = String::with_capacity(source.len());
    for line in without_comments(source).lines() {
        if !directive(line)? {
            text.push_str(line);
        }
        text.push('\n');
    }
    for word in words(&text) {
        if word.starts_with("tetrad_") || word.starts_with("__builtin_") || word == "__attribute__"
        {
            return forbidden(format!(
                "`{}` in the source",
                word.chars().take(60).collect::<String>()
            ));
        }
    }
    for launch in &launches.launches {
        if !words(&text).any(|word| word == launch.name) {
            return forbidden(format!("`{}` is launched and not there", launch.name));
        }
    }
    Ok(Looked { text, launches })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
}

/// Whether a line is an `#include` to leave out; a rejection for what no kernel needs.
fn directive(line: &str) -> Result<bool, Rejection> {
    let line = line.trim();
    let Some(rest) = line.strip_prefix('#').or_else(|| line.strip_prefix("%:")) else {
        return Ok(false);
    };
    let rest = rest.trim_start();
    let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let after = rest[name.len()..].trim();
    let shown: String = line.chars().take(60).collect();
    match name.as_str() {
        "include" => {
            let header = after.trim_matches(['<', '>', '"', ' ']);
            if HEADERS.contains(&header) {
                Ok(true)
            } else {
                forbidden(format!("`{shown}` is not covered by the CPU shim"))
            }
        }
        // A text that can tell where it is compiled could be right here only.
        "if" | "ifdef" | "ifndef" | "elif" if after.contains("__") => {
            forbidden(format!("`{shown}` asks who compiles"))
        }
        "pragma" if !after.starts_with("unroll") && !after.starts_with("nounroll") => {
            forbidden(format!("`{shown}` in the source"))
        }
        "define" if words(after).any(|word| word == "__shared__") => {
            forbidden("`__shared__` in a macro is not covered by the CPU shim".to_owned())
        }
        "if" | "ifdef" | "ifndef" | "elif" | "else" | "endif" | "define" | "undef" | "pragma"
        | "error" | "" => Ok(false),
        _ => forbidden(format!("`{shown}` in the source")),
    }
}

/// The text with spliced lines joined and comments gone.
fn without_comments(source: &str) -> String {
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
            // A quote between digits separates them; no kernel needs other characters.
            '"' => {
                text.push(letter);
                while let Some(next) = letters.next_if(|next| *next != '\n') {
                    text.push(next);
                    if next == '\\' {
                        text.extend(letters.next_if(|next| *next != '\n'));
                    } else if next == '"' {
                        break;
                    }
                }
            }
            _ => text.push(letter),
        }
    }
    text
}

/// C++ that computes on the CPU what the candidate would on a device, with the judge's interface.
///
/// # Errors
/// The rejection of a text that the shim has no answer for.
pub fn translate(source: &str) -> Result<String, Rejection> {
    let Looked { text, launches } = look(source)?;
    for word in words(&text) {
        if let Some((_, what)) = UNCOVERED.iter().find(|(uncovered, _)| *uncovered == word) {
            return forbidden(format!("`{word}`: {what} are not covered by the CPU shim"));
        }
    }
    let text = shared_arrays(&text)?;
    let mut made = format!("{HEADER}\n#line 1 \"kernel\"\n{text}\n#line 1 \"launches\"\n");
    made.push_str(
        "static const void *const *tetrad_in;\nstatic void *const *tetrad_out;\n\
         static unsigned char *tetrad_scratch;\n",
    );
    let mut calls = String::new();
    for (idx, launch) in launches.launches.iter().enumerate() {
        let arguments: Vec<String> = launch
            .arguments
            .iter()
            .map(|argument| match argument {
                Argument::Given(at) => format!("tetrad_pointer{{(void *)tetrad_in[{at}]}}"),
                Argument::Returned(at) => format!("tetrad_pointer{{tetrad_out[{at}]}}"),
                Argument::Scratch(at) => format!("tetrad_pointer{{tetrad_scratch + {at}}}"),
            })
            .collect();
        let name = &launch.name;
        // Writing to text cannot fail.
        let _ = writeln!(
            made,
            "static void tetrad_launch_{idx}() {{ {name}({}); }}",
            arguments.join(", ")
        );
        let size = |each: [u32; 3]| format!("dim3({}, {}, {})", each[0], each[1], each[2]);
        let _ = writeln!(
            calls,
            "    tetrad_launch({}, {}, {}, tetrad_launch_{idx});",
            size(launch.grid),
            size(launch.block),
            launch.shared_bytes
        );
    }
    let bytes = launches.scratch_bytes;
    let _ = write!(
        made,
        "extern \"C\" const int64_t tetrad_scratch_bytes = {bytes};\n\
         extern \"C\" void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {{\n\
         \x20   tetrad_in = in;\n    tetrad_out = out;\n\
         \x20   tetrad_scratch = (unsigned char *)scratch;\n\
         \x20   // Addresses are others in every call: so are the orders.\n\
         \x20   tetrad_random += (uintptr_t)in[0] * 0x9e3779b97f4a7c15u + (uintptr_t)out[0];\n\
         \x20   if (!tetrad_random) tetrad_random = 1;\n\
         \x20   tetrad_fill(scratch, {bytes}, tetrad_nan());\n{calls}}}\n"
    );
    Ok(made)
}

/// A rejection with what its signal means where the shim raised it.
pub(crate) fn explained(mut rejection: Rejection) -> Rejection {
    if rejection.reason == Reason::Crash && rejection.detail.contains("SIGILL") {
        rejection.detail = "threads waited for what never came, met at different barriers, or \
                            named a warp mask without themselves"
            .to_owned();
    } else if rejection.reason == Reason::Crash && rejection.detail.contains("SIGFPE") {
        rejection.reason = Reason::OutOfBounds;
        rejection.detail = "shared memory was overrun or is too large, or an integer was divided \
                            by zero"
            .to_owned();
    }
    rejection
}

/// The text with every shared array in the arena of `shim.h`.
fn shared_arrays(text: &str) -> Result<String, Rejection> {
    const WORD: &str = "__shared__";
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    let mut n = 0;
    while let Some(at) = rest.find(WORD) {
        let mut before = rest[..at].trim_end();
        let mut external = false;
        loop {
            let shorter = ["extern", "static"].iter().find_map(|word| {
                let shorter = before.strip_suffix(word)?;
                let letter = shorter.chars().next_back().unwrap_or(' ');
                (!letter.is_ascii_alphanumeric() && letter != '_').then_some((*word, shorter))
            });
            let Some((word, shorter)) = shorter else { break };
            external |= word == "extern";
            before = shorter.trim_end();
        }
        made.push_str(before);
        made.push(' ');
        let after = &rest[at + WORD.len()..];
        let Some(end) = after.find(';') else {
            return forbidden("`__shared__` without its `;`".to_owned());
        };
        let lines = rest[before.len()..at + WORD.len() + end].matches('\n').count();
        made.push_str(&shared(&after[..end], external, &mut n)?);
        made.extend(std::iter::repeat_n('\n', lines));
        rest = &after[end + 1..];
    }
    made.push_str(rest);
    Ok(made)
}

/// One declaration, without `__shared__` and `;`.
fn shared(declaration: &str, external: bool, n: &mut usize) -> Result<String, Rejection> {
    let shown: String = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
    let strange = || {
        let shown: String = shown.chars().take(60).collect();
        Rejection {
            reason: Reason::Forbidden,
            detail: format!("`__shared__ {shown}` is not a form that the CPU shim covers"),
        }
    };
    if declaration.contains(['=', '{', '#', '"']) {
        return Err(strange());
    }
    let declaration = without_alignment(declaration);
    let mut made = String::new();
    let mut of: Option<String> = None;
    for part in split_at_commas(&declaration) {
        // The dimensions begin at the first bracket that is not within a template's arguments.
        let (head, dims) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let head = head.trim();
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name_at = head.trim_end_matches(letters).len();
        let (before, name) = head.split_at(name_at);
        let of = match &of {
            None => of.insert(before.trim().to_owned()),
            Some(_) if !before.trim().is_empty() => return Err(strange()),
            Some(of) => of,
        };
        if name.is_empty() || of.is_empty() {
            return Err(strange());
        }
        if external {
            let dims: String = dims.split_whitespace().collect();
            if dims != "[]" {
                return Err(strange());
            }
            let _ = write!(made, "{of} *const {name} = ({of} *)tetrad_dynamic; ");
        } else {
            *n += 1;
            let _ = write!(
                made,
                "typedef {of} tetrad_type_{n}{dims}; tetrad_type_{n} &{name} = \
                 *(tetrad_type_{n} *)tetrad_shared({n}, sizeof(tetrad_type_{n})); "
            );
        }
    }
    Ok(made)
}

/// Without `__align__(N)` and `alignas(N)`: every array is aligned well enough.
fn without_alignment(declaration: &str) -> String {
    let mut text = declaration.to_owned();
    for word in ["__align__", "alignas"] {
        while let Some(at) = text.find(word) {
            let end = text[at..].find(')').map_or(text.len(), |end| at + end + 1);
            text.replace_range(at..end, " ");
        }
    }
    text
}

/// The parts between commas outside brackets of any kind.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut first) = (0i32, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '<' => depth += 1,
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[first..at]);
                first = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[first..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCH: &str = "// launch: f 1 32 0 out0\n";

    fn refused(text: &str) -> String {
        translate(&format!("{LAUNCH}{text}")).expect_err(text).detail
    }

    #[test]
    fn what_is_not_covered_is_refused_by_name() {
        for (text, word) in [
            ("void f() { asm(\"nop;\"); }", "PTX"),
            ("#include <mma.h>\nvoid f() {}", "mma.h"),
            ("void f() { nvcuda::wmma::fill_fragment(a, 0); }", "tensor"),
            ("void f() { __pipeline_commit(); }", "asynchronous"),
            ("#ifdef __CUDA_ARCH__\n#endif\nvoid f() {}", "compiles"),
            ("void f() { tetrad_stop(); }", "tetrad_"),
            ("void f() { __builtin_trap(); }", "__builtin_"),
            ("#pragma omp parallel\nvoid f() {}", "pragma"),
            ("#define S __shared__\nvoid f() {}", "macro"),
            ("void f() { __shared__ int x = 3; }", "form"),
            ("void g() {}", "not there"),
        ] {
            let detail = refused(text);
            assert!(detail.contains(word), "{text}: {detail}");
            assert!(!detail.contains('\n'));
        }
    }

    #[test]
    fn shared_arrays_move_to_the_arena_and_lines_stay() {
        let text = "extern __shared__ float s[];\n__shared__ __align__(16) Pair<int, 2>\n a[2][3], \
                    b;\nstatic __shared__ unsigned int c[4];x";
        let made = shared_arrays(text).expect("known forms");
        assert!(made.contains("float *const s = (float *)tetrad_dynamic;"), "{made}");
        assert!(made.contains("typedef Pair<int, 2> tetrad_type_1[2][3];"), "{made}");
        assert!(made.contains("typedef Pair<int, 2> tetrad_type_2; tetrad_type_2 &b"), "{made}");
        assert!(made.contains("typedef unsigned int tetrad_type_3[4]"), "{made}");
        assert_eq!(made.matches('\n').count(), text.matches('\n').count());
        assert!(!made.contains("static") && made.ends_with('x'));
    }
}
