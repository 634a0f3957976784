// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program's kernels on a GPU, and the products that cuBLASLt computes in place of some of them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/api/launcher.h"
#include "runtime/device/cuda/device.h"
#include "runtime/device/cuda/library_products.h"
#include "runtime/program/program.h"

namespace ashlar {

// Used by one thread at a time, with the device's context current. What is launched goes into the
// device's stream, which may be in capture; `what` names kernel and layer.
class CudaKernels {
 public:
  // Loads the cubins that this device runs. FailedPrecondition where the program has none for it.
  // Program and device outlive the kernels.
  static absl::StatusOr<std::unique_ptr<CudaKernels>> Create(const Program& program,
                                                             cuda::Device& device);

  // Finds the library, where the program has a product for it, and takes its workspace. Nothing
  // happens where there is no library; errors as of CublasLt::Find and LibraryProducts::Create.
  absl::Status FindProducts(cuda::LibraryProducts::Which which);

  // The image that the device runs, and its number among the program's.
  const fb::DeviceImageT& image() const { return *program_.metadata().device_images[index_]; }
  int index() const { return index_; }

  // Launches the program's own kernel.
  absl::Status Launch(const PreparedLaunch& prepared, std::string_view what);

  // Whether the library computes this launch, and does it.
  bool HasProduct(const fb::LaunchT& launch) const { return products_ && products_->Makes(launch); }
  absl::Status RunProduct(const PreparedLaunch& prepared, std::string_view what);

  // As Launcher::library.
  const std::string& library() const { return library_; }
  // Whether there is a library, and its name and version.
  bool has_library() const { return products_ != nullptr; }
  std::string library_name() const { return products_->library_name(); }

 private:
  CudaKernels(const Program& program, cuda::Device& device, int index)
      : program_(program), device_(device), index_(index) {}
  absl::Status EncodeMaps(const fb::DeviceKernelT& code, const PreparedLaunch& prepared, char* to,
                          std::string_view what);

  const Program& program_;
  cuda::Device& device_;
  int index_;
  std::unique_ptr<cuda::LibraryProducts> products_;
  void* workspace_ = nullptr;
  std::string library_;
};

}  // namespace ashlar
