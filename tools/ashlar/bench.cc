// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar bench: how long a step takes, beside what the machine could do at most, measured in the
// same run.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "runtime/base/status.h"
#include "runtime/device/cpu/peaks.h"
#include "runtime/program/work.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/trace_file.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

constexpr int64_t kMostMilliseconds = 3600 * 1000;
constexpr int kTracedSteps = 5;

struct Request {
  SessionRequest session;
  std::string entry;
  std::map<std::string, int64_t> dims;
  int64_t context = -1;  // -1: the default
  int64_t milliseconds = 2000;
  TraceFile trace;
};

struct Result {
  std::string entry;
  int64_t batch = 0, seq = 0, context = 0;
  int threads = 0;
  std::string device, library;  // library: what computes plain products on a GPU
  double min_ms = 0, median_ms = 0;
  double device_ms = -1;             // median by a GPU's clock; negative where there is none
  double operations = 0, bytes = 0;  // of one step
  Peaks peaks;
};

// The entry that is asked for, else forward, else decode.
absl::StatusOr<int> ChooseEntry(const Program& program, const std::string& name) {
  if (!name.empty()) return program.FindEntry(name);
  absl::StatusOr<int> forward = program.FindEntry("forward");
  return forward.ok() ? forward : program.FindEntry("decode");
}

// Times steps for a while, each from the same context.
absl::Status Measure(Session& session, const fb::EntryT& entry, const std::vector<int64_t>& dims,
                     int64_t milliseconds, TraceFile& trace, Result* result) {
  using Clock = std::chrono::steady_clock;
  SyntheticInputs inputs(entry, dims);
  std::vector<Tensor> outputs;
  std::vector<double> times, device_times;
  RunOptions run;
  auto step = [&] {
    ASHLAR_RETURN_IF_ERROR(SetContext(session, entry, dims, result->context));
    auto begin = Clock::now();
    ASHLAR_RETURN_IF_ERROR(session.Run(entry.name, inputs.tensors(), &outputs, run));
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    device_times.push_back(session.last_device_ms());
    return absl::OkStatus();
  };
  session.Reset();  // also makes the pages of the state real
  for (int warm_up = 0; warm_up < 3; ++warm_up) ASHLAR_RETURN_IF_ERROR(step());
  times.clear();
  device_times.clear();
  auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
  while (times.size() < 5 || (Clock::now() < end && times.size() < 100000))
    ASHLAR_RETURN_IF_ERROR(step());
  const std::vector<double> measured = times;
  std::sort(device_times.begin(), device_times.end());
  result->device_ms = device_times[device_times.size() / 2];
  run = trace.Begin(session);  // a few steps more: tracing takes time
  for (int i = 0; trace.wanted() && i < kTracedSteps; ++i) ASHLAR_RETURN_IF_ERROR(step());
  ASHLAR_RETURN_IF_ERROR(trace.Finish());
  times = measured;
  std::sort(times.begin(), times.end());
  result->min_ms = times.front();
  result->median_ms = times[times.size() / 2];
  double share = StateShare(session.program().metadata(), entry, dims, result->context);
  for (const auto& launch : entry.launches) {
    Work work = WorkOf(session.program().metadata(), *launch, dims.data(), share);
    result->operations += work.flops();
    result->bytes += work.bytes();
  }
  return absl::OkStatus();
}

absl::StatusOr<Result> Bench(Request& request) {
  ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(request.session));
  const fb::ProgramT& program = session->program().metadata();
  ASHLAR_ASSIGN_OR_RETURN(int index, ChooseEntry(session->program(), request.entry));
  const fb::EntryT& entry = *program.entries[index];
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> dims, ChooseDims(program, request.dims));
  Result result;
  result.entry = entry.name;
  result.threads = session->threads();
  if (request.context > 0 && entry.limits.empty())
    return InvalidArgument("--context: the entry '", entry.name,
                           "' has no cache that a context would lie in");
  result.context = request.context >= 0 ? request.context : DefaultContext(entry, dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (program.dims[i]->name == "batch") result.batch = dims[i];
    if (program.dims[i]->name == "seq") result.seq = entry.name == "decode" ? 1 : dims[i];
  }
  result.device = session->bound_program().device();
  result.library = session->library();
  const bool is_cpu = result.device == "cpu";
  // Of the CPU alone: tools/bench/gpu_bench.py measures a GPU's. Peaks before and after: on a
  // machine that others use too, the better ones are nearer to the truth.
  Peaks before = is_cpu ? MeasurePeaks(session->executor()) : Peaks();
  ASHLAR_RETURN_IF_ERROR(
      Measure(*session, entry, dims, request.milliseconds, request.trace, &result));
  if (!is_cpu) return result;
  Peaks after = MeasurePeaks(session->executor());
  result.peaks.f32_gflops = std::max(before.f32_gflops, after.f32_gflops);
  result.peaks.read_gbs = std::max(before.read_gbs, after.read_gbs);
  result.peaks.launch_us = std::min(before.launch_us, after.launch_us);
  return result;
}

