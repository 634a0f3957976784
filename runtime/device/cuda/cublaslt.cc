// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/cublaslt.h"

#include <dlfcn.h>

#include <cstdlib>

#include "runtime/base/status.h"

namespace ashlar::cuda {
namespace {

constexpr const char* kVariable = "ASHLAR_CUBLASLT";
constexpr const char* kRemedy =
    "install the CUDA toolkit 12.0 or later (or its package libcublas), or set ASHLAR_CUBLASLT to "
    "an empty string: products are then made by the program's own kernels";

}  // namespace

CublasLt::~CublasLt() {
  if (library_) dlclose(library_);
}

absl::StatusOr<std::shared_ptr<const CublasLt>> CublasLt::Find() {
  const char* named = std::getenv(kVariable);
  std::shared_ptr<CublasLt> library(new CublasLt());
  if (named && !*named) return std::shared_ptr<const CublasLt>();
  if (named) {
    library->library_ = dlopen(named, RTLD_NOW | RTLD_LOCAL);
    if (!library->library_) return NotFound("no cuBLASLt (", kVariable, "=", named, "): ", kRemedy);
    ASHLAR_RETURN_IF_ERROR(library->Load(named));
    return library;
  }
  for (const char* path : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
    library->library_ = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->library_) continue;
    ASHLAR_RETURN_IF_ERROR(library->Load(path));
    return library;
  }
  return std::shared_ptr<const CublasLt>();
}

std::shared_ptr<const CublasLt> CublasLt::From(const CublasLtFunctions& functions) {
  const char* named = std::getenv(kVariable);
  if (named && !*named) return nullptr;
  std::shared_ptr<CublasLt> library(new CublasLt());
  static_cast<CublasLtFunctions&>(*library) = functions;
  return library;
}

absl::Status CublasLt::Load(const std::string& path) {
  constexpr size_t kLeastVersion = 120000;
  const char* missing = nullptr;
#define ASHLAR_CUBLASLT_LOAD(result, name, ...)                    \
  name = reinterpret_cast<decltype(name)>(dlsym(library_, #name)); \
  if (!name) missing = #name;
  ASHLAR_CUBLASLT_FUNCTIONS(ASHLAR_CUBLASLT_LOAD)
#undef ASHLAR_CUBLASLT_LOAD
  if (missing) return FailedPrecondition(path, " has no function ", missing, ": ", kRemedy);
  if (cublasLtGetVersion() < kLeastVersion)
    return FailedPrecondition(path, " is version ", cublasLtGetVersion(), ": ", kRemedy);
  return absl::OkStatus();
}

std::string CublasLt::name() const {
  const size_t version = cublasLtGetVersion();
  return StrCat("cuBLASLt ", version / 10000, ".", version / 100 % 100, ".", version % 100);
}

absl::Status CublasLt::ToStatus(int error, std::string_view what) const {
  constexpr int kAllocFailed = 3;
  if (error == 0) return absl::OkStatus();
  const char *name = cublasLtGetStatusName(error), *text = cublasLtGetStatusString(error);
  std::string message = StrCat(what, ": ", name ? name : "error", " (", error, ")",
                               text ? ": " : "", text ? text : "");
  return error == kAllocFailed ? absl::ResourceExhaustedError(message)
                               : absl::InternalError(message);
}

}  // namespace ashlar::cuda
