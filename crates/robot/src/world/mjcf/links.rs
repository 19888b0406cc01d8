//! What is between bodies: servos, couplings, exceptions for contacts, where joints start.

use std::collections::BTreeMap;

use rapier3d::glamx::{Pose3, Quat, Vec3};

use super::document::{Attribute, Element};
use super::known::{self, refused};
use super::read::Model;
use super::values::{Attributes, WITH_DIRECTION, list, shown};
use super::{START, bits, servo};
use crate::error::Result;
use crate::world::scene::{Coupling, FrictionRule, Joint, Motor};

/// Names of the keyframe that counts, the first before the second.
const KEYS: [&str; 2] = [START, "home"];

pub(super) fn servos(model: &mut Model, element: &Element) -> Result<()> {
    let inertias = servo::inertias(&model.scene, &model.armatures);
    for child in &element.children {
        if child.tag != "position" {
            return Err(refused(child, "actuator"));
        }
        let attributes = model.defaults.of(child, None)?;
        let joint = attributes.needed("joint")?;
        let body = joint_of(model, joint)?;
        let motor = servo(model, &attributes, body, inertias[body])?;
        let joint_at = &joint.at;
        match &mut model.scene.bodies[body].joint {
            Joint::Hinge(axis) | Joint::Slide(axis) if axis.motor.is_none() => {
                axis.motor = Some(motor);
            }
            Joint::Free | Joint::Fixed => {
                return Err(joint_at.wrong("a servo of a free joint"));
            }
            _ => return Err(joint_at.wrong("two servos of one joint")),
        }
    }
    Ok(())
}

fn servo(model: &Model, attributes: &Attributes, body: usize, inertia: f64) -> Result<Motor> {
    let at = &attributes.element.at;
    let gain = |name: &str| -> Result<Option<f64>> {
        let Some(attribute) = attributes.find(name) else { return Ok(None) };
        match list::<f64>(attribute)?[..] {
            [gain] if gain >= 0.0 => Ok(Some(gain)),
            _ => Err(attribute.at.wrong(format!("`{name}` needs one number from 0"))),
        }
    };
    if attributes.number("timeconst", 0.0)? != 0.0 {
        return Err(at.wrong("a servo's `timeconst` is read only where it is 0"));
    }
    if let Some(gear) = attributes.find("gear") {
        let ratios = list::<f32>(gear)?;
        if ratios.first() != Some(&1.0) || ratios[1..].iter().any(|&ratio| ratio != 0.0) {
            return Err(gear.at.wrong("a servo with a gear: only 1 is read"));
        }
    }
    let range = model.scene.bodies[body].joint.axis().map(|axis| axis.range);
    if let (Some([low, high]), Some(range)) = (attributes.numbers::<2>("ctrlrange")?, range)
        && attributes.switch("ctrllimited")? != Some(false)
        && (low > range[0] + 1e-3 || high < range[1] - 1e-3)
    {
        return Err(at.wrong(format!(
            "a servo's ctrlrange {low} to {high} is less than its joint's range {} to {} (it is never in \
             degrees)",
            range[0], range[1]
        )));
    }
    let limited = attributes.switch("forcelimited")?.unwrap_or(model.angles.autolimits);
    let max_force = match attributes.numbers::<2>("forcerange")? {
        Some([low, high]) if limited => {
            if low != -high || high <= 0.0 {
                let what =
                    format!("a servo's forcerange {low} to {high} is not the same both ways");
                return Err(at.wrong(what));
            }
            high
        }
        _ => f32::MAX,
    };
    let kp = gain("kp")?.unwrap_or(1.0);
    let kv = match (gain("kv")?, gain("dampratio")?) {
        (None, Some(ratio)) => 2.0 * ratio * (kp * inertia).sqrt(),
        (kv, _) => kv.unwrap_or(0.0),
    };
    #[allow(clippy::cast_possible_truncation, reason = "gains of a servo")]
    let [stiffness, damping] = [kp, kv].map(|gain| (gain / inertia) as f32);
    if !(stiffness.is_finite() && damping.is_finite()) {
        return Err(at.wrong("a servo stiffer than can be"));
    }
    Ok(Motor { stiffness, damping, max_force, armature: model.armatures[body] })
}

