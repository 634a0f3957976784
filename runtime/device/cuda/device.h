// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One GPU: its context, a stream, memory, and the modules of a program's kernels. Every error names
// the call and the device. An error of the device itself (an illegal address in a kernel) is
// sticky: everything after it fails with the same words.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device/cuda/driver.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar::cuda {

// Which of the images a device of this compute capability runs: "sm_90a" on 9.0 alone, "sm_86" on
// 8.6 and later 8.x; the most special one. FailedPrecondition says what would run.
absl::StatusOr<int> ChooseCubins(const std::vector<std::unique_ptr<fb::DeviceImageT>>& images,
                                 int major, int minor);

// What the copy engine needs to know of a matrix of 16-bit elements, and the driver's description
// of it (cuTensorMapEncodeTiled): 128-byte swizzle, zeros beyond its edges.
struct Matrix {
  DevicePointer data = 0;
  bool is_f16 = false;  // or bf16
  uint64_t rows = 0, columns = 0, row_bytes = 0;
  uint32_t box_rows = 0, box_columns = 0;
};
struct alignas(64) TensorMap {
  char opaque[128];
};

// Used by one thread at a time, which calls MakeCurrent first: contexts are current by thread.
class Device {
 public:
  static absl::StatusOr<std::unique_ptr<Device>> Open(int ordinal);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // "device 0 (NVIDIA H200, sm_90)".
  const std::string& name() const { return name_; }
  // "NVIDIA H200, sm_90".
  const std::string& model() const { return model_; }
  int major() const { return major_; }
  int minor() const { return minor_; }

  absl::Status MakeCurrent();

  // What everything of this class is put into; a library puts its work there, too.
  CUstream_st* stream() const { return stream_; }

  // Freed with the device.
  absl::StatusOr<DevicePointer> Allocate(size_t bytes, std::string_view what);

  // The kernels of a cubin image, in the program's order.
  absl::Status LoadKernels(const fb::DeviceImageT& image, std::string_view code);

  // Copies through pinned memory, so that copying and reading pages overlap; returns when done.
  absl::Status Upload(DevicePointer to, const char* from, size_t bytes);

  // In the stream's order.
  absl::Status CopyIn(DevicePointer to, const void* from, size_t bytes);
  absl::Status CopyOut(void* to, DevicePointer from, size_t bytes);
  absl::Status Copy(DevicePointer to, DevicePointer from, size_t bytes);
  absl::Status Clear(DevicePointer to, size_t bytes);
  // The same, and these may be recorded (BeginCapture): rows of bytes, each side with a stride of
  // its own, and one number.
  absl::Status CopyRows(DevicePointer to, size_t to_stride, DevicePointer from, size_t from_stride,
                        size_t row_bytes, size_t rows);
  absl::Status Store(DevicePointer to, uint64_t value);
  absl::Status Encode(const Matrix& matrix, TensorMap* map, std::string_view what);
  absl::Status Launch(size_t kernel, const unsigned (&grid)[3], void* parameters,
                      std::string_view what);
  absl::Status Synchronize(std::string_view what);

  // Marks a place in the stream; once the stream was waited for, the time between the two.
  absl::Status Mark(bool end);
  absl::StatusOr<double> MillisecondsBetweenMarks();

  // Launches between the two become a graph that can be replayed.
  absl::Status BeginCapture();
  absl::StatusOr<CUgraphExec_st*> EndCapture();
  void AbandonCapture();
  absl::Status Replay(CUgraphExec_st* graph, std::string_view what);
  void Forget(CUgraphExec_st* graph);

  // The error that ended this context, which every call returns from then on; OK where there is
  // none.
  const absl::Status& failure() const { return sticky_; }

  // For what works on the device beside this class (NCCL).
  const std::shared_ptr<const Driver>& driver() const { return driver_; }

 private:
  explicit Device(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}
  absl::Status Prepare(int ordinal);
  absl::Status Check(int error, std::string_view what);

  std::shared_ptr<const Driver> driver_;
  int device_ = -1, major_ = 0, minor_ = 0;
  std::string name_, model_;
  CUctx_st* context_ = nullptr;
  CUstream_st* stream_ = nullptr;
  CUevent_st* marks_[2] = {};
  std::vector<DevicePointer> allocations_;
  std::vector<CUmod_st*> modules_;
  struct Kernel {
    CUfunc_st* function;
    unsigned threads, shared_bytes;
  };
  std::vector<Kernel> kernels_;
  absl::Status sticky_;
};

}  // namespace ashlar::cuda
