//! Shared memory between processes that die.

use std::time::Duration;

use robot::deploy::{Chaos, ChaosConfig, Role, Supervisor, What, Wires};
use robot::shared::Taken;

use crate::parts::{SHAPE, part};

#[test]
fn a_writer_killed_in_mid_write_leaves_the_latent_whole() {
    let wires = Wires::create(SHAPE).expect("wires");
    let mut reader = wires.s1(0).expect("links").latent;
    // A writer that does nothing but write is mostly killed in the middle of it.
    let log = tempfile::NamedTempFile::new().expect("a file");
    let writer = part(Role::S2, "writer", log.path(), Duration::from_secs(20), None);
    let mut supervisor = Supervisor::new(wires, vec![writer]);
    let ended = std::sync::atomic::AtomicBool::new(false);
    let (mut n_new, mut incarnations) = (0_u64, std::collections::BTreeSet::new());
    let happened = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut last = 0;
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                match reader.take() {
                    Taken::New => {
                        let header = *reader.header().expect("a value");
                        assert!(header.sequence > last, "{} after {last}", header.sequence);
                        last = header.sequence;
                        incarnations.insert(header.incarnation);
                        let first = reader.floats()[0];
                        assert!(reader.floats().iter().all(|value| *value == first), "torn");
                        n_new += 1;
                    }
                    Taken::Damaged => panic!("damaged"),
                    Taken::Empty | Taken::Same => std::hint::spin_loop(),
                }
            }
        });
        let config = ChaosConfig {
            seed: 5,
            duration_millis: 900,
            pause_millis: [15, 60],
            stall_share: 0.0,
            stall_millis: [0, 0],
        };
        Chaos::new(config).run(&mut supervisor).expect("strikes");
        let happened = supervisor.happenings();
        // Where the machine was too busy for a second writer within the time, it gets more.
        while supervisor.wires().n_latents(0).expect("a robot") == 0 {
            supervisor.look_for(Duration::from_millis(20)).expect("looked");
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        reading.join().expect("whole values in order");
        happened
    });
    let n_ended =
        happened.iter().filter(|happening| matches!(happening.what, What::Ended { .. })).count();
    assert!(n_ended > 0 && n_new > 0, "{n_ended} writers ended, {n_new} values were seen");
}
