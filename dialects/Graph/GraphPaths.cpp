// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/GraphPaths.h"

#include "dialects/Graph/Graph.h"

using namespace mlir;

namespace ashlar::graph {

StringRef getPath(Location loc) {
  auto name = dyn_cast<NameLoc>(loc);
  return name ? name.getName().getValue() : StringRef();
}

Location withPath(Location loc, StringRef path) {
  auto name = dyn_cast<NameLoc>(loc);
  return NameLoc::get(StringAttr::get(loc.getContext(), path), name ? name.getChildLoc() : loc);
}

std::string joinPaths(ArrayRef<StringRef> paths) {
  SmallVector<SmallVector<StringRef>> parts;
  for (StringRef path : paths)
    path.split(parts.emplace_back(), '.');
  size_t shortest = parts.front().size();
  for (const auto &each : parts)
    shortest = std::min(shortest, each.size());
  auto agree = [&](auto part) {
    return llvm::all_of(parts, [&](const auto &each) { return part(each) == part(parts.front()); });
  };
  size_t front = 0, back = 0;
  while (front < shortest && agree([&](const auto &each) { return each[front]; }))
    ++front;
  while (back < shortest - front && agree([&](const auto &each) { return each.rbegin()[back]; }))
    ++back;
  auto join = [](ArrayRef<StringRef> some) { return llvm::join(some, "."); };
  SmallVector<std::string> middles;
  for (const auto &each : parts)
    middles.push_back(join(ArrayRef(each).drop_front(front).drop_back(back)));
  std::string head = join(ArrayRef(parts.front()).take_front(front)),
              tail = join(ArrayRef(parts.front()).take_back(back));
  return head + (front ? "." : "") + "{" + llvm::join(middles, ",") + "}" + (back ? "." : "") +
         tail;
}

/// Whether a path names what the op makes: constants need none, and what a region gives out is
/// named in it.
static bool isNamed(Operation *op) { return !isa<ConstantOp, FusedOp>(op); }

/// Ops that regions repeat, each the same value.
static bool isView(Operation *op) {
  return isa<SliceOp, ReshapeOp, TransposeOp, BroadcastOp, IotaOp>(op);
}

PathTable::PathTable(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    taken.insert(getPath(argument.getLoc()));
  function.walk([&](Operation *op) { taken.insert(getPath(op->getLoc())); });
}

std::string PathTable::take(StringRef wanted) {
  std::string path = wanted.str();
  for (int &count = counts[wanted]; !taken.insert(path).second;)
    path = wanted.str() + "_" + std::to_string(++count);
  return path;
}

void namePathlessValues(func::FuncOp function) {
  PathTable paths(function);
  for (BlockArgument argument : function.getArguments())
    if (getPath(argument.getLoc()).empty()) {
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kNameAttr);
      argument.setLoc(
          withPath(argument.getLoc(), paths.take(name ? name.getValue() : StringRef("input"))));
    }
  function.getBody().walk([&](Operation *op) {
    if (op->getNumResults() == 0 || !isNamed(op) || !getPath(op->getLoc()).empty())
      return;
    auto read = dyn_cast<ReadOp>(op);
    StringRef wanted = read ? read.getState() : op->getName().stripDialect();
    op->setLoc(withPath(op->getLoc(), paths.take(wanted)));
  });
}

namespace {

/// Paths that a block's values have, each with the place of the value.
class SeenPaths {
public:
  LogicalResult add(Location loc, const Twine &what) {
    StringRef path = getPath(loc);
    if (path.empty())
      return emitError(loc) << what << " has no path; give it a location loc(\"...\") or run "
                            << "ashlar-name-values";
    auto [known, isNew] = places.try_emplace(path, loc);
    if (isNew)
      return success();
    return (emitError(loc) << what << " has path '" << path << "', which an earlier value has")
               .attachNote(known->second)
           << "that value is here";
  }

private:
  llvm::StringMap<Location> places;
};

LogicalResult verifyBlock(Block &block, SeenPaths &seen) {
  for (Operation &op : block) {
    if (op.getDialect() && !isa<GraphDialect>(op.getDialect()))
      continue; // is judged by the pass that meets it
    if (auto fused = dyn_cast<FusedOp>(op)) {
      if (failed(verifyBlock(fused.getBlock(), seen)))
        return failure();
      continue;
    }
    bool isRepeated = isView(&op) && isa<FusedOp>(op.getParentOp());
    if (!isNamed(&op) || op.getNumResults() == 0 || isRepeated)
      continue;
    if (failed(seen.add(op.getLoc(), "'" + op.getName().getStringRef() + "'")))
      return failure();
  }
  return success();
}

} // namespace

LogicalResult verifyPaths(func::FuncOp function) {
  SeenPaths seen;
  for (BlockArgument argument : function.getArguments())
    if (failed(seen.add(argument.getLoc(), "argument #" + Twine(argument.getArgNumber()))))
      return failure();
  return verifyBlock(function.getBody().front(), seen);
}

} // namespace ashlar::graph
