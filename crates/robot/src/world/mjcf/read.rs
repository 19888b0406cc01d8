//! From MJCF to a scene.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::defaults::Defaults;
use super::document::{self, Element, Place};
use super::known::{self, refused};
use super::values::{Angles, Attributes, shown};
use super::{bits, body, links};
use crate::error::Result;
use crate::world::scene::{Body, Group, Joint, Scene};

/// What a model has when nothing else is said.
const GRAVITY: [f32; 3] = [0.0, 0.0, -9.81];

/// Most bodies of a scene.
const MOST_BODIES: usize = 2000;

/// A scene as it is being read.
pub(super) struct Model<'a> {
    pub(super) scene: Scene,
    pub(super) angles: Angles,
    pub(super) defaults: Defaults<'a>,
    pub(super) materials: BTreeMap<String, [f32; 4]>,
    pub(super) meshes: BTreeSet<String>,
    /// Bodies by the names of their geoms, and of their joints.
    pub(super) geoms: BTreeMap<String, usize>,
    pub(super) joints: BTreeMap<String, usize>,
    /// For each body: where it stands, its solid geoms' bits, how many these are, its rotor's inertia.
    pub(super) places: Vec<&'a Place>,
    pub(super) bits: Vec<Option<((u32, u32), Place)>>,
    pub(super) n_solid: Vec<usize>,
    pub(super) armatures: Vec<f32>,
}

/// Reads a model's file, and those it includes.
///
/// # Errors
///
/// [`Error::File`](crate::Error::File) where it cannot be read, [`Error::Mjcf`](crate::Error::Mjcf) with
/// file and line where it is not valid or holds what a scene cannot.
pub fn read(path: &Path) -> Result<Scene> {
    scene(&document::load(path)?, path)
}

/// Reads a model whose text is at hand; `path` is what messages call it, and from where it includes.
///
/// # Errors
///
/// As for [`read`].
pub fn read_text(text: &str, path: &Path) -> Result<Scene> {
    scene(&document::parse(text, path)?, path)
}

fn scene(root: &Element, path: &Path) -> Result<Scene> {
    known::check_attributes(root)?;
    let mut model = Model {
        scene: Scene::default(),
        angles: Angles { degrees: true, autolimits: true },
        defaults: Defaults::default(),
        materials: BTreeMap::new(),
        meshes: BTreeSet::new(),
        geoms: BTreeMap::new(),
        joints: BTreeMap::new(),
        places: Vec::new(),
        bits: Vec::new(),
        n_solid: Vec::new(),
        armatures: Vec::new(),
    };
    let mut folder = String::new();
    for element in &root.children {
        match element.tag.as_str() {
            "compiler" => compiler(&mut model, element, &mut folder)?,
            "default" => model.defaults.add(element, None)?,
            "option" => option(element)?,
            "asset" | "worldbody" | "actuator" | "contact" | "equality" | "keyframe" => {}
            tag if known::is_passed_over("mujoco", tag) => {}
            _ => return Err(refused(element, "mujoco")),
        }
    }
    let of = |tag: &'static str| root.children.iter().filter(move |child| child.tag == tag);
    let base = path.parent().unwrap_or(Path::new("")).join(folder);
    of("asset").try_for_each(|element| assets(&mut model, element, &base))?;
    of("worldbody").try_for_each(|element| body::world(&mut model, element))?;
    // Before servos: what inertia they move depends on where joints stand.
    links::start(&mut model, &of("keyframe").collect::<Vec<_>>())?;
    of("actuator").try_for_each(|element| links::servos(&mut model, element))?;
    groups(&mut model)?;
    of("equality").try_for_each(|element| links::couplings(&mut model, element))?;
    links::contacts(&mut model, &of("contact").collect::<Vec<_>>())?;
    Ok(model.scene)
}

impl<'a> Model<'a> {
    /// Adds a body that is still without shapes.
    pub(super) fn add(&mut self, element: &'a Element, body: Body) -> Result<usize> {
        if self.scene.find(&body.name).is_some() {
            let name = shown(&body.name);
            return Err(element.at.wrong(format!("two bodies are named `{name}`")));
        }
        if self.scene.bodies.len() >= MOST_BODIES {
            return Err(element.at.wrong(format!("more than {MOST_BODIES} bodies")));
        }
        self.places.push(&element.at);
        self.bits.push(None);
        self.n_solid.push(0);
        self.armatures.push(0.0);
        Ok(self.scene.add(body))
    }
}

