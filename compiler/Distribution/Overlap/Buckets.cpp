// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joins small collectives into one of a bucket.

#include "compiler/Distribution/Overlap/Moves.h"
#include "compiler/Distribution/Passes.h"
#include "dialects/Graph/GraphPaths.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_BUCKETCOLLECTIVESPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;
using namespace ashlar::distribution;

namespace {

/// Collectives of one kind between the same ranks in one layer, one after the other, in place of
/// which one may stand before the first reader of any.
struct Bucket {
  SmallVector<CollectiveOpInterface> members;
  Operation *firstReader = nullptr;
  double bytes = 0, copied = 0, seconds = 0; // of one for all, copies included
};

class Bucketer {
public:
  Bucketer(func::FuncOp function, Costs &costs, const Mesh &mesh)
      : body(function.getBody().front()), costs(costs), mesh(mesh), paths(function) {}

  void run(bool report) {
    for (Operation &op : body.without_terminator())
      if (auto collective = dyn_cast<CollectiveOpInterface>(op); collective && canJoin(collective))
        add(collective);
    for (Bucket &bucket : buckets) {
      keepThoseThatFit(bucket);
      if (bucket.members.size() < 2)
        continue;
      if (report)
        say(bucket);
      join(bucket);
    }
  }

private:
  /// What has numbers for dimensions, and comes of each rank as a run of what all of them give.
  /// What sessions count is checked where it is gathered, and stays by itself.
  static bool canJoin(CollectiveOpInterface op) {
    Value input = op.getInput();
    if (op.isStarted() || op->use_empty() || !input ||
        !cast<RankedTensorType>(input.getType()).hasStaticShape() ||
        !op.getOutputType().hasStaticShape())
      return false;
    if (auto read = input.getDefiningOp<graph::ReadOp>())
      if (SymbolTable::lookupNearestSymbolFrom<graph::StateOp>(read, read.getStateAttr())
              .getRole() != graph::StateRole::Parameter)
        return false;
    auto gather = dyn_cast<AllGatherOp>(op.getOperation());
    if (!gather)
      return isa<AllReduceOp>(op.getOperation());
    auto part = cast<RankedTensorType>(input.getType());
    return gather.getAxis() == 0 && op.getOutputType().getDimSize(0) % part.getDimSize(0) == 0;
  }

  static Attribute getReduction(CollectiveOpInterface op) {
    auto reduce = dyn_cast<AllReduceOp>(op.getOperation());
    return reduce ? reduce.getReductionAttr() : Attribute();
  }

  /// `encoder.layer.3` of a path in that layer, nothing of one outside of all.
  static StringRef getLayer(CollectiveOpInterface op) {
    StringRef path = graph::getPath(op.getLoc()), rest = path;
    while (!rest.empty()) {
      StringRef component = rest.take_until([](char c) { return c == '.'; });
      rest = rest.drop_front(std::min(rest.size(), component.size() + 1));
      if (!component.empty() && llvm::all_of(component, llvm::isDigit))
        return path.drop_back(rest.size());
    }
    return "";
  }

  /// What is read of a bucket is read at its place there: layers that are alike stay so, and share
  /// kernels, where each has buckets of its own.
  static bool areOfOneKind(CollectiveOpInterface a, CollectiveOpInterface b) {
    return getLayer(a) == getLayer(b) && a->getName() == b->getName() &&
           a.getAxes() == b.getAxes() && getReduction(a) == getReduction(b) &&
           a.getOutputType().getElementType() == b.getOutputType().getElementType();
  }

  /// Of one like the op for so many bytes, of which a rank copies some to where they are joined.
  double getSeconds(CollectiveOpInterface op, double bytes, double copied) {
    const double copies = mesh.memory > 0 ? copied / mesh.memory : 0;
    return copies + costs.getSeconds(isa<AllReduceOp>(op.getOperation())
                                         ? CollectiveKind::AllReduce
                                         : CollectiveKind::AllGather,
                                     bytes, getAxes(op.getAxes(), mesh));
  }

  /// Bytes that are read and written to join what a rank gives. Parameters are copied in any case,
  /// from where the weights are to where ranks exchange.
  double getCopied(CollectiveOpInterface op) {
    auto type = cast<RankedTensorType>(op.getInput().getType());
    return op.getInput().getDefiningOp<graph::ReadOp>()
               ? 0
               : 2 * costs.getBytes(type, Sharding(type.getRank()));
  }

