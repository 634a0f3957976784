// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program's kernels on the CUDA emulator, and the products that the emulated library computes in
// place of some of them: as CudaKernels, on the host's memory, with every access held against its
// operand's bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/api/launcher.h"
#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/device/cuda/library_products.h"
#include "runtime/program/program.h"

#ifdef ASHLAR_WITH_EMULATOR
#include "runtime/device/emulator/launch.h"
#endif

namespace ashlar {

// Used by one thread at a time. Launches run to their end; `what` names kernel and layer.
class EmulatedKernels {
 public:
  // FailedPrecondition where the program has no image for the emulator, or one for another version
  // of it, or where this build has no emulator. Program and pool outlive the kernels.
  static absl::StatusOr<std::unique_ptr<EmulatedKernels>> Create(const Program& program,
                                                                 Executor& pool);

#ifdef ASHLAR_WITH_EMULATOR
  // All as in CudaKernels.
  absl::Status FindProducts(cuda::LibraryProducts::Which which);
  const fb::DeviceImageT& image() const { return *program_.metadata().device_images[index_]; }
  int index() const { return index_; }
  absl::Status Launch(const PreparedLaunch& prepared, const std::string& what);
  bool HasProduct(const fb::LaunchT& launch) const { return products_ && products_->Makes(launch); }
  absl::Status RunProduct(const PreparedLaunch& prepared, const std::string& what);
  const std::string& library() const { return library_; }
  // Whether there is a library, and its name and version.
  bool has_library() const { return products_ != nullptr; }
  std::string library_name() const { return "emulated " + products_->library_name(); }

 private:
  EmulatedKernels(const Program& program, int index, std::shared_ptr<const ExecutableImage> code,
                  Executor& pool)
      : program_(program), index_(index), code_(std::move(code)), emulator_(pool) {}

  const Program& program_;
  int index_;
  std::shared_ptr<const ExecutableImage> code_;
  emulator::Emulator emulator_;
  std::unique_ptr<cuda::LibraryProducts> products_;
  std::vector<char> workspace_;
  std::string library_;
#endif
};

}  // namespace ashlar
