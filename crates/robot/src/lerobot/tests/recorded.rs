//! Episodes of other robots that are written here, and come back.

use std::path::Path;

use crate::error::Result;
use crate::interface::Camera;
use crate::language;
use crate::lerobot::{Dataset, Mapping, RecordConfig, Recorded, Recorder, Rows, Source};
use crate::model::PolicyConfig;
use crate::train::Episodes;

/// Values of a state and of an action.
const WIDTH: usize = 14;
/// Bytes of a picture.
const BYTES: usize = 16 * 12 * 3;
const TASK: &str = "give it to the other hand";

fn config(to: &Path) -> RecordConfig {
    let names = |what: &str| (0..WIDTH).map(|at| format!("{what}_{at}")).collect();
    RecordConfig {
        to: to.to_path_buf(),
        robot: "other".to_owned(),
        fps: 50,
        state: names("state"),
        action: names("action"),
        cameras: vec![Camera { name: "top".to_owned(), width: 16, height: 12 }],
        content: "Episodes of a test".to_owned(),
    }
}

/// Values that say where they are, and pictures of one colour each.
fn rows(n: usize, episode: usize) -> Rows {
    let value = |at: usize| (episode * 1000 + at) as f32;
    Rows {
        states: (0..n * WIDTH).map(value).collect(),
        actions: (0..n * WIDTH).map(|at| -value(at)).collect(),
        pictures: (0..n * BYTES).map(|at| (at / BYTES + 100 * episode) as u8).collect(),
    }
}

fn write(to: &Path, lengths: &[usize]) -> Result<Recorded> {
    let mut recorder = Recorder::begin(config(to))?;
    for (episode, n) in lengths.iter().enumerate() {
        recorder.episode(TASK, format!("{{\"seed\":{episode}}}"), &rows(*n, episode))?;
    }
    recorder.finish()
}

#[test]
fn what_was_recorded_comes_back_four_ticks_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("dataset");
    // More rows than are in memory at once.
    assert_eq!(write(&to, &[150, 3]).unwrap(), Recorded { n_episodes: 2, n_rows: 153 });
    let source = Source {
        folder: &to,
        mapping: &Mapping::default(),
        n_words: 8,
        scratch: &folder.path().join("scratch"),
        ffmpeg: Path::new("/no/ffmpeg"),
    };
    let dataset = Dataset::open(&source, &mut |_, _| true).unwrap();
    assert_eq!((dataset.info().fps, dataset.info().robot_type.as_deref()), (50.0, Some("other")));
    assert_eq!([0, 1].map(|episode| dataset.n_ticks(episode)), [600, 12]);
    let (mut state, mut action) = ([0.0; WIDTH], [0.0; WIDTH + 1]);
    for (episode, n) in [(0, 150), (1, 3)] {
        let expected = rows(n, episode);
        for row in 0..n {
            dataset.state(episode, 4 * row, &mut state).unwrap();
            dataset.action(episode, 4 * row, &mut action).unwrap();
            assert_eq!(state, expected.states[row * WIDTH..][..WIDTH]);
            assert_eq!(action[..WIDTH], expected.actions[row * WIDTH..][..WIDTH]);
            assert_eq!(action[WIDTH], (4 * row + 1) as f32 / (4 * n) as f32);
        }
        dataset.state(episode, 2, &mut state).unwrap();
        assert_eq!(state[0], (expected.states[0] + expected.states[WIDTH]) / 2.0);
        // A frame is six ticks: every third row is seen at its own tick, one of three is not seen.
        for (frame, row) in [(0, 0), (1, 1)] {
            let mut picture = vec![0; BYTES];
            dataset.picture(episode, frame, 0, &mut picture).unwrap();
            assert_eq!(picture, expected.pictures[row * BYTES..][..BYTES]);
        }
    }
    assert_eq!(dataset.words(0, 0), language::tokens(TASK, 8));
    let policy = |shape: &str| dataset.policy(PolicyConfig::shipped(shape).unwrap()).unwrap();
    let aloha = policy("aloha");
    assert_eq!((aloha.state, aloha.action, &aloha.s1.cameras[..]), (WIDTH, WIDTH + 1, &[0][..]));
    // Of `tiny`'s cameras S1 has the wrists', which are not here.
    assert_eq!(policy("tiny").s1.cameras, [0]);
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("dataset");
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut recorder = Recorder::begin(config(&to)).unwrap();
    recorder.episode(TASK, "{}".to_owned(), &rows(3, 0)).unwrap();
    assert_eq!(left(), 1);
    drop(recorder);
    assert_eq!(left(), 0);
    let error = write(&to, &[]).unwrap_err().to_string();
    assert!(error.contains("no episode was kept"), "{error}");
    assert_eq!(left(), 0);
    write(&to, &[2]).unwrap();
    let error = write(&to, &[2]).unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(left(), 1);
}

#[test]
fn rows_that_cannot_be_are_refused() {
    let check = |spoil: &dyn Fn(&mut Rows), part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::begin(config(&folder.path().join("dataset"))).unwrap();
        let mut rows = rows(3, 0);
        spoil(&mut rows);
        let error = recorder.episode(TASK, "{}".to_owned(), &rows).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check(&|rows| *rows = Rows::default(), "without rows");
    check(&|rows| rows.states.truncate(2 * WIDTH), "actions");
    check(&|rows| rows.pictures.truncate(BYTES), "pictures");
    check(&|rows| rows.actions[5] = f32::NAN, "finite");
}
