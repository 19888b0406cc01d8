//! Rates of the world on one thread: `cargo bench -p robot --bench world`.
//!
//! Physics steps, pictures, inverse kinematics, experts and whole demonstrations of seed 0, each as the
//! best and the median of repeated runs. A second is a second of the processor spent on this thread,
//! where the kernel tells (else of the clock), so that other work hardly matters.

use std::hint::black_box;
use std::time::Instant;

use robot::collect::{EpisodeWriter, demonstrate};
use robot::experts::Expert;
use robot::interface::ARM_JOINTS;
use robot::kinematics::{Inverse, Posture};
use robot::tasks::{Setup, Task, Variation};
use robot::world::{Arm, Driver, body, picture_buffers};

/// Repeats of each measurement.
const REPEATS: usize = 9;

/// Seconds that the processor has spent on this thread; none where the kernel does not say.
fn spent_secs() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos as f64 * 1e-9)
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn rate(what: &str, n: usize, mut once: impl FnMut()) {
    let mut rates: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let (start, clock) = (spent_secs(), Instant::now());
            for _ in 0..n {
                once();
            }
            let spent = start.and_then(|start| Some(spent_secs()? - start));
            n as f64 / spent.unwrap_or_else(|| clock.elapsed().as_secs_f64())
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[REPEATS / 2], rates[REPEATS - 1]);
    println!("{what:<46} median {median:>10.1} /s, best {best:>10.1} /s ({REPEATS} × {n})");
}

fn main() {
    for (task, name) in [(Task::PickPlace, "one robot"), (Task::Handover, "two robots")] {
        let setup = Setup::new(task, 0, Variation::TRAIN);
        let mut world = setup.world();
        let n_robots = world.n_robots();
        let mut experts: Vec<Expert> =
            (0..n_robots).map(|robot| Expert::new(&setup, &world, robot)).collect();
        let mut drivers: Vec<Driver> =
            (0..n_robots).map(|robot| Driver::new(world.joints(robot))).collect();
        let mut targets = vec![world.joints(0); n_robots];
        let rest: Vec<_> = (0..n_robots).map(|robot| world.joints(robot)).collect();
        rate(&format!("physics steps at rest, {name}"), 300, || world.step(&rest));
        rate(&format!("expert, driver and step, {name}"), 60, || {
            for robot in 0..n_robots {
                let action = experts[robot].act(&setup, &world);
                targets[robot] = drivers[robot].targets(&action).expect("an expert's action");
            }
            world.step(&targets);
        });
        let mut pictures = picture_buffers();
        rate(&format!("frames of three cameras, {name}"), 100, || world.look(0, &mut pictures));
        rate(&format!("demonstrations, packed, {name}"), 1, || {
            let mut writer = EpisodeWriter::new(&setup, 0, 0.0);
            let outcome = demonstrate(&setup, 0.0, true, &mut |tick| {
                let pictures = tick.pictures.map(|pictures| &pictures[0]);
                writer.add(&tick.states[0], &tick.actions[0], &tick.marks[0], pictures);
            });
            assert!(outcome.success);
            black_box(&writer);
        });
    }
    let (chain, inverse) = (Arm::new(1.0).chain(), Inverse::default());
    let start = body::home_angles(1.0).map(f64::from);
    let posture = Posture { rest: start, pull: [0.0; ARM_JOINTS] };
    // As far from the start as a tool at half a metre per second comes in two ticks.
    let mut goal = chain.forward(&start);
    goal.position[0] += 0.005;
    rate("inverse kinematics, three steps", 20_000, || {
        black_box(inverse.solve(&chain, black_box(&start), &posture, black_box(&goal)));
    });
}
