//! Demonstrations and their files.

use super::*;
use crate::interface::{ACTION, MARKS, STATE, TICKS_PER_FRAME};
use crate::world::picture_buffers;

fn config(folder: &Path, n_threads: usize) -> CollectConfig {
    CollectConfig {
        folder: folder.to_path_buf(),
        tasks: vec![Task::OpenDrawer],
        first_seed: 3,
        n_seeds: 2,
        variation: Variation::TRAIN,
        disturbance: 0.03,
        n_threads,
    }
}

fn bytes(folder: &Path) -> Vec<Vec<u8>> {
    let paths = list(folder).expect("a readable folder");
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

#[test]
#[ignore = "needs: some seconds of simulation"]
fn a_collection_goes_on_where_it_was_stopped_and_does_not_depend_on_threads() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stopped = collect(&config(one.path(), 1), None, &|_| false).unwrap();
    assert_eq!((stopped.n_done, bytes(one.path()).len()), (1, 1));
    let all = collect(&config(one.path(), 1), None, &|_| true).unwrap();
    assert_eq!(all, Collected { n_done: 2, n_failed: 0, n_seeds: 2 });
    collect(&config(two.path(), 2), None, &|_| true).unwrap();
    assert_eq!(bytes(one.path()), bytes(two.path()));
}

#[test]
fn an_expert_opens_the_drawer_and_is_judged_by_the_state() {
    let setup = Setup::new(Task::OpenDrawer, 0, Variation::TRAIN);
    let (mut n_ticks, mut widest) = (0, 0.0_f32);
    let outcome = demonstrate(&setup, 0.0, false, &mut |tick| {
        n_ticks += 1;
        let drawer = setup.drawer.expect("a drawer");
        widest = widest.max(tick.world.physics().joint(drawer).0);
    });
    assert!(outcome.success && widest > 0.15, "{outcome:?} {widest}");
    assert_eq!(outcome.n_ticks, n_ticks);
}

#[test]
#[ignore = "needs: some seconds of simulation"]
fn whoever_does_nothing_does_not_succeed() {
    let setup = Setup::new(Task::OpenFridge, 0, Variation::TRAIN);
    let mut n_asked = 0_u32;
    let outcome = attempt(&setup, false, &mut |seen| {
        assert_eq!((seen.tick, seen.robot, seen.expert), (n_asked, 0, None));
        n_asked += 1;
        None
    });
    assert_eq!(outcome, Outcome { success: false, n_ticks: n_asked });
}

#[test]
fn whoever_does_what_the_watching_expert_says_is_as_good_as_it() {
    let setup = Setup::new(Task::CloseDrawer, 0, Variation::TRAIN);
    let outcome = attempt(&setup, true, &mut |seen| seen.expert.copied());
    let alone = demonstrate(&setup, 0.0, false, &mut |_| ());
    // The demonstration goes on until the arm is home again.
    assert!(outcome.success && outcome.n_ticks <= alone.n_ticks, "{outcome:?} {alone:?}");
}

/// An episode of a few ticks, without a world.
fn written(folder: &Path, n_ticks: usize, n_frames: usize) -> PathBuf {
    let setup = Setup::new(Task::PickPlace, 1, Variation::TRAIN);
    let mut writer = EpisodeWriter::new(&setup, 0, 0.0);
    let mut pictures = picture_buffers();
    for tick in 0..n_ticks {
        let frame = tick / TICKS_PER_FRAME as usize;
        let is_new = tick % TICKS_PER_FRAME as usize == 0 && frame < n_frames;
        for (camera, picture) in pictures.iter_mut().enumerate() {
            picture.fill(u8::try_from(10 * frame + camera).unwrap());
        }
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let value = tick as f32;
        writer.add(
            &[value; STATE],
            &[-value; ACTION],
            &[0.5 * value; MARKS],
            is_new.then_some(&pictures),
        );
    }
    let path = folder.join("one.episode");
    writer.finish(&path).unwrap();
    path
}

#[test]
fn an_episode_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let episode = Episode::load(&written(folder.path(), 13, 3)).unwrap();
    assert_eq!((episode.header().n_ticks, episode.header().n_frames), (13, 3));
    assert_eq!(episode.state(12), [12.0; STATE]);
    assert_eq!(episode.action(7), [-7.0; ACTION]);
    let mut pictures = vec![0; episode.frame_bytes()];
    episode.frame(2, &mut pictures).unwrap();
    assert_eq!((pictures[0], pictures[pictures.len() - 1]), (20, 22));
    let error = episode.frame(3, &mut pictures).unwrap_err().to_string();
    assert!(error.contains("frame 3"), "{error}");
}

#[test]
fn an_episode_knows_how_far_what_it_shows_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let shown = Episode::load(&written(folder.path(), 7, 2)).unwrap();
    assert_eq!(shown.n_led(5), usize::MAX);
    let setup = Setup::new(Task::PickPlace, 1, Variation::TRAIN);
    let mut writer = EpisodeWriter::new(&setup, 0, 0.0);
    writer.acted("somebody", false);
    for tick in 0..12 {
        let pictures = picture_buffers();
        let frame = (tick % TICKS_PER_FRAME as usize == 0).then_some(&pictures);
        writer.add(&[0.0; STATE], &[0.0; ACTION], &[0.0; MARKS], frame);
        if [2, 3, 4, 8].contains(&tick) {
            writer.stray();
        }
    }
    let path = folder.path().join("corrected.episode");
    writer.finish(&path).unwrap();
    let episode = Episode::load(&path).unwrap();
    assert_eq!(episode.header().strayed, [(2, 5), (8, 9)]);
    let led: Vec<usize> = (0..12).map(|tick| episode.n_led(tick)).collect();
    assert_eq!(led, [2, 1, 0, 0, 0, 3, 2, 1, 0, 2, 1, 0]);
}

#[test]
fn an_episode_with_missing_frames_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Episode::load(&written(folder.path(), 13, 2)).unwrap_err().to_string();
    assert!(error.contains("2 frames where 13 ticks need 3"), "{error}");
}

#[test]
fn a_cut_or_changed_episode_is_refused_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), 7, 2);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 11, 15, 200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(Episode::load(&path), Err(Error::Episode { .. })), "{length}");
    }
    for at in [0, 9, 13, 40, whole.len() / 2, whole.len() - 2] {
        let mut changed = whole.clone();
        changed[at] ^= 0x40;
        std::fs::write(&path, &changed).unwrap();
        assert!(matches!(Episode::load(&path), Err(Error::Episode { .. })), "{at}");
    }
}