// "75 %"; a dash where there is no peak.
std::string Share(double rate, double peak) {
  if (peak <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof(text), "%.0f %%", 100 * rate / peak);
  return text;
}

void Print(const Result& result, bool json) {
  double seconds = (result.device_ms > 0 ? result.device_ms : result.median_ms) * 1e-3;
  double gflops = result.operations / seconds * 1e-9, gbs = result.bytes / seconds * 1e-9;
  if (json) {
    nlohmann::ordered_json object = {{"entry", result.entry},
                                     {"batch", result.batch},
                                     {"seq", result.seq},
                                     {"context", result.context},
                                     {"threads", result.threads},
                                     {"device", result.device},
                                     {"library", result.library},
                                     {"device_ms", result.device_ms},
                                     {"min_ms", result.min_ms},
                                     {"median_ms", result.median_ms},
                                     {"gflops", gflops},
                                     {"gbs", gbs},
                                     {"peak_gflops", result.peaks.f32_gflops},
                                     {"peak_gbs", result.peaks.read_gbs}};
    std::cout << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return;
  }
  char text[400];
  if (result.device != "cpu") {
    char device[64] = "";
    if (result.device_ms > 0)
      std::snprintf(device, sizeof(device), ", %.3f ms of them kernels", result.device_ms);
    std::snprintf(text, sizeof(text),
                  "%s on %s, batch %lld, seq %lld, context %lld\n"
                  "  %.3f ms median, %.3f ms at best%s\n"
                  "  %.1f GFLOP/s; %.1f GB/s\n",
                  result.entry.c_str(), result.device.c_str(), static_cast<long long>(result.batch),
                  static_cast<long long>(result.seq), static_cast<long long>(result.context),
                  result.median_ms, result.min_ms, device, gflops, gbs);
    std::cout << text;
    return;
  }
  std::snprintf(
      text, sizeof(text),
      "%s, batch %lld, seq %lld, context %lld, %d threads\n"
      "  %.3f ms median, %.3f ms at best\n"
      "  %.1f GFLOP/s, the f32 peak is %.1f (%s); %.1f GB/s, the read peak is %.1f (%s)\n",
      result.entry.c_str(), static_cast<long long>(result.batch),
      static_cast<long long>(result.seq), static_cast<long long>(result.context), result.threads,
      result.median_ms, result.min_ms, gflops, result.peaks.f32_gflops,
      Share(gflops, result.peaks.f32_gflops).c_str(), gbs, result.peaks.read_gbs,
      Share(gbs, result.peaks.read_gbs).c_str());
  std::cout << text;
}

}  // namespace

int BenchMain(const Arguments& args) {
  Request request;
  int64_t batch = -1, seq = -1;
  bool json = false;
  Options options("bench",
                  "Measures steps of an entry, and in the same run the machine's f32 and "
                  "read-bandwidth peaks;\n"
                  "on a GPU the kernels by its own clock, too.",
                  "example:\n  ashlar bench bert.ashlar --batch 1 --seq 128 --json");
  options.Positional("X.ashlar", "the artifact", &request.session.artifact);
  options.Add("--entry", "NAME", "forward, prefill or decode (default: forward, else decode)",
              &request.entry);
  options.Add("--batch", "B", "sequences in a step (default: 1)", &batch);
  options.Add("--seq", "S", "tokens per sequence (default: 128, or the most there may be)", &seq);
  options.Add("--context", "C",
              "tokens that are in the cache before the step (default: 128 for decode)",
              &request.context);
  options.AddThreads(&request.session.threads);
  options.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
              &request.session.weights_directory);
  options.Add("--milliseconds", "T", "how long to measure (default: 2000)", &request.milliseconds,
              kMostMilliseconds);
  options.Add("--json", "print one JSON object", &json);
  request.trace.AddTo(options);
  request.session.AddDeviceTo(options);
  request.session.AddTrustTo(options);
  request.session.AddCacheTo(options);
  request.session.AddRanksTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (batch >= 0) request.dims["batch"] = batch;
  if (seq >= 0) request.dims["seq"] = seq;
  auto result = Bench(request);
  if (!result.ok()) return Fail(result.status());
  Print(*result, json);
  return kOk;
}

}  // namespace ashlar
