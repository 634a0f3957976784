// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/MemoryReport.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "dialects/Program/Program.h"
#include "llvm/Support/Format.h"

#include <map>
#include <set>

using namespace mlir;

namespace ashlar {

void MemoryReport::add(const MemoryReport &other) {
  weights += other.weights;
  state += other.state;
  if (other.arena > arena)
    largestEntry = other.largestEntry;
  arena += other.arena;
  arenaLowerBound += other.arenaLowerBound;
  joinedOutputs += other.joinedOutputs;
  scratch += other.scratch;
}

MemoryReport getMemoryReport(ModuleOp module, std::optional<int64_t> stage) {
  MemoryReport report;
  for (auto op : module.getOps<program::WeightOp>())
    if (op.getStage() == stage)
      report.weights = std::max<int64_t>(report.weights, op.getOffset() + op.getBytes());
  for (auto op : module.getOps<program::ConstantOp>())
    report.constants = std::max<int64_t>(report.constants, op.getOffset() + op.getBytes());
  for (auto op : module.getOps<program::StateOp>())
    if (op.getStage() == stage)
      report.state = std::max<int64_t>(report.state, op.getOffset() + op.getBytes());
  for (auto op : module.getOps<program::KernelOp>())
    report.scratch = std::max<int64_t>(report.scratch, llvm::alignTo(op.getScratch(), 64));
  for (auto op : module.getOps<program::EntryOp>()) {
    if (op.getStage() != stage || op.getMicrobatches().value_or(1) == 1)
      continue;
    int64_t outputs = 0;
    for (auto output : op.getBody().front().getOps<program::OutputOp>())
      outputs += llvm::alignTo(output.getBytes(), 64);
    report.joinedOutputs = std::max(report.joinedOutputs, outputs);
  }
  for (auto op : module.getOps<program::EntryOp>())
    if (op.getStage() == stage && static_cast<int64_t>(op.getArena()) > report.arena) {
      report.arena = op.getArena();
      report.arenaLowerBound = op.getLowerBound();
      report.largestEntry = op.getSymName().str();
    }
  return report;
}

MemoryReport getMemoryReport(ModuleOp module) {
  std::set<int64_t> stages;
  for (auto op : module.getOps<program::EntryOp>())
    if (auto stage = op.getStage())
      stages.insert(*stage);
  if (stages.empty())
    return getMemoryReport(module, std::nullopt);
  int64_t places = *stages.rbegin() + 1;
  for (auto mesh : module.getOps<program::MeshOp>())
    if (auto cut = mesh.getStages())
      places = (*cut)[1];
  std::map<int64_t, MemoryReport> reports; // by place; of its stages each has memory of its own
  for (int64_t stage : stages) {
    const MemoryReport report = getMemoryReport(module, stage);
    auto [known, isFirst] = reports.try_emplace(stage % places, report);
    if (!isFirst)
      known->second.add(report);
  }
  MemoryReport largest;
  for (const auto &[place, report] : reports)
    if (report.getTotal(1) > largest.getTotal(1))
      largest = report;
  return largest;
}

static std::string mebibytes(int64_t bytes) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f MiB",
                                                 static_cast<double>(bytes) / (1 << 20));
  return text;
}

int64_t getExcess(ModuleOp module, const LoweringOptions &options) {
  int64_t total = getMemoryReport(module).getTotal(options.threads);
  return options.memoryLimit ? std::max<int64_t>(total - *options.memoryLimit, 0) : 0;
}

LogicalResult checkMemoryLimit(ModuleOp module, const LoweringOptions &options) {
  if (getExcess(module, options) == 0)
    return success();
  MemoryReport report = getMemoryReport(module);
  int64_t total = report.getTotal(options.threads);
  InFlightDiagnostic error = emitError(module.getLoc(), ErrorCode::kOverMemory);
  error << "the program takes " << mebibytes(total) << ", over the limit of "
        << mebibytes(*options.memoryLimit) << ": weights "
        << mebibytes(report.weights + report.constants) << ", state " << mebibytes(report.state)
        << ", arena " << mebibytes(report.arena) << " (entry '" << report.largestEntry
        << "', lower bound " << mebibytes(report.arenaLowerBound) << "), ";
  if (report.joinedOutputs > 0)
    error << "outputs of microbatches " << mebibytes(report.joinedOutputs) << ", ";
  error << "scratch " << mebibytes(options.threads * report.scratch) << " for " << options.threads
        << " threads";
  error.attachNote() << "what would help: a smaller bound of --batch or --seq shrinks the arena, "
                        "--context or --cache-type bf16 the state, "
                        "--dtype bf16 halves f32 weights, fewer --threads the scratch";
  return error;
}

} // namespace ashlar
