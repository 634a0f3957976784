// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/Lockstep.h"

#include <deque>
#include <map>

using namespace mlir;

namespace ashlar::dist {
namespace {

/// A rank on its way through its functions.
struct Walker {
  explicit Walker(ArrayRef<func::FuncOp> functions) : rest(functions) { enterNext(); }

  Block::iterator at, end;
  ArrayRef<func::FuncOp> rest;  // behind the one at hand
  Operation *waiting = nullptr; // for this collective
  llvm::DenseSet<Operation *> done;

  bool hasEnded() const { return at == end && rest.empty(); }
  void enterNext() {
    func::FuncOp function = rest.front();
    Block &body = function.getBody().front();
    at = body.begin();
    end = std::prev(body.end());
    rest = rest.drop_front();
  }
};

class Walk {
public:
  Walk(const Mesh &mesh, ArrayRef<RankFunctions> functionsOfRank,
       llvm::function_ref<LogicalResult(int64_t, Operation *)> evaluate,
       llvm::function_ref<LogicalResult(ArrayRef<Issued>)> exchange)
      : mesh(mesh), evaluate(evaluate), exchange(exchange) {
    for (const RankFunctions &functions : functionsOfRank)
      ranks.emplace_back(functions);
  }

  LogicalResult run() {
    bool goesOn = true;
    while (goesOn) {
      goesOn = false;
      for (size_t rank = 0; rank < ranks.size(); ++rank)
        if (failed(advance(rank, goesOn)))
          return failure();
    }
    for (size_t rank = 0; rank < ranks.size(); ++rank)
      if (!ranks[rank].hasEnded())
        return reportStandstill(rank);
    for (const auto &[group, queue] : queues)
      if (!queue.empty())
        return reportUnmet(group, queue.front());
    return success();
  }

private:
  /// The members of a group, sender and receiver for a message, identify it.
  using Group = std::vector<int64_t>;

  Group getGroup(int64_t rank, CollectiveOpInterface op) {
    Axes axes = dist::getAxes(op.getAxes(), mesh);
    Group group = mesh.getGroup(rank, axes);
    std::optional<int64_t> peer = op.getPeer();
    if (!peer)
      return group;
    return isa<SendOp>(op.getOperation()) ? Group{rank, group[*peer]} : Group{group[*peer], rank};
  }

  LogicalResult advance(int64_t rank, bool &goesOn) {
    Walker &walker = ranks[rank];
    while (!walker.hasEnded()) {
      if (walker.at == walker.end) {
        walker.enterNext();
        continue;
      }
      Operation *op = &*walker.at;
      if (walker.waiting) {
        if (!walker.done.contains(walker.waiting))
          return success();
        walker.waiting = nullptr;
      } else if (auto collective = dyn_cast<CollectiveOpInterface>(op)) {
        if (failed(issue(rank, collective)))
          return failure();
        goesOn = true;
        if (!collective.isStarted()) {
          walker.waiting = op;
          continue;
        }
      } else {
        if (auto wait = dyn_cast<WaitOp>(op))
          if (Operation *started = wait.getPending().getDefiningOp();
              started && !walker.done.contains(started)) {
            return success();
          }
        if (failed(evaluate(rank, op)))
          return failure();
      }
      goesOn = true;
      ++walker.at;
    }
    return success();
  }

  LogicalResult issue(int64_t rank, CollectiveOpInterface op) {
    Group group = getGroup(rank, op);
    std::deque<std::vector<Operation *>> &queue = queues[group];
    // The first exchange of the group that this rank has not joined yet.
    size_t place = llvm::find(group, rank) - group.begin();
    auto next = llvm::find_if(queue, [&](const auto &ops) { return !ops[place]; });
    if (next == queue.end())
      next = queue.insert(queue.end(), std::vector<Operation *>(group.size()));
    (*next)[place] = op;
    for (size_t other = 0; other < group.size(); ++other)
      if ((*next)[other] && !match(op, (*next)[other]))
        return reportMismatch(rank, op, group[other], (*next)[other]);
    if (llvm::is_contained(queue.front(), nullptr))
      return success();
    std::vector<Issued> met;
    for (auto [member, issued] : llvm::zip(group, queue.front())) {
      met.push_back({member, cast<CollectiveOpInterface>(issued)});
      ranks[member].done.insert(issued);
    }
    queue.pop_front();
    return exchange(met);
  }

  /// Whether two ranks mean the same; a send meets a receive.
  bool match(Operation *a, Operation *b) {
    if (a == b)
      return true;
    bool messages = (isa<SendOp>(a) && isa<RecvOp>(b)) || (isa<RecvOp>(a) && isa<SendOp>(b));
    return haveEqualTensors(a, b) &&
           (messages || (a->getName() == b->getName() &&
                         a->getPropertiesAsAttribute() == b->getPropertiesAsAttribute()));
  }

  /// Whether what two ranks give (or get, where they give nothing) are parts of one tensor: numbers
  /// differ only along the dimension that is joined.
  static bool haveEqualTensors(Operation *a, Operation *b) {
    auto getTensor = [](Operation *op) {
      auto collective = cast<CollectiveOpInterface>(op);
      Value input = collective.getInput();
      return input ? cast<RankedTensorType>(input.getType()) : collective.getOutputType();
    };
    RankedTensorType mine = getTensor(a), other = getTensor(b);
    if (mine.getElementType() != other.getElementType() || mine.getRank() != other.getRank())
      return false;
    int64_t joined = -1;
    if (auto gather = dyn_cast<AllGatherOp>(a))
      joined = static_cast<int64_t>(gather.getAxis());
    if (auto exchange = dyn_cast<AllToAllOp>(a))
      joined = static_cast<int64_t>(exchange.getJoin());
    for (int64_t dim = 0; dim < mine.getRank(); ++dim)
      if (dim != joined && !mine.isDynamicDim(dim) && !other.isDynamicDim(dim) &&
          mine.getDimSize(dim) != other.getDimSize(dim))
        return false;
    return true;
  }

