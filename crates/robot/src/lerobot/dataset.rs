//! A dataset as training wants it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::info::Info;
use super::mapping::{Found, Mapping};
use super::meta::{Place, episodes, tasks};
use super::rows::{Numbers, Wanted, number_feature, read};
use super::store::{Store, pack};
use super::{COMPLETED, TICKS_ACTION, TICKS_MARKS, TICKS_N, TICKS_STATE, video, wrong};
use crate::error::{Error, Result};
use crate::interface::{
    ACTION, ARMS, Camera, MARKS, STATE, TICKS_PER_FRAME, TICKS_PER_SECOND, WRIST,
};
use crate::language;
use crate::model::PolicyConfig;
use crate::train::Episodes;

/// Ticks of a frame.
const PER_FRAME: usize = TICKS_PER_FRAME as usize;
/// What rounding may add to a time, in rows.
const ROUNDING: f64 = 1e-6;

/// Where a dataset is, and how it is read.
#[derive(Debug, Clone)]
pub struct Source<'s> {
    /// The dataset's folder.
    pub folder: &'s Path,
    /// What of it is what.
    pub mapping: &'s Mapping,
    /// Words of an instruction.
    pub n_words: usize,
    /// A folder for pictures at the policy's size: about their number times half their bytes. They have
    /// no name there, and are gone with the process.
    pub scratch: &'s Path,
    /// The program for videos.
    pub ffmpeg: &'s Path,
}

/// Rows of one episode with one instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    first_row: usize,
    n_rows: usize,
    n_ticks: usize,
    task: usize,
}

/// Demonstrations of a dataset: states and actions in memory, pictures in a file.
#[derive(Debug)]
pub struct Dataset {
    info: Info,
    found: Vec<Found>,
    cameras: Vec<Camera>,
    segments: Vec<Segment>,
    numbers: Numbers,
    /// Values of a state and of an action in the dataset.
    widths: [usize; 2],
    /// Whether rows have all their ticks.
    has_ticks: bool,
    hold: bool,
    /// Whether the completed share is added to actions.
    adds_share: bool,
    words: BTreeMap<usize, Vec<u16>>,
    texts: BTreeMap<usize, String>,
    store: Store,
    n_episodes: usize,
}

