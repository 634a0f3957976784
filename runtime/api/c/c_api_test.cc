// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface, as a C program would use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "runtime/api/ashlar.h"
#include "runtime/api/session_test_base.h"

namespace ashlar {
namespace {

using testing::Expected;
using ::testing::HasSubstr;
using testing::kTinyK;
using testing::SomeX;

// "" for success, else "E0501: ...".
std::string Take(ashlar_error* error) {
  if (!error) return "";
  std::string text = std::string(ashlar_error_name(error)) + ": " + ashlar_error_message(error);
  ashlar_error_release(error);
  return text;
}

class CApiTest : public testing::SessionTestBase {
 protected:
  void SetUp() override {
    SessionTestBase::SetUp();
    path_ = directory_ + "/tiny.ashlar";
    ASSERT_TRUE(tiny_.Write(path_).ok());
    ASSERT_EQ(Take(ashlar_program_load(path_.c_str(), nullptr, &program_)), "");
    ASSERT_EQ(Take(ashlar_session_create(program_, nullptr, &session_)), "");
  }
  void TearDown() override {
    ashlar_program_release(program_);  // the session lives on
    if (session_) EXPECT_EQ(Forward(), "");
    ashlar_session_release(session_);
    SessionTestBase::TearDown();
  }
  static ashlar_tensor Input(const char* name, int32_t dtype, const std::vector<int64_t>& shape,
                             const void* data) {
    ashlar_tensor tensor = ASHLAR_INIT(ashlar_tensor);
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.rank = static_cast<int32_t>(shape.size());
    tensor.shape = shape.data();
    tensor.data = const_cast<void*>(data);
    return tensor;
  }
  // Runs forward on 1 x 2 rows and looks at the numbers; "" when all is well.
  std::string Forward(const ashlar_run_options* options = nullptr) {
    ashlar_tensor input = Input("x", ASHLAR_F32, shape_, x_.data());
    ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
    std::string error =
        Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, options));
    if (!error.empty()) return error;
    std::vector<float> expected = Expected(x_, {1, 1}, {0, 1});
    if (output.bytes != expected.size() * 4 || output.rank != 3 || output.shape[2] != 33)
      return "shape";
    return std::memcmp(output.data, expected.data(), output.bytes) == 0 ? "" : "numbers";
  }

  std::string path_;
  ashlar_program* program_ = nullptr;
  ashlar_session* session_ = nullptr;
  std::vector<float> x_ = SomeX(2);
  std::vector<int64_t> shape_ = {1, 2, kTinyK};
};

TEST_F(CApiTest, RefusesWhatIsNotTrusted) {
  ashlar_program_options options = ASHLAR_INIT(ashlar_program_options);
  const std::string zeros(64, '0');
  options.sha256 = zeros.c_str();
  ashlar_program* program = nullptr;
  EXPECT_THAT(Take(ashlar_program_load(path_.c_str(), &options, &program)),
              HasSubstr("E0205: " + path_ + ": not the artifact that is trusted"));
  EXPECT_EQ(program, nullptr);
  options.sha256 = nullptr;
  options.public_key = "RW";
  EXPECT_THAT(Take(ashlar_program_load(path_.c_str(), &options, &program)),
              HasSubstr("not a public key of minisign"));
}

TEST_F(CApiTest, DescribesPrograms) {
  EXPECT_EQ(ashlar_api_version(), ASHLAR_API_VERSION);
  EXPECT_STREQ(ashlar_program_entry(program_, 1), "step");
  EXPECT_EQ(ashlar_program_entry(program_, 2), nullptr);
  size_t inputs = 0, outputs = 0;
  ASSERT_EQ(Take(ashlar_program_values(program_, "forward", &inputs, &outputs)), "");
  EXPECT_EQ(inputs, 3u);
  EXPECT_EQ(outputs, 1u);
  ashlar_value value = ASHLAR_INIT(ashlar_value);
  ASSERT_EQ(Take(ashlar_program_input(program_, "forward", 0, &value)), "");
  EXPECT_STREQ(value.name, "x");
  EXPECT_STREQ(value.description, "F32 [batch, seq, 5]");
  EXPECT_EQ(value.dtype, ASHLAR_F32);
  ASSERT_EQ(value.rank, 3);
  EXPECT_EQ(std::vector<int64_t>(value.bound, value.bound + 3), (std::vector<int64_t>{4, 8, 5}));
  EXPECT_EQ(std::vector<int32_t>(value.dimensions, value.dimensions + 3),
            (std::vector<int32_t>{0, 1, -1}));
  EXPECT_EQ(value.bytes, 640u);
  EXPECT_EQ(value.required, 1);
  ASSERT_EQ(Take(ashlar_program_output(program_, "step", 0, &value)), "");
  EXPECT_STREQ(value.name, "total");
  ashlar_dimension dimension = ASHLAR_INIT(ashlar_dimension);
  ASSERT_EQ(ashlar_program_dimensions(program_), 2u);
  ASSERT_EQ(Take(ashlar_program_dimension(program_, 1, &dimension)), "");
  EXPECT_STREQ(dimension.name, "seq");
  EXPECT_EQ(dimension.maximum, 8);
  EXPECT_EQ(ashlar_program_property(program_, "none"), nullptr);
}