  /// All ranks have ended, but not all of a group have issued this (a start that is never waited
  /// for lets its rank go on).
  LogicalResult reportUnmet(const Group &group, ArrayRef<Operation *> issued) {
    size_t one = llvm::find_if(issued, [](Operation *op) { return op; }) - issued.begin();
    size_t none = llvm::find(issued, nullptr) - issued.begin();
    InFlightDiagnostic error = issued[one]->emitError()
                               << "rank " << group[one] << " issues '" << issued[one]->getName()
                               << "' here, and rank " << group[none] << " of its group never does";
    error.attachNote(ranks[group[none]].end->getLoc())
        << "rank " << group[none] << " ends here without it";
    return failure();
  }

  LogicalResult reportMismatch(int64_t rank, Operation *op, int64_t other, Operation *issued) {
    bool sameOp = op->getName() == issued->getName() &&
                  op->getPropertiesAsAttribute() == issued->getPropertiesAsAttribute();
    InFlightDiagnostic error =
        op->emitError() << "rank " << rank << " issues '" << op->getName() << "' here, where rank "
                        << other << " of its group issues "
                        << (sameOp ? "it for another shape or element type" : "another collective");
    error.attachNote(issued->getLoc())
        << "rank " << other << " issues '" << issued->getName() << "' here";
    error.attachNote() << "ranks of a group issue the same collectives in the same order";
    return failure();
  }

  LogicalResult reportStandstill(int64_t rank) {
    Operation *op = ranks[rank].waiting ? ranks[rank].waiting : &*ranks[rank].at;
    auto wait = dyn_cast<WaitOp>(op);
    auto collective = cast<CollectiveOpInterface>(wait ? wait.getPending().getDefiningOp() : op);
    for (int64_t member : getGroup(rank, collective)) {
      Walker &other = ranks[member];
      if (member == rank || other.waiting == op)
        continue;
      InFlightDiagnostic error = collective->emitError()
                                 << "rank " << rank << " waits for rank " << member
                                 << " to issue this '" << collective->getName() << "'";
      if (other.hasEnded())
        error.attachNote(other.end->getLoc()) << "rank " << member << " ends here without it";
      else
        error.attachNote(other.at->getLoc()) << "rank " << member << " waits here meanwhile";
      return failure();
    }
    return collective->emitError() << "rank " << rank << " waits for itself";
  }

  const Mesh &mesh;
  llvm::function_ref<LogicalResult(int64_t, Operation *)> evaluate;
  llvm::function_ref<LogicalResult(ArrayRef<Issued>)> exchange;
  std::vector<Walker> ranks;
  /// Per group, what its members have issued and not all have met for.
  std::map<Group, std::deque<std::vector<Operation *>>> queues;
};

} // namespace

FailureOr<std::vector<RankFunctions>> assignRanks(ArrayRef<func::FuncOp> functions,
                                                  const Mesh &mesh) {
  std::vector<RankFunctions> functionsOfRank(mesh.getRankCount());
  auto getStage = [](func::FuncOp function) {
    auto stage = function->getAttrOfType<StageAttr>(kStageAttr);
    return stage ? stage.getIndex() : -1;
  };
  for (func::FuncOp function : functions) {
    auto ranks = function->getAttrOfType<DenseI64ArrayAttr>(kRanksAttr);
    for (int64_t rank = 0; rank < mesh.getRankCount(); ++rank) {
      if (ranks && !llvm::is_contained(ranks.asArrayRef(), rank))
        continue;
      RankFunctions &mine = functionsOfRank[rank];
      for (func::FuncOp other : mine)
        if (getStage(other) < 0 || getStage(other) == getStage(function))
          return (function.emitError() << "is a second function for rank " << rank)
                     .attachNote(other.getLoc())
                 << "the first one";
      mine.insert(llvm::upper_bound(mine, function,
                                    [&](func::FuncOp one, func::FuncOp other) {
                                      return getStage(one) < getStage(other);
                                    }),
                  function);
    }
  }
  for (auto [rank, mine] : llvm::enumerate(functionsOfRank))
    if (mine.empty())
      return func::FuncOp(functions.front()).emitError()
             << "leaves rank " << rank << " without a function";
  return functionsOfRank;
}

LogicalResult walkRanks(const Mesh &mesh, ArrayRef<RankFunctions> functionsOfRank,
                        llvm::function_ref<LogicalResult(int64_t, Operation *)> evaluate,
                        llvm::function_ref<LogicalResult(ArrayRef<Issued>)> exchange) {
  return Walk(mesh, functionsOfRank, evaluate, exchange).run();
}

LogicalResult verifyCollectives(ArrayRef<func::FuncOp> functions, const Mesh &mesh) {
  auto functionsOfRank = assignRanks(functions, mesh);
  if (failed(functionsOfRank))
    return failure();
  if (failed(walkRanks(
          mesh, *functionsOfRank, [](int64_t, Operation *) { return success(); },
          [](ArrayRef<Issued>) { return success(); })))
    return failure();
  for (func::FuncOp function : functions)
    for (Operation &op : function.getBody().front())
      if (auto collective = dyn_cast<CollectiveOpInterface>(op);
          collective && collective.isStarted() && !op.getResult(0).hasOneUse())
        return op.emitError() << "is started, and "
                              << (op.use_empty() ? "never waited for"
                                                 : "waited for more than once");
  return success();
}

} // namespace ashlar::dist
