// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar tune: measures on this machine's GPU which plain products its kernels compute faster and
// which cuBLASLt does, and pins that in the artifact.
#include "tools/ashlar/tune.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/artifact_writer.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

struct Request {
  SessionRequest session;
  std::string output;
  std::vector<std::string> entries;
  std::map<std::string, int64_t> dims;
  int64_t rounds = 9, gpu = 0;
};

// What the choices are written into, and how they were found.
struct Findings {
  int image = 0;
  std::string device, library;
  std::vector<MeasuredProduct> measured;
};

// The stages' programs, one where there are none.
std::vector<std::shared_ptr<const Program>> StagesOf(
    const std::shared_ptr<const Program>& program) {
  std::vector<std::shared_ptr<const Program>> stages;
  for (int stage = 0; stage < program->stages(); ++stage)
    stages.push_back(Program::ForStage(program, stage));
  return stages;
}

// The products of a stage's entries that are asked for.
absl::StatusOr<std::vector<ProductUse>> FindUses(const Request& request, const Program& stage,
                                                 const fb::DeviceImageT& image) {
  const fb::ProgramT& metadata = stage.metadata();
  std::vector<int> entries;
  for (const std::string& name : request.entries) {
    ASHLAR_ASSIGN_OR_RETURN(int entry, stage.FindEntry(name));
    entries.push_back(entry);
  }
  if (entries.empty())
    for (size_t i = 0; i < metadata.entries.size(); ++i) entries.push_back(static_cast<int>(i));
  std::vector<ProductUse> all;
  for (int index : entries) {
    const fb::EntryT& entry = *metadata.entries[index];
    ASHLAR_ASSIGN_OR_RETURN(std::vector<int64_t> dims, LargestDims(metadata, entry, request.dims));
    for (ProductUse& use : FindProductUses(image, entry, dims)) all.push_back(std::move(use));
  }
  return all;
}

absl::StatusOr<Findings> Measure(const Request& request,
                                 const std::vector<std::shared_ptr<const Program>>& stages) {
  ThreadPool pool(static_cast<int>(request.session.threads));
  Findings findings;
  // Entries and stages have kernels in common, each of which is measured once.
  std::map<std::pair<uint32_t, int64_t>, size_t> places;
  for (const auto& stage : stages) {
    ASHLAR_ASSIGN_OR_RETURN(auto bench, ProductBench::Open(*stage, request.session.device, pool,
                                                           static_cast<int>(request.gpu)));
    findings.image = bench->image();
    findings.device = bench->device();
    const fb::DeviceImageT& image = *stage->metadata().device_images[findings.image];
    if (CountProducts(image).plain == 0)
      return FailedPrecondition(
          stage->path(),
          ": no plain product to choose for: each has something fused to it that cuBLASLt does not "
          "compute, or the artifact is of a compiler that did not describe what its kernels "
          "compute; compile the model again in the latter case");
    findings.library = bench->library();
    ASHLAR_ASSIGN_OR_RETURN(std::vector<ProductUse> uses, FindUses(request, *stage, image));
    std::vector<ProductUse> fresh;
    for (ProductUse& use : uses) {
      const size_t next = findings.measured.size() + fresh.size();
      const size_t place = places.try_emplace({use.kernel, use.rows}, next).first->second;
      if (place == next)
        fresh.push_back(std::move(use));
      else if (place < findings.measured.size())
        findings.measured[place].use.count += use.count;
      else
        fresh[place - findings.measured.size()].count += use.count;
    }
    ASHLAR_RETURN_IF_ERROR(bench->Reserve(fresh));
    ASHLAR_ASSIGN_OR_RETURN(auto measured,
                            MeasureProducts(*bench, fresh, static_cast<int>(request.rounds)));
    for (MeasuredProduct& product : measured) findings.measured.push_back(std::move(product));
  }
  if (findings.measured.empty())
    return FailedPrecondition(request.session.artifact,
                              ": no plain product in these entries; `ashlar inspect` lists them");
  return findings;
}

std::string ToText(const Spread& spread) {
  char text[100];
  std::snprintf(text, sizeof(text), "%.4f (%.4f..%.4f)", spread.median, spread.low, spread.high);
  return text;
}

