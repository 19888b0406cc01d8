//! What stands around a robot: table, drawer, fridge, places and objects, from primitives.
//!
//! The drawer is to the right of the robot and the fridge to its left, both at the far side of the table.
//! Between them is a strip for places, and before them the free area where objects lie.

use std::f32::consts::TAU;

use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::scene::{Axis, Body, Geom, Group, Joint, Scene, Shape};

/// Where the fronts of drawer and fridge are, in metres before the robot.
pub const FRONT: f32 = 0.60;
/// How far handles stand off what they move.
pub const STANDOFF: f32 = 0.045;
/// y of the drawer's middle.
pub const DRAWER_Y: f32 = -0.34;
/// How far the drawer comes out.
pub const DRAWER_TRAVEL: f32 = 0.18;
/// Height of the middle of the drawer's handle.
pub const DRAWER_HANDLE_Z: f32 = 0.078;
/// Largest angle of the fridge's door, in radians.
pub const DOOR_TRAVEL: f32 = 1.6;
/// The hinge of the door: x and y.
pub const HINGE: [f32; 2] = [FRONT - 0.012, 0.50];
/// From the hinge to the door's handle, along the door.
pub const DOOR_HANDLE: f32 = 0.255;
/// Height of the top of the door's handle.
pub const DOOR_HANDLE_TOP: f32 = 0.37;
/// y of the fridge's middle.
pub const FRIDGE_Y: f32 = 0.36;
/// From one robot's base to that of the robot opposite.
pub const OPPOSITE: f32 = 1.12;

const WHITE: [u8; 3] = [226, 230, 234];
const STEEL: [u8; 3] = [150, 154, 160];

fn fixture(name: &str, at: Vec3, geoms: Vec<Geom>) -> Body {
    Body {
        name: name.to_owned(),
        parent: None,
        pose: Pose3::from_translation(at),
        joint: Joint::Fixed,
        geoms,
        mass: 1.0,
        inertial: None,
        group: Group::Fixture,
        friction: 0.7,
        weighs: false,
    }
}

fn cuboid(half: [f32; 3], at: [f32; 3], rgb: [u8; 3]) -> Geom {
    Geom::new(Shape::Cuboid(Vec3::from(half)), Vec3::from(at), rgb)
}

/// The table between two robots.
pub fn add_table(scene: &mut Scene, rgb: [u8; 3]) -> usize {
    let at = Vec3::new(0.5 * OPPOSITE, 0.0, -0.02);
    scene.add(fixture("table", at, vec![cuboid([0.42, 0.66, 0.02], [0.0; 3], rgb)]))
}

/// The drawer and its shell; returns the drawer, whose joint is how far it is open.
pub fn add_drawer(scene: &mut Scene, open: f32, rgb: [u8; 3]) -> usize {
    // Shell: 0.26 deep, 0.25 wide, 0.13 high, open to the front.
    let shell = vec![
        cuboid([0.13, 0.125, 0.006], [0.0, 0.0, 0.124], rgb),
        cuboid([0.13, 0.006, 0.065], [0.0, 0.119, 0.065], rgb),
        cuboid([0.13, 0.006, 0.065], [0.0, -0.119, 0.065], rgb),
        cuboid([0.006, 0.125, 0.065], [0.124, 0.0, 0.065], rgb),
    ];
    scene.add(fixture("cabinet", Vec3::new(FRONT + 0.13, DRAWER_Y, 0.0), shell));
    let light = rgb.map(|value| value.saturating_add(34));
    let handle_z = DRAWER_HANDLE_Z;
    scene.add(Body {
        name: "drawer".to_owned(),
        parent: None,
        // The frame is in the middle of the front's outer face, at the table's top.
        pose: Pose3::from_translation(Vec3::new(FRONT - 0.012, DRAWER_Y, 0.0)),
        joint: Joint::Slide(Axis {
            direction: Vec3::NEG_X,
            range: [0.0, DRAWER_TRAVEL],
            start: open,
            friction: 1.2,
            damping: 4.0,
            motor: None,
        }),
        geoms: vec![
            cuboid([0.006, 0.122, 0.054], [0.006, 0.0, 0.060], light),
            cuboid([0.11, 0.104, 0.004], [0.12, 0.0, 0.012], light),
            cuboid([0.11, 0.004, 0.038], [0.12, 0.104, 0.050], light),
            cuboid([0.11, 0.004, 0.038], [0.12, -0.104, 0.050], light),
            cuboid([0.004, 0.104, 0.038], [0.226, 0.0, 0.050], light),
            cuboid([0.006, 0.055, 0.007], [-STANDOFF, 0.0, handle_z], STEEL),
            cuboid([0.5 * STANDOFF, 0.005, 0.006], [-0.5 * STANDOFF, 0.05, handle_z], STEEL),
            cuboid([0.5 * STANDOFF, 0.005, 0.006], [-0.5 * STANDOFF, -0.05, handle_z], STEEL),
        ],
        mass: 0.8,
        inertial: None,
        group: Group::Moving,
        friction: 0.8,
        weighs: false,
    })
}

