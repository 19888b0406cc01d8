//! Weights that come with the program.

/// A trained policy as safetensors, in bfloat16. For
/// [`super::Policy::built`]. Its card stands beside the file, in `crates/robot/weights`.
#[must_use]
pub fn shipped() -> Option<&'static [u8]> {
    Some(include_bytes!("../../weights/tiny.safetensors"))
}
