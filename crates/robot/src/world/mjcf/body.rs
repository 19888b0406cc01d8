//! Bodies with their joints, masses and shapes.

use rapier3d::glamx::{Mat3, Pose3, Vec3};
use rapier3d::prelude::MassProperties;

use super::document::{Attribute, Element};
use super::geom;
use super::known::{self, refused};
use super::read::Model;
use super::values::{Attributes, WITH_DIRECTION, shown};
use crate::error::Result;
use crate::world::scene::{Axis, Body, Group, Inertial, Joint};

/// Reach of a joint without limits, in radians or metres.
const ENDLESS: f32 = 1e4;

/// What is in the world: its own shapes as one body that stays, then the bodies.
pub(super) fn world<'a>(model: &mut Model<'a>, element: &'a Element) -> Result<()> {
    let idx = model.scene.bodies.len();
    if element.children.iter().any(|child| child.tag == "geom") {
        model.add(
            element,
            blank(format!("ground{}", if idx == 0 { String::new() } else { idx.to_string() })),
        )?;
    }
    let mut mass = MassProperties::default();
    for child in &element.children {
        match child.tag.as_str() {
            "geom" => shape(model, child, idx, None, &mut mass)?,
            "body" => body(model, child, None, None)?,
            tag if known::is_passed_over("worldbody", tag) => {}
            _ => return Err(refused(child, "worldbody")),
        }
    }
    Ok(())
}

fn blank(name: String) -> Body {
    Body {
        name,
        parent: None,
        pose: Pose3::IDENTITY,
        joint: Joint::Fixed,
        geoms: Vec::new(),
        mass: 1.0,
        inertial: None,
        group: Group::Fixture,
        friction: 1.0,
        weighs: true,
    }
}

fn body<'a>(
    model: &mut Model<'a>,
    element: &'a Element,
    parent: Option<usize>,
    around: Option<&'a Attribute>,
) -> Result<()> {
    known::check_attributes(element)?;
    let attributes = Attributes::own(element);
    let around = element.find("childclass").or(around);
    if attributes.switch("mocap")? == Some(true) {
        return Err(element.at.wrong("a mocap body: bodies move by joints"));
    }
    let named = element.find("name").map(|name| name.value.clone());
    let mut new = blank(named.unwrap_or_else(|| format!("body{}", model.scene.bodies.len())));
    new.parent = parent;
    new.pose = attributes.pose(model.angles)?;
    new.weighs = match attributes.number("gravcomp", 0.0)? {
        0.0 => true,
        1.0 => false,
        other => return Err(element.at.wrong(format!("gravcomp {other}: 0 or 1 are read"))),
    };
    let idx = model.add(element, new)?;
    let mut inertial = None;
    let mut mass = MassProperties::default();
    for child in &element.children {
        match child.tag.as_str() {
            "inertial" => inertial = Some(inertia(model, child)?),
            "joint" | "freejoint" => joint(model, child, idx, around)?,
            "geom" => shape(model, child, idx, around, &mut mass)?,
            "body" => {}
            tag if known::is_passed_over("body", tag) => {}
            _ => return Err(refused(child, "body")),
        }
    }
    let (mass, spread) = inertial.unwrap_or_else(|| {
        let frame = Pose3::from_parts(mass.local_com, mass.principal_inertia_local_frame);
        let (total, moments) = (mass.mass(), mass.principal_inertia());
        (total, Inertial { frame, moments })
    });
    let body = &mut model.scene.bodies[idx];
    body.mass = mass;
    let has = |value: f32| value > 0.0 && value.is_finite();
    if body.joint != Joint::Fixed && !(has(mass) && spread.moments.to_array().into_iter().all(has))
    {
        return Err(element.at.wrong(format!(
            "body `{}` moves and has no mass: give it <inertial> or solid geoms",
            shown(&body.name)
        )));
    }
    // What its shapes say anyway need not be said.
    if mass > 0.0 && body.spread() != spread {
        body.inertial = Some(spread);
    }
    for child in element.children.iter().filter(|child| child.tag == "body") {
        self::body(model, child, Some(idx), around)?;
    }
    Ok(())
}

fn inertia(model: &Model, element: &Element) -> Result<(f32, Inertial)> {
    known::check_attributes(element)?;
    let attributes = Attributes::own(element);
    let [mass] = attributes.numbers::<1>("mass")?.unwrap_or_default();
    let at = |name: &str| attributes.find(name).map_or(&element.at, |attribute| &attribute.at);
    if mass <= 0.0 {
        return Err(at("mass").wrong(format!("a mass of {mass}: it must be positive")));
    }
    attributes.needed("pos")?;
    let mut frame = attributes.pose(model.angles)?;
    let moments = if let Some([xx, yy, zz, xy, xz, yz]) = attributes.numbers::<6>("fullinertia")? {
        let columns = [Vec3::new(xx, xy, xz), Vec3::new(xy, yy, yz), Vec3::new(xz, yz, zz)];
        let matrix = Mat3::from_cols(columns[0], columns[1], columns[2]);
        let spread = MassProperties::with_inertia_matrix(Vec3::ZERO, mass, matrix);
        frame.rotation *= spread.principal_inertia_local_frame;
        spread.principal_inertia()
    } else {
        attributes
            .vector("diaginertia")?
            .ok_or_else(|| element.at.wrong("<inertial> without `diaginertia` or `fullinertia`"))?
    };
    let sum = moments.element_sum();
    if moments.min_element() <= 0.0 || moments.max_element() > 0.5001 * sum {
        let [x, y, z] = moments.to_array();
        return Err(element.at.wrong(format!(
            "no body has moments of inertia {x}, {y}, {z}: positive, none more than the others together"
        )));
    }
    Ok((mass, Inertial { frame, moments }))
}

