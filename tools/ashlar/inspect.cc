// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar inspect: what an artifact holds, what each kernel costs, and how the memory is planned.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/cut.h"
#include "runtime/program/describe.h"
#include "runtime/program/work.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/inspect_page.h"
#include "tools/ashlar/inspect_products.h"
#include "tools/ashlar/machine.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/profile.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

// One kernel's launches in an entry, added up.
struct KernelCost {
  int count = 0;
  Work work;
};

void PrintKernels(const fb::ProgramT& program, const fb::EntryT& entry,
                  const std::vector<int64_t>& dims) {
  std::vector<KernelCost> costs(program.kernels.size());
  for (const auto& launch : entry.launches) {
    ++costs[launch->kernel].count;
    costs[launch->kernel].work += WorkOf(program, *launch, dims.data());
  }
  std::printf("    %5s %11s %11s  kernel\n", "count", "bytes", "operations");
  KernelCost sum;
  for (size_t i = 0; i < costs.size(); ++i) {
    const KernelCost& cost = costs[i];
    if (cost.count == 0) continue;
    std::printf("    %5d %11s %11s  %s", cost.count, HumanBytes(cost.work.bytes()).c_str(),
                HumanCount(cost.work.flops()).c_str(), program.kernels[i]->name.c_str());
    if (!program.kernels[i]->ops.empty())
      std::printf(" = %s", StrJoin(program.kernels[i]->ops, " + ").c_str());
    std::printf("\n");
    sum.count += cost.count;
    sum.work += cost.work;
  }
  std::printf("    %5d %11s %11s  in all\n", sum.count, HumanBytes(sum.work.bytes()).c_str(),
              HumanCount(sum.work.flops()).c_str());
}

// Each kernel's code for a device: what a thread and a block take of it.
void PrintDeviceImage(const fb::ProgramT& program, const fb::DeviceImageT& image) {
  std::printf("  %-20s %s, %s\n", "code", image.arch.c_str(),
              HumanBytes(static_cast<double>(image.size)).c_str());
  if (image.kind == fb::DeviceKind::Emulator) return;
  std::printf("    %9s %7s %7s %9s  kernel\n", "registers", "spills", "threads", "shared");
  for (size_t i = 0; i < image.kernels.size(); ++i) {
    const fb::DeviceKernelT& kernel = *image.kernels[i];
    std::printf("    %9u %7u %7u %9u  %s\n", kernel.registers, kernel.spill_bytes, kernel.threads,
                kernel.shared_bytes, program.kernels[i]->name.c_str());
  }
}

void PrintCode(const fb::ProgramT& metadata) {
  for (const auto& image : metadata.device_images) PrintDeviceImage(metadata, *image);
  if (!metadata.device_images.empty()) return;
  auto chosen = ChooseImage(metadata.images, HostFeatures());
  for (size_t i = 0; i < metadata.images.size(); ++i)
    std::printf("  %-20s %s, %s%s\n", "code", metadata.images[i]->cpu.c_str(),
                HumanBytes(static_cast<double>(metadata.images[i]->size)).c_str(),
                chosen.ok() && *chosen == static_cast<int>(i) ? " (the one for this machine)" : "");
  if (!chosen.ok()) std::printf("  %-20s %s\n", "", Message(chosen.status()).c_str());
}

void PrintHead(const Program& program) {
  const fb::ProgramT& metadata = program.metadata();
  std::printf("%s: %s, made by %s\n", program.path().c_str(),
              HumanBytes(static_cast<double>(program.file().size())).c_str(),
              metadata.producer.c_str());
  for (const auto& property : metadata.properties)
    std::printf("  %-20s %s\n", property->key.c_str(), property->value.c_str());
  std::printf("  %-20s %s\n", "dimensions", DescribeDims(metadata).c_str());
  if (!metadata.mesh.empty()) {
    std::string axes;
    for (const auto& axis : metadata.mesh)
      axes += StrCat(axes.empty() ? "" : ", ", axis->name, "=", axis->size);
    if (program.stages() > 1)
      axes += program.chunks() > 1 ? StrCat(", ", program.chunks(), " of ", program.stages(),
                                            " stages for each, this is the last of rank 0")
                                   : StrCat(", this is the first of ", program.stages(), " stages");
    std::printf("  %-20s %s\n", "ranks", axes.c_str());
  }
  PrintCode(metadata);
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
                const std::vector<int64_t>& dims) {
  std::printf("entry %s, at %s\n", entry.name.c_str(), At(program, dims).c_str());
  if (entry.microbatches > 1)
    std::printf("  in up to %u microbatches of %s\n", entry.microbatches,
                program.dims[entry.batch]->name.c_str());
  std::printf("%s", DescribeInputs(program, entry).c_str());
  for (const auto& output : entry.outputs)
    std::printf("  -> %s: %s\n", output->name.c_str(), Describe(program, *output).c_str());
  PrintKernels(program, entry, dims);
  std::printf("%s", DescribeProducts(program, entry, dims).c_str());
}

