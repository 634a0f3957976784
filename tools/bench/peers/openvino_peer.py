# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""OpenVINO with the latency hint, from the cell's ONNX file with exact extents.

Arithmetic is f32 for cells in f32. For cells in bf16, weights are stored in bf16, and arithmetic is bf16 where the CPU
has it, else OpenVINO's own choice. The variant bf16 computes an f32 cell in bf16.
"""
import numpy as np
import openvino

from peers.onnx_file import onnx_step


def narrow_weights(model):
    """Stores large f32 constants as bf16, which the CPU plugin keeps so and widens where it computes wider."""
    from openvino import opset13 as ops
    for node in model.get_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        if int(np.prod(node.get_output_shape(0))) < 1 << 14:
            continue
        bits = node.get_data().view(np.uint32)
        bits = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        tensor = openvino.Tensor(bits.reshape(-1).view(np.uint8).copy(), node.get_output_shape(0), openvino.Type.bf16)
        wide = ops.convert(ops.constant(tensor), "f32")
        wide.get_rt_info()["decompression_0"] = True
        node.output(0).replace(wide.output(0))


class Peer:
    def __init__(self, cell, variant=""):
        path, arrays = onnx_step(cell)
        core = openvino.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        bf16 = "bf16" in (variant, cell["dtype"])
        if variant == "bf16" and "BF16" not in capabilities:
            raise RuntimeError("OpenVINO does not compute in bf16 on this CPU")
        model = core.read_model(path)
        if cell["dtype"] == "bf16":
            narrow_weights(model)
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
