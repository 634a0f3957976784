// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generating with compiled models: prompts of different lengths together and alone, caches that are
// saved and restored, and what transformers makes of a trained model.

#include "test/lib/Execution.h"

#include "compiler/Import/HuggingFace.h"
#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/generate/generator.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gmock/gmock.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using Prompts = std::vector<std::vector<int64_t>>;

class Generate : public testing::Test {
protected:
  /// A generator over a model of `directory`, or null after a failure.
  std::unique_ptr<Generator> make(const std::string &directory, DimBounds batch, DimBounds seq,
                                  int64_t context, CacheElement cache = CacheElement::F32) {
    ImportOptions options;
    options.directory = directory;
    options.batch = batch;
    options.seq = seq;
    options.context = context;
    options.cache = cache;
    OwningOpRef<ModuleOp> module = importHuggingFace(mlirContext, options);
    if (!module)
      return nullptr;
    auto compiled =
        CompiledModule::create(*module, getCpuBackends().back(), {directory}, /*threads=*/1);
    if (!compiled)
      return nullptr;
    auto generator = Generator::Create(compiled->takeSession(), nullptr);
    EXPECT_TRUE(generator.ok()) << generator.status();
    return generator.ok() ? *std::move(generator) : nullptr;
  }
  /// Over the small model of the goldens, which is compiled once for each set of bounds.
  std::unique_ptr<Generator> makeSmall(DimBounds batch = {1, 3}, DimBounds seq = {1, 5},
                                       int64_t context = 24,
                                       CacheElement cache = CacheElement::F32) {
    static std::map<std::array<int64_t, 4>, std::shared_ptr<const BoundProgram>> compiled;
    auto &program = compiled[{batch.minimum, seq.maximum, context, static_cast<int64_t>(cache)}];
    if (!program) {
      auto first = make(ASHLAR_GOLDENS "/llama", batch, seq, context, cache);
      if (!first)
        return nullptr;
      program = first->session().shared_program();
    }
    SessionOptions options;
    options.threads = 1;
    auto session = Session::Create(program, options);
    EXPECT_TRUE(session.ok()) << session.status();
    auto generator = Generator::Create(*std::move(session), nullptr);
    EXPECT_TRUE(generator.ok()) << generator.status();
    return *std::move(generator);
  }

  MLIRContext mlirContext;
};

Generation only(absl::StatusOr<std::vector<Generation>> results) {
  EXPECT_TRUE(results.ok()) << results.status();
  EXPECT_TRUE(!results.ok() || results->size() == 1);
  return results.ok() && results->size() == 1 ? (*results)[0] : Generation();
}

