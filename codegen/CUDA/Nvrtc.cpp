// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/Nvrtc.h"

#include "codegen/CUDA/KernelSources.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

namespace ashlar {

// As nvrtc.h declares them; every function returns 0 on success.
struct Nvrtc::Functions {
  using Program = struct OpaqueProgram *;
  int (*version)(int *major, int *minor);
  const char *(*getErrorString)(int);
  int (*createProgram)(Program *, const char *text, const char *name, int headers,
                       const char *const *headerTexts, const char *const *headerNames);
  int (*destroyProgram)(Program *);
  int (*compileProgram)(Program, int options, const char *const *);
  int (*getLogSize)(Program, size_t *);
  int (*getLog)(Program, char *);
  int (*getCubinSize)(Program, size_t *);
  int (*getCubin)(Program, char *);
};

Nvrtc::Nvrtc() : functions_(std::make_unique<Functions>()) {}

Nvrtc::~Nvrtc() {
  if (library_)
    dlclose(library_);
}

absl::StatusOr<std::unique_ptr<Nvrtc>> Nvrtc::open() {
  std::vector<std::string> names = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                                    "/usr/local/cuda/lib64/libnvrtc.so"};
  if (const char *named = std::getenv("ASHLAR_NVRTC"))
    names = {named};
  std::unique_ptr<Nvrtc> nvrtc(new Nvrtc());
  for (const std::string &name : names)
    // It keeps memory to the end of the process, and is to be found then by who looks for leaks.
    if ((nvrtc->library_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)))
      break;
  if (!nvrtc->library_)
    return NotFound("no NVRTC (tried ", StrJoin(names, ", "),
                    "): install the CUDA toolkit, or set ASHLAR_NVRTC to the path of libnvrtc.so");
  Functions &functions = *nvrtc->functions_;
  const char *missing = nullptr;
  auto load = [&](const char *name, auto &function) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(nvrtc->library_, name));
    if (!function)
      missing = name;
  };
  load("nvrtcVersion", functions.version);
  load("nvrtcGetErrorString", functions.getErrorString);
  load("nvrtcCreateProgram", functions.createProgram);
  load("nvrtcDestroyProgram", functions.destroyProgram);
  load("nvrtcCompileProgram", functions.compileProgram);
  load("nvrtcGetProgramLogSize", functions.getLogSize);
  load("nvrtcGetProgramLog", functions.getLog);
  load("nvrtcGetCUBINSize", functions.getCubinSize);
  load("nvrtcGetCUBIN", functions.getCubin);
  if (missing)
    return NotFound("NVRTC has no function ", missing, ": version 11.2 or later is needed");
  return nvrtc;
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  functions_->version(&major, &minor);
  return StrCat(major, ".", minor);
}

absl::StatusOr<Nvrtc::Result> Nvrtc::compile(std::string_view kernelText,
                                             std::string_view arch) const {
  std::vector<const char *> names, texts;
  for (const KernelSource &source : getKernelSources()) {
    names.push_back(source.name.c_str());
    texts.push_back(source.text.c_str());
  }
  std::string text(kernelText), option = StrCat("--gpu-architecture=", arch);
  Functions::Program program;
  if (int error =
          functions_->createProgram(&program, text.c_str(), "kernel.cu",
                                    static_cast<int>(names.size()), texts.data(), names.data()))
    return FailedPrecondition("nvrtcCreateProgram: ", functions_->getErrorString(error));
  std::vector<const char *> options = {option.c_str(), "--std=c++17", "--ptxas-options=-v",
                                       "--fmad=true", "--device-as-default-execution-space"};
  int error = functions_->compileProgram(program, static_cast<int>(options.size()), options.data());
  Result result;
  size_t size = 0;
  if (functions_->getLogSize(program, &size) == 0 && size > 1) {
    result.log.resize(size);
    functions_->getLog(program, result.log.data());
    result.log.resize(size - 1);
  }
  if (error == 0)
    error = functions_->getCubinSize(program, &size);
  if (error == 0) {
    result.cubin.resize(size);
    error = functions_->getCubin(program, result.cubin.data());
  }
  std::string message = error ? functions_->getErrorString(error) : "";
  functions_->destroyProgram(&program);
  if (error)
    return WithCode(ErrorCode::kNoCode, InvalidArgument("kernel text does not compile for ", arch,
                                                        ": ", message, "\n", result.log));
  return result;
}

} // namespace ashlar