TEST_F(CApiTest, CopiesOutputsWhereAsked) {
  std::vector<float> out(2 * 33 + 1, -1);
  ashlar_tensor input = Input("x", ASHLAR_F32, shape_, x_.data());
  ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
  output.name = "logits";
  output.data = out.data();
  output.bytes = 2 * 33 * 4;
  ASSERT_EQ(Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, nullptr)), "");
  std::vector<float> expected = Expected(x_, {1, 1}, {0, 1});
  expected.push_back(-1);
  EXPECT_EQ(out, expected);
  --output.bytes;
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, nullptr)),
              HasSubstr("E0403: output 'logits' has 264 bytes at these extents, its buffer 263"));
}

TEST_F(CApiTest, AnOutputThatShowedTheSessionsMemoryMayBeUsedAgain) {
  std::vector<float> x = SomeX(32);
  std::vector<int64_t> large = {4, 8, kTinyK};
  ashlar_tensor input = Input("x", ASHLAR_F32, shape_, x.data());
  ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
  ASSERT_EQ(Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, nullptr)), "");
  input = Input("x", ASHLAR_F32, large, x.data());
  ASSERT_EQ(Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, nullptr)), "");
  EXPECT_EQ(output.bytes, 32 * 33 * sizeof(float));
  // Another entry's output lies elsewhere.
  int64_t value = 5;
  std::vector<int64_t> one = {1};
  ashlar_tensor step = Input("value", ASHLAR_I64, one, &value);
  const void* before = output.data;
  output.name = nullptr;
  ASSERT_EQ(Take(ashlar_session_run(session_, "step", &step, 1, &output, 1, nullptr)), "");
  EXPECT_NE(output.data, before);
  EXPECT_EQ(static_cast<int64_t*>(output.data)[0], 5);
}

TEST_F(CApiTest, ElementsOfAnArrayAreOfOneSize) {
  ashlar_tensor inputs[2] = {Input("x", ASHLAR_F32, shape_, x_.data()),
                             Input("factor", ASHLAR_I64, shape_, x_.data())};
  inputs[1].struct_size -= 8;
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", inputs, 2, nullptr, 0, nullptr)),
              HasSubstr("E0801: ashlar_tensor 1 of an array: struct_size is"));
  inputs[0].struct_size -= 1;
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", inputs, 2, nullptr, 0, nullptr)),
              HasSubstr("no multiple of 8"));
}

TEST_F(CApiTest, ASecondThreadInASessionIsAnError) {
  ashlar_executor executor = ASHLAR_INIT(ashlar_executor);
  struct Both {
    ashlar_session* session = nullptr;
    std::string error;
  } both;
  executor.context = &both;
  executor.workers = 1;
  executor.run = [](void* context, int64_t items, ashlar_range_function function, void* launch) {
    auto* both = static_cast<Both*>(context);
    std::thread([&] { both->error = Take(ashlar_session_reset(both->session)); }).join();
    function(launch, 0, items, 0);
  };
  ashlar_thread_pool* threads = nullptr;
  ASSERT_EQ(Take(ashlar_thread_pool_wrap(&executor, &threads)), "");
  ashlar_session_options options = ASHLAR_INIT(ashlar_session_options);
  options.thread_pool = threads;
  ashlar_session_release(session_);
  ASSERT_EQ(Take(ashlar_session_create(program_, &options, &session_)), "");
  ashlar_thread_pool_release(threads);
  both.session = session_;
  EXPECT_EQ(Forward(), "");
  EXPECT_THAT(both.error, HasSubstr("E0801: session: it is in use by another thread"));
  EXPECT_EQ(Take(ashlar_session_reset(session_)), "");
  ashlar_session_release(session_);
  session_ = nullptr;  // its threads end here
}

