//! Attacks that need more than one kernel, or a look at the machine.

use kernels::evaluation::{Level, Reason};
use kernels::judge::{Effort, Judge};
use kernels::zoo::{self, ZooTask};
use kernels::{Candidate, Language};

use crate::common::{judge, kernel, options};

#[test]
fn nothing_is_handed_from_one_kernel_to_the_next() {
    let mut judge = judge(ZooTask::Affine);
    // The first leaves a word wherever it can write; the second is right unless it finds one.
    let leave = kernel(
        ZooTask::Affine,
        "SCRATCH(4096); GADGET(put, 1)\n\
         KERNEL { HONEST_AFFINE(0, N);\n\
         static unsigned words[1000]; for (int i = 0; i < 1000; i++) words[i] = 0xfeedbeef;\n\
         words[0] = words[1] = 0; put(4, (long)words, 0); put(4, (long)&words[2], 3000);\n\
         for (int i = 0; i < 1000; i++) ((unsigned *)scratch)[i] = 0xfeedbeef;\n\
         memcpy((float *)out[0] + N, words + 2, 16); }",
    );
    judge.evaluate(&leave, Effort::Check).expect("judged");
    let find = kernel(
        ZooTask::Affine,
        "SCRATCH(4096); GADGET(get, 0)\n\
         KERNEL { HONEST_AFFINE(0, N);\n\
         static unsigned words[1024]; int found = 0;\n\
         for (int i = 0; i < 1024; i++) found |= ((unsigned *)scratch)[i] == 0xfeedbeef;\n\
         for (int file = 3; file < 7; file++)\n\
             while (get(file, (long)words, sizeof words) > 0)\n\
                 for (int i = 0; i < 1024; i++) found |= words[i] == 0xfeedbeef;\n\
         if (found) ((float *)out[0])[0] += 1; }",
    );
    let evaluation = judge.evaluate(&find, Effort::Check).expect("judged");
    assert_eq!((evaluation.rejection, evaluation.level), (None, Level::Correct));
}

#[test]
fn an_endless_macro_meets_the_compilers_limits() {
    let mut options = options();
    options.compile_limit = std::time::Duration::from_millis(1500);
    let task = ZooTask::Affine;
    let mut judge = Judge::open(Box::new(task), &zoo::base(task), options).expect("opens");
    let mut bomb = "#define A0(x) x x\n".to_owned();
    for at in 1..40 {
        bomb.push_str(&format!("#define A{at}(x) A{0}(x) A{0}(x)\n", at - 1));
    }
    bomb.push_str("SCRATCH(0);\nKERNEL { long v = (long)in; A39(v++;) HONEST_AFFINE(0, N); }");
    let evaluation = judge.evaluate(&kernel(task, &bomb), Effort::Check).expect("judged");
    let rejection = evaluation.rejection.expect("turned away");
    assert_eq!(rejection.reason, Reason::CompileLimit, "{}", rejection.detail);
}

#[test]
fn options_that_load_code_are_refused_before_the_compiler_starts() {
    let mut judge = judge(ZooTask::Affine);
    let mut candidate = zoo::base(ZooTask::Affine);
    candidate.flags = vec!["-fplugin=/tmp/x.so".to_owned()];
    let rejection = judge.evaluate(&candidate, Effort::Check).expect("judged").rejection;
    assert_eq!(rejection.expect("turned away").reason, Reason::Flag);
}

#[test]
fn a_cuda_text_that_launches_nothing_is_not_compiled() {
    let mut judge = judge(ZooTask::Affine);
    let source = "__global__ void f() {}".to_owned();
    let candidate = Candidate { language: Language::Cuda, source, flags: Vec::new() };
    let rejection = judge.evaluate(&candidate, Effort::Check).expect("judged").rejection;
    assert_eq!(rejection.expect("turned away").reason, Reason::Forbidden);
}
