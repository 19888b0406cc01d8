//! Many kernels as one program.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use kernels::Graph;
use kernels::oracle::Array;

/// One kernel.
pub(super) struct Job {
    pub(super) label: String,
    pub(super) case_idx: usize,
    pub(super) source: String,
    pub(super) width: usize,
}

/// Files of each width, compiled side by side.
const N_FILES: usize = 2;

/// What ends the text that all kernels begin with.
const PRELUDE_END: &str = "#undef AS_REAL\n";

/// A kernel's own part, with names of its own.
fn renamed(source: &str, idx: usize) -> String {
    let at = source.rfind(PRELUDE_END).expect("a prelude") + PRELUDE_END.len();
    source[at..]
        .replace("tetrad_kernel", &format!("kernel_{idx}"))
        .replace("tetrad_scratch_bytes", &format!("scratch_{idx}"))
        .replace("tile_", &format!("tile_{idx}_"))
}

/// Outputs of each kernel, or how it ended.
pub(super) fn run(
    graphs: &[&Graph],
    given: &[Vec<Array>],
    jobs: &[Job],
) -> Vec<Result<Vec<Array>, String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut files = Vec::new();
    for width in [8, 16] {
        let own: Vec<(usize, &Job)> =
            jobs.iter().enumerate().filter(|(_, job)| job.width == width).collect();
        for (part, own) in own.chunks(own.len().div_ceil(N_FILES).max(1)).enumerate() {
            let first = &own[0].1.source;
            let end = first.rfind(PRELUDE_END).expect("a prelude") + PRELUDE_END.len();
            let mut text = first[..end].to_owned();
            for (idx, job) in own {
                write!(text, "/* {} */\n{}", job.label, renamed(&job.source, *idx)).expect("room");
            }
            let name = format!("part_{width}_{part}.c");
            std::fs::write(folder.join(&name), text).expect("written");
            files.push(name);
        }
    }
    std::fs::write(folder.join("main.c"), main(graphs, given, jobs)).expect("written");
    files.push("main.c".to_owned());
    compile(folder, &files);
    let bytes: Vec<u8> = given.iter().flatten().flat_map(Array::to_bytes).collect();
    std::fs::write(folder.join("given"), bytes).expect("written");
    let ran = Command::new(folder.join("all"))
        .arg(folder.join("given"))
        .env("OMP_NUM_THREADS", "3")
        .output()
        .expect("it starts");
    assert!(ran.status.success(), "{ran:?}");
    read(graphs, jobs, &ran.stdout)
}

fn main(graphs: &[&Graph], given: &[Vec<Array>], jobs: &[Job]) -> String {
    let mut text = include_str!("runner.c").to_owned();
    let mut from = 0usize;
    let mut begins = Vec::new();
    for (graph, given) in graphs.iter().zip(given) {
        begins.push(from);
        assert_eq!(graph.given().count(), given.len());
        from += graph.given().map(kernels::graph::Tensor::size_bytes).sum::<usize>();
    }
    let mut table = String::new();
    for (idx, job) in jobs.iter().enumerate() {
        let graph = graphs[job.case_idx];
        let sizes = graph.given().chain(graph.returned()).map(|each| each.size_bytes().to_string());
        let sizes: Vec<String> = sizes.collect();
        writeln!(text, "extern run_of kernel_{idx}; extern const int64_t scratch_{idx};")
            .expect("room");
        writeln!(text, "static const int64_t sizes_{idx}[] = {{{}}};", sizes.join(", "))
            .expect("room");
        let (n_in, n_out) = (graph.given().count(), graph.outputs.len());
        let begin = begins[job.case_idx];
        writeln!(table, "{{kernel_{idx}, &scratch_{idx}, sizes_{idx}, {n_in}, {n_out}, {begin}}},")
            .expect("room");
    }
    let n = jobs.len();
    format!("{text}const struct kernel kernels[] = {{\n{table}}};\nconst int n_kernels = {n};\n")
}

fn compile(folder: &Path, files: &[String]) {
    let mut objects = Vec::new();
    let mut running = Vec::new();
    for file in files {
        let object = file.replace(".c", ".o");
        let child = Command::new("gcc")
            .args(["-std=gnu11", "-O1", "-march=native", "-fopenmp", "-w", "-c"])
            .args(["-fno-math-errno", "-fno-trapping-math", "-o", &object, file])
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn();
        running.push(child.expect("gcc is there"));
        objects.push(object);
    }
    for child in running {
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let mut link = Command::new("gcc");
    link.args(["-fopenmp", "-o", "all"]).args(&objects).arg("-lm").current_dir(folder);
    let ended = link.output().expect("gcc is there");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

fn read(graphs: &[&Graph], jobs: &[Job], bytes: &[u8]) -> Vec<Result<Vec<Array>, String>> {
    let mut at = 0;
    jobs.iter()
        .map(|job| {
            let status = bytes[at];
            at += 1;
            let outputs = graphs[job.case_idx].returned().map(|tensor| {
                let own = &bytes[at..at + tensor.size_bytes()];
                at += tensor.size_bytes();
                Array::from_bytes(tensor, own)
            });
            let outputs: Vec<_> = outputs.collect();
            match status {
                0 => outputs
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .map_err(|error| format!("no values: {error}")),
                3 => Err("wrote its input".to_owned()),
                4 => Err("wrote outside its scratch memory".to_owned()),
                5 => Err("wrote outside an output".to_owned()),
                signal => Err(format!("ended with status {signal}")),
            }
        })
        .collect()
}
