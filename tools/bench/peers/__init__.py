# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Those that Ashlar is measured against: one module each, with one class that peers/server.py keeps in a process.

A peer's class is made from a cell's description and has
    version          the text that the report shows
    run()            one step, with everything in it that a user of the peer would have to do for it; returns its result
    output(result)   that result as a NumPy array of floats: the last hidden state, or the last token's logits
    restore()        brings the state back to what each step begins with; not timed (optional)
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    title: str
    module: str
    variant: str = ""  # which of the module's ways
    packages: tuple = ()  # what it cannot do without
    lacks: dict = dataclasses.field(default_factory=dict)  # kinds and types of cells without it, with the reason
    tolerance: dict = dataclasses.field(default_factory=dict)  # by the cell's type, in place of the general one
    # The arithmetic is another than the cell's, so that it is shown and is no rival.
    other_arithmetic: bool = False
    optional: bool = False  # only when it is named


ONNX = ("onnx", "onnxscript")
PEERS = [
    Peer("torch", "PyTorch eager", "torch_peer"),
    Peer("torch-compile", "torch.compile", "torch_peer", variant="compile"),
    Peer("onnxruntime", "ONNX Runtime", "onnxruntime_peer", packages=(*ONNX, "onnxruntime"),
         lacks={"bf16": "has no products in bf16 on CPUs"}),
    Peer("openvino", "OpenVINO", "openvino_peer", packages=(*ONNX, "openvino")),
    Peer("iree", "IREE", "iree_peer", packages=(*ONNX, "iree-base-compiler", "iree-base-runtime"),
         lacks={"bf16": "tried in f32 alone"}),
    # Its cache of keys and values is f16.
    Peer("llama.cpp", "llama.cpp", "llama_cpp_peer", packages=("gguf", "llama-cpp-python"), tolerance={"f32": 1e-2},
         lacks={"encode": "tried with decoders alone"}),
    Peer("openvino-bf16", "OpenVINO bf16", "openvino_peer", variant="bf16", packages=(*ONNX, "openvino"),
         tolerance={"f32": 4e-2}, other_arithmetic=True, optional=True,
         lacks={"bf16": "see OpenVINO", "prefill": "tried with encoders alone", "decode": "tried with encoders alone"}),
    # Eight bits of weights and inputs: another model nearly, so the bound only tells it from noise.
    Peer("onnxruntime-int8", "ONNX Runtime int8", "onnxruntime_peer", variant="int8", packages=(*ONNX, "onnxruntime"),
         tolerance={"f32": 0.3}, other_arithmetic=True, optional=True,
         lacks={"bf16": "tried in f32 cells alone", "prefill": "tried with encoders alone",
                "decode": "tried with encoders alone"}),
]


def why_not(peer, cell):
    """Returns why the peer has no part in the cell; None when it has."""
    return peer.lacks.get(cell.kind) or peer.lacks.get(cell.dtype)


def choose_peers(names):
    """Returns the peers that are named, else all that are not optional; raises ValueError for an unknown one."""
    known = {peer.name: peer for peer in PEERS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no peer '{name}'; there are: {', '.join(known)}")
    return [known[name] for name in names] if names else [peer for peer in PEERS if not peer.optional]