  /// Into the first bucket of its kind that has room, if that saves more latency than it costs
  /// copies. A bucket is full when latency is less than a tenth of its time; what is as large by
  /// itself stays what it is, and is read where it lies.
  void add(CollectiveOpInterface op) {
    const double bytes = costs.getBytes(op), most = 10 * getSeconds(op, 0, 0);
    if (costs.getSeconds(op) > most)
      return;
    for (Bucket &bucket : buckets) {
      if (!areOfOneKind(bucket.members.front(), op) ||
          !mayStandBefore(op.getInput(), bucket.firstReader, costs) || bucket.seconds > most)
        continue;
      const double copied = bucket.copied + getCopied(op);
      const double seconds = getSeconds(op, bucket.bytes + bytes, copied);
      if (seconds >= bucket.seconds + costs.getSeconds(op))
        continue;
      bucket.members.push_back(op);
      bucket.bytes += bytes;
      bucket.copied = copied;
      bucket.seconds = seconds;
      if (Operation *reader = getFirstReader(op); reader->isBeforeInBlock(bucket.firstReader))
        bucket.firstReader = reader;
      return;
    }
    buckets.push_back({{op}, getFirstReader(op), bytes, getCopied(op), costs.getSeconds(op)});
  }

  /// Buckets that were joined before may have brought later what this one's members are made of.
  void keepThoseThatFit(Bucket &bucket) {
    bucket.firstReader = nullptr;
    for (CollectiveOpInterface op : bucket.members)
      if (Operation *reader = getFirstReader(op);
          !bucket.firstReader || reader->isBeforeInBlock(bucket.firstReader))
        bucket.firstReader = reader;
    llvm::erase_if(bucket.members, [&](CollectiveOpInterface op) {
      return !mayStandBefore(op.getInput(), bucket.firstReader, costs);
    });
    bucket.bytes = bucket.copied = 0;
    for (CollectiveOpInterface op : bucket.members) {
      bucket.bytes += costs.getBytes(op);
      bucket.copied += getCopied(op);
    }
    if (!bucket.members.empty())
      bucket.seconds = getSeconds(bucket.members.front(), bucket.bytes, bucket.copied);
  }

  void say(Bucket &bucket) {
    double apart = 0;
    for (CollectiveOpInterface op : bucket.members)
      apart += costs.getSeconds(op);
    bucket.members.front()->emitRemark()
        << graph::getPath(bucket.members.front().getLoc()) << " and " << bucket.members.size() - 1
        << " more " << bucket.members.front()->getName()
        << llvm::formatv(" are one of {0} bytes: {1:F1} us in place of {2:F1}",
                         static_cast<int64_t>(bucket.bytes), bucket.seconds * 1e6, apart * 1e6)
               .str();
  }

  Location locate(CollectiveOpInterface op, StringRef what) {
    std::string path = (graph::getPath(op.getLoc()) + "." + what).str();
    return graph::withPath(op.getLoc(), paths.take(path));
  }

  Value reshape(OpBuilder &builder, Value value, ArrayRef<int64_t> shape, Location loc) {
    auto type = cast<RankedTensorType>(value.getType()).clone(shape);
    return graph::ReshapeOp::create(builder, loc, type, value);
  }

  /// Each member's elements as one row, the rows joined, moved, and taken apart.
  void join(Bucket &bucket) {
    OpBuilder builder(bucket.firstReader);
    CollectiveOpInterface first = bucket.members.front();
    SmallVector<Value> rows;
    for (CollectiveOpInterface op : bucket.members) {
      moveBefore(op.getInput(), bucket.firstReader, costs);
      auto type = cast<RankedTensorType>(op.getInput().getType());
      rows.push_back(
          reshape(builder, op.getInput(), type.getNumElements(), locate(op, "bucket.row")));
    }
    auto row = graph::ConcatOp::create(builder, locate(first, "bucket.concat"), rows, 0);
    const int64_t elements = row.getType().getNumElements();
    auto gather = dyn_cast<AllGatherOp>(first.getOperation());
    const int64_t parts = gather ? getParts(getAxes(first.getAxes(), mesh)) : 1;
    // The same op on the row, whose every other attribute stays.
    Operation *moved = builder.clone(*first.getOperation());
    moved->setLoc(locate(first, "bucket"));
    moved->setOperand(0, row);
    moved->getResult(0).setType(row.getType().clone({parts * elements}));
    Value all =
        reshape(builder, moved->getResult(0), {parts, elements}, locate(first, "bucket.parts"));
    int64_t offset = 0;
    for (auto [op, part] : llvm::zip(bucket.members, rows)) {
      const int64_t size = cast<RankedTensorType>(part.getType()).getNumElements();
      Value slice =
          graph::SliceOp::create(builder, locate(op, "bucket.slice"), all, 1, offset, size);
      offset += size;
      op->getResult(0).replaceAllUsesWith(
          reshape(builder, slice, op.getOutputType().getShape(), op.getLoc()));
      op->erase();
    }
  }

  Block &body;
  Costs &costs;
  const Mesh &mesh;
  graph::PathTable paths;
  std::vector<Bucket> buckets;
};

struct BucketCollectives : ashlar::impl::BucketCollectivesPassBase<BucketCollectives> {
  using BucketCollectivesPassBase::BucketCollectivesPassBase;

  void runOnOperation() override {
    forEachEntry(getOperation(), [&](func::FuncOp function, Costs &costs, const Mesh &mesh) {
      Bucketer(function, costs, mesh).run(report);
    });
  }
};

} // namespace