void Print(const fb::ProgramT& program, const Findings& findings,
           const std::vector<ProductChoice>& choices) {
  const fb::DeviceImageT& image = *program.device_images[findings.image];
  std::printf("products on %s, with %s and the code for %s; medians and quartiles\n",
              findings.device.c_str(), findings.library.c_str(), image.arch.c_str());
  std::printf("  %-24s %-13s %-16s %-26s %-26s %-8s kernel\n", "rows x columns x depth", "types",
              "epilogue", "kernel, ms", "cuBLASLt, ms", "choice");
  for (const MeasuredProduct& measured : findings.measured) {
    const fb::DeviceKernelT& kernel = *image.kernels[measured.use.kernel];
    const fb::LibraryProductT& product = *FindPlainProduct(kernel);
    const auto choice = std::find_if(choices.begin(), choices.end(), [&](const auto& other) {
      return other.kernel == measured.use.kernel;
    });
    std::printf("  %-24s %-13s %-16s %-26s %-26s %-8s %s\n",
                DescribeShape(product, measured.use.rows).c_str(), DescribeTypes(product).c_str(),
                DescribeEpilogue(product).c_str(), ToText(measured.kernel).c_str(),
                measured.has_library ? ToText(measured.library).c_str() : "no algorithm",
                choice->by_library ? "cuBLASLt" : "kernel",
                Printable(program.kernels[measured.use.kernel]->name).c_str());
  }
}

// Today, by UTC: "2026-11-22".
std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &utc);
  return text;
}

// Pins the choices; returns how many are others than before.
int Pin(const Findings& findings, const std::vector<ProductChoice>& choices,
        fb::ProgramT& program) {
  fb::DeviceImageT& image = *program.device_images[findings.image];
  int changed = 0;
  for (const ProductChoice& choice : choices) {
    const MeasuredProduct& measured = findings.measured[choice.decided_by];
    fb::MeasurementT measurement;
    measurement.device = findings.device;
    measurement.library = findings.library;
    measurement.date = Today();
    measurement.rows = static_cast<uint64_t>(measured.use.rows);
    measurement.kernel_us = 1e3 * measured.kernel.median;
    measurement.library_us = 1e3 * measured.library.median;
    fb::DeviceKernelT& kernel = *image.kernels[choice.kernel];
    changed += choice.by_library != (kernel.product != nullptr);
    PinProduct(kernel, choice.by_library, measurement);
  }
  return changed;
}

absl::Status Tune(const Request& request) {
  TrustPolicy trust = request.session.trust;
  if (!request.session.public_key_file.empty()) {
    ASHLAR_ASSIGN_OR_RETURN(trust.public_key, ReadPublicKey(request.session.public_key_file));
  }
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(request.session.artifact, trust));
  if (program->metadata().device_images.empty())
    return FailedPrecondition(program->path(),
                              ": compiled for CPUs, whose kernels compute all products; `ashlar "
                              "compile --target cuda` makes an artifact that can be tuned");
  const auto stages = StagesOf(program);  // which findings point into
  ASHLAR_ASSIGN_OR_RETURN(Findings findings, Measure(request, stages));
  const std::vector<ProductChoice> choices = ChooseProducts(findings.measured);
  Print(program->metadata(), findings, choices);
  fb::ProgramT tuned = program->whole();
  const int changed = Pin(findings, choices, tuned);
  const std::string& path = request.output.empty() ? request.session.artifact : request.output;
  ASHLAR_RETURN_IF_ERROR(RewriteArtifact(path, tuned, program->artifact()));
  const auto librarys = std::count_if(choices.begin(), choices.end(),
                                      [](const auto& choice) { return choice.by_library; });
  std::printf("%s: cuBLASLt for %d of %d kernels; %d of these choices %s new\n", path.c_str(),
              static_cast<int>(librarys), static_cast<int>(choices.size()), changed,
              changed == 1 ? "is" : "are");
  if (IsRegularFile(path + ".minisig"))
    std::cerr << "warning: " << path << ".minisig was made for the artifact as it was; sign it "
              << "again\n";
  return absl::OkStatus();
}

}  // namespace

Spread SpreadOf(std::vector<double> rounds) {
  std::sort(rounds.begin(), rounds.end());
  auto at = [&](size_t quarters) { return rounds[quarters * (rounds.size() - 1) / 4]; };
  return {at(2), at(1), at(3)};
}

