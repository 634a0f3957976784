// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Overlap/Overlap.h"

#include "compiler/Distribution/Overlap/Moves.h"
#include "compiler/Distribution/Passes.h"
#include "dialects/Graph/GraphPaths.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_OVERLAPCOLLECTIVESPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;

namespace ashlar::distribution {

namespace {

/// Transfers that may be under way at once: far fewer than communicators take.
constexpr int kMostUnderWay = 16;
/// How many borders a transfer is moved across at most.
constexpr int kMostSegments = 16;

/// An op that computes, in the time of a function whose collectives take none.
struct Computation {
  Operation *op;
  double begin;
};

/// What is computed between two borders.
struct Segment {
  double begin = 0, end = 0;
  double free = 0; // the link is, before this time
  std::vector<Computation> ops;
};

class OverlapPlanner {
public:
  OverlapPlanner(func::FuncOp function, Costs &costs)
      : body(function.getBody().front()), costs(costs) {}

  std::vector<EarlyStart> run() {
    SmallVector<Operation *> ops =
        llvm::map_to_vector(body.without_terminator(), [](Operation &op) { return &op; });
    for (Operation *op : llvm::reverse(ops))
      if (movesAlong(op, costs))
        op->moveBefore(getFirstReader(op));
    measure();
    auto getNeed = [&](Operation *op) { return begins.lookup(getFirstReader(op)); };
    llvm::sort(movable, [&](Operation *a, Operation *b) {
      return getNeed(a) != getNeed(b) ? getNeed(a) < getNeed(b) : a->isBeforeInBlock(b);
    });
    std::vector<EarlyStart> starts;
    for (Operation *op : llvm::reverse(movable))
      if (auto start = place(cast<CollectiveOpInterface>(op)))
        starts.push_back(*start);
    std::reverse(starts.begin(), starts.end());
    return starts;
  }

private:
  /// When a value is there.
  double getReady(Value value) {
    Operation *maker = value.getDefiningOp();
    if (!maker)
      return 0;
    if (!movesAlong(maker, costs))
      return ends.lookup(maker);
    double ready = 0;
    for (Value operand : maker->getOperands())
      ready = std::max(ready, getReady(operand));
    return ready;
  }

  /// Lays the ops out in time, borders between them, as if no collective took any.
  void measure() {
    double now = 0;
    for (Operation &op : body) {
      begins[&op] = now;
      auto collective = dyn_cast<CollectiveOpInterface>(op);
      now += collective ? 0 : costs.getOpSeconds(&op);
      ends[&op] = now;
    }
    segments.emplace_back();
    for (Operation &op : body.without_terminator()) {
      auto collective = dyn_cast<CollectiveOpInterface>(op);
      const double begin = begins.lookup(&op);
      if (collective && isMovable(collective)) {
        movable.push_back(collective);
      } else if (collective) {
        segments.back().end = segments.back().free = begin;
        segments.push_back({begin, begin, begin, {}});
      } else if (ends.lookup(&op) > begin) {
        segments.back().ops.push_back({&op, begin});
      }
    }
    segments.back().end = segments.back().free = now;
  }

  bool isMovable(CollectiveOpInterface op) {
    return !op.getPeer() && !op.isStarted() &&
           begins.lookup(getFirstReader(op)) > getReady(op.getInput());
  }

  std::optional<EarlyStart> place(CollectiveOpInterface op) {
    const double needed = begins.lookup(getFirstReader(op)), ready = getReady(op.getInput()),
                 seconds = costs.getSeconds(op);
    Segment *best = nullptr;
    double bestRoom = 0;
    int crossed = 0;
    for (Segment &segment : llvm::reverse(segments)) {
      if (segment.begin >= needed)
        continue;
      if (segment.end <= ready || ++crossed > kMostSegments)
        break;
      const double room = std::min(segment.free, needed) - std::max(segment.begin, ready);
      if (room > bestRoom) {
        best = &segment;
        bestRoom = room;
      }
      if (bestRoom >= seconds)
        break;
    }
    if (!best)
      return std::nullopt;
    const double hidden = std::min(seconds, bestRoom), earliest = std::max(best->begin, ready),
                 begin = std::max(std::min(best->free, needed) - hidden, earliest);
    // The last op that begins by then, which is one of this segment's.
    auto after = llvm::upper_bound(
        best->ops, begin, [](double time, const Computation &each) { return time < each.begin; });
    const Computation &before = *std::prev(after);
    // Those that are placed begin and are needed later, so that all that overlap are under way when
    // the first of them is needed.
    if (llvm::count_if(placed, [&](double time) { return time < needed; }) >= kMostUnderWay)
      return std::nullopt;
    best->free = before.begin;
    placed.push_back(before.begin);
    return EarlyStart{op, before.op, seconds, hidden};
  }

  Block &body;
  Costs &costs;
  llvm::DenseMap<Operation *, double> begins, ends;
  std::vector<Segment> segments;
  std::vector<Operation *> movable;
  std::vector<double> placed; // when they begin
};

} // namespace

std::vector<EarlyStart> planOverlap(func::FuncOp function, Costs &costs) {
  return OverlapPlanner(function, costs).run();
}

void startEarly(ArrayRef<EarlyStart> starts, Costs &costs) {
  for (EarlyStart start : starts) {
    moveBefore(start.op.getInput(), start.before, costs);
    start.op->moveBefore(start.before);
  }
  // Behind all moves, since one may read what another has brought.
  for (EarlyStart start : starts) {
    Value result = start.op->getResult(0);
    auto type = cast<RankedTensorType>(result.getType());
    OpBuilder builder(getFirstReader(start.op));
    auto wait = WaitOp::create(builder, start.op.getLoc(), type, result);
    result.replaceAllUsesExcept(wait.getResult(), wait);
    result.setType(PendingType::get(type.getContext(), type));
  }
}

} // namespace ashlar::distribution

using namespace ashlar::distribution;

namespace {

struct OverlapCollectives : ashlar::impl::OverlapCollectivesPassBase<OverlapCollectives> {
  using OverlapCollectivesPassBase::OverlapCollectivesPassBase;

  void runOnOperation() override {
    forEachEntry(getOperation(), [&](func::FuncOp function, Costs &costs, const Mesh &) {
      std::vector<EarlyStart> starts = planOverlap(function, costs);
      for (EarlyStart start : starts)
        if (report)
          start.op->emitRemark() << graph::getPath(start.op.getLoc()) << " starts early, before "
                                 << graph::getPath(start.before->getLoc())
                                 << llvm::formatv(": {0:F1} of its {1:F1} us are hidden",
                                                  start.hidden * 1e6, start.seconds * 1e6)
                                        .str();
      startEarly(starts, costs);
    });
  }
};

} // namespace
