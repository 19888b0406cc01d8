//! A claim to compute a task: source text for a fixed interface.
//!
//! C candidates define
//!
//! ```c
//! void tetrad_kernel(const void *const *in, void *const *out, void *scratch);
//! const int64_t tetrad_scratch_bytes = 0;
//! ```
//!
//! `in` holds the graph's inputs, then its parameters; `out` what it returns; all dense, row-major
//! and aligned to 64 bytes, at other addresses in every call. `scratch` is
//! `tetrad_scratch_bytes` long, aligned to 64 bytes, of undefined content. OpenMP is there, with
//! the threads that the judge allows.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a source text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// C for the CPU.
    C,
    /// CUDA C.
    Cuda,
}

/// Source text that claims to compute a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its language.
    pub language: Language,
    /// The text.
    pub source: String,
    /// Compiler options, from the judge's allow-list.
    pub flags: Vec<String>,
}

impl Candidate {
    /// SHA-256 of all of it, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        let text = serde_json::to_vec(self).expect("plain text and lists serialize");
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