fn joint_of(model: &Model, name: &Attribute) -> Result<usize> {
    model
        .joints
        .get(&name.value)
        .copied()
        .ok_or_else(|| name.at.wrong(format!("no joint is named `{}`", shown(&name.value))))
}

pub(super) fn couplings(model: &mut Model, element: &Element) -> Result<()> {
    for child in &element.children {
        if child.tag != "joint" {
            return Err(refused(child, "equality"));
        }
        known::check_attributes(child)?;
        let attributes = Attributes::own(child);
        if attributes.switch("active")? == Some(false) {
            continue;
        }
        let follower = joint_of(model, attributes.needed("joint1")?)?;
        let leader = joint_of(model, attributes.needed("joint2")?)?;
        let straight = [0.0, 1.0, 0.0, 0.0, 0.0];
        if attributes.numbers::<5>("polycoef")?.unwrap_or(straight) != straight {
            return Err(child.at.wrong("a coupling other than one to one (polycoef 0 1 0 0 0)"));
        }
        let tree = |body: usize| model.scene.root(body);
        if follower == leader || tree(follower) != tree(leader) {
            return Err(child.at.wrong("a coupling of joints that are not two of one tree"));
        }
        model.scene.couplings.push(Coupling { leader, follower });
    }
    Ok(())
}

/// Exceptions for contacts. Bodies of one tree do not touch anyway; pairs may say that friction is the
/// mean of both bodies, which then is so for all.
pub(super) fn contacts(model: &mut Model, elements: &[&Element]) -> Result<()> {
    check_rotors(model)?;
    let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let (mut all_mean, mut all_larger) = (true, true);
    let mut first_pair = None;
    for child in elements.iter().flat_map(|element| &element.children) {
        let attributes = model.defaults.of(child, None)?;
        let two = |names: [&str; 2], of: &dyn Fn(&str) -> Option<usize>| -> Result<[usize; 2]> {
            let mut found = [0; 2];
            for (found, name) in found.iter_mut().zip(names) {
                let given = attributes.needed(name)?;
                *found = of(&given.value).ok_or_else(|| {
                    given.at.wrong(format!("nothing is named `{}`", shown(&given.value)))
                })?;
            }
            Ok(found)
        };
        match child.tag.as_str() {
            "exclude" => {
                let [one, other] = two(["body1", "body2"], &|name| model.scene.find(name))?;
                if model.scene.root(one) != model.scene.root(other) && can_touch(model, one, other)
                {
                    return Err(child.at.wrong("an <exclude> of bodies of two trees is not read"));
                }
            }
            "pair" => {
                let [one, other] = two(["geom1", "geom2"], &|name| model.geoms.get(name).copied())?;
                if model.scene.root(one) == model.scene.root(other) || !can_touch(model, one, other)
                {
                    let what = "a <pair> of geoms that would not touch otherwise is not read";
                    return Err(child.at.wrong(what));
                }
                let friction = attributes.needed("friction")?;
                let given = list::<f32>(friction)?;
                let [a, b] = [one, other].map(|body| model.scene.bodies[body].friction);
                let is = |value: f32| {
                    given.iter().take(2).all(|given| (given - value).abs() < 1e-5 * (1.0 + value))
                };
                if given.is_empty() || !(is(0.5 * (a + b)) || is(a.max(b))) {
                    let what =
                        "a <pair> whose friction is neither the mean of both geoms nor the larger";
                    return Err(friction.at.wrong(what));
                }
                all_mean &= is(0.5 * (a + b));
                all_larger &= is(a.max(b));
                first_pair.get_or_insert(&child.at);
                *pairs.entry((one.min(other), one.max(other))).or_default() += 1;
            }
            _ => return Err(refused(child, "contact")),
        }
    }
    let mut n_unequal = 0;
    let mut n_covered = 0;
    for one in 0..model.scene.bodies.len() {
        for other in one + 1..model.scene.bodies.len() {
            let [a, b] = [one, other].map(|body| &model.scene.bodies[body]);
            if a.friction.to_bits() == b.friction.to_bits() || !can_touch(model, one, other) {
                continue;
            }
            n_unequal += 1;
            let all = model.n_solid[one] * model.n_solid[other];
            n_covered += usize::from(pairs.get(&(one, other)) == Some(&all));
        }
    }
    model.scene.friction_rule = match first_pair {
        _ if n_unequal == 0 || (all_mean && n_covered == n_unequal) => FrictionRule::Mean,
        Some(at) if !all_larger => {
            return Err(at.wrong("<pair>s that give some geoms a mean friction and others not"));
        }
        _ => FrictionRule::Larger,
    };
    Ok(())
}

