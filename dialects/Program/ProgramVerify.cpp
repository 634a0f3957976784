// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes a lowered program safe to run: launches that fit their kernels, operands inside their
// spaces, and an arena in which no value is read after its bytes went to another.

#include "dialects/Program/Program.h"

#include "llvm/ADT/StringMap.h"

#include <map>

using namespace mlir;
using namespace ashlar::program;

LogicalResult WeightOp::verify() {
  if (getOffset() % 64 != 0)
    return emitOpError() << "lies at " << getOffset() << ", which is no multiple of 64";
  bool panels = getLayout() != Layout::Plain;
  if (panels && getShape().size() != 2)
    return emitOpError() << "in panels has a shape [K, N], found rank " << getShape().size();
  int64_t total = 0;
  for (auto part : getParts().getAsRange<PartAttr>()) {
    ArrayRef<int64_t> shape = part.getShape();
    if (shape.size() != getShape().size())
      return emitOpError() << "has part " << part.getTensor() << " of another rank";
    if (panels && shape[part.getTransposed() ? 1 : 0] != getShape()[0])
      return emitOpError() << "has depth K = " << getShape()[0] << ", but its part "
                           << part.getTensor() << " has " << shape[part.getTransposed() ? 1 : 0];
    total += panels ? shape[part.getTransposed() ? 0 : 1] : (shape.empty() ? 1 : shape[0]);
  }
  int64_t expected = panels ? getShape()[1] : (getShape().empty() ? 1 : getShape()[0]);
  if (total != expected)
    return emitOpError() << "has parts of " << total << " together where its shape has "
                         << expected;
  return success();
}

LogicalResult EntryOp::verify() {
  if (getArena() < getLowerBound())
    return emitOpError() << "has an arena of " << getArena() << " bytes, below its lower bound "
                         << getLowerBound();
  return success();
}

namespace {

/// Which writer each range of the arena holds a value of.
class ArenaContents {
public:
  void write(int64_t offset, int64_t bytes, Operation *writer) {
    auto next = ranges.lower_bound(offset);
    if (next != ranges.begin() && std::prev(next)->second.end > offset)
      --next;
    while (next != ranges.end() && next->first < offset + bytes)
      next = ranges.erase(next);
    ranges[offset] = {offset + bytes, writer};
  }

