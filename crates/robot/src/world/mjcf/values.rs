//! Attributes as numbers, switches and rotations.

use rapier3d::glamx::{Mat3, Pose3, Quat, Vec3};

use super::document::{Attribute, Element};
use crate::error::Result;

/// Lengths of vectors that point somewhere.
pub(super) const WITH_DIRECTION: std::ops::Range<f32> = 1e-6..1e6;

/// Larger numbers are none of a scene, and would not stay finite.
const LARGEST: f64 = 1e9;

/// Units and orders that a file chooses for its angles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Angles {
    /// Whether angles are in degrees.
    pub(super) degrees: bool,
    /// Whether a range alone makes a limit.
    pub(super) autolimits: bool,
}

impl Angles {
    pub(super) fn radians(self, angle: f32) -> f32 {
        if self.degrees { angle.to_radians() } else { angle }
    }
}

/// An element's attributes together with its defaults; its own come first.
pub(super) struct Attributes<'a> {
    pub(super) element: &'a Element,
    pub(super) defaults: Vec<&'a Attribute>,
}

impl<'a> Attributes<'a> {
    /// An element that has no defaults.
    pub(super) fn own(element: &'a Element) -> Self {
        Self { element, defaults: Vec::new() }
    }

    pub(super) fn find(&self, name: &str) -> Option<&'a Attribute> {
        let defaults = || self.defaults.iter().copied().find(|default| default.name == name);
        self.element.find(name).or_else(defaults)
    }

    /// The value of an attribute that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&'a Attribute> {
        self.find(name).ok_or_else(|| {
            self.element.at.wrong(format!("<{}> without `{name}`", self.element.tag))
        })
    }

    pub(super) fn number(&self, name: &str, default: f32) -> Result<f32> {
        Ok(self.numbers::<1>(name)?.map_or(default, |[value]| value))
    }

    /// Exactly so many numbers.
    pub(super) fn numbers<const N: usize>(&self, name: &str) -> Result<Option<[f32; N]>> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        let values = list::<f32>(attribute)?;
        let n = values.len();
        let values = values
            .try_into()
            .map_err(|_| attribute.at.wrong(format!("`{name}` needs {N} numbers and has {n}")))?;
        Ok(Some(values))
    }

    pub(super) fn vector(&self, name: &str) -> Result<Option<Vec3>> {
        Ok(self.numbers::<3>(name)?.map(Vec3::from))
    }

    /// Whether a switch is on; `auto` gives none.
    pub(super) fn switch(&self, name: &str) -> Result<Option<bool>> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        match attribute.value.as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            "auto" => Ok(None),
            other => Err(attribute.at.wrong(format!("`{name}` is `{other}`: true, false or auto"))),
        }
    }

    /// Where this is in the frame around it, from `pos` and one of the five ways to write a rotation.
    pub(super) fn pose(&self, angles: Angles) -> Result<Pose3> {
        let at = self.vector("pos")?.unwrap_or(Vec3::ZERO);
        Ok(Pose3::from_parts(at, self.rotation(angles)?))
    }

    fn rotation(&self, angles: Angles) -> Result<Quat> {
        let zero = |name: &str| {
            let at = self.find(name).map_or(&self.element.at, |attribute| &attribute.at);
            at.wrong(format!("`{name}` has no direction"))
        };
        let unit = |name: &str, vector: Vec3| vector.try_normalize().ok_or_else(|| zero(name));
        if let Some([w, x, y, z]) = self.numbers::<4>("quat")? {
            let turn = Quat::from_xyzw(x, y, z, w);
            let length = turn.length();
            if !WITH_DIRECTION.contains(&length) {
                return Err(zero("quat"));
            }
            // What is of length one as far as numbers go stays as it is, to the bit.
            return Ok(if (length - 1.0).abs() < 1e-6 { turn } else { turn.normalize() });
        }
        if let Some([x, y, z, angle]) = self.numbers::<4>("axisangle")? {
            let axis = unit("axisangle", Vec3::new(x, y, z))?;
            return Ok(Quat::from_axis_angle(axis, angles.radians(angle)));
        }
        if let Some(euler) = self.numbers::<3>("euler")? {
            let [x, y, z] = euler.map(|angle| angles.radians(angle));
            return Ok(Quat::from_rotation_x(x)
                * Quat::from_rotation_y(y)
                * Quat::from_rotation_z(z));
        }
        if let Some([a, b, c, d, e, f]) = self.numbers::<6>("xyaxes")? {
            let x = unit("xyaxes", Vec3::new(a, b, c))?;
            let y = Vec3::new(d, e, f);
            let y = unit("xyaxes", y - x * x.dot(y))?;
            return Ok(Quat::from_mat3(&Mat3::from_cols(x, y, x.cross(y))));
        }
        if let Some(z) = self.vector("zaxis")? {
            return Ok(Quat::from_rotation_arc(Vec3::Z, unit("zaxis", z)?));
        }
        Ok(Quat::IDENTITY)
    }
}

/// All numbers of an attribute; none beyond all measure.
pub(super) fn list<T>(attribute: &Attribute) -> Result<Vec<T>>
where
    T: std::str::FromStr + Into<f64> + Copy,
{
    let wrong = |word: &str| {
        attribute.at.wrong(format!(
            "`{}` holds `{}`, which is no number of a scene",
            attribute.name,
            shown(word)
        ))
    };
    attribute
        .value
        .split_ascii_whitespace()
        .map(|word| match word.parse::<T>() {
            Ok(value) if value.into().abs() <= LARGEST => Ok(value),
            _ => Err(wrong(word)),
        })
        .collect()
}

/// A word as it is fit for a message.
pub(super) fn shown(word: &str) -> String {
    let word: String = word.chars().filter(|c| !c.is_control()).collect();
    if word.chars().count() > 40 { word.chars().take(40).chain(['…']).collect() } else { word }
}
