//! How scenes are drawn.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::kinds::{
    BAR, COLOURS, Colour, KINDS, Kind, NOVEL_KINDS, is_shown, item, place_nouns, preposition, shade,
};
use super::phrases::fill;
use super::{Phrases, SceneItem, ScenePlace, Setup, Split, Task, Variation};
use crate::world::body::add_robot;
use crate::world::stage::{
    DOOR_TRAVEL, DRAWER_TRAVEL, Form, OPPOSITE, Place, add_drawer, add_fridge, add_item, add_place,
    add_table,
};
use crate::world::{RobotBodies, Scene};

/// Side of the cells of the table that are either for training or for evaluation, in metres.
const CELL: f32 = 0.05;

/// Whether a position on the table belongs to the cells that training leaves empty: one in five.
fn is_novel_cell(x: f32, y: f32) -> bool {
    let cell = |value: f32| libm::floorf(value / CELL).rem_euclid(5.0);
    let number = (cell(x) + 2.0 * cell(y)).rem_euclid(5.0);
    number < 0.5
}

struct Draw {
    rng: ChaCha8Rng,
    variation: Variation,
    scene: Scene,
    items: Vec<SceneItem>,
    places: Vec<ScenePlace>,
    taken: Vec<[f32; 2]>,
    colours: Vec<Colour>,
}

/// Draws a scene and its instructions.
pub(super) fn setup(task: Task, seed: u64, variation: Variation) -> Setup {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Streams keep tasks and splits apart: no scene of one is a scene of another.
    let split = u64::from(variation.split == Split::HeldOut);
    rng.set_stream(split << 32 | task as u64);
    let mut colours = COLOURS.to_vec();
    colours.shuffle(&mut rng);
    let mut draw = Draw {
        rng,
        variation,
        scene: Scene::default(),
        items: Vec::new(),
        places: Vec::new(),
        taken: Vec::new(),
        colours,
    };
    let table = draw.table();
    add_table(&mut draw.scene, table);
    if task == Task::Handover { draw.handover(seed) } else { draw.kitchen(task, seed) }
}

impl Draw {
    fn uniform(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.rng.random::<f32>()
    }

    fn table(&mut self) -> [u8; 3] {
        let base = *[[176, 150, 118], [150, 148, 144], [120, 96, 74], [196, 190, 180]]
            .choose(&mut self.rng)
            .unwrap_or(&[176, 150, 118]);
        shade(base, &mut self.rng)
    }

    /// One robot, drawer, fridge, two places, three objects.
    fn kitchen(mut self, task: Task, seed: u64) -> Setup {
        let robots = vec![add_robot(&mut self.scene, "a", Pose3::IDENTITY, [70, 92, 120])];
        let drawer_open = match task {
            Task::CloseDrawer => self.uniform(0.13, 0.175),
            _ => 0.0,
        };
        let door_open = match task {
            Task::CloseFridge => self.uniform(1.2, 1.45),
            _ => 0.0,
        };
        let wood = shade([150, 112, 76], &mut self.rng);
        let drawer = add_drawer(&mut self.scene, drawer_open.min(DRAWER_TRAVEL), wood);
        let enamel = shade([214, 218, 222], &mut self.rng);
        let door = add_fridge(&mut self.scene, door_open.min(DOOR_TRAVEL), enamel);
        // The object meant chooses first, so that its colour is always to be had.
        let meant = self.kind_and_colour(true);
        let mut kinds = Place::ALL.to_vec();
        kinds.shuffle(&mut self.rng);
        for (place, y) in kinds.into_iter().zip([0.105, -0.105]) {
            let at = [0.60 + self.uniform(-0.015, 0.015), y + self.uniform(-0.012, 0.012)];
            self.place(place, at, 1.0);
        }
        let n_items = 3;
        for idx in 0..n_items {
            let is_target = idx == 0;
            let (kind, colour) = if is_target { meant } else { self.kind_and_colour(false) };
            let at = self.position([0.26, 0.45], [-0.17, 0.20], is_target);
            self.item(&kind, &colour, at, 0.26);
        }
        let mut goal = self.rng.random_range(0..2);
        // A ball rolls off a stand.
        if self.items[0].item.form == Form::Ball && self.places[goal].place == Place::Stand {
            goal = 1 - goal;
        }
        let instruction = self.instruction(task, 0, goal);
        self.finish(task, seed, robots, vec![instruction], goal, Some(drawer), Some(door))
    }

    /// Two robots opposite: bars before the giver, places before the receiver.
    fn handover(mut self, seed: u64) -> Setup {
        let opposite = Pose3::from_parts(
            Vec3::new(OPPOSITE, 0.0, 0.0),
            Quat::from_rotation_z(std::f32::consts::PI),
        );
        let robots = vec![
            add_robot(&mut self.scene, "a", Pose3::IDENTITY, [70, 92, 120]),
            add_robot(&mut self.scene, "b", opposite, [128, 84, 72]),
        ];
        let meant = self.colour(Form::Bar, true);
        let mut kinds = vec![Place::Tray, Place::Bin, Place::Plate];
        kinds.shuffle(&mut self.rng);
        for (place, y) in kinds.into_iter().zip([0.14, -0.14]) {
            let at = [0.36 + self.uniform(-0.015, 0.015), y + self.uniform(-0.012, 0.012)];
            self.place(place, [OPPOSITE - at[0], -at[1]], 1.4);
        }
        let left_first = self.rng.random_bool(0.5);
        let sides = if left_first { [1.0, -1.0] } else { [-1.0, 1.0] };
        for (idx, side) in sides.into_iter().enumerate() {
            let colour = if idx == 0 { meant } else { self.colour(Form::Bar, false) };
            let (x, y) = (self.uniform(0.33, 0.40), side * self.uniform(0.06, 0.18));
            self.item(&BAR, &colour, [x, y], 0.10);
        }
        let goal = self.rng.random_range(0..2);
        let give = self.instruction(Task::Handover, 0, goal);
        let receive = self.instruction(Task::Handover, 1, goal);
        self.finish(Task::Handover, seed, robots, vec![give, receive], goal, None, None)
    }

