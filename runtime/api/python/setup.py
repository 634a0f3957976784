# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts libashlar_runtime.so into the package: that of $ASHLAR_LIBRARY, else one that is built here with CMake."""
import os
import pathlib
import shutil
import subprocess

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAME = "libashlar_runtime.so"


def build_library(directory: pathlib.Path) -> pathlib.Path:
    configure = ["cmake", "-S", ROOT, "-B", directory, "-DASHLAR_COMPILER=OFF", "-DASHLAR_TESTS=OFF"]
    subprocess.run([str(word) for word in configure], check=True)
    subprocess.run(["cmake", "--build", str(directory), "--target", "ashlar_runtime", "-j"], check=True)
    return directory / "lib" / NAME


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        given = os.environ.get("ASHLAR_LIBRARY")
        temporary = pathlib.Path(self.get_finalized_command("build").build_temp).resolve()
        library = pathlib.Path(given) if given else build_library(temporary / "ashlar_runtime")
        shutil.copy(library, pathlib.Path(self.build_lib, "ashlar", NAME))  # links are followed


class PlatformWheel(bdist_wheel):
    """Any Python 3, but this platform only."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return True


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel}, distclass=PlatformDistribution)
