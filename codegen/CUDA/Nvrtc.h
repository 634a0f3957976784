// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles kernel text to a cubin with NVRTC, which is found with dlopen: no GPU, no driver and no
// CUDA header is needed.

#ifndef ASHLAR_CODEGEN_CUDA_NVRTC_H
#define ASHLAR_CODEGEN_CUDA_NVRTC_H

#include "absl/status/statusor.h"

#include <memory>
#include <string>
#include <string_view>

namespace ashlar {

class Nvrtc {
public:
  /// Opens the library that the environment variable ASHLAR_NVRTC names, or else libnvrtc where the
  /// system finds it or under /usr/local/cuda. NotFound says what to install.
  static absl::StatusOr<std::unique_ptr<Nvrtc>> open();
  ~Nvrtc();
  Nvrtc(const Nvrtc &) = delete;
  Nvrtc &operator=(const Nvrtc &) = delete;

  struct Result {
    std::string cubin;
    std::string log; // with ptxas' registers, shared memory and spills of each kernel
  };

  /// `arch`: "sm_80", "sm_90a". InvalidArgument with the compiler's messages where the text is
  /// wrong.
  absl::StatusOr<Result> compile(std::string_view kernelText, std::string_view arch) const;

  /// "12.9".
  std::string version() const;

private:
  struct Functions;
  Nvrtc();
  void *library_ = nullptr;
  std::unique_ptr<Functions> functions_;
};

} // namespace ashlar

#endif
