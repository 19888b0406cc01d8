//! How tasks are put into words: `{o}` is the object, `{in}` a preposition, `{p}` the place.

use super::Task;
use super::kinds::{place_nouns, preposition};
use crate::world::stage::Place;

/// Ways to ask for one task.
#[derive(Debug, Clone, Copy)]
pub struct Phrases {
    /// Those of training, and of evaluation unless it asks for new ones.
    pub shown: &'static [&'static str],
    /// Those of evaluation only.
    pub novel: &'static [&'static str],
}

impl Phrases {
    /// The ways to ask `robot` (0, or 1 for the robot opposite) for a task.
    #[must_use]
    pub fn of(task: Task, robot: usize) -> Self {
        match (task, robot) {
            (Task::PickPlace, _) => Self {
                shown: &[
                    "put the {o} {in} the {p}",
                    "place the {o} {in} the {p}",
                    "move the {o} to the {p}",
                    "take the {o} and put it {in} the {p}",
                    "pick up the {o} and place it {in} the {p}",
                    "drop the {o} {in} the {p}",
                    "bring the {o} to the {p}",
                    "get the {o} and lay it {in} the {p}",
                    "grab the {o} and drop it {in} the {p}",
                    "set the {o} {in} the {p}",
                    "move the {o} over to the {p}",
                    "{in} the {p} put the {o}",
                ],
                novel: &[
                    "grab the {o} then set it {in} the {p}",
                    "the {o} goes {in} the {p}",
                    "please bring the {o} over to the {p}",
                    "i want the {o} {in} the {p}",
                ],
            },
            (Task::OpenDrawer, _) => Self {
                shown: &[
                    "open the drawer",
                    "pull the drawer open",
                    "pull open the drawer",
                    "open up the drawer",
                ],
                novel: &["please open up the drawer", "get the drawer open"],
            },
            (Task::CloseDrawer, _) => Self {
                shown: &[
                    "close the drawer",
                    "shut the drawer",
                    "push the drawer shut",
                    "push the drawer in",
                ],
                novel: &["please close up the drawer", "get the drawer shut"],
            },
            (Task::PutInDrawer, _) => Self {
                shown: &[
                    "open the drawer and put the {o} in",
                    "put the {o} in the drawer",
                    "place the {o} into the drawer",
                    "open the drawer and place the {o} inside",
                    "pull the drawer open and drop the {o} into it",
                    "open up the drawer then put the {o} in it",
                    "move the {o} into the drawer",
                    "pick up the {o} and place it inside the drawer",
                    "into the drawer put the {o}",
                ],
                novel: &[
                    "the {o} goes into the drawer",
                    "please set the {o} inside the drawer",
                    "pull open the drawer then drop the {o} in it",
                ],
            },
            (Task::OpenFridge, _) => Self {
                shown: &[
                    "open the fridge",
                    "open the refrigerator",
                    "pull the fridge door open",
                    "open up the fridge door",
                ],
                novel: &["please open up the fridge", "get the fridge door open"],
            },
            (Task::CloseFridge, _) => Self {
                shown: &[
                    "close the fridge",
                    "shut the refrigerator",
                    "push the fridge door shut",
                    "close the door of the fridge",
                ],
                novel: &["please close up the fridge", "get the fridge door shut"],
            },
            (Task::PutInFridge, _) => Self {
                shown: &[
                    "open the fridge and put the {o} in",
                    "put the {o} in the fridge",
                    "place the {o} into the refrigerator",
                    "open the fridge and place the {o} inside",
                    "pull the fridge door open and drop the {o} into it",
                    "open up the fridge then put the {o} in it",
                    "move the {o} into the fridge",
                    "pick up the {o} and place it inside the refrigerator",
                    "into the fridge put the {o}",
                ],
                novel: &[
                    "the {o} goes into the fridge",
                    "please set the {o} inside the fridge",
                    "pull open the fridge door then drop the {o} in it",
                ],
            },
            (Task::Handover, 0) => Self {
                shown: &[
                    "hand the {o} to the robot opposite",
                    "give the {o} to the other robot",
                    "pass the {o} over to the robot opposite",
                    "hand the other robot the {o}",
                    "give the robot opposite the {o}",
                    "pick up the {o} and bring it to the other robot",
                    "get the {o} and hand it over to the robot opposite",
                    "move the {o} over to the other robot",
                ],
                novel: &[
                    "please get the {o} over to the other robot",
                    "bring the other robot the {o}",
                ],
            },
            (Task::Handover, _) => Self {
                shown: &[
                    "receive the {o} from the robot opposite and put it {in} the {p}",
                    "take the {o} from the other robot and place it {in} the {p}",
                    "accept the {o} and put it {in} the {p}",
                    "get the {o} from the other robot and drop it {in} the {p}",
                    "take the {o} from the robot opposite then lay it {in} the {p}",
                    "from the robot opposite receive the {o} and set it {in} the {p}",
                    "grab the {o} from the other robot and move it to the {p}",
                    "the {o} from the robot opposite put {in} the {p}",
                ],
                novel: &[
                    "get the {o} from the robot opposite then set it {in} the {p}",
                    "the other robot gives the {o}, lay it {in} the {p}",
                ],
            },
        }
    }
}

/// An instruction that training shows, said in another of its ways; as it is where it is none of them.
#[must_use]
pub fn reworded(task: Task, robot: usize, instruction: &str, variant: u64) -> String {
    let shown = Phrases::of(task, robot).shown;
    let Some([object, place]) = shown.iter().find_map(|phrase| blanks(phrase, instruction)) else {
        return instruction.to_owned();
    };
    let ways = [variant, variant >> 32].map(|bits| usize::try_from(bits & 0xffff).unwrap_or(0));
    let is_of = |kind: &Place| place_nouns(*kind).iter().any(|noun| place.ends_with(noun));
    let word =
        Place::ALL.into_iter().find(is_of).map_or("in", |kind| preposition(kind)[ways[1] % 2]);
    fill(shown[ways[0] % shown.len()], &object, word, &place)
}

/// The object and the place of an instruction, each a colour and a noun, if it is this phrase; a blank that
/// the phrase has not is empty.
fn blanks(phrase: &str, instruction: &str) -> Option<[String; 2]> {
    let mut words = instruction.split(' ');
    let mut found = [String::new(), String::new()];
    for part in phrase.split(' ') {
        let word = words.next()?;
        match part {
            "{o}" => found[0] = format!("{word} {}", words.next()?),
            "{p}" => found[1] = format!("{word} {}", words.next()?),
            "{in}" if ["in", "into", "on", "onto"].contains(&word) => {}
            _ if part == word => {}
            _ => return None,
        }
    }
    words.next().is_none().then_some(found)
}

/// A phrase with its blanks filled.
pub(super) fn fill(phrase: &str, object: &str, preposition: &str, place: &str) -> String {
    phrase.replace("{o}", object).replace("{in}", preposition).replace("{p}", place)
}
