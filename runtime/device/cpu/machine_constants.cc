// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/machine_constants.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/machine_peaks.h"
#include "runtime/device/cpu/peaks.h"

namespace ashlar {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMilliseconds = 60;  // that each way to compute or to read is tried
constexpr uint64_t kMaxFileBytes = 1 << 16;

struct RateField {
  const char* name;
  Rate MachineConstants::* member;
  bool may_be_none = false;  // a CPU may not have what it is the rate of: both are 0
};
constexpr RateField kRates[] = {{"f32_flops", &MachineConstants::f32},
                                {"bf16_dot_flops", &MachineConstants::bf16_dot, true},
                                {"bf16_tile_flops", &MachineConstants::bf16_tile, true},
                                {"exp_evaluations", &MachineConstants::exp},
                                {"read_bytes", &MachineConstants::read},
                                {"copy_bytes", &MachineConstants::copy},
                                {"cache_read_bytes", &MachineConstants::cache}};

std::string Today() {
  std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &parts);
  return text;
}

// Sets *out from a finite number.
bool ReadFinite(const Json& object, const char* name, double* out) {
  auto it = object.find(name);
  if (it == object.end() || !it->is_number()) return false;
  *out = it->get<double>();
  return std::isfinite(*out);
}

bool ReadPositive(const Json& object, const char* name, double* out) {
  return ReadFinite(object, name, out) && *out > 0;
}

// Both rates positive, or where that may be both 0, which is also what a missing field says.
bool ReadRate(const Json& object, const RateField& field, Rate* rate) {
  auto it = object.find(field.name);
  if (it == object.end()) return field.may_be_none;
  if (!it->is_object() || !ReadFinite(*it, "one_core", &rate->one_core) ||
      !ReadFinite(*it, "all_cores", &rate->all_cores))
    return false;
  const bool none = rate->one_core == 0 && rate->all_cores == 0;
  return none ? field.may_be_none : rate->one_core > 0 && rate->all_cores > 0;
}

}  // namespace

absl::StatusOr<MachineConstants> MeasureMachine(Executor& one, Executor& all) {
  MachineConstants machine;
  machine.cpu = HostCpuName();
  machine.date = Today();
  machine.threads = all.size();
  machine.cache_bytes = static_cast<double>(std::max<int64_t>(LastLevelCacheBytes(), 1 << 20));
  machine.launch_seconds = std::max(MeasureLaunch(all), 1e-3) * 1e-6;
  auto enter = [](Rate& rate, const Peak& peak) {
    rate = {peak.one_core * 1e9, peak.all_cores * 1e9};
  };
  for (const Peak& peak : MeasureMachinePeaks(
           one, all, {"f32", "bf16_dot", "bf16_tile", "f32_exp", "read", "copy"}, kMilliseconds)) {
    if (!peak.reason.empty() && peak.unit == "GB/s")
      return absl::UnavailableError("cannot measure the memory: " + peak.reason);
    if (peak.kind == "f32") enter(machine.f32, peak);
    if (peak.kind == "bf16_dot" && peak.reason.empty()) enter(machine.bf16_dot, peak);
    if (peak.kind == "bf16_tile" && peak.reason.empty()) enter(machine.bf16_tile, peak);
    if (peak.kind == "f32_exp" && peak.reason.empty()) enter(machine.exp, peak);
    if (peak.kind == "read") enter(machine.read, peak);
    if (peak.kind == "copy") enter(machine.copy, peak);
  }
  // A quarter of the cache, for others use it too, but twice what the cores' own caches hold, which
  // are not to be measured. Where that does not fit, there is no shared cache to speak of.
  int64_t cache = LastLevelCacheBytes();
  int64_t bytes = std::max({cache / 4, 2 * all.size() * SecondLevelCacheBytes(), kLeastPeakBytes});
  machine.cache = machine.read;
  if (bytes <= cache / 4 * 3)
    for (const Peak& peak : MeasureMachinePeaks(one, all, {"read"}, kMilliseconds, bytes))
      enter(machine.cache, peak);
  return machine;
}

std::string ToJson(const MachineConstants& machine) {
  Json object = {{"cpu", machine.cpu}, {"date", machine.date}, {"threads", machine.threads}};
  for (const RateField& field : kRates)
    object[field.name] = {{"one_core", (machine.*field.member).one_core},
                          {"all_cores", (machine.*field.member).all_cores}};
  object["cache_bytes"] = machine.cache_bytes;
  object["launch_seconds"] = machine.launch_seconds;
  // A CPU's name is the machine's own text: what is not UTF-8 in it is replaced.
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<MachineConstants> ReadMachineFile(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxFileBytes));
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object())
    return InvalidArgument(path,
                           ": expected a JSON object of machine constants, as `ashlar "
                           "machine -o FILE` writes it");
  auto wrong = [&](const std::string& field, std::string_view expected) {
    auto it = object.find(field);
    const std::string found =
        it == object.end() ? "none" : it->dump(-1, ' ', true, Json::error_handler_t::replace);
    return InvalidArgument(path, ": field '", field, "': expected ", expected, ", found ",
                           found.substr(0, 80), "; `ashlar machine -o FILE` writes such files");
  };
  MachineConstants machine;
  for (auto [name, text] : {std::pair{"cpu", &machine.cpu}, std::pair{"date", &machine.date}}) {
    auto it = object.find(name);
    if (it == object.end() || !it->is_string()) return wrong(name, "a string");
    *text = it->get<std::string>();
  }
  double threads = 0;
  if (!ReadPositive(object, "threads", &threads) || threads != std::floor(threads) ||
      threads > ThreadPool::kMaxThreads)
    return wrong("threads", "a number of threads");
  machine.threads = static_cast<int>(threads);
  for (const RateField& field : kRates)
    if (!ReadRate(object, field, &(machine.*field.member)))
      return wrong(field.name, StrCat("positive numbers one_core and all_cores",
                                      field.may_be_none ? ", or 0 for both" : ""));
  if (!ReadPositive(object, "cache_bytes", &machine.cache_bytes))
    return wrong("cache_bytes", "a positive number");
  if (!ReadPositive(object, "launch_seconds", &machine.launch_seconds))
    return wrong("launch_seconds", "a positive number");
  return machine;
}

absl::Status WriteMachineFile(const std::string& path, const MachineConstants& machine) {
  return WriteFile(path, ToJson(machine));
}

std::string CachedMachinePath(int threads) {
  std::string directory = UserCacheDirectory();
  return directory.empty() ? "" : StrCat(directory, "/machine-", threads, ".json");
}

}  // namespace ashlar
