// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program of three ranks, each with a device of the fake driver and the fake NCCL between them:
// what is recorded, replayed and moved between, and how it ends.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "runtime/api/session.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/program/artifact_writer.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using fb::CollectiveOp;
using ::testing::HasSubstr;
using testing::MakeDim;
using testing::MakeExtent;
using testing::MakeLaunch;
using testing::MakeOperand;
using testing::MakeValue;

constexpr int kRanks = 3;
constexpr int64_t kMost = 30;  // of n

// step(x: f32[2, n]) -> y: f32[2, n], begins: i64. Each rank takes its part of x + 1, along n; they
// are gathered, summed up over the ranks, and 1 is added; `begins` is the sum of where parts begin.
class CudaRanksTest : public ::testing::Test {
 protected:
  enum Place : uint64_t {
    kX = 0,
    kSum = 256,
    kPart = 512,
    kAll = 768,
    kSpace = 1024,
    kY = 1280,
    kBegins = 1536,
    kEnd = 1600
  };
  static constexpr uint64_t kBytes = 2 * kMost * 4;

  void SetUp() override {
    setenv("ASHLAR_CUDA_DRIVER", ASHLAR_FAKE_CUDA, 1);
    setenv("ASHLAR_NCCL", ASHLAR_FAKE_NCCL, 1);
    setenv("FAKE_CUDA_DEVICES", "3", 1);
    fb::ProgramT& p = program_;
    p.dims.push_back(MakeDim("n", kMost));
    p.dims.push_back(MakeDim("part", kMost / kRanks));
    p.dims[1]->minimum = 0;
    p.dims[1]->whole = MakeExtent({0});
    p.dims[1]->cuts.emplace_back(1, kRanks);
    auto axis = std::make_unique<fb::MeshAxisT>();
    axis->name = "tp";
    axis->size = kRanks;
    p.mesh.push_back(std::move(axis));
    auto kernel = std::make_unique<fb::KernelT>();
    kernel->name = "add";
    kernel->operands = {fb::Access::Read, fb::Access::Read, fb::Access::Write};
    kernel->extents = 1;
    p.kernels.push_back(std::move(kernel));
    auto image = std::make_unique<fb::DeviceImageT>();
    image->kind = fb::DeviceKind::Cuda;
    image->arch = "sm_80";
    image->size = 64;
    auto code = std::make_unique<fb::DeviceKernelT>();
    code->size = 64;
    code->symbol = "add";
    code->threads = 32;
    code->grid.push_back(MakeExtent({0}, 1, 32));
    image->kernels.push_back(std::move(code));
    p.device_images.push_back(std::move(image));
    auto weight = std::make_unique<fb::WeightT>();
    weight->name = "w";
    weight->shape = {2 * kMost};
    weight->bytes = p.weights_bytes = kBytes;
    auto part = std::make_unique<fb::WeightPartT>();
    part->tensor = "w";
    part->shape = {2 * kMost};
    part->init = fb::Init::Ones;
    weight->parts.push_back(std::move(part));
    p.weights.push_back(std::move(weight));
    p.weight_source = fb::WeightSource::Random;

    auto entry = std::make_unique<fb::EntryT>();
    entry->name = "step";
    entry->arena_bytes = kEnd;
    entry->inputs.push_back(MakeValue("x", fb::DType::F32, kX, kBytes));
    entry->inputs[0]->shape = Shape({0});
    entry->outputs.push_back(MakeValue("y", fb::DType::F32, kY, kBytes));
    entry->outputs[0]->shape = Shape({0});
    entry->outputs.push_back(MakeValue("begins", fb::DType::I64, kBegins, 8));
    entry->launches.push_back(Add(kX, kSum));
    entry->launches.push_back(Add(kAll, kY));
    auto slice = Make(CollectiveOp::Slice, kSum, {0}, kPart, {1});
    auto gather = Make(CollectiveOp::AllGather, kPart, {1}, kAll, {0});
    for (auto* each : {slice.get(), gather.get()}) each->axis = 1;
    gather->workspace = MakeOperand(fb::Space::Arena, kSpace, kBytes + 16);
    entry->collectives.push_back(std::move(slice));
    entry->collectives.push_back(std::move(gather));
    entry->collectives.push_back(Make(CollectiveOp::AllReduce, kAll, {0}, kAll, {0}));
    auto origin = Make(CollectiveOp::Origin, kBegins, {}, kBegins, {});
    origin->input = nullptr;
    origin->whole = MakeExtent({0});
    auto begins = Make(CollectiveOp::AllReduce, kBegins, {}, kBegins, {});
    for (auto* each : {origin.get(), begins.get()}) {
      each->dtype = fb::DType::I64;
      each->before = 2;
      each->input_shape.clear(), each->output_shape.clear();
      each->output->bytes = 8;
    }
    begins->input->bytes = 8;
    entry->collectives.push_back(std::move(origin));
    entry->collectives.push_back(std::move(begins));
    p.entries.push_back(std::move(entry));
  }