/// Prompts shorter and longer than a step of five tokens; more than a batch of three.
const Prompts kPrompts = {{7, 3, 9},
                          {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                          {50},
                          {5, 5, 5, 5, 5},
                          {20, 21, 22, 23, 24, 25}};

TEST_F(Generate, PromptsOfDifferentLengthsAreAsAlone) {
  auto together = makeSmall(), alone = makeSmall();
  ASSERT_TRUE(together && alone);
  GenerateOptions options;
  options.max_tokens = 9;
  options.ignore_eos = true;
  options.log_probabilities = true;
  // Tokens at which some of them end before others.
  auto free = together->Generate(kPrompts, options);
  ASSERT_TRUE(free.ok()) << free.status();
  options.stop_tokens = {(*free)[0].tokens[2], (*free)[4].tokens[5]};
  auto results = together->Generate(kPrompts, options);
  ASSERT_TRUE(results.ok()) << results.status();
  std::set<size_t> lengths;
  for (size_t i = 0; i < kPrompts.size(); ++i) {
    Generation expected = only(alone->Generate({kPrompts[i]}, options));
    EXPECT_EQ((*results)[i].prompt, i);
    EXPECT_EQ((*results)[i].tokens, expected.tokens) << i;
    EXPECT_EQ((*results)[i].log_probabilities, expected.log_probabilities) << i;
    EXPECT_EQ((*results)[i].finish, expected.finish) << i;
    lengths.insert(expected.tokens.size());
  }
  EXPECT_GT(lengths.size(), 1u);
}

TEST_F(Generate, ExtentsThatAreFixedAreFilledUp) {
  auto free = makeSmall(), fixed = makeSmall({3, 3}, {4, 4});
  ASSERT_TRUE(free && fixed);
  GenerateOptions options;
  options.max_tokens = 6;
  options.ignore_eos = true;
  for (const auto &prompt : kPrompts)
    EXPECT_EQ(only(fixed->Generate({prompt}, options)).tokens,
              only(free->Generate({prompt}, options)).tokens);
}

TEST_F(Generate, AContextThatIsFullEndsIt) {
  auto generator = makeSmall();
  ASSERT_TRUE(generator);
  GenerateOptions options;
  options.max_tokens = 100;
  options.ignore_eos = true;
  // The prompt and all but the last new token are in the cache.
  for (size_t length : {1, 13, 24}) {
    Generation result = only(generator->Generate({std::vector<int64_t>(length, 3)}, options));
    EXPECT_EQ(result.tokens.size(), 24 - length + 1);
    EXPECT_EQ(result.finish, FinishReason::kContext);
  }
  auto results = generator->Generate({std::vector<int64_t>(25, 3)}, options);
  EXPECT_EQ(CodeOf(results.status()), ErrorCode::kContextFull);
  EXPECT_THAT(std::string(results.status().message()),
              testing::HasSubstr("compile with --context 25 or more"));
  options.beams = 2;
  EXPECT_EQ(only(generator->Generate({std::vector<int64_t>(20, 3)}, options)).finish,
            FinishReason::kContext);
}

TEST_F(Generate, OptionsThatMakeNoSenseAreErrors) {
  auto generator = makeSmall();
  ASSERT_TRUE(generator);
  auto error = [&](auto change, Prompts prompts = {{1}}) {
    GenerateOptions options;
    change(options);
    return std::string(generator->Generate(prompts, options).status().message());
  };
  using testing::HasSubstr;
  EXPECT_THAT(error([](auto &) {}, {{1}, {}}), HasSubstr("prompt 1 has no tokens"));
  EXPECT_THAT(error([](auto &) {}, {{53}}), HasSubstr("is 53, expected 0..52"));
  EXPECT_THAT(error([](auto &o) { o.stop_strings = {"x"}; }), HasSubstr("want a tokenizer"));
  EXPECT_THAT(error([](auto &o) { o.beams = 4; }), HasSubstr("compile with --batch 1..4"));
  EXPECT_THAT(error([](auto &o) { o.results = 2; }), HasSubstr("results is 2, expected 1..1"));
  EXPECT_THAT(error([](auto &o) { o.beams = 2, o.sampling.temperature = 1; }),
              HasSubstr("beam search takes neither"));
  EXPECT_EQ(CodeOf(generator->GenerateText({"a"}, {}).status()), ErrorCode::kInvalidArgument);
  // And nothing is lost by them.
  EXPECT_EQ(only(generator->Generate({{1}}, {})).tokens,
            only(makeSmall()->Generate({{1}}, {})).tokens);
}

TEST_F(Generate, ACancelledCallLeavesAGeneratorThatWorks) {
  auto generator = makeSmall();
  ASSERT_TRUE(generator);
  GenerateOptions options;
  options.ignore_eos = true;
  options.max_tokens = 8;
  const std::vector<int64_t> expected =
      only(generator->Generate(Prompts{{4, 5, 6}}, options)).tokens;
  Cancellation cancellation;
  GenerateOptions cancelled = options;
  cancelled.run.cancellation = &cancellation;
  int calls = 0;
  cancelled.on_token = [&](const GeneratedToken &) {
    if (++calls == 3)
      cancellation.Cancel();
    return true;
  };
  EXPECT_EQ(CodeOf(generator->Generate({{4, 5, 6}}, cancelled).status()), ErrorCode::kCancelled);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(only(generator->Generate({{4, 5, 6}}, options)).tokens, expected);
  cancelled.on_token = [&](const GeneratedToken &token) { return token.token != expected[1]; };
  cancelled.run = {};
  Generation ended = only(generator->Generate({{4, 5, 6}}, cancelled));
  EXPECT_EQ(ended.finish, FinishReason::kCaller);
  EXPECT_EQ(ended.tokens.back(), expected[1]);
}

TEST_F(Generate, ASavedSessionGoesOnAsIfNothingHadHappened) {
  auto first = makeSmall(), second = makeSmall();
  ASSERT_TRUE(first && second);
  const std::string path = testing::TempDir() + "generate-" + std::to_string(getpid());
  GenerateOptions options;
  options.ignore_eos = true;
  options.max_tokens = 12;
  const std::vector<int64_t> prompt = {7, 3, 9, 1, 1, 4};
  const std::vector<int64_t> whole = only(first->Generate({prompt}, options)).tokens;
  options.max_tokens = 5;
  std::vector<int64_t> history = prompt;
  for (int64_t token : only(first->Generate({prompt}, options)).tokens)
    history.push_back(token);
  ASSERT_TRUE(first->Save(path).ok());
  absl::Status loaded = second->Load(path);
  ASSERT_TRUE(loaded.ok()) << loaded;
  // Every cached token counts: with another in its place the numbers are others.
  options.max_tokens = 7;
  options.log_probabilities = true;
  Generation rest = only(second->Generate({history}, options));
  EXPECT_EQ(rest.tokens, std::vector<int64_t>(whole.begin() + 5, whole.end()));
  EXPECT_EQ(rest.log_probabilities,
            only(makeSmall()->Generate({history}, options)).log_probabilities);
  // What was saved, not what the prompt says, is what attention sees.
  auto bytes = ReadFile(path, 1 << 24);
  ASSERT_TRUE(bytes.ok());
  EXPECT_LT(bytes->size(), size_t{1} << 20);

  // Another program's session refuses it.
  auto other = makeSmall({1, 3}, {1, 5}, 32);
  ASSERT_TRUE(other);
  absl::Status refused = other->Load(path);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kBadStateFile);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("another program"));
  llvm::sys::fs::remove(path);
}