/// The fridge; returns its door, whose joint is its angle.
pub fn add_fridge(scene: &mut Scene, open: f32, rgb: [u8; 3]) -> usize {
    let [half_x, half_y, half_z] = [0.14, 0.14, 0.18];
    let inside = rgb.map(|value| value.saturating_sub(34));
    let shell = vec![
        cuboid([half_x, half_y, 0.006], [0.0, 0.0, 2.0 * half_z - 0.006], rgb),
        cuboid([half_x, half_y, 0.006], [0.0, 0.0, 0.006], inside),
        cuboid([half_x, 0.006, half_z], [0.0, half_y - 0.006, half_z], rgb),
        cuboid([half_x, 0.006, half_z], [0.0, 0.006 - half_y, half_z], rgb),
        cuboid([0.006, half_y, half_z], [half_x - 0.006, 0.0, half_z], inside),
    ];
    scene.add(fixture("fridge", Vec3::new(FRONT + half_x, FRIDGE_Y, 0.0), shell));
    let light = rgb.map(|value| value.saturating_add(14));
    scene.add(Body {
        name: "door".to_owned(),
        parent: None,
        // Shut, the door reaches from the hinge along -y, its outer face along -x.
        pose: Pose3::from_translation(Vec3::new(HINGE[0], HINGE[1], 0.0)),
        joint: Joint::Hinge(Axis {
            direction: Vec3::NEG_Z,
            range: [0.0, DOOR_TRAVEL],
            start: open,
            friction: 0.12,
            damping: 0.12,
            motor: None,
        }),
        geoms: vec![
            cuboid([0.009, 0.138, 0.168], [0.0, -0.14, 0.184], light),
            Geom::new(
                Shape::Cylinder(0.007, 0.075),
                Vec3::new(-STANDOFF, -DOOR_HANDLE, DOOR_HANDLE_TOP - 0.075),
                STEEL,
            ),
            cuboid(
                [0.5 * STANDOFF, 0.005, 0.006],
                [-0.5 * STANDOFF, -DOOR_HANDLE, DOOR_HANDLE_TOP - 0.14],
                STEEL,
            ),
        ],
        mass: 0.8,
        inertial: None,
        group: Group::Moving,
        friction: 0.8,
        weighs: false,
    })
}

/// Something to put objects into or onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A box without a lid.
    Bin,
    /// A flat board with a low rim.
    Tray,
    /// A round dish.
    Plate,
    /// A block with a flat top.
    Stand,
}

impl Place {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Bin, Self::Tray, Self::Plate, Self::Stand];

    /// Half sizes along x and y of where an object may lie.
    #[must_use]
    pub fn half_size(self) -> [f32; 2] {
        match self {
            Self::Bin => [0.065, 0.065],
            Self::Tray => [0.06, 0.078],
            Self::Plate => [0.068, 0.068],
            Self::Stand => [0.062, 0.062],
        }
    }

    /// Height on which an object comes to lie.
    #[must_use]
    pub fn floor(self) -> f32 {
        match self {
            Self::Bin => 0.006,
            Self::Tray => 0.008,
            Self::Plate => 0.010,
            Self::Stand => 0.06,
        }
    }

    /// Height that what is carried here must pass over.
    #[must_use]
    pub fn rim(self) -> f32 {
        match self {
            Self::Bin => 0.05,
            Self::Tray => 0.016,
            Self::Plate => 0.018,
            Self::Stand => 0.06,
        }
    }
}

/// Adds a place with its middle at `at` (x, y), `scale` times as wide as usual; returns its body.
pub fn add_place(
    scene: &mut Scene,
    name: &str,
    place: Place,
    at: [f32; 2],
    scale: f32,
    rgb: [u8; 3],
) -> usize {
    let [x, y] = place.half_size().map(|half| half * scale);
    let (floor, rim) = (place.floor(), place.rim());
    let light = rgb.map(|value| value.saturating_add(26));
    let wall = 0.004;
    let walls = |rgb| {
        let half = 0.5 * rim;
        vec![
            cuboid([wall, y + 2.0 * wall, half], [x + wall, 0.0, half], rgb),
            cuboid([wall, y + 2.0 * wall, half], [-x - wall, 0.0, half], rgb),
            cuboid([x, wall, half], [0.0, y + wall, half], rgb),
            cuboid([x, wall, half], [0.0, -y - wall, half], rgb),
        ]
    };
    let mut geoms = match place {
        Place::Bin | Place::Tray => walls(rgb),
        Place::Plate => (0..8)
            .map(|idx| {
                #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                let turn = Quat::from_rotation_z(TAU * idx as f32 / 8.0);
                let at = turn * Vec3::new(x + wall, 0.0, 0.5 * rim);
                cuboid([wall, 0.45 * x, 0.5 * rim], at.into(), rgb).turned(turn)
            })
            .collect(),
        Place::Stand => Vec::new(),
    };
    geoms.push(match place {
        Place::Bin | Place::Tray => cuboid([x, y, 0.5 * floor], [0.0, 0.0, 0.5 * floor], light),
        Place::Plate => Geom::new(
            Shape::Cylinder(x + wall, 0.5 * floor),
            Vec3::new(0.0, 0.0, 0.5 * floor),
            light,
        ),
        Place::Stand => cuboid([x, y, 0.5 * floor], [0.0, 0.0, 0.5 * floor], rgb),
    });
    scene.add(fixture(name, Vec3::new(at[0], at[1], 0.0), geoms))
}