absl::StatusOr<std::vector<MeasuredProduct>> MeasureProducts(ProductBench& bench,
                                                             const std::vector<ProductUse>& uses,
                                                             int rounds) {
  const bool shows_progress = isatty(STDERR_FILENO);
  std::vector<MeasuredProduct> all;
  for (const ProductUse& use : uses) {
    if (shows_progress)
      std::fprintf(stderr, "\rmeasuring product %zu of %zu", all.size() + 1, uses.size());
    ASHLAR_RETURN_IF_ERROR(bench.Prepare(use));
    MeasuredProduct measured;
    measured.use = use;
    measured.has_library = bench.HasAlgorithm();
    std::vector<double> kernel, library;
    for (int round = 0; round < rounds; ++round) {
      ASHLAR_ASSIGN_OR_RETURN(kernel.emplace_back(), bench.Time(/*by_library=*/false));
      if (!measured.has_library) continue;
      ASHLAR_ASSIGN_OR_RETURN(library.emplace_back(), bench.Time(/*by_library=*/true));
    }
    measured.kernel = SpreadOf(kernel);
    if (measured.has_library) measured.library = SpreadOf(library);
    all.push_back(std::move(measured));
  }
  if (shows_progress) std::fprintf(stderr, "\r\x1b[K");
  return all;
}

std::vector<ProductChoice> ChooseProducts(const std::vector<MeasuredProduct>& measured) {
  auto time = [&](size_t i) { return measured[i].use.count * measured[i].kernel.median; };
  std::map<uint32_t, size_t> deciding;
  for (size_t i = 0; i < measured.size(); ++i) {
    auto [at, is_new] = deciding.try_emplace(measured[i].use.kernel, i);
    if (!is_new && time(i) > time(at->second)) at->second = i;
  }
  std::vector<ProductChoice> choices;
  for (const auto& [kernel, i] : deciding)
    choices.push_back(
        {kernel, measured[i].has_library && measured[i].library.median < measured[i].kernel.low,
         i});
  return choices;
}

int TuneMain(const Arguments& args) {
  Request request;
  request.session.device = "cuda";
  int64_t batch = -1, seq = -1;
  Options options(
      "tune",
      "Measures the products of a CUDA artifact that its kernels and cuBLASLt can both compute, "
      "each by both, and\n"
      "writes into the artifact which of them does from now on: for the code of the device that "
      "it is measured on.\n"
      "Products are measured one by one, with made-up numbers: no weights are needed, and one "
      "device does for an\n"
      "artifact for many. Bits of results may change where a choice does; saved sessions are of "
      "the artifact before.",
      "example:\n  ashlar tune bert.ashlar --batch 8 --seq 128 -o bert-h100.ashlar");
  options.Positional("X.ashlar", "the artifact", &request.session.artifact);
  options.Add("-o", "Y.ashlar", "the artifact to write (default: X.ashlar, replaced at once)",
              &request.output);
  options.Add("--entry", "NAME", "products of this entry only (repeat for several; default: all)",
              &request.entries);
  options.Add("--batch", "B", "rows as of a step of B sequences (default: the most there may be)",
              &batch);
  options.Add("--seq", "S", "of S tokens each (default: the most there may be)", &seq);
  options.Add("--device", "cuda|cuda-emulator",
              "where: a GPU, or the CUDA emulator, whose times say nothing of one (default: cuda)",
              &request.session.device);
  options.Add("--gpu", "N", "the GPU, by the driver's number (default: 0)", &request.gpu, 1024);
  options.Add("--rounds", "N", "how often each is measured, in turn (default: 9)", &request.rounds,
              10000);
  options.AddThreads(&request.session.threads, "threads of the emulator (default: one per core)");
  request.session.AddTrustTo(options);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (request.session.device != "cuda" && request.session.device != "cuda-emulator")
    return options.UsageError("--device takes cuda or cuda-emulator, found '" +
                              request.session.device + "'");
  if (request.rounds == 0) return options.UsageError("--rounds takes a number from 1 on");
  if (batch >= 0) request.dims["batch"] = batch;
  if (seq >= 0) request.dims["seq"] = seq;
  const absl::Status status = Tune(request);
  std::fflush(stdout);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
