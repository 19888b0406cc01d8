//! From a plan to source text.

mod cuda;
mod direct;
mod dots;
mod expr;
mod nest;
mod product;
mod run;
mod storage;
mod text;
mod turns;
mod vectors;

use crate::candidate::{Candidate, Language};
use crate::loops::Program;
use crate::plan::{Plan, Schedule};
use storage::Storage;

/// Threads that a kernel has room for, at most.
const MOST_THREADS: usize = 16;

/// C for the CPU.
#[must_use]
pub fn c(program: &Program, schedule: &Schedule) -> Candidate {
    let plan = Plan::new(program, schedule);
    let storage = Storage::new(&plan, schedule.width);
    let mut functions = String::new();
    let mut body = String::new();
    let threads = plan.nests.iter().any(|nest| nest.part.threads);
    for (idx, nest) in plan.nests.iter().enumerate() {
        let mut text = Lines::new(if threads { 2 } else { 1 });
        let labels: Vec<&str> = nest.stages.iter().map(|stage| stage.label.as_str()).collect();
        text.line(&format!("/* {} */", labels.join("; ")));
        let at = (&storage, schedule.width);
        if let Some(product) = &nest.product {
            product::emit(&mut text, &mut functions, idx, nest, product, at);
        } else if let Some(dots) = &nest.dots {
            dots::emit(&mut text, nest, dots, &storage);
        } else if let Some(direct) = &nest.direct {
            direct::emit(&mut text, idx, nest, direct, at);
        } else {
            nest::emit(&mut text, nest, &storage, threads, schedule.width);
        }
        body.push_str(&text.text);
    }
    let mut source = format!("#define W {}\n", schedule.width);
    source.push_str(include_str!("emit/types.c"));
    source.push_str("#if WIDE\n");
    source.push_str(include_str!("emit/wide.c"));
    source.push_str("#else\n");
    source.push_str(&functions_of("v", "vf", "vi"));
    source.push_str("#endif\n");
    source.push_str(&functions_of("s", "float", "int32_t"));
    source.push_str(&functions);
    source.push_str(&format!(
        "\nconst int64_t tetrad_scratch_bytes = {};\n\n",
        storage.scratch_bytes
    ));
    source
        .push_str("void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {\n");
    source.push_str(&storage.declarations());
    if threads {
        source.push_str(&format!(
            "    const int n_threads = omp_get_max_threads() < {MOST_THREADS} ? omp_get_max_threads() : {MOST_THREADS};\n"
        ));
        source.push_str("    #pragma omp parallel num_threads(n_threads)\n    {\n");
        source.push_str("    const int thread = omp_get_thread_num();\n");
    } else {
        source.push_str("    const int thread = 0;\n");
    }
    source.push_str("    (void)in; (void)scratch; (void)thread;\n");
    source.push_str(&body);
    if threads {
        source.push_str("    }\n");
    }
    source.push_str("}\n");
    let mut flags: Vec<String> = Schedule::FLAGS[schedule.flags % Schedule::FLAGS.len()]
        .iter()
        .map(ToString::to_string)
        .collect();
    flags.extend(["-fno-math-errno", "-fno-trapping-math"].map(ToOwned::to_owned));
    Candidate { language: Language::C, source, flags }
}

/// CUDA C: the base kernels of a plan, with what is launched in front.
#[must_use]
pub fn cuda(program: &Program, schedule: &Schedule) -> Candidate {
    let source = cuda::text(program, schedule);
    Candidate { language: Language::Cuda, source, flags: Vec::new() }
}

/// The functions of `math.c` for one type.
fn functions_of(prefix: &str, real: &str, whole: &str) -> String {
    let vector = prefix == "v";
    let pick = if vector { "v_pick((m), (a), (b))" } else { "((m) ? (a) : (b))" };
    let same = if vector { "v_all(x)" } else { "(x)" };
    let to_real = if vector { "__builtin_convertvector((i), vf)" } else { "(float)(i)" };
    format!(
        "#define REAL {real}\n#define WHOLE {whole}\n#define FN(name) {prefix}_##name\n\
         #define PICK(m, a, b) {pick}\n#define SAME(x) {same}\n#define TO_REAL(i) {to_real}\n\
         #define AS_WHOLE(x) {prefix}_bits(x)\n#define AS_REAL(i) {prefix}_float(i)\n{}\
         #undef REAL\n#undef WHOLE\n#undef FN\n#undef PICK\n#undef SAME\n#undef TO_REAL\n\
         #undef AS_WHOLE\n#undef AS_REAL\n",
        include_str!("emit/math.c")
    )
}

/// Indented text.
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn new(depth: usize) -> Self {
        Self { text: String::new(), depth }
    }

    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, line: &str) {
        let line = if line.is_empty() { "{".to_owned() } else { format!("{line} {{") };
        self.line(&line);
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    /// A loop over a variable from 0.
    fn count(&mut self, var: &str, extent: usize) {
        self.open(&format!("for (int64_t {var} = 0; {var} < {extent}; {var}++)"));
    }

    /// Closes until so deep.
    fn close_to(&mut self, depth: usize) {
        while self.depth > depth {
            self.close();
        }
    }
}
