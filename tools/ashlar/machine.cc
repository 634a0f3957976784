// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar machine: the constants of the cost model, measured here.
#include "tools/ashlar/machine.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_features.h"
#include "tools/ashlar/command.h"

namespace ashlar {
namespace {

absl::Status Keep(const std::string& path, const MachineConstants& machine) {
  ASHLAR_RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path().string()));
  return WriteMachineFile(path, machine);
}

}  // namespace

void MachineRequest::AddTo(Options& options) {
  options.Add("--machine", "FILE",
              "the machine's constants, as `ashlar machine -o FILE` writes them (default:\n"
              "measured once, kept in $XDG_CACHE_HOME/ashlar or ~/.cache/ashlar)",
              &file);
  options.Add("--measure-machine", "measure the machine again, and keep that", &measure);
}

absl::StatusOr<MachineConstants> GetMachine(const MachineRequest& request, Executor& pool) {
  if (!request.file.empty()) {
    ASHLAR_ASSIGN_OR_RETURN(MachineConstants machine, ReadMachineFile(request.file));
    if (machine.threads != pool.size() || machine.cpu != HostCpuName())
      std::cerr << "warning: " << request.file << " is of " << machine.cpu << " with "
                << machine.threads << " threads; this runs on " << HostCpuName() << " with "
                << pool.size() << "\n";
    return machine;
  }
  std::string path = CachedMachinePath(pool.size());
  if (!request.measure && !path.empty()) {
    auto kept = ReadMachineFile(path);
    if (kept.ok() && kept->cpu == HostCpuName() && kept->threads == pool.size()) return kept;
  }
  std::cerr << "measuring the machine ...\n";
  ThreadPool one(1);
  ASHLAR_ASSIGN_OR_RETURN(MachineConstants machine, MeasureMachine(one, pool));
  absl::Status status = path.empty() ? absl::NotFoundError("neither XDG_CACHE_HOME nor HOME is set")
                                     : Keep(path, machine);
  if (!status.ok())
    std::cerr << "warning: the measurement is not kept: " << Message(status) << "\n";
  return machine;
}

std::string DescribeMachine(const MachineConstants& machine) {
  char text[600];
  std::snprintf(
      text, sizeof(text),
      "  all cores (one core): %.1f (%.1f) GFLOP/s f32, %.2f (%.2f) G exp/s,\n"
      "  read %.1f (%.1f) GB/s, copy %.1f (%.1f) GB/s, from the cache of %.0f MB %.1f "
      "(%.1f) GB/s, %.2f us a launch\n",
      machine.f32.all_cores * 1e-9, machine.f32.one_core * 1e-9, machine.exp.all_cores * 1e-9,
      machine.exp.one_core * 1e-9, machine.read.all_cores * 1e-9, machine.read.one_core * 1e-9,
      machine.copy.all_cores * 1e-9, machine.copy.one_core * 1e-9, machine.cache_bytes * 1e-6,
      machine.cache.all_cores * 1e-9, machine.cache.one_core * 1e-9, machine.launch_seconds * 1e6);
  std::string bf16;
  for (auto [rate, what] :
       {std::pair{machine.bf16_dot, "dot products"}, {machine.bf16_tile, "tiles"}})
    if (rate.all_cores > 0) {
      char line[100];
      std::snprintf(line, sizeof(line), "  bf16 %s %.1f (%.1f) GFLOP/s\n", what,
                    rate.all_cores * 1e-9, rate.one_core * 1e-9);
      bf16 += line;
    }
  return StrCat("machine: ", machine.cpu, ", ", machine.threads, " threads, measured ",
                machine.date, "\n", text, bf16);
}

std::string MachineRequest::FindConflict() const {
  return measure && !file.empty() ? "--machine and --measure-machine exclude each other" : "";
}

int MachineMain(const Arguments& args) {
  MachineRequest request;
  std::string output;
  int64_t threads = 0;
  Options options("machine",
                  "Prints what the cost model knows of this machine: measured once for each number "
                  "of threads,\nand kept in the user's cache directory.",
                  "examples:\n"
                  "  ashlar machine\n"
                  "  ashlar machine -o here.json && ashlar compile ./bert -o bert.ashlar --machine "
                  "here.json");
  options.Add("-o", "FILE", "write the constants, for --machine of the other commands", &output);
  options.AddThreads(&threads, "threads that \"all cores\" are (default: one per core)");
  request.AddTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (std::string conflict = request.FindConflict(); !conflict.empty())
    return options.UsageError(conflict);
  ThreadPool pool(static_cast<int>(threads));
  auto machine = GetMachine(request, pool);
  if (!machine.ok()) return Fail(machine.status());
  std::cout << DescribeMachine(*machine);
  absl::Status status = output.empty() ? absl::OkStatus() : WriteMachineFile(output, *machine);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
