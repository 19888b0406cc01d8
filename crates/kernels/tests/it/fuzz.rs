//! Graphs that nobody meant: an error each time, never a panic.

use std::collections::BTreeMap;

use kernels::Graph;
use kernels::graph::{Argument, Dtype, Node, Tensor};
use kernels::oracle::{self, Array};
use proptest::prelude::*;

const OPS: &str = "relu gelu clamp elu softplus _to_copy bitwise_not add div where masked_fill fmod \
    addcmul view flatten unsqueeze squeeze permute transpose expand repeat slice narrow select flip \
    unfold diagonal as_strided split_with_sizes split chunk unbind cat stack roll constant_pad_nd \
    reflection_pad2d replication_pad1d mm bmm addmm linear matmul convolution conv2d sum mean amax \
    max argmin var any logsumexp linalg_vector_norm native_layer_norm native_group_norm \
    _native_batch_norm_legit_no_training _native_batch_norm_legit cumsum _softmax max_pool2d_with_indices \
    avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d index index_select embedding gather \
    slice_scatter select_scatter full arange eye linspace tril";

const NAMES: &str = "self other input weight bias mat1 mat2 batch1 batch2 tensors indices index src \
    dim dims size start end step length kernel_size stride padding dilation transposed \
    output_padding groups output_size ceil_mode normalized_shape eps N C HxW group running_mean \
    running_var training momentum repeats shifts split_sizes split_size chunks dimension \
    storage_offset pad value min max fill_value steps n m diagonal keepdim correction ord \
    condition mask tensor1 tensor2 dim0 dim1 start_dim end_dim divisor_override";

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..4, 0..5)
}

fn integers() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -3i64..5, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => Just(1i64 << 40)]
}

fn arguments() -> impl Strategy<Value = Argument> {
    prop_oneof![
        4 => (0usize..3).prop_map(|idx| Argument::Tensor(format!("x{idx}"))),
        4 => integers().prop_map(Argument::Int),
        5 => prop::collection::vec(integers(), 0..4).prop_map(Argument::Ints),
        1 => any::<bool>().prop_map(Argument::Bool),
        1 => any::<f64>().prop_map(Argument::Float),
        1 => Just(Argument::None),
        1 => Just(Argument::Tensors(vec!["x0".to_owned(), "x1".to_owned()])),
        1 => Just(Argument::OptionalTensors(vec![None, Some("x2".to_owned())])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn no_graph_brings_the_interpreter_down(
        op in prop::sample::select(OPS.split_whitespace().collect::<Vec<_>>()),
        overload in prop::sample::select(vec!["default", "Tensor", "dim"]),
        given in prop::collection::vec((shapes(), any::<bool>()), 3),
        declared in prop::collection::vec(shapes(), 1..3),
        tensors in prop::collection::vec(0usize..3, 11),
        others in prop::collection::btree_map(
            prop::sample::select(NAMES.split_whitespace().collect::<Vec<_>>()), arguments(), 0..12),
    ) {
        let tensor = |name: String, dtype, shape: &Vec<usize>| {
            Tensor { name, dtype, shape: shape.clone() }
        };
        let inputs: Vec<Tensor> = given.iter().enumerate().map(|(idx, (shape, integer))| {
            let dtype = if *integer { Dtype::I64 } else { Dtype::F32 };
            tensor(format!("x{idx}"), dtype, shape)
        }).collect();
        let arrays: Vec<Array> = inputs.iter().map(|tensor| Array {
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            values: (0..tensor.n_elements()).map(|idx| (idx % 5) as f64 - 1.0).collect(),
        }).collect();
        // What is a tensor in most schemas, so that the first check does not end every case.
        let usual = ["self", "other", "input", "weight", "mat1", "mat2", "batch1", "batch2",
            "index", "src", "condition"];
        let mut arguments: BTreeMap<String, Argument> = usual.iter().zip(tensors)
            .map(|(name, idx)| ((*name).to_owned(), Argument::Tensor(format!("x{idx}")))).collect();
        arguments.extend(others.into_iter().map(|(name, argument)| (name.to_owned(), argument)));
        let outputs: Vec<Tensor> = declared.iter().enumerate()
            .map(|(idx, shape)| tensor(format!("y{idx}"), Dtype::F32, shape)).collect();
        let names = vec!["y0".to_owned()];
        let node = Node { op: format!("aten.{op}.{overload}"), arguments, outputs };
        let graph = Graph { inputs, parameters: Vec::new(), nodes: vec![node], outputs: names };
        if let Ok(computed) = oracle::run(&graph, &arrays) {
            prop_assert_eq!(&computed[0].shape, &declared[0]);
        }
    }
}
