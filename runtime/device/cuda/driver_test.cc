// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Holds the declarations of driver.h against cuda.h: the same parameters, enumerations and handles
// by their size, and the same numbers.
#include "runtime/device/cuda/driver.h"

#include <cuda.h>
#include <gtest/gtest.h>

#include <cstddef>

#include "runtime/device/cuda/testing/same_function.h"

namespace ashlar::cuda {
namespace {

// cuda.h renames functions to their newest versions, which are those that driver.h names.
#define ASHLAR_CUDA_COMPARE(name, ...) \
  static_assert(SameFunction<int (*)(__VA_ARGS__), decltype(&::name)>::value, #name);
ASHLAR_CUDA_DRIVER_FUNCTIONS(ASHLAR_CUDA_COMPARE)

static_assert(sizeof(RowsCopy) == sizeof(CUDA_MEMCPY2D));
static_assert(offsetof(RowsCopy, from.memory) == offsetof(CUDA_MEMCPY2D, srcMemoryType));
static_assert(offsetof(RowsCopy, from.device) == offsetof(CUDA_MEMCPY2D, srcDevice));
static_assert(offsetof(RowsCopy, from.stride) == offsetof(CUDA_MEMCPY2D, srcPitch));
static_assert(offsetof(RowsCopy, to.memory) == offsetof(CUDA_MEMCPY2D, dstMemoryType));
static_assert(offsetof(RowsCopy, to.device) == offsetof(CUDA_MEMCPY2D, dstDevice));
static_assert(offsetof(RowsCopy, to.stride) == offsetof(CUDA_MEMCPY2D, dstPitch));
static_assert(offsetof(RowsCopy, row_bytes) == offsetof(CUDA_MEMCPY2D, WidthInBytes));
static_assert(offsetof(RowsCopy, rows) == offsetof(CUDA_MEMCPY2D, Height));
static_assert(kNotReady == CUDA_ERROR_NOT_READY);
static_assert(RowsCopy::Side().memory == CU_MEMORYTYPE_DEVICE);

static_assert(kComputeCapabilityMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(kComputeCapabilityMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(kMaxDynamicSharedBytes == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(kCaptureThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
static_assert(kEventDisableTiming == CU_EVENT_DISABLE_TIMING);
static_assert(kTensorMapF16 == CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
static_assert(kTensorMapBf16 == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
static_assert(kTensorMapNoInterleave == CU_TENSOR_MAP_INTERLEAVE_NONE);
static_assert(kTensorMapSwizzle128 == CU_TENSOR_MAP_SWIZZLE_128B);
static_assert(kTensorMapPromote256 == CU_TENSOR_MAP_L2_PROMOTION_L2_256B);

TEST(Driver, SaysWhatToInstall) {
  setenv("ASHLAR_CUDA_DRIVER", "/no/such/libcuda.so", 1);
  auto driver = Driver::Open();
  ASSERT_FALSE(driver.ok());
  EXPECT_EQ(
      driver.status().message(),
      "no CUDA driver (/no/such/libcuda.so): install NVIDIA's driver, 525 or later, or run the "
      "program with --device cuda-emulator");
}

}  // namespace
}  // namespace ashlar::cuda
