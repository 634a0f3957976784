// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar generate: continues texts or token ids (runtime/generate).
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/generate/generator.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/text_inputs.h"
#include "tools/ashlar/trace_file.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

struct GenerateRequest {
  SessionRequest session;
  std::vector<std::string> texts, ids, stop_ids;
  std::string vocabulary, session_file;
  int64_t seed = 0;
  bool json = false, laid_out = false, chat = false;
  GenerateOptions options;
  TraceFile trace;

  void AddTo(Options& options_of_command);
  // What is wrong with it; "" for nothing.
  std::string Mistake() const;
};

void GenerateRequest::AddTo(Options& add) {
  add.Positional("X.ashlar", "the artifact of a decoder", &session.artifact);
  add.Add("--prompt", "TEXT", "a prompt; several are continued together", &texts);
  add.Add("--prompt-ids", "1,2,3", "a prompt's token ids instead; what continues it are ids", &ids);
  add.Add("--no-special-tokens",
          "add none to the prompt: it has them in it, as a rendered chat template does", &laid_out);
  add.Add("--chat", "not supported here; says how to use a chat template", &chat);
  add.Add("--vocab", "DIR",
          "where tokenizer.json, tokenizer.model or another vocabulary lies (default: in the\n"
          "model's directory, which the artifact remembers)",
          &vocabulary);
  add.Add("--max-tokens", "N", "how many tokens to make at most (default: 64)",
          &options.max_tokens);
  add.Add("--temperature", "T",
          "draw the next token, from logits / T (default: 0, always the likeliest)",
          &options.sampling.temperature);
  add.Add("--top-k", "K", "of the K likeliest tokens (default: 0, all)", &options.sampling.top_k);
  add.Add("--top-p", "P", "of the likeliest that have P together (default: 1, all)",
          &options.sampling.top_p);
  add.Add("--min-p", "M", "of those M times as likely as the likeliest (default: 0, all)",
          &options.sampling.min_p);
  add.Add("--repetition-penalty", "R",
          "divide logits of tokens that were there by R, or multiply them where negative\n"
          "(default: 1)",
          &options.sampling.repetition_penalty);
  add.Add("--seed", "N", "other draws (default: 0)", &seed);
  add.Add("--beams", "N", "beam search with N beams (default: 1, none)", &options.beams);
  add.Add("--results", "N", "of each prompt the N best beams (default: 1)", &options.results);
  add.Add("--length-penalty", "L",
          "of beams: divide their sums by length ^ L; more favours long ones (default: 1)",
          &options.length_penalty);
  add.Add("--stop", "TEXT", "end before this text (several may be given)", &options.stop_strings);
  add.Add("--stop-id", "N", "end after this token (several may be given)", &stop_ids);
  add.Add("--ignore-eos", "go on after the end-of-text token", &options.ignore_eos);
  add.Add("--json",
          "print a JSON object for each result instead: tokens, text, log-probabilities, why it\n"
          "ended",
          &json);
  add.Add("--session", "FILE",
          "restore the cache from FILE, if it is there, and save it there at the end: a prompt\n"
          "that begins with the same tokens computes only what is new",
          &session_file);
  add.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
          &session.weights_directory);
  add.AddThreads(&session.threads);
  trace.AddTo(add);
  session.AddDeviceTo(add);
  session.AddTrustTo(add);
  session.AddRanksTo(add);
  session.AddCacheTo(add);
}

std::string GenerateRequest::Mistake() const {
  if (chat)
    return "--chat: chat templates are Jinja programs, for which this program has no library. The "
           "Python module\nrenders them: ashlar.ChatTemplate(DIR).render(messages). Give what it "
           "makes, or a prompt that you have laid\nout yourself, to --prompt, with "
           "--no-special-tokens where it has them in it";
  if (ids.empty() == texts.empty()) return "one of --prompt and --prompt-ids is wanted";
  if (texts.empty() && !vocabulary.empty()) return "--vocab without --prompt";
  if (texts.empty() && !options.stop_strings.empty()) return "--stop without --prompt";
  for (const std::string& list : ids)
    if (!ParseIntegers(list)) return StrCat("--prompt-ids: expected 1,2,3, found '", list, "'");
  for (const std::string& id : stop_ids)
    if (!ParseInteger(id)) return StrCat("--stop-id: expected a token id, found '", id, "'");
  return "";
}

// Prints the tokens of one continuation as they come: text, or ids separated by commas.
bool PrintToken(const GeneratedToken& token, bool is_text, bool* any) {
  if (is_text)
    std::cout << token.text << std::flush;
  else if (token.token >= 0)
    std::cout << (*any ? "," : "") << token.token << std::flush;
  *any = true;
  return true;
}

void PrintResult(const Generation& result, bool is_text) {
  std::cout << "--- prompt " << result.prompt + 1 << "\n";
  std::cout << (is_text ? result.text : StrJoin(result.tokens, ",")) << "\n";
}

