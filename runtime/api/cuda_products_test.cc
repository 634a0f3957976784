// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plain products on a GPU, on a driver and a library that are made up: who computes them, in which
// order the calls come and with which arguments, and what is said where one fails.
#include <algorithm>
#include <utility>

#include "runtime/api/cuda_launcher_fixture.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

class CudaProductsTest : public CudaLauncherTest {
 protected:
  void SetUp() override {
    CudaLauncherTest::SetUp();
    setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
  }

  // A step over n elements, a multiple of four, by the library; results are checked where it
  // succeeds.
  absl::Status ProductStep(Session& session, int64_t n) {
    std::vector<float> x(n);
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 7 * 3 - 8);
    std::vector<Tensor> outputs;
    absl::Status status = session.Run("step", {{"x", DType::kF32, {n}, x.data()}}, &outputs);
    if (!status.ok()) return status;
    for (int64_t i = 0; i < n; ++i) {
      const float* row = &x[i / 4 * 4];
      const float sum = row[0] + row[1] + row[2] + row[3] + x[i] + 1;
      EXPECT_EQ(outputs[0].as<float>()[i], std::max(sum, 0.0f)) << i;
    }
    return absl::OkStatus();
  }
};

TEST_F(CudaProductsTest, AreTheLibrarys) {
  for (const char* sync : {"0", "1"}) {
    setenv("ASHLAR_CUDA_SYNC", sync, 1);
    auto session = Open(MakeProductProgram());
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ((*session)->library(),
              "cuBLASLt 13.0.0, 1 of 1 plain products, a workspace of 1024 bytes");
    // Fewer rows than there may be, as many, and a graph again.
    for (int64_t n : {8, 100, 8}) EXPECT_EQ(Message(ProductStep(**session, n)), "") << n;
    (*session)->Reset();
    EXPECT_EQ(Message(ProductStep(**session, 16)), "");
  }
}

TEST_F(CudaProductsTest, AreTheKernelsWhereThereIsNoLibrary) {
  setenv("ASHLAR_CUBLASLT", "", 1);
  auto session = Open(MakeProductProgram());
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->library(), "the program's own kernels");
  EXPECT_EQ(Message(Step(**session, 8)), "");
  // Or where it has no algorithm.
  setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
  setenv("FAKE_CUDA_FAIL", "cublasLtMatmulAlgoGetHeuristic=15", 1);
  session = Open(MakeProductProgram());
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->library(),
            "cuBLASLt 13.0.0, 0 of 1 plain products, a workspace of 0 bytes");
  EXPECT_EQ(Message(Step(**session, 8)), "");
  // A program without plain products looks for none.
  setenv("ASHLAR_CUBLASLT", "/no/such/libcublasLt.so", 1);
  session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->library(), "");
}

TEST_F(CudaProductsTest, AreTheKernelsWhereThatIsChosen) {
  fb::ProgramT program = MakeProductProgram();
  fb::DeviceKernelT& kernel = *program.device_images[0]->kernels[0];
  kernel.own_product = std::move(kernel.product);
  auto session = Open(program);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->library(), "the program's own kernels, as the artifact has chosen");
  EXPECT_EQ(Message(Step(**session, 8)), "");
  // Nobody looks for a library then.
  setenv("ASHLAR_CUBLASLT", "/no/such/libcublasLt.so", 1);
  EXPECT_TRUE(Open(program).ok());
  // One that is chosen beside one that is not.
  setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
  program.kernels.push_back(std::make_unique<fb::KernelT>(*program.kernels[0]));
  auto& kernels = program.device_images[0]->kernels;
  kernels.push_back(std::make_unique<fb::DeviceKernelT>(*kernels[0]));
  kernels[2]->product = std::move(kernels[2]->own_product);
  auto& launches = program.entries[0]->launches;
  launches.insert(launches.begin(), std::make_unique<fb::LaunchT>(*launches[0]));
  launches[0]->kernel = 2;
  session = Open(program);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->library(),
            "cuBLASLt 13.0.0, 1 of 2 plain products, a workspace of 1024 bytes");
  EXPECT_EQ(Message(Step(**session, 8)), "");  // the second launch has the last word
}

TEST_F(CudaProductsTest, NamesCallDeviceAndKernel) {
  for (const char* call : {"cublasLtMatmulDescCreate", "cublasLtMatrixLayoutCreate",
                           "cublasLtMatmulAlgoGetHeuristic"}) {
    setenv("FAKE_CUDA_FAIL", (std::string(call) + "=7").c_str(), 1);
    EXPECT_THAT(Message(Open(MakeProductProgram()).status()),
                HasSubstr(std::string(call) + " of add (layer.add) on device 0 (Fake, sm_86): "
                                              "CUBLAS_STATUS_INVALID_VALUE (7)"));
  }
  for (const char* sync : {"0", "1"}) {
    setenv("ASHLAR_CUDA_SYNC", sync, 1);
    unsetenv("FAKE_CUDA_FAIL");
    auto session = Open(MakeProductProgram());
    ASSERT_TRUE(session.ok()) << session.status();
    setenv("FAKE_CUDA_FAIL", "cublasLtMatmul=13", 1);
    EXPECT_THAT(Message(ProductStep(**session, 8)),
                HasSubstr("cublasLtMatmul of add (layer.add) on device 0 (Fake, sm_86): "
                          "CUBLAS_STATUS_EXECUTION_FAILED (13)"));
    // A row's bits are those of the bound's algorithm, or there is no result.
    setenv("FAKE_CUDA_FAIL", "cublasLtMatmulAlgoCheck=7", 1);
    (*session)->Reset();
    EXPECT_THAT(Message(ProductStep(**session, 12)),
                ::testing::AllOf(
                    HasSubstr("cublasLtMatmulAlgoCheck, of the algorithm for 25 rows with 3, of"),
                    HasSubstr("or where it was compiled with --cuda-products kernels")));
    unsetenv("FAKE_CUDA_FAIL");
    (*session)->Reset();
    EXPECT_EQ(Message(ProductStep(**session, 12)), "");
  }
}

TEST_F(CudaProductsTest, SayWhatWouldWork) {
  setenv("ASHLAR_CUBLASLT", "/no/such/libcublasLt.so", 1);
  auto session = Open(MakeProductProgram());
  EXPECT_EQ(session.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(session.status()),
              HasSubstr("no cuBLASLt (ASHLAR_CUBLASLT=/no/such/libcublasLt.so): install the CUDA "
                        "toolkit 12.0 or later"));
  setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUDA, 1);
  EXPECT_THAT(Message(Open(MakeProductProgram()).status()), HasSubstr("has no function cublasLt"));
  setenv("ASHLAR_CUBLASLT", ASHLAR_FAKE_CUBLASLT, 1);
  setenv("FAKE_CUDA_FAIL", "cublasLtCreate=1", 1);
  EXPECT_THAT(Message(Open(MakeProductProgram()).status()),
              ::testing::AllOf(HasSubstr("ASHLAR_CUBLASLT is set to an empty string"),
                               HasSubstr("cublasLtCreate of cuBLASLt 13.0.0 on device 0 (Fake, "
                                         "sm_86): CUBLAS_STATUS_NOT_INITIALIZED (1)")));
}

}  // namespace
}  // namespace ashlar
