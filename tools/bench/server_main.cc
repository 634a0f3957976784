// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar-bench-server: keeps one artifact loaded and times steps of it on request, so that it can
// take turns with other programs. Speaks the protocol of peers/server.py: a line of JSON in, a line
// of JSON out.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "runtime/base/status.h"
#include "runtime/npy/npy.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
using Arrays = std::vector<std::pair<std::string, NpyArray>>;

struct Request {
  SessionRequest session;
  std::string entry = "forward", inputs, prompt, output;
};

std::vector<Tensor> Views(const Arrays& arrays) {
  std::vector<Tensor> tensors;
  for (const auto& [name, array] : arrays)
    tensors.push_back({name, array.dtype, array.shape, array.bytes.data()});
  return tensors;
}

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// One step, again and again, each from the same state.
class Step {
 public:
  // Runs the prompt, if there is one, and the first step after it.
  static absl::StatusOr<Step> Create(const Request& request) {
    Step step;
    step.output_ = request.output;
    ASHLAR_ASSIGN_OR_RETURN(step.session_, OpenSession(request.session));
    const fb::ProgramT& program = step.session_->program().metadata();
    ASHLAR_ASSIGN_OR_RETURN(int index, step.session_->program().FindEntry(request.entry));
    step.entry_ = program.entries[index].get();
    ASHLAR_ASSIGN_OR_RETURN(step.arrays_, ReadNpz(request.inputs));
    step.session_->Reset();
    if (!request.prompt.empty()) {
      ASHLAR_ASSIGN_OR_RETURN(Arrays prompt, ReadNpz(request.prompt));
      ASHLAR_RETURN_IF_ERROR(step.session_->Run("prefill", Views(prompt), &step.outputs_));
      for (const auto& [name, array] : prompt)
        if (name == "input_ids") step.context_ = array.shape.back();
    }
    ASHLAR_RETURN_IF_ERROR(
        step.session_->Run(step.entry_->name, Views(step.arrays_), &step.outputs_));
    step.dims_ = step.session_->last_dims();
    return step;
  }

  absl::Status WriteOutput(const std::string& path) const {
    for (const Tensor& tensor : outputs_)
      if (tensor.name == output_) return WriteNpy(path, tensor.dtype, tensor.shape, tensor.data);
    return InvalidArgument("there is no output '", output_, "'");
  }

  // Steps for so many seconds, at least `calls`; returns the milliseconds of each.
  absl::StatusOr<std::vector<double>> Time(double seconds, int64_t calls) {
    std::vector<Tensor> inputs = Views(arrays_);
    std::vector<double> times;
    auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (static_cast<int64_t>(times.size()) < calls || Clock::now() < end) {
      ASHLAR_RETURN_IF_ERROR(SetContext(*session_, *entry_, dims_, context_));
      auto begin = Clock::now();
      ASHLAR_RETURN_IF_ERROR(session_->Run(entry_->name, inputs, &outputs_));
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    return times;
  }

  Session& session() { return *session_; }

 private:
  Step() = default;
  std::unique_ptr<Session> session_;
  const fb::EntryT* entry_ = nullptr;
  std::string output_;
  Arrays arrays_;
  std::vector<Tensor> outputs_;
  std::vector<int64_t> dims_;
  int64_t context_ = 0;
};

absl::StatusOr<Json> Answer(Step& step, const Json& request) {
  std::string op = request.value("op", "");
  if (op == "outputs") {
    ASHLAR_RETURN_IF_ERROR(step.WriteOutput(request.value("path", "")));
    return Json{{"event", "outputs"}};
  }
  if (op != "time") return InvalidArgument("there is no operation '", op, "'");
  double cpu = CpuSeconds();
  auto begin = Clock::now();
  ASHLAR_ASSIGN_OR_RETURN(std::vector<double> times, step.Time(request.value("seconds", 1.0),
                                                               request.value("calls", int64_t{3})));
  double wall = std::chrono::duration<double>(Clock::now() - begin).count();
  return Json{{"event", "times"}, {"ms", times}, {"cores", (CpuSeconds() - cpu) / wall}};
}

void Say(const Json& object) {
  std::cout << object.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

void SayError(const absl::Status& status) {
  Say({{"event", "error"}, {"reason", std::string(status.message())}});
}

int Main(const std::vector<std::string>& args) {
  Request request;
  Options options("bench-server", "Times steps of an artifact on request, over stdin and stdout.");
  options.Positional("X.ashlar", "the artifact", &request.session.artifact);
  options.Positional("INPUTS.npz", "the step's inputs", &request.inputs);
  options.Add("--entry", "NAME", "the entry (default: forward)", &request.entry);
  options.Add("--prompt", "FILE.npz", "prefill's inputs, for the cache that each step begins with",
              &request.prompt);
  options.Add("--output", "NAME", "the output to write on request", &request.output);
  options.Add("--threads", "N", "threads that compute (default: one per core)",
              &request.session.threads);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  auto begin = Clock::now();
  auto step = Step::Create(request);
  if (!step.ok()) {
    SayError(step.status());
    return kFailed;
  }
  Say({{"event", "ready"},
       {"load_s", std::chrono::duration<double>(Clock::now() - begin).count()},
       {"threads", step->session().threads()},
       {"version", std::string("code for ") + step->session().cpu()}});
  std::string line;
  while (std::getline(std::cin, line)) {
    Json parsed = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!parsed.is_object()) {
      SayError(InvalidArgument("not a JSON object: ", line));
      continue;
    }
    auto answer = Answer(*step, parsed);
    if (answer.ok())
      Say(*answer);
    else
      SayError(answer.status());
  }
  return kOk;
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) { return ashlar::Main({argv + 1, argv + argc}); }
