#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the peers' private Python environment, once for each requirements.txt:

    tools/bench/environment.py .cache/bench-venv

Packages are wheels, but for llama-cpp-python, which is compiled for this machine (some minutes). A peer that cannot be
installed does not stop the others: it is noted, and the bench shows the reason in its place.
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).parent
LLAMA_CPP = "llama-cpp-python==0.3.36"
# llama.cpp's build options by the kernel's names of CPU features, for where its own detection builds what crashes.
FEATURES = {"sse4_2": "GGML_SSE42", "avx": "GGML_AVX", "avx2": "GGML_AVX2", "bmi2": "GGML_BMI2", "fma": "GGML_FMA",
            "f16c": "GGML_F16C", "avx_vnni": "GGML_AVX_VNNI", "avx512f": "GGML_AVX512",
            "avx512_vbmi": "GGML_AVX512_VBMI", "avx512_vnni": "GGML_AVX512_VNNI", "avx512_bf16": "GGML_AVX512_BF16",
            "amx_tile": "GGML_AMX_TILE", "amx_int8": "GGML_AMX_INT8", "amx_bf16": "GGML_AMX_BF16"}


def cpu_flags():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


def pip(python, *arguments, **more):
    """Runs this Python's pip for the environment, which needs none of its own."""
    return subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check",
                           *arguments], **more)


def install(python, requirements):
    """Installs everything at once, or one by one where that fails; returns {package: reason} of what is missing."""
    if pip(python, "install", "--quiet", *requirements).returncode == 0:
        return {}
    missing = {}
    for requirement in requirements:
        done = pip(python, "install", "--quiet", requirement, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            missing[requirement.split("==")[0]] = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return missing


def build_llama_cpp(python, options):
    """Returns None, or why it was not built."""
    flags = ["-DLLAVA_BUILD=OFF", *options]
    done = pip(python, "install", "--no-binary", "llama-cpp-python", "--no-cache-dir", "--force-reinstall", "--no-deps",
               LLAMA_CPP, env=os.environ | {"CMAKE_ARGS": " ".join(flags)}, stdout=subprocess.PIPE,
               stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return None
    lines = done.stdout.splitlines()
    return next((line.strip() for line in lines if "error:" in line.lower()), lines[-1] if lines else "no message")


def try_llama_cpp(python):
    """Runs a tiny random model in a process of its own; returns (exit code, the last line that it says)."""
    done = subprocess.run([str(python), str(HERE / "try_llama_cpp.py")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    return done.returncode, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def install_llama_cpp(python):
    """Builds with llama.cpp's own choice of instructions, or, where that crashes, with those that the kernel names.

    Returns None, or why there is none.
    """
    present = cpu_flags()
    by_name = ["-DGGML_NATIVE=OFF", *[f"-D{option}={'ON' if flag in present else 'OFF'}"
                                      for flag, option in FEATURES.items()]]
    for options in ([], by_name):
        if reason := build_llama_cpp(python, options):
            return reason
        code, said = try_llama_cpp(python)
        if code == 0:
            return None
        if code > 0:
            return said
        print(f"llama.cpp crashes (signal {-code})" + (", again with its native flag off" if not options else ""),
              file=sys.stderr)
    return f"crashes (signal {-code})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--without-llama-cpp", action="store_true", help="leave out what is compiled")
    args = parser.parse_args()
    text = (HERE / "requirements.txt").read_text()
    wanted = hashlib.sha256((text + LLAMA_CPP).encode()).hexdigest()
    state_file, python = args.folder / "state.json", args.folder / "bin" / "python"
    state = json.loads(state_file.read_text()) if state_file.exists() else {}
    if state.get("requirements") == wanted and (state.get("llama_cpp") or args.without_llama_cpp):
        return 0
    requirements = [line for line in text.splitlines() if line and not line.startswith("#")]
    if state.get("requirements") != wanted:
        print(f"Making {args.folder} (several GB, once) ...", file=sys.stderr)
        venv.create(args.folder, with_pip=False, clear=False)
        state = {"requirements": wanted, "missing": install(python, requirements)}
        state_file.write_text(json.dumps(state, indent=1))
    if not args.without_llama_cpp:
        print("Building llama.cpp for this machine (some minutes, once) ...", file=sys.stderr)
        reason = install_llama_cpp(python)
        state |= {"llama_cpp": "not built" if reason else "built"}
        state["missing"] = {k: v for k, v in state["missing"].items() if k != "llama-cpp-python"}
        if reason:
            state["missing"]["llama-cpp-python"] = reason
        state_file.write_text(json.dumps(state, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