TEST_F(CApiTest, KnowsItsMemoryBeforeAndAfter) {
  ashlar_memory planned = ASHLAR_INIT(ashlar_memory), taken = ASHLAR_INIT(ashlar_memory);
  ASSERT_EQ(Take(ashlar_program_memory(program_, 0, &planned)), "");
  ASSERT_EQ(Take(ashlar_session_memory(session_, &taken)), "");
  EXPECT_EQ(std::memcmp(&planned, &taken, sizeof(planned)), 0);
  EXPECT_EQ(planned.arena, 9600u);
  // A caller of an older version has shorter structs.
  ashlar_memory shorter = {};
  shorter.struct_size = offsetof(ashlar_memory, scratch);
  ASSERT_EQ(Take(ashlar_program_memory(program_, 0, &shorter)), "");
  EXPECT_EQ(shorter.arena, 9600u);
  EXPECT_EQ(shorter.scratch, 0u);
  // One of a newer version has longer ones.
  struct {
    ashlar_memory known;
    uint64_t more;
  } longer = {};
  longer.known.struct_size = sizeof(longer);
  longer.more = 5;
  ASSERT_EQ(Take(ashlar_program_memory(program_, 0, &longer.known)), "");
  EXPECT_EQ(longer.known.weights, planned.weights);
  EXPECT_EQ(longer.more, 5u);
}

TEST_F(CApiTest, Errors) {
  ashlar_program* program = nullptr;
  EXPECT_THAT(Take(ashlar_program_load("/no/such.ashlar", nullptr, &program)),
              HasSubstr("E0101: cannot open /no/such.ashlar"));
  EXPECT_EQ(program, nullptr);
  EXPECT_THAT(Take(ashlar_session_run(session_, "backward", nullptr, 0, nullptr, 0, nullptr)),
              HasSubstr("E0501"));
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", nullptr, 0, nullptr, 0, nullptr)),
              HasSubstr("E0502: input 'x'"));
  ashlar_tensor input = Input("x", ASHLAR_F32, shape_, x_.data());
  ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
  output.name = "probabilities";
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", &input, 1, &output, 1, nullptr)),
              HasSubstr("E0801: entry 'forward' has no output probabilities; it has logits"));
  input.dtype = 99;
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", &input, 1, nullptr, 0, nullptr)),
              HasSubstr("dtype 99"));
  input.struct_size = 0;
  EXPECT_THAT(Take(ashlar_session_run(session_, "forward", &input, 1, nullptr, 0, nullptr)),
              HasSubstr("E0801: ashlar_tensor: struct_size is 0, expected sizeof(ashlar_tensor)"));
  EXPECT_THAT(Take(ashlar_session_create(nullptr, nullptr, &session_)), HasSubstr("E0801"));
  EXPECT_THAT(ashlar_explain(507), HasSubstr("cache"));
  EXPECT_EQ(ashlar_explain(-1), nullptr);
}

TEST_F(CApiTest, StateAndStopping) {
  int64_t value = 5;
  std::vector<int64_t> one = {1};
  ashlar_tensor input = Input("value", ASHLAR_I64, one, &value);
  ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
  ashlar_run_options options = ASHLAR_INIT(ashlar_run_options);
  ashlar_cancellation* cancellation = nullptr;
  ASSERT_EQ(Take(ashlar_cancellation_create(&cancellation)), "");
  options.cancellation = cancellation;
  auto step = [&] {
    return Take(ashlar_session_run(session_, "step", &input, 1, &output, 1, &options));
  };
  EXPECT_EQ(step(), "");
  EXPECT_EQ(step(), "");
  EXPECT_EQ(static_cast<int64_t*>(output.data)[0], 10);
  output.data = nullptr;
  ASSERT_EQ(Take(ashlar_session_set_counter(session_, "count", 6)), "");
  EXPECT_THAT(step(), HasSubstr("E0507"));
  std::thread([&] { ashlar_cancellation_cancel(cancellation); }).join();
  ASSERT_EQ(Take(ashlar_session_reset(session_)), "");
  EXPECT_THAT(step(), HasSubstr("E0508"));
  ashlar_cancellation_reset(cancellation);
  int64_t total = 0;
  for (int64_t timeout : {int64_t{60'000'000}, std::numeric_limits<int64_t>::max()}) {
    options.timeout_us = timeout;
    EXPECT_EQ(step(), "");
    EXPECT_EQ(static_cast<int64_t*>(output.data)[0], total += 5);
  }
  EXPECT_THAT(Take(ashlar_session_set_counter(session_, "count", -1)), HasSubstr("E0512"));
  const std::string file = directory_ + "/state";
  ASSERT_EQ(Take(ashlar_session_save(session_, file.c_str())), "");
  ASSERT_EQ(Take(ashlar_session_reset(session_)), "");
  ASSERT_EQ(Take(ashlar_session_load(session_, file.c_str())), "");
  EXPECT_EQ(step(), "");
  EXPECT_EQ(static_cast<int64_t*>(output.data)[0], total += 5);
  EXPECT_THAT(Take(ashlar_session_load(session_, path_.c_str())), HasSubstr("E0513"));
  ashlar_cancellation_release(cancellation);
}

