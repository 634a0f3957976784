// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes a lowered program safe to run: launches that fit their kernels, operands inside their
// spaces, and an arena in which no value is read after its bytes went to another.

#include "dialects/Program/Program.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

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

/// Walks an entry, and with it what its arena holds and which collectives are under way.
class EntryVerifier {
public:
  EntryVerifier(EntryOp entry, SpaceSizes sizes, SymbolTable &symbols)
      : entry(entry), sizes(sizes), symbols(symbols) {
    this->sizes[static_cast<size_t>(Space::Arena)] = entry.getArena();
  }

  LogicalResult run();

private:
  LogicalResult verify(InputOp input);
  LogicalResult verify(LaunchOp launch);
  LogicalResult verify(CollectiveOp collective);
  LogicalResult verify(WaitOp wait);
  LogicalResult verify(OutputOp output);
  /// Checks what an op reads or writes in the arena against what is under way there: nothing writes
  /// what a collective reads, or touches what it writes.
  LogicalResult touch(Operation *op, OperandAttr operand, bool writes);
  /// Checks that a value lies there, and that it may be read.
  LogicalResult read(Operation *op, OperandAttr operand, const Twine &what);
  LogicalResult write(Operation *op, OperandAttr operand);

  EntryOp entry;
  SpaceSizes sizes;
  SymbolTable &symbols;
  ArenaContents arena;
  SmallVector<CollectiveOp> collectives, underWay;
};

LogicalResult EntryVerifier::run() {
  for (Operation &op : entry.getBody().front()) {
    LogicalResult verified = llvm::TypeSwitch<Operation *, LogicalResult>(&op)
                                 .Case<InputOp, LaunchOp, CollectiveOp, WaitOp, OutputOp>(
                                     [&](auto each) { return verify(each); })
                                 .Default([](Operation *) { return success(); });
    if (failed(verified))
      return failure();
  }
  for (CollectiveOp collective : underWay)
    if (collective.getKind() != CollectiveKind::Send)
      return collective.emitOpError() << "is started and never waited for";
  return success();
}

LogicalResult EntryVerifier::touch(Operation *op, OperandAttr operand, bool writes) {
  auto overlaps = [&](std::optional<OperandAttr> own) {
    return own && own->getOffset() < operand.getOffset() + operand.getBytes() &&
           operand.getOffset() < own->getOffset() + own->getBytes();
  };
  for (CollectiveOp other : underWay)
    if (overlaps(other.getWorkspace()) || overlaps(other.getOutput()) ||
        (writes && overlaps(other.getInput()))) {
      InFlightDiagnostic error = op->emitOpError() << (writes ? "writes " : "reads ") << operand
                                                   << ", which a collective uses meanwhile";
      error.attachNote(other.getLoc()) << "it was started here, and is not waited for before";
      return error;
    }
  return success();
}

LogicalResult EntryVerifier::read(Operation *op, OperandAttr operand, const Twine &what) {
  if (failed(touch(op, operand, /*writes=*/false)))
    return failure();
  if (!arena.holds(operand.getOffset(), operand.getBytes()))
    return op->emitOpError()
           << what << "reads arena bytes that nothing wrote, or that were overwritten since";
  return success();
}

LogicalResult EntryVerifier::write(Operation *op, OperandAttr operand) {
  if (failed(touch(op, operand, /*writes=*/true)))
    return failure();
  arena.write(operand.getOffset(), operand.getBytes(), op);
  return success();
}

LogicalResult EntryVerifier::verify(InputOp input) {
  if (input.getOffset() + input.getBytes() > entry.getArena())
    return input.emitOpError() << "lies outside the arena of " << entry.getArena() << " bytes";
  arena.write(input.getOffset(), input.getBytes(), input);
  return success();
}

