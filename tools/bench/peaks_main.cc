// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar-peaks: measures the machine's limits and prints them as one JSON object. A kind that the
// CPU lacks is null, with the reason.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/machine_peaks.h"
#include "tools/ashlar/options.h"

namespace ashlar {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const Peak& peak) {
  if (!peak.reason.empty())
    return {{"unit", peak.unit},
            {"one_core", nullptr},
            {"all_cores", nullptr},
            {"reason", peak.reason}};
  auto rounded = [](double value) { return std::round(value * 100) / 100; };
  return {{"unit", peak.unit},
          {"one_core", rounded(peak.one_core)},
          {"all_cores", rounded(peak.all_cores)},
          {"instruction", peak.instruction}};
}

int Main(const std::vector<std::string>& args) {
  int64_t threads = 0, milliseconds = 100, mebibytes = 0;
  std::vector<std::string> kinds;
  Options options("peaks", "Measures what this machine can do at most; prints one JSON object.");
  options.Add("--threads", "N", "threads of \"all cores\" (default: one per core)", &threads);
  options.Add("--kind", "NAME",
              "f32, bf16_dot, int8_dot, bf16_tile, int8_tile, read or copy (repeat for several; "
              "default: all)",
              &kinds);
  options.Add("--milliseconds", "T", "how long each way is tried (default: 100)", &milliseconds);
  options.Add("--mebibytes", "M",
              "memory to read or copy (default: four times the last level cache, at least 256)",
              &mebibytes);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  std::set<std::string> known;
  for (const ComputeKernel& kernel : ComputeKernels()) known.insert(kernel.kind);
  for (const MemoryKernel& kernel : MemoryKernels()) known.insert(kernel.kind);
  for (const std::string& kind : kinds)
    if (!known.count(kind)) return options.UsageError("there is no kind '" + kind + "'");

  ThreadPool one(1), all(static_cast<int>(std::min<int64_t>(threads, ThreadPool::kMaxThreads)));
  Json peaks = Json::object();
  for (const Peak& peak :
       MeasureMachinePeaks(one, all, {kinds.begin(), kinds.end()},
                           static_cast<int>(std::min<int64_t>(milliseconds, 60000)),
                           std::min<int64_t>(mebibytes, 1 << 20) << 20))
    peaks[peak.kind] = ToJson(peak);
  Json object = {{"cpu", HostCpuName()},
                 {"threads", all.size()},
                 {"features", HostFeatures()},
                 {"peaks", peaks}};
  std::cout << object.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) { return ashlar::Main({argv + 1, argv + argc}); }
