// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text from a decoder:
//
//   auto session = Session::Create(*Program::Load("llama.ashlar"), {});
//   auto generator = Generator::Create(*std::move(session), *Tokenizer::Load("llama-dir"));
//   GenerateOptions options;
//   options.sampling.temperature = 0.8;
//   auto results = (*generator)->GenerateText({"Once upon a time"}, options);
//   std::cout << (*results)[0].text;
//
// A generator keeps what its last sequence has in the cache: a single prompt that begins with the
// same tokens, as the next turn of a conversation does, computes only what is new. Save and Load
// carry that over to another process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/api/run_options.h"
#include "runtime/generate/decoder_session.h"
#include "runtime/generate/sampler.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

// One more token of one of the prompts' continuations, or with a negative `token` the last of its
// text, which was held back.
struct GeneratedToken {
  size_t prompt = 0;
  int64_t token = -1;
  std::string_view text;  // that is certain now, whole characters; without a tokenizer none
};

struct GenerateOptions {
  SamplingOptions sampling;  // with several beams: the repetition penalty alone
  int64_t max_tokens = 64;
  bool ignore_eos = false;                // go on after the model's end-of-text tokens
  std::vector<int64_t> stop_tokens;       // others that end a continuation; it includes them
  std::vector<std::string> stop_strings;  // end a continuation, whose text ends before them; these
                                          // want a tokenizer, and one beam
  int64_t beams = 1;                      // beam search (beam_search.h) where more
  double length_penalty = 1;
  int64_t results = 1;  // of each prompt, the best of its beams; at most `beams`
  bool log_probabilities = false;
  RunOptions run;
  // Called as tokens are made, with one beam; false ends that continuation.
  std::function<bool(const GeneratedToken&)> on_token;
};

enum class FinishReason {
  kLength,      // max_tokens
  kStopToken,   // the last token is one
  kStopString,  // the text would go on with one
  kContext,     // no room for more tokens
  kCaller       // on_token said so
};
const char* FinishReasonName(FinishReason reason);  // "length", "stop_token", ...

struct Generation {
  size_t prompt = 0;
  std::vector<int64_t> tokens;
  std::string text;  // without special tokens; with a tokenizer
  // Of the tokens, in the model's own distribution: before all filters. Where asked for.
  std::vector<float> log_probabilities;
  double score = 0;  // of beams (beam_search.h)
  FinishReason finish = FinishReason::kLength;
};

// What the last call did.
struct GenerateStats {
  int64_t prompt_tokens = 0, generated_tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
};

// One thread at a time.
class Generator {
 public:
  // `tokenizer` may be null: prompts and results are tokens then. FailedPrecondition for a program
  // that is no decoder.
  static absl::StatusOr<std::unique_ptr<Generator>> Create(
      std::unique_ptr<Session> session, std::shared_ptr<const Tokenizer> tokenizer);

  // Continues each prompt. Prompts may be of different lengths, and more than the program's batch,
  // which then go in several; results are in their order, `results` of each. The result of a prompt
  // is the same alone and among others, but for the random draws, which go by its place. Errors:
  // InvalidArgument for options that make no sense, an empty prompt, or more beams than the batch;
  // OutOfRange for a prompt beyond the context; those of Session::Run.
  absl::StatusOr<std::vector<Generation>> Generate(const std::vector<std::vector<int64_t>>& prompts,
                                                   const GenerateOptions& options);
  // The same for texts, with the special tokens that the model wants around them, unless they are
  // written in the texts, as chat templates do.
  absl::StatusOr<std::vector<Generation>> GenerateText(const std::vector<std::string>& prompts,
                                                       const GenerateOptions& options,
                                                       bool add_special_tokens = true);

  // The cache and its tokens, in a file (Session::SaveState, LoadState).
  absl::Status Save(const std::string& path) const { return decoder_.Save(path); }
  absl::Status Load(const std::string& path) { return decoder_.Load(path); }

  const GenerateStats& stats() const { return stats_; }
  int64_t context() const { return decoder_.context(); }
  const Session& session() const { return decoder_.session(); }
  const Tokenizer* tokenizer() const { return tokenizer_.get(); }

 private:
  struct Row;
  Generator(DecoderSession decoder, std::shared_ptr<const Tokenizer> tokenizer)
      : decoder_(std::move(decoder)), tokenizer_(std::move(tokenizer)) {}
  absl::Status Check(const std::vector<std::vector<int64_t>>& prompts,
                     const GenerateOptions& options) const;
  absl::Status RunBatch(std::vector<Row>& rows, const GenerateOptions& options);
  absl::Status Step(Row& row, const float* logits, const GenerateOptions& options);
  absl::Status FinishText(Row& row, const GenerateOptions& options);
  absl::Status RunBeams(size_t prompt, const std::vector<int64_t>& tokens,
                        const GenerateOptions& options, std::vector<Generation>* results);
  absl::Status Prefill(const std::vector<std::vector<int64_t>>& prompts, const RunOptions& run,
                       std::vector<const float*>* logits);
  std::vector<int64_t> StopTokens(const GenerateOptions& options) const;

  DecoderSession decoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<int64_t> stop_tokens_;  // of the call
  GenerateStats stats_;
};

// The program's end-of-text tokens, as the model's files have them ("2", "[2, 3]").
std::vector<int64_t> EndOfTextTokens(const Program& program);

}  // namespace ashlar
