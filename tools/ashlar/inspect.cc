// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar inspect: what an artifact holds, what each kernel costs, and how the memory is planned.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/peaks.h"
#include "runtime/program/describe.h"
#include "runtime/program/extent.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

// One kernel's launches in an entry, added up.
struct KernelCost {
  int count = 0;
  double bytes = 0, operations = 0;
  double us = 0;        // measured, of the best step
  double limit_us = 0;  // what the machine's peaks allow at best
};

std::vector<KernelCost> Costs(const fb::ProgramT& program, const fb::EntryT& entry,
                              const std::vector<int64_t>& dims,
                              const std::vector<LaunchTime>* times, const Peaks& peaks) {
  std::vector<KernelCost> costs(program.kernels.size());
  for (size_t i = 0; i < entry.launches.size(); ++i) {
    KernelCost& cost = costs[entry.launches[i]->kernel];
    double operations = static_cast<double>(Evaluate(entry.launches[i]->flops, dims.data()));
    double bytes = static_cast<double>(Evaluate(entry.launches[i]->bytes, dims.data()));
    ++cost.count;
    cost.operations += operations;
    cost.bytes += bytes;
    if (!times || (*times)[i].steps == 0) continue;
    cost.us += (*times)[i].min_us;
    cost.limit_us += std::max(operations / peaks.f32_gflops, bytes / peaks.read_gbs) * 1e-3;
  }
  return costs;
}

// What bounds the kernel: its arithmetic, its memory traffic, or the launches themselves.
const char* Bound(const KernelCost& cost, const Peaks& peaks) {
  if (cost.limit_us < cost.count * peaks.launch_us) return "launch";
  return cost.operations / peaks.f32_gflops > cost.bytes / peaks.read_gbs ? "compute" : "memory";
}

void PrintKernels(const fb::ProgramT& program, std::vector<KernelCost> costs, const Peaks* peaks) {
  std::printf("    %5s %11s %11s", "count", "bytes", "operations");
  if (peaks) std::printf(" %10s %7s %-8s", "us", "limit", "bound by");
  std::printf("  kernel\n");
  KernelCost sum;
  for (size_t i = 0; i < costs.size(); ++i) {
    const KernelCost& cost = costs[i];
    if (cost.count == 0) continue;
    std::printf("    %5d %11s %11s", cost.count, HumanBytes(cost.bytes).c_str(),
                HumanCount(cost.operations).c_str());
    if (peaks)
      std::printf(" %10.1f %6.1f%% %-8s", cost.us, cost.us > 0 ? 100 * cost.limit_us / cost.us : 0,
                  Bound(cost, *peaks));
    std::printf("  %s", program.kernels[i]->name.c_str());
    if (!program.kernels[i]->ops.empty())
      std::printf(" = %s", StrJoin(program.kernels[i]->ops, " + ").c_str());
    std::printf("\n");
    sum.count += cost.count;
    sum.bytes += cost.bytes;
    sum.operations += cost.operations;
    sum.us += cost.us;
    sum.limit_us += cost.limit_us;
  }
  std::printf("    %5d %11s %11s", sum.count, HumanBytes(sum.bytes).c_str(),
              HumanCount(sum.operations).c_str());
  if (peaks)
    std::printf(" %10.1f %6.1f%% %-8s", sum.us, sum.us > 0 ? 100 * sum.limit_us / sum.us : 0, "");
  std::printf("  in all\n");
}

void PrintHead(const Program& program) {
  const fb::ProgramT& metadata = program.metadata();
  std::printf("%s: %s, made by %s\n", program.path().c_str(),
              HumanBytes(static_cast<double>(program.file().size())).c_str(),
              metadata.producer.c_str());
  for (const auto& property : metadata.properties)
    std::printf("  %-20s %s\n", property->key.c_str(), property->value.c_str());
  std::printf("  %-20s %s\n", "dimensions", DescribeDims(metadata).c_str());
  auto chosen = ChooseImage(metadata.images, HostFeatures());
  for (size_t i = 0; i < metadata.images.size(); ++i)
    std::printf("  %-20s %s, %s%s\n", "code", metadata.images[i]->cpu.c_str(),
                HumanBytes(static_cast<double>(metadata.images[i]->size)).c_str(),
                chosen.ok() && *chosen == static_cast<int>(i) ? " (the one for this machine)" : "");
  if (!chosen.ok()) std::printf("  %-20s %s\n", "", Message(chosen.status()).c_str());
  std::string source = metadata.weight_source == fb::WeightSource::Embedded ? "embedded"
                       : metadata.weight_source == fb::WeightSource::Random
                           ? StrCat("random, seed ", metadata.random_seed)
                           : StrCat("from ", metadata.weight_directory);
  std::printf("  %-20s %s, %s\n", "weights",
              HumanBytes(static_cast<double>(metadata.weights_bytes)).c_str(), source.c_str());
}