  bool holds(int64_t offset, int64_t bytes) const {
    if (bytes == 0)
      return true;
    auto found = ranges.find(offset);
    return found != ranges.end() && found->second.end >= offset + bytes;
  }

private:
  struct Range {
    int64_t end;
    Operation *writer;
  };
  std::map<int64_t, Range> ranges;
};

/// Bytes of each space.
using SpaceSizes = std::array<int64_t, 4>;

/// What a stage has, and what all have; without stages, all.
SpaceSizes getSpaceSizes(ModuleOp module, std::optional<int64_t> stage) {
  SpaceSizes sizes = {0, 0, 0, 0};
  auto grow = [&](Space space, int64_t end) {
    int64_t &size = sizes[static_cast<size_t>(space)];
    size = std::max(size, end);
  };
  for (auto op : module.getOps<WeightOp>())
    if (op.getStage() == stage)
      grow(Space::Weights, op.getOffset() + op.getBytes());
  for (auto op : module.getOps<ConstantOp>())
    grow(Space::Constants, op.getOffset() + op.getBytes());
  for (auto op : module.getOps<StateOp>())
    if (op.getStage() == stage)
      grow(Space::State, op.getOffset() + op.getBytes());
  return sizes;
}

LogicalResult verifyLaunch(LaunchOp launch, KernelOp kernel, const SpaceSizes &sizes,
                           ArenaContents &arena) {
  ArrayRef<int32_t> accesses = kernel.getAccesses();
  if (launch.getOperands().size() != accesses.size())
    return launch.emitOpError() << "gives " << launch.getOperands().size() << " operands to @"
                                << kernel.getSymName() << ", which takes " << accesses.size();
  if (launch.getExtents().size() != kernel.getExtents().size())
    return launch.emitOpError() << "gives " << launch.getExtents().size() << " extents to @"
                                << kernel.getSymName() << ", which takes "
                                << kernel.getExtents().size();
  auto operands = launch.getOperands().getAsRange<OperandAttr>();
  for (auto [index, operand] : llvm::enumerate(operands)) {
    int64_t size = sizes[static_cast<size_t>(operand.getSpace())];
    if (operand.getOffset() < 0 || operand.getBytes() < 0 ||
        operand.getOffset() > size - operand.getBytes())
      return launch.emitOpError() << "operand #" << index << " " << operand
                                  << " lies outside its space of " << size << " bytes";
    bool writes = static_cast<Access>(accesses[index]) != Access::Read;
    if (writes && (operand.getSpace() == Space::Weights || operand.getSpace() == Space::Constants))
      return launch.emitOpError() << "operand #" << index << " writes " << operand
                                  << ", which is read-only";
    if (operand.getSpace() == Space::Arena &&
        static_cast<Access>(accesses[index]) != Access::Write &&
        !arena.holds(operand.getOffset(), operand.getBytes()))
      return launch.emitOpError()
             << "operand #" << index << " " << operand
             << " reads arena bytes that nothing wrote, or that were overwritten since";
  }
  for (auto [index, operand] : llvm::enumerate(operands))
    if (operand.getSpace() == Space::Arena && static_cast<Access>(accesses[index]) != Access::Read)
      arena.write(operand.getOffset(), operand.getBytes(), launch);
  return success();
}

LogicalResult verifyCollective(CollectiveOp collective, int64_t arenaBytes, ArenaContents &arena) {
  auto check = [&](std::optional<OperandAttr> operand, StringRef what) -> LogicalResult {
    if (!operand || (operand->getSpace() == Space::Arena && operand->getOffset() >= 0 &&
                     operand->getOffset() <= arenaBytes - operand->getBytes()))
      return success();
    return collective.emitOpError()
           << what << " " << *operand << " lies outside the arena of " << arenaBytes << " bytes";
  };
  std::optional<OperandAttr> input = collective.getInput(), workspace = collective.getWorkspace();
  std::optional<OperandAttr> output = collective.getOutput();
  bool sends = collective.getKind() == CollectiveKind::Send;
  bool isMessage = sends || collective.getKind() == CollectiveKind::Recv;
  if (sends == output.has_value() || isMessage != collective.getPeer().has_value())
    return collective.emitOpError()
           << "all but a send have an output, and only send and recv have a peer";
  if (failed(check(input, "input")) || failed(check(output, "output")) ||
      failed(check(workspace, "workspace")))
    return failure();
  if (collective.getCuts().size() % 2 != 0)
    return collective.emitOpError() << "takes pairs of a stride and a size";
  if (input && !arena.holds(input->getOffset(), input->getBytes()))
    return collective.emitOpError()
           << "reads arena bytes that nothing wrote, or that were overwritten since";
  if (workspace)
    arena.write(workspace->getOffset(), workspace->getBytes(), collective);
  if (input && !arena.holds(input->getOffset(), input->getBytes()))
    return collective.emitOpError() << "has a workspace on top of its input";
  if (output)
    arena.write(output->getOffset(), output->getBytes(), collective);
  return success();
}

LogicalResult verifyEntry(EntryOp entry, SpaceSizes sizes, SymbolTable &symbols) {
  sizes[static_cast<size_t>(Space::Arena)] = entry.getArena();
  ArenaContents arena;
  for (Operation &op : entry.getBody().front()) {
    if (auto input = dyn_cast<InputOp>(op)) {
      if (input.getOffset() + input.getBytes() > entry.getArena())
        return input.emitOpError() << "lies outside the arena of " << entry.getArena() << " bytes";
      arena.write(input.getOffset(), input.getBytes(), input);
    } else if (auto launch = dyn_cast<LaunchOp>(op)) {
      auto kernel = symbols.lookup<KernelOp>(launch.getKernel());
      if (!kernel)
        return launch.emitOpError()
               << "runs " << launch.getKernelAttr() << ", which is no program.kernel";
      if (failed(verifyLaunch(launch, kernel, sizes, arena)))
        return failure();
    } else if (auto collective = dyn_cast<CollectiveOp>(op)) {
      if (failed(verifyCollective(collective, entry.getArena(), arena)))
        return failure();
    } else if (auto output = dyn_cast<OutputOp>(op)) {
      if (!arena.holds(output.getOffset(), output.getBytes()))
        return output.emitOpError()
               << "gives arena bytes that nothing wrote, or that were overwritten since";
    }
  }
  return success();
}

} // namespace

LogicalResult ashlar::program::verifyProgram(ModuleOp module) {
  SymbolTable symbols(module);
  for (auto entry : module.getOps<EntryOp>())
    if (failed(verifyEntry(entry, getSpaceSizes(module, entry.getStage()), symbols)))
      return failure();
  return success();
}
