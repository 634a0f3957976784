// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order and the arguments of the calls that a session on a GPU makes, on a driver that is made
// up (runtime/device/cuda/testing/fake_cuda.cc says what that can show and what not).
#include "runtime/api/cuda_launcher.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "runtime/api/session.h"
#include "runtime/api/state_file.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cuda/device.h"
#include "runtime/program/artifact_writer.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;
using testing::MakeDim;
using testing::MakeExtent;
using testing::MakeLaunch;
using testing::MakeOperand;
using testing::MakeState;
using testing::MakeValue;

// step(x: f32[n]) -> y: f32[n] = x + 1, n to 100; at most three steps.
fb::ProgramT MakeProgram() {
  fb::ProgramT p;
  p.dims.push_back(MakeDim("n", 100));
  for (const char* name : {"add", "count"}) {
    auto kernel = std::make_unique<fb::KernelT>();
    kernel->name = name;
    p.kernels.push_back(std::move(kernel));
  }
  p.kernels[0]->operands = {fb::Access::Read, fb::Access::Read, fb::Access::Write};
  p.kernels[0]->extents = 1;
  p.kernels[1]->operands = {fb::Access::ReadWrite};
  auto image = std::make_unique<fb::DeviceImageT>();
  image->kind = fb::DeviceKind::Cuda;
  image->arch = "sm_80";
  image->size = 64;
  for (const auto& kernel : p.kernels) {
    auto code = std::make_unique<fb::DeviceKernelT>();
    code->size = 64;
    code->symbol = kernel->name;
    code->threads = 32;
    code->shared_bytes = 64 * 1024;
    image->kernels.push_back(std::move(code));
  }
  image->kernels[0]->grid.push_back(MakeExtent({0}, 1, 32));
  p.device_images.push_back(std::move(image));
  auto weight = std::make_unique<fb::WeightT>();
  weight->name = "w";
  weight->shape = {100};
  weight->bytes = p.weights_bytes = 400;
  auto part = std::make_unique<fb::WeightPartT>();
  part->tensor = "w";
  part->shape = {100};
  part->init = fb::Init::Ones;
  weight->parts.push_back(std::move(part));
  p.weights.push_back(std::move(weight));
  p.weight_source = fb::WeightSource::Random;
  p.states.push_back(MakeState("count", 0, 8));
  p.state_bytes = 8;

  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "step";
  entry->arena_bytes = 1024;
  entry->inputs.push_back(MakeValue("x", fb::DType::F32, 0, 400));
  entry->inputs[0]->shape.push_back(MakeExtent({0}));
  entry->outputs.push_back(MakeValue("y", fb::DType::F32, 512, 400));
  entry->outputs[0]->shape.push_back(MakeExtent({0}));
  auto add = MakeLaunch(0, "layer.add");
  add->operands.push_back(MakeOperand(fb::Space::Arena, 0, 400));
  add->operands.push_back(MakeOperand(fb::Space::Weights, 0, 400));
  add->operands.push_back(MakeOperand(fb::Space::Arena, 512, 400));
  add->extents.push_back(MakeExtent({0}));
  entry->launches.push_back(std::move(add));
  auto count = MakeLaunch(1, "count");
  count->operands.push_back(MakeOperand(fb::Space::State, 0, 8));
  entry->launches.push_back(std::move(count));
  auto limit = std::make_unique<fb::CounterLimitT>();
  limit->rows = MakeExtent({}, 1);
  limit->add = MakeExtent({}, 1);
  limit->limit = 3;
  entry->limits.push_back(std::move(limit));
  p.entries.push_back(std::move(entry));
  return p;
}

class CudaLauncherTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("ASHLAR_CUDA_DRIVER", ASHLAR_FAKE_CUDA, 1); }
  void TearDown() override {
    for (const char* name :
         {"FAKE_CUDA_FAIL", "FAKE_CUDA_DEVICES", "ASHLAR_CUDA_SYNC", "ASHLAR_CUBLASLT"})
      unsetenv(name);
    std::filesystem::remove(path_);
  }

  absl::StatusOr<std::unique_ptr<Session>> Open(const fb::ProgramT& program = MakeProgram()) {
    absl::Status written = WriteArtifact(path_, program, std::string(64, 'c'), "");
    if (!written.ok()) return written;
    auto loaded = Program::Load(path_);
    if (!loaded.ok()) return loaded.status();
    SessionOptions options;
    options.threads = 1;
    BindOptions bind;
    bind.device = "cuda";
    return Session::Create(*loaded, options, bind);
  }

  // A step over n elements; its results are checked where it succeeds.
  absl::Status Step(Session& session, int64_t n) {
    std::vector<float> x(n);
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(3 * i);
    std::vector<Tensor> outputs;
    absl::Status status = session.Run("step", {{"x", DType::kF32, {n}, x.data()}}, &outputs);
    if (!status.ok()) return status;
    EXPECT_EQ(outputs[0].shape, std::vector<int64_t>{n});
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(outputs[0].as<float>()[i], x[i] + 1) << i;
    return absl::OkStatus();
  }

  std::string path_ = ::testing::TempDir() + "ashlar_cuda_" + std::to_string(getpid()) + ".ashlar";
};

TEST_F(CudaLauncherTest, RunsSteps) {
  for (const char* sync : {"0", "1"}) {
    setenv("ASHLAR_CUDA_SYNC", sync, 1);
    auto session = Open();
    ASSERT_TRUE(session.ok()) << session.status();
    // A new graph, another for other extents, the first again.
    for (int64_t n : {5, 100, 5}) {
      EXPECT_EQ(Message(Step(**session, n)), "") << n;
      EXPECT_EQ((*session)->last_device_ms(), 0.25);
    }
    // Counters are the device's, and the host knows them.
    EXPECT_THAT(Message(Step(**session, 5)), HasSubstr("'count' 3 + 1, its limit is 3"));
    ASSERT_TRUE((*session)->SetCounter("count", 2).ok());
    EXPECT_EQ(Message(Step(**session, 7)), "");
    EXPECT_FALSE(Step(**session, 7).ok());
    (*session)->Reset();
    EXPECT_EQ(Message(Step(**session, 7)), "");
  }
}

TEST_F(CudaLauncherTest, NamesCallDeviceAndKernel) {
  setenv("ASHLAR_CUDA_SYNC", "1", 1);
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  setenv("FAKE_CUDA_FAIL", "cuStreamSynchronize=700", 1);
  EXPECT_THAT(Message(Step(**session, 5)),
              HasSubstr("cuStreamSynchronize after add (layer.add) on device 0 (Fake, sm_86): "
                        "CUDA_ERROR_ILLEGAL_ADDRESS (700): as it was told"));
  // The error stays.
  unsetenv("FAKE_CUDA_FAIL");
  EXPECT_THAT(
      Message(Step(**session, 5)),
      HasSubstr("the device has failed and its session is over: cuStreamSynchronize after add"));
}

TEST_F(CudaLauncherTest, GoesOnAfterARefusedLaunchFromANewState) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  setenv("FAKE_CUDA_FAIL", "cuLaunchKernel=1", 1);
  EXPECT_THAT(Message(Step(**session, 5)), HasSubstr("cuLaunchKernel of add (layer.add)"));
  unsetenv("FAKE_CUDA_FAIL");
  // What the launches before it did to the state is not gone on with.
  EXPECT_THAT(Message(Step(**session, 5)), HasSubstr("stopped halfway: call Reset"));
  (*session)->Reset();
  EXPECT_EQ(Message(Step(**session, 5)), "");
}

TEST_F(CudaLauncherTest, RefusalsAreNotTheDevicesFailure) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  // Launch out of resources, stream capture invalidated: the context is whole.
  for (const char* refusal : {"cuLaunchKernel=701", "cuGraphInstantiateWithFlags=901"}) {
    setenv("FAKE_CUDA_FAIL", refusal, 1);
    EXPECT_THAT(Message(Step(**session, 5)), ::testing::Not(HasSubstr("the device has failed")));
    unsetenv("FAKE_CUDA_FAIL");
    (*session)->Reset();
    EXPECT_EQ(Message(Step(**session, 5)), "");
  }
}

