//! The judge on a task whose expected outputs come from the oracle.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernels::evaluation::{Level, Reason};
use kernels::graph::{Argument, Dtype, Graph, Node, Tensor};
use kernels::judge::{Effort, Expect, Judge, Known};
use kernels::task::{FORMAT, Generator, Origin, Policy};
use kernels::{Candidate, Language, Task};

use crate::common::options;

/// `exp(x)` row by row, and at an odd size as a variant.
fn task() -> Task {
    let graph = |rows: usize, columns: usize| {
        let tensor = |name: &str| Tensor {
            name: name.to_owned(),
            dtype: Dtype::F32,
            shape: vec![rows, columns],
        };
        let arguments = BTreeMap::from([("self".to_owned(), Argument::Tensor("x".to_owned()))]);
        let op = "aten.exp.default".to_owned();
        Graph {
            inputs: vec![tensor("x")],
            parameters: Vec::new(),
            nodes: vec![Node { op, arguments, outputs: vec![tensor("y")] }],
            outputs: vec!["y".to_owned()],
        }
    };
    let generator = Generator::Normal { mean: 0.0, std: 1.0 };
    Task {
        format: FORMAT,
        name: "exponential".to_owned(),
        summary: "Exponential.".to_owned(),
        origin: Origin { source: "tetrad".to_owned(), licence: "MIT".to_owned() },
        graph: graph(32, 64),
        generators: BTreeMap::from([("x".to_owned(), generator)]),
        policy: Policy::default(),
        variants: vec![graph(5, 13)],
        stored: BTreeMap::new(),
    }
}

fn kernel(n: usize, expression: &str) -> Candidate {
    let source = format!(
        "#include <math.h>\n#include <stdint.h>\nconst int64_t tetrad_scratch_bytes = 0;\n\
         void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {{\n\
         const float *x = in[0]; float *y = out[0]; (void)scratch;\n\
         for (int i = 0; i < {n}; i++) y[i] = {expression};\n}}\n"
    );
    Candidate { language: Language::C, source, flags: Vec::new() }
}

#[test]
fn a_task_of_the_oracle_is_judged_at_its_size_and_at_its_variants() {
    let task = Arc::new(task());
    let known = Known::task(Arc::clone(&task), 5).unwrap_or_else(|error| panic!("{error}"));
    let kinds = known.kinds();
    assert!(kinds.contains(&"plain".to_owned()) && kinds.len() > 3, "{kinds:?}");
    let right = kernel(32 * 64, "expf(x[i])");
    let mut judge =
        Judge::open(Box::new(known), &right, options()).unwrap_or_else(|error| panic!("{error}"));
    let evaluation = judge.evaluate(&right, Effort::Check).expect("judged");
    assert_eq!((&evaluation.rejection, evaluation.level), (&None, Level::Correct));
    // Good to a few digits only: what half precision would give.
    let coarse = kernel(32 * 64, "expf(x[i]) * 1.0005f");
    let rejection = judge.evaluate(&coarse, Effort::Check).expect("judged").rejection;
    assert_eq!(rejection.expect("turned away").reason, Reason::Wrong);
    // Zeros do not occur in the plain inputs.
    let zeros = kernel(32 * 64, "x[i] == 0 ? 0 : expf(x[i])");
    let rejection = judge.evaluate(&zeros, Effort::Check).expect("judged").rejection;
    assert_eq!(rejection.expect("turned away").reason, Reason::Adversarial);

    let variant = Known::variant(task, 0, 5).unwrap_or_else(|error| panic!("{error}"));
    let variant_idx = judge.add_variant(Box::new(variant)).expect("added");
    let mut check = |n| judge.check_variant(variant_idx, &kernel(n, "expf(x[i])"));
    assert_eq!(check(5 * 13).expect("checked"), None);
    let whole_vectors = check(5 * 13 / 16 * 16).expect("checked");
    assert_eq!(whole_vectors.expect("turned away").reason, Reason::Shape);
}
