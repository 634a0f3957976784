// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an application brings along: memory, threads, a clock, a way to stop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "runtime/api/session_test_base.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/artifact_writer.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using testing::Expected;
using testing::Floats;
using ::testing::HasSubstr;
using testing::kTinyK;
using testing::SomeX;

class EmbeddingTest : public testing::SessionTestBase {
 protected:
  void SetUp() override {
    SessionTestBase::SetUp();
    bound_ = BindTiny();
    ASSERT_NE(bound_, nullptr);
  }
  std::unique_ptr<Session> Make(const SessionOptions& options) {
    auto session = Session::Create(bound_, options);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *std::move(session) : nullptr;
  }
  // Whether forward gives what it should on 2 x 4 rows.
  bool Computes(Session& session) {
    std::vector<float> x = SomeX(8);
    std::vector<Tensor> outputs;
    return session.Run("forward", {{"x", DType::kF32, {2, 4, kTinyK}, x.data()}}, &outputs).ok() &&
           Floats(outputs[0]) == expected_;
  }
  absl::Status Step(Session& session, int64_t value, int64_t* total,
                    const RunOptions& options = {}) {
    std::vector<Tensor> outputs;
    absl::Status status =
        session.Run("step", {{"value", DType::kI64, {1}, &value}}, &outputs, options);
    if (status.ok()) *total = outputs[0].as<int64_t>()[0];
    return status;
  }

  std::shared_ptr<const BoundProgram> bound_;
  const std::vector<float> expected_ =
      Expected(SomeX(8), std::vector<int64_t>(8, 1), {0, 1, 2, 3, 0, 1, 2, 3});
};

TEST_F(EmbeddingTest, RunsInTheCallersBuffer) {
  const uint64_t bytes = PlanMemory(bound_->program().metadata(), 2).peak();
  SessionOptions options;
  options.threads = 2;
  std::vector<char> memory(bytes + 128, '\x5a');
  options.buffer = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
  options.buffer_bytes = bytes;
  char* end = static_cast<char*>(options.buffer) + bytes;
  {
    uint64_t before = MemoryRegion::LiveBytes();
    auto session = Make(options);
    EXPECT_EQ(MemoryRegion::LiveBytes(), before);
    EXPECT_TRUE(Computes(*session));
    int64_t total = 0;
    ASSERT_TRUE(Step(*session, 7, &total).ok());
    EXPECT_EQ(total, 7);  // state was made zero
  }
  EXPECT_EQ(*end, '\x5a');
  options.buffer_bytes = bytes - 1;
  absl::Status status = Session::Create(bound_, options).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kBadBuffer);
  EXPECT_THAT(Message(status), HasSubstr(StrCat("takes ", bytes, " bytes")));
  options.buffer_bytes = bytes;
  options.buffer = static_cast<char*>(options.buffer) + 8;
  EXPECT_EQ(CodeOf(Session::Create(bound_, options).status()), ErrorCode::kBadBuffer);
}

// An application's executor that works backwards, one item at a time.
class Backwards : public Executor {
 public:
  int size() const override { return 3; }
  int launches = 0;

 private:
  void Launch(int64_t items, RangeFunction function, void* context) override {
    ++launches;
    for (int64_t i = items; i-- > 0;) function(context, i, i + 1, static_cast<int>(i % 3));
  }
};

TEST_F(EmbeddingTest, RunsOnTheCallersExecutor) {
  auto backwards = std::make_shared<Backwards>();
  SessionOptions options;
  options.executor = backwards;
  auto session = Make(options);
  EXPECT_EQ(session->threads(), 3);
  EXPECT_TRUE(Computes(*session));
  EXPECT_EQ(backwards->launches, 2);
}

TEST_F(EmbeddingTest, OneThreadIsTheCallers) {
  SessionOptions options;
  options.threads = 1;
  auto session = Make(options);
  EXPECT_TRUE(Computes(*session));
  EXPECT_EQ(dynamic_cast<ThreadPool&>(session->executor()).running(), 0);
}

TEST_F(EmbeddingTest, SessionsDrawFromOnePool) {
  const uint64_t bytes = PlanMemory(bound_->program().metadata(), 1).peak();
  auto other_program = BindTiny();
  SessionOptions options;
  options.threads = 1;
  options.memory_pool = std::make_shared<MemoryPool>(MemoryPool::Options{2 * bytes + 100, {}});
  auto first = Make(options);
  auto second = Session::Create(other_program, options);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(Computes(*first));
  int64_t total = 0;
  ASSERT_TRUE(Step(*first, 5, &total).ok());
  absl::Status status = Session::Create(bound_, options).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kPoolLimit);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("tiny.ashlar"), HasSubstr(StrCat(2 * bytes + 100))));
  first.reset();
  auto third = Make(options);  // in the first one's memory
  ASSERT_TRUE(Step(*third, 3, &total).ok());
  EXPECT_EQ(total, 3);
  EXPECT_TRUE(Computes(*third));
  EXPECT_EQ(options.memory_pool->in_use(), 2 * bytes);
}

TEST_F(EmbeddingTest, IsCancelled) {
  auto session = Make({});
  Cancellation cancellation;
  RunOptions run;
  run.cancellation = &cancellation;
  int64_t total = 0;
  ASSERT_TRUE(Step(*session, 1, &total, run).ok());
  cancellation.Cancel();
  absl::Status status = Step(*session, 1, &total, run);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(Message(status), HasSubstr("entry 'step', before launch 1 of 1, counter"));
  // Nothing has begun.
  cancellation.Reset();
  ASSERT_TRUE(Step(*session, 1, &total, run).ok());
  EXPECT_EQ(total, 2);
}

