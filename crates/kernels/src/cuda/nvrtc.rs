//! CUDA C compiled by NVRTC, which needs no GPU: PTX, a binary, and what ptxas says about it.
//!
//! The text is compiled in this process; NVRTC has no limit of time. It cannot include files.

use serde::{Deserialize, Serialize};

use super::launch::Launches;
use super::{check_flags, library, shim};
use crate::evaluation::{Reason, Rejection};
use crate::{Candidate, Error, Language};

/// Variable of the environment with the library's path.
const PATH: &str = "TETRAD_NVRTC";

/// What is compiled for when nothing else is named.
pub const ARCHITECTURE: &str = "sm_90";

/// Types and constants that headers would bring: there are none.
const PRELUDE: &str = "typedef signed char int8_t; typedef unsigned char uint8_t; \
    typedef short int16_t; typedef unsigned short uint16_t; typedef int int32_t; \
    typedef unsigned int uint32_t; typedef long long int64_t; typedef unsigned long long uint64_t;\n\
    #define INT64_C(x) x##LL\n#define INT64_MAX 0x7fffffffffffffffLL\n\
    #define INT64_MIN (-INT64_MAX - 1)\n#define INT_MAX 0x7fffffff\n#define INT_MIN (-INT_MAX - 1)\n\
    #define INFINITY __int_as_float(0x7f800000)\n#define NAN __int_as_float(0x7fffffff)\n\
    #define FLT_MAX 3.402823466e+38f\n#define FLT_MIN 1.175494351e-38f\n\
    #define FLT_EPSILON 1.192092896e-07f\n#define M_PI 3.14159265358979323846\n\
    #define CUDART_INF_F INFINITY\n#define CUDART_NAN_F NAN\n#line 1 \"kernel\"\n";

/// NVRTC.
pub struct Nvrtc(library::Nvrtc);

/// What is known of a compiled kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// Its name.
    pub name: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block.
    pub shared_bytes: u32,
    /// Local memory of a thread.
    pub stack_bytes: u32,
    /// Bytes of registers written to memory for lack of room.
    pub spill_store_bytes: u32,
    /// And read back.
    pub spill_load_bytes: u32,
    /// Barriers.
    pub barriers: u32,
    /// Parameters, when all of them are as large as pointers.
    pub n_parameters: Option<usize>,
}

/// What is known of a compiled candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// For which architecture.
    pub architecture: String,
    /// By what.
    pub compiler: String,
    /// Size of the binary.
    pub cubin_bytes: usize,
    /// Its kernels.
    pub kernels: Vec<KernelFacts>,
}

/// A compiled candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What is known of it.
    pub facts: Facts,
    /// The portable text.
    pub ptx: String,
    /// The binary.
    pub cubin: Vec<u8>,
    /// What is launched.
    pub launches: Launches,
}

fn tool(reason: String) -> Error {
    Error::Tool { tool: "NVRTC".to_owned(), reason }
}

impl Nvrtc {
    /// Loads the library: by the path in `TETRAD_NVRTC`, else by name.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open() -> Result<Self, Error> {
        let names = match std::env::var(PATH) {
            Ok(path) => vec![path],
            Err(_) => ["13", "12"].map(|version| format!("libnvrtc.so.{version}")).to_vec(),
        };
        library::Nvrtc::open(&names).map(Self).map_err(|reason| {
            tool(format!(
                "{reason}; `pip install nvidia-cuda-nvrtc` brings it, and {PATH} names its \
                 `libnvrtc.so`"
            ))
        })
    }

    /// The library's version.
    #[must_use]
    pub fn version(&self) -> String {
        format!("NVRTC {}.{}", self.0.version.0, self.0.version.1)
    }

    /// Compiles a candidate for an architecture such as `sm_90`; the rejection if it does not.
    ///
    /// # Errors
    /// When the library fails.
    pub fn compile(
        &self,
        candidate: &Candidate,
        architecture: &str,
    ) -> Result<Result<Object, Rejection>, Error> {
        let number = architecture.strip_prefix("sm_").unwrap_or_default();
        let plain = |letter: char| letter.is_ascii_alphanumeric();
        if number.is_empty() || number.len() > 8 || !number.chars().all(plain) {
            let reason = format!("`{architecture}` is no architecture; `sm_90` is one");
            return Err(Error::Config { reason });
        }
        let looked = (candidate.language == Language::Cuda)
            .then_some(())
            .ok_or_else(|| Rejection {
                reason: Reason::Forbidden,
                detail: "not a text in CUDA C".to_owned(),
            })
            .and_then(|()| check_flags(&candidate.flags))
            .and_then(|()| shim::look(&candidate.source));
        let looked = match looked {
            Ok(looked) => looked,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let mut options = vec![
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".to_owned(),
            "--ptxas-options=-v".to_owned(),
        ];
        options.extend(candidate.flags.iter().cloned());
        let text = format!("{PRELUDE}{}", looked.text);
        let output = self.0.compile(&text, &options).map_err(tool)?;
        if !output.compiled {
            let detail = first_errors(&output.log);
            return Ok(Err(Rejection { reason: Reason::Compile, detail }));
        }
        let mut kernels = facts(&output.log);
        for kernel in &mut kernels {
            kernel.n_parameters = parameters(&output.ptx, &kernel.name);
        }
        for launch in &looked.launches.launches {
            if !kernels.iter().any(|kernel| kernel.name == launch.name) {
                let detail = format!("`{}` is not a kernel declared `extern \"C\"`", launch.name);
                return Ok(Err(Rejection { reason: Reason::Compile, detail }));
            }
        }
        let facts = Facts {
            architecture: architecture.to_owned(),
            compiler: self.version(),
            cubin_bytes: output.cubin.len(),
            kernels,
        };
        let launches = looked.launches;
        Ok(Ok(Object { facts, ptx: output.ptx, cubin: output.cubin, launches }))
    }
}