void PrintMemory(const fb::ProgramT& program, int threads) {
  MemoryUse use = PlanMemory(program, threads);
  std::printf(
      "memory at the bounds, exact: %llu bytes = arena %llu + scratch %llu (%d threads) + state "
      "%llu\n",
      static_cast<unsigned long long>(use.peak()), static_cast<unsigned long long>(use.arena),
      static_cast<unsigned long long>(use.scratch), threads,
      static_cast<unsigned long long>(use.state));
  for (const auto& entry : program.entries) {
    double peak = static_cast<double>(entry->arena_bytes),
           bound = static_cast<double>(entry->arena_lower_bound);
    std::printf("  %-20s peak %llu, lower bound %llu, gap %.2f %%\n", entry->name.c_str(),
                static_cast<unsigned long long>(entry->arena_bytes),
                static_cast<unsigned long long>(entry->arena_lower_bound),
                bound > 0 ? 100 * (peak - bound) / bound : 0);
  }
  std::printf("  %-20s %llu, apart\n", "weights", static_cast<unsigned long long>(use.weights));
  for (const auto& state : program.states)
    std::printf("  state %-14s %s\n", state->name.c_str(),
                HumanBytes(static_cast<double>(state->bytes)).c_str());
}

// The extents of an entry in words: "batch 1, seq 128".
std::string At(const fb::ProgramT& program, const std::vector<int64_t>& dims) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < dims.size(); ++i)
    parts.push_back(StrCat(program.dims[i]->name, " ", dims[i]));
  return StrJoin(parts, ", ");
}

void PrintEntry(const fb::ProgramT& program, const fb::EntryT& entry,
                const std::vector<int64_t>& dims, const std::vector<LaunchTime>* times,
                const Peaks* peaks) {
  std::printf("entry %s, at %s\n", entry.name.c_str(), At(program, dims).c_str());
  std::printf("%s", DescribeInputs(program, entry).c_str());
  for (const auto& output : entry.outputs)
    std::printf("  -> %s: %s\n", output->name.c_str(), Describe(program, *output).c_str());
  PrintKernels(program, Costs(program, entry, dims, times, peaks ? *peaks : Peaks()), peaks);
}

// Runs each entry a few times, each from the same context.
absl::Status Profile(Session& session, const std::vector<int64_t>& dims) {
  Peaks peaks = MeasurePeaks(session.pool());
  for (const auto& entry : session.program().metadata().entries) {
    SyntheticInputs inputs(*entry, dims);
    session.Reset();
    for (int i = 0; i < 2 + 10; ++i) {
      if (i == 2) session.ClearTimes();
      ASHLAR_RETURN_IF_ERROR(SetContext(session, *entry, dims, DefaultContext(*entry, dims)));
      ASHLAR_RETURN_IF_ERROR(session.Run(entry->name, inputs.tensors(), nullptr));
    }
    int index = *session.program().FindEntry(entry->name);
    PrintEntry(session.program().metadata(), *entry, session.last_dims(), &session.times(index),
               &peaks);
  }
  std::printf(
      "us: the best of 10 steps; limit: what the machine's peaks allow, as a share of that; above\n"
      "100 %% the bytes came from a cache\n");
  std::printf("measured here: %.1f GFLOP/s, %.1f GB/s, %.2f us a launch, %d threads, %s\n",
              peaks.f32_gflops, peaks.read_gbs, peaks.launch_us, session.threads(),
              HostCpuName().c_str());
  return absl::OkStatus();
}

absl::Status Inspect(const SessionRequest& request, const std::map<std::string, int64_t>& chosen,
                     bool verify) {
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(request.artifact));
  const fb::ProgramT& metadata = program->metadata();
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> dims, ChooseDims(metadata, chosen));
  PrintHead(*program);
  if (verify) {
    ASHLAR_RETURN_IF_ERROR(program->VerifyWeights());
    std::printf("  %-20s all checksums are right\n", "verified");
  }
  int threads = request.threads > 0 ? static_cast<int>(request.threads) : ThreadPool(0).size();
  if (request.profile) {
    ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(request));
    ASHLAR_RETURN_IF_ERROR(Profile(*session, dims));
    threads = session->threads();
  } else {
    for (const auto& entry : metadata.entries) PrintEntry(metadata, *entry, dims, nullptr, nullptr);
  }
  PrintMemory(metadata, threads);
  return absl::OkStatus();
}

}  // namespace

int InspectMain(const Arguments& args) {
  SessionRequest request;
  int64_t batch = -1, seq = -1;
  bool verify = false;
  Options options("inspect",
                  "Shows what an artifact holds: its inputs and outputs, what each kernel fuses "
                  "and costs, and\n"
                  "the memory that it will take.",
                  "example:\n  ashlar inspect bert.ashlar --batch 1 --seq 128 --profile");
  options.Positional("X.ashlar", "the artifact", &request.artifact);
  options.Add("--batch", "B", "count costs for B sequences (default: 1)", &batch);
  options.Add("--seq", "S", "of S tokens each (default: 128, or the most there may be)", &seq);
  options.Add("--threads", "N", "threads that compute (default: one per core)", &request.threads);
  options.Add("--verify", "read everything, embedded weights too, and compare the checksums",
              &verify);
  options.Add("--profile",
              "run every entry and show, per kernel, the time of a step and how near it is to the\n"
              "machine's limit (the larger of operations / peak and bytes / bandwidth)",
              &request.profile);
  options.Add("--weights", "DIR", "the checkpoint's directory, for --profile",
              &request.weights_directory);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  std::map<std::string, int64_t> chosen;
  if (batch >= 0) chosen["batch"] = batch;
  if (seq >= 0) chosen["seq"] = seq;
  absl::Status status = Inspect(request, chosen, verify);
  std::fflush(stdout);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
