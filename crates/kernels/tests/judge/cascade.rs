//! How far candidates come, and what is told of them.

use kernels::Error;
use kernels::evaluation::{Level, Reason};
use kernels::graph::Tensor;
use kernels::judge::{Effort, Expect, Judge, Set};
use kernels::zoo::{self, ZooTask};

use crate::common::{judge, kernel, options};

#[test]
fn an_honest_kernel_is_timed_right_in_every_call() {
    let mut judge = judge(ZooTask::Softmax);
    let threads = zoo::honest().into_iter().find(|animal| animal.class == "softmax-threads");
    let candidate = threads.expect("in the zoo").candidate;
    let evaluation = judge.evaluate(&candidate, Effort::Full).expect("judged");
    assert_eq!((&evaluation.rejection, evaluation.level), (&None, Level::Timed));
    let timing = evaluation.timing.expect("timed");
    assert_eq!(timing.blocks.len(), 2);
    for block in &timing.blocks {
        assert_eq!((block.candidate_nanos.len(), block.baseline_nanos.len()), (7, 7));
    }
    // Four to check, two more with other threads, four in the short timing, sixteen in the full.
    assert_eq!(evaluation.n_checked_calls, 4 + 2 + 4 + 16);
    let worst = evaluation.error_over_tolerance.expect("compared");
    assert!(worst > 0.0 && worst <= 1.0, "{worst}");
    for protection in ["seccomp-allow-list", "seccomp-notify", "network-namespace", "landlock"] {
        assert!(evaluation.isolation.iter().any(|name| name == protection), "{protection}");
    }
    assert!(evaluation.compiler.contains("gcc") && evaluation.machine.contains("threads"));
    let round_trip = judge.round_trip();
    assert!(round_trip.n >= 10 && round_trip.low_nanos <= round_trip.high_nanos);
}

#[test]
fn a_kernel_far_slower_than_its_baseline_is_measured_as_such() {
    let mut judge = judge(ZooTask::Variance);
    let slow = kernel(
        ZooTask::Variance,
        "SCRATCH(0);\nKERNEL { float *y = out[0];\n\
         for (volatile long wait = 0; wait < 8000000; wait++) {}\n\
         for (int r = 0; r < ROWS; r++) { const float *x = (const float *)in[0] + r * COLS;\n\
         double m = 0, s = 0; for (int c = 0; c < COLS; c++) m += x[c]; m /= COLS;\n\
         for (int c = 0; c < COLS; c++) s += (x[c] - m) * (x[c] - m); y[r] = s / COLS; } }",
    );
    let evaluation = judge.evaluate(&slow, Effort::Promote).expect("judged");
    assert_eq!((&evaluation.rejection, evaluation.level), (&None, Level::Timed));
    assert!(evaluation.timing.expect("timed").ratio < 0.5);
}

#[test]
fn below_the_bar_no_full_timing_is_begun() {
    let mut judge = judge(ZooTask::Variance);
    judge.set_bar(1e9);
    let base = zoo::base(ZooTask::Variance);
    let evaluation = judge.evaluate(&base, Effort::Promote).expect("judged");
    assert_eq!(evaluation.timing.expect("timed").blocks.len(), 1);
}

#[test]
fn what_does_not_compile_says_where() {
    let mut judge = judge(ZooTask::Affine);
    let broken = kernel(ZooTask::Affine, "SCRATCH(0);\nKERNEL { int x = ; }");
    let rejection = judge.evaluate(&broken, Effort::Check).expect("judged").rejection;
    let rejection = rejection.expect("turned away");
    assert_eq!(rejection.reason, Reason::Compile);
    assert!(rejection.detail.starts_with("kernel:2:"), "{}", rejection.detail);
    assert!(!rejection.detail.contains('\n'), "{}", rejection.detail);
}

#[test]
fn another_baseline_takes_the_place_of_the_base_and_has_to_be_right() {
    let mut judge = judge(ZooTask::Affine);
    let other = zoo::honest().into_iter().find(|animal| animal.class == "vectors");
    judge.set_baseline("vectors", &other.expect("in the zoo").candidate).expect("right");
    let evaluation = judge.evaluate(&zoo::base(ZooTask::Affine), Effort::Quick).expect("judged");
    assert_eq!(evaluation.timing.expect("timed").baseline, "vectors");
    let wrong = kernel(ZooTask::Affine, "SCRATCH(0);\nKERNEL {}");
    assert!(judge.set_baseline("wrong", &wrong).is_err());
}

/// A task of the zoo whose base kernel is asked for something else.
struct Mistaken(ZooTask);

impl Expect for Mistaken {
    fn name(&self) -> &str {
        "mistaken"
    }

    fn given(&self) -> Vec<Tensor> {
        self.0.given()
    }

    fn returned(&self) -> Vec<Tensor> {
        self.0.returned()
    }

    fn kinds(&self) -> Vec<String> {
        self.0.kinds()
    }

    fn draw(&self, kind: usize, seed: u64) -> Result<Set, Error> {
        let mut set = self.0.draw(kind, seed)?;
        set.expected[0].values[17] += 1.0;
        Ok(set)
    }
}

#[test]
fn a_base_that_is_wrong_is_an_error_and_names_the_task() {
    let task = ZooTask::Affine;
    let opened = Judge::open(Box::new(Mistaken(task)), &zoo::base(task), options());
    let error = opened.err().expect("no judge").to_string();
    assert!(error.contains("mistaken") && error.contains("element 17"), "{error}");
}

#[test]
fn a_candidate_right_at_one_size_only_is_wrong_for_its_shape() {
    let mut judge = judge(ZooTask::Affine);
    // Here the variant is the same task, and the candidate for it computes half of it.
    let variant_idx = judge.add_variant(Box::new(ZooTask::Affine)).expect("added");
    let right = judge.check_variant(variant_idx, &zoo::base(ZooTask::Affine)).expect("checked");
    assert_eq!(right, None);
    let half = kernel(ZooTask::Affine, "SCRATCH(0);\nKERNEL { HONEST_AFFINE(0, N / 2); }");
    let rejection = judge.check_variant(variant_idx, &half).expect("checked");
    assert_eq!(rejection.expect("turned away").reason, Reason::Shape);
}

#[test]
fn a_judge_can_move_to_another_thread() {
    fn movable<T: Send>() {}
    movable::<Judge>();
}
