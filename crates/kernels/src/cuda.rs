//! CUDA C without a GPU, and with one.
//!
//! Without one, a candidate is compiled for a named architecture where NVRTC is there, and run for
//! function on the CPU by a shim: right or wrong, *unmeasured*. With one it can be timed; see
//! [`device`].

pub mod device;
pub mod launch;
mod library;
pub mod nvrtc;
pub mod shim;

use serde::Serialize;

pub use nvrtc::{ARCHITECTURE, Facts, Nvrtc};
pub use shim::UNMEASURED;

use crate::evaluation::{Evaluation, Reason, Rejection};
use crate::judge::{Effort, Judge};
use crate::{Candidate, Error};

/// What can be said of a candidate in CUDA C without a GPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The candidate's identity.
    pub candidate: String,
    /// What the compiler says; `None` where there is no NVRTC or it was refused.
    pub compiled: Option<Facts>,
    /// Why the compiler refused it.
    pub refused: Option<Rejection>,
    /// Right or wrong, by the CPU shim.
    pub function: Evaluation,
    /// [`UNMEASURED`].
    pub label: &'static str,
}

/// Compiles a candidate where NVRTC is given, and judges its function on the CPU.
///
/// # Errors
/// When NVRTC fails, or this machine cannot judge. A candidate that is turned away is no error.
pub fn check(
    judge: &mut Judge,
    candidate: &Candidate,
    nvrtc: Option<&Nvrtc>,
    architecture: &str,
) -> Result<Report, Error> {
    let (mut compiled, mut refused) = (None, None);
    if let Some(nvrtc) = nvrtc {
        match nvrtc.compile(candidate, architecture)? {
            Ok(object) => compiled = Some(object.facts),
            Err(rejection) => refused = Some(rejection),
        }
    }
    let function = judge.evaluate(candidate, Effort::Check)?;
    Ok(Report { candidate: candidate.id(), compiled, refused, function, label: UNMEASURED })
}

/// Whether a CUDA C candidate may ask for a compiler option.
fn flag_is_known(flag: &str) -> bool {
    const KNOWN: [&str; 5] = [
        "--use_fast_math",
        "--fmad=true",
        "--fmad=false",
        "--restrict",
        "--extra-device-vectorization",
    ];
    let registers = flag.strip_prefix("--maxrregcount=").and_then(|count| count.parse().ok());
    KNOWN.contains(&flag) || registers.is_some_and(|count: u32| (16..=255).contains(&count))
}

/// Whether every option is on the list.
pub(crate) fn check_flags(flags: &[String]) -> Result<(), Rejection> {
    match flags.iter().find(|flag| !flag_is_known(flag)) {
        None => Ok(()),
        Some(flag) => {
            let shown: String = flag.chars().take(60).collect();
            let detail = format!("compiler option `{shown}` is not on the list for CUDA C");
            Err(Rejection { reason: Reason::Flag, detail })
        }
    }
}