TEST_F(CudaLauncherTest, GoesOnAfterACancelledStep) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  RunOptions options;
  options.deadline = std::chrono::steady_clock::now();
  std::vector<float> x(5);
  std::vector<Tensor> outputs;
  // The graph's recording has begun when the deadline is looked at.
  EXPECT_EQ((*session)->Run("step", {{"x", DType::kF32, {5}, x.data()}}, &outputs, options).code(),
            absl::StatusCode::kDeadlineExceeded);
  (*session)->Reset();
  EXPECT_EQ(Message(Step(**session, 5)), "");
}

TEST_F(CudaLauncherTest, ServesThreadsThatTakeTurns) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  std::thread([&] {
    EXPECT_EQ(Message(Step(**session, 5)), "");
    session->reset();
  }).join();
}

TEST_F(CudaLauncherTest, KeepsTheGraphsThatAreUsed) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  void* fake = dlopen(ASHLAR_FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD);
  ASSERT_TRUE(fake);
  auto* count = reinterpret_cast<int (*)()>(dlsym(fake, "fakeInstantiatedGraphs"));
  const int before = count();
  auto step = [&](int64_t n) {
    ASSERT_TRUE((*session)->SetCounter("count", 0).ok());
    ASSERT_EQ(Message(Step(**session, n)), "");
  };
  // A decoder's step between prompts of 99 lengths: recorded once.
  for (int64_t n = 2; n <= 100; ++n) {
    step(1);
    step(n);
  }
  EXPECT_EQ(count() - before, 100);
  dlclose(fake);
}

TEST_F(CudaLauncherTest, EncodesTensorMaps) {
  fb::ProgramT program = MakeProgram();
  fb::DeviceKernelT& code = *program.device_images[0]->kernels[0];
  code.symbol = "mapped";
  auto map = std::make_unique<fb::TensorMapT>();
  map->operand = 0;
  map->rows = MakeExtent({0}, 1, 32);
  map->columns = 8;
  map->row_bytes = 16;
  map->box_rows = 64;
  map->box_columns = 8;
  map->dtype = fb::DType::BF16;
  code.tensor_maps.push_back(std::move(map));
  auto session = Open(program);
  ASSERT_TRUE(session.ok()) << session.status();
  for (int64_t n : {5, 100}) EXPECT_EQ(Message(Step(**session, n)), "") << n;
  (*session)->Reset();
  setenv("FAKE_CUDA_FAIL", "cuTensorMapEncodeTiled=1", 1);
  EXPECT_THAT(Message(Step(**session, 7)),
              HasSubstr("cuTensorMapEncodeTiled for add (layer.add) on device 0"));
}

// Two sequences, each with a counter and 8 bytes of a cache, of which a step counts the first up.
TEST_F(CudaLauncherTest, StateIsTheDevices) {
  fb::ProgramT program = MakeProgram();
  program.states[0]->bytes = 16;
  program.states.push_back(MakeState("cache", 64, 16));
  program.states[1]->dtype = fb::DType::U8;
  program.state_bytes = 128;
  auto cache = MakeLaunch(1, "cache");
  cache->operands.push_back(MakeOperand(fb::Space::State, 64, 8));
  program.entries[0]->launches.push_back(std::move(cache));
  auto opened = Open(program), other = Open(program);
  ASSERT_TRUE(opened.ok() && other.ok()) << opened.status() << other.status();
  Session& session = **opened;
  const std::string file = path_ + ".state";
  // The counters and the cache, as a file has them.
  auto saved = [&](Session& session) -> std::vector<int64_t> {
    absl::Status status = session.SaveState(file);
    EXPECT_TRUE(status.ok()) << status;
    const std::string bytes = *ReadFile(file, 1 << 20);
    uint64_t identity;
    std::memcpy(&identity, bytes.data() + 16, sizeof(identity));
    auto state = StateFile::Open(file, identity, 128);
    EXPECT_TRUE(state.ok()) << state.status();
    std::vector<int64_t> all(16);
    state->Read(0, 128, reinterpret_cast<char*>(all.data()));
    return {all[0], all[1], all[8], all[9]};
  };
  using Numbers = std::vector<int64_t>;
  EXPECT_EQ(saved(session), (Numbers{0, 0, 0, 0}));  // before any step, and whatever the memory had
  EXPECT_EQ(Message(Step(session, 5)), "");
  EXPECT_EQ(saved(session), (Numbers{1, 0, 1, 0}));
  EXPECT_EQ(Message(Step(session, 5)), "");
  ASSERT_TRUE(session.CopySequence(0, 1).ok());
  EXPECT_EQ(saved(session), (Numbers{2, 2, 2, 2}));
  session.Reset();
  EXPECT_EQ(Message(Step(session, 5)), "");
  ASSERT_TRUE(session.SetCounter("count", 2).ok());
  EXPECT_EQ(saved(session), (Numbers{2, 2, 1, 0}));
  // Restored over another, into a session that has not run, and gone on with.
  EXPECT_EQ(Message(Step(session, 5)), "");
  ASSERT_TRUE(session.LoadState(file).ok());
  EXPECT_EQ(saved(session), (Numbers{2, 2, 1, 0}));
  ASSERT_TRUE((*other)->LoadState(file).ok());
  EXPECT_EQ(Message(Step(**other, 5)), "");
  EXPECT_EQ(saved(**other), (Numbers{3, 2, 2, 0}));
  setenv("FAKE_CUDA_FAIL", "cuMemcpyDtoHAsync_v2=1", 1);
  EXPECT_THAT(Message(session.SaveState(file)), HasSubstr("cuMemcpyDtoHAsync on device 0"));
  setenv("FAKE_CUDA_FAIL", "cuMemcpyDtoDAsync_v2=1", 1);
  EXPECT_THAT(Message(session.CopySequence(0, 1)), HasSubstr("cuMemcpyDtoDAsync on device 0"));
  std::filesystem::remove(file);
}

