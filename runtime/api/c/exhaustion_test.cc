// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A heap that is used up, at every single allocation of loading, running, tokenizing and
// generating: each call succeeds or is E0401, nothing is lost, and once there is memory again, all
// goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "runtime/api/ashlar.h"
#include "runtime/base/file.h"
#include "runtime/testing/tiny_decoder.h"

namespace {
// How many allocations succeed before one does not.
std::atomic<int64_t> remaining{std::numeric_limits<int64_t>::max()};
// Whether that is then true of all further ones, too.
std::atomic<bool> stays{false};

void* Allocate(size_t size, size_t alignment) {
  int64_t left = remaining.fetch_sub(1);
  if (left == 0 || (left < 0 && stays)) throw std::bad_alloc();
  void* memory = alignment
                     ? std::aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1))
                     : std::malloc(size ? size : 1);
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(size_t size) { return Allocate(size, 0); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace ashlar {
namespace {

ashlar_program* program = nullptr;
ashlar_session* session = nullptr;
ashlar_tokenizer* tokenizer = nullptr;
ashlar_encoding* encoding = nullptr;
ashlar_generator* generator = nullptr;
ashlar_generations* generations = nullptr;
char* decoded = nullptr;
std::vector<float> logits;

void ReleaseAll() {
  ashlar_generations_release(std::exchange(generations, nullptr));
  ashlar_generator_release(std::exchange(generator, nullptr));
  ashlar_encoding_release(std::exchange(encoding, nullptr));
  ashlar_tokenizer_release(std::exchange(tokenizer, nullptr));
  ashlar_session_release(std::exchange(session, nullptr));
  ashlar_program_release(std::exchange(program, nullptr));
  ashlar_text_release(std::exchange(decoded, nullptr));
}

// While it lives, allocations fail: the one after `successes` others, and with `all` those after
// it.
class Shortage {
 public:
  Shortage(int64_t successes, bool all) {
    stays = all;
    remaining = successes;
  }
  ~Shortage() { remaining = std::numeric_limits<int64_t>::max(); }
  static bool Happened() { return remaining < 0; }
};

class ExhaustionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_exhaustion_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    std::string vocabulary = "[PAD]\n[CLS]\nonce\n[SEP]\n[UNK]\n";
    for (int id = 5; id < 50; ++id) vocabulary += "w" + std::to_string(id) + "\n";
    ASSERT_TRUE(WriteFile(directory_ + "/vocab.txt", vocabulary).ok());
    artifact_ = directory_ + "/x.ashlar";
    ASSERT_TRUE(testing::TinyDecoder("7").Write(artifact_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Calls the steps in turn under a shortage that begins ever later, until none fails for it. A
  // step that fails is called again without a shortage, and must then succeed.
  // `seen` describes what the steps have made, and is the same every time.
  template <typename... Steps>
  void Exhaust(std::string (*seen)(), Steps... steps) {
    for (bool all : {false, true}) {
      bool met = true;
      for (int64_t successes = 0; met && !HasFailure(); ++successes) {
        met = false;
        (Survive(steps, successes, all, &met), ...);
        if (HasFailure()) return;
        if (expected_.empty()) expected_ = seen();
        EXPECT_EQ(seen(), expected_);
        ReleaseAll();
        ASSERT_LT(successes, 20000) << "the shortage is met for ever";
      }
    }
  }

  template <typename Step>
  void Survive(const Step& step, int64_t successes, bool all, bool* met) {
    ashlar_error* error = nullptr;
    {
      Shortage shortage(successes, all);
      error = step();
      *met = *met || Shortage::Happened();
    }
    if (!error) return;
    EXPECT_STREQ(ashlar_error_name(error), "E0401") << ashlar_error_message(error);
    EXPECT_STRNE(ashlar_error_message(error), "");
    ashlar_error_release(error);
    ++errors_;
    error = step();
    EXPECT_EQ(error, nullptr) << ashlar_error_message(error);
    ashlar_error_release(error);
  }

  std::string directory_, artifact_, expected_;
  int64_t errors_ = 0;
};

TEST_F(ExhaustionTest, LoadingAndSteps) {
  int64_t ids[] = {3, 4};
  const int64_t shape[] = {1, 2};
  ashlar_tensor input = ASHLAR_INIT(ashlar_tensor);
  input.name = "input_ids";
  input.dtype = ASHLAR_I64;
  input.rank = 2;
  input.shape = shape;
  input.data = ids;
  ashlar_session_options options = ASHLAR_INIT(ashlar_session_options);
  options.threads = 2;
  auto run = [&] {
    ashlar_tensor output = ASHLAR_INIT(ashlar_tensor);
    ashlar_error* error = ashlar_session_run(session, "prefill", &input, 1, &output, 1, nullptr);
    if (!error)
      logits.assign(static_cast<float*>(output.data), static_cast<float*>(output.data) + 50);
    return error;
  };
  Exhaust([] { return ::testing::PrintToString(logits); },
          [&] { return ashlar_program_load(artifact_.c_str(), nullptr, &program); },
          [&] { return ashlar_session_create(program, &options, &session); },
          [&] {
            // What a step that was broken off leaves behind is not gone on with.
            if (ashlar_error* error = run()) {
              if (std::string(ashlar_error_name(error)) != "E0510") return error;
              ashlar_error_release(error);
              error = ashlar_session_reset(session);
              return error ? error : run();
            }
            return static_cast<ashlar_error*>(nullptr);
          });
  EXPECT_GT(errors_, 100);
}

TEST_F(ExhaustionTest, Text) {
  const char* texts[] = {"once w7", "w8"};
  const int64_t ids[] = {2, 7, 8};
  Exhaust(
      [] {
        ashlar_encoded view = ASHLAR_INIT(ashlar_encoded);
        EXPECT_EQ(ashlar_encoding_view(encoding, &view), nullptr);
        return ::testing::PrintToString(
                   std::vector<int64_t>(view.ids, view.ids + view.rows * view.length)) +
               decoded;
      },
      [&] { return ashlar_tokenizer_load(directory_.c_str(), &tokenizer); },
      [&] { return ashlar_tokenizer_encode(tokenizer, texts, nullptr, 2, nullptr, &encoding); },
      [&] { return ashlar_tokenizer_decode(tokenizer, ids, 3, 0, &decoded, nullptr); });
  EXPECT_EQ(expected_, "{ 1, 2, 7, 3, 1, 8, 3, 0 }once w7 w8");
  EXPECT_GT(errors_, 100);
}

TEST_F(ExhaustionTest, AStreamThatWasBrokenOffIsNotGoneOnWith) {
  ASSERT_EQ(ashlar_tokenizer_load(directory_.c_str(), &tokenizer), nullptr);
  int64_t torn = 0;
  for (int64_t successes = 0; successes < 100; ++successes) {
    ashlar_decoder* decoder = nullptr;
    ASSERT_EQ(ashlar_decoder_create(tokenizer, 0, &decoder), nullptr);
    const char* text = nullptr;
    ashlar_error* error = nullptr;
    {
      Shortage shortage(successes, /*all=*/false);
      for (int i = 0; !error && i < 3; ++i) error = ashlar_decoder_push(decoder, 7, &text, nullptr);
    }
    if (error) {
      EXPECT_STREQ(ashlar_error_name(error), "E0401");
      ashlar_error_release(error);
      error = ashlar_decoder_push(decoder, 7, &text, nullptr);
      ASSERT_NE(error, nullptr);
      EXPECT_THAT(ashlar_error_message(error), ::testing::HasSubstr("broken off; make another"));
      ashlar_error_release(error);
      ++torn;
    }
    ashlar_decoder_release(decoder);
  }
  EXPECT_GT(torn, 0);
  ReleaseAll();
}

TEST_F(ExhaustionTest, Generating) {
  ashlar_prompt prompt = ASHLAR_INIT(ashlar_prompt);
  prompt.text = "once w8";
  const int64_t token = 6;
  ashlar_prompt other = ASHLAR_INIT(ashlar_prompt);
  other.tokens = &token;
  other.token_count = 1;
  ashlar_generate_options options = ASHLAR_INIT(ashlar_generate_options);
  options.max_tokens = 3;
  options.ignore_eos = 1;
  const std::string state = directory_ + "/state";
  Exhaust(
      [] {
        ashlar_generation view = ASHLAR_INIT(ashlar_generation);
        EXPECT_EQ(ashlar_generations_get(generations, 0, &view), nullptr);
        return std::string(view.text);
      },
      [&] { return ashlar_program_load(artifact_.c_str(), nullptr, &program); },
      [&] { return ashlar_tokenizer_load(directory_.c_str(), &tokenizer); },
      [&] { return ashlar_generator_create(program, nullptr, tokenizer, &generator); },
      [&] {
        // First another prompt: this model's answers depend on how much of a prompt is in the
        // cache.
        ashlar_error* error = ashlar_generator_run(generator, &other, 1, &options, &generations);
        ashlar_generations_release(std::exchange(generations, nullptr));
        return error ? error : ashlar_generator_run(generator, &prompt, 1, &options, &generations);
      },
      [&] { return ashlar_generator_save(generator, state.c_str()); },
      [&] { return ashlar_generator_load(generator, state.c_str()); });
  EXPECT_GT(errors_, 100);
}

}  // namespace
}  // namespace ashlar
