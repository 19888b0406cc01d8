//! What judging costs. Prints, asserts nothing about time.

use std::time::Instant;

use kernels::judge::{Effort, Judge, Options};
use kernels::zoo::{self, ZooTask};
use sandbox::Launcher;

#[test]
#[ignore = "needs: a quiet machine"]
fn costs_of_a_judge_and_its_evaluations() {
    for task in ZooTask::ALL {
        let options = Options::new(Launcher::test_entry("launcher_entry"), 7);
        let began = Instant::now();
        let mut judge = Judge::open(Box::new(task), &zoo::base(task), options).expect("opens");
        let opened = began.elapsed();
        let round_trip = judge.round_trip();
        println!("{task:?}: opened in {opened:.2?}; {round_trip:?}; {:?}", judge.floor());
        for animal in zoo::honest().into_iter().filter(|animal| animal.task == task) {
            let began = Instant::now();
            judge.evaluate(&animal.candidate, Effort::Check).expect("judged");
            let checked = began.elapsed();
            // Compiled already: what the text costs shows in the first.
            let began = Instant::now();
            let evaluation = judge.evaluate(&animal.candidate, Effort::Quick).expect("judged");
            let quick = began.elapsed();
            let ratio = evaluation.timing.map(|timing| timing.ratio);
            println!(
                "  {}: compile and check {checked:.2?}, check and time {quick:.2?}, ratio {ratio:?}",
                animal.class
            );
        }
    }
}
