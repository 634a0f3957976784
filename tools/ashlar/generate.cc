// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar generate: greedy continuation of a text or of token ids. Entry `prefill` takes the prompt,
// entry `decode` one token a step, both give `logits` [batch, vocabulary].
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "runtime/base/status.h"
#include "runtime/text/incremental_decoder.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/text_inputs.h"
#include "tools/ashlar/trace_file.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The id with the largest logit of the first row; the lowest of equals.
absl::StatusOr<int64_t> ArgMax(const std::vector<Tensor>& outputs) {
  for (const Tensor& tensor : outputs) {
    if (tensor.name != "logits") continue;
    if (tensor.dtype != DType::kF32 || tensor.shape.size() != 2 || tensor.elements() == 0)
      return InvalidArgument("expected logits of F32 [batch, vocabulary], found ",
                             DTypeName(tensor.dtype), " ", ShapeToString(tensor.shape));
    const float* logits = tensor.as<float>();
    int64_t best = 0;
    for (int64_t i = 0; i < tensor.shape[1]; ++i) {
      if (std::isnan(logits[i])) return DataLoss("the logit of token ", i, " is not a number");
      if (logits[i] > logits[best]) best = i;
    }
    return best;
  }
  return NotFound("the entry has no output 'logits'");
}

// The entry's input_ids as it wants one token: [1] or [1, 1].
absl::StatusOr<std::vector<int64_t>> TokenShape(const Program& program) {
  ASHLAR_ASSIGN_OR_RETURN(int entry, program.FindEntry("decode"));
  for (const auto& input : program.metadata().entries[entry]->inputs)
    if (input->name == "input_ids") return std::vector<int64_t>(input->shape.size(), 1);
  return NotFound("entry 'decode' has no input 'input_ids'");
}

// Prints tokens as they come: text, or ids separated by commas.
class TokenPrinter {
 public:
  // `tokenizer` may be null, and must live as long.
  explicit TokenPrinter(const Tokenizer* tokenizer) {
    if (tokenizer) decoder_.emplace(*tokenizer);
  }

  absl::Status Print(int64_t token) {
    if (!decoder_) {
      std::cout << (any_ ? "," : "") << token << std::flush;
    } else {
      ASHLAR_ASSIGN_OR_RETURN(std::string text, decoder_->Push(token));
      std::cout << text << std::flush;
    }
    any_ = true;
    return absl::OkStatus();
  }

  absl::Status Finish() {
    if (decoder_) {
      ASHLAR_ASSIGN_OR_RETURN(std::string text, decoder_->Finish());
      std::cout << text;
    }
    if (any_) std::cout << "\n";
    return absl::OkStatus();
  }

 private:
  std::optional<IncrementalDecoder> decoder_;
  bool any_ = false;
};

struct Report {
  int64_t tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
  std::string stopped;  // why, where it was not the number of tokens
};

absl::Status Generate(Session& session, const std::vector<int64_t>& prompt, int64_t max_tokens,
                      const std::vector<int64_t>& stops, const RunOptions& run,
                      TokenPrinter* printer, Report* report) {
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> token_shape, TokenShape(session.program()));
  int64_t token = 0;
  std::vector<Tensor> outputs;
  std::vector<Tensor> inputs = {
      {"input_ids", DType::kI64, {1, static_cast<int64_t>(prompt.size())}, prompt.data()}};
  auto begin = std::chrono::steady_clock::now();
  ASHLAR_RETURN_IF_ERROR(session.Run("prefill", inputs, &outputs, run));
  report->prefill_seconds = SecondsSince(begin);
  inputs = {{"input_ids", DType::kI64, token_shape, &token}};
  begin = std::chrono::steady_clock::now();
  while (report->tokens < max_tokens) {
    ASHLAR_ASSIGN_OR_RETURN(token, ArgMax(outputs));
    ASHLAR_RETURN_IF_ERROR(printer->Print(token));
    ++report->tokens;
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
      report->stopped = StrCat("stopped at the end-of-text token ", token);
      break;
    }
    if (report->tokens == max_tokens) break;
    absl::Status status = session.Run("decode", inputs, &outputs, run);
    if (status.code() == absl::StatusCode::kOutOfRange) {  // the context is full
      report->stopped = StrCat("stopped: ", Message(status));
      break;
    }
    ASHLAR_RETURN_IF_ERROR(status);
  }
  report->decode_seconds = SecondsSince(begin);
  return absl::OkStatus();
}