TEST_F(Generate, CachesOf16BitsAreSavedAndForked) {
  const std::string path = testing::TempDir() + "generate-narrow-" + std::to_string(getpid());
  auto wide = makeSmall();
  ASSERT_TRUE(wide);
  ASSERT_TRUE(wide->Generate(Prompts{{7, 3, 9, 1, 1, 4}}, {}).ok());
  ASSERT_TRUE(wide->Save(path).ok());
  for (CacheElement cache : {CacheElement::BF16, CacheElement::F16}) {
    auto small = [&] { return makeSmall({1, 3}, {1, 5}, 24, cache); };
    auto first = small(), second = small();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(CodeOf(first->Load(path)), ErrorCode::kBadStateFile); // of f32
    GenerateOptions options;
    options.ignore_eos = true;
    options.log_probabilities = true;
    options.max_tokens = 12;
    const std::vector<int64_t> prompt = {7, 3, 9, 1, 1, 4};
    const Generation whole = only(first->Generate({prompt}, options));
    options.max_tokens = 5;
    std::vector<int64_t> history = prompt;
    for (int64_t token : only(first->Generate({prompt}, options)).tokens)
      history.push_back(token);
    const std::string own = path + "-own";
    ASSERT_TRUE(first->Save(own).ok());
    ASSERT_TRUE(second->Load(own).ok());
    options.max_tokens = 7;
    Generation rest = only(second->Generate({history}, options));
    EXPECT_EQ(rest.tokens, std::vector<int64_t>(whole.tokens.begin() + 5, whole.tokens.end()));
    EXPECT_EQ(rest.log_probabilities, std::vector<float>(whole.log_probabilities.begin() + 5,
                                                         whole.log_probabilities.end()));
    // Beams fork what is cached, whatever was cached before.
    options.beams = 3;
    EXPECT_EQ(only(second->Generate({prompt}, options)).log_probabilities,
              only(small()->Generate({prompt}, options)).log_probabilities);
    llvm::sys::fs::remove(own);
  }
  llvm::sys::fs::remove(path);
}

/// Runs of a trained model against transformers' (runtime/generate/testdata/make_oracle.py).
TEST_F(Generate, ATrainedModelGoesOnAsInTransformers) {
  const char *data = std::getenv("ASHLAR_SHARED_DATA");
  std::string directory = std::string(data ? data : "") + "/checkpoints/stories260k_hf";
  if (!llvm::sys::fs::exists(directory + "/model.safetensors"))
    GTEST_SKIP() << directory << " is absent";
  auto text = llvm::MemoryBuffer::getFile(ASHLAR_GENERATE_ORACLE "/decoder.json");
  ASSERT_TRUE(bool(text));
  llvm::json::Value oracle = llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
  auto generator = make(directory, {1, 4}, {1, 16}, 64);
  ASSERT_TRUE(generator);
  auto integers = [](const llvm::json::Array &array) {
    std::vector<int64_t> values;
    for (const llvm::json::Value &value : array)
      values.push_back(*value.getAsInteger());
    return values;
  };
  int completed = 0;
  for (const llvm::json::Value &value : *oracle.getAsObject()->getArray("runs")) {
    const llvm::json::Object &run = *value.getAsObject();
    GenerateOptions options;
    options.max_tokens = *oracle.getAsObject()->getInteger("max_tokens");
    options.ignore_eos = true;
    options.stop_tokens = {*run.getInteger("eos_token_id")};
    options.beams = options.results = *run.getInteger("num_beams");
    options.length_penalty = *run.getNumber("length_penalty");
    options.sampling.repetition_penalty = *run.getNumber("repetition_penalty");
    options.log_probabilities = true;
    auto results = generator->Generate({integers(*run.getArray("prompt"))}, options);
    ASSERT_TRUE(results.ok()) << results.status();
    const llvm::json::Array &expected = *run.getArray("results");
    ASSERT_EQ(results->size(), expected.size());
    for (size_t i = 0; i < results->size(); ++i) {
      const llvm::json::Object &theirs = *expected[i].getAsObject();
      const Generation &ours = (*results)[i];
      EXPECT_EQ(ours.tokens, integers(*theirs.getArray("tokens")));
      EXPECT_NEAR(ours.score, *theirs.getNumber("score"), 2e-4);
      const llvm::json::Array &logs = *theirs.getArray("log_probabilities");
      ASSERT_EQ(ours.log_probabilities.size(), logs.size());
      for (size_t t = 0; t < logs.size(); ++t)
        EXPECT_NEAR(ours.log_probabilities[t], *logs[t].getAsNumber(), 2e-4);
      completed += ours.finish == FinishReason::kStopToken;
    }
  }
  EXPECT_GT(completed, 3);
}

} // namespace
} // namespace ashlar::test