struct Host {
  std::atomic<int> launches{0}, allocated{0}, released{0};
  std::vector<std::string> log;
};

TEST_F(CApiTest, UsesWhatTheApplicationBrings) {
  Host host;
  ashlar_executor executor = ASHLAR_INIT(ashlar_executor);
  executor.context = &host;
  executor.workers = 2;
  executor.run = [](void* context, int64_t items, ashlar_range_function function, void* launch) {
    ++static_cast<Host*>(context)->launches;
    std::thread other([&] { function(launch, items / 2, items, 1); });
    function(launch, 0, items / 2, 0);
    other.join();
  };
  ashlar_allocator allocator = ASHLAR_INIT(ashlar_allocator);
  allocator.context = &host;
  allocator.allocate = [](void* context, uint64_t bytes, uint64_t alignment) -> void* {
    ++static_cast<Host*>(context)->allocated;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  };
  allocator.release = [](void* context, void* data, uint64_t) {
    ++static_cast<Host*>(context)->released;
    std::free(data);
  };
  ashlar_thread_pool* threads = nullptr;
  ashlar_memory_pool* memory = nullptr;
  ASSERT_EQ(Take(ashlar_thread_pool_wrap(&executor, &threads)), "");
  ASSERT_EQ(Take(ashlar_memory_pool_create(15000, &allocator, &memory)), "");
  EXPECT_EQ(ashlar_thread_pool_size(threads), 2);

  ashlar_program_options load = ASHLAR_INIT(ashlar_program_options);
  std::string cache = path_ + "/cache";  // not a directory
  load.cache_directory = cache.c_str();
  load.threads = threads;
  load.log_context = &host;
  load.log = [](void* context, int32_t level, const char* message) {
    if (level == 1) static_cast<Host*>(context)->log.push_back(message);
  };
  ashlar_program* program = nullptr;
  ASSERT_EQ(Take(ashlar_program_load(path_.c_str(), &load, &program)), "");
  ASSERT_EQ(host.log.size(), 1u);
  EXPECT_THAT(host.log[0], HasSubstr("cache"));

  ashlar_session_options options = ASHLAR_INIT(ashlar_session_options);
  options.thread_pool = threads;
  options.memory_pool = memory;
  ashlar_session* own = session_;
  ASSERT_EQ(Take(ashlar_session_create(program, &options, &session_)), "");
  ashlar_session* second = nullptr;
  EXPECT_THAT(Take(ashlar_session_create(program, &options, &second)), HasSubstr("E0402"));
  ashlar_program_release(program);
  ashlar_thread_pool_release(threads);
  EXPECT_GT(ashlar_memory_pool_in_use(memory), 9600u);
  ashlar_memory_pool_release(memory);
  host.launches = 0;
  EXPECT_EQ(Forward(), "");
  EXPECT_EQ(host.launches, 2);
  ashlar_session_release(session_);
  session_ = own;
  EXPECT_EQ(host.allocated, 1);
  EXPECT_EQ(host.released, 1);

  std::vector<char> buffer(32768);
  options = ASHLAR_INIT(ashlar_session_options);
  options.threads = 1;
  options.buffer = buffer.data() + (64 - reinterpret_cast<uintptr_t>(buffer.data()) % 64);
  options.buffer_bytes = 1000;
  EXPECT_THAT(Take(ashlar_session_create(program_, &options, &second)), HasSubstr("E0403"));
  options.buffer_bytes = 32000;
  ASSERT_EQ(Take(ashlar_session_create(program_, &options, &second)), "");
  ashlar_session_release(second);
}

}  // namespace
}  // namespace ashlar