void Print(const Report& report, size_t prompt) {
  char line[200];
  std::snprintf(line, sizeof(line),
                "prompt: %zu tokens in %.1f ms (%.1f tokens/s); generated: %lld tokens", prompt,
                report.prefill_seconds * 1e3, static_cast<double>(prompt) / report.prefill_seconds,
                static_cast<long long>(report.tokens));
  std::cerr << line;
  if (report.tokens > 1) {  // the first comes from the prompt's step
    std::snprintf(line, sizeof(line), ", %.1f tokens/s",
                  static_cast<double>(report.tokens - 1) / report.decode_seconds);
    std::cerr << line;
  }
  std::cerr << "\n" << report.stopped << (report.stopped.empty() ? "" : "\n");
}

}  // namespace

int GenerateMain(const Arguments& args) {
  SessionRequest request;
  std::string ids, text, vocabulary;
  int64_t max_tokens = 64;
  bool ignore_eos = false;
  TraceFile trace;
  Options options(
      "generate",
      "Continues a prompt, always with the likeliest token. The text (or the ids, separated by\n"
      "commas) comes on stdout as it is made; tokens per second on stderr at the end.",
      "examples:\n"
      "  ashlar generate llama.ashlar --prompt 'Once upon a time' --max-tokens 32\n"
      "  ashlar generate llama.ashlar --prompt-ids 1,403,407 --max-tokens 32");
  options.Positional("X.ashlar", "the artifact of a decoder", &request.artifact);
  options.Add("--prompt", "TEXT", "the prompt; what continues it is printed as text", &text);
  options.Add("--prompt-ids", "1,2,3", "the prompt's token ids instead", &ids);
  options.Add("--vocab", "DIR",
              "where tokenizer.json, tokenizer.model or another vocabulary lies (default: in the\n"
              "model's directory, which the artifact remembers)",
              &vocabulary);
  options.Add("--max-tokens", "N", "how many tokens to make at most (default: 64)", &max_tokens);
  options.Add("--ignore-eos", "go on after the end-of-text token", &ignore_eos);
  options.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
              &request.weights_directory);
  options.AddThreads(&request.threads);
  trace.AddTo(options);
  request.AddDeviceTo(options);
  request.AddCacheTo(options);
  request.AddRanksTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (ids.empty() == text.empty())
    return options.UsageError("one of --prompt and --prompt-ids is wanted");
  if (text.empty() && !vocabulary.empty()) return options.UsageError("--vocab without --prompt");
  std::optional<std::vector<int64_t>> prompt = ParseIntegers(ids);
  if (text.empty() && !prompt)
    return options.UsageError(StrCat("--prompt-ids: expected 1,2,3, found '", ids, "'"));
  auto session = OpenSession(request);
  if (!session.ok()) return Fail(session.status());
  const Program& program = (*session)->program();
  std::unique_ptr<const Tokenizer> tokenizer;
  if (!text.empty()) {
    auto loaded =
        LoadTokenizer(program, vocabulary.empty() ? request.weights_directory : vocabulary);
    if (!loaded.ok()) return Fail(loaded.status());
    tokenizer = std::move(*loaded);
    auto encoding = tokenizer->Encode(text);
    if (!encoding.ok()) return Fail(encoding.status());
    prompt = std::move(encoding->ids);
  }
  std::vector<int64_t> stops;
  std::string eos(program.Property("eos_token_id"));
  if (!ignore_eos && !eos.empty()) stops = ParseIntegers(eos).value_or(std::vector<int64_t>());
  Report report;
  TokenPrinter printer(tokenizer.get());
  absl::Status status =
      Generate(**session, *prompt, max_tokens, stops, trace.Begin(**session), &printer, &report);
  if (absl::Status finished = printer.Finish(); status.ok()) status = finished;
  if (absl::Status traced = trace.Finish(); status.ok()) status = traced;
  if (!status.ok()) return Fail(status);
  if (!IsFollower()) Print(report, prompt->size());
  return kOk;
}

}  // namespace ashlar
