// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar run: arrays in, arrays out.
#include <algorithm>
#include <iostream>
#include <optional>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/npy/npy.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/text_inputs.h"
#include "tools/ashlar/trace_file.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

using NamedArrays = std::vector<std::pair<std::string, NpyArray>>;

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// "FILE.npz" gives all its arrays, "NAME=FILE.npz" the one of that name, or the only one;
// "NAME=FILE.npy" that one.
absl::Status ReadInput(const std::string& spec, NamedArrays* arrays) {
  size_t equals = spec.find('=');
  std::string name = equals == std::string::npos ? "" : spec.substr(0, equals);
  std::string path = equals == std::string::npos ? spec : spec.substr(equals + 1);
  if (!EndsWith(path, ".npz")) {
    if (name.empty())
      return InvalidArgument("--input ", spec, ": expected NAME=FILE.npy or FILE.npz");
    ASHLAR_ASSIGN_OR_RETURN(NpyArray array, ReadNpy(path));
    arrays->emplace_back(name, std::move(array));
    return absl::OkStatus();
  }
  ASHLAR_ASSIGN_OR_RETURN(NamedArrays members, ReadNpz(path));
  if (name.empty()) {
    for (auto& member : members) arrays->push_back(std::move(member));
    return absl::OkStatus();
  }
  auto it = std::find_if(members.begin(), members.end(),
                         [&](const auto& member) { return member.first == name; });
  if (it == members.end() && members.size() == 1) it = members.begin();
  if (it == members.end())
    return NotFound(path, ": no array '", name, "' among its ", members.size());
  arrays->emplace_back(name, std::move(it->second));
  return absl::OkStatus();
}

void PrintFirst(const Tensor& tensor) {
  int64_t shown = std::min<int64_t>(tensor.elements(), 6);
  std::vector<float> values(shown);
  if (!ToFloats(tensor.dtype, tensor.data, shown, values.data())) return;
  std::cout << "  " << StrJoin(values, ", ") << (shown < tensor.elements() ? ", ...\n" : "\n");
}

absl::Status Deliver(const std::vector<Tensor>& outputs, const std::string& directory) {
  if (!directory.empty()) ASHLAR_RETURN_IF_ERROR(MakeDirectories(directory));
  for (const Tensor& tensor : outputs) {
    std::cout << tensor.name << ": " << DTypeName(tensor.dtype) << " "
              << ShapeToString(tensor.shape);
    if (directory.empty()) {
      std::cout << "\n";
      PrintFirst(tensor);
      continue;
    }
    if (tensor.name.find('/') != std::string::npos)
      return InvalidArgument("output '", tensor.name, "' cannot be the name of a file");
    std::string path = directory + "/" + tensor.name + ".npy";
    ASHLAR_RETURN_IF_ERROR(WriteNpy(path, tensor.dtype, tensor.shape, tensor.data));
    std::cout << " -> " << path << "\n";
  }
  return absl::OkStatus();
}

absl::Status Execute(const SessionRequest& request, const std::string& entry,
                     const std::vector<std::string>& specs, const TextRequest& text,
                     const std::string& directory, TraceFile& trace) {
  NamedArrays arrays;
  for (const std::string& spec : specs) ASHLAR_RETURN_IF_ERROR(ReadInput(spec, &arrays));
  std::vector<Tensor> inputs, outputs;
  for (const auto& [name, array] : arrays)
    inputs.push_back({name, array.dtype, array.shape, array.bytes.data()});
  ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(request));
  std::optional<TextInputs> words;
  if (!text.texts.empty()) {
    ASHLAR_ASSIGN_OR_RETURN(words, TextInputs::Encode(session->program(), entry, text));
    inputs.insert(inputs.end(), words->tensors().begin(), words->tensors().end());
  }
  ASHLAR_RETURN_IF_ERROR(session->Run(entry, inputs, &outputs, trace.Begin(*session)));
  ASHLAR_RETURN_IF_ERROR(trace.Finish());
  return IsFollower() ? absl::OkStatus() : Deliver(outputs, directory);
}

}  // namespace

int RunMain(const Arguments& args) {
  SessionRequest request;
  std::string entry = "forward", directory;
  std::vector<std::string> specs;
  TextRequest text;
  TraceFile trace;
  bool interpret = false;
  Options options(
      "run", "Runs one step of an artifact and writes its outputs.",
      "examples:\n"
      "  ashlar run bert.ashlar --input input_ids=ids.npy --output-dir out\n"
      "  ashlar run bert.ashlar --input inputs.npz\n"
      "  ashlar run bert.ashlar --text 'A first sentence.' --text 'Another one.'\n"
      "`ashlar inspect X.ashlar` lists the inputs; those with a default may be left out.");
  options.Positional("X.ashlar", "the artifact, as `ashlar compile` writes it", &request.artifact);
  options.Add("--input", "NAME=FILE",
              "an input from a .npy file, or from the array of that name in a .npz;\n"
              "FILE.npz alone: every array in it (repeat for several inputs)",
              &specs);
  options.Add("--text", "TEXT",
              "a text in place of input_ids, attention_mask and token_type_ids (repeat for a\n"
              "batch)",
              &text.texts);
  options.Add("--text-pair", "TEXT", "the second part of each --text, such as an answer",
              &text.pairs);
  options.Add("--vocab", "DIR",
              "where tokenizer.json, tokenizer.model or another vocabulary lies (default: in the\n"
              "model's directory, which the artifact remembers)",
              &text.vocabulary);
  options.Add("--output-dir", "DIR",
              "write each output to DIR/NAME.npy (default: print its first values)", &directory);
  options.Add("--entry", "NAME", "the entry to run (default: forward)", &entry);
  options.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
              &request.weights_directory);
  options.AddThreads(&request.threads);
  options.Add(
      "--interpret",
      "evaluate the model's graph plainly instead (needs the compiler and the model's directory)",
      &interpret);
  trace.AddTo(options);
  request.AddDeviceTo(options);
  request.AddTrustTo(options);
  request.AddCacheTo(options);
  request.AddRanksTo(options);
  // With --interpret the words are the interpreter's to understand.
  if (std::find(args.begin(), args.end(), "--interpret") != args.end() &&
      std::find(args.begin(), args.end(), "--help") == args.end()) {
    if (InterpretHook()) return InterpretHook()(args);
    return options.UsageError("--interpret needs a build with the compiler");
  }
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (!text.pairs.empty() && text.pairs.size() != text.texts.size())
    return options.UsageError(StrCat("expected a --text-pair for each --text or for none, found ",
                                     text.pairs.size(), " for ", text.texts.size()));
  if (text.texts.empty() && !text.vocabulary.empty())
    return options.UsageError("--vocab without --text");
  if (text.vocabulary.empty()) text.vocabulary = request.weights_directory;
  absl::Status status = Execute(request, entry, specs, text, directory, trace);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