impl Dataset {
    /// Reads and checks a whole dataset. `progress` hears how many pictures of how many are read, and
    /// returns whether to go on.
    ///
    /// # Errors
    /// [`Error::Dataset`] with the first file and row that is not what it should be, [`Error::Config`]
    /// where the mapping does not fit, [`Error::Program`] without a decoder of videos,
    /// [`Error::Interrupted`] where `progress` said so.
    pub fn open(
        source: &Source,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Dataset> {
        let Source { folder, mapping, .. } = *source;
        let info = Info::load(folder)?;
        let found = mapping.cameras(&info)?;
        let plan = Plan::of(&info, mapping)?;
        let videos: Vec<usize> = (0..found.len()).filter(|at| found[*at].is_video).collect();
        // Not after an hour of reading.
        let version =
            if videos.is_empty() { String::new() } else { video::version(source.ffmpeg)? };
        let texts = tasks(folder)?;
        let keys: Vec<&str> = videos.iter().map(|at| found[*at].key.as_str()).collect();
        let places = episodes(folder, &info, &keys)?;
        let n_in_rows = found.len() - videos.len();
        let n_pictures = info.total_frames * found.len();
        let mut store = Store::new(source.scratch, found.len())?;
        let wanted = Wanted {
            folder,
            info: &info,
            places: &places,
            state: &plan.state,
            action: &plan.action,
            marks: &plan.marks,
            has_ticks: plan.has_ticks,
            cameras: &found,
        };
        let numbers =
            read(&wanted, &mut store, &mut |n_rows| progress(n_rows * n_in_rows, n_pictures))?;
        let mut n_done = info.total_frames * n_in_rows;
        for (at, camera) in videos.into_iter().enumerate() {
            let of = VideoCamera {
                source,
                info: &info,
                version: &version,
                found: &found[camera],
                camera,
            };
            read_videos(&of, &places, at, &mut store, &mut || {
                n_done += 1;
                !n_done.is_multiple_of(32) || progress(n_done, n_pictures)
            })?;
        }
        store.flush()?;
        let segments = segments(&places, &numbers, info.fps);
        let mut words = BTreeMap::new();
        for segment in &segments {
            let text = texts.get(&segment.task).ok_or_else(|| {
                let (task, row) = (segment.task, segment.first_row);
                let what = format!("frame {row} has `task_index` {task}, which has no text here");
                wrong(&folder.join("meta/tasks.parquet"), what)
            })?;
            words.entry(segment.task).or_insert_with(|| language::tokens(text, source.n_words));
        }
        Ok(Dataset {
            cameras: found.iter().map(|one| one.camera.clone()).collect(),
            segments,
            numbers,
            widths: plan.widths,
            has_ticks: plan.has_ticks,
            hold: mapping.hold,
            adds_share: plan.adds_share,
            words,
            texts,
            store,
            n_episodes: places.len(),
            found,
            info,
        })
    }

    /// What `meta/info.json` says.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Episodes of the dataset. Training sees more where an episode has several instructions.
    #[must_use]
    pub fn n_dataset_episodes(&self) -> usize {
        self.n_episodes
    }

    /// A policy's shape for this dataset: the base's, with its states, actions and cameras.
    ///
    /// # Errors
    /// If there can be no such policy.
    pub fn policy(&self, base: PolicyConfig) -> Result<PolicyConfig> {
        let mut config = base.clone();
        config.state = self.widths[0];
        config.action = self.widths[1] + usize::from(self.adds_share);
        config.cameras.clone_from(&self.cameras);
        if config.cameras != base.cameras {
            // Which of the base's cameras S1 needs says nothing about others.
            config.s1.cameras = (0..self.found.len()).collect();
        }
        config.s2.cameras = (0..self.found.len()).filter(|at| self.found[*at].is_slow).collect();
        if config != base {
            let robot = self.info.robot_type.as_deref().unwrap_or("dataset");
            config.name = format!("{}-{robot}", base.name);
        }
        config.check()?;
        Ok(config)
    }

    /// Row, and share of the way to the next, at a tick.
    fn row(&self, segment: &Segment, tick: usize) -> (usize, f32) {
        let at = tick as f64 * self.info.fps / f64::from(TICKS_PER_SECOND);
        let whole = (at + ROUNDING).floor();
        let share = at - whole;
        let row = (whole as usize).min(segment.n_rows - 1);
        let is_between = share > ROUNDING && row + 1 < segment.n_rows && !self.hold;
        (segment.first_row + row, if is_between { share as f32 } else { 0.0 })
    }

    /// Values at a tick.
    fn values(&self, all: &[f32], width: usize, segment: &Segment, tick: usize, into: &mut [f32]) {
        if self.has_ticks {
            let tick = segment.first_row * PER_FRAME + tick;
            into.copy_from_slice(&all[tick * width..][..width]);
            return;
        }
        let (row, share) = self.row(segment, tick);
        let from = &all[row * width..][..width];
        if share == 0.0 {
            into.copy_from_slice(from);
            return;
        }
        let next = &all[(row + 1) * width..][..width];
        for (to, (from, next)) in into.iter_mut().zip(from.iter().zip(next)) {
            *to = from + (next - from) * share;
        }
    }
}

impl Episodes for Dataset {
    fn cameras(&self) -> &[Camera] {
        &self.cameras
    }

    fn n_episodes(&self) -> usize {
        self.segments.len()
    }

    fn n_ticks(&self, episode: usize) -> usize {
        self.segments[episode].n_ticks
    }

