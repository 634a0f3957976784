// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plain products on a device one by one, by the program's kernel and by cuBLASLt, to be timed. No
// weights are bound and no steps run: a product gets operands of its own, filled with numbers of
// both signs between 1/2 and 2, so a program for many ranks is measured on one device. What a
// weight is read from changes from launch to launch, so that it comes from memory, as in a model
// whose weights together are more than the device's cache; what else it reads stays where it is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/program/plain_products.h"
#include "runtime/program/program.h"

namespace ashlar {

// Used by one thread.
class ProductBench {
 public:
  // `device`: "cuda", the driver's GPU of this number, or "cuda-emulator", whose threads are the
  // pool's. Loads the kernels and asks the library for its algorithms. Program and pool outlive the
  // bench. Errors: NotFound where there is no device or no library, FailedPrecondition where there
  // is no code for the device, InvalidArgument for another device; each says what would work.
  static absl::StatusOr<std::unique_ptr<ProductBench>> Open(const Program& program,
                                                            const std::string& device,
                                                            Executor& pool, int gpu = 0);
  virtual ~ProductBench() = default;

  // The number, among the program's, of the image that the device runs.
  virtual int image() const = 0;
  // "NVIDIA H100 80GB HBM3, sm_90" and "cuBLASLt 13.0.2", for a Measurement.
  virtual std::string device() const = 0;
  virtual std::string library() const = 0;

  // Takes the memory for the largest of these products, of this program with that image.
  virtual absl::Status Reserve(const std::vector<ProductUse>& uses) = 0;
  // Makes one of them the product that is timed, and runs it once both ways.
  virtual absl::Status Prepare(const ProductUse& use) = 0;
  // Whether the library has an algorithm for it.
  virtual bool HasAlgorithm() const = 0;
  // Milliseconds of one launch: on a GPU by its clock, the mean of several in a row; on the
  // emulator those of one by the host's.
  virtual absl::StatusOr<double> Time(bool by_library) = 0;
};

}  // namespace ashlar
