// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/device.h"

#include <algorithm>
#include <cstring>
#include <iostream>

#include "runtime/base/status.h"

namespace ashlar::cuda {
namespace {

// After these the context is lost (cuda.h, "the context ... must be destroyed", and what the
// hardware cannot correct); all others are mistakes of the caller, which leave it whole.
bool IsSticky(int error) {
  constexpr int kSticky[] = {
      214, 220,  // memory, NVLink: uncorrectable
      700, 702,  // illegal address, launch timeout
      710, 714, 715, 716,
      717, 718, 719,  // assert, stack, instruction, address, ..., launch failure
  };
  return std::find(std::begin(kSticky), std::end(kSticky), error) != std::end(kSticky);
}

// "sm_90a" as 90 and whether it is for that device only; -1 for what is no such name.
int ParseArch(std::string_view arch, bool* exact) {
  if (arch.substr(0, 3) != "sm_") return -1;
  arch.remove_prefix(3);
  *exact = !arch.empty() && arch.back() == 'a';
  if (*exact) arch.remove_suffix(1);
  int number = 0;
  for (char c : arch) {
    if (c < '0' || c > '9' || number > 1000) return -1;
    number = number * 10 + (c - '0');
  }
  return arch.empty() ? -1 : number;
}

}  // namespace

absl::StatusOr<int> ChooseCubins(const std::vector<std::unique_ptr<fb::DeviceImageT>>& images,
                                 int major, int minor) {
  int best = -1, best_rank = -1, own = major * 10 + minor;
  std::vector<std::string_view> archs;
  for (size_t i = 0; i < images.size(); ++i) {
    archs.push_back(images[i]->arch);
    bool exact = false;
    int arch = ParseArch(images[i]->arch, &exact);
    bool runs = exact ? arch == own : arch / 10 == major && arch <= own;
    if (images[i]->kind != fb::DeviceKind::Cuda || arch < 0 || !runs) continue;
    int rank = 2 * arch + exact;
    if (rank > best_rank) best_rank = rank, best = static_cast<int>(i);
  }
  if (best >= 0) return best;
  return FailedPrecondition("there is code for ", StrJoin(archs, ", "), ", none that sm_", own,
                            " runs; compile the model with --target cuda --cuda-arch sm_", own);
}

absl::StatusOr<std::unique_ptr<Device>> Device::Open(int ordinal) {
  ASHLAR_ASSIGN_OR_RETURN(auto driver, Driver::Open());
  std::unique_ptr<Device> device(new Device(std::move(driver)));
  ASHLAR_RETURN_IF_ERROR(device->Prepare(ordinal));
  return device;
}

absl::Status Device::Prepare(int ordinal) {
  int count = 0;
  name_ = StrCat("device ", ordinal);
  ASHLAR_RETURN_IF_ERROR(Check(driver_->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (ordinal >= count) return NotFound("no CUDA device ", ordinal, "; the driver knows ", count);
  ASHLAR_RETURN_IF_ERROR(Check(driver_->cuDeviceGet(&device_, ordinal), "cuDeviceGet"));
  char name[128] = "";
  ASHLAR_RETURN_IF_ERROR(
      Check(driver_->cuDeviceGetName(name, sizeof(name), device_), "cuDeviceGetName"));
  for (auto [attribute, value] :
       {std::pair<int, int*>{kComputeCapabilityMajor, &major_}, {kComputeCapabilityMinor, &minor_}})
    ASHLAR_RETURN_IF_ERROR(
        Check(driver_->cuDeviceGetAttribute(value, attribute, device_), "cuDeviceGetAttribute"));
  model_ = StrCat(Printable(name), ", sm_", major_, minor_);
  name_ = StrCat("device ", ordinal, " (", model_, ")");
  ASHLAR_RETURN_IF_ERROR(
      Check(driver_->cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain"));
  ASHLAR_RETURN_IF_ERROR(MakeCurrent());
  for (CUevent_st*& mark : marks_)
    ASHLAR_RETURN_IF_ERROR(Check(driver_->cuEventCreate(&mark, 0), "cuEventCreate"));
  return Check(driver_->cuStreamCreate(&stream_, kStreamNonBlocking), "cuStreamCreate");
}

Device::~Device() {
  // After a sticky error everything is lost already, and the calls say so.
  auto release = [&](int error, const char* call) {
    absl::Status status = driver_->ToStatus(error, call);
    if (!status.ok() && sticky_.ok()) std::cerr << "warning: " << Message(status) << "\n";
  };
  if (context_) release(driver_->cuCtxSetCurrent(context_), "cuCtxSetCurrent");
  for (CUmod_st* module : modules_) release(driver_->cuModuleUnload(module), "cuModuleUnload");
  for (DevicePointer memory : allocations_) release(driver_->cuMemFree_v2(memory), "cuMemFree");
  for (CUevent_st* mark : marks_)
    if (mark) release(driver_->cuEventDestroy_v2(mark), "cuEventDestroy");
  if (stream_) release(driver_->cuStreamDestroy_v2(stream_), "cuStreamDestroy");
  if (context_)
    release(driver_->cuDevicePrimaryCtxRelease_v2(device_), "cuDevicePrimaryCtxRelease");
}

absl::Status Device::Check(int error, std::string_view what) {
  if (!sticky_.ok()) return sticky_;
  if (error == 0) return absl::OkStatus();
  absl::Status status = driver_->ToStatus(error, StrCat(what, " on ", name_));
  if (IsSticky(error)) sticky_ = Annotate(status, "the device has failed and its session is over");
  return sticky_.ok() ? status : sticky_;
}

absl::Status Device::MakeCurrent() {
  return Check(driver_->cuCtxSetCurrent(context_), "cuCtxSetCurrent");
}

absl::StatusOr<DevicePointer> Device::Allocate(size_t bytes, std::string_view what) {
  DevicePointer memory = 0;
  ASHLAR_RETURN_IF_ERROR(Check(driver_->cuMemAlloc_v2(&memory, std::max<size_t>(bytes, 1)),
                               StrCat("cuMemAlloc of ", bytes, " bytes for ", what)));
  allocations_.push_back(memory);
  return memory;
}

absl::Status Device::LoadKernels(const fb::DeviceImageT& image, std::string_view code) {
  constexpr unsigned kUsualSharedBytes = 48 * 1024;
  for (const auto& kernel : image.kernels) {
    CUmod_st* module = nullptr;
    // Cubins lie at multiples of 64 bytes, as the image does.
    ASHLAR_RETURN_IF_ERROR(Check(driver_->cuModuleLoadData(&module, code.data() + kernel->offset),
                                 StrCat("cuModuleLoadData of ", kernel->symbol)));
    modules_.push_back(module);
    CUfunc_st* function = nullptr;
    ASHLAR_RETURN_IF_ERROR(
        Check(driver_->cuModuleGetFunction(&function, module, kernel->symbol.c_str()),
              StrCat("cuModuleGetFunction of ", kernel->symbol)));
    if (kernel->shared_bytes > kUsualSharedBytes)
      ASHLAR_RETURN_IF_ERROR(
          Check(driver_->cuFuncSetAttribute(function, kMaxDynamicSharedBytes,
                                            static_cast<int>(kernel->shared_bytes)),
                StrCat("cuFuncSetAttribute, ", kernel->shared_bytes, " bytes of shared memory, of ",
                       kernel->symbol)));
    kernels_.push_back({function, kernel->threads, kernel->shared_bytes});
  }
  return absl::OkStatus();
}

absl::Status Device::Upload(DevicePointer to, const char* from, size_t bytes) {
  constexpr size_t kPiece = size_t{8} << 20;
  struct Buffer {
    void* memory = nullptr;
    CUevent_st* event = nullptr;
  } buffers[2];
  auto copy = [&]() -> absl::Status {
    for (Buffer& buffer : buffers) {
      ASHLAR_RETURN_IF_ERROR(Check(driver_->cuMemAllocHost_v2(&buffer.memory, kPiece),
                                   "cuMemAllocHost of a buffer for weights"));
      ASHLAR_RETURN_IF_ERROR(
          Check(driver_->cuEventCreate(&buffer.event, kEventDisableTiming), "cuEventCreate"));
    }
    for (size_t done = 0, piece = 0; done < bytes; done += kPiece, ++piece) {
      Buffer& buffer = buffers[piece % 2];
      size_t size = std::min(kPiece, bytes - done);
      // An event that was never recorded is over.
      ASHLAR_RETURN_IF_ERROR(
          Check(driver_->cuEventSynchronize(buffer.event), "cuEventSynchronize"));
      std::memcpy(buffer.memory, from + done, size);
      ASHLAR_RETURN_IF_ERROR(CopyIn(to + done, buffer.memory, size));
      ASHLAR_RETURN_IF_ERROR(Check(driver_->cuEventRecord(buffer.event, stream_), "cuEventRecord"));
    }
    return Synchronize("uploading weights");
  };
  absl::Status status = copy();
  for (Buffer& buffer : buffers) {
    if (buffer.event) driver_->cuEventDestroy_v2(buffer.event);
    if (buffer.memory) driver_->cuMemFreeHost(buffer.memory);
  }
  return status;
}

absl::Status Device::CopyIn(DevicePointer to, const void* from, size_t bytes) {
  return Check(driver_->cuMemcpyHtoDAsync_v2(to, from, bytes, stream_), "cuMemcpyHtoDAsync");
}

absl::Status Device::CopyOut(void* to, DevicePointer from, size_t bytes) {
  return Check(driver_->cuMemcpyDtoHAsync_v2(to, from, bytes, stream_), "cuMemcpyDtoHAsync");
}

absl::Status Device::Copy(DevicePointer to, DevicePointer from, size_t bytes) {
  return Check(driver_->cuMemcpyDtoDAsync_v2(to, from, bytes, stream_), "cuMemcpyDtoDAsync");
}

absl::Status Device::Clear(DevicePointer to, size_t bytes) {
  if (bytes == 0) return absl::OkStatus();  // `to` may lie behind the allocation
  return Check(driver_->cuMemsetD8Async(to, 0, bytes, stream_), "cuMemsetD8Async");
}

absl::Status Device::CopyRows(DevicePointer to, size_t to_stride, DevicePointer from,
                              size_t from_stride, size_t row_bytes, size_t rows) {
  if (row_bytes == 0 || rows == 0) return absl::OkStatus();
  // Strides may be 2 GiB at most.
  if (rows == 1 || (to_stride == row_bytes && from_stride == row_bytes))
    return Copy(to, from, row_bytes * rows);
  RowsCopy copy;
  copy.from.device = from, copy.from.stride = from_stride;
  copy.to.device = to, copy.to.stride = to_stride;
  copy.row_bytes = row_bytes, copy.rows = rows;
  return Check(driver_->cuMemcpy2DAsync_v2(&copy, stream_), "cuMemcpy2DAsync");
}

absl::Status Device::Store(DevicePointer to, uint64_t value) {
  for (int half = 0; half < 2; ++half)
    ASHLAR_RETURN_IF_ERROR(
        Check(driver_->cuMemsetD32Async(to + 4 * half, static_cast<unsigned>(value >> 32 * half), 1,
                                        stream_),
              "cuMemsetD32Async"));
  return absl::OkStatus();
}

absl::Status Device::Encode(const Matrix& matrix, TensorMap* map, std::string_view what) {
  const unsigned long long sizes[] = {matrix.columns, matrix.rows}, strides[] = {matrix.row_bytes};
  const unsigned box[] = {matrix.box_columns, matrix.box_rows}, steps[] = {1, 1};
  return Check(driver_->cuTensorMapEncodeTiled(map, matrix.is_f16 ? kTensorMapF16 : kTensorMapBf16,
                                               2, reinterpret_cast<void*>(matrix.data), sizes,
                                               strides, box, steps, kTensorMapNoInterleave,
                                               kTensorMapSwizzle128, kTensorMapPromote256, 0),
               StrCat("cuTensorMapEncodeTiled for ", what));
}

absl::Status Device::Launch(size_t kernel, const unsigned (&grid)[3], void* parameters,
                            std::string_view what) {
  const Kernel& k = kernels_[kernel];
  void* list[] = {parameters};
  return Check(driver_->cuLaunchKernel(k.function, grid[0], grid[1], grid[2], k.threads, 1, 1,
                                       k.shared_bytes, stream_, list, nullptr),
               StrCat("cuLaunchKernel of ", what));
}

absl::Status Device::Synchronize(std::string_view what) {
  return Check(driver_->cuStreamSynchronize(stream_), StrCat("cuStreamSynchronize after ", what));
}

absl::Status Device::Mark(bool end) {
  return Check(driver_->cuEventRecord(marks_[end], stream_), "cuEventRecord");
}

absl::StatusOr<double> Device::MillisecondsBetweenMarks() {
  float milliseconds = 0;
  ASHLAR_RETURN_IF_ERROR(Check(driver_->cuEventElapsedTime(&milliseconds, marks_[0], marks_[1]),
                               "cuEventElapsedTime"));
  return milliseconds;
}

absl::Status Device::BeginCapture() {
  return Check(driver_->cuStreamBeginCapture_v2(stream_, kCaptureThreadLocal),
               "cuStreamBeginCapture");
}

absl::StatusOr<CUgraphExec_st*> Device::EndCapture() {
  CUgraph_st* graph = nullptr;
  ASHLAR_RETURN_IF_ERROR(Check(driver_->cuStreamEndCapture(stream_, &graph), "cuStreamEndCapture"));
  CUgraphExec_st* exec = nullptr;
  absl::Status status =
      Check(driver_->cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiate");
  driver_->cuGraphDestroy(graph);
  if (!status.ok()) return status;
  return exec;
}

void Device::AbandonCapture() {
  CUgraph_st* graph = nullptr;
  if (driver_->cuStreamEndCapture(stream_, &graph) == 0 && graph) driver_->cuGraphDestroy(graph);
}

absl::Status Device::Replay(CUgraphExec_st* graph, std::string_view what) {
  return Check(driver_->cuGraphLaunch(graph, stream_), StrCat("cuGraphLaunch of ", what));
}

void Device::Forget(CUgraphExec_st* graph) { driver_->cuGraphExecDestroy(graph); }

}  // namespace ashlar::cuda
