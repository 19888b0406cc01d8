//! Shapes.

use rapier3d::glamx::{Pose3, Quat, Vec3};
use rapier3d::prelude::{MassProperties, SharedShape};

use super::read::Model;
use super::values::{Attributes, list, shown};
use crate::error::Result;
use crate::world::scene::{Geom, Shape};

/// Density where none is given: water's, as in MuJoCo.
const DENSITY: f32 = 1000.0;
/// Half sizes of a plane that goes on for ever, and half the thickness of any plane, in metres.
const ENDLESS: f32 = 5.0;
const THICK: f32 = 0.05;

/// A geom as it was read.
pub(super) struct Read {
    /// Its primitives: a capsule is made of three.
    pub(super) geoms: Vec<Geom>,
    /// Mass, centre and inertia in the body's frame.
    pub(super) mass: MassProperties,
    pub(super) friction: f32,
    /// Its bits for contact, and those it may touch.
    pub(super) bits: (u32, u32),
}

pub(super) fn read(model: &Model, attributes: &Attributes) -> Result<Read> {
    let at = &attributes.element.at;
    for (name, only) in [("priority", 0.0), ("shellinertia", 0.0)] {
        if let Some(attribute) = attributes.find(name)
            && attribute.value.parse() != Ok(only)
            && attribute.value != "false"
        {
            return Err(attribute.at.wrong(format!("a geom's `{name}` is not read")));
        }
    }
    let kind = attributes.find("type").map(|kind| kind.value.as_str());
    if let Some(mesh) = attributes.find("mesh") {
        let name = shown(&mesh.value);
        let what = if model.meshes.contains(&mesh.value) {
            format!("a geom of mesh `{name}`: meshes are not read, give the body primitives")
        } else {
            format!("no mesh `{name}` among the assets")
        };
        return Err(mesh.at.wrong(what));
    }
    let mut pose = attributes.pose(model.angles)?;
    let (shapes, volume) = match kind.unwrap_or("sphere") {
        "sphere" => {
            let [radius] = sizes(attributes)?;
            (vec![(Shape::Ball(radius), Pose3::IDENTITY)], SharedShape::ball(radius))
        }
        "box" => {
            let half = match ends(attributes, &mut pose)? {
                Some(length) => {
                    sizes::<1>(attributes).map(|[side]| Vec3::new(side, side, length))?
                }
                None => Vec3::from(sizes::<3>(attributes)?),
            };
            let shape = SharedShape::cuboid(half.x, half.y, half.z);
            (vec![(Shape::Cuboid(half), Pose3::IDENTITY)], shape)
        }
        kind @ ("cylinder" | "capsule") => {
            let (radius, half) = match ends(attributes, &mut pose)? {
                Some(half) => (sizes::<1>(attributes)?[0], half),
                None => sizes::<2>(attributes).map(|[radius, half]| (radius, half))?,
            };
            let tube = (Shape::Cylinder(radius, half), Pose3::IDENTITY);
            if kind == "cylinder" {
                (vec![tube], SharedShape::cylinder(half, radius))
            } else {
                let end = |z: f32| (Shape::Ball(radius), Pose3::from_translation(Vec3::Z * z));
                (vec![tube, end(half), end(-half)], SharedShape::capsule_y(half, radius))
            }
        }
        "plane" => {
            let given = attributes.find("size").map(list::<f32>).transpose()?.unwrap_or_default();
            let side = |idx: usize| match given.get(idx) {
                Some(&half) if half > 0.0 => half,
                _ => ENDLESS,
            };
            let half = Vec3::new(side(0), side(1), THICK);
            let below = Pose3::from_translation(Vec3::new(0.0, 0.0, -THICK));
            let shape = SharedShape::cuboid(half.x, half.y, half.z);
            (vec![(Shape::Cuboid(half), below)], shape)
        }
        other => {
            let at = attributes.find("type").map_or(at, |kind| &kind.at);
            return Err(at.wrong(format!(
                "a geom of type `{}`: box, cylinder, sphere, capsule or plane are read",
                shown(other)
            )));
        }
    };
    let unit = volume.mass_properties(1.0);
    let mass = match attributes.find("mass") {
        Some(_) => attributes.number("mass", 0.0)?,
        None => attributes.number("density", DENSITY)? * unit.mass(),
    };
    if mass < 0.0 {
        let at = attributes.find("mass").or(attributes.find("density")).map_or(at, |mass| &mass.at);
        return Err(at.wrong("a negative mass"));
    }
    // The engine's cylinders and capsules lie along y.
    let along = match kind {
        Some("cylinder" | "capsule") => Quat::from_rotation_arc(Vec3::Y, Vec3::Z),
        _ => Quat::IDENTITY,
    };
    let mut spread = unit;
    spread.set_mass(mass, true);
    let mass = spread.transform_by(&(pose * Pose3::from_rotation(along)));
    let bits = (bit(attributes, "contype")?, bit(attributes, "conaffinity")?);
    let (rgb, solid) = (colour(model, attributes)?, bits != (0, 0));
    let geoms = shapes
        .into_iter()
        .map(|(shape, at)| Geom { shape, pose: moved(pose, at), rgb, solid })
        .collect();
    let friction = match attributes.find("friction") {
        Some(friction) => match list::<f32>(friction)?.first() {
            Some(&value) if value >= 0.0 => value,
            _ => return Err(friction.at.wrong("`friction` needs a number from 0")),
        },
        None => 1.0,
    };
    Ok(Read { geoms, mass, friction, bits })
}

