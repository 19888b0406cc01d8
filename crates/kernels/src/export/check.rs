//! A program that holds the exported kernel against the plain one.

use std::fmt::Write as _;

use crate::Candidate;
use crate::graph::{Dtype, Tensor};
use crate::task::{Generator, Task};

/// Largest error allowed, relative to the largest value of an output: two orders of summation in
/// float32 differ by less.
const TOLERANCE: f64 = 1e-3;
/// Calls that are timed.
const N_CALLS: u32 = 20;

/// `test.c`.
pub(super) fn main(task: &Task, candidate: &Candidate) -> String {
    let (given, returned): (Vec<&Tensor>, Vec<&Tensor>) =
        (task.graph.given().collect(), task.graph.returned().collect());
    let flags = candidate.flags.join(" ");
    let mut text = format!(
        "// Holds kernel.c against base.c on random inputs, and times both.\n\
         //\n\
         //     cc -O2 {flags} test.c -o test -lm && ./test\n\
         //\n\
         // This is a smoke test. The judge that verified the kernel compares with float64, on many\n\
         // kinds of input.\n\n\
         #define _GNU_SOURCE\n#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n\
         #include <stdlib.h>\n#include <string.h>\n#include <time.h>\n\n\
         #define tetrad_kernel base_kernel\n#define tetrad_scratch_bytes base_scratch_bytes\n\
         #include \"base.c\"\n\
         #undef tetrad_kernel\n#undef tetrad_scratch_bytes\n#include \"kernel.c\"\n\n\
         static uint64_t state = 1;\n\
         static double uniform(void) {{\n    \
         state = state * 6364136223846793005u + 1442695040888963407u;\n    \
         return (double)(state >> 11) / 9007199254740992.0;\n}}\n\
         static double normal(void) {{\n    \
         return sqrt(-2.0 * log(1.0 - uniform())) * cos(6.283185307179586 * uniform());\n}}\n\
         static void *room(int64_t n_bytes) {{\n    \
         void *at = aligned_alloc(64, (size_t)((n_bytes + 127) / 64 * 64));\n    \
         if (!at) abort();\n    return at;\n}}\n\
         static double now(void) {{\n    struct timespec t;\n    \
         clock_gettime(CLOCK_MONOTONIC, &t);\n    return t.tv_sec + 1e-9 * t.tv_nsec;\n}}\n\
         static int by_value(const void *a, const void *b) {{\n    \
         double x = *(const double *)a, y = *(const double *)b;\n    \
         return (x > y) - (x < y);\n}}\n\n\
         int main(void) {{\n    void *in[{}], *expected[{}], *out[{}];\n",
        given.len().max(1),
        returned.len().max(1),
        returned.len().max(1),
    );
    for (idx, tensor) in given.iter().enumerate() {
        fill(&mut text, idx, tensor, task.generators.get(&tensor.name));
    }
    for (idx, tensor) in returned.iter().enumerate() {
        let n_bytes = tensor.size_bytes();
        let _ =
            writeln!(text, "    expected[{idx}] = room({n_bytes}), out[{idx}] = room({n_bytes});");
        let _ = writeln!(text, "    memset(out[{idx}], 0xff, {n_bytes});");
    }
    text.push_str(
        "    void *one = room(base_scratch_bytes), *other = room(tetrad_scratch_bytes);\n    \
         base_kernel((const void *const *)in, expected, one);\n    \
         tetrad_kernel((const void *const *)in, out, other);\n    int wrong = 0;\n",
    );
    for (idx, tensor) in returned.iter().enumerate() {
        let (c, n) = (tensor.dtype.c_name(), tensor.n_elements());
        let limit = if tensor.dtype.is_float() { TOLERANCE } else { 0.0 };
        let _ = writeln!(
            text,
            "    {{\n        const {c} *a = expected[{idx}], *b = out[{idx}];\n        \
             double error = 0, scale = 0;\n        \
             for (int64_t i = 0; i < {n}; ++i) {{\n            \
             double x = (double)a[i], y = (double)b[i];\n            \
             if (x == y || (isnan(x) && isnan(y))) continue;\n            \
             double e = fabs(x - y);\n            \
             if (!(e <= error)) error = isnan(e) ? INFINITY : e;\n        }}\n        \
             for (int64_t i = 0; i < {n}; ++i)\n            \
             if (isfinite((double)a[i]) && fabs((double)a[i]) > scale) scale = fabs((double)a[i]);\n        \
             printf(\"out {idx}: largest error %g at scale %g\\n\", error, scale);\n        \
             wrong |= !(error <= {limit:e} * scale);\n    }}"
        );
    }
    let _ = write!(
        text,
        "    double times[2][{N_CALLS}];\n    \
         for (int call = 0; call < {N_CALLS}; ++call) {{\n        \
         double t = now();\n        \
         base_kernel((const void *const *)in, expected, one);\n        \
         times[0][call] = now() - t, t = now();\n        \
         tetrad_kernel((const void *const *)in, out, other);\n        \
         times[1][call] = now() - t;\n    }}\n    \
         for (int which = 0; which < 2; ++which) qsort(times[which], {N_CALLS}, sizeof(double), by_value);\n    \
         printf(\"median of {N_CALLS} calls: base %.1f us, kernel %.1f us\\n\", 1e6 * times[0][{mid}], \
         1e6 * times[1][{mid}]);\n    \
         puts(wrong ? \"WRONG\" : \"right\");\n    return wrong;\n}}\n",
        mid = N_CALLS / 2,
    );
    text
}

fn fill(text: &mut String, idx: usize, tensor: &Tensor, generator: Option<&Generator>) {
    let (c, n) = (tensor.dtype.c_name(), tensor.n_elements());
    let value = match generator {
        Some(Generator::Normal { mean, std }) => format!("{mean:e} + {std:e} * normal()"),
        Some(Generator::Uniform { low, high }) => {
            format!("{low:e} + ({high:e} - {low:e}) * uniform()")
        }
        Some(Generator::Integers { low, high }) => {
            format!("{low} + floor(uniform() * ({high} - {low}))")
        }
        Some(Generator::Bernoulli { p }) => format!("uniform() < {p:e}"),
        Some(Generator::Probabilities) => "uniform()".to_owned(),
        // Stored values do not come along: others of the usual size stand in.
        Some(Generator::Stored) | None if tensor.dtype.is_float() => "normal()".to_owned(),
        Some(Generator::Stored) | None => "0".to_owned(),
    };
    let value = if tensor.dtype == Dtype::Bool { format!("({value}) != 0") } else { value };
    let _ = writeln!(
        text,
        "    in[{idx}] = room({});\n    for (int64_t i = 0; i < {n}; ++i) (({c} *)in[{idx}])[i] = ({c})({value});",
        tensor.size_bytes()
    );
    if generator == Some(&Generator::Probabilities) {
        let row = tensor.shape.last().copied().unwrap_or(1).max(1);
        let _ = writeln!(
            text,
            "    for (int64_t r = 0; r < {n}; r += {row}) {{\n        double sum = 0;\n        \
             for (int64_t i = 0; i < {row}; ++i) sum += (({c} *)in[{idx}])[r + i];\n        \
             for (int64_t i = 0; i < {row}; ++i) (({c} *)in[{idx}])[r + i] /= sum;\n    }}"
        );
    }
}
