// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar.h: generating.
#include "runtime/api/c/text_handles.h"
#include "runtime/generate/generator.h"

struct ashlar_generator {
  std::unique_ptr<ashlar::Generator> generator;
  mutable std::atomic<bool> busy{false};  // a call is under way
};

struct ashlar_generations {
  std::vector<ashlar::Generation> results;
};

namespace ashlar::c_api {
namespace {

absl::Status ReadOptions(const ashlar_generate_options* options, GenerateOptions* out) {
  ashlar_generate_options given;
  ASHLAR_RETURN_IF_ERROR(ReadStruct(options, "ashlar_generate_options", &given));
  if (given.timeout_us < 0) return BadCall("timeout_us is ", given.timeout_us);
  if ((given.stop_token_count > 0 && !given.stop_tokens) ||
      (given.stop_string_count > 0 && !given.stop_strings))
    return BadCall("stop_tokens or stop_strings is null");
  if (given.max_tokens != 0) out->max_tokens = given.max_tokens;
  SamplingOptions& sampling = out->sampling;
  sampling.temperature = given.temperature;
  sampling.top_k = given.top_k;
  if (given.top_p != 0) sampling.top_p = given.top_p;
  sampling.min_p = given.min_p;
  if (given.repetition_penalty != 0) sampling.repetition_penalty = given.repetition_penalty;
  sampling.seed = given.seed;
  if (given.beams != 0) out->beams = given.beams;
  if (given.results != 0) out->results = given.results;
  if (given.length_penalty) out->length_penalty = *given.length_penalty;
  out->ignore_eos = given.ignore_eos != 0;
  out->log_probabilities = given.log_probabilities != 0;
  out->stop_tokens.assign(given.stop_tokens, given.stop_tokens + given.stop_token_count);
  for (size_t i = 0; i < given.stop_string_count; ++i) {
    if (!given.stop_strings[i]) return BadCall("stop_strings[", i, "] is null");
    out->stop_strings.emplace_back(given.stop_strings[i]);
  }
  if (given.on_token)
    out->on_token = [function = given.on_token,
                     context = given.on_token_context](const GeneratedToken& token) {
      const std::string text(token.text);  // with a zero behind it
      return function(context, token.prompt, token.token, text.c_str(), text.size()) == 0;
    };
  if (given.cancellation) out->run.cancellation = &given.cancellation->cancellation;
  out->run.deadline = DeadlineIn(given.timeout_us);
  return absl::OkStatus();
}

absl::Status ReadPrompts(const Generator& generator, const ashlar_prompt* prompts, size_t count,
                         std::vector<std::vector<int64_t>>* out) {
  for (size_t i = 0; i < count; ++i) {
    ashlar_prompt given;
    ASHLAR_RETURN_IF_ERROR(ReadElement(prompts, i, "ashlar_prompt", &given));
    if (!given.text) {
      if (given.token_count > 0 && !given.tokens) return BadCall("prompt ", i, ": tokens is null");
      out->emplace_back(given.tokens, given.tokens + given.token_count);
      continue;
    }
    if (!generator.tokenizer())
      return BadCall("prompt ", i, " is a text, and the generator has no tokenizer");
    ASHLAR_ASSIGN_OR_RETURN(Encoding encoding, generator.tokenizer()->Encode(given.text));
    out->push_back(std::move(encoding.ids));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace ashlar::c_api

using namespace ashlar;
using namespace ashlar::c_api;

ashlar_error* ashlar_generator_create(const ashlar_program* program,
                                      const ashlar_session_options* options,
                                      const ashlar_tokenizer* tokenizer,
                                      ashlar_generator** generator) try {
  ASHLAR_C_REQUIRE(program && generator, "program or generator is null");
  *generator = nullptr;
  auto session = CreateSession(*program, options);
  if (!session.ok()) return ToError(session.status());
  auto made = Generator::Create(*std::move(session), tokenizer ? tokenizer->tokenizer : nullptr);
  if (!made.ok()) return ToError(made.status());
  auto handle = std::make_unique<ashlar_generator>();
  handle->generator = *std::move(made);
  *generator = handle.release();
  return nullptr;
} catch (...) {
  return CaughtError();
}

void ashlar_generator_release(ashlar_generator* generator) { delete generator; }

int64_t ashlar_generator_context(const ashlar_generator* generator) {
  return generator ? generator->generator->context() : 0;
}

ashlar_error* ashlar_generator_save(const ashlar_generator* generator, const char* path) try {
  ASHLAR_C_REQUIRE(generator && path, "generator or path is null");
  Claim claim(generator->busy);
  ASHLAR_C_REQUIRE(claim, "generator: ", kInUse);
  return ToError(generator->generator->Save(path));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_generator_load(ashlar_generator* generator, const char* path) try {
  ASHLAR_C_REQUIRE(generator && path, "generator or path is null");
  Claim claim(generator->busy);
  ASHLAR_C_REQUIRE(claim, "generator: ", kInUse);
  return ToError(generator->generator->Load(path));
} catch (...) {
  return CaughtError();
}

ashlar_error* ashlar_generator_run(ashlar_generator* generator, const ashlar_prompt* prompts,
                                   size_t count, const ashlar_generate_options* options,
                                   ashlar_generations** generations) try {
  ASHLAR_C_REQUIRE(generator && generations && (prompts || count == 0),
                   "generator, prompts or generations is null");
  *generations = nullptr;
  Claim claim(generator->busy);
  ASHLAR_C_REQUIRE(claim, "generator: ", kInUse);
  GenerateOptions wanted;
  ASHLAR_C_RETURN_IF_ERROR(ReadOptions(options, &wanted));
  std::vector<std::vector<int64_t>> tokens;
  ASHLAR_C_RETURN_IF_ERROR(ReadPrompts(*generator->generator, prompts, count, &tokens));
  auto results = generator->generator->Generate(tokens, wanted);
  if (!results.ok()) return ToError(results.status());
  *generations = new ashlar_generations{*std::move(results)};
  return nullptr;
} catch (...) {
  return CaughtError();
}

size_t ashlar_generations_count(const ashlar_generations* generations) {
  return generations ? generations->results.size() : 0;
}

void ashlar_generations_release(ashlar_generations* generations) { delete generations; }

ashlar_error* ashlar_generations_get(const ashlar_generations* generations, size_t index,
                                     ashlar_generation* generation) try {
  ASHLAR_C_REQUIRE(index < ashlar_generations_count(generations), "index ", index, " of ",
                   ashlar_generations_count(generations), " generations");
  const Generation& result = generations->results[index];
  ashlar_generation full = {};
  full.prompt = result.prompt;
  full.tokens = result.tokens.data();
  full.token_count = result.tokens.size();
  full.text = result.text.c_str();
  full.text_size = result.text.size();
  if (!result.log_probabilities.empty()) full.log_probabilities = result.log_probabilities.data();
  full.score = result.score;
  full.finish = FinishReasonName(result.finish);
  return ToError(WriteStruct(full, "ashlar_generation", generation));
} catch (...) {
  return CaughtError();
}
