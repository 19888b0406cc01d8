//! What lerobot itself says: `TETRAD_LEROBOT_PYTHON` is a Python that has it (0.4 or later), and
//! `TETRAD_FFMPEG` an ffmpeg that decodes AV1.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::round_trip::record;
use crate::collect::Episode;
use crate::interface::{ACTION, MARKS, STATE, TICKS_PER_FRAME};
use crate::language;
use crate::lerobot::{Dataset, ExportConfig, Mapping, Source, export};
use crate::train::Episodes;

/// Runs a script of ours with lerobot.
fn python(script: &str, arguments: [&Path; 2]) {
    let python = std::env::var_os("TETRAD_LEROBOT_PYTHON").expect("TETRAD_LEROBOT_PYTHON is set");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", arguments[1].with_extension("cache"))
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Bytes that are taken from the front.
struct Bytes {
    all: Vec<u8>,
    at: usize,
}

impl Bytes {
    fn load(path: &Path) -> Bytes {
        Bytes { all: std::fs::read(path).expect("the script has written it"), at: 0 }
    }

    fn take(&mut self, n: usize) -> &[u8] {
        self.at += n;
        &self.all[self.at - n..self.at]
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        let word = |word: &[u8]| f32::from_le_bytes(word.try_into().unwrap());
        self.take(4 * n).chunks_exact(4).map(word).collect()
    }

    fn whole(&mut self) -> usize {
        usize::try_from(i64::from_le_bytes(self.take(8).try_into().unwrap())).unwrap()
    }
}

/// Episodes to export: those of a folder, or two that are made up.
fn demonstrations(folder: &Path) -> (PathBuf, Vec<PathBuf>) {
    if let Some(folder) = std::env::var_os("TETRAD_LEROBOT_EPISODES").map(PathBuf::from) {
        let paths = crate::collect::list(&folder).unwrap();
        return (folder, paths);
    }
    let demos = folder.join("demos");
    std::fs::create_dir(&demos).unwrap();
    let paths = vec![record(&demos, 0, 31, true), record(&demos, 1, 18, false)];
    (demos, paths)
}

#[test]
#[ignore = "needs: lerobot"]
fn lerobot_reads_every_value_and_pixel_of_an_export() {
    let folder = tempfile::tempdir().unwrap();
    let (demos, paths) = demonstrations(folder.path());
    let (to, out) = (folder.path().join("dataset"), folder.path().join("out"));
    export(&ExportConfig::new(demos, to.clone()), &mut |_| true).unwrap();
    python("lerobot_read.py", [&to, &out]);
    let tasks = std::fs::read_to_string(folder.path().join("out.tasks")).unwrap();
    let mut tasks = tasks.lines();
    let mut read = Bytes::load(&out);
    let per_row = TICKS_PER_FRAME as usize;
    let mut index = 0;
    for (number, path) in paths.iter().enumerate() {
        let episode = Episode::load(path).unwrap();
        let header = episode.header();
        let mut pictures = vec![0; episode.frame_bytes()];
        for frame in 0..header.n_frames {
            let first = frame * per_row;
            assert_eq!(read.floats(STATE), episode.state(first));
            assert_eq!(read.floats(ACTION), episode.action(first));
            let tick = |at: usize| (first + at).min(header.n_ticks - 1);
            let states: Vec<f32> =
                (0..per_row).flat_map(|at| episode.state(tick(at)).to_vec()).collect();
            let actions: Vec<f32> =
                (0..per_row).flat_map(|at| episode.action(tick(at)).to_vec()).collect();
            assert_eq!(read.floats(per_row * STATE), states);
            let marks: Vec<f32> =
                (0..per_row).flat_map(|at| episode.marks(tick(at)).to_vec()).collect();
            assert_eq!(read.floats(per_row * ACTION), actions);
            assert_eq!(read.floats(per_row * MARKS), marks);
            let whole: [usize; 4] = std::array::from_fn(|_| read.whole());
            assert_eq!(whole, [per_row.min(header.n_ticks - first), frame, number, index]);
            let secs = f64::from_le_bytes(read.take(8).try_into().unwrap());
            assert!((secs - frame as f64 * 0.03).abs() < 1e-5, "{secs}");
            episode.frame(frame, &mut pictures).unwrap();
            assert!(read.take(pictures.len()) == pictures, "frame {frame} of episode {number}");
            assert_eq!(tasks.next(), Some(header.instruction.as_str()));
            index += 1;
        }
    }
    assert_eq!((read.at, tasks.next()), (read.all.len(), None), "nothing more");
}

#[test]
#[ignore = "needs: lerobot, ffmpeg"]
fn what_lerobot_writes_is_read_with_pictures_and_videos() {
    let folder = tempfile::tempdir().unwrap();
    let (to, out) = (folder.path().join("dataset"), folder.path().join("out"));
    python("lerobot_write.py", [&to, &out]);
    let ffmpeg = std::env::var_os("TETRAD_FFMPEG").map_or("ffmpeg".into(), PathBuf::from);
    let source = Source {
        folder: &to,
        mapping: &Mapping::default(),
        n_words: 8,
        scratch: folder.path(),
        ffmpeg: &ffmpeg,
    };
    let dataset = Dataset::open(&source, &mut |_, _| true).unwrap();
    let names: Vec<&str> = dataset.cameras().iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["top", "side"]);
    let (mut given, mut decoded) =
        (Bytes::load(&out), Bytes::load(&folder.path().join("out.side")));
    let size = dataset.cameras()[0].bytes();
    for (episode, length) in [7, 12, 5].into_iter().enumerate() {
        assert_eq!(dataset.n_ticks(episode), (length as f64 * 20.0 / 3.0).round() as usize);
        let task = ["put the red cube in the bin", "open the drawer"][episode % 2];
        assert_eq!(dataset.words(episode, 0), language::tokens(task, 8));
        for row in 0..length {
            let (state, action) = (given.floats(6), given.floats(4));
            // Every third row is at a whole tick; so are the states and actions that were given.
            let tick = row * 20 / 3;
            if row % 3 == 0 {
                let (mut got_state, mut got_action) = ([0.0; 6], [0.0; 5]);
                dataset.state(episode, tick, &mut got_state).unwrap();
                dataset.action(episode, tick, &mut got_action).unwrap();
                assert_eq!((&got_state[..], &got_action[..4]), (&state[..], &action[..]));
            }
            // Frames are every six ticks; one of them shows this row, as a rule.
            let frame = (row * 20).div_ceil(3).div_ceil(6);
            let shown = frame * 6 * 3 / 20;
            let (top, side) = (given.take(size).to_vec(), given.take(size).to_vec());
            let theirs = decoded.take(size).to_vec();
            if shown != row {
                continue;
            }
            let mut ours = vec![0; size];
            dataset.picture(episode, frame, 0, &mut ours).unwrap();
            assert!(ours == top, "row {row} of episode {episode}");
            dataset.picture(episode, frame, 1, &mut ours).unwrap();
            let away = |other: &[u8]| {
                let sum: u32 = ours.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
                f64::from(sum) / size as f64
            };
            // The video loses a little, and two decoders round colours differently; the next row's
            // picture would be 2 and more away.
            assert!(away(&theirs) < 1.5, "{} from lerobot's own decoding", away(&theirs));
            assert!(away(&side) < 4.0, "{} from what was recorded", away(&side));
        }
    }
    assert_eq!(given.at, given.all.len());
}
