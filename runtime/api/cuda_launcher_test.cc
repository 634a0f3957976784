// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order and the arguments of the calls that a session on a GPU makes, on a driver that is made
// up (runtime/device/cuda/testing/fake_cuda.cc says what that can show and what not).
#include "runtime/api/cuda_launcher.h"

#include <dlfcn.h>

#include <chrono>
#include <thread>

#include "runtime/api/cuda_launcher_fixture.h"
#include "runtime/api/state_file.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cuda/device.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;
using testing::MakeExtent;
using testing::MakeLaunch;
using testing::MakeOperand;
using testing::MakeState;

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
    auto state = StateFile::Open(file, identity, {128});
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
