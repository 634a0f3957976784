// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Carries shardings along factors until nothing changes; Passes.td says in which order.

#include "compiler/Distribution/Propagate.h"

#include "compiler/Distribution/Passes.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_PROPAGATESHARDINGPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;
using namespace ashlar::distribution;
using graph::ShardingRule;

namespace {

class Propagation {
public:
  explicit Propagation(Shardings &shardings) : shardings(shardings) {}

  void run() {
    std::set<int64_t> priorities = {0};
    for (const Shardings::Tensor &tensor : shardings.tensors)
      if (tensor.priority)
        priorities.insert(*tensor.priority);
    for (int64_t each : priorities) {
      priority = each;
      settle(/*passesThroughOnly=*/true);
      settle(/*passesThroughOnly=*/false);
    }
  }

private:
  void settle(bool passesThroughOnly) {
    bool changed = true;
    auto visit = [&](const Shardings::Relation &relation) {
      if (relation.passesThrough || !passesThroughOnly)
        changed |= propagate(relation);
    };
    while (changed) {
      changed = false;
      llvm::for_each(shardings.relations, visit);
      llvm::for_each(llvm::reverse(shardings.relations), visit);
    }
  }

  struct Side {
    unsigned tensor;
    const ShardingRule::TensorFactors *factors;
    FactorAxes axes;
  };

  bool propagate(const Shardings::Relation &relation) {
    const ShardingRule &rule = relation.rule;
    SmallVector<Side> sides;
    for (auto [tensor, factors] : llvm::zip(relation.operands, rule.operands))
      sides.push_back({tensor, &factors, {}});
    for (auto [tensor, factors] : llvm::zip(relation.results, rule.results))
      sides.push_back({tensor, &factors, {}});
    for (Side &side : sides) {
      const Shardings::Tensor &tensor = shardings.tensors[side.tensor];
      bool speaks = !tensor.priority || *tensor.priority <= priority;
      side.axes = speaks ? getFactorAxes(rule, *side.factors, tensor.sharding)
                         : FactorAxes(rule.factors.size());
    }
    FactorAxes agreed = agree(rule, sides);
    bool changed = false;
    for (Side &side : sides)
      if (update(rule, side, agreed)) {
        changed = true;
        std::string &reason = shardings.tensors[side.tensor].reason;
        reason += (reason.empty() ? "" : "; ") + explain(relation, sides, side, agreed);
      }
    return changed;
  }

  /// Per factor the longest list of axes that no tensor contradicts, up to the first axis that
  /// another factor claims too.
  FactorAxes agree(const ShardingRule &rule, ArrayRef<Side> sides) {
    FactorAxes longest(rule.factors.size());
    for (unsigned factor = 0; factor < rule.factors.size(); ++factor) {
      for (const Side &side : sides)
        if (side.axes[factor].size() > longest[factor].size())
          longest[factor] = side.axes[factor];
      for (const Side &side : sides)
        if (!startsWith(longest[factor], side.axes[factor])) {
          longest[factor].clear();
          break;
        }
    }
    FactorAxes agreed(rule.factors.size());
    for (unsigned factor = 0; factor < rule.factors.size(); ++factor)
      for (const Axis &axis : longest[factor]) {
        bool contested = false;
        for (const Side &side : sides)
          for (unsigned other = 0; other < rule.factors.size(); ++other)
            contested |= other != factor && overlaps(side.axes[other], axis);
        if (contested)
          break;
        agreed[factor].push_back(axis);
      }
    return agreed;
  }

  /// Which tensors of the relation had the axes before, and the op between them.
  std::string explain(const Shardings::Relation &relation, ArrayRef<Side> sides, const Side &given,
                      const FactorAxes &agreed) {
    std::set<std::string> paths;
    for (unsigned factor = 0; factor < agreed.size(); ++factor) {
      if (agreed[factor].size() <= given.axes[factor].size())
        continue;
      const Side *from = llvm::find_if(sides, [&](const Side &side) {
        return &side != &given && side.axes[factor] == agreed[factor];
      });
      if (from == sides.end())
        continue;
      const Shardings::Tensor &tensor = shardings.tensors[from->tensor];
      if (tensor.path == shardings.tensors[given.tensor].path)
        return tensor.reason; // a state and its reading
      paths.insert(tensor.path);
    }
    paths.erase(""); // a constant's
    std::string reason = "as " + llvm::join(paths, " and ");
    if (relation.op)
      reason += ", through " + relation.op->getName().stripDialect().str();
    return reason;
  }

  /// Extends the open dimensions of a tensor.
  bool update(const ShardingRule &rule, const Side &side, const FactorAxes &agreed) {
    Shardings::Tensor &tensor = shardings.tensors[side.tensor];
    FactorAxes axes = side.axes;
    for (unsigned factor = 0; factor < rule.factors.size(); ++factor)
      if (agreed[factor].size() > axes[factor].size())
        axes[factor] = agreed[factor];
    makeValid(rule, axes);
    Sharding wanted = getTensorSharding(rule, *side.factors, axes);
    bool changed = false;
    for (auto [d, dim] : llvm::enumerate(tensor.sharding.dims)) {
      const Axes &more = wanted.dims[d].axes;
      if (!dim.isOpen || more.size() < dim.axes.size() || !startsWith(more, dim.axes) ||
          more == dim.axes)
        continue;
      Axes others;
      for (auto [e, other] : llvm::enumerate(tensor.sharding.dims))
        if (e != d)
          others.append(other.axes);
      others.append(tensor.sharding.partial);
      if (overlaps(others, more))
        continue;
      dim.axes = more;
      changed = true;
    }
    return changed;
  }

  Shardings &shardings;
  int64_t priority = 0;
};

} // namespace

void distribution::propagate(Shardings &shardings) { Propagation(shardings).run(); }

namespace {

struct PropagateSharding : ashlar::impl::PropagateShardingPassBase<PropagateSharding> {
  void runOnOperation() override {
    if (!findMesh(getOperation())) {
      getOperation().emitError() << "has no dist.mesh to propagate shardings over";
      return signalPassFailure();
    }
    Shardings shardings(getOperation());
    propagate(shardings);
    shardings.write();
  }
};

} // namespace
