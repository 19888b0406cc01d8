//! PyTorch as a baseline. `TETRAD_PYTHON` names an interpreter with torch.

use std::path::PathBuf;
use std::sync::Arc;

use kernels::import;
use kernels::judge::{Judge, Known, Peer};
use kernels::{Candidate, Language};

use crate::common::options;

const MODULE: &str = "import torch\n\
    class Model(torch.nn.Module):\n\
    \x20   def __init__(self, width):\n\
    \x20       super().__init__()\n\
    \x20       self.weight = torch.nn.Parameter(torch.randn(width))\n\
    \x20   def forward(self, x):\n\
    \x20       return torch.relu(x * self.weight)\n\
    rows = 1024\nwidth = 2048\n\
    def get_inputs():\n    return [torch.randn(rows, width)]\n\
    def get_init_inputs():\n    return [width]\n";

const KERNEL: &str = "#include <stdint.h>\n\
    const int64_t tetrad_scratch_bytes = 0;\n\
    void tetrad_kernel(const void *const *in, void *const *out, void *scratch) {\n\
    const float *x = in[0], *w = in[1]; float *y = out[0];\n\
    #pragma omp parallel for\n\
    for (int r = 0; r < 1024; r++) for (int c = 0; c < 2048; c++) {\n\
    float v = x[r * 2048 + c] * w[c]; y[r * 2048 + c] = v > 0 ? v : 0; } }\n";

#[test]
#[ignore = "needs: torch"]
fn needs_torch_a_kernel_is_timed_beside_eager_and_compiled_torch() {
    let python = PathBuf::from(std::env::var("TETRAD_PYTHON").expect("TETRAD_PYTHON is set"));
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("module.py");
    std::fs::write(&module, MODULE).expect("written");
    let task = import::from_python(&python, &module, &import::Options::default());
    let task = Arc::new(task.unwrap_or_else(|error| panic!("{error}")));
    let known = Known::task(Arc::clone(&task), 5).expect("a fair task");
    let candidate =
        Candidate { language: Language::C, source: KERNEL.to_owned(), flags: Vec::new() };
    let mut judge = Judge::open(Box::new(known), &candidate, options()).expect("opens");
    println!("{:?} {:?}", judge.round_trip(), judge.floor());
    for compiled in [false, true] {
        let peer = Peer::torch(&python, Some(&module), compiled, &task, 2);
        let timing =
            judge.time_against(&candidate, &peer).unwrap_or_else(|error| panic!("{error}"));
        let timing = timing.expect("the kernel is right");
        assert_eq!(timing.baseline, peer.name);
        println!(
            "{}: {:.2} ms beside {:.2} ms, ratio {:.2} {:?} {:?}",
            timing.baseline,
            timing.baseline_nanos / 1e6,
            timing.candidate_nanos / 1e6,
            timing.ratio,
            timing.interval,
            timing.warnings
        );
    }
}
