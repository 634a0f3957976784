// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA driver API, found with dlopen: the same build runs where there is none. Types are those
// of cuda.h, whose handles are pointers to structs that nobody knows; enumerations are ints.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphNode_st;
struct CUgraphExec_st;

namespace ashlar::cuda {

using DevicePointer = unsigned long long;

// CUDA_MEMCPY2D: rows of bytes from one place to another, each with a stride of its own.
struct RowsCopy {
  struct Side {
    size_t x = 0, y = 0;
    int memory = 2;  // CU_MEMORYTYPE_DEVICE
    const void* host = nullptr;
    DevicePointer device = 0;
    void* array = nullptr;
    size_t stride = 0;
  } from, to;
  size_t row_bytes = 0, rows = 0;
};

// Every function that is used: its name in the library (of CUDA 12.0 and later), and its
// parameters.
#define ASHLAR_CUDA_DRIVER_FUNCTIONS(F)                                                            \
  F(cuInit, unsigned flags)                                                                        \
  F(cuGetErrorName, int error, const char** name)                                                  \
  F(cuGetErrorString, int error, const char** text)                                                \
  F(cuDeviceGetCount, int* count)                                                                  \
  F(cuDeviceGet, int* device, int ordinal)                                                         \
  F(cuDeviceGetName, char* name, int length, int device)                                           \
  F(cuDeviceGetAttribute, int* value, int attribute, int device)                                   \
  F(cuDevicePrimaryCtxRetain, CUctx_st** context, int device)                                      \
  F(cuDevicePrimaryCtxRelease_v2, int device)                                                      \
  F(cuCtxSetCurrent, CUctx_st* context)                                                            \
  F(cuModuleLoadData, CUmod_st** module, const void* image)                                        \
  F(cuModuleUnload, CUmod_st* module)                                                              \
  F(cuModuleGetFunction, CUfunc_st** function, CUmod_st* module, const char* name)                 \
  F(cuFuncSetAttribute, CUfunc_st* function, int attribute, int value)                             \
  F(cuMemAlloc_v2, DevicePointer* memory, size_t bytes)                                            \
  F(cuMemFree_v2, DevicePointer memory)                                                            \
  F(cuMemAllocHost_v2, void** memory, size_t bytes)                                                \
  F(cuMemFreeHost, void* memory)                                                                   \
  F(cuMemcpyHtoDAsync_v2, DevicePointer to, const void* from, size_t bytes, CUstream_st* stream)   \
  F(cuMemcpyDtoHAsync_v2, void* to, DevicePointer from, size_t bytes, CUstream_st* stream)         \
  F(cuMemcpyDtoDAsync_v2, DevicePointer to, DevicePointer from, size_t bytes, CUstream_st* stream) \
  F(cuMemcpy2DAsync_v2, const ashlar::cuda::RowsCopy* copy, CUstream_st* stream)                   \
  F(cuMemsetD8Async, DevicePointer to, unsigned char value, size_t count, CUstream_st* stream)     \
  F(cuMemsetD32Async, DevicePointer to, unsigned value, size_t count, CUstream_st* stream)         \
  F(cuStreamCreate, CUstream_st** stream, unsigned flags)                                          \
  F(cuStreamDestroy_v2, CUstream_st* stream)                                                       \
  F(cuStreamSynchronize, CUstream_st* stream)                                                      \
  F(cuStreamBeginCapture_v2, CUstream_st* stream, int mode)                                        \
  F(cuStreamEndCapture, CUstream_st* stream, CUgraph_st** graph)                                   \
  F(cuEventCreate, CUevent_st** event, unsigned flags)                                             \
  F(cuEventDestroy_v2, CUevent_st* event)                                                          \
  F(cuEventRecord, CUevent_st* event, CUstream_st* stream)                                         \
  F(cuEventQuery, CUevent_st* event)                                                               \
  F(cuEventSynchronize, CUevent_st* event)                                                         \
  F(cuEventElapsedTime, float* milliseconds, CUevent_st* begin, CUevent_st* end)                   \
  F(cuGraphInstantiateWithFlags, CUgraphExec_st** exec, CUgraph_st* graph,                         \
    unsigned long long flags)                                                                      \
  F(cuGraphDestroy, CUgraph_st* graph)                                                             \
  F(cuGraphExecDestroy, CUgraphExec_st* exec)                                                      \
  F(cuGraphLaunch, CUgraphExec_st* exec, CUstream_st* stream)                                      \
  F(cuTensorMapEncodeTiled, void* map, int type, unsigned rank, void* address,                     \
    const unsigned long long* sizes, const unsigned long long* strides, const unsigned* box,       \
    const unsigned* steps, int interleave, int swizzle, int promotion, int fill)                   \
  F(cuLaunchKernel, CUfunc_st* function, unsigned grid_x, unsigned grid_y, unsigned grid_z,        \
    unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,                   \
    CUstream_st* stream, void** parameters, void** extra)

// Values of cuda.h's enumerations.
inline constexpr int kNotReady = 600;
inline constexpr int kComputeCapabilityMajor = 75, kComputeCapabilityMinor = 76;  // of a device
inline constexpr int kMaxDynamicSharedBytes = 8;                                  // of a function
inline constexpr int kCaptureThreadLocal = 1;
inline constexpr unsigned kStreamNonBlocking = 1, kEventDisableTiming = 2;
inline constexpr int kTensorMapF16 = 6, kTensorMapBf16 = 9;  // element types
inline constexpr int kTensorMapNoInterleave = 0, kTensorMapSwizzle128 = 3, kTensorMapPromote256 = 3;

// The library, with every function above as a member that returns 0 or an error.
class Driver {
 public:
  // Opens the library that the environment variable ASHLAR_CUDA_DRIVER names, or else libcuda.so.1,
  // and initialises it. NotFound where there is none; it says what to install.
  static absl::StatusOr<std::shared_ptr<const Driver>> Open();
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

#define ASHLAR_CUDA_DECLARE(name, ...) int (*name)(__VA_ARGS__) = nullptr;
  ASHLAR_CUDA_DRIVER_FUNCTIONS(ASHLAR_CUDA_DECLARE)
#undef ASHLAR_CUDA_DECLARE

  // OK for 0; else an error that begins with `what` and has the error's name and text. Out of
  // memory is ResourceExhausted, everything else Internal.
  absl::Status ToStatus(int error, std::string_view what) const;

 private:
  Driver() = default;
  void* library_ = nullptr;
};

}  // namespace ashlar::cuda
