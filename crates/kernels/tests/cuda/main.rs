//! CUDA C without a GPU: the zoo through the CPU shim, and base kernels of bundled tasks.

use std::sync::Arc;

use kernels::evaluation::{Level, Rejection};
use kernels::judge::{Effort, Judge, Known, Options};
use kernels::plan::Schedule;
use kernels::{Error, Graph, Task, cuda, emit, lower, suite, zoo};
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

/// Judges the base kernels of a task. What speaks against the base in C, and against that in CUDA
/// C.
fn judge_base(known: Known, graph: &Graph) -> Result<[Option<Rejection>; 2], Error> {
    let program = lower::lower(graph)?;
    let schedule = Schedule::base(&program);
    let base = emit::c(&program, &schedule);
    let mut judge = Judge::open(Box::new(known), &base, options())?;
    let in_c = judge.evaluate(&base, Effort::Check)?.rejection;
    let candidate = emit::cuda(&program, &schedule);
    let report = cuda::check(&mut judge, &candidate, None, cuda::ARCHITECTURE)?;
    Ok([in_c, report.function.rejection])
}

/// At the odd sizes of a bundled task, for the shim is slow.
fn judge_bundled(task: Task) -> Result<[Option<Rejection>; 2], Error> {
    let graph = task.variants[0].clone();
    judge_base(Known::variant(Arc::new(task), 0, 1)?, &graph)
}

#[test]
fn base_kernels_of_bundled_tasks_are_right_on_the_shim() {
    for name in ["softmax", "running_sum", "conv_relu", "int8_linear"] {
        let task = suite::find(name).unwrap_or_else(|| panic!("no task {name}"));
        let found = judge_bundled(task).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, [None, None], "{name}");
    }
}

#[test]
#[ignore = "needs: a quiet machine"]
fn base_kernels_of_every_bundled_task_are_right_where_the_base_in_c_is() {
    for task in suite::tasks() {
        let name = task.name.clone();
        let [in_c, in_cuda] = judge_bundled(task).unwrap_or_else(|e| panic!("{name}: {e}"));
        println!("{name}: C {in_c:?}; CUDA {in_cuda:?}");
        assert!(in_c.is_some() || in_cuda.is_none(), "{name}");
    }
}

/// `TETRAD_TASKS` names a folder of tasks, of sizes that a shim can bear.
#[test]
#[ignore = "needs: imported tasks"]
fn base_kernels_of_imported_tasks_are_right_where_the_base_in_c_is() {
    let mut complaints = Vec::new();
    for task in imported() {
        let (name, graph) = (task.name.clone(), task.graph.clone());
        let known = Known::task(Arc::new(task), 1);
        match known.and_then(|known| judge_base(known, &graph)) {
            Ok([in_c, in_cuda]) => {
                println!("{name}: C {in_c:?}; CUDA {in_cuda:?}");
                if in_c.is_none() && in_cuda.is_some() {
                    complaints.push(name);
                }
            }
            Err(error) => println!("{name}: not judged: {error}"),
        }
    }
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Tasks of the folder that `TETRAD_TASKS` names, if it names one.
fn imported() -> Vec<Task> {
    let Ok(folder) = std::env::var("TETRAD_TASKS") else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths.iter().filter_map(|path| Task::load(path).ok()).collect()
}

/// `TETRAD_NVRTC` names the library; `TETRAD_TASKS`, where it is set, a folder of tasks.
#[test]
#[ignore = "needs: nvrtc"]
fn needs_nvrtc_base_kernels_and_the_zoo_compile_for_a_device() {
    let nvrtc = cuda::Nvrtc::open().unwrap_or_else(|error| panic!("{error}"));
    let mut tasks = suite::tasks();
    tasks.extend(imported());
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
    broken.source.push_str("\nstatic __device__ int f() { return missing; }\n");
    let rejection = nvrtc.compile(&broken, cuda::ARCHITECTURE).expect("NVRTC answers");
    let rejection = rejection.expect_err("it is broken");
    assert!(rejection.detail.contains("error") && !rejection.detail.contains('\n'));
    println!("{}", rejection.detail);
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