void PrintJson(const Generation& result, bool is_text) {
  nlohmann::ordered_json object = {{"prompt", result.prompt}};
  if (is_text) object["text"] = result.text;
  object["tokens"] = result.tokens;
  object["log_probabilities"] = result.log_probabilities;
  object["finish"] = FinishReasonName(result.finish);
  if (result.score != 0) object["score"] = result.score;
  std::cout << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

void Report(const Generator& generator, const std::vector<Generation>& results) {
  const GenerateStats& stats = generator.stats();
  const size_t prompts = results.back().prompt + 1;
  char line[200];
  std::snprintf(line, sizeof(line), "prompt: %lld tokens in %.1f ms",
                static_cast<long long>(stats.prompt_tokens), stats.prefill_seconds * 1e3);
  std::cerr << line;
  if (stats.prefill_seconds > 0) {
    std::snprintf(line, sizeof(line), " (%.1f tokens/s)",
                  static_cast<double>(stats.prompt_tokens) / stats.prefill_seconds);
    std::cerr << line;
  }
  std::cerr << "; generated: " << stats.generated_tokens << " tokens";
  // The first of each comes from the prompt's step.
  const int64_t decoded = stats.generated_tokens - static_cast<int64_t>(prompts);
  if (decoded > 0 && stats.decode_seconds > 0) {
    std::snprintf(line, sizeof(line), ", %.1f tokens/s",
                  static_cast<double>(decoded) / stats.decode_seconds);
    std::cerr << line;
  }
  std::cerr << "\n";
  if (results.size() > 1) return;
  if (results[0].finish == FinishReason::kStopToken)
    std::cerr << "stopped at the end-of-text token " << results[0].tokens.back() << "\n";
  if (results[0].finish == FinishReason::kContext)
    std::cerr << "stopped: the context is full; its limit is " << generator.context()
              << " tokens (ashlar compile --context)\n";
}

absl::StatusOr<std::unique_ptr<Generator>> MakeGenerator(const GenerateRequest& request) {
  ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(request.session));
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!request.texts.empty()) {
    ASHLAR_ASSIGN_OR_RETURN(
        tokenizer, LoadTokenizer(session->program(), request.vocabulary.empty()
                                                         ? request.session.weights_directory
                                                         : request.vocabulary));
  }
  ASHLAR_ASSIGN_OR_RETURN(auto generator,
                          Generator::Create(std::move(session), std::move(tokenizer)));
  if (IsRegularFile(request.session_file))
    ASHLAR_RETURN_IF_ERROR(generator->Load(request.session_file));
  return generator;
}

absl::Status Generate(GenerateRequest& request) {
  ASHLAR_ASSIGN_OR_RETURN(auto generator, MakeGenerator(request));
  GenerateOptions& options = request.options;
  options.sampling.seed = static_cast<uint64_t>(request.seed);
  options.log_probabilities = request.json;
  options.run = request.trace.Begin(generator->session());
  for (const std::string& id : request.stop_ids) options.stop_tokens.push_back(*ParseInteger(id));
  const bool is_text = !request.texts.empty();
  const bool streams =
      !request.json && options.beams == 1 && request.texts.size() + request.ids.size() == 1;
  bool any = false;
  if (streams)
    options.on_token = [&](const GeneratedToken& t) { return PrintToken(t, is_text, &any); };
  std::vector<std::vector<int64_t>> ids;
  for (const std::string& list : request.ids) ids.push_back(*ParseIntegers(list));
  auto results = is_text ? generator->GenerateText(request.texts, options, !request.laid_out)
                         : generator->Generate(ids, options);
  if (any) std::cout << "\n";
  absl::Status status = results.status();
  if (absl::Status traced = request.trace.Finish(); status.ok()) status = traced;
  if (status.ok() && !request.session_file.empty()) status = generator->Save(request.session_file);
  ASHLAR_RETURN_IF_ERROR(status);
  for (const Generation& result : *results) {
    if (request.json)
      PrintJson(result, is_text);
    else if (!streams)
      PrintResult(result, is_text);
  }
  if (!IsFollower()) Report(*generator, *results);
  return absl::OkStatus();
}

}  // namespace

int GenerateMain(const Arguments& args) {
  GenerateRequest request;
  Options options(
      "generate",
      "Continues prompts, with the likeliest token each time, or with draws (--temperature), or "
      "by\n"
      "beam search. The text (or the ids, separated by commas) comes on stdout, as it is made "
      "where\n"
      "there is one prompt; tokens per second on stderr at the end. --temperature, --top-k, "
      "--top-p\n"
      "and --min-p act in this order, after the penalty. The same seed gives the same tokens.",
      "examples:\n"
      "  ashlar generate llama.ashlar --prompt 'Once upon a time' --max-tokens 32\n"
      "  ashlar generate llama.ashlar --prompt 'Once upon a time' --temperature 0.8 --top-p 0.95\n"
      "  ashlar generate llama.ashlar --prompt-ids 1,403,407 --beams 4 --json");
  request.AddTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (std::string mistake = request.Mistake(); !mistake.empty()) return options.UsageError(mistake);
  if (absl::Status status = Generate(request); !status.ok()) return Fail(status);
  return kOk;
}

}  // namespace ashlar
