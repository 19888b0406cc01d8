//! The way things go when nobody attacks.

use crate::common::{out, policy, run, start};
use sandbox::Ending;

#[test]
fn a_command_runs_and_its_streams_come_back() {
    let mut sandbox = start(policy());
    for line in &sandbox.enforced().protections {
        println!("{line:?}");
    }
    let outcome =
        run(&mut sandbox, "echo out; echo err >&2; id; ls -la / /dev; ps aux; ls /env; exit 7");
    println!("{}", out(&outcome));
    println!("{}", String::from_utf8_lossy(&outcome.stderr));
    for e in sandbox.take_events() {
        println!("{:?}", e.kind);
    }
    println!("{:?}", outcome.wall);
    assert_eq!(outcome.ending, Ending::Exited { code: 7 });
}
