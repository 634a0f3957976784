// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar-packing: how fast late-bound weights become what kernels read, beside the rate at which
// this machine copies, measured in the same run. Bytes read and bytes written both count, as in the
// copy. With an artifact: how long it takes to load.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "runtime/api/session.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/machine_peaks.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/memory_region.h"
#include "runtime/memory/weight_packer.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// How a matrix is stored, and how the kernels want it.
struct Form {
  const char* name;
  fb::Layout layout;
  fb::DType stored, kernel;
  bool transposed;
};
constexpr Form kForms[] = {
    {"[N, K] f32 to f32 panels", fb::Layout::PanelF32, fb::DType::F32, fb::DType::F32, true},
    {"[K, N] f32 to f32 panels", fb::Layout::PanelF32, fb::DType::F32, fb::DType::F32, false},
    {"[N, K] bf16 to f32 panels", fb::Layout::PanelF32, fb::DType::BF16, fb::DType::F32, true},
    {"[N, K] f16 to f32 panels", fb::Layout::PanelF32, fb::DType::F16, fb::DType::F32, true},
    {"[N, K] bf16 to bf16 panels", fb::Layout::PanelBF16, fb::DType::BF16, fb::DType::BF16, true},
    {"[K, N] bf16 to bf16 panels", fb::Layout::PanelBF16, fb::DType::BF16, fb::DType::BF16, false},
    {"[N, K] f32 to bf16 panels", fb::Layout::PanelBF16, fb::DType::F32, fb::DType::BF16, true},
    {"f32 as it is", fb::Layout::Plain, fb::DType::F32, fb::DType::F32, false},
};

fb::ProgramT OneWeight(const Form& form, int64_t k, int64_t n) {
  auto part = std::make_unique<fb::WeightPartT>();
  part->tensor = "weight";
  part->dtype = form.stored;
  part->shape = form.transposed ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n};
  part->transposed = form.transposed;
  auto weight = std::make_unique<fb::WeightT>();
  weight->name = "weight";
  weight->dtype = form.kernel;
  weight->layout = form.layout;
  weight->shape = {k, n};
  weight->bytes = static_cast<uint64_t>(k * n * DTypeSize(static_cast<DType>(form.kernel)));
  weight->parts.push_back(std::move(part));
  fb::ProgramT program;
  program.weights_bytes = weight->bytes;
  program.weights.push_back(std::move(weight));
  return program;
}

// Returns 10^9 bytes read and written per second, at best, of memory that is there already.
absl::StatusOr<double> PackingRate(const Form& form, int64_t k, int64_t n, int rounds,
                                   ThreadPool& pool) {
  fb::ProgramT program = OneWeight(form, k, n);
  uint64_t stored = static_cast<uint64_t>(k * n * DTypeSize(static_cast<DType>(form.stored)));
  ASHLAR_ASSIGN_OR_RETURN(MemoryRegion from, MemoryRegion::Allocate(stored, "the matrix"));
  ASHLAR_ASSIGN_OR_RETURN(MemoryRegion to,
                          MemoryRegion::Allocate(program.weights_bytes, "the panels"));
  std::memset(from.data(), 0x3c, stored);
  std::memset(to.data(), 1, program.weights_bytes);
  ASHLAR_ASSIGN_OR_RETURN(auto packer, WeightPacker::Create(program, *MemorySource(from.data())));
  double best = 1e30;
  for (int64_t round = 0; round < rounds; ++round) {
    auto begin = Clock::now();
    packer->PackAll(pool, to.data());
    best = std::min(best, SecondsSince(begin));
  }
  return static_cast<double>(stored + program.weights_bytes) / best * 1e-9;
}

double CopyRate(ThreadPool& pool, int milliseconds) {
  return MeasureMachinePeaks(pool, pool, {"copy"}, milliseconds)[0].all_cores;
}

absl::Status Packing(int64_t k, int64_t n, int rounds, int threads, int64_t limit) {
  ThreadPool pool(threads);
  std::printf("%lld x %lld, %d threads\n", static_cast<long long>(k), static_cast<long long>(n),
              pool.size());
  std::printf("%-28s %8s %8s %8s\n", "", "GB/s", "copy", "share");
  double least = 1e30;
  for (const Form& form : kForms) {
    double before = CopyRate(pool, 30 * rounds);
    ASHLAR_ASSIGN_OR_RETURN(double rate, PackingRate(form, k, n, rounds, pool));
    double copy = std::max(before, CopyRate(pool, 30 * rounds));
    std::printf("%-28s %8.1f %8.1f %7.0f%%\n", form.name, rate, copy, 100 * rate / copy);
    least = std::min(least, 100 * rate / copy);
  }
  if (least < static_cast<double>(limit))
    return absl::OutOfRangeError("a form is packed at less than the share asked for");
  return absl::OkStatus();
}

absl::Status Load(const std::string& path, const std::string& cache, int rounds) {
  double load = 1e30, bind = 1e30, open = 1e30;
  BindOptions options;
  options.cache.directory = cache;
  for (int64_t round = 0; round < rounds; ++round) {
    auto begin = Clock::now();
    ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(path));
    load = std::min(load, SecondsSince(begin));
    begin = Clock::now();
    ASHLAR_ASSIGN_OR_RETURN(auto bound, BoundProgram::Bind(program, options));
    bind = std::min(bind, SecondsSince(begin));
    begin = Clock::now();
    ASHLAR_ASSIGN_OR_RETURN(auto session, Session::Create(bound, {}));
    open = std::min(open, SecondsSince(begin));
  }
  std::printf("%s: %.2f ms to load and verify, %.2f ms to bind, %.0f us to open a session\n",
              path.c_str(), load * 1e3, bind * 1e3, open * 1e6);
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& args) {
  int64_t k = 4096, n = 8192, rounds = 5, threads = 0, limit = 0;
  std::vector<std::string> artifacts;
  std::string cache;
  Options options("packing",
                  "Measures how fast weights are packed, beside the machine's copy rate; with "
                  "--load, how fast artifacts are loaded.");
  options.Add("--load", "X.ashlar", "time this instead (repeat for several)", &artifacts);
  options.Add("--cache", "DIR", "keep packed weights there, for --load (default: no)", &cache);
  options.Add("--rows", "K", "of the weight (default: 4096)", &k);
  options.Add("--columns", "N", "of it, a multiple of 32 (default: 8192)", &n);
  options.Add("--rounds", "R", "the best of so many counts (default: 5)", &rounds);
  options.Add("--threads", "N", "threads that pack (default: one per core)", &threads);
  options.Add("--at-least", "PERCENT", "fail where a share is below this", &limit);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (k < 2 || k % 2 != 0 || n < 32 || n % 32 != 0 || k > 1 << 20 || n > 1 << 20 || rounds < 1)
    return options.UsageError("expected an even K, N a multiple of 32, R at least 1");
  absl::Status status;
  for (const std::string& path : artifacts)
    if (status.ok()) status = Load(path, cache, static_cast<int>(rounds));
  if (artifacts.empty())
    status = Packing(k, n, static_cast<int>(rounds),
                     static_cast<int>(std::min<int64_t>(threads, ThreadPool::kMaxThreads)), limit);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) { return ashlar::Main({argv + 1, argv + argc}); }