fn joint<'a>(
    model: &mut Model<'a>,
    element: &'a Element,
    idx: usize,
    around: Option<&'a Attribute>,
) -> Result<()> {
    let at = &element.at;
    if model.scene.bodies[idx].joint != Joint::Fixed {
        return Err(at.wrong("a second joint of one body: put a body in between"));
    }
    let name = element.find("name").map(|name| name.value.clone());
    if let Some(name) = &name
        && model.joints.insert(name.clone(), idx).is_some()
    {
        return Err(at.wrong(format!("two joints are named `{}`", shown(name))));
    }
    let free = |model: &mut Model| {
        if model.scene.bodies[idx].parent.is_some() {
            return Err(at.wrong("a free body within another: free bodies are in <worldbody>"));
        }
        model.scene.bodies[idx].joint = Joint::Free;
        Ok(())
    };
    if element.tag == "freejoint" {
        known::check_attributes(element)?;
        return free(model);
    }
    let attributes = model.defaults.of(element, around)?;
    let (kind, axis, armature) = axis(model, &attributes)?;
    let kind = kind.to_owned();
    model.armatures[idx] = armature;
    model.scene.bodies[idx].joint = match kind.as_str() {
        "hinge" => Joint::Hinge(axis),
        "slide" => Joint::Slide(axis),
        "free" if axis.damping == 0.0 && axis.friction == 0.0 && armature == 0.0 => {
            return free(model);
        }
        "free" => {
            return Err(
                at.wrong("a free joint with damping, friction or armature, which is not read")
            );
        }
        "ball" => return Err(at.wrong("a ball joint: hinge, slide or free are read")),
        other => {
            let other = shown(other);
            return Err(
                at.wrong(format!("no joint is of type `{other}`: hinge, slide or free are read"))
            );
        }
    };
    Ok(())
}

/// A joint's kind, its axis, and the inertia of its rotor.
fn axis<'a>(model: &Model, attributes: &Attributes<'a>) -> Result<(&'a str, Axis, f32)> {
    let at = &attributes.element.at;
    let kind = attributes.find("type").map_or("hinge", |kind| kind.value.as_str());
    for name in ["ref", "stiffness"] {
        if attributes.number(name, 0.0)? != 0.0 {
            return Err(at.wrong(format!("a joint's `{name}` is read only where it is 0")));
        }
    }
    if attributes.vector("pos")?.is_some_and(|pos| pos != Vec3::ZERO) {
        return Err(at.wrong("a joint beside its body's origin: move the body's frame there"));
    }
    for name in ["actuatorfrcrange", "actuatorgravcomp"] {
        if let Some(attribute) = attributes.find(name)
            && attribute.value != "false"
        {
            return Err(attribute.at.wrong(format!("a joint's `{name}` is not read")));
        }
    }
    let direction = attributes.vector("axis")?.unwrap_or(Vec3::Z);
    let length = direction.length();
    if !WITH_DIRECTION.contains(&length) {
        return Err(at.wrong("a joint's `axis` has no direction"));
    }
    let direction = if (length - 1.0).abs() < 1e-6 { direction } else { direction.normalize() };
    let range = attributes.numbers::<2>("range")?;
    let limited = match attributes.switch("limited")? {
        Some(limited) => limited,
        None => model.angles.autolimits && range.is_some(),
    };
    let range = match range {
        Some(range) if limited && kind != "slide" => range.map(|end| model.angles.radians(end)),
        Some(range) if limited => range,
        None if limited => return Err(at.wrong("a joint is limited and has no `range`")),
        _ => [-ENDLESS, ENDLESS],
    };
    if range[0] >= range[1] {
        return Err(at.wrong(format!("nothing is in a joint's range {} to {}", range[0], range[1])));
    }
    let [damping, friction, armature] = ["damping", "frictionloss", "armature"].map(|name| {
        let value = attributes.number(name, 0.0)?;
        if value < 0.0 {
            return Err(at.wrong(format!("a joint's `{name}` is negative")));
        }
        Ok(value)
    });
    let start = 0.0_f32.clamp(range[0], range[1]);
    let axis =
        Axis { direction, range, start, friction: friction?, damping: damping?, motor: None };
    Ok((kind, axis, armature?))
}

fn shape<'a>(
    model: &mut Model<'a>,
    element: &'a Element,
    idx: usize,
    around: Option<&'a Attribute>,
    mass: &mut MassProperties,
) -> Result<()> {
    let read = geom::read(model, &model.defaults.of(element, around)?)?;
    if let Some(name) = element.find("name")
        && model.geoms.insert(name.value.clone(), idx).is_some()
    {
        return Err(name.at.wrong(format!("two geoms are named `{}`", shown(&name.value))));
    }
    *mass += read.mass;
    let has_geoms = !model.scene.bodies[idx].geoms.is_empty();
    if read.bits != (0, 0) {
        let at = &element.at;
        match &model.bits[idx] {
            Some((bits, _)) if *bits != read.bits => {
                return Err(at.wrong("geoms of one body that may touch different things"));
            }
            Some(_) if model.scene.bodies[idx].friction != read.friction => {
                return Err(at.wrong("geoms of one body with different friction"));
            }
            _ => model.bits[idx] = Some((read.bits, at.clone())),
        }
        model.n_solid[idx] += 1;
        model.scene.bodies[idx].friction = read.friction;
    } else if !has_geoms {
        model.scene.bodies[idx].friction = read.friction;
    }
    model.scene.bodies[idx].geoms.extend(read.geoms);
    Ok(())
}