LogicalResult EntryVerifier::verify(LaunchOp launch) {
  auto kernel = symbols.lookup<KernelOp>(launch.getKernel());
  if (!kernel)
    return launch.emitOpError() << "runs " << launch.getKernelAttr()
                                << ", which is no program.kernel";
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
    auto access = static_cast<Access>(accesses[index]);
    if (access != Access::Read &&
        (operand.getSpace() == Space::Weights || operand.getSpace() == Space::Constants))
      return launch.emitOpError() << "operand #" << index << " writes " << operand
                                  << ", which is read-only";
    std::string what;
    llvm::raw_string_ostream(what) << "operand #" << index << " " << operand << " ";
    if (operand.getSpace() == Space::Arena && access != Access::Write &&
        failed(read(launch, operand, what)))
      return failure();
  }
  for (auto [index, operand] : llvm::enumerate(operands))
    if (operand.getSpace() == Space::Arena &&
        static_cast<Access>(accesses[index]) != Access::Read && failed(write(launch, operand)))
      return failure();
  return success();
}

static bool overlap(OperandAttr a, OperandAttr b) {
  return a.getOffset() < b.getOffset() + b.getBytes() &&
         b.getOffset() < a.getOffset() + a.getBytes();
}

LogicalResult EntryVerifier::verify(CollectiveOp collective) {
  std::optional<OperandAttr> input = collective.getInput(), workspace = collective.getWorkspace();
  std::optional<OperandAttr> output = collective.getOutput();
  CollectiveKind kind = collective.getKind();
  bool sends = kind == CollectiveKind::Send, isMessage = sends || kind == CollectiveKind::Recv;
  if (sends == output.has_value() || isMessage != collective.getPeer().has_value())
    return collective.emitOpError()
           << "all but a send have an output, and only send and recv have a peer";
  for (auto [operand, what] :
       {std::pair(input, "input"), {output, "output"}, {workspace, "workspace"}})
    if (operand &&
        (operand->getSpace() != Space::Arena || operand->getOffset() < 0 ||
         operand->getOffset() > static_cast<int64_t>(entry.getArena()) - operand->getBytes()))
      return collective.emitOpError() << what << " " << *operand << " lies outside the arena of "
                                      << entry.getArena() << " bytes";
  if (collective.getCuts().size() % 2 != 0)
    return collective.emitOpError() << "takes pairs of a stride and a size";
  if (collective.getStarted() && (kind == CollectiveKind::Recv || kind == CollectiveKind::Slice ||
                                  kind == CollectiveKind::Origin))
    return collective.emitOpError()
           << "is started; only what all ranks of a group do together is, and sends";
  if (output && workspace && overlap(*output, *workspace))
    return collective.emitOpError() << "has a workspace on top of its output";
  // Others read what this rank gives while it writes what it gets. A sum may take its input's
  // place.
  if (output && input && overlap(*output, *input) &&
      !(kind == CollectiveKind::AllReduce && *output == *input))
    return collective.emitOpError() << "has an output on top of its input";
  if (input && failed(read(collective, *input, "")))
    return failure();
  if (workspace && failed(write(collective, *workspace)))
    return failure();
  if (input && !arena.holds(input->getOffset(), input->getBytes()))
    return collective.emitOpError() << "has a workspace on top of its input";
  if (output && failed(write(collective, *output)))
    return failure();
  collectives.push_back(collective);
  if (collective.getStarted())
    underWay.push_back(collective);
  return success();
}

LogicalResult EntryVerifier::verify(WaitOp wait) {
  auto number = static_cast<size_t>(wait.getCollective());
  auto found =
      number < collectives.size() ? llvm::find(underWay, collectives[number]) : underWay.end();
  if (found == underWay.end() || found->getKind() == CollectiveKind::Send)
    return wait.emitOpError() << "waits for collective " << wait.getCollective()
                              << ", which is not under way";
  underWay.erase(found);
  return success();
}

LogicalResult EntryVerifier::verify(OutputOp output) {
  if (!arena.holds(output.getOffset(), output.getBytes()))
    return output.emitOpError()
           << "gives arena bytes that nothing wrote, or that were overwritten since";
  return success();
}

} // namespace

LogicalResult ashlar::program::verifyProgram(ModuleOp module) {
  SymbolTable symbols(module);
  for (auto entry : module.getOps<EntryOp>())
    if (failed(EntryVerifier(entry, getSpaceSizes(module, entry.getStage()), symbols).run()))
      return failure();
  return success();
}
