// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/MeshSearch.h"

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "compiler/Distribution/Plan/Planner.h"
#include "compiler/Distribution/Stages/StageBounds.h"
#include "compiler/Distribution/Stages/StepTimes.h"
#include "dialects/Dist/Dist.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace ashlar::distribution {
namespace {

/// The share of the work with which meshes are planned first, where there are several.
constexpr int64_t kFirstShare = 100;
/// So many meshes are planned at a time. Whether the next ones are worth it depends on what comes
/// of these, and must not depend on the number of cores.
constexpr size_t kAtOnce = 2;
constexpr int64_t kMostStages = 16;
/// Of the meshes with equally many stages so many are cut, to see what a step takes.
constexpr size_t kCutPerCount = 2;

struct Candidate {
  Plan plan; // its mesh
  MeshChoice choice;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<Planner> planner; // null: nothing fits, or it was not tried
  bool wasTried = false;
  bool isOpen = true;        // more work may find a better plan
  double promise = INFINITY; // about what it takes; at the most, where there are no stages

  int64_t getSize(StringRef axis) const {
    const dist::MeshAxis *found = plan.mesh.find(axis);
    return found ? found->size : 1;
  }
  int64_t getStages() const { return getSize(kStageAxis); }
  bool operator<(const Candidate &other) const {
    return std::tie(promise, choice.lowerBound, choice.mesh) <
           std::tie(other.promise, other.choice.lowerBound, other.choice.mesh);
  }
};
using Candidates = std::vector<Candidate *>;

class MeshSearch {
public:
  MeshSearch(ModuleOp module, const MeshSearchOptions &options)
      : module(module), options(options) {}

  LogicalResult add(const MeshChoice &mesh) {
    std::string axes = mesh.mesh;
    std::replace(axes.begin(), axes.end(), ',', ' ');
    auto plan = parsePlan("mesh " + axes + " on " + options.topology);
    if (!plan)
      return module.emitError() << llvm::toString(plan.takeError());
    Candidate &candidate = candidates.emplace_back();
    candidate.plan = std::move(*plan);
    candidate.choice = mesh;
    if (candidate.getStages() > 1)
      candidate.plan.microbatches = options.microbatches;
    return success();
  }