// Stops the step while it is under way, from inside its first launch.
class CancelsMeanwhile : public Backwards {
 public:
  explicit CancelsMeanwhile(Cancellation* cancellation) : cancellation_(cancellation) {}

 private:
  void Launch(int64_t items, RangeFunction function, void* context) override {
    std::thread([&] { cancellation_->Cancel(); }).join();
    function(context, 0, items, 0);
  }
  Cancellation* cancellation_;
};

TEST_F(EmbeddingTest, IsCancelledFromAnotherThread) {
  Cancellation cancellation;
  SessionOptions options;
  options.executor = std::make_shared<CancelsMeanwhile>(&cancellation);
  auto session = Make(options);
  RunOptions run;
  run.cancellation = &cancellation;
  std::vector<float> x = SomeX(1);
  absl::Status status =
      session->Run("forward", {{"x", DType::kF32, {1, 1, kTinyK}, x.data()}}, nullptr, run);
  EXPECT_THAT(Message(status), HasSubstr("before launch 2 of 2, layer.shift"));
}

TEST_F(EmbeddingTest, AStepThatIsStoppedHalfwayLeavesAnUndefinedState) {
  auto& launches = tiny_.program.entries[1]->launches;
  launches.push_back(std::make_unique<fb::LaunchT>(*launches[0]));
  bound_ = BindTiny();
  Cancellation cancellation;
  SessionOptions options;
  options.executor = std::make_shared<CancelsMeanwhile>(&cancellation);
  auto session = Make(options);
  RunOptions run;
  run.cancellation = &cancellation;
  int64_t total = 0;
  EXPECT_EQ(CodeOf(Step(*session, 1, &total, run)), ErrorCode::kCancelled);
  EXPECT_EQ(CodeOf(Step(*session, 1, &total)), ErrorCode::kInterrupted);
  ASSERT_TRUE(session->SetCounter("count", 1).ok());
  ASSERT_TRUE(Step(*session, 1, &total).ok());
  EXPECT_EQ(total, 3);  // each launch adds: one before, two now
  cancellation.Reset();
  EXPECT_EQ(CodeOf(Step(*session, 1, &total, run)), ErrorCode::kCancelled);
  session->Reset();
  ASSERT_TRUE(Step(*session, 1, &total).ok());
  EXPECT_EQ(total, 2);
}

TEST_F(EmbeddingTest, HasADeadline) {
  auto session = Make({});
  RunOptions run;
  int64_t total = 0;
  run.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  ASSERT_TRUE(Step(*session, 1, &total, run).ok());
  run.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(CodeOf(Step(*session, 1, &total, run)), ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(Step(*session, 4, &total).ok());
  EXPECT_EQ(total, 5);
}

TEST_F(EmbeddingTest, AnArtifactThatIsCutMeanwhileIsAnError) {
  GuardMappedFiles();
  tiny_.program.weight_source = fb::WeightSource::Embedded;
  const std::string path = directory_ + "/embedded.ashlar";
  ASSERT_TRUE(
      WriteArtifact(path, tiny_.program, tiny_.code, tiny_.constants, [&](const ByteSink& sink) {
        return sink({bound_->weights().data(), bound_->weights().bytes()});
      }).ok());
  auto program = BoundProgram::Load(path, {});
  ASSERT_TRUE(program.ok()) << program.status();
  auto session = Session::Create(*program, {});
  ASSERT_TRUE(session.ok());
  EXPECT_TRUE(Computes(**session));
  ASSERT_EQ(truncate(path.c_str(), 0), 0);
  std::vector<float> x = SomeX(8);
  std::vector<Tensor> outputs;
  absl::Status status =
      (*session)->Run("forward", {{"x", DType::kF32, {2, 4, kTinyK}, x.data()}}, &outputs);
  EXPECT_EQ(CodeOf(status), ErrorCode::kFileChanged);
  EXPECT_THAT(Message(status), HasSubstr(path + " became shorter"));
}

TEST_F(EmbeddingTest, TellsTheLogWhatWentWrongWithTheCache) {
  BindOptions bind;
  bind.cache.directory = directory_ + "/model.safetensors/cache";
  std::vector<std::string> warnings;
  bind.log = [&](LogLevel level, const std::string& message) {
    if (level == LogLevel::kWarning) warnings.push_back(message);
  };
  ASSERT_TRUE(BoundProgram::Bind(LoadTiny(), bind).ok());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("model.safetensors/cache"));
}

// Many short sessions on several threads at the same time, with everything that can be shared.
TEST_F(EmbeddingTest, SessionsOnSeveralThreadsShareWhatTheyCan) {
  SessionOptions options;
  options.executor = std::make_shared<ThreadPool>(3);
  options.memory_pool = std::make_shared<MemoryPool>(MemoryPool::Options{1 << 20, {}});
  std::vector<std::thread> threads;
  std::vector<int> good(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      SessionOptions mine = options;
      if (t == 3) mine.executor = nullptr, mine.threads = 2;
      for (int i = 0; i < 25; ++i) {
        auto session = Session::Create(bound_, mine);
        if (session.ok() && Computes(**session) && Computes(**session)) ++good[t];
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, (std::vector<int>{25, 25, 25, 25}));
  EXPECT_EQ(options.memory_pool->in_use(), 0u);
}

}  // namespace
}  // namespace ashlar
