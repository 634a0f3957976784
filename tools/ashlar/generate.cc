// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar generate: greedy continuation of token ids. Entry `prefill` takes the prompt, entry
// `decode` one token a step, both give `logits` [batch, vocabulary].
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "runtime/base/status.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
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

struct Report {
  int64_t tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
  std::string stopped;  // why, where it was not the number of tokens
};

// Prints the ids, separated by commas, as they come.
absl::Status Generate(Session& session, const std::vector<int64_t>& prompt, int64_t max_tokens,
                      const std::vector<int64_t>& stops, Report* report) {
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> token_shape, TokenShape(session.program()));
  int64_t token = 0;
  std::vector<Tensor> outputs;
  std::vector<Tensor> inputs = {
      {"input_ids", DType::kI64, {1, static_cast<int64_t>(prompt.size())}, prompt.data()}};
  auto begin = std::chrono::steady_clock::now();
  ASHLAR_RETURN_IF_ERROR(session.Run("prefill", inputs, &outputs));
  report->prefill_seconds = SecondsSince(begin);
  inputs = {{"input_ids", DType::kI64, token_shape, &token}};
  begin = std::chrono::steady_clock::now();
  while (report->tokens < max_tokens) {
    ASHLAR_ASSIGN_OR_RETURN(token, ArgMax(outputs));
    std::cout << (report->tokens > 0 ? "," : "") << token << std::flush;
    ++report->tokens;
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
      report->stopped = StrCat("stopped at the end-of-text token ", token);
      break;
    }
    if (report->tokens == max_tokens) break;
    absl::Status status = session.Run("decode", inputs, &outputs);
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
  std::string ids;
  int64_t max_tokens = 64;
  bool ignore_eos = false;
  Options options(
      "generate",
      "Continues a prompt of token ids, always with the likeliest token. The ids come on\n"
      "stdout as they are made, separated by commas; tokens per second on stderr at the end.",
      "example:\n  ashlar generate llama.ashlar --prompt-ids 1,403,407 --max-tokens 32");
  options.Positional("X.ashlar", "the artifact of a decoder", &request.artifact);
  options.Add("--prompt-ids", "1,2,3", "the prompt's token ids (required)", &ids);
  options.Add("--max-tokens", "N", "how many tokens to make at most (default: 64)", &max_tokens);
  options.Add("--ignore-eos", "go on after the end-of-text token", &ignore_eos);
  options.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
              &request.weights_directory);
  options.Add("--threads", "N", "threads that compute (default: one per core)", &request.threads);
  request.AddCacheTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (ids.empty()) return options.UsageError("--prompt-ids is missing");
  std::optional<std::vector<int64_t>> prompt = ParseIntegers(ids);
  if (!prompt) return options.UsageError(StrCat("--prompt-ids: expected 1,2,3, found '", ids, "'"));
  auto session = OpenSession(request);
  if (!session.ok()) return Fail(session.status());
  std::vector<int64_t> stops;
  std::string eos((*session)->program().Property("eos_token_id"));
  if (!ignore_eos && !eos.empty()) stops = ParseIntegers(eos).value_or(std::vector<int64_t>());
  Report report;
  absl::Status status = Generate(**session, *prompt, max_tokens, stops, &report);
  if (report.tokens > 0) std::cout << "\n";
  if (!status.ok()) return Fail(status);
  Print(report, prompt->size());
  return kOk;
}

}  // namespace ashlar
