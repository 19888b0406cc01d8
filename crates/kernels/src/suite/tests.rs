//! Every bundled task, held against all that reads it.

use super::tasks;
use crate::lower::lower;
use crate::oracle;

#[test]
fn every_bundled_task_is_whole_lowered_and_interpreted() {
    let tasks = tasks();
    assert_eq!(tasks.len(), 17);
    for task in tasks {
        task.check().unwrap_or_else(|reason| panic!("{}: {reason}", task.name));
        for graph in std::iter::once(&task.graph).chain(&task.variants) {
            lower(graph).unwrap_or_else(|error| panic!("{}: {error}", task.name));
        }
        // Only the odd size: the other takes its time in an unoptimised interpreter.
        let odd = &task.variants[0];
        let given = crate::inputs::draw(&task, odd, 1, 0, crate::inputs::Distribution::Plain)
            .unwrap_or_else(|error| panic!("{}: {error}", task.name));
        let given = crate::inputs::arrays(odd, &given).expect("what was drawn fits");
        let outputs = oracle::run(odd, &given);
        assert!(outputs.is_ok(), "{}: {outputs:?}", task.name);
    }
}
