// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Holds the declarations of nccl_library.h against nccl.h: the same parameters, enumerations and
// handles by their size, and the same numbers.
#include "runtime/communicator/nccl_library.h"

#include <gtest/gtest.h>
#include <nccl.h>

#include <cstddef>

#include "runtime/base/status.h"
#include "runtime/device/cuda/testing/same_function.h"

namespace ashlar::nccl {
namespace {

#define ASHLAR_NCCL_COMPARE(name, ...) \
  static_assert(cuda::SameFunction<int (*)(__VA_ARGS__), decltype(&::name)>::value, #name);
ASHLAR_NCCL_FUNCTIONS(ASHLAR_NCCL_COMPARE)

static_assert(sizeof(UniqueId) == NCCL_UNIQUE_ID_BYTES);
static_assert(offsetof(Config, size) == offsetof(ncclConfig_t, size));
static_assert(offsetof(Config, magic) == offsetof(ncclConfig_t, magic));
static_assert(offsetof(Config, version) == offsetof(ncclConfig_t, version));
static_assert(offsetof(Config, blocking) == offsetof(ncclConfig_t, blocking));
static_assert(offsetof(Config, not_set) == offsetof(ncclConfig_t, cgaClusterSize));
static_assert(Config().not_set == NCCL_CONFIG_UNDEF_INT);
static_assert(kSuccess == ncclSuccess && kInProgress == ncclInProgress);
static_assert(kUnhandledCudaError == ncclUnhandledCudaError && kSystemError == ncclSystemError);
static_assert(kInvalidArgument == ncclInvalidArgument && kInvalidUsage == ncclInvalidUsage);
static_assert(kRemoteError == ncclRemoteError);
static_assert(kSum == ncclSum && kMax == ncclMax && kMin == ncclMin);
static_assert(kInt8 == ncclInt8 && kUint8 == ncclUint8 && kInt32 == ncclInt32);
static_assert(kInt64 == ncclInt64 && kFloat16 == ncclFloat16 && kFloat32 == ncclFloat32);
static_assert(kFloat64 == ncclFloat64 && kBfloat16 == ncclBfloat16);

TEST(Config, BeginsAsTheHeaderInitialisesIt) {
  const ncclConfig_t theirs = NCCL_CONFIG_INITIALIZER;
  EXPECT_EQ(Config().magic, theirs.magic);
}

TEST(Library, SaysWhatToInstall) {
  setenv("ASHLAR_NCCL", "/no/such/libnccl.so", 1);
  EXPECT_EQ(Message(Library::Open().status()),
            "no NCCL (/no/such/libnccl.so): install it (Debian: libnccl2, pip: nvidia-nccl-cu12), "
            "or name its library in ASHLAR_NCCL");
}

}  // namespace
}  // namespace ashlar::nccl