  LogicalResult run() {
    const dist::Mesh &any = candidates.front().plan.mesh;
    bounds.emplace(module, any, any.getRankCount());
    // Those without stages first: what they take says whether stages can pay.
    for (Candidates some = getNew(); !some.empty(); some = getNew()) {
      if (failed(planRoughly(some)))
        return failure();
      for (Candidates next = getNext(); !next.empty(); next = getNext())
        if (failed(planFully(next)))
          return failure();
    }
    for (Candidate *candidate : getAll(1))
      if (candidate->planner && !candidate->isOpen)
        measure(*candidate);
    for (int64_t stages = 2; stages <= std::min(kMostStages, bounds->getMostStages()); stages *= 2)
      if (failed(tryStages(stages)))
        return failure();
    // What was planned in a search before is planned again if it is the best.
    for (Candidate *best = getBest().second; best && !best->module; best = getBest().second) {
      best->choice.isPlanned = false;
      if (failed(planRoughly({best})) || (best->isOpen && failed(planFully({best}))))
        return failure();
      if (best->planner)
        measure(*best);
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
      if (candidate.choice.isPlanned || candidate.choice.lowerBound > 0)
        choices.push_back(candidate.choice);
    Candidate &best = candidates.front();
    if (!best.choice.isPlanned && !refusal.empty())
      return module.emitError() << refusal;
    if (!best.choice.isPlanned) {
      OwningOpRef<ModuleOp> copy = module.clone();
      return failed(applyPlan(best.plan, "--devices", *copy))
                 ? failure()
                 : reportNoPlan(*copy, options.planning.memory);
    }
    module->setAttrs(best.module->getOperation()->getAttrDictionary());
    module.getBodyRegion().takeBody(best.module->getBodyRegion());
    return choices;
  }

private:
  /// Planned meshes first, by their time, then the others by their bound.
  static std::tuple<bool, double, std::string> getKey(const MeshChoice &choice) {
    return {!choice.isPlanned, choice.isPlanned ? choice.seconds : choice.lowerBound, choice.mesh};
  }

  Candidates getAll(int64_t stages) {
    Candidates all;
    for (Candidate &candidate : candidates)
      if (candidate.getStages() == stages)
        all.push_back(&candidate);
    return all;
  }

  /// The least seconds that are known to suffice, and who takes them.
  std::pair<double, Candidate *> getBest() {
    std::pair<double, Candidate *> best(INFINITY, nullptr);
    for (Candidate &candidate : candidates) {
      const double seconds = candidate.choice.isPlanned   ? candidate.choice.seconds
                             : candidate.getStages() == 1 ? candidate.promise
                                                          : INFINITY;
      if (seconds < best.first)
        best = {seconds, &candidate};
    }
    return best;
  }

  bool isHopeful(const Candidate &candidate) {
    return candidate.planner && candidate.choice.lowerBound < getBest().first;
  }

  /// Of the meshes without stages those that are not planned yet, and may be faster than what is
  /// known: where bounds are known one by one, from the best of the last search on.
  Candidates getNew() {
    Candidates some;
    for (Candidate *candidate : getAll(1))
      if (!candidate->wasTried && !candidate->choice.isPlanned &&
          candidate->choice.lowerBound < getBest().first &&
          (some.empty() || candidate->choice.lowerBound == 0))
        some.push_back(candidate);
    return some;
  }

  /// The most promising of those that may be faster than what is known.
  Candidates getNext() {
    Candidates next;
    for (Candidate *candidate : getAll(1))
      if (candidate->isOpen && isHopeful(*candidate))
        next.push_back(candidate);
    llvm::sort(next, [](Candidate *a, Candidate *b) { return *a < *b; });
    next.resize(std::min(next.size(), kAtOnce));
    return next;
  }

  double getDeliverySeconds(const Candidate &candidate) const {
    return candidate.getStages() > 1 ? bounds->getDeliverySeconds(candidate.plan.mesh) : 0;
  }

  LogicalResult planRoughly(const Candidates &some) {
    for (Candidate *candidate : some) {
      candidate->wasTried = true;
      candidate->module = module.clone();
      if (failed(applyPlan(candidate->plan, "--devices", *candidate->module)))
        return failure();
      candidate->planner =
          std::make_unique<Planner>(*candidate->module, candidate->choice.room.getBytes());
    }
    return plan(some, options.planning.workLimit / (some.size() > 1 ? kFirstShare : 1));
  }

  LogicalResult planFully(const Candidates &some) { return plan(some, options.planning.workLimit); }

  /// Plans for some meshes at the same time.
  LogicalResult plan(const Candidates &some, int64_t workLimit) {
    std::vector<absl::Status> statuses(some.size());
    const int threads = getSearchThreads() / std::max<int>(1, static_cast<int>(some.size()));
    llvm::parallelFor(0, some.size(), [&](size_t i) {
      statuses[i] = some[i]->planner->search(workLimit, std::max(1, threads));
    });
    for (auto [candidate, status] : llvm::zip(some, statuses)) {
      if (!status.ok())
        return reportRefusal(module, status);
      const Planner &planner = *candidate->planner;
      candidate->isOpen = workLimit < options.planning.workLimit && !planner.isDone();
      if (!candidate->isOpen && !planner.hasPlan()) {
        if (failed(planWithin(*candidate)))
          return failure();
        continue;
      }
      const double share = bounds->getLeastShare(candidate->getStages());
      const double delivery = getDeliverySeconds(*candidate);
      candidate->promise = planner.hasPlan() ? share * planner.getSeconds() + delivery : INFINITY;
      candidate->choice.lowerBound =
          std::max(candidate->choice.lowerBound, share * planner.getLowerBound() + delivery);
    }
    return success();
  }

  /// What has no plan gets more room, where it had more once.
  LogicalResult planWithin(Candidate &candidate) {
    if (!candidate.choice.room.canGrow()) {
      drop(candidate);
      return success();
    }
    candidate.choice.room.grow();
    candidate.isOpen = true;
    return planRoughly({&candidate});
  }

  static void drop(Candidate &candidate) {
    candidate.planner.reset();
    candidate.module.release().erase();
    candidate.choice.lowerBound = 0;
  }

  /// Writes down a candidate's plan, and finds out what a step takes that follows it.
  void measure(Candidate &candidate) {
    ScopedDiagnosticHandler quiet(module.getContext(), [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error && refusal.empty())
        refusal = "mesh " + candidate.choice.mesh + ": " + diagnostic.str();
      return success();
    });
    candidate.choice.plan = candidate.planner->apply();
    OwningOpRef<ModuleOp> copy = candidate.module->clone();
    PassManager manager(module.getContext());
    manager.enableVerifier(false); // a copy; what is made of the best one is verified
    manager.addPass(createPropagateShardingPass());
    manager.addPass(createPartitionPass({/*report=*/false, /*forPrograms=*/true}));
    manager.addPass(createCSEPass());
    if (failed(manager.run(*copy)))
      return;
    auto steps = modelSteps(*copy);
    if (failed(steps))
      return;
    candidate.choice.isPlanned = true;
    candidate.choice.seconds = 0;
    for (const StepTime &step : *steps)
      candidate.choice.seconds += step.seconds;
  }

