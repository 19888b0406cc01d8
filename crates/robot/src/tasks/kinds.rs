//! Which objects, colours and places there are, what they are called, and which are held back.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::world::stage::{Form, Item, Place};

/// A colour and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Its name.
    pub name: &'static str,
    /// Red, green, blue.
    pub rgb: [u8; 3],
}

/// Colours of objects and places.
pub const COLOURS: [Colour; 7] = [
    Colour { name: "red", rgb: [204, 44, 40] },
    Colour { name: "green", rgb: [52, 158, 66] },
    Colour { name: "blue", rgb: [44, 84, 200] },
    Colour { name: "yellow", rgb: [232, 206, 48] },
    Colour { name: "orange", rgb: [236, 128, 32] },
    Colour { name: "purple", rgb: [130, 62, 168] },
    Colour { name: "white", rgb: [236, 236, 232] },
];

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its form.
    pub form: Form,
    /// What it may be called; the first is used in training and evaluation, the rest in training only.
    pub nouns: &'static [&'static str],
    /// Width between the fingers from .. to, in millimetres.
    pub width_mm: [u16; 2],
    /// Height from .. to, in millimetres; where both are 0, as high as wide.
    pub height_mm: [u16; 2],
}

/// What training shows.
pub const KINDS: [Kind; 6] = [
    Kind { form: Form::Cube, nouns: &["cube", "block"], width_mm: [34, 46], height_mm: [0, 0] },
    Kind { form: Form::Brick, nouns: &["brick"], width_mm: [30, 40], height_mm: [30, 40] },
    Kind { form: Form::Can, nouns: &["can", "tin"], width_mm: [38, 50], height_mm: [55, 80] },
    Kind { form: Form::Ball, nouns: &["ball"], width_mm: [38, 50], height_mm: [0, 0] },
    Kind { form: Form::Bottle, nouns: &["bottle"], width_mm: [38, 48], height_mm: [75, 95] },
    Kind { form: Form::Mug, nouns: &["mug", "cup"], width_mm: [42, 52], height_mm: [50, 62] },
];

/// Forms that only evaluation shows.
pub const NOVEL_KINDS: [Kind; 2] = [
    Kind { form: Form::Cross, nouns: &["cross"], width_mm: [38, 48], height_mm: [32, 42] },
    Kind { form: Form::Puck, nouns: &["puck"], width_mm: [44, 54], height_mm: [28, 36] },
];

/// What is handed over.
pub const BAR: Kind =
    Kind { form: Form::Bar, nouns: &["bar", "stick"], width_mm: [26, 34], height_mm: [26, 34] };

/// Whether training may show this form in this colour. The pairs held back name each form and each
/// colour at most twice, so that both are known from other pairs.
#[must_use]
pub fn is_shown(form: Form, colour: &Colour) -> bool {
    let held_back = matches!(
        (form, colour.name),
        (Form::Cube, "orange")
            | (Form::Brick, "green")
            | (Form::Can, "blue")
            | (Form::Ball, "purple")
            | (Form::Bottle, "red")
            | (Form::Mug, "yellow")
            | (Form::Bar, "purple")
            | (Form::Cross | Form::Puck, _)
    );
    !held_back
}

/// An object of a kind and colour, its sizes, weight and shade drawn.
pub(super) fn item(kind: &Kind, colour: &Colour, rng: &mut ChaCha8Rng) -> Item {
    let mut draw = |[from, to]: [u16; 2]| f32::from(rng.random_range(from..=to)) * 1e-3;
    let width = draw(kind.width_mm);
    let height = if kind.height_mm == [0, 0] { width } else { draw(kind.height_mm) };
    let mass = 0.04 + draw([0, if kind.form == Form::Bar { 30 } else { 80 }]);
    let rgb = shade(colour.rgb, rng);
    Item { form: kind.form, width, height, mass, rgb }
}

/// The same colour, a little lighter, darker or shifted.
pub(super) fn shade(rgb: [u8; 3], rng: &mut ChaCha8Rng) -> [u8; 3] {
    let all = rng.random_range(-14..=14_i16);
    rgb.map(|value| {
        let value = i16::from(value) + all + rng.random_range(-8..=8_i16);
        u8::try_from(value.clamp(0, 255)).unwrap_or(0)
    })
}

/// What a place is called; the first is used in training and evaluation, the rest in training only.
#[must_use]
pub fn place_nouns(place: Place) -> &'static [&'static str] {
    match place {
        Place::Bin => &["bin", "box"],
        Place::Tray => &["tray"],
        Place::Plate => &["plate", "dish"],
        Place::Stand => &["stand"],
    }
}

/// How one says that something goes there.
#[must_use]
pub fn preposition(place: Place) -> [&'static str; 2] {
    match place {
        Place::Bin => ["in", "into"],
        Place::Tray | Place::Plate | Place::Stand => ["on", "onto"],
    }
}
