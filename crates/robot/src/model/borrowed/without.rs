//! In place of open models where this program was built without them: none can be opened.

use std::path::Path;

use crate::error::{Error, Result};
use crate::interface::Camera;
use crate::model::config::Borrowed;

/// There is none.
#[derive(Debug, Clone)]
pub struct Backbone(Never);

/// Inside, so that code that is handed a model does not count as out of reach.
#[derive(Debug, Clone, Copy)]
enum Never {}

impl Backbone {
    /// Says that this program was built without open models.
    ///
    /// # Errors
    /// Always.
    pub fn expect_built() -> Result<()> {
        let reason = "this program was built without it";
        Err(Error::Program { program: "backbones".to_owned(), reason: reason.to_owned() })
    }

    /// As [`Backbone::expect_built`].
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &Path) -> Result<Backbone> {
        Err(Backbone::expect_built().expect_err("always"))
    }

    /// What a policy says of the model that it borrows from.
    #[must_use]
    pub fn shape(&self) -> &Borrowed {
        match self.0 {}
    }

    pub(super) fn digest(&self) -> &str {
        match self.0 {}
    }

    /// Features of a picture and a text.
    ///
    /// # Errors
    /// None: there is no such model.
    pub fn features(&self, _: &Camera, _: &[u8], _: &str) -> Result<Vec<f32>> {
        match self.0 {}
    }
}
