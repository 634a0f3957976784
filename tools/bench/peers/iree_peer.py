# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""IREE: the cell's ONNX file imported, compiled for this CPU, run by the runtime's task system."""
import pathlib
import subprocess
import sys

import numpy as np

from peers.onnx_file import onnx_step

COMPILE = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
           "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3",
           # BERT-base's tiles take more than the 32 KiB that are allowed by default.
           "--iree-llvmcpu-stack-allocation-limit=262144"]


def tool(name, *arguments):
    path = pathlib.Path(sys.executable).parent / name
    done = subprocess.run([str(path), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
        errors = [line for line in done.stdout.splitlines() if "error" in line.lower()] or done.stdout.splitlines()
        raise RuntimeError(f"{name}: {errors[0][:300] if errors else 'no message'}")


def compiled(path):
    """Returns (the module's file, the parameters' file), made unless they are there."""
    module, parameters = path.with_suffix(".vmfb"), path.with_suffix(".irpa")
    if not module.exists():
        text = path.with_suffix(".mlir")
        tool("iree-import-onnx", path, "-o", text, "--data-prop", "--externalize-params",
             "--save-params-to", parameters)
        partial = module.with_suffix(".partial")
        tool("iree-compile", text, "-o", partial, *COMPILE)
        partial.rename(module)
    return module, parameters


class Peer:
    def __init__(self, cell):
        import iree.runtime as runtime
        runtime.flags.parse_flags(f"--task_topology_max_group_count={cell['threads']}")
        path, arrays = onnx_step(cell)
        module, parameters = compiled(pathlib.Path(path))
        config = runtime.Config("local-task")
        index = runtime.ParameterIndex()
        index.load(str(parameters))
        context = runtime.SystemContext(
            config=config,
            vm_modules=[runtime.create_io_parameters_module(config.vm_instance, index.create_provider(scope="model")),
                        runtime.create_hal_module(config.vm_instance, config.device),
                        runtime.VmModule.mmap(config.vm_instance, str(module))])
        functions = [bound for bound in context.modules.values() if hasattr(bound, "vm_module")][-1]
        name = next(name for name in functions.vm_module.function_names if "$" not in name and name != "__init")
        self.function = functions[name]
        self.arguments = [runtime.asdevicearray(config.device, array) for array in arrays.values()]
        import importlib.metadata
        self.version = f"iree {importlib.metadata.version('iree-base-runtime')}"

    def run(self):
        results = self.function(*self.arguments)
        return results if isinstance(results, (tuple, list)) else (results,)

    def output(self, result):
        return np.asarray(result[0].to_host())
