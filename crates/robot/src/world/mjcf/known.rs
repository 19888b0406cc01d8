//! What of MJCF is read, what has no bearing on a scene, and what is refused.

use super::document::Element;
use crate::error::{Error, Result};

/// An element that is read: its attributes that are read, and those that have no bearing here.
struct Known {
    tag: &'static str,
    read: &'static [&'static str],
    passed: &'static [&'static str],
}

const KNOWN: &[Known] = &[
    Known { tag: "mujoco", read: &["model"], passed: &[] },
    Known {
        tag: "compiler",
        read: &[
            "angle",
            "autolimits",
            "eulerseq",
            "coordinate",
            "inertiafromgeom",
            "meshdir",
            "assetdir",
        ],
        passed: &[
            "texturedir",
            "inertiagrouprange",
            "discardvisual",
            "strippath",
            "usethread",
            "fusestatic",
            "balanceinertia",
            "fitaabb",
            "alignfree",
            "saveinertial",
        ],
    },
    Known { tag: "default", read: &["class"], passed: &[] },
    Known { tag: "worldbody", read: &[], passed: &["name"] },
    Known {
        tag: "body",
        read: &[
            "name",
            "pos",
            "quat",
            "axisangle",
            "euler",
            "xyaxes",
            "zaxis",
            "childclass",
            "gravcomp",
            "mocap",
        ],
        passed: &["user", "sleep"],
    },
    Known {
        tag: "inertial",
        read: &[
            "pos",
            "quat",
            "axisangle",
            "euler",
            "xyaxes",
            "zaxis",
            "mass",
            "diaginertia",
            "fullinertia",
        ],
        passed: &[],
    },
    Known {
        tag: "joint",
        read: &[
            "name",
            "class",
            "type",
            "pos",
            "axis",
            "range",
            "limited",
            "damping",
            "frictionloss",
            "armature",
            "ref",
            "stiffness",
            "actuatorfrcrange",
            "actuatorgravcomp",
        ],
        passed: &[
            "group",
            "user",
            "springref",
            "springdamper",
            "margin",
            "solreflimit",
            "solimplimit",
            "solreffriction",
            "solimpfriction",
            "actuatorfrclimited",
        ],
    },
    Known { tag: "freejoint", read: &["name"], passed: &["group", "align"] },
    Known {
        tag: "geom",
        read: &[
            "name",
            "class",
            "type",
            "size",
            "fromto",
            "pos",
            "quat",
            "axisangle",
            "euler",
            "xyaxes",
            "zaxis",
            "mass",
            "density",
            "friction",
            "contype",
            "conaffinity",
            "priority",
            "rgba",
            "material",
            "mesh",
            "shellinertia",
        ],
        passed: &[
            "group",
            "condim",
            "solref",
            "solimp",
            "solmix",
            "margin",
            "gap",
            "user",
            "fluidshape",
            "fluidcoef",
        ],
    },
    Known {
        tag: "material",
        read: &["name", "class", "rgba"],
        passed: &[
            "texture",
            "texrepeat",
            "texuniform",
            "emission",
            "specular",
            "shininess",
            "reflectance",
            "metallic",
            "roughness",
        ],
    },
    Known {
        tag: "mesh",
        read: &["name", "class", "file"],
        passed: &[
            "scale",
            "refpos",
            "refquat",
            "smoothnormal",
            "maxhullvert",
            "inertia",
            "content_type",
            "vertex",
            "normal",
            "face",
            "texcoord",
        ],
    },
    Known {
        tag: "position",
        read: &[
            "name",
            "class",
            "joint",
            "kp",
            "kv",
            "dampratio",
            "forcerange",
            "forcelimited",
            "ctrlrange",
            "ctrllimited",
            "inheritrange",
            "gear",
            "timeconst",
        ],
        passed: &["group", "user"],
    },
    Known { tag: "exclude", read: &["body1", "body2"], passed: &["name"] },
    Known {
        tag: "pair",
        read: &["geom1", "geom2", "friction", "class"],
        passed: &["name", "condim", "solref", "solreffriction", "solimp", "margin", "gap"],
    },
    Known {
        tag: "key",
        read: &["name", "qpos"],
        passed: &["time", "qvel", "act", "ctrl", "mpos", "mquat"],
    },
    Known {
        tag: "option",
        read: &["gravity", "wind", "magnetic", "density", "viscosity"],
        passed: &[
            "timestep",
            "apirate",
            "impratio",
            "tolerance",
            "ls_tolerance",
            "noslip_tolerance",
            "ccd_tolerance",
            "o_margin",
            "o_solref",
            "o_solimp",
            "o_friction",
            "integrator",
            "cone",
            "jacobian",
            "solver",
            "iterations",
            "ls_iterations",
            "noslip_iterations",
            "ccd_iterations",
            "sdf_iterations",
            "sdf_initpoints",
            "sleep_tolerance",
        ],
    },
    Known {
        tag: "flag",
        read: &[
            "constraint",
            "equality",
            "frictionloss",
            "limit",
            "contact",
            "passive",
            "spring",
            "damper",
            "gravity",
            "clampctrl",
            "actuation",
            "override",
        ],
        passed: &[
            "warmstart",
            "filterparent",
            "refsafe",
            "sensor",
            "midphase",
            "eulerdamp",
            "autoreset",
            "nativeccd",
            "island",
            "energy",
            "fwdinv",
            "invdiscrete",
            "multiccd",
            "sleep",
            "diagexact",
        ],
    },
];

