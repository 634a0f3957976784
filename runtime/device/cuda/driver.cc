// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/driver.h"

#include <dlfcn.h>

#include <cstdlib>

#include "runtime/base/status.h"

namespace ashlar::cuda {

Driver::~Driver() {
  if (library_) dlclose(library_);
}

absl::StatusOr<std::shared_ptr<const Driver>> Driver::Open() {
  const char* named = std::getenv("ASHLAR_CUDA_DRIVER");
  std::string path = named ? named : "libcuda.so.1";
  std::shared_ptr<Driver> driver(new Driver());
  driver->library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!driver->library_)
    return NotFound("no CUDA driver (", path,
                    "): install NVIDIA's driver, 525 or later, or run the program with --device "
                    "cuda-emulator");
  const char* missing = nullptr;
#define ASHLAR_CUDA_LOAD(name, ...)                                                        \
  driver->name = reinterpret_cast<decltype(driver->name)>(dlsym(driver->library_, #name)); \
  if (!driver->name) missing = #name;
  ASHLAR_CUDA_DRIVER_FUNCTIONS(ASHLAR_CUDA_LOAD)
#undef ASHLAR_CUDA_LOAD
  if (missing)
    return FailedPrecondition(path, " has no function ", missing,
                              ": NVIDIA's driver 525 or later is needed");
  ASHLAR_RETURN_IF_ERROR(driver->ToStatus(driver->cuInit(0), "cuInit"));
  return driver;
}

absl::Status Driver::ToStatus(int error, std::string_view what) const {
  constexpr int kOutOfMemory = 2;
  if (error == 0) return absl::OkStatus();
  const char *name = nullptr, *text = nullptr;
  cuGetErrorName(error, &name);
  cuGetErrorString(error, &text);
  std::string message = StrCat(what, ": ", name ? name : "error", " (", error, ")",
                               text ? ": " : "", text ? text : "");
  return error == kOutOfMemory ? absl::ResourceExhaustedError(message)
                               : absl::InternalError(message);
}

}  // namespace ashlar::cuda