  void TearDown() override {
    for (const char* name : {"FAKE_CUDA_FAIL", "FAKE_CUDA_DEVICES", "FAKE_NCCL_FAIL", "ASHLAR_NCCL",
                             "ASHLAR_CUDA_SYNC"})
      unsetenv(name);
    std::filesystem::remove(path_);
  }

  // [2, the dim]
  static std::vector<std::unique_ptr<fb::ExtentT>> Shape(std::vector<uint16_t> dims) {
    std::vector<std::unique_ptr<fb::ExtentT>> shape;
    shape.push_back(MakeExtent({}, 2));
    shape.push_back(MakeExtent(std::move(dims)));
    return shape;
  }
  static std::unique_ptr<fb::LaunchT> Add(uint64_t from, uint64_t to) {
    auto add = MakeLaunch(0, "layer.add");
    add->operands.push_back(MakeOperand(fb::Space::Arena, from, kBytes));
    add->operands.push_back(MakeOperand(fb::Space::Weights, 0, kBytes));
    add->operands.push_back(MakeOperand(fb::Space::Arena, to, kBytes));
    add->extents.push_back(MakeExtent({0}, 2));
    return add;
  }
  static std::unique_ptr<fb::CollectiveT> Make(CollectiveOp op, uint64_t from,
                                               std::vector<uint16_t> from_dims, uint64_t to,
                                               std::vector<uint16_t> to_dims) {
    auto made = std::make_unique<fb::CollectiveT>();
    made->before = 1;
    made->op = op;
    made->cuts.emplace_back(1, kRanks);
    made->input = MakeOperand(fb::Space::Arena, from, kBytes);
    made->output = MakeOperand(fb::Space::Arena, to, kBytes);
    made->input_shape = Shape(std::move(from_dims));
    made->output_shape = Shape(std::move(to_dims));
    made->where = "layer.sum";
    return made;
  }

  absl::StatusOr<std::unique_ptr<Session>> Open(int rank = -1,
                                                std::shared_ptr<Communicator> control = nullptr) {
    if (rank <= 0)
      EXPECT_EQ(WriteArtifact(path_, program_, std::string(64, 'c'), ""), absl::OkStatus());
    auto loaded = Program::Load(path_);
    if (!loaded.ok()) return loaded.status();
    SessionOptions options;
    options.threads = 1;
    options.communicator = std::move(control);
    options.gpu = rank;
    options.deadline = std::chrono::milliseconds(1000);
    BindOptions bind;
    bind.device = "cuda";
    bind.rank = rank;
    return Session::Create(*loaded, options, bind);
  }

  absl::Status Step(Session& session, int64_t n) {
    std::vector<float> x(2 * n);
    for (int64_t i = 0; i < 2 * n; ++i) x[i] = static_cast<float>(3 * i);
    std::vector<Tensor> outputs;
    ASHLAR_RETURN_IF_ERROR(session.Run("step", {{"x", DType::kF32, {2, n}, x.data()}}, &outputs));
    for (int64_t i = 0; i < 2 * n; ++i)
      EXPECT_EQ(outputs[0].as<float>()[i], kRanks * (x[i] + 1) + 1) << i;
    const int64_t first = (n + 2) / 3, second = (n + 1) / 3;
    EXPECT_EQ(*outputs[1].as<int64_t>(), first + first + second);
    return absl::OkStatus();
  }

  static int InstantiatedGraphs() {
    void* fake = dlopen(ASHLAR_FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD);
    EXPECT_TRUE(fake);
    return reinterpret_cast<int (*)()>(dlsym(fake, "fakeInstantiatedGraphs"))();
  }

  fb::ProgramT program_;
  std::string path_ = ::testing::TempDir() + "cuda_ranks_" + std::to_string(getpid()) + ".ashlar";
};

TEST_F(CudaRanksTest, RunsSteps) {
  for (const char* sync : {"0", "1"}) {
    setenv("ASHLAR_CUDA_SYNC", sync, 1);
    auto session = Open();
    ASSERT_TRUE(session.ok()) << session.status();
    for (int64_t n : {7, 16, 7, 1, 2}) EXPECT_EQ(Message(Step(**session, n)), "") << n;
  }
}

