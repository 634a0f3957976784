// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text and generating through the C interface, as a C program would use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/api/ashlar.h"
#include "runtime/base/file.h"
#include "runtime/testing/tiny_decoder.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Ids = std::vector<int64_t>;

// "" for success, else "E0501: ...".
std::string Take(ashlar_error* error) {
  if (!error) return "";
  std::string text = std::string(ashlar_error_name(error)) + ": " + ashlar_error_message(error);
  ashlar_error_release(error);
  return text;
}

// The tiny decoder, (3 * id + n) % 50 after n tokens, with words for its ids.
class TextApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_text_api_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    std::string vocabulary = "[PAD]\n[CLS]\nonce\n[SEP]\n[UNK]\n";
    for (int id = 5; id < 50; ++id)
      vocabulary += id == 9    ? "hello\n"
                    : id == 30 ? "##ing\n"
                    : id == 37 ? "wörld\n"
                               : "w" + std::to_string(id) + "\n";
    ASSERT_TRUE(WriteFile(directory_ + "/vocab.txt", vocabulary).ok());
    ASSERT_TRUE(testing::TinyDecoder("7").Write(directory_ + "/x.ashlar").ok());
    ASSERT_EQ(Take(ashlar_tokenizer_load(directory_.c_str(), &tokenizer_)), "");
    ashlar_program* program = nullptr;
    ASSERT_EQ(Take(ashlar_program_load((directory_ + "/x.ashlar").c_str(), nullptr, &program)), "");
    ASSERT_EQ(Take(ashlar_generator_create(program, nullptr, tokenizer_, &generator_)), "");
    ASSERT_EQ(Take(ashlar_generator_create(program, nullptr, nullptr, &wordless_)), "");
    ashlar_program_release(program);
  }
  void TearDown() override {
    ashlar_generator_release(generator_);
    ashlar_generator_release(wordless_);
    ashlar_tokenizer_release(tokenizer_);
    std::filesystem::remove_all(directory_);
  }

  static ashlar_prompt Tokens(const Ids& tokens) {
    ashlar_prompt prompt = ASHLAR_INIT(ashlar_prompt);
    prompt.tokens = tokens.data();
    prompt.token_count = tokens.size();
    return prompt;
  }
  static ashlar_prompt Text(const char* text) {
    ashlar_prompt prompt = ASHLAR_INIT(ashlar_prompt);
    prompt.text = text;
    return prompt;
  }
  // "tokens|text|finish" of the only result, or the error.
  static std::string Run(ashlar_generator* generator, const ashlar_prompt& prompt,
                         const ashlar_generate_options* options) {
    ashlar_generations* results = nullptr;
    std::string error = Take(ashlar_generator_run(generator, &prompt, 1, options, &results));
    if (!error.empty()) return error;
    EXPECT_EQ(ashlar_generations_count(results), 1u);
    ashlar_generation result = ASHLAR_INIT(ashlar_generation);
    EXPECT_EQ(Take(ashlar_generations_get(results, 0, &result)), "");
    EXPECT_THAT(Take(ashlar_generations_get(results, 1, &result)), HasSubstr("E0801"));
    std::string told;
    for (size_t i = 0; i < result.token_count; ++i)
      told += (i ? "," : "") + std::to_string(result.tokens[i]);
    told += std::string("|") + result.text + "|" + result.finish;
    EXPECT_EQ(std::string(result.text).size(), result.text_size);
    if (options && options->log_probabilities)
      for (size_t i = 0; i < result.token_count; ++i) EXPECT_LT(result.log_probabilities[i], 0);
    else
      EXPECT_EQ(result.log_probabilities, nullptr);
    ashlar_generations_release(results);
    return told;
  }

  // Run where nothing of the prompt is in the cache: this model's answers depend on its step.
  static std::string Fresh(ashlar_generator* generator, const ashlar_prompt& prompt,
                           const ashlar_generate_options* options) {
    ashlar_generate_options one = ASHLAR_INIT(ashlar_generate_options);
    one.max_tokens = 1;
    const Ids other = {6};
    EXPECT_EQ(Run(generator, Tokens(other), &one).substr(0, 3), "18|");
    return Run(generator, prompt, options);
  }

  std::string directory_;
  ashlar_tokenizer* tokenizer_ = nullptr;
  ashlar_generator *generator_ = nullptr, *wordless_ = nullptr;
};