/// A rotor belongs to a servo.
fn check_rotors(model: &Model) -> Result<()> {
    for (idx, body) in model.scene.bodies.iter().enumerate() {
        let driven = body.joint.axis().is_some_and(|axis| axis.motor.is_some());
        if model.armatures[idx] > 0.0 && !driven {
            return Err(model.places[idx].wrong("a joint with armature and without a servo"));
        }
    }
    Ok(())
}

/// Whether two bodies are of different trees, and groups that touch.
fn can_touch(model: &Model, one: usize, other: usize) -> bool {
    let scene = &model.scene;
    let ((own1, may1), (own2, may2)) =
        (bits(scene.bodies[one].group), bits(scene.bodies[other].group));
    model.n_solid[one] > 0
        && model.n_solid[other] > 0
        && scene.root(one) != scene.root(other)
        && (own1 & may2) | (own2 & may1) != 0
        && !(scene.is_static(one) && scene.is_static(other))
}

/// Puts joints and free bodies where a keyframe says.
pub(super) fn start(model: &mut Model, elements: &[&Element]) -> Result<()> {
    let keys: Vec<&Element> = elements.iter().flat_map(|element| &element.children).collect();
    for key in &keys {
        if key.tag != "key" {
            return Err(refused(key, "keyframe"));
        }
        known::check_attributes(key)?;
    }
    let named = |name: &str| {
        keys.iter().find(|key| key.find("name").is_some_and(|given| given.value == name))
    };
    let Some(key) = KEYS.into_iter().find_map(named) else { return Ok(()) };
    let Some(attribute) = key.find("qpos") else { return Ok(()) };
    let given = list::<f32>(attribute)?;
    let mut left = given.as_slice();
    let count = |body: &crate::world::scene::Body| match body.joint {
        Joint::Fixed => 0,
        Joint::Free => 7,
        Joint::Hinge(_) | Joint::Slide(_) => 1,
    };
    let needed: usize = model.scene.bodies.iter().map(count).sum();
    if given.len() != needed {
        let what = format!("`qpos` has {} numbers where the joints need {needed}", given.len());
        return Err(attribute.at.wrong(what));
    }
    for body in &mut model.scene.bodies {
        let (own, rest) = left.split_at(count(body));
        left = rest;
        match (&mut body.joint, own) {
            (Joint::Hinge(axis) | Joint::Slide(axis), &[position]) => {
                let [low, high] = axis.range;
                if position < low - 1e-4 || position > high + 1e-4 {
                    return Err(attribute.at.wrong(format!(
                        "`{}` starts at {position}, outside its range {low} to {high}",
                        shown(&body.name)
                    )));
                }
                axis.start = position;
            }
            (Joint::Free, &[x, y, z, w, i, j, k]) => {
                let turn = Quat::from_xyzw(i, j, k, w);
                if !WITH_DIRECTION.contains(&turn.length()) {
                    return Err(attribute
                        .at
                        .wrong(format!("`{}` has no rotation", shown(&body.name))));
                }
                let exact = (turn.length() - 1.0).abs() < 1e-6;
                let turn = if exact { turn } else { turn.normalize() };
                body.pose = Pose3::from_parts(Vec3::new(x, y, z), turn);
            }
            _ => {}
        }
    }
    Ok(())
}
