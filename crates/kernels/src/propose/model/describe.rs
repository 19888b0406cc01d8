//! Where a text lies on the archive's axes, by what can be seen in it. A schedule says it of itself;
//! of free text only signs are read, which may be wrong without harm: the axes keep kinds apart,
//! they do not judge.

use super::fence::without_comments;
use crate::space::Descriptors;

/// The kind of a C or CUDA text.
#[must_use]
pub fn describe(source: &str) -> Descriptors {
    let code = without_comments(source);
    let has = |sign: &str| code.contains(sign);
    let in_parallel = has("omp parallel") || has("omp for");
    let parallel = if has("__global__") || (in_parallel && has("collapse(")) {
        "blocks"
    } else if in_parallel && has("reduction(") {
        "reduction"
    } else if in_parallel {
        "outer"
    } else {
        "none"
    };
    let is_streaming = has("_mm256_stream") || has("_mm512_stream") || has("nontemporal");
    let memory = match (uses_scratch(&code), is_streaming) {
        (false, false) => "plain",
        (true, false) => "packed",
        (false, true) => "streaming",
        (true, true) => "packed-streaming",
    };
    Descriptors {
        fusion: format!("fused-{}", n_nests(&code).clamp(1, 9)),
        parallel: parallel.to_owned(),
        memory: memory.to_owned(),
    }
}

fn uses_scratch(code: &str) -> bool {
    let Some((_, after)) = code.split_once("tetrad_scratch_bytes") else { return false };
    let value = after.split(';').next().unwrap_or_default().trim_start_matches(['=', ' ']);
    value != "0"
}

/// Loops that stand in no other loop, by indentation of braces: `for` keywords at the least depth
/// of each function.
fn n_nests(code: &str) -> usize {
    let (mut n_nests, mut depth, mut loop_depth) = (0, 0_usize, None::<usize>);
    let mut word = String::new();
    // Parentheses of a loop's head, after which a body without braces ends at its semicolon.
    let (mut parentheses, mut is_bare) = (0_usize, false);
    for character in code.chars() {
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        if matches!(word.as_str(), "for" | "while") && loop_depth.is_none() {
            n_nests += 1;
            loop_depth = Some(depth);
            is_bare = true;
        }
        word.clear();
        match character {
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            '{' => {
                depth += 1;
                is_bare = false;
            }
            '}' => {
                depth = depth.saturating_sub(1);
                if loop_depth.is_some_and(|at| depth <= at) {
                    loop_depth = None;
                }
            }
            ';' if parentheses == 0 && is_bare && loop_depth == Some(depth) => {
                loop_depth = None;
                is_bare = false;
            }
            _ => {}
        }
    }
    n_nests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: (&str, &str, &str)) {
        let found = describe(&format!("void tetrad_kernel() {{\n{body}\n}}\n"));
        let found = (found.fusion.as_str(), found.parallel.as_str(), found.memory.as_str());
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn kinds_are_read_from_signs_in_the_code_and_not_from_comments() {
        check("for (;;) { for (;;) x(); }", ("fused-1", "none", "plain"));
        check("for (;;) x();\nfor (;;) { y(); }\nwhile (a) z();", ("fused-3", "none", "plain"));
        check("// for for omp parallel\nfor (;;) x();", ("fused-1", "none", "plain"));
        check("#pragma omp parallel for\nfor (;;) x();", ("fused-1", "outer", "plain"));
        check(
            "#pragma omp parallel for collapse(2)\nfor (;;) for (;;) x();",
            ("fused-1", "blocks", "plain"),
        );
        check(
            "#pragma omp parallel for reduction(+:s)\nfor (;;) x();",
            ("fused-1", "reduction", "plain"),
        );
        check("for (;;) _mm256_stream_ps(p, v);", ("fused-1", "none", "streaming"));
        let source = "const int64_t tetrad_scratch_bytes = 64;\nvoid tetrad_kernel() {}\n";
        assert_eq!(describe(source).memory, "packed");
        assert_eq!(describe("const int64_t tetrad_scratch_bytes = 0;").memory, "plain");
    }
}