/// Forms of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// All edges alike.
    Cube,
    /// Longer than it is wide, lying along x.
    Brick,
    /// An upright cylinder.
    Can,
    /// A ball.
    Ball,
    /// A body and a neck.
    Bottle,
    /// A cylinder with a handle.
    Mug,
    /// A long bar along x, to be handed over.
    Bar,
    /// A cross of two bars.
    Cross,
    /// A low cylinder.
    Puck,
}

/// An object: form, size and weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Its form.
    pub form: Form,
    /// Width between the fingers, in metres.
    pub width: f32,
    /// Height when it stands, in metres.
    pub height: f32,
    /// Mass in kilograms.
    pub mass: f32,
    /// Colour.
    pub rgb: [u8; 3],
}

impl Item {
    /// Height at which it is gripped, above where it stands.
    #[must_use]
    pub fn grip_height(&self) -> f32 {
        match self.form {
            Form::Bottle => 0.55 * self.height,
            Form::Ball => 0.5 * self.height,
            _ => (0.5 * self.height).max(self.height - 0.035),
        }
    }

    /// Its primitives; the frame is in the middle of its height.
    #[must_use]
    pub fn geoms(&self) -> Vec<Geom> {
        let (half, radius) = (0.5 * self.height, 0.5 * self.width);
        let rgb = self.rgb;
        let dark = rgb.map(|value| (f32::from(value) * 0.72) as u8);
        match self.form {
            Form::Cube => vec![cuboid([radius, radius, half], [0.0; 3], rgb)],
            Form::Brick => vec![cuboid([1.6 * radius, radius, half], [0.0; 3], rgb)],
            Form::Bar => vec![
                cuboid([0.075, radius, half], [0.0; 3], rgb),
                cuboid([0.012, radius + 0.001, half + 0.001], [0.0; 3], dark).ghost(),
            ],
            Form::Can => vec![
                Geom::new(Shape::Cylinder(radius, half), Vec3::ZERO, rgb),
                Geom::new(Shape::Cylinder(0.8 * radius, 0.002), Vec3::new(0.0, 0.0, half), STEEL)
                    .ghost(),
            ],
            Form::Puck => vec![Geom::new(Shape::Cylinder(radius, half), Vec3::ZERO, rgb)],
            Form::Ball => vec![Geom::new(Shape::Ball(radius), Vec3::ZERO, rgb)],
            Form::Bottle => vec![
                Geom::new(
                    Shape::Cylinder(radius, 0.7 * half),
                    Vec3::new(0.0, 0.0, -0.3 * half),
                    rgb,
                ),
                Geom::new(
                    Shape::Cylinder(0.45 * radius, 0.3 * half),
                    Vec3::new(0.0, 0.0, 0.7 * half),
                    WHITE,
                ),
            ],
            Form::Mug => vec![
                Geom::new(Shape::Cylinder(radius, half), Vec3::ZERO, rgb),
                Geom::new(Shape::Cylinder(0.8 * radius, 0.002), Vec3::new(0.0, 0.0, half), dark)
                    .ghost(),
                cuboid([0.010, 0.005, 0.6 * half], [radius + 0.008, 0.0, 0.0], dark),
            ],
            Form::Cross => vec![
                cuboid([1.5 * radius, 0.5 * radius, half], [0.0; 3], rgb),
                cuboid([0.5 * radius, radius, half], [0.0; 3], rgb),
            ],
        }
    }
}

/// Adds an object standing at `at` (x, y, height of what it stands on), turned by `yaw`.
pub fn add_item(scene: &mut Scene, name: &str, item: &Item, at: Vec3, yaw: f32) -> usize {
    let middle = at + Vec3::new(0.0, 0.0, 0.5 * item.height);
    scene.add(Body {
        name: name.to_owned(),
        parent: None,
        pose: Pose3::from_parts(middle, Quat::from_rotation_z(yaw)),
        joint: Joint::Free,
        geoms: item.geoms(),
        mass: item.mass,
        inertial: None,
        group: Group::Object,
        friction: 0.8,
        weighs: true,
    })
}
