//! A stub with which PyTorch calls the kernel.

use std::fmt::Write as _;

use crate::Candidate;
use crate::graph::{Dtype, Tensor};
use crate::task::Task;

/// `binding.cpp`.
pub(super) fn binding(task: &Task) -> String {
    let (given, returned): (Vec<&Tensor>, Vec<&Tensor>) =
        (task.graph.given().collect(), task.graph.returned().collect());
    let mut text = String::from(
        "// Lets PyTorch call kernel.c; load.py compiles both.\n\n\
         #include <torch/extension.h>\n#include <cstdint>\n#include <vector>\n\n\
         extern \"C\" void tetrad_kernel(const void *const *in, void *const *out, void *scratch);\n\
         extern \"C\" const int64_t tetrad_scratch_bytes;\n\n\
         static at::Tensor ready(const at::Tensor &given, at::ScalarType type, at::IntArrayRef shape) {\n    \
         TORCH_CHECK(given.device().is_cpu(), \"expected a tensor in main memory\");\n    \
         TORCH_CHECK(given.scalar_type() == type, \"expected \", type, \", got \", given.scalar_type());\n    \
         TORCH_CHECK(given.sizes() == shape, \"expected shape \", shape, \", got \", given.sizes());\n    \
         at::Tensor dense = given.contiguous();\n    \
         // A view may begin anywhere.\n    \
         bool aligned = reinterpret_cast<uintptr_t>(dense.data_ptr()) % 64 == 0;\n    \
         return aligned ? dense : dense.clone();\n}\n\n\
         // Inputs, then parameters, in the order of kernel.c.\n\
         std::vector<at::Tensor> forward(const std::vector<at::Tensor> &given) {\n    \
         at::NoGradGuard no_grad;\n",
    );
    let _ = writeln!(
        text,
        "    TORCH_CHECK(given.size() == {n}, \"expected {n} tensors, got \", given.size());\n    \
         std::vector<at::Tensor> in = {{",
        n = given.len()
    );
    for (idx, tensor) in given.iter().enumerate() {
        let _ = writeln!(
            text,
            "        ready(given[{idx}], {}, {}),",
            scalar(tensor.dtype),
            list(tensor)
        );
    }
    text.push_str("    };\n    std::vector<at::Tensor> out = {\n");
    for tensor in &returned {
        let _ = writeln!(text, "        at::empty({}, {}),", list(tensor), scalar(tensor.dtype));
    }
    text.push_str(
        "    };\n    at::Tensor scratch = at::empty({tetrad_scratch_bytes + 64}, at::kByte);\n    \
         std::vector<const void *> from;\n    std::vector<void *> to;\n    \
         for (auto &tensor : in) from.push_back(tensor.data_ptr());\n    \
         for (auto &tensor : out) to.push_back(tensor.data_ptr());\n    \
         auto at = (reinterpret_cast<uintptr_t>(scratch.data_ptr()) + 63) / 64 * 64;\n    \
         tetrad_kernel(from.data(), to.data(), reinterpret_cast<void *>(at));\n    \
         return out;\n}\n\n\
         PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {\n    \
         module.def(\"forward\", &forward, \"inputs, then parameters\");\n}\n",
    );
    text
}

/// `load.py`.
pub(super) fn loader(task: &Task, candidate: &Candidate) -> String {
    let name: String = task
        .name
        .chars()
        .map(|each| if each.is_ascii_alphanumeric() { each } else { '_' })
        .collect();
    let flags: Vec<String> = candidate.flags.iter().map(|flag| format!("{flag:?}")).collect();
    let given: Vec<String> = task.graph.given().map(|tensor| tensor.name.clone()).collect();
    let openmp = candidate.flags.iter().any(|flag| flag.contains("openmp"));
    let link = if openmp { ", \"-fopenmp\"" } else { "" };
    let options: String = flags.iter().map(|flag| format!("{flag}, ")).collect();
    format!(
        "\"\"\"The exported kernel as a PyTorch function: forward([{given}]) -> list of outputs.\n\n\
         Made for inference: nothing is recorded for gradients.\n\"\"\"\n\n\
         import os\nimport subprocess\nfrom pathlib import Path\n\n\
         from torch.utils.cpp_extension import load\n\n\
         _folder = Path(__file__).resolve().parent\n\
         _object = str(_folder / \"kernel.o\")\n\
         # PyTorch would compile a C file as C++.\n\
         subprocess.run(\n    [os.environ.get(\"CC\", \"cc\"), \"-O2\", \"-fPIC\", {options}\"-c\", \
         str(_folder / \"kernel.c\"), \"-o\", _object],\n    check=True,\n)\n\
         forward = load(\n    name=\"tetrad_{name}\",\n    \
         sources=[str(_folder / \"binding.cpp\")],\n    \
         extra_ldflags=[_object{link}],\n).forward\n",
        given = given.join(", "),
    )
}

fn list(tensor: &Tensor) -> String {
    let extents: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
    format!("{{{}}}", extents.join(", "))
}

fn scalar(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "at::kFloat",
        Dtype::F64 => "at::kDouble",
        Dtype::I64 => "at::kLong",
        Dtype::I32 => "at::kInt",
        Dtype::I8 => "at::kChar",
        Dtype::U8 => "at::kByte",
        Dtype::Bool => "at::kBool",
    }
}
