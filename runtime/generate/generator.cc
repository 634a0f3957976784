// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/generator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/generate/beam_search.h"
#include "runtime/generate/text_stream.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

bool Contains(const std::vector<int64_t>& tokens, int64_t token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

}  // namespace

// A continuation under way.
struct Generator::Row {
  std::vector<int64_t> history;  // the prompt, and what has come
  std::unique_ptr<Sampler> sampler;
  std::optional<TextStream> text;
  Generation result;
  bool done = false;

  void Finish(FinishReason reason) {
    done = true;
    result.finish = reason;
  }
};

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kLength:
      return "length";
    case FinishReason::kStopToken:
      return "stop_token";
    case FinishReason::kStopString:
      return "stop_string";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kCaller:
      return "caller";
  }
  return "";
}

std::vector<int64_t> EndOfTextTokens(const Program& program) {
  std::vector<int64_t> tokens;
  std::string text(program.Property("eos_token_id"));
  for (const char* at = text.c_str(); *at;) {
    char* end = nullptr;
    const long long token = std::strtoll(at, &end, 10);
    if (end == at) {
      ++at;  // a bracket, a comma
      continue;
    }
    tokens.push_back(token);
    at = end;
  }
  return tokens;
}

absl::StatusOr<std::unique_ptr<Generator>> Generator::Create(
    std::unique_ptr<Session> session, std::shared_ptr<const Tokenizer> tokenizer) {
  ASHLAR_ASSIGN_OR_RETURN(DecoderSession decoder, DecoderSession::Create(std::move(session)));
  return std::unique_ptr<Generator>(new Generator(std::move(decoder), std::move(tokenizer)));
}

absl::Status Generator::Check(const std::vector<std::vector<int64_t>>& prompts,
                              const GenerateOptions& options) const {
  ASHLAR_RETURN_IF_ERROR(options.sampling.Check());
  if (options.max_tokens < 0)
    return InvalidArgument("max_tokens is ", options.max_tokens, ", expected 0 or more");
  if (!options.stop_strings.empty() && !tokenizer_)
    return InvalidArgument("stop strings want a tokenizer; stop_tokens do without");
  if (Contains(options.stop_tokens, -1)) return InvalidArgument("stop token -1 is no token");
  for (const std::string& stop : options.stop_strings)
    if (stop.empty()) return InvalidArgument("a stop string is empty");
  if (options.beams < 1) return InvalidArgument("beams is ", options.beams, ", expected 1 or more");
  if (options.results < 1 || options.results > options.beams)
    return InvalidArgument("results is ", options.results, ", expected 1..", options.beams,
                           ", the number of beams");
  if (options.beams > decoder_.max_sequences())
    return InvalidArgument(options.beams, " beams are as many sequences, and the program takes ",
                           decoder_.max_sequences(), ": compile with --batch 1..", options.beams);
  if (options.beams > 1 &&
      (options.sampling.temperature != 0 || !options.stop_strings.empty() || options.on_token))
    return InvalidArgument(
        "beam search takes neither a temperature, nor stop strings, nor a function to call for "
        "each token: it does not draw, and looks back");
  for (size_t i = 0; i < prompts.size(); ++i)
    ASHLAR_RETURN_IF_ERROR(decoder_.CheckPrompt(i, prompts[i]));
  return absl::OkStatus();
}

std::vector<int64_t> Generator::StopTokens(const GenerateOptions& options) const {
  std::vector<int64_t> tokens = options.stop_tokens;
  if (options.ignore_eos) return tokens;
  const std::vector<int64_t> ends = EndOfTextTokens(session().program());
  tokens.insert(tokens.end(), ends.begin(), ends.end());
  return tokens;
}

absl::Status Generator::Prefill(const std::vector<std::vector<int64_t>>& prompts,
                                const RunOptions& run, std::vector<const float*>* logits) {
  const Clock::time_point begin = Clock::now();
  absl::Status status = decoder_.Prefill(prompts, run, logits);
  stats_.prefill_seconds += SecondsSince(begin);
  for (const auto& prompt : prompts) stats_.prompt_tokens += static_cast<int64_t>(prompt.size());
  return status;
}

absl::StatusOr<std::vector<Generation>> Generator::GenerateText(
    const std::vector<std::string>& prompts, const GenerateOptions& options,
    bool add_special_tokens) {
  if (!tokenizer_) return InvalidArgument("a prompt that is text wants a tokenizer");
  std::vector<std::vector<int64_t>> tokens;
  for (const std::string& prompt : prompts) {
    ASHLAR_ASSIGN_OR_RETURN(Encoding encoding,
                            tokenizer_->Encode(prompt, std::nullopt, {}, add_special_tokens));
    tokens.push_back(std::move(encoding.ids));
  }
  return Generate(tokens, options);
}

absl::StatusOr<std::vector<Generation>> Generator::Generate(
    const std::vector<std::vector<int64_t>>& prompts, const GenerateOptions& options) {
  ASHLAR_RETURN_IF_ERROR(Check(prompts, options));
  stats_ = {};
  stop_tokens_ = StopTokens(options);
  std::vector<Generation> results;
  if (options.beams > 1) {
    for (size_t i = 0; i < prompts.size(); ++i)
      ASHLAR_RETURN_IF_ERROR(RunBeams(i, prompts[i], options, &results));
    return results;
  }
  // Longest first, as many at a time as the program takes.
  std::vector<size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return prompts[a].size() != prompts[b].size() ? prompts[a].size() > prompts[b].size() : a < b;
  });
  results.resize(prompts.size());
  const size_t most = static_cast<size_t>(decoder_.max_sequences());
  for (size_t first = 0; first < order.size(); first += most) {
    std::vector<Row> rows(std::min(most, order.size() - first));
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].result.prompt = order[first + i];
      rows[i].history = prompts[order[first + i]];
      rows[i].sampler = std::make_unique<Sampler>(options.sampling);
      if (tokenizer_) rows[i].text.emplace(*tokenizer_, options.stop_strings);
    }
    ASHLAR_RETURN_IF_ERROR(RunBatch(rows, options));
    for (Row& row : rows) results[row.result.prompt] = std::move(row.result);
  }
  return results;
}

