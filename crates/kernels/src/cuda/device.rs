//! CUDA C on a GPU. **Untested:** no machine with a GPU has run this module yet.
//!
//! A candidate is nothing but kernels, so there is no host code that could make streams or read
//! clocks. Each call has inputs that were never there before, outputs full of a pattern, scratch
//! memory full of another, and an L2 cache full of something else; the clock is ours and stops when
//! the whole device is idle. Outputs are compared in this process after the candidate's context has
//! ended: what is expected is never on the device.

use std::time::Instant;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::launch::Argument;
use super::library::{Buffer, Context};
use super::nvrtc::Object;
use crate::Error;
use crate::evaluation::{Reason, Rejection};
use crate::judge::{Expect, Set, compare_bytes, poison};

/// `CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE`.
const L2_BYTES: i32 = 38;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The device.
    pub device: String,
    /// Wall time of each call, from the first launch until the device is idle.
    pub nanos: Vec<u64>,
    /// Largest error over its tolerance.
    pub worst: f64,
    /// Why the candidate is turned away.
    pub rejection: Option<Rejection>,
}

fn tool(reason: String) -> Error {
    Error::Tool { tool: "the CUDA driver".to_owned(), reason }
}

/// Runs a compiled candidate a number of times, each on fresh inputs of the plain kind.
///
/// # Errors
/// When there is no device, or its driver fails before a kernel runs.
pub fn time(
    expect: &dyn Expect,
    object: &Object,
    n_calls: usize,
    seed: u64,
) -> Result<Measured, Error> {
    let context = Context::open().map_err(tool)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut measured = Measured {
        device: context.name().map_err(tool)?,
        nanos: Vec::new(),
        worst: 0.0,
        rejection: mismatch(expect, object),
    };
    if measured.rejection.is_some() {
        return Ok(measured);
    }
    let sets = (0..n_calls).map(|_| expect.draw(0, rng.random())).collect::<Result<Vec<_>, _>>()?;
    let mut answers = Vec::new();
    let ran = run(&context, expect, object, &sets, &mut rng, &mut measured.nanos, &mut answers);
    drop(context);
    if let Err(reason) = ran {
        // A kernel that fails takes its context with it: the driver says so in the next call.
        let detail = format!("call {}: {reason}", answers.len() + 1);
        measured.rejection = Some(Rejection { reason: Reason::Crash, detail });
    }
    for (set, outputs) in sets.iter().zip(&answers) {
        let tensors = expect.returned();
        for ((tensor, expected), (bytes, poison)) in tensors.iter().zip(&set.expected).zip(outputs)
        {
            let comparison = compare_bytes(bytes, tensor, expected, *poison);
            measured.worst = measured.worst.max(comparison.worst);
            measured.rejection = measured.rejection.take().or(comparison.rejection);
        }
    }
    Ok(measured)
}

/// What a launch says that does not fit the kernel or the task.
fn mismatch(expect: &dyn Expect, object: &Object) -> Option<Rejection> {
    let (n_given, n_returned) = (expect.given().len(), expect.returned().len());
    object.launches.launches.iter().find_map(|launch| {
        let kernel = object.facts.kernels.iter().find(|kernel| kernel.name == launch.name)?;
        let fits = kernel.n_parameters == Some(launch.arguments.len())
            && launch.arguments.iter().all(|argument| match argument {
                Argument::Given(at) => *at < n_given,
                Argument::Returned(at) => *at < n_returned,
                Argument::Scratch(_) => true,
            });
        let detail = format!("`{}` is not launched with the pointers it takes", launch.name);
        (!fits).then_some(Rejection { reason: Reason::Forbidden, detail })
    })
}

type Answer = Vec<(Vec<u8>, [u8; 8])>;

fn run(
    context: &Context,
    expect: &dyn Expect,
    object: &Object,
    sets: &[Set],
    rng: &mut impl Rng,
    nanos: &mut Vec<u64>,
    answers: &mut Vec<Answer>,
) -> Result<(), String> {
    let launches = &object.launches;
    let names: Vec<(&str, u32)> =
        launches.launches.iter().map(|each| (each.name.as_str(), each.shared_bytes)).collect();
    let kernels = context.load(&object.cubin, &names)?;
    let bytes = |tensor: &crate::graph::Tensor| tensor.n_elements() * tensor.dtype.size_bytes();
    let buffers = |tensors: &[crate::graph::Tensor]| {
        tensors.iter().map(|tensor| context.allocate(bytes(tensor))).collect::<Result<Vec<_>, _>>()
    };
    let returned = expect.returned();
    let (given, outputs) = (buffers(&expect.given())?, buffers(&returned)?);
    let scratch = context.allocate(launches.scratch_bytes as usize)?;
    let cache = context.allocate(2 * context.attribute(L2_BYTES)?.max(1 << 24) as usize)?;
    for set in sets {
        for (buffer, content) in given.iter().zip(&set.given) {
            context.upload(*buffer, content)?;
        }
        let mut poisons = Vec::new();
        for (buffer, tensor) in outputs.iter().zip(&returned) {
            let pattern = poison(tensor.dtype, rng);
            let content: Vec<u8> = pattern.iter().copied().cycle().take(bytes(tensor)).collect();
            context.upload(*buffer, &content)?;
            poisons.push(pattern);
        }
        context.fill(scratch, 0xff)?;
        context.fill(cache, rng.random())?;
        context.synchronise()?;
        let began = Instant::now();
        for (launch, kernel) in launches.launches.iter().zip(&kernels) {
            let arguments: Vec<(Buffer, u64)> = launch
                .arguments
                .iter()
                .map(|argument| match argument {
                    Argument::Given(at) => (given[*at], 0),
                    Argument::Returned(at) => (outputs[*at], 0),
                    Argument::Scratch(at) => (scratch, *at),
                })
                .collect();
            context.launch(
                *kernel,
                (launch.grid, launch.block, launch.shared_bytes),
                &arguments,
            )?;
        }
        context.synchronise()?;
        nanos.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let found = outputs.iter().map(|buffer| context.download(*buffer));
        answers.push(
            found
                .zip(poisons)
                .map(|(bytes, poison)| Ok((bytes?, poison)))
                .collect::<Result<_, String>>()?,
        );
    }
    Ok(())
}
