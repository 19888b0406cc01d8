//! Records written, read, cut off and damaged.

use super::*;
use crate::limits::Targets;

fn heading() -> Heading {
    let setup = Setup::new(Task::OpenDrawer, 3, Variation::TRAIN);
    Heading::new(&setup, 0, Actor::Policy, Time::Simulated, 17)
}

fn row(value: f32) -> Row {
    let targets = Targets { joints: [[0.5; 7]; 2], grippers: [0.25, 1.0], completion: 0.0 };
    Row {
        rung: Some(Rung::Slow),
        latent_age: 0.125,
        ..Row::told(value * 0.005, &targets, &[value; STATE])
    }
}

/// A record of 250 rows with a frame before every tenth; not ended where `end` is nothing.
fn record(path: &std::path::Path, end: Option<End>) {
    let mut recording = Recording::create(path, &heading()).expect("a file");
    let pictures: Vec<Vec<u8>> =
        heading().cameras.iter().map(|camera| vec![9; camera.bytes()]).collect();
    for tick in 0..250 {
        if tick % 10 == 0 {
            recording.frame(pictures.iter().map(Vec::as_slice)).expect("written");
        }
        recording.row(&row(tick as f32)).expect("written");
    }
    end.map_or(Ok(()), |end| recording.end(end)).expect("ended");
}

const DONE: End = End { success: true, n_ticks: 250 };

#[test]
fn what_is_read_is_what_was_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = path_of(folder.path(), 2, 0);
    record(&path, Some(DONE));
    assert_eq!(list(folder.path()).expect("a folder"), std::slice::from_ref(&path));
    let read = Record::load(&path).expect("a record");
    assert_eq!((read.heading(), read.end()), (&heading(), Some(DONE)));
    assert_eq!((read.rows().len(), read.n_frames(), read.row_of(3)), (250, 25, 30));
    let last = read.rows()[249];
    assert_eq!(
        (last.rung, last.joints, last.state),
        (Some(Rung::Slow), [[0.5; 7]; 2], [249.0; 34])
    );
    assert!(last.asked.iter().all(|value| value.is_nan()));
    let pictures = read.frame(24).expect("a frame");
    assert!(pictures.len() == 3 && pictures.iter().flatten().all(|&value| value == 9));
    assert!(read.frame(25).is_err());
}

#[test]
fn a_record_that_was_cut_off_is_read_up_to_there_and_one_that_was_changed_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = path_of(folder.path(), 0, 0);
    record(&path, None);
    assert_eq!(Record::load(&path).expect("rows that waited are written").rows().len(), 250);
    let whole = std::fs::read(&path).expect("a file");
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        Record::load(&path)
    };
    let cut = load(&whole[..whole.len() - 5]).expect("a shorter record");
    assert_eq!((cut.rows().len(), cut.end()), (200, None));
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle] ^= 1;
    let error = load(&changed).expect_err("changed").to_string();
    assert!(error.contains("0000-0.record") && error.contains("was changed"), "{error}");
    for broken in [&b"TETRAD"[..], &whole[..12], b"TETRADRC\x09\0\0\0", &[0; 40]] {
        assert!(load(broken).is_err());
    }
}

#[test]
fn a_thread_writes_for_several_robots_and_says_what_was_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::start(2).expect("a thread");
    for robot in 0..2 {
        recorder.begin(robot, path_of(folder.path(), 0, robot), heading());
        recorder.row(robot, row(robot as f32));
    }
    recorder.end(DONE);
    recorder.finish().expect("written");
    assert_eq!(list(folder.path()).expect("a folder").len(), 2);
    let recorder = Recorder::start(1).expect("a thread");
    recorder.begin(0, folder.path().join("not there").join("0.record"), heading());
    assert!(recorder.finish().is_err());
}
