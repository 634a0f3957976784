// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/MeshSearch.h"

#include "compiler/Distribution/Plan/PlanFile.h"
#include "compiler/Distribution/Plan/Planner.h"
#include "dialects/Dist/Dist.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"

#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace ashlar::distribution {
namespace {

/// The share of the work with which every mesh is planned first.
constexpr int64_t kFirstShare = 20;
/// So many meshes are planned at a time. Whether the next ones are worth it depends on what comes
/// of these, and must not depend on the number of cores.
constexpr size_t kAtOnce = 2;
constexpr size_t kPromising = 3;

struct Candidate {
  MeshChoice choice;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<Planner> planner; // null: nothing fits
  bool isOpen = true;               // more work may find a better plan
};

class MeshSearch {
public:
  MeshSearch(ModuleOp module, StringRef topology, const AutoPlanOptions &options)
      : module(module), topology(topology), options(options) {}

  LogicalResult add(const std::string &mesh) {
    std::string axes = mesh;
    std::replace(axes.begin(), axes.end(), ',', ' ');
    auto plan = parsePlan("mesh " + axes + " on " + topology.str());
    if (!plan)
      return module.emitError() << llvm::toString(plan.takeError());
    Candidate candidate;
    candidate.choice.mesh = mesh;
    candidate.module = module.clone();
    if (failed(applyPlan(*plan, "--devices", *candidate.module)))
      return failure();
    candidate.planner = std::make_unique<Planner>(*candidate.module, options.memory);
    candidates.push_back(std::move(candidate));
    return success();
  }

  LogicalResult run() {
    std::vector<Candidate *> some;
    for (Candidate &candidate : candidates)
      some.push_back(&candidate);
    for (int64_t work = options.workLimit / kFirstShare; !some.empty(); work = options.workLimit) {
      if (failed(search(some, work)))
        return failure();
      some = getNext();
    }
    return success();
  }

  /// Leaves the module as the fastest mesh has it.
  FailureOr<std::vector<MeshChoice>> finish() {
    llvm::sort(candidates, [](const Candidate &a, const Candidate &b) {
      return getKey(a.choice) < getKey(b.choice);
    });
    std::vector<MeshChoice> choices;
    for (const Candidate &candidate : candidates)
      if (candidate.planner)
        choices.push_back(candidate.choice);
    Candidate &best = candidates.front();
    if (!best.choice.isPlanned)
      return reportNoPlan(*best.module, options.memory);
    best.planner->apply();
    module->setAttrs(best.module->getOperation()->getAttrDictionary());
    module.getBodyRegion().takeBody(best.module->getBodyRegion());
    return choices;
  }

private:
  /// Planned meshes first, by their time, then the others by their bound.
  static std::tuple<bool, double, std::string> getKey(const MeshChoice &choice) {
    return {!choice.isPlanned, choice.isPlanned ? choice.seconds : choice.lowerBound, choice.mesh};
  }

  /// The most promising of those that may be faster than what is known.
  std::vector<Candidate *> getNext() {
    double least = INFINITY;
    for (const Candidate &candidate : candidates)
      least = std::min(least, candidate.choice.seconds);
    std::vector<Candidate *> next;
    for (Candidate &candidate : candidates)
      if (candidate.planner && candidate.isOpen && candidate.choice.lowerBound < least)
        next.push_back(&candidate);
    llvm::sort(next, [](const Candidate *a, const Candidate *b) {
      return std::tie(a->choice.seconds, a->choice.lowerBound, a->choice.mesh) <
             std::tie(b->choice.seconds, b->choice.lowerBound, b->choice.mesh);
    });
    next.resize(std::min(next.size(), kAtOnce));
    return next;
  }

  /// Plans for some meshes at the same time.
  LogicalResult search(ArrayRef<Candidate *> some, int64_t workLimit) {
    std::vector<absl::Status> statuses(some.size());
    const int threads = std::max(1, getSearchThreads() / static_cast<int>(some.size()));
    llvm::parallelFor(0, some.size(), [&](size_t i) {
      statuses[i] = some[i]->planner->search(workLimit, threads);
    });
    for (auto [candidate, status] : llvm::zip(some, statuses)) {
      if (!status.ok())
        return reportRefusal(module, status);
      const Planner &planner = *candidate->planner;
      MeshChoice &choice = candidate->choice;
      candidate->isOpen = workLimit < options.workLimit && !planner.isDone();
      choice.isPlanned = !candidate->isOpen && planner.hasPlan();
      choice.seconds = planner.hasPlan() ? planner.getSeconds() : INFINITY;
      choice.lowerBound = planner.getLowerBound();
      if (!candidate->isOpen && !choice.isPlanned)
        candidate->planner.reset();
    }
    return success();
  }

  ModuleOp module;
  StringRef topology;
  AutoPlanOptions options;
  std::vector<Candidate> candidates;
};

} // namespace

std::string toString(const MeshChoice &choice) {
  return llvm::formatv("mesh {0}: {1}{2:F1} us", choice.mesh, choice.isPlanned ? "" : "at least ",
                       1e6 * (choice.isPlanned ? choice.seconds : choice.lowerBound))
      .str();
}

std::vector<std::string> getMeshes(int64_t ranks) {
  std::vector<std::string> meshes;
  for (int64_t tp = 1; tp <= ranks; ++tp) {
    if (ranks % tp != 0)
      continue;
    std::string mesh = tp == ranks && ranks > 1 ? "" : "dp=" + std::to_string(ranks / tp);
    if (tp > 1)
      mesh += (mesh.empty() ? "tp=" : ",tp=") + std::to_string(tp);
    meshes.push_back(mesh);
  }
  return meshes;
}

std::vector<std::string> getPromising(ArrayRef<MeshChoice> choices) {
  std::vector<std::string> meshes;
  for (const MeshChoice &choice : choices.take_front(kPromising))
    meshes.push_back(choice.mesh);
  return meshes;
}

FailureOr<std::vector<MeshChoice>> searchMesh(ModuleOp module, ArrayRef<std::string> meshes,
                                              StringRef topology, const AutoPlanOptions &options) {
  module.getContext()->loadDialect<dist::DistDialect>();
  MeshSearch search(module, topology, options);
  for (const std::string &mesh : meshes)
    if (failed(search.add(mesh)))
      return failure();
  if (failed(search.run()))
    return failure();
  return search.finish();
}

} // namespace ashlar::distribution
