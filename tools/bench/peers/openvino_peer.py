# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""OpenVINO with the latency hint, from the cell's ONNX file with exact extents.

Arithmetic is f32 for cells in f32, bf16 for cells in bf16 where the CPU has that. Where it has not, they are computed
in f32 from weights kept in f32: stored in 16 bits they are widened when the model is loaded, and nothing is gained.
The variant bf16 computes an f32 cell in bf16.
"""
import openvino

from peers.onnx_file import onnx_step


class Peer:
    def __init__(self, cell, variant=""):
        path, arrays = onnx_step(cell)
        core = openvino.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        bf16 = "bf16" in (variant, cell["dtype"])
        if variant == "bf16" and "BF16" not in capabilities:
            raise RuntimeError("OpenVINO does not compute in bf16 on this CPU")
        model = core.read_model(path)
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cell["threads"], "NUM_STREAMS": 1,
                 "INFERENCE_PRECISION_HINT": "bf16" if bf16 and "BF16" in capabilities else "f32"}
        compiled = core.compile_model(model, "CPU", hints)
        if compiled.get_property("INFERENCE_NUM_THREADS") != cell["threads"]:
            raise RuntimeError(f"OpenVINO uses {compiled.get_property('INFERENCE_NUM_THREADS')} threads in place of "
                               f"{cell['threads']}")
        self.request = compiled.create_infer_request()
        self.tensors = [openvino.Tensor(array, shared_memory=True) for array in arrays.values()]
        for name, tensor in zip(arrays, self.tensors):
            self.request.set_tensor(name, tensor)
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.version = f"openvino {openvino.__version__.split('-')[0]}, {precision}"

    def run(self):
        self.request.infer()
        return self.request

    def output(self, result):
        return result.get_output_tensor(0).data
