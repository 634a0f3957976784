// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar-sessions: what a session costs once its program is bound: making one, and a step in a new
// one beside a step in one that is kept.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "runtime/api/session.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

struct Costs {
  double create_us = 1e30;  // Session::Create
  double step_us = 1e30;    // of a new session, with making and ending it
};

// The best of several rounds.
absl::StatusOr<Costs> Measure(const std::shared_ptr<const BoundProgram>& program,
                              const SessionOptions& options, const fb::EntryT& entry,
                              const std::vector<Tensor>& inputs, int64_t rounds) {
  Costs best;
  std::vector<Tensor> outputs;
  for (int64_t round = 0; round < rounds; ++round) {
    auto begin = Clock::now();
    ASHLAR_ASSIGN_OR_RETURN(auto session, Session::Create(program, options));
    best.create_us = std::min(best.create_us, MicrosecondsSince(begin));
    ASHLAR_RETURN_IF_ERROR(session->Run(entry.name, inputs, &outputs));
    session.reset();
    best.step_us = std::min(best.step_us, MicrosecondsSince(begin));
  }
  return best;
}

absl::Status Sessions(const std::string& path, int64_t rounds, int64_t at_most) {
  ASHLAR_ASSIGN_OR_RETURN(auto program, BoundProgram::Load(path, {}));
  const fb::ProgramT& metadata = program->program().metadata();
  const fb::EntryT& entry = *metadata.entries[0];
  std::map<std::string, int64_t> smallest;
  for (const auto& dim : metadata.dims) smallest[dim->name] = dim->minimum;
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> dims, ChooseDims(metadata, smallest));
  SyntheticInputs inputs(entry, dims);

  SessionOptions system, shared;
  shared.executor = std::make_shared<ThreadPool>();
  shared.memory_pool = std::make_shared<MemoryPool>(MemoryPool::Options{});
  ASHLAR_ASSIGN_OR_RETURN(auto kept, Session::Create(program, shared));
  double step = 1e30;
  for (int64_t round = 0; round < rounds; ++round) {
    auto begin = Clock::now();
    std::vector<Tensor> outputs;
    ASHLAR_RETURN_IF_ERROR(kept->Run(entry.name, inputs.tensors(), &outputs));
    step = std::min(step, MicrosecondsSince(begin));
  }
  ASHLAR_ASSIGN_OR_RETURN(Costs alone, Measure(program, system, entry, inputs.tensors(), rounds));
  ASHLAR_ASSIGN_OR_RETURN(Costs pooled, Measure(program, shared, entry, inputs.tensors(), rounds));
  std::printf(
      "%s: %zu launches, %s a session; best of %lld\n"
      "  a session of its own      %7.1f us to make; made, one smallest step and ended %8.1f us\n"
      "  from pools                %7.1f us to make; made, one smallest step and ended %8.1f us\n"
      "  a step in one that is kept                                                %12.1f us\n",
      path.c_str(), entry.launches.size(),
      HumanBytes(static_cast<double>(kept->memory().peak())).c_str(),
      static_cast<long long>(rounds), alone.create_us, alone.step_us, pooled.create_us,
      pooled.step_us, step);
  if (at_most > 0 && std::max(alone.create_us, pooled.create_us) > static_cast<double>(at_most))
    return OutOfRange("a session takes more than ", at_most, " us to make");
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& args) {
  std::string path;
  int64_t rounds = 200, at_most = 0;
  Options options("sessions",
                  "Measures what a session costs once its program is bound (the best of several).");
  options.Positional("X.ashlar", "the artifact", &path);
  options.Add("--rounds", "R", "how often (default: 200)", &rounds);
  options.Add("--at-most-us", "T", "fail where making a session takes longer", &at_most);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (rounds < 1) return options.UsageError("expected R at least 1");
  absl::Status status = Sessions(path, rounds, at_most);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) { return ashlar::Main({argv + 1, argv + argc}); }