    fn picture(&self, episode: usize, frame: usize, camera: usize, into: &mut [u8]) -> Result<()> {
        let segment = &self.segments[episode];
        let (row, _) = if self.has_ticks {
            (segment.first_row + frame.min(segment.n_rows - 1), 0.0)
        } else {
            self.row(segment, frame * PER_FRAME)
        };
        self.store.get(row, camera, into)
    }

    fn state(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        crate::error::expect_length("a state", into.len(), self.widths[0])?;
        self.values(&self.numbers.states, self.widths[0], &self.segments[episode], tick, into);
        Ok(())
    }

    fn action(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<()> {
        let width = self.widths[1];
        let n = width + usize::from(self.adds_share);
        crate::error::expect_length("an action", into.len(), n)?;
        let segment = &self.segments[episode];
        self.values(&self.numbers.actions, width, segment, tick, &mut into[..width]);
        if self.adds_share {
            into[width] = (tick + 1) as f32 / segment.n_ticks as f32;
        }
        Ok(())
    }

    fn marks(&self, episode: usize, tick: usize, into: &mut [f32]) -> Result<bool> {
        if self.numbers.marks.is_empty() {
            return Ok(false);
        }
        crate::error::expect_length("the marks", into.len(), MARKS)?;
        self.values(&self.numbers.marks, MARKS, &self.segments[episode], tick, into);
        Ok(true)
    }

    fn words(&self, episode: usize, _variant: u64) -> Vec<u16> {
        self.words.get(&self.segments[episode].task).cloned().unwrap_or_default()
    }

    fn text(&self, episode: usize, _variant: u64) -> String {
        self.texts.get(&self.segments[episode].task).cloned().unwrap_or_default()
    }
}

/// Features and widths.
struct Plan {
    state: Vec<String>,
    action: Vec<String>,
    marks: Vec<String>,
    widths: [usize; 2],
    has_ticks: bool,
    adds_share: bool,
}

impl Plan {
    fn of(info: &Info, mapping: &Mapping) -> Result<Plan> {
        let wrong = |reason: String| Err(Error::config("mapping of features", reason));
        if mapping.state.is_empty() || mapping.action.is_empty() {
            return wrong("`state` and `action` need a feature each".to_owned());
        }
        let width = |names: &[String]| -> Result<usize> {
            names.iter().map(|name| Ok(number_feature(info, name)?.n_values())).sum()
        };
        let widths = [width(&mapping.state)?, width(&mapping.action)?];
        let last = mapping.action.last().and_then(|name| info.feature(name)?.last_name());
        let has_share = last == Some(COMPLETED);
        let is_plain = mapping.state == Mapping::default().state
            && mapping.action == Mapping::default().action;
        let ticks = [(TICKS_STATE, widths[0]), (TICKS_ACTION, widths[1])];
        let whole = |(name, width): (&str, usize)| {
            info.feature(name).is_some_and(|one| one.n_values() == width * PER_FRAME)
        };
        let frames_per_second = f64::from(TICKS_PER_SECOND) / f64::from(TICKS_PER_FRAME);
        let has_ticks = is_plain
            && (info.fps - frames_per_second).abs() < 1e-3
            && info.feature(TICKS_N).is_some()
            && ticks.into_iter().all(whole);
        let n_action = widths[1] + usize::from(!has_share);
        let fits = n_action == ACTION && widths[0] >= ARMS * WRIST;
        let is_ours =
            has_share && info.robot_type.as_deref() == Some("tetrad") && widths[0] == STATE;
        if mapping.wrists && !fits {
            return wrong(format!(
                "`wrists` is set, and actions have {n_action} values and states {}, not {ACTION} and at \
                 least {}",
                widths[0],
                ARMS * WRIST
            ));
        }
        if n_action == ACTION && !mapping.wrists && !is_ours {
            return wrong(format!(
                "actions of {n_action} values (the completed share is one) would be taken for our two \
                 wrists: say `wrists = true` if they are, or map more or fewer features to `action`"
            ));
        }
        let mut plan = Plan {
            state: mapping.state.clone(),
            action: mapping.action.clone(),
            marks: Vec::new(),
            widths,
            has_ticks,
            adds_share: !has_share,
        };
        if has_ticks {
            plan.state = vec![TICKS_STATE.to_owned()];
            plan.action = vec![TICKS_ACTION.to_owned()];
            if whole((TICKS_MARKS, MARKS)) {
                plan.marks = vec![TICKS_MARKS.to_owned()];
            }
        }
        Ok(plan)
    }
}

/// Cuts episodes where their instruction changes.
fn segments(places: &[Place], numbers: &Numbers, fps: f64) -> Vec<Segment> {
    let mut all = Vec::new();
    for place in places {
        let mut first = place.first_row;
        let end = place.first_row + place.length;
        for row in first + 1..=end {
            if row == end || numbers.tasks[row] != numbers.tasks[first] {
                let n_rows = row - first;
                let n_ticks = if numbers.n_ticks.is_empty() {
                    // A row lasts until the next one would come.
                    (n_rows as f64 * f64::from(TICKS_PER_SECOND) / fps).round().max(1.0) as usize
                } else {
                    numbers.n_ticks[first..row].iter().sum()
                };
                all.push(Segment { first_row: first, n_rows, n_ticks, task: numbers.tasks[first] });
                first = row;
            }
        }
    }
    all
}

/// A camera with videos.
struct VideoCamera<'c> {
    source: &'c Source<'c>,
    info: &'c Info,
    version: &'c str,
    found: &'c Found,
    camera: usize,
}

/// Stores the frames of a camera; `at` is its place among those with videos.
fn read_videos(
    of: &VideoCamera,
    places: &[Place],
    at: usize,
    store: &mut Store,
    progress: &mut dyn FnMut() -> bool,
) -> Result<()> {
    let VideoCamera { source, info, version, found, camera } = of;
    let mut by_file: BTreeMap<[usize; 2], Vec<(usize, usize, &Place)>> = BTreeMap::new();
    for (episode, place) in places.iter().enumerate() {
        let (file, secs) = place.videos[at];
        let first = (secs * info.fps).round() as usize;
        by_file.entry(file).or_default().push((first, episode, place));
    }
    for (file, mut wanted) in by_file {
        let path: PathBuf =
            info.video_file(source.folder, &found.key, file[0], file[1]).ok_or_else(|| {
                wrong(&source.folder.join("meta/info.json"), "it has no `video_path`")
            })?;
        wanted.sort_by_key(|(first, ..)| *first);
        let last = wanted.iter().map(|(first, _, place)| first + place.length).max().unwrap_or(0);
        let mut from = 0;
        let n = video::frames(source.ffmpeg, version, &path, &mut |n, picture| {
            let [height, width] = found.size;
            let got = [picture.height() as usize, picture.width() as usize];
            if got != [height, width] {
                let [h, w] = got;
                let what =
                    format!("frames are {w}x{h}, and `meta/info.json` says {width}x{height}");
                return Err(wrong(&path, what));
            }
            while wanted.get(from).is_some_and(|(first, _, place)| first + place.length <= n) {
                from += 1;
            }
            let mut packed = None;
            for (first, _, place) in wanted[from..].iter().take_while(|(first, ..)| *first <= n) {
                if n < first + place.length {
                    let packed = packed.get_or_insert_with(|| pack(picture, &found.camera));
                    store.put(place.first_row + n - first, *camera, packed)?;
                    if !progress() {
                        return Err(Error::Interrupted);
                    }
                }
            }
            Ok(n + 1 < last)
        })?;
        for (first, episode, place) in &wanted {
            let missing = (0..place.length).find(|at| !store.has(place.first_row + at, *camera));
            if let Some(missing) = missing {
                let what = format!(
                    "it has {n} frames, and frame {missing} of episode {episode} is its frame {}: frames \
                     are missing",
                    first + missing
                );
                return Err(wrong(&path, what));
            }
        }
    }
    Ok(())
}