// The kernel `add` as if it were y = relu(x w^T + x + w) for x: f32[n / 4, 4], w: f32[4, 4] and the
// bias w[0]: another function of the same operands, so that results tell who has computed them.
fb::ProgramT MakeProductProgram() {
  fb::ProgramT program = MakeProgram();
  auto product = std::make_unique<fb::LibraryProductT>();
  product->left = product->addend = 0;
  product->weight = product->bias = 1;
  product->result = 2;
  product->rows = MakeExtent({0}, 1, 4);
  product->columns = product->depth = product->left_stride = 4;
  product->activation = fb::Activation::Relu;
  program.device_images[0]->kernels[0]->product = std::move(product);
  return program;
}

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

TEST_F(CudaLauncherTest, SaysWhatWouldWork) {
  setenv("FAKE_CUDA_FAIL", "cuMemAlloc_v2=2", 1);
  auto session = Open();
  EXPECT_EQ(session.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(session.status()), HasSubstr("bytes for arena and state"));
  unsetenv("FAKE_CUDA_FAIL");
  fb::ProgramT program = MakeProgram();
  program.device_images[0]->arch = "sm_90a";
  EXPECT_THAT(Message(Open(program).status()),
              HasSubstr("there is code for sm_90a, none that sm_86 runs; compile the model with "
                        "--target cuda --cuda-arch sm_86"));
  setenv("FAKE_CUDA_DEVICES", "0", 1);
  EXPECT_THAT(Message(Open().status()), HasSubstr("no CUDA device 0; the driver knows 0"));
}

TEST(ChooseCubins, TakesTheMostSpecial) {
  std::vector<std::unique_ptr<fb::DeviceImageT>> images;
  for (const char* arch : {"emulator", "sm_80", "sm_90", "sm_90a", "sm_86", "sm_100"}) {
    auto image = std::make_unique<fb::DeviceImageT>();
    image->kind = std::string(arch) == "emulator" ? fb::DeviceKind::Emulator : fb::DeviceKind::Cuda;
    image->arch = arch;
    images.push_back(std::move(image));
  }
  auto choose = [&](int major, int minor) {
    auto chosen = cuda::ChooseCubins(images, major, minor);
    return chosen.ok() ? images[*chosen]->arch : "none";
  };
  EXPECT_EQ(choose(8, 0), "sm_80");
  EXPECT_EQ(choose(8, 9), "sm_86");
  EXPECT_EQ(choose(9, 0), "sm_90a");
  EXPECT_EQ(choose(10, 0), "sm_100");
  EXPECT_EQ(choose(7, 5), "none");
}

}  // namespace
}  // namespace ashlar
