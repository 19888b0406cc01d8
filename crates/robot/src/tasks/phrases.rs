//! How tasks are put into words: `{o}` is the object, `{in}` a preposition, `{p}` the place.

use super::Task;

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
                ],
                novel: &[
                    "grab the {o} then set it {in} the {p}",
                    "the {o} goes {in} the {p}",
                    "please bring the {o} over to the {p}",
                    "i want the {o} {in} the {p}",
                ],
            },
            (Task::OpenDrawer, _) => Self {
                shown: &["open the drawer", "pull the drawer open", "pull open the drawer"],
                novel: &["please open up the drawer", "get the drawer open"],
            },
            (Task::CloseDrawer, _) => Self {
                shown: &["close the drawer", "shut the drawer", "push the drawer shut"],
                novel: &["please close up the drawer", "get the drawer shut"],
            },
            (Task::PutInDrawer, _) => Self {
                shown: &[
                    "open the drawer and put the {o} in",
                    "put the {o} in the drawer",
                    "place the {o} into the drawer",
                    "open the drawer and place the {o} inside",
                ],
                novel: &[
                    "the {o} goes into the drawer",
                    "please set the {o} inside the drawer",
                    "pull open the drawer then drop the {o} in it",
                ],
            },
            (Task::OpenFridge, _) => Self {
                shown: &["open the fridge", "open the refrigerator", "pull the fridge door open"],
                novel: &["please open up the fridge", "get the fridge door open"],
            },
            (Task::CloseFridge, _) => Self {
                shown: &["close the fridge", "shut the refrigerator", "push the fridge door shut"],
                novel: &["please close up the fridge", "get the fridge door shut"],
            },
            (Task::PutInFridge, _) => Self {
                shown: &[
                    "open the fridge and put the {o} in",
                    "put the {o} in the fridge",
                    "place the {o} into the refrigerator",
                    "open the fridge and place the {o} inside",
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
                ],
                novel: &[
                    "get the {o} from the robot opposite then set it {in} the {p}",
                    "the other robot gives the {o}, lay it {in} the {p}",
                ],
            },
        }
    }
}

/// A phrase with its blanks filled.
pub(super) fn fill(phrase: &str, object: &str, preposition: &str, place: &str) -> String {
    phrase.replace("{o}", object).replace("{in}", preposition).replace("{p}", place)
}