fn compiler(model: &mut Model, element: &Element, folder: &mut String) -> Result<()> {
    known::check_attributes(element)?;
    let attributes = Attributes::own(element);
    if let Some(angle) = element.find("angle") {
        model.angles.degrees = match angle.value.as_str() {
            "degree" => true,
            "radian" => false,
            other => {
                let other = shown(other);
                return Err(angle.at.wrong(format!("angles in `{other}`: radian or degree")));
            }
        };
    }
    model.angles.autolimits = attributes.switch("autolimits")?.unwrap_or(model.angles.autolimits);
    let only = [
        ("eulerseq", &["xyz"][..]),
        ("coordinate", &["local"]),
        ("inertiafromgeom", &["auto", "false"]),
    ];
    for (name, values) in only {
        if let Some(attribute) = element.find(name)
            && !values.contains(&attribute.value.as_str())
        {
            let value = shown(&attribute.value);
            return Err(attribute
                .at
                .wrong(format!("`{name}` is `{value}`: {} is read", values[0])));
        }
    }
    if let Some(given) = element.find("meshdir").or(element.find("assetdir")) {
        folder.clone_from(&given.value);
    }
    Ok(())
}

fn option(element: &Element) -> Result<()> {
    known::check_attributes(element)?;
    let attributes = Attributes::own(element);
    let differs = |name: &str, usual: [f32; 3]| -> Result<bool> {
        let given = attributes.vector(name)?.unwrap_or(usual.into()).to_array();
        Ok(given.iter().zip(usual).any(|(given, usual)| (given - usual).abs() > 1e-3))
    };
    if differs("gravity", GRAVITY)? {
        return Err(element.at.wrong("gravity other than 0 0 -9.81"));
    }
    for name in ["density", "viscosity"] {
        if attributes.number(name, 0.0)? != 0.0 {
            return Err(element.at.wrong(format!("`{name}`: there is no air here")));
        }
    }
    for child in &element.children {
        if child.tag != "flag" {
            return Err(refused(child, "option"));
        }
        known::check_attributes(child)?;
        for flag in &child.attributes {
            let usual = if flag.name == "override" { "disable" } else { "enable" };
            if known::matters(&flag.name) && flag.value != usual {
                let (name, value) = (&flag.name, shown(&flag.value));
                return Err(flag.at.wrong(format!("`{name}` is `{value}`: only {usual} is read")));
            }
        }
    }
    Ok(())
}

fn assets(model: &mut Model, element: &Element, folder: &Path) -> Result<()> {
    for child in &element.children {
        match child.tag.as_str() {
            "material" => {
                let attributes = model.defaults.of(child, None)?;
                let name = attributes.needed("name")?.value.clone();
                let rgba = attributes.numbers::<4>("rgba")?.unwrap_or([1.0; 4]);
                model.materials.insert(name, rgba);
            }
            "mesh" => {
                known::check_attributes(child)?;
                let file = child.find("file");
                if let Some(file) = file
                    && !folder.join(&file.value).is_file()
                {
                    let path = folder.join(&file.value);
                    return Err(file.at.wrong(format!("no mesh file {}", path.display())));
                }
                let stem = || file.map(|file| Path::new(&file.value).file_stem());
                let name = match (child.find("name"), stem()) {
                    (Some(name), _) => name.value.clone(),
                    (None, Some(Some(stem))) => stem.to_string_lossy().into_owned(),
                    _ => return Err(child.at.wrong("a mesh without name and file")),
                };
                model.meshes.insert(name);
            }
            tag if known::is_passed_over("asset", tag) => {}
            _ => return Err(refused(child, "asset")),
        }
    }
    Ok(())
}

/// What bodies may touch: as their bits say, where these are ours; everything that is not of their own
/// tree, where they are MuJoCo's usual ones.
fn groups(model: &mut Model) -> Result<()> {
    let n = model.scene.bodies.len();
    let mut driven = vec![false; n];
    for body in 0..n {
        if model.scene.bodies[body].joint.axis().is_some_and(|axis| axis.motor.is_some()) {
            driven[model.scene.root(body)] = true;
        }
    }
    let usual =
        |bits: &Option<((u32, u32), Place)>| bits.as_ref().is_some_and(|(own, _)| *own == (1, 1));
    let is_usual = model.bits.iter().any(usual);
    for body in 0..n {
        let in_driven = driven[model.scene.root(body)];
        let still = model.scene.is_static(body);
        let free = model.scene.bodies[model.scene.root(body)].joint == Joint::Free;
        model.scene.bodies[body].group = match &model.bits[body] {
            _ if still && model.bits[body].is_none() => Group::Fixture,
            None if in_driven => Group::Hand,
            None if free => Group::Object,
            None => Group::Moving,
            Some(((1, 1), _)) if still => Group::Fixture,
            Some(((1, 1), _)) => {
                if in_driven {
                    Group::Hand
                } else {
                    Group::Object
                }
            }
            Some((own, at)) => {
                let all = [Group::Fixture, Group::Moving, Group::Object, Group::Hand];
                let known = all.into_iter().find(|&group| bits(group) == *own);
                match known {
                    Some(group) if !is_usual => group,
                    _ => {
                        let (contype, conaffinity) = own;
                        return Err(at.wrong(format!(
                            "contype {contype} with conaffinity {conaffinity}: all 1, both 0, or the \
                             four groups that `tetrad robot scene` writes"
                        )));
                    }
                }
            }
        };
    }
    Ok(())
}