TEST_F(TextApiTest, Encodes) {
  EXPECT_EQ(ashlar_tokenizer_find(tokenizer_, "[SEP]"), 3);
  EXPECT_EQ(ashlar_tokenizer_find(tokenizer_, "[MASK]"), -1);
  const char* texts[] = {"Once helloing", "w\xc3\xb6rld"};
  const char* pairs[] = {"w11", "once"};
  ashlar_encoding* encoding = nullptr;
  ASSERT_EQ(Take(ashlar_tokenizer_encode(tokenizer_, texts, pairs, 2, nullptr, &encoding)), "");
  ashlar_encoded seen = ASHLAR_INIT(ashlar_encoded);
  ASSERT_EQ(Take(ashlar_encoding_view(encoding, &seen)), "");
  EXPECT_EQ(seen.rows, 2);
  ASSERT_EQ(seen.length, 7);
  EXPECT_EQ(Ids(seen.ids, seen.ids + 14), (Ids{1, 2, 9, 30, 3, 11, 3, 1, 4, 3, 2, 3, 0, 0}));
  EXPECT_EQ(Ids(seen.attention_mask, seen.attention_mask + 14),
            (Ids{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(Ids(seen.sequences, seen.sequences + 7), (Ids{-1, 0, 0, 0, -1, 1, -1}));
  EXPECT_EQ(Ids(seen.offsets + 2, seen.offsets + 8), (Ids{0, 4, 5, 10, 10, 13}));
  ashlar_encoding_release(encoding);

  ashlar_encode_options options = ASHLAR_INIT(ashlar_encode_options);
  options.no_special_tokens = 1;
  options.max_length = 2;
  ASSERT_EQ(Take(ashlar_tokenizer_encode(tokenizer_, texts, nullptr, 1, &options, &encoding)), "");
  ASSERT_EQ(Take(ashlar_encoding_view(encoding, &seen)), "");
  EXPECT_EQ(Ids(seen.ids, seen.ids + seen.length), (Ids{2, 9}));
  ashlar_encoding_release(encoding);
  ashlar_tokenizer* none = tokenizer_;
  EXPECT_THAT(Take(ashlar_tokenizer_load((directory_ + "/none").c_str(), &none)), HasSubstr("E0"));
  EXPECT_EQ(none, nullptr);
}

TEST_F(TextApiTest, DecodesAtOnceAndByTheToken) {
  const Ids ids = {1, 9, 30, 11, 3};
  char* text = nullptr;
  size_t size = 0;
  ASSERT_EQ(Take(ashlar_tokenizer_decode(tokenizer_, ids.data(), ids.size(), 0, &text, &size)), "");
  EXPECT_STREQ(text, "helloing w11");
  EXPECT_EQ(size, 12u);
  ashlar_text_release(text);
  ashlar_decoder* decoder = nullptr;
  ASSERT_EQ(Take(ashlar_decoder_create(tokenizer_, /*keep_special_tokens=*/1, &decoder)), "");
  std::string told;
  const char* piece = nullptr;
  for (int64_t id : ids) {
    ASSERT_EQ(Take(ashlar_decoder_push(decoder, id, &piece, &size)), "");
    told.append(piece, size);
  }
  ASSERT_EQ(Take(ashlar_decoder_finish(decoder, &piece, nullptr)), "");
  EXPECT_EQ(told + piece, "[CLS] helloing w11 [SEP]");
  EXPECT_THAT(Take(ashlar_decoder_push(decoder, 9, &piece, &size)), HasSubstr("E0801"));
  ashlar_decoder_release(decoder);
}

TEST_F(TextApiTest, Generates) {
  ashlar_generate_options options = ASHLAR_INIT(ashlar_generate_options);
  options.max_tokens = 4;
  options.log_probabilities = 1;
  const Ids ids = {1, 2, 3};
  EXPECT_EQ(Fresh(wordless_, Tokens(ids), &options), "9,30,44,37||length");
  EXPECT_EQ(Fresh(generator_, Text("Once"), &options),
            "9,30,44,37|helloing w44 w\xc3\xb6rld|length");
  const char* stops[] = {"w4"};
  options.stop_strings = stops;
  options.stop_string_count = 1;
  EXPECT_EQ(Fresh(generator_, Text("Once"), &options), "9,30,44|helloing |stop_string");
  options.stop_string_count = 0;
  const int64_t stop = 30;
  options.stop_tokens = &stop;
  options.stop_token_count = 1;
  EXPECT_EQ(Fresh(wordless_, Tokens(ids), &options), "9,30||stop_token");
  options.stop_token_count = 0;
  struct Told {
    Ids tokens;
    std::string text;
  } told;
  options.on_token_context = &told;
  options.on_token = [](void* context, size_t prompt, int64_t token, const char* text,
                        size_t size) -> int32_t {
    auto* told = static_cast<Told*>(context);
    told->tokens.push_back(token);
    told->text.append(text, size);
    return prompt == 0 && told->tokens.size() == 2;
  };
  EXPECT_EQ(Fresh(generator_, Text("Once"), &options), "9,30|helloing|caller");
  EXPECT_EQ(told.text, "helloing");
  EXPECT_EQ(told.tokens.front(), 9);
  EXPECT_EQ(ashlar_generator_context(generator_), 24);
}

TEST_F(TextApiTest, SavesAndRestores) {
  ashlar_generate_options options = ASHLAR_INIT(ashlar_generate_options);
  options.max_tokens = 4;
  const std::string file = directory_ + "/session";
  ASSERT_EQ(Run(wordless_, Tokens({1, 2, 3}), &options), "9,30,44,37||length");
  ASSERT_EQ(Take(ashlar_generator_save(wordless_, file.c_str())), "");
  ASSERT_EQ(Take(ashlar_generator_load(generator_, file.c_str())), "");
  options.max_tokens = 1;
  const Ids ids = {1, 2, 3, 9, 30, 44, 37};
  EXPECT_THAT(Run(generator_, Tokens(ids), &options), HasSubstr("17|"));  // 3 * 37 + 6
  EXPECT_THAT(Take(ashlar_generator_load(generator_, (directory_ + "/vocab.txt").c_str())),
              HasSubstr("E0513"));
}

TEST_F(TextApiTest, WrongCallsAreErrors) {
  ashlar_generate_options options = ASHLAR_INIT(ashlar_generate_options);
  EXPECT_THAT(Run(wordless_, Text("Once"), nullptr), HasSubstr("E0801: prompt 0 is a text"));
  EXPECT_THAT(Run(wordless_, Tokens({}), nullptr), HasSubstr("prompt 0 has no tokens"));
  EXPECT_THAT(Run(wordless_, Tokens(Ids(25, 1)), nullptr), HasSubstr("E0507"));
  options.beams = 2;
  EXPECT_THAT(Run(wordless_, Tokens({1}), &options), HasSubstr("2 beams"));
  options.beams = 0;
  options.stop_string_count = 1;
  EXPECT_THAT(Run(wordless_, Tokens({1}), &options), HasSubstr("E0801"));
  options.stop_string_count = 0;
  ashlar_cancellation* cancellation = nullptr;
  ASSERT_EQ(Take(ashlar_cancellation_create(&cancellation)), "");
  ashlar_cancellation_cancel(cancellation);
  options.cancellation = cancellation;
  EXPECT_THAT(Run(wordless_, Tokens({1}), &options), HasSubstr("E0508"));
  ashlar_cancellation_reset(cancellation);
  EXPECT_THAT(Run(wordless_, Tokens({1}), &options), HasSubstr("3,"));
  ashlar_cancellation_release(cancellation);
  ashlar_generator* none = nullptr;
  EXPECT_THAT(Take(ashlar_generator_create(nullptr, nullptr, nullptr, &none)), HasSubstr("E0801"));
}

}  // namespace
}  // namespace ashlar
