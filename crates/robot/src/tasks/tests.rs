//! Scenes, words and what is held back.

use std::collections::BTreeSet;

use super::kinds::{COLOURS, is_shown};
use super::*;
use crate::language::WORDS;

fn colour_of(item: &SceneItem) -> &'static kinds::Colour {
    let name = item.name.split(' ').next().expect("a colour");
    COLOURS.iter().find(|colour| colour.name == name).expect("a known colour")
}

#[test]
fn the_same_seed_gives_the_same_scene_and_words() {
    for task in Task::ALL {
        let draw = || Setup::new(task, 7, Variation::TRAIN);
        assert_eq!(draw().scene, draw().scene);
        assert_eq!(draw().instructions, draw().instructions);
        assert_eq!(draw().instructions.len(), task.n_robots());
    }
}

#[test]
fn tasks_and_splits_draw_different_scenes_from_the_same_seed() {
    let place = |task, variation| {
        let setup = Setup::new(task, 7, variation);
        setup.scene.bodies[setup.target().body].pose.translation.to_array().map(f32::to_bits)
    };
    let mut seen = BTreeSet::new();
    for task in [Task::PickPlace, Task::PutInDrawer, Task::PutInFridge, Task::OpenDrawer] {
        for variation in [Variation::TRAIN, Variation::HELD_OUT] {
            assert!(seen.insert(place(task, variation)));
        }
    }
}

#[test]
fn training_never_shows_the_pairs_of_form_and_colour_that_novel_scenes_always_ask_for() {
    for task in [Task::PickPlace, Task::Handover] {
        for seed in 0..60 {
            for item in Setup::new(task, seed, Variation::TRAIN).items {
                assert!(is_shown(item.item.form, colour_of(&item)), "{}", item.name);
            }
            let novel = Setup::new(task, seed, Variation::NOVEL);
            let target = novel.target();
            assert!(!is_shown(target.item.form, colour_of(target)), "{}", target.name);
        }
    }
}

#[test]
fn colours_of_a_scene_are_all_different_and_what_is_meant_is_named() {
    for seed in 0..60 {
        let setup = Setup::new(Task::PickPlace, seed, Variation::TRAIN);
        let names = setup.items.iter().map(|item| &item.name);
        let names = names.chain(setup.places.iter().map(|place| &place.name));
        let colours: BTreeSet<&str> = names.filter_map(|name| name.split(' ').next()).collect();
        assert_eq!(colours.len(), setup.items.len() + setup.places.len());
        assert!(setup.instructions[0].contains(&setup.target().name));
        assert!(setup.instructions[0].contains(&setup.goal().name));
    }
}

#[test]
fn objects_lie_apart_from_each_other() {
    for seed in 0..200 {
        let setup = Setup::new(Task::PickPlace, seed, Variation::TRAIN);
        let at = |item: &SceneItem| setup.scene.bodies[item.body].pose.translation;
        for (idx, one) in setup.items.iter().enumerate() {
            for other in &setup.items[..idx] {
                let way = at(one) - at(other);
                assert!(way.x.abs() > 0.08 || way.y.abs() > 0.10, "seed {seed}: {way}");
            }
        }
    }
}

#[test]
fn training_speaks_only_words_that_are_known() {
    for task in Task::ALL {
        for robot in 0..task.n_robots() {
            let phrases = Phrases::of(task, robot);
            for phrase in phrases.shown {
                for word in phrase.split([' ', ',']).filter(|word| !word.is_empty()) {
                    assert!(word.starts_with('{') || WORDS.contains(&word), "{word}: {phrase}");
                }
            }
            for phrase in phrases.novel {
                assert!(!phrases.shown.contains(phrase));
            }
        }
    }
    let nouns = kinds::KINDS.iter().flat_map(|kind| kind.nouns).chain(kinds::BAR.nouns);
    let colours = COLOURS.iter().map(|colour| colour.name);
    let places = Place::ALL.iter().flat_map(|&place| kinds::place_nouns(place));
    for word in nouns.chain(places).copied().chain(colours) {
        assert!(WORDS.contains(&word), "{word}");
    }
}

#[test]
fn nothing_is_done_before_it_is_begun() {
    for task in Task::ALL {
        let setup = Setup::new(task, 11, Variation::HELD_OUT);
        let mut world = setup.world();
        let mut judge = Judge::default();
        let rest: Vec<_> = (0..world.n_robots()).map(|robot| world.joints(robot)).collect();
        for _ in 0..60 {
            world.step(&rest);
            assert!(!judge.watch(&setup, &world), "{}", task.name());
        }
    }
}

#[test]
fn wrong_words_name_what_is_there_but_not_meant() {
    for seed in 0..20 {
        let setup = Setup::new(Task::PickPlace, seed, Variation::HELD_OUT);
        let wrong = setup.with_wrong_words();
        let text = &wrong.instructions[0];
        assert!(!text.contains(&setup.target().name) && !text.contains(&setup.goal().name));
        assert!(setup.items.iter().any(|item| text.contains(&item.name)));
        assert!(setup.places.iter().any(|place| text.contains(&place.name)));
        assert_eq!(wrong.scene, setup.scene);
    }
}

#[test]
fn every_instruction_fits_into_the_tokens_of_a_model() {
    for task in Task::ALL {
        for variation in [Variation::TRAIN, Variation::NOVEL] {
            for seed in 0..30 {
                for text in Setup::new(task, seed, variation).instructions {
                    let tokens = crate::language::tokens(&text, 200);
                    let end = tokens.iter().position(|&token| token == crate::language::END);
                    assert!(end.is_some_and(|at| at < crate::language::LENGTH), "{text}");
                }
            }
        }
    }
}

#[test]
fn an_instruction_said_in_another_way_asks_for_the_same() {
    for task in Task::ALL {
        for robot in 0..task.n_robots() {
            let mut ways = BTreeSet::new();
            for seed in 0..20_u64 {
                let setup = Setup::new(task, seed, Variation::TRAIN);
                let text = &setup.instructions[robot];
                let (object, place) = (&setup.target().name, &setup.goal().name);
                for variant in 0..12 {
                    let other = reworded(task, robot, text, variant | variant << 32);
                    assert_eq!(other.contains(object), text.contains(object), "{text}: {other}");
                    assert_eq!(other.contains(place), text.contains(place), "{text}: {other}");
                    let again = reworded(task, robot, &other, 0);
                    assert_eq!(again, reworded(task, robot, text, 0), "{other}");
                    ways.insert(other.replace(object, "{o}").replace(place, "{p}"));
                }
            }
            let shown = Phrases::of(task, robot).shown;
            assert!(ways.len() >= shown.len(), "{} robot {robot}: {ways:?}", task.name());
        }
    }
    let strange = "please do something else entirely";
    assert_eq!(reworded(Task::PickPlace, 0, strange, 3), strange);
}