// Before, between and behind collectives, once for each extent.
TEST_F(CudaRanksTest, RecordsWhatIsBetweenCollectives) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  const int before = InstantiatedGraphs();
  for (int64_t n : {7, 7, 8, 7}) EXPECT_EQ(Message(Step(**session, n)), "");
  // add and slice; unpacking; add and origin. Nothing is behind the last.
  EXPECT_EQ(InstantiatedGraphs() - before, 2 * kRanks * 3);
}

// The gathering goes on while another launch runs, which gives z = x + 2; what has come is unpacked
// behind the wait.
TEST_F(CudaRanksTest, RunsLaunchesBesideACollective) {
  fb::EntryT& entry = *program_.entries[0];
  entry.arena_bytes = kEnd + 256;
  entry.launches.insert(entry.launches.begin() + 1, Add(kSum, kEnd));
  entry.outputs.push_back(MakeValue("z", fb::DType::F32, kEnd, kBytes));
  entry.outputs.back()->shape = Shape({0});
  for (size_t i = 2; i < entry.collectives.size(); ++i) ++entry.collectives[i]->before;
  entry.collectives[1]->starts = true;
  auto wait = std::make_unique<fb::CollectiveT>();
  wait->op = CollectiveOp::Wait;
  wait->before = 2;
  wait->ends = 1;
  entry.collectives.insert(entry.collectives.begin() + 2, std::move(wait));
  for (const char* sync : {"0", "1"}) {
    setenv("ASHLAR_CUDA_SYNC", sync, 1);
    auto session = Open();
    ASSERT_TRUE(session.ok()) << session.status();
    const int before = InstantiatedGraphs();
    for (int64_t n : {7, 16, 7, 1}) {
      EXPECT_EQ(Message(Step(**session, n)), "") << n;
      std::vector<float> x(2 * n, 5);
      std::vector<Tensor> outputs;
      ASSERT_EQ((*session)->Run("step", {{"x", DType::kF32, {2, n}, x.data()}}, &outputs),
                absl::OkStatus());
      for (int64_t i = 0; i < 2 * n; ++i) EXPECT_EQ(outputs[2].as<float>()[i], 7) << i;
    }
    // add and slice; the other add; unpacking; add and origin; at three extents.
    if (*sync == '0') EXPECT_EQ(InstantiatedGraphs() - before, 3 * kRanks * 4);
  }
}

// Weights go into panels where CPUs read them: by the runtime, in memory that it reads.
TEST_F(CudaRanksTest, RefusesToPackWeights) {
  fb::CollectiveT& sum = *program_.entries[0]->collectives[2];
  sum.op = CollectiveOp::AllGather;
  sum.layout = fb::Layout::PanelF32;
  sum.input_shape.clear(), sum.output_shape.clear();
  for (int64_t extent : {1, 4}) sum.input_shape.push_back(MakeExtent({}, extent));
  for (int64_t extent : {3, 4}) sum.output_shape.push_back(MakeExtent({}, extent));
  EXPECT_THAT(Message(Open().status()), HasSubstr("layout 1 of [3, 4]"));
}

TEST_F(CudaRanksTest, RunsARankWithTheCommunicatorOfTheCaller) {
  auto ends = MakeLoopback(kRanks);
  std::vector<std::thread> threads;
  EXPECT_EQ(WriteArtifact(path_, program_, std::string(64, 'c'), ""), absl::OkStatus());
  for (int rank = kRanks; rank-- > 0;) {
    auto session = Open(rank, std::move(ends[rank]));
    ASSERT_TRUE(session.ok()) << session.status();
    threads.emplace_back([&, session = *std::move(session)]() mutable {
      for (int64_t n : {7, 16, 7}) EXPECT_EQ(Message(Step(*session, n)), "") << n;
      session.reset();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CudaRanksTest, GivesTheErrorOfOneRankForEver) {
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  setenv("FAKE_NCCL_FAIL", "ncclAllReduce=5", 1);
  EXPECT_THAT(Message(Step(**session, 7)), HasSubstr("ncclAllReduce: fake error"));
  unsetenv("FAKE_NCCL_FAIL");
  EXPECT_THAT(Message(Step(**session, 7)), HasSubstr("ncclAllReduce: fake error"));
}

TEST_F(CudaRanksTest, SaysWhatIsMissing) {
  setenv("FAKE_CUDA_DEVICES", "2", 1);
  EXPECT_THAT(Message(Open().status()),
              HasSubstr("rank 2 of 3, each of which takes a GPU of its host: no CUDA device 2; the "
                        "driver knows 2"));
  setenv("FAKE_CUDA_DEVICES", "3", 1);
  setenv("ASHLAR_NCCL", "/no/such/libnccl.so", 1);
  auto session = Open();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(Message(Step(**session, 7)), HasSubstr("no NCCL (/no/such/libnccl.so): install it"));
}

}  // namespace
}  // namespace ashlar