/// The first errors in one line.
fn first_errors(log: &str) -> String {
    let errors: Vec<&str> =
        log.lines().map(str::trim).filter(|line| line.contains("error")).take(3).collect();
    let joined = if errors.is_empty() { log.lines().take(3).collect() } else { errors };
    joined.join("; ").chars().take(300).collect()
}

/// What ptxas says of each kernel.
fn facts(log: &str) -> Vec<KernelFacts> {
    let mut found: Vec<KernelFacts> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let name = rest.split('\'').next().unwrap_or_default().to_owned();
            found.push(KernelFacts { name, ..KernelFacts::default() });
            continue;
        }
        let Some(kernel) = found.last_mut() else { continue };
        for part in line.split([',', ':']) {
            let part = part.trim().trim_start_matches(|letter: char| !letter.is_ascii_digit());
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            match what {
                "registers" => kernel.registers = number,
                "barriers" => kernel.barriers = number,
                "bytes smem" => kernel.shared_bytes = number,
                "bytes stack frame" => kernel.stack_bytes = number,
                "bytes spill stores" => kernel.spill_store_bytes = number,
                "bytes spill loads" => kernel.spill_load_bytes = number,
                _ => {}
            }
        }
    }
    found
}

/// Parameters of a kernel in PTX, when all of them are 64 bits wide.
fn parameters(ptx: &str, name: &str) -> Option<usize> {
    let at = ptx.find(&format!(".entry {name}("))?;
    let list = &ptx[at..at + ptx[at..].find(')')?];
    let n = list.matches(".param ").count();
    let wide = list.matches(".param .u64").count();
    (n == wide && !list.contains('[')).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_spills_are_read_from_the_log() {
        let log = "ptxas info    : 0 bytes gmem\n\
                   ptxas info    : Compiling entry function 'f' for 'sm_90'\n\
                   ptxas info    : Function properties for f\n\
                   ptxas         .     16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\n\
                   ptxas info    : Used 32 registers, used 1 barriers, 1024 bytes smem\n";
        let found = facts(log);
        assert_eq!(found.len(), 1);
        let f = &found[0];
        assert_eq!((f.name.as_str(), f.registers, f.barriers), ("f", 32, 1));
        assert_eq!((f.shared_bytes, f.stack_bytes), (1024, 16));
        assert_eq!((f.spill_store_bytes, f.spill_load_bytes), (8, 4));
    }

    #[test]
    fn parameters_that_are_not_pointers_are_seen() {
        let ptx = ".visible .entry f(\n.param .u64 a,\n.param .u64 b\n)\n.visible .entry g(\n.param \
                   .u64 a,\n.param .u32 b\n)";
        assert_eq!((parameters(ptx, "f"), parameters(ptx, "g")), (Some(2), None));
    }

    #[test]
    fn errors_come_in_one_line() {
        let log = "kernel(3): error: expected a \";\"\n  x\n  ^\n1 error detected\n";
        let line = first_errors(log);
        assert!(line.starts_with("kernel(3): error") && !line.contains('\n'), "{line}");
    }
}
