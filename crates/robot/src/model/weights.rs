//! Weights that come with the program.

use std::borrow::Cow;
use std::path::Path;

use super::Policy;
use crate::error::{Error, Result};

/// A trained policy as safetensors, in bfloat16. Its card stands beside the file.
const SHIPPED: &[u8] = include_bytes!("../../weights/tiny.safetensors");

impl Policy {
    /// The one of a file, or the one that comes with the program; and the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn or_shipped(file: Option<&Path>) -> Result<(Policy, String)> {
        let (policy, bytes) = match file {
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|source| Error::file(path, source))?;
                (Policy::load(path)?, Cow::Owned(bytes))
            }
            None => {
                let name = "the policy that comes with the program";
                (Policy::built(name, SHIPPED)?, Cow::Borrowed(SHIPPED))
            }
        };
        Ok((policy, runs::sha256(&bytes)))
    }
}