/// The attributes of a coupling of joints, whose tag is that of a joint.
const COUPLING: &[&str] =
    &["name", "class", "joint1", "joint2", "polycoef", "active", "solref", "solimp"];

/// Elements without bearing on a scene, by what they are in.
const PASSED: &[(&str, &[&str])] = &[
    ("mujoco", &["size", "visual", "statistic", "sensor", "custom"]),
    ("worldbody", &["site", "camera", "light"]),
    ("body", &["site", "camera", "light"]),
    ("default", &["site", "camera", "light", "equality", "tendon", "general", "motor", "velocity"]),
    ("asset", &["texture", "skin"]),
    ("keyframe", &[]),
];

/// Whether defaults are kept for this element.
pub(super) fn is_default(tag: &str) -> bool {
    ["joint", "geom", "position", "material", "mesh", "pair"].contains(&tag)
}

/// Whether an element means nothing here.
pub(super) fn is_passed_over(within: &str, tag: &str) -> bool {
    PASSED.iter().any(|(outer, tags)| *outer == within && tags.contains(&tag))
}

/// An element that a scene cannot hold, or that does not exist.
pub(super) fn refused(element: &Element, within: &str) -> Error {
    let tag = super::values::shown(&element.tag);
    element.at.wrong(format!("<{tag}> in <{within}> is not read: {}", remedy(&tag)))
}

fn remedy(tag: &str) -> &'static str {
    match tag {
        "general" | "motor" | "velocity" | "intvelocity" | "damper" | "cylinder" | "muscle"
        | "adhesion" | "plugin" => "servos are <position>",
        "connect" | "weld" | "tendon" | "flex" | "flexvert" => "only joints can be coupled",
        "frame" | "replicate" | "attach" | "composite" | "flexcomp" => "write the bodies out",
        "hfield" | "skin" | "model" => "shapes are boxes, cylinders, spheres and capsules",
        _ => "it is no element known there",
    }
}

/// Refuses attributes that are not known: they might matter.
pub(super) fn check_attributes(element: &Element) -> Result<()> {
    let is_coupling = element.tag == "joint" && element.find("joint1").is_some();
    let known = KNOWN.iter().find(|known| known.tag == element.tag);
    for attribute in &element.attributes {
        let name = attribute.name.as_str();
        let fits = if is_coupling {
            COUPLING.contains(&name)
        } else {
            known.is_none_or(|known| known.read.contains(&name) || known.passed.contains(&name))
        };
        if !fits {
            let (name, tag) = (super::values::shown(name), &element.tag);
            return Err(attribute.at.wrong(format!(
                "<{tag}> has an attribute `{name}`, which is not read: remove it if it does not matter"
            )));
        }
    }
    Ok(())
}

/// Whether a flag of the solver changes what happens, rather than how it is computed.
pub(super) fn matters(flag: &str) -> bool {
    KNOWN.iter().any(|known| known.tag == "flag" && known.read.contains(&flag))
}
