//! CUDA C without a GPU: the zoo through the CPU shim, and base kernels of bundled tasks.

use std::sync::Arc;

use kernels::evaluation::{Level, Rejection};
use kernels::judge::{Effort, Judge, Known, Options};
use kernels::plan::Schedule;
use kernels::{Task, cuda, emit, lower, suite, zoo};
use sandbox::Launcher;

/// Not a test of its own: sandboxes start here.
#[test]
fn launcher_entry() {
    sandbox::launch_if_requested();
}

fn options() -> Options {
    Options::new(Launcher::test_entry("launcher_entry"), 7)
}

#[test]
fn every_cheat_in_cuda_is_turned_away_for_its_reason_and_no_honest_kernel_is() {
    let table = zoo::examine_cuda(options(), |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let complaints = table.complaints();
    assert!(complaints.is_empty(), "{}\n{table}", complaints.join("\n"));
    assert_eq!(table.caught().n as usize, zoo::cuda_cheats().len());
    assert_eq!(table.accepted().n as usize, zoo::cuda_honest().len());
    for finding in &table.honest {
        assert_eq!(finding.evaluation.level, Level::Correct, "{}", finding.animal.class);
        assert!(finding.evaluation.timing.is_none());
        assert!(finding.evaluation.remarks.starts_with("unmeasured"));
    }
    println!("{table}");
}

/// Judges the base kernels in CUDA C of a bundled task at its odd sizes, for the shim is slow.
/// Whether the base in C passes, and what speaks against either.
fn judge_base(name: &str) -> (Option<Rejection>, Option<Rejection>) {
    let task = Arc::new(suite::find(name).unwrap_or_else(|| panic!("no task {name}")));
    let program = lower::lower(&task.variants[0]).expect("lowered");
    let schedule = Schedule::base(&program);
    let known = Known::variant(Arc::clone(&task), 0, 1).unwrap_or_else(|e| panic!("{name}: {e}"));
    let base = emit::c(&program, &schedule);
    let mut judge = Judge::open(Box::new(known), &base, options())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let in_c = judge.evaluate(&base, Effort::Check).expect("judged").rejection;
    let candidate = emit::cuda(&program, &schedule);
    let report = cuda::check(&mut judge, &candidate, None, cuda::ARCHITECTURE).expect("judged");
    (in_c, report.function.rejection)
}

#[test]
fn base_kernels_of_bundled_tasks_are_right_on_the_shim() {
    for name in ["softmax", "running_sum", "conv_relu", "int8_linear"] {
        assert_eq!(judge_base(name), (None, None), "{name}");
    }
}

#[test]
#[ignore = "needs: a quiet machine"]
fn base_kernels_of_every_bundled_task_are_right_where_the_base_in_c_is() {
    for task in suite::tasks() {
        // At odd sizes some tasks are degenerate.
        if Known::variant(Arc::new(task.clone()), 0, 1).is_err() {
            continue;
        }
        let (in_c, in_cuda) = judge_base(&task.name);
        println!("{}: C {in_c:?}; CUDA {in_cuda:?}", task.name);
        assert!(in_c.is_some() || in_cuda.is_none(), "{}", task.name);
    }
}

/// `TETRAD_NVRTC` names the library; `TETRAD_TASKS`, where it is set, a folder of tasks.
#[test]
#[ignore = "needs: nvrtc"]
fn needs_nvrtc_base_kernels_and_the_zoo_compile_for_a_device() {
    let nvrtc = cuda::Nvrtc::open().unwrap_or_else(|error| panic!("{error}"));
    let mut tasks = suite::tasks();
    if let Ok(folder) = std::env::var("TETRAD_TASKS") {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        paths.sort();
        tasks.extend(paths.iter().filter_map(|path| Task::load(path).ok()));
    }
    let (mut n, mut n_lowered, mut complaints) = (0, 0, Vec::new());
    for task in &tasks {
        n += 1;
        let Ok(program) = lower::lower(&task.graph) else { continue };
        n_lowered += 1;
        let candidate = emit::cuda(&program, &Schedule::base(&program));
        if let Err(rejection) = cuda::shim::translate(&candidate.source) {
            complaints.push(format!("{}: {}", task.name, rejection.detail));
        }
        match nvrtc.compile(&candidate, cuda::ARCHITECTURE).expect("NVRTC answers") {
            Ok(object) => {
                let facts = object.facts;
                assert!(facts.cubin_bytes > 0 && facts.kernels.iter().all(|k| k.registers > 0));
                assert!(facts.kernels.iter().all(|k| k.n_parameters.is_some()), "{facts:?}");
            }
            Err(rejection) => complaints.push(format!("{}: {}", task.name, rejection.detail)),
        }
    }
    println!("{}: {n} tasks, {n_lowered} lowered", nvrtc.version());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for animal in zoo::cuda_honest() {
        let object = nvrtc.compile(&animal.candidate, cuda::ARCHITECTURE).expect("NVRTC answers");
        let object = object.unwrap_or_else(|rejection| panic!("{}: {rejection:?}", animal.class));
        println!("{}: {:?}", animal.class, object.facts.kernels);
    }
    let mut broken = zoo::cuda_honest().remove(0).candidate;
    broken.source.push_str("\nint x = ;\n");
    let rejection = nvrtc.compile(&broken, cuda::ARCHITECTURE).expect("NVRTC answers");
    println!("{:?}", rejection.expect_err("it is broken"));
}

#[test]
#[ignore = "needs: cuda"]
fn needs_cuda_honest_kernels_are_right_on_a_device_and_cheats_are_not() {
    let nvrtc = cuda::Nvrtc::open().unwrap_or_else(|error| panic!("{error}"));
    for animal in zoo::cuda_honest() {
        let object = nvrtc.compile(&animal.candidate, cuda::ARCHITECTURE).expect("NVRTC answers");
        let object = object.unwrap_or_else(|rejection| panic!("{}: {rejection:?}", animal.class));
        let measured = cuda::device::time(&animal.task, &object, 5, 7).expect("measured");
        assert_eq!(measured.rejection, None, "{}", animal.class);
        println!("{}: {measured:?}", animal.class);
    }
    for class in ["constant", "copy-of-input", "tail-ignored", "half-bits"] {
        let cheats = zoo::cuda_cheats();
        let animal = cheats.iter().find(|animal| animal.class == class).expect("in the zoo");
        let object = nvrtc.compile(&animal.candidate, cuda::ARCHITECTURE).expect("NVRTC answers");
        let object = object.unwrap_or_else(|rejection| panic!("{class}: {rejection:?}"));
        let measured = cuda::device::time(&animal.task, &object, 5, 7).expect("measured");
        assert!(measured.rejection.is_some(), "{class}");
    }
}