absl::Status Generator::RunBatch(std::vector<Row>& rows, const GenerateOptions& options) {
  if (options.max_tokens == 0) return absl::OkStatus();
  std::vector<std::vector<int64_t>> prompts;
  for (const Row& row : rows) prompts.push_back(row.history);
  std::vector<const float*> logits;
  ASHLAR_RETURN_IF_ERROR(Prefill(prompts, options.run, &logits));
  const Clock::time_point begin = Clock::now();
  std::vector<int64_t> next(rows.size());
  for (bool going = true; going;) {
    going = false;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].done) ASHLAR_RETURN_IF_ERROR(Step(rows[i], logits[i], options));
      next[i] = rows[i].done ? -1 : rows[i].history.back();
      going |= !rows[i].done;
    }
    if (going) ASHLAR_RETURN_IF_ERROR(decoder_.Decode(next, options.run, &logits));
  }
  stats_.decode_seconds += SecondsSince(begin);
  return absl::OkStatus();
}

// Takes the next token, and sees whether it is the last.
absl::Status Generator::Step(Row& row, const float* logits, const GenerateOptions& options) {
  std::vector<int64_t>& tokens = row.result.tokens;
  ASHLAR_ASSIGN_OR_RETURN(const int64_t token,
                          row.sampler->Choose(logits, decoder_.vocabulary(), row.history,
                                              row.result.prompt, tokens.size()));
  if (options.log_probabilities)
    row.result.log_probabilities.push_back(
        static_cast<float>(logits[token] - LogSumExp(logits, decoder_.vocabulary())));
  tokens.push_back(token);
  row.history.push_back(token);
  ++stats_.generated_tokens;
  std::string text;
  if (row.text) {
    ASHLAR_ASSIGN_OR_RETURN(text, row.text->Push(token));
    row.result.text += text;
  }
  const bool goes_on = !options.on_token || options.on_token({row.result.prompt, token, text});
  if (Contains(stop_tokens_, token))
    row.Finish(FinishReason::kStopToken);
  else if (row.text && row.text->stopped())
    row.Finish(FinishReason::kStopString);
  else if (!goes_on)
    row.Finish(FinishReason::kCaller);
  else if (static_cast<int64_t>(tokens.size()) == options.max_tokens)
    row.Finish(FinishReason::kLength);
  else if (static_cast<int64_t>(row.history.size()) > decoder_.context())
    row.Finish(FinishReason::kContext);
  return row.done ? FinishText(row, options) : absl::OkStatus();
}

absl::Status Generator::FinishText(Row& row, const GenerateOptions& options) {
  if (!row.text) return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(std::string text, row.text->Finish());
  if (text.empty()) return absl::OkStatus();
  row.result.text += text;
  if (options.on_token) (void)options.on_token({row.result.prompt, -1, text});
  return absl::OkStatus();
}

absl::Status Generator::RunBeams(size_t prompt, const std::vector<int64_t>& tokens,
                                 const GenerateOptions& options, std::vector<Generation>* results) {
  const int64_t room = decoder_.context() - static_cast<int64_t>(tokens.size()) + 1;
  BeamOptions beam_options;
  beam_options.beams = options.beams;
  beam_options.max_tokens = std::min(options.max_tokens, room);
  beam_options.length_penalty = options.length_penalty;
  beam_options.repetition_penalty = options.sampling.repetition_penalty;
  beam_options.stop_tokens = stop_tokens_;
  beam_options.prompt = tokens;
  if (options.max_tokens == 0) {
    results->emplace_back().prompt = prompt;
    return absl::OkStatus();
  }
  BeamSearch search(beam_options);
  std::vector<const float*> logits;
  ASHLAR_RETURN_IF_ERROR(Prefill({tokens}, options.run, &logits));
  const Clock::time_point begin = Clock::now();
  for (;;) {
    ASHLAR_RETURN_IF_ERROR(search.Advance(logits, decoder_.vocabulary()));
    if (search.done()) break;
    std::vector<int64_t> next;
    for (size_t i = 0; i < search.live().size(); ++i) {
      const Beam& beam = search.live()[i];
      ASHLAR_RETURN_IF_ERROR(decoder_.Copy(beam.parent, static_cast<int64_t>(i)));
      next.push_back(beam.tokens.back());
    }
    ASHLAR_RETURN_IF_ERROR(decoder_.Decode(next, options.run, &logits));
    stats_.generated_tokens += static_cast<int64_t>(next.size());
  }
  stats_.decode_seconds += SecondsSince(begin);
  for (size_t i = 0; i < search.best().size() && static_cast<int64_t>(i) < options.results; ++i) {
    const Beam& beam = search.best()[i];
    Generation& result = results->emplace_back();
    result.prompt = prompt;
    result.tokens = beam.tokens;
    if (options.log_probabilities) result.log_probabilities = beam.log_probabilities;
    result.score = beam.score;
    result.finish = beam.stopped ? FinishReason::kStopToken
                    : static_cast<int64_t>(beam.tokens.size()) == options.max_tokens
                        ? FinishReason::kLength
                        : FinishReason::kContext;
    if (tokenizer_) {
      ASHLAR_ASSIGN_OR_RETURN(result.text, tokenizer_->Decode(beam.tokens));
    }
  }
  return absl::OkStatus();
}

}  // namespace ashlar
