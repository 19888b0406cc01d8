//! How far candidates come, and what stops them.

use kernels::evaluation::Level;
use kernels::judge::Effort;

use crate::common::{HONEST, affine, evaluate, judge};

const N: usize = 5000;

#[test]
fn an_honest_kernel_is_timed_in_every_call_right() {
    let mut judge = judge(N);
    let candidate = affine(N, "", &format!("_Pragma(\"omp parallel for\")\n{HONEST}"));
    let evaluation = evaluate(&mut judge, &candidate, Effort::Full);
    assert_eq!((evaluation.rejection, evaluation.level), (None, Level::Timed));
    let timing = evaluation.timing.expect("timed");
    assert_eq!(timing.blocks.len(), 2);
    assert!(timing.blocks.iter().all(|block| block.candidate_nanos.len() == 7));
    assert!(evaluation.error_over_tolerance.expect("compared") <= 1.0);
    assert!(evaluation.isolation.contains(&"seccomp-allow-list".to_owned()));
    eprintln!("{:?} {:?} {:?}", judge.round_trip(), judge.floor(), timing.ratio);
}
