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
//!
//! CUDA C candidates are kernels without host code, declared `extern "C"`. Comments say what is
//! launched, in order, with grid, block, bytes of dynamic shared memory and arguments:
//!
//! ```c
//! // scratch: 4096
//! // launch: sums 128 256 0 in0 scratch+0
//! // launch: scale 16,8 32,8,1 1024 in0 scratch+0 out0
//! ```

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
