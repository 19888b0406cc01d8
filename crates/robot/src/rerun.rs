//! Attempts in the rerun viewer, while they are played or from their records.
//!
//! Only with the feature `rerun`. Whoever shows reads the records that a run writes anyway: world, S1 and
//! S2 know nothing of it. Rows come to a record by half seconds, so the viewer is behind by that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use re_sdk::{RecordingStream, RecordingStreamBuilder};
use re_sdk_types::archetypes::{Image, Scalars, SeriesLines, TextLog};

use crate::error::{Error, Result};
use crate::interface::{ARMS, WRIST};
use crate::record::{Record, Row, list};

/// How often a follower looks for something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Names of the arms, in their order.
const SIDES: [&str; ARMS] = ["left", "right"];

/// What goes to rerun, and how much of every record has gone already.
#[derive(Debug)]
pub struct Viewer {
    stream: RecordingStream,
    shown: BTreeMap<PathBuf, Shown>,
    /// When the first row of all was due, in nanoseconds of the run's clock.
    begun_at: Option<u64>,
}

#[derive(Debug, Default)]
struct Shown {
    file_bytes: u64,
    n_rows: usize,
    n_frames: usize,
    ended: bool,
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::config("the rerun viewer", what.to_string())
}

impl Viewer {
    /// Opens a viewer's address (`rerun+http://HOST:PORT/proxy`), or begins a file of the viewer (`.rrd`).
    ///
    /// # Errors
    /// When the file cannot be written or the address is none. That no viewer is there yet is no error.
    pub fn open(to: &str) -> Result<Viewer> {
        let builder = RecordingStreamBuilder::new("tetrad_robot");
        let stream = if to.contains("://") {
            builder.connect_grpc_opts(to)
        } else if to.ends_with(".rrd") {
            builder.save(to)
        } else {
            return Err(wrong(format!("`{to}` is no address and does not end in `.rrd`")));
        };
        let stream = stream.map_err(wrong)?;
        Ok(Viewer { stream, shown: BTreeMap::new(), begun_at: None })
    }

    /// Shows what records in a folder hold that was not shown yet. What cannot be read yet, or not any
    /// more, is left for another time. Gives the number of rows that were new.
    ///
    /// # Errors
    /// When the folder cannot be listed, or rerun takes no more.
    pub fn look(&mut self, records: &Path) -> Result<usize> {
        let mut n_new = 0;
        for path in list(records)? {
            let file_bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
            if self.shown.get(&path).is_some_and(|shown| shown.file_bytes == file_bytes) {
                continue;
            }
            // A heading that is being written is not there yet.
            let Ok(record) = Record::load(&path) else { continue };
            let mut shown = self.shown.remove(&path).unwrap_or_default();
            n_new += record.rows().len() - shown.n_rows;
            self.show(&record, &mut shown)?;
            self.shown.insert(path, Shown { file_bytes, ..shown });
        }
        Ok(n_new)
    }

    /// Waits until rerun has it all.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn flush(&self) -> Result<()> {
        self.stream.flush_blocking().map_err(wrong)
    }

    fn show(&mut self, record: &Record, shown: &mut Shown) -> Result<()> {
        let heading = record.heading();
        let begun_at = *self.begun_at.get_or_insert(heading.begun_at);
        let since = heading.begun_at.saturating_sub(begun_at) as f64 * 1e-9;
        let name = |what: &str| format!("robot{}/{what}", heading.robot + 1);
        if shown.n_rows == 0 && shown.n_frames == 0 {
            self.at(since);
            self.name_series(&name)?;
            let text = format!("{} {}: {}", heading.task.name(), heading.seed, heading.instruction);
            self.log(&name("instruction"), &TextLog::new(text))?;
        }
        for row in &record.rows()[shown.n_rows..] {
            self.at(since + f64::from(row.at));
            self.row(row, &name)?;
        }
        shown.n_rows = record.rows().len();
        let seconds = |row: usize| record.rows().get(row).map(|row| f64::from(row.at));
        // A frame whose row has not come is shown with it.
        while shown.n_frames < record.n_frames() {
            let Some(seconds) = seconds(record.row_of(shown.n_frames)) else { break };
            self.at(since + seconds);
            for (camera, picture) in heading.cameras.iter().zip(record.frame(shown.n_frames)?) {
                let size = [camera.width as u32, camera.height as u32];
                let picture = Image::from_rgb24(picture, size);
                self.log(&name(&format!("cameras/{}", camera.name)), &picture)?;
            }
            shown.n_frames += 1;
        }
        if let Some(end) = record.end().filter(|_| !shown.ended) {
            shown.ended = true;
            let done = if end.success { "done" } else { "not done" };
            let text = TextLog::new(format!("{done} after {} ticks", end.n_ticks));
            self.log(&name("end"), &text)?;
        }
        Ok(())
    }

    fn at(&self, seconds: f64) {
        self.stream.set_duration_secs("time", seconds);
    }

    fn log(&self, path: &str, what: &impl re_sdk::AsComponents) -> Result<()> {
        self.stream.log(path, what).map_err(wrong)
    }

    fn name_series(&self, name: &dyn Fn(&str) -> String) -> Result<()> {
        let names = |path: &str, names: &[&str]| {
            let series = SeriesLines::new().with_names(names.iter().copied());
            self.stream.log_static(name(path), &series).map_err(wrong)
        };
        names("latent_age_ms", &["latent age, ms"])?;
        names("rung", &["rung: 0 run, 1 hold, 2 slow, 3 stop"])?;
        for side in SIDES {
            names(&format!("wrists/{side}/is"), &["x, m", "y, m", "z, m"])?;
            names(&format!("wrists/{side}/asked"), &["x asked, m", "y asked, m", "z asked, m"])?;
            names(&format!("grippers/{side}"), &["is", "told"])?;
        }
        Ok(())
    }

    fn row(&self, row: &Row, name: &dyn Fn(&str) -> String) -> Result<()> {
        let line = |path: &str, values: &[f32]| {
            // What was not there is a gap.
            let values = values.iter().map(|&value| f64::from(value));
            self.log(&name(path), &Scalars::new(values))
        };
        if row.latent_age.is_finite() {
            line("latent_age_ms", &[1e3 * row.latent_age])?;
        }
        if let Some(rung) = row.rung {
            line("rung", &[f32::from(rung as u8)])?;
        }
        for (arm, side) in SIDES.iter().enumerate() {
            let wrist = arm * WRIST;
            line(&format!("wrists/{side}/is"), &row.state[wrist..wrist + 3])?;
            line(&format!("wrists/{side}/asked"), &row.asked[wrist..wrist + 3])?;
            let told = [row.state[wrist + WRIST - 1], row.grippers[arm]];
            line(&format!("grippers/{side}"), &told)?;
            line(&format!("joints/{side}"), &row.joints[arm])?;
        }
        Ok(())
    }
}