  /// Meshes with so many stages, and about as many ranks along tp as what is best so far.
  LogicalResult tryStages(int64_t stages) {
    const auto [least, best] = getBest();
    Candidates some;
    for (Candidate *candidate : getAll(stages)) {
      if (candidate->choice.isPlanned)
        continue;
      // Stages take their ranks from those along dp, tp or both.
      if (best && candidate->choice.lowerBound == 0 &&
          (candidate->getSize("dp") > best->getSize("dp") ||
           candidate->getSize("tp") > best->getSize("tp")))
        continue;
      candidate->choice.lowerBound =
          std::max(candidate->choice.lowerBound,
                   bounds->getLeastSeconds(stages) + getDeliverySeconds(*candidate));
      if (candidate->choice.lowerBound < least)
        some.push_back(candidate);
    }
    if (failed(planRoughly(some)))
      return failure();
    llvm::sort(some, [](Candidate *a, Candidate *b) { return *a < *b; });
    size_t cut = 0;
    for (Candidate *candidate : some) {
      if (cut == kCutPerCount || !isHopeful(*candidate) || !candidate->planner->hasPlan())
        continue;
      ++cut;
      measure(*candidate);
      // What leads gets all the work.
      if (!candidate->isOpen || getBest().second != candidate)
        continue;
      if (failed(planFully({candidate})))
        return failure();
      measure(*candidate);
    }
    return success();
  }

  ModuleOp module;
  const MeshSearchOptions &options;
  std::optional<StageBounds> bounds;
  std::vector<Candidate> candidates;
  std::string refusal; // why the first plan that could not be followed was not
};

} // namespace

std::string toString(const MeshChoice &choice) {
  return llvm::formatv("mesh {0}: {1}{2:F1} us", choice.mesh, choice.isPlanned ? "" : "at least ",
                       1e6 * (choice.isPlanned ? choice.seconds : choice.lowerBound))
      .str();
}

std::vector<MeshChoice> getMeshes(int64_t ranks, int64_t memory) {
  std::vector<MeshChoice> meshes;
  for (int64_t pp = 1; pp <= std::min(ranks, kMostStages); pp *= 2)
    for (int64_t tp = 1; tp <= ranks / pp; ++tp) {
      if (ranks % (pp * tp) != 0)
        continue;
      std::string mesh;
      for (auto [axis, size] : {std::pair("pp", pp), {"dp", ranks / pp / tp}, {"tp", tp}})
        if (size > 1)
          mesh += (mesh.empty() ? "" : ",") + std::string(axis) + "=" + std::to_string(size);
      meshes.push_back({mesh.empty() ? "dp=1" : mesh, PlanningRoom(memory)});
    }
  return meshes;
}

FailureOr<std::vector<MeshChoice>> searchMesh(ModuleOp module, ArrayRef<MeshChoice> meshes,
                                              const MeshSearchOptions &options) {
  module.getContext()->loadDialect<dist::DistDialect>();
  MeshSearch search(module, options);
  for (const MeshChoice &mesh : meshes)
    if (failed(search.add(mesh)))
      return failure();
  if (failed(search.run()))
    return failure();
  return search.finish();
}

} // namespace ashlar::distribution
