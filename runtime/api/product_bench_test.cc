// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products one by one on a driver that is made up: what is launched, on what, and how it is timed.
#include "runtime/api/product_bench.h"

#include <dlfcn.h>

#include <cmath>

#include "runtime/api/cuda_launcher_fixture.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/device/cuda/driver.h"

namespace ashlar {
namespace {

using cuda::DevicePointer;
using ::testing::HasSubstr;

class ProductBenchTest : public CudaLauncherTest {
 protected:
  void SetUp() override {
    CudaLauncherTest::SetUp();
    setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
    ASSERT_TRUE(WriteArtifact(path_, MakeProductProgram(), std::string(64, 'c'), "").ok());
    program_ = *Program::Load(path_);
    uses_ = FindProductUses(*program_->metadata().device_images[0],
                            *program_->metadata().entries[0], {100});
    ASSERT_EQ(uses_.size(), 1u);
  }
  template <typename Function>
  static Function* Fake(const char* name) {
    void* fake = dlopen(ASHLAR_FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD);
    return reinterpret_cast<Function*>(dlsym(fake, name));
  }
  // The places of the weights that were read since the last call.
  static std::vector<DevicePointer> WeightsRead() {
    std::vector<DevicePointer> weights(1000);
    weights.resize(Fake<int(DevicePointer*, int)>("fakeWeights")(weights.data(), 1000));
    return weights;
  }
  absl::StatusOr<std::unique_ptr<ProductBench>> OpenBench() {
    return ProductBench::Open(*program_, "cuda", pool_);
  }

  ThreadPool pool_{1};
  std::shared_ptr<const Program> program_;
  std::vector<ProductUse> uses_;
};

TEST_F(ProductBenchTest, TimesOneLaunchOfSeveral) {
  setenv("FAKE_CUDA_MS", "add=0.25,cublasLtMatmul=0.75", 1);
  auto bench = OpenBench();
  ASSERT_TRUE(bench.ok()) << bench.status();
  EXPECT_EQ((*bench)->image(), 0);
  EXPECT_EQ((*bench)->device(), "Fake, sm_86");
  EXPECT_EQ((*bench)->library(), "cuBLASLt 13.0.0");
  ASSERT_TRUE((*bench)->Reserve(uses_).ok());
  for (int again = 0; again < 2; ++again) {
    ASSERT_EQ(Message((*bench)->Prepare(uses_[0])), "");
    EXPECT_TRUE((*bench)->HasAlgorithm());
    const int before = Fake<int()>("fakeInstantiatedGraphs")();
    for (int round = 0; round < 3; ++round) {
      EXPECT_EQ(*(*bench)->Time(/*by_library=*/false), 0.25);
      EXPECT_EQ(*(*bench)->Time(/*by_library=*/true), 0.75);
    }
    EXPECT_EQ(Fake<int()>("fakeInstantiatedGraphs")() - before, 2);
  }
}

// The weight comes from another place for each launch between two marks; all are numbers.
TEST_F(ProductBenchTest, ReadsColdWeights) {
  setenv("FAKE_CUDA_MS", "add=0.25", 1);
  auto bench = OpenBench();
  ASSERT_TRUE(bench.ok()) << bench.status();
  ASSERT_TRUE((*bench)->Reserve(uses_).ok());
  WeightsRead();  // those of other tests
  ASSERT_EQ(Message((*bench)->Prepare(uses_[0])), "");
  EXPECT_EQ(WeightsRead().size(), 1u);
  ASSERT_TRUE((*bench)->Time(/*by_library=*/false).ok());
  const std::vector<DevicePointer> weights = WeightsRead();
  EXPECT_EQ(weights.size(), 8u);  // 2 ms
  for (DevicePointer weight : weights) {
    const auto* numbers = static_cast<const float*>(
        Fake<void*(DevicePointer, size_t)>("fakeHostMemory")(weight, 400));
    ASSERT_TRUE(numbers);
    bool has_both_signs = false;
    for (int i = 0; i < 100; ++i) {
      EXPECT_GE(std::abs(numbers[i]), 0.5f) << i;
      EXPECT_LT(std::abs(numbers[i]), 2.0f) << i;
      has_both_signs |= (numbers[i] < 0) != (numbers[0] < 0);
    }
    EXPECT_TRUE(has_both_signs);
  }
  // What takes long is launched once; what takes no time, not without end.
  setenv("FAKE_CUDA_MS", "add=3", 1);
  ASSERT_EQ(Message((*bench)->Prepare(uses_[0])), "");
  WeightsRead();
  EXPECT_EQ(*(*bench)->Time(/*by_library=*/false), 3);
  EXPECT_EQ(WeightsRead().size(), 1u);
  setenv("FAKE_CUDA_MS", "add=0", 1);
  ASSERT_EQ(Message((*bench)->Prepare(uses_[0])), "");
  ASSERT_TRUE((*bench)->Time(/*by_library=*/false).ok());
  EXPECT_EQ(WeightsRead().size(), 64u);
}

TEST_F(ProductBenchTest, NamesWhatFails) {
  auto bench = OpenBench();
  ASSERT_TRUE(bench.ok()) << bench.status();
  setenv("FAKE_CUDA_FAIL", "cuMemAlloc_v2=2", 1);
  EXPECT_EQ((*bench)->Reserve(uses_).code(), absl::StatusCode::kResourceExhausted);
  unsetenv("FAKE_CUDA_FAIL");
  ASSERT_TRUE((*bench)->Reserve(uses_).ok());
  ASSERT_EQ(Message((*bench)->Prepare(uses_[0])), "");
  // A recording that fails leaves a stream that takes calls.
  for (const char* call : {"cublasLtMatmul=13", "cuGraphInstantiateWithFlags=1"}) {
    setenv("FAKE_CUDA_FAIL", call, 1);
    EXPECT_FALSE((*bench)->Time(/*by_library=*/true).ok());
    unsetenv("FAKE_CUDA_FAIL");
    EXPECT_TRUE((*bench)->Time(/*by_library=*/false).ok());
  }
  EXPECT_TRUE((*bench)->Time(/*by_library=*/true).ok());
  EXPECT_THAT(Message(ProductBench::Open(*program_, "tpu", pool_).status()),
              HasSubstr("products are measured on cuda or cuda-emulator, found 'tpu'"));
}

}  // namespace
}  // namespace ashlar
