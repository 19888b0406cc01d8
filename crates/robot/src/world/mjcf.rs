//! Scenes as MJCF, the model format of MuJoCo: [`write()`] and [`read`].
//!
//! What is written says the same to MuJoCo as the scene says to the embedded engine: the same bodies,
//! joints, masses, shapes, friction, servos and pairs that may touch, with primitives only and angles in
//! radians. Read back it is the same scene to the bit.
//!
//! What is read is the part of MJCF that a [`Scene`](super::Scene) can hold. What it cannot hold is
//! refused with file and line, rather than left out; what has no bearing on it (cameras, lights, sensors,
//! textures, settings of MuJoCo's solver) is passed over. `known` lists both.
//!
//! *Simplified:* bodies of one tree never touch each other; friction has no torsional or rolling part in
//! the embedded engine; a servo's gain becomes an acceleration by the inertia that it moves at the start.

mod body;
mod defaults;
mod document;
mod geom;
mod known;
mod links;
mod read;
mod servo;
#[cfg(test)]
mod tests;
mod values;
mod write;

pub use read::{read, read_text};
pub use write::write;

/// Name of the keyframe that says where joints stand at first.
const START: &str = "start";

/// Bits of a group, and of what it may touch. MuJoCo lets two geoms touch where one's bits are among what
/// the other may touch.
fn bits(group: super::scene::Group) -> (u32, u32) {
    use super::scene::Group;
    match group {
        Group::Fixture => (1, 12),
        Group::Moving => (2, 12),
        Group::Object => (4, 15),
        Group::Hand => (8, 15),
    }
}