// Runs every entry and prints where its time goes.
absl::Status Profile(const SessionRequest& request, const MachineRequest& machine_request,
                     const std::vector<int64_t>& dims, bool json) {
  ASHLAR_ASSIGN_OR_RETURN(auto session, OpenSession(request));
  ASHLAR_ASSIGN_OR_RETURN(MachineConstants machine,
                          GetMachine(machine_request, session->executor()));
  auto entries = nlohmann::ordered_json::array();
  for (const auto& entry : session->program().metadata().entries) {
    ASHLAR_ASSIGN_OR_RETURN(EntryProfile profile, ProfileEntry(*session, *entry, dims, machine));
    entries.push_back(ToJson(profile));
    if (json) continue;
    std::printf("profile of %s, at %s\n%s", entry->name.c_str(),
                At(session->program().metadata(), session->last_dims()).c_str(),
                ToText(profile).c_str());
  }
  if (json) {
    nlohmann::ordered_json object = {{"machine", nlohmann::ordered_json::parse(ToJson(machine))},
                                     {"entries", entries}};
    std::printf("%s\n", object.dump(2).c_str());
    return absl::OkStatus();
  }
  std::printf("%s", DescribeMachine(machine).c_str());
  return absl::OkStatus();
}

// Compares the checksums of the artifact and, with --cache, of the packed weights kept for it, for
// each of its ranks; returns lines that say so.
absl::StatusOr<std::string> Verify(const std::shared_ptr<const Program>& program,
                                   const SessionRequest& request) {
  ASHLAR_RETURN_IF_ERROR(program->VerifyWeights());
  std::string lines = "  verified             all checksums are right\n";
  if (request.cache.empty()) return lines;
  ASHLAR_ASSIGN_OR_RETURN(std::string directory, request.CacheDirectory());
  for (int rank = 0; rank < RankCount(program->metadata()); ++rank) {
    ASHLAR_ASSIGN_OR_RETURN(std::string path,
                            Weights::VerifyCache(*Program::ForRank(program, rank),
                                                 request.weights_directory, directory, rank));
    lines += StrCat("                       ", path, ", too\n");
  }
  return lines;
}

absl::Status Inspect(const SessionRequest& request, const MachineRequest& machine,
                     const std::map<std::string, int64_t>& chosen, const std::string& page,
                     bool verify, bool json) {
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(request.artifact));
  const fb::ProgramT& metadata = program->metadata();
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> dims, ChooseDims(metadata, chosen));
  std::string verified;
  if (verify) {
    ASHLAR_ASSIGN_OR_RETURN(verified, Verify(program, request));
  }
  const int threads =
      request.threads > 0 ? static_cast<int>(request.threads) : ThreadPool(0).size();
  if (!page.empty()) ASHLAR_RETURN_IF_ERROR(WriteFile(page, InspectPage(*program, dims, threads)));
  if (json) return Profile(request, machine, dims, json);
  PrintHead(*program);
  std::printf("%s", verified.c_str());
  for (const auto& entry : metadata.entries) PrintEntry(metadata, *entry, dims);
  if (request.profile) ASHLAR_RETURN_IF_ERROR(Profile(request, machine, dims, json));
  PrintMemory(metadata, threads);
  return absl::OkStatus();
}

}  // namespace

int InspectMain(const Arguments& args) {
  SessionRequest request;
  int64_t batch = -1, seq = -1;
  bool verify = false, json = false;
  std::string page;
  MachineRequest machine;
  Options options("inspect",
                  "Shows what an artifact holds: its inputs and outputs, what each kernel fuses "
                  "and costs, and\n"
                  "the memory that it will take.",
                  "example:\n  ashlar inspect bert.ashlar --batch 1 --seq 128 --profile");
  options.Positional("X.ashlar", "the artifact", &request.artifact);
  options.Add("--batch", "B", "count costs for B sequences (default: 1)", &batch);
  options.Add("--seq", "S", "of S tokens each (default: 128, or the most there may be)", &seq);
  options.AddThreads(&request.threads);
  options.Add("--html", "FILE",
              "also write one self-contained page with the memory map and the kernels", &page);
  options.Add("--verify",
              "read everything, embedded weights too (with --cache those kept there), and compare "
              "the\nchecksums",
              &verify);
  options.Add(
      "--profile",
      "run every entry and show, per kernel, the time of a step beside what the cost model\n"
      "predicts for this machine, and why they differ",
      &request.profile);
  options.Add("--json", "print the profile as one JSON object (with --profile)", &json);
  machine.AddTo(options);
  options.Add("--weights", "DIR", "the checkpoint's directory, for --profile and --verify",
              &request.weights_directory);
  request.AddDeviceTo(options);
  request.AddCacheTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (json && !request.profile) return options.UsageError("--json without --profile");
  if (machine.measure && !request.profile)
    return options.UsageError("--measure-machine without --profile");
  if (!request.profile && !verify && !(request.cache + request.weights_directory).empty())
    return options.UsageError("--cache and --weights are of use with --profile or --verify");
  if (std::string conflict = machine.FindConflict(); !conflict.empty())
    return options.UsageError(conflict);
  std::map<std::string, int64_t> chosen;
  if (batch >= 0) chosen["batch"] = batch;
  if (seq >= 0) chosen["seq"] = seq;
  absl::Status status = Inspect(request, machine, chosen, page, verify, json);
  std::fflush(stdout);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