/// `pose` times `at`, to the bit where `at` is nothing.
fn moved(pose: Pose3, at: Pose3) -> Pose3 {
    if at == Pose3::IDENTITY { pose } else { pose * at }
}

/// The first so many sizes; all positive.
fn sizes<const N: usize>(attributes: &Attributes) -> Result<[f32; N]> {
    let attribute = attributes.needed("size")?;
    let all = list::<f32>(attribute)?;
    let sizes: Option<[f32; N]> = all.get(..N).and_then(|sizes| sizes.try_into().ok());
    match sizes {
        Some(sizes) if sizes.iter().all(|&size| size > 0.0) => Ok(sizes),
        _ => Err(attribute.at.wrong(format!(
            "`size` is `{}`: {N} positive numbers are needed",
            shown(&attribute.value)
        ))),
    }
}

/// Half the way between the two ends that `fromto` gives; the pose then is in their middle.
fn ends(attributes: &Attributes, pose: &mut Pose3) -> Result<Option<f32>> {
    let Some([a, b, c, d, e, f]) = attributes.numbers::<6>("fromto")? else { return Ok(None) };
    let (from, to) = (Vec3::new(a, b, c), Vec3::new(d, e, f));
    let half = 0.5 * from.distance(to);
    let direction = (to - from)
        .try_normalize()
        .ok_or_else(|| attributes.element.at.wrong("`fromto` ends where it begins"))?;
    let turn = Quat::from_rotation_arc(Vec3::Z, direction);
    *pose = Pose3::from_parts(0.5 * (from + to), turn);
    Ok(Some(half))
}

fn bit(attributes: &Attributes, name: &str) -> Result<u32> {
    let Some(attribute) = attributes.find(name) else { return Ok(1) };
    let wrong = |_| {
        attribute
            .at
            .wrong(format!("`{name}` is `{}`: a whole number of bits", shown(&attribute.value)))
    };
    attribute.value.trim().parse().map_err(wrong)
}

fn colour(model: &Model, attributes: &Attributes) -> Result<[u8; 3]> {
    let rgba = match (attributes.numbers::<4>("rgba")?, attributes.find("material")) {
        (Some(rgba), _) => rgba,
        (None, Some(material)) => *model.materials.get(&material.value).ok_or_else(|| {
            material.at.wrong(format!("no material `{}` among the assets", shown(&material.value)))
        })?,
        (None, None) => [0.5, 0.5, 0.5, 1.0],
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
    let byte = |value: f32| (255.0 * value.clamp(0.0, 1.0)).round() as u8;
    Ok([byte(rgba[0]), byte(rgba[1]), byte(rgba[2])])
}