    fn place(&mut self, place: Place, at: [f32; 2], scale: f32) {
        let colour = self.next_colour();
        let rgb = shade(colour.rgb, &mut self.rng);
        let name = format!("place{}", self.places.len());
        add_place(&mut self.scene, &name, place, at, scale, rgb);
        let noun = self.noun(place_nouns(place));
        self.places.push(ScenePlace {
            place,
            at: Vec3::new(at[0], at[1], 0.0),
            half: place.half_size().map(|half| half * scale),
            name: format!("{} {noun}", colour.name),
        });
    }

    fn item(&mut self, kind: &Kind, colour: &Colour, at: [f32; 2], most_yaw: f32) {
        let item = item(kind, colour, &mut self.rng);
        let yaw = self.uniform(-most_yaw, most_yaw);
        let name = format!("item{}", self.items.len());
        let at = Vec3::new(at[0], at[1], 0.0);
        let body = add_item(&mut self.scene, &name, &item, at, yaw);
        let noun = self.noun(kind.nouns);
        self.items.push(SceneItem { body, item, name: format!("{} {noun}", colour.name) });
    }

    fn noun(&mut self, nouns: &[&'static str]) -> &'static str {
        let first = nouns.first().copied().unwrap_or("thing");
        if self.variation.split == Split::HeldOut {
            return first;
        }
        nouns.choose(&mut self.rng).copied().unwrap_or(first)
    }

    /// Colours of a scene are all different, so that the colour alone says which is meant.
    fn next_colour(&mut self) -> Colour {
        self.colours.pop().unwrap_or(COLOURS[0])
    }

    fn kind_and_colour(&mut self, is_target: bool) -> (Kind, Colour) {
        let novel = self.variation.novel_objects && is_target;
        let mut kinds = KINDS.to_vec();
        if novel {
            kinds.extend(NOVEL_KINDS);
        }
        let kind = *kinds.choose(&mut self.rng).unwrap_or(&KINDS[0]);
        (kind, self.colour(kind.form, is_target))
    }

    /// A colour not used yet in which this form may be shown.
    fn colour(&mut self, form: Form, is_target: bool) -> Colour {
        let novel = self.variation.novel_objects && is_target;
        let wanted = |colour: &Colour| is_shown(form, colour) != novel;
        let at = self.colours.iter().rposition(wanted);
        match at {
            Some(at) => self.colours.remove(at),
            // The one colour held back for this form is already in the scene: the form is then new in
            // size and place only.
            None => self.next_colour(),
        }
    }

    /// A free position; the fingers open along y, so that neighbours there must be further away.
    fn position(&mut self, x: [f32; 2], y: [f32; 2], is_target: bool) -> [f32; 2] {
        let mut at = [0.0; 2];
        for _ in 0..1000 {
            at = [self.uniform(x[0], x[1]), self.uniform(y[0], y[1])];
            let novel = self.variation.novel_positions && is_target;
            // In the middle it is not clear which arm is nearer.
            let clear = !is_target || at[1].abs() > 0.012;
            let free = self
                .taken
                .iter()
                .all(|other| (at[0] - other[0]).abs() > 0.085 || (at[1] - other[1]).abs() > 0.105);
            if free && clear && is_novel_cell(at[0], at[1]) == novel {
                break;
            }
        }
        self.taken.push(at);
        at
    }

    fn instruction(&mut self, task: Task, robot: usize, goal: usize) -> String {
        let phrases = Phrases::of(task, robot);
        let phrases = if self.variation.novel_phrases { phrases.novel } else { phrases.shown };
        let phrase = phrases.choose(&mut self.rng).copied().unwrap_or_default();
        let place = &self.places[goal];
        let word = *preposition(place.place).choose(&mut self.rng).unwrap_or(&"in");
        fill(phrase, &self.items[0].name, word, &place.name)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one result")]
    fn finish(
        mut self,
        task: Task,
        seed: u64,
        robots: Vec<RobotBodies>,
        instructions: Vec<String>,
        goal: usize,
        drawer: Option<usize>,
        door: Option<usize>,
    ) -> Setup {
        let sun = Vec3::new(self.uniform(-0.7, 0.3), self.uniform(-0.6, 0.6), 1.0).normalize();
        let background = shade([112, 118, 124], &mut self.rng);
        Setup {
            task,
            seed,
            variation: self.variation,
            scene: self.scene,
            robots,
            instructions,
            items: self.items,
            places: self.places,
            target: 0,
            goal,
            drawer,
            door,
            sun,
            background,
        }
    }
}
