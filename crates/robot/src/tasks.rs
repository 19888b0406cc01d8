//! Tasks from language: what is in the scene, what is asked, when it is done.
//!
//! A [`Setup`] is drawn from a task, a seed and a [`Variation`]: the same three give the same scene and
//! words. Training and evaluation never share a scene, since every [`Split`] draws from numbers of its
//! own; what else evaluation holds back (objects, positions, phrasings) is up to the variation.

pub mod judge;
pub mod kinds;
mod phrases;
mod sample;
#[cfg(test)]
mod tests;

use rapier3d::glamx::{Pose3, Vec3};

pub use judge::Judge;
pub(crate) use judge::{is_in_drawer, is_in_fridge, is_placed};
pub use phrases::{Phrases, reworded};

use crate::world::stage::{Item, Place};
use crate::world::{Physics, Rapier, RobotBodies, Scene, World};

/// What a robot can be asked to do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Put a named object into or onto a named place.
    PickPlace,
    /// Open the drawer.
    OpenDrawer,
    /// Close the drawer.
    CloseDrawer,
    /// Open the drawer and put a named object in.
    PutInDrawer,
    /// Open the fridge.
    OpenFridge,
    /// Close the fridge.
    CloseFridge,
    /// Open the fridge and put a named object in.
    PutInFridge,
    /// One robot hands a named object to the robot opposite, which puts it into a named place.
    Handover,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 8] = [
        Self::PickPlace,
        Self::OpenDrawer,
        Self::CloseDrawer,
        Self::PutInDrawer,
        Self::OpenFridge,
        Self::CloseFridge,
        Self::PutInFridge,
        Self::Handover,
    ];

    /// Its name in records and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PickPlace => "pick-place",
            Self::OpenDrawer => "open-drawer",
            Self::CloseDrawer => "close-drawer",
            Self::PutInDrawer => "put-in-drawer",
            Self::OpenFridge => "open-fridge",
            Self::CloseFridge => "close-fridge",
            Self::PutInFridge => "put-in-fridge",
            Self::Handover => "handover",
        }
    }

    /// The task of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Robots that take part.
    #[must_use]
    pub fn n_robots(self) -> usize {
        if self == Self::Handover { 2 } else { 1 }
    }

    /// Seconds after which an attempt has failed: about twice what the expert needs.
    #[must_use]
    pub fn limit_secs(self) -> f32 {
        match self {
            Self::PickPlace => 12.0,
            Self::OpenDrawer | Self::CloseDrawer | Self::OpenFridge | Self::CloseFridge => 10.0,
            Self::PutInDrawer | Self::PutInFridge => 20.0,
            Self::Handover => 20.0,
        }
    }
}

/// Which scenes: those to learn from, or those to be judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// To learn from.
    Train,
    /// To be judged by.
    HeldOut,
}

/// What a scene is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Variation {
    /// Which scenes.
    pub split: Split,
    /// The object to be handled is a pair of form and colour that training never shows.
    pub novel_objects: bool,
    /// Its position is in cells of the table that training leaves empty.
    pub novel_positions: bool,
    /// The instruction is phrased as training never phrases it.
    pub novel_phrases: bool,
}

impl Variation {
    /// What demonstrations are drawn from.
    pub const TRAIN: Self = Self {
        split: Split::Train,
        novel_objects: false,
        novel_positions: false,
        novel_phrases: false,
    };

    /// New scenes of the kind that training shows.
    pub const HELD_OUT: Self = Self { split: Split::HeldOut, ..Self::TRAIN };

    /// New scenes with objects, positions and phrasings that training never shows.
    pub const NOVEL: Self = Self {
        split: Split::HeldOut,
        novel_objects: true,
        novel_positions: true,
        novel_phrases: true,
    };
}

/// An object of a scene.
#[derive(Debug, Clone)]
pub struct SceneItem {
    /// Its body in the scene.
    pub body: usize,
    /// Form and size.
    pub item: Item,
    /// What it is called, for instance `red cube`.
    pub name: String,
}

/// A place of a scene.
#[derive(Debug, Clone)]
pub struct ScenePlace {
    /// What kind.
    pub place: Place,
    /// Its middle at the table's top, in the world.
    pub at: Vec3,
    /// Half sizes of where things may lie.
    pub half: [f32; 2],
    /// What it is called, for instance `blue bin`.
    pub name: String,
}

/// A scene, what is asked there, and what is meant.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What is asked.
    pub task: Task,
    /// What it was drawn from.
    pub seed: u64,
    /// What it was drawn from.
    pub variation: Variation,
    /// Everything there is.
    pub scene: Scene,
    /// The robots in it.
    pub robots: Vec<RobotBodies>,
    /// One instruction a robot.
    pub instructions: Vec<String>,
    /// Objects.
    pub items: Vec<SceneItem>,
    /// Places.
    pub places: Vec<ScenePlace>,
    /// Which object is meant.
    pub target: usize,
    /// Which place is meant.
    pub goal: usize,
    /// Body of the drawer, where there is one.
    pub drawer: Option<usize>,
    /// Body of the fridge's door, where there is one.
    pub door: Option<usize>,
    /// From the scene to the sun.
    pub sun: Vec3,
    /// What is behind the table.
    pub background: [u8; 3],
}

impl Setup {
    /// Draws a scene and its instructions.
    #[must_use]
    pub fn new(task: Task, seed: u64, variation: Variation) -> Self {
        sample::setup(task, seed, variation)
    }

    /// The same scene with instructions that name another object and another place of it, where tasks
    /// name any: whoever reads does something else, and fails by the judge of this setup.
    #[must_use]
    pub fn with_wrong_words(&self) -> Self {
        let mut wrong = self.clone();
        let other = |names: &[&String], idx: usize| names[(idx + 1) % names.len()].clone();
        let items: Vec<&String> = self.items.iter().map(|item| &item.name).collect();
        let places: Vec<&String> = self.places.iter().map(|place| &place.name).collect();
        for text in &mut wrong.instructions {
            *text = text.replace(&self.target().name, &other(&items, self.target));
            *text = text.replace(&self.goal().name, &other(&places, self.goal));
        }
        wrong
    }

    /// The world that it describes, with the embedded engine.
    #[must_use]
    pub fn world(&self) -> World {
        self.world_with(Box::new(Rapier::new(&self.scene)))
    }

    /// The same moved by another engine that was built from the same scene.
    #[must_use]
    pub fn world_with(&self, physics: Box<dyn Physics>) -> World {
        let mut world = World::with_physics(&self.scene, self.robots.clone(), physics);
        let models = world.models_mut();
        models.sun = self.sun;
        models.background = self.background;
        world
    }

    /// The object that is meant.
    #[must_use]
    pub fn target(&self) -> &SceneItem {
        &self.items[self.target]
    }

    /// The place that is meant.
    #[must_use]
    pub fn goal(&self) -> &ScenePlace {
        &self.places[self.goal]
    }

    /// Where an object is.
    #[must_use]
    pub fn item_pose(&self, world: &World, item: usize) -> Pose3 {
        world.physics().pose(self.items[item].body)
    }
}