/// Shows a run's records as they grow, from a thread of its own.
#[derive(Debug)]
pub struct Follower {
    thread: JoinHandle<Result<usize>>,
    is_over: Arc<AtomicBool>,
}

impl Follower {
    /// Begins with a folder, which need not be there yet.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(mut viewer: Viewer, records: PathBuf) -> Result<Follower> {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let follow = move || {
            let mut n_rows = 0;
            loop {
                // Asked first: what was written before the end is shown.
                let is_last = told.load(Ordering::Acquire);
                n_rows += viewer.look(&records)?;
                if is_last {
                    viewer.flush()?;
                    return Ok(n_rows);
                }
                std::thread::sleep(LOOK_EVERY);
            }
        };
        let thread = std::thread::Builder::new()
            .name("rerun".to_owned())
            .spawn(follow)
            .map_err(|source| Error::kernel("start a thread", source))?;
        Ok(Follower { thread, is_over })
    }

    /// Shows the rest, and says how many rows went to rerun.
    ///
    /// # Errors
    /// What rerun or the file system refused.
    pub fn finish(self) -> Result<usize> {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap_or_else(|_| Err(wrong("its thread has panicked")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::STATE;
    use crate::limits::Targets;
    use crate::record::{Actor, End, Heading, Recording, Time, path_of};
    use crate::tasks::{Setup, Task, Variation};

    fn rows(recording: &mut Recording, ticks: std::ops::Range<u32>) {
        let targets = Targets { joints: [[0.5; 7]; 2], grippers: [0.0, 1.0], completion: 0.0 };
        for tick in ticks {
            let row = Row::told(tick as f32 * 0.005, &targets, &[0.25; STATE]);
            recording.row(&row).expect("written");
        }
    }

    #[test]
    fn a_record_is_shown_as_it_grows_and_nothing_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Setup::new(Task::OpenDrawer, 3, Variation::TRAIN);
        let heading = Heading::new(&setup, 0, Actor::Policy, Time::Simulated, 17);
        let shown = folder.path().join("shown.rrd");
        let mut viewer = Viewer::open(shown.to_str().expect("a name")).expect("a file");
        let records = folder.path().join("records");
        assert_eq!(viewer.look(&records).expect("nothing yet"), 0);
        std::fs::create_dir(&records).expect("a folder");
        let mut recording = Recording::create(&path_of(&records, 0, 0), &heading).expect("a file");
        rows(&mut recording, 0..250);
        // Two parts of 100 rows are written, the rest waits.
        assert_eq!(viewer.look(&records).expect("shown"), 200);
        assert_eq!(viewer.look(&records).expect("shown"), 0);
        let follower = Follower::start(viewer, records).expect("a thread");
        recording.end(End { success: true, n_ticks: 250 }).expect("ended");
        assert_eq!(follower.finish().expect("shown"), 50);
        assert!(std::fs::metadata(shown).expect("a file").len() > 10_000);
    }

    #[test]
    fn what_is_neither_address_nor_file_is_refused() {
        let error = Viewer::open("viewer").expect_err("refused").to_string();
        assert!(error.contains("`viewer` is no address"), "{error}");
    }
}
