# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime with all graph optimisations, inputs and outputs bound so that nothing is copied.

The variant int8 quantises the products' weights, and their inputs on the fly, with its own tool.
"""
import pathlib

import onnxruntime

from peers.onnx_file import onnx_step


def quantised(path):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    target = path.with_name("step-int8.onnx")
    if not target.exists():
        quantize_dynamic(str(path), str(target), weight_type=QuantType.QInt8, per_channel=True,
                         extra_options=dict(MatMulConstBOnly=True))
    return target


class Peer:
    def __init__(self, cell, variant=""):
        path, arrays = onnx_step(cell)
        if variant == "int8":
            path = quantised(pathlib.Path(path))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = cell["threads"]
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        for wanted in self.session.get_inputs():
            self.binding.bind_ortvalue_input(wanted.name, self.values[wanted.name])
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name, "cpu")
        self.version = f"onnxruntime {onnxruntime.__version__}"

    def run(self):
        self.session.run_with_iobinding(self.binding)
        return self.binding

    def output(self, result):
        return result.get_outputs()[0].numpy()
