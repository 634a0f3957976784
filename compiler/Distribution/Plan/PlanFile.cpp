// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/PlanFile.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Shardings.h"
#include "compiler/Distribution/Stages/Microbatches.h"
#include "dialects/Graph/GraphPaths.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {
namespace {

llvm::Error errorAt(unsigned line, const Twine &what) {
  return llvm::createStringError("line " + Twine(line) + ": " + what);
}

/// mesh dp=2 tp=4 on nvlink
llvm::Error parseMesh(StringRef text, unsigned line, Plan &plan) {
  auto [axesText, topology] = text.split(" on ");
  plan.topology = topology.trim().str();
  std::vector<std::pair<std::string, int64_t>> axes;
  int64_t ranks = 1;
  for (StringRef word : llvm::split(axesText.trim(), ' ')) {
    auto [name, size] = word.trim().split('=');
    int64_t extent = 0;
    if (name.empty())
      continue;
    if (size.getAsInteger(10, extent) || extent < 1)
      return errorAt(line, "an axis is NAME=SIZE, found '" + word + "'");
    if (llvm::is_contained(llvm::make_first_range(axes), name))
      return errorAt(line, "two axes are named '" + name + "'");
    if (llvm::MulOverflow(ranks, extent, ranks) || ranks > kMostRanks)
      return errorAt(line, "a mesh has at most " + Twine(kMostRanks) + " ranks");
    axes.push_back({name.str(), extent});
  }
  if (axes.empty() || plan.topology.empty())
    return errorAt(line, "expected 'mesh NAME=SIZE ... on TOPOLOGY'");
  auto mesh = makeMesh(axes, plan.topology);
  if (!mesh)
    return errorAt(line, llvm::toString(mesh.takeError()));
  plan.mesh = std::move(*mesh);
  return llvm::Error::success();
}

} // namespace

llvm::Expected<Plan> parsePlan(StringRef text) {
  Plan plan;
  unsigned number = 0;
  for (StringRef raw : llvm::split(text, '\n')) {
    ++number;
    StringRef line = raw.split('#').first.trim();
    if (line.empty())
      continue;
    if (plan.mesh.axes.empty()) {
      if (!line.consume_front("mesh "))
        return errorAt(number, "a plan begins with 'mesh NAME=SIZE ... on TOPOLOGY'");
      if (llvm::Error error = parseMesh(line, number, plan))
        return std::move(error);
      continue;
    }
    if (line.starts_with("mesh "))
      return errorAt(number, "a plan has one mesh, in its first line");
    if (line.consume_front("microbatches ")) {
      if (line.trim().getAsInteger(10, plan.microbatches) || plan.microbatches < 1 ||
          plan.microbatches > kMostMicrobatches)
        return errorAt(number, "microbatches are a number from 1 to " + Twine(kMostMicrobatches) +
                                   ", found '" + line.trim() + "'");
      continue;
    }
    if (line.consume_front("chunks ")) {
      if (line.trim().getAsInteger(10, plan.chunks) || plan.chunks < 1 || plan.chunks > kMostChunks)
        return errorAt(number, "chunks are a number from 1 to " + Twine(kMostChunks) + ", found '" +
                                   line.trim() + "'");
      continue;
    }
    size_t end = line.find_first_of(" \t");
    if (end == StringRef::npos)
      return errorAt(number, "expected a sharding behind '" + line + "'");
    PlanLine made;
    made.number = number;
    made.pattern = line.take_front(end).str();
    StringRef rest = line.drop_front(end).trim();
    auto [sharding, priority] = rest.split(" priority ");
    if (!priority.empty() && priority.trim().getAsInteger(10, made.priority))
      return errorAt(number, "a priority is a number, found '" + priority + "'");
    auto parsed = parseSharding(sharding, plan.mesh);
    if (!parsed)
      return errorAt(number, llvm::toString(parsed.takeError()));
    made.sharding = std::move(*parsed);
    plan.lines.push_back(std::move(made));
  }
  if (plan.mesh.axes.empty())
    return llvm::createStringError("the plan has no mesh");
  return plan;
}

//===----------------------------------------------------------------------===//
// Module
//===----------------------------------------------------------------------===//

namespace {

/// The module's mesh, made where there is none.
LogicalResult ensureMesh(const Mesh &mesh, ModuleOp module) {
  if (MeshOp known = findMesh(module)) {
    if (known.getMesh().toString() == mesh.toString())
      return success();
    return known.emitError() << "is " << known.getMesh().toString() << ", but the plan is for "
                             << mesh.toString();
  }
  auto builder = OpBuilder::atBlockBegin(module.getBody());
  SmallVector<StringRef> names;
  SmallVector<int64_t> sizes;
  SmallVector<double> bandwidth, latency;
  for (const MeshAxis &axis : mesh.axes) {
    names.push_back(axis.name);
    sizes.push_back(axis.size);
    bandwidth.push_back(axis.bandwidth);
    latency.push_back(axis.latency);
  }
  MeshOp::create(builder, module.getLoc(), builder.getStringAttr("mesh"),
                 builder.getStrArrayAttr(names), builder.getDenseI64ArrayAttr(sizes),
                 builder.getDenseF64ArrayAttr(bandwidth), builder.getDenseF64ArrayAttr(latency),
                 builder.getF64FloatAttr(mesh.flops),
                 mesh.memory > 0 ? builder.getF64FloatAttr(mesh.memory) : FloatAttr());
  return success();
}

/// Finds the line for a tensor and sets its attributes through `set(sharding, priority)`.
class Pins {
public:
  Pins(const Plan &plan, StringRef file, ModuleOp module)
      : plan(plan), file(file), module(module), used(plan.lines.size()),
        meshName(FlatSymbolRefAttr::get(findMesh(module))) {}

  LogicalResult compile() {
    for (const PlanLine &line : plan.lines) {
      auto pattern = llvm::GlobPattern::create(line.pattern);
      if (!pattern)
        return module.emitError() << file << ":" << line.number << ": "
                                  << llvm::toString(pattern.takeError());
      patterns.push_back(std::move(*pattern));
    }
    return success();
  }

  /// Whose paths come next; none for states.
  void enter(func::FuncOp entered) { function = entered.getSymName(); }

  /// The first line that matches the path, or the path of this function, or null.
  const PlanLine *find(StringRef path) {
    const std::string qualified = (function + ":" + path).str();
    for (auto [i, pattern] : llvm::enumerate(patterns))
      if (pattern.match(path) || (!function.empty() && pattern.match(qualified))) {
        used[i] = true;
        return &plan.lines[i];
      }
    return nullptr;
  }

  LogicalResult pin(StringRef path, Location loc, Type type,
                    llvm::function_ref<void(ShardingAttr, IntegerAttr)> set) {
    const PlanLine *line = find(path);
    if (!line)
      return success();
    auto tensor = dyn_cast<RankedTensorType>(type);
    size_t rank = tensor ? tensor.getRank() : 4;
    if (line->sharding.dims.size() != rank && line->isOptional)
      return success();
    if (line->sharding.dims.size() != rank)
      return (emitError(module.getLoc())
              << file << ":" << line->number << ": has " << line->sharding.dims.size()
              << " dimensions, but '" << path << "' is " << type)
                 .attachNote(loc)
             << "'" << path << "' is made here";
    set(getAttr(meshName, line->sharding, plan.mesh),
        Builder(module.getContext()).getI64IntegerAttr(line->priority));
    return success();
  }

  /// The sharding, or for a tensor of another rank one that leaves everything open.
  ShardingAttr getFor(Type type, ShardingAttr sharding) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    size_t rank = tensor ? tensor.getRank() : 4;
    return rank == sharding.getDims().size()
               ? sharding
               : getAttr(meshName, Sharding(rank, /*isOpen=*/true), plan.mesh);
  }

  LogicalResult checkAllUsed() {
    for (auto [line, isUsed] : llvm::zip(plan.lines, used))
      if (!isUsed && !line.isOptional)
        return module.emitError() << file << ":" << line.number << ": no tensor has a path like '"
                                  << line.pattern << "', or earlier lines take all of them";
    return success();
  }

private:
  const Plan &plan;
  StringRef file;
  ModuleOp module;
  std::vector<llvm::GlobPattern> patterns;
  std::vector<bool> used;
  FlatSymbolRefAttr meshName;
  StringRef function;
};

LogicalResult pinFunction(func::FuncOp function, Pins &pins) {
  pins.enter(function);
  for (auto [i, argument] : llvm::enumerate(function.getArguments()))
    if (failed(pins.pin(graph::getPath(argument.getLoc()), argument.getLoc(), argument.getType(),
                        [&, i = i](ShardingAttr sharding, IntegerAttr priority) {
                          function.setArgAttr(i, kShardingAttr, sharding);
                          function.setArgAttr(i, kPinnedAttr, priority);
                        })))
      return failure();
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto name = function.getResultAttrOfType<StringAttr>(i, graph::kNameAttr);
    std::string path = "result:" + (name ? name.str() : std::to_string(i));
    if (failed(pins.pin(path, function.getLoc(), type,
                        [&, i = i](ShardingAttr sharding, IntegerAttr priority) {
                          function.setResultAttr(i, kShardingAttr, sharding);
                          function.setResultAttr(i, kPinnedAttr, priority);
                        })))
      return failure();
  }
  for (Operation &op : function.getBody().front()) {
    StringRef path = graph::getPath(op.getLoc());
    if (path.empty() || op.getNumResults() == 0 || isa<graph::ReadOp>(op))
      continue; // a reading lies as its state does, unless IR says otherwise
    // A line speaks of the first result; of the others, where they have as many dimensions.
    auto pinResults = [&](ShardingAttr sharding, IntegerAttr priority) {
      SmallVector<Attribute> shardings;
      for (Type type : op.getResultTypes())
        shardings.push_back(pins.getFor(type, sharding));
      op.setAttr(kShardingsAttr, ArrayAttr::get(op.getContext(), shardings));
      op.setAttr(kPinnedAttr, priority);
    };
    if (failed(pins.pin(path, op.getLoc(), op.getResult(0).getType(), pinResults)))
      return failure();
  }
  return success();
}

} // namespace

LogicalResult applyPlan(const Plan &plan, StringRef file, ModuleOp module) {
  if (failed(ensureMesh(plan.mesh, module)))
    return failure();
  if ((plan.microbatches > 0 || plan.chunks > 1) && !plan.mesh.find(kStageAxis))
    return module.emitError() << file << ": " << (plan.chunks > 1 ? "chunks" : "microbatches")
                              << " are of a pipeline, and the mesh has no axis '" << kStageAxis
                              << "'";
  Builder builder(module.getContext());
  if (plan.microbatches > 0)
    findMesh(module)->setAttr(kMicrobatchesAttr, builder.getI64IntegerAttr(plan.microbatches));
  if (plan.chunks > 1)
    findMesh(module)->setAttr(kChunksAttr, builder.getI64IntegerAttr(plan.chunks));
  Pins pins(plan, file, module);
  if (failed(pins.compile()))
    return failure();
  for (auto state : module.getOps<graph::StateOp>())
    if (failed(pins.pin(state.getSymName(), state.getLoc(), state.getType(),
                        [&](ShardingAttr sharding, IntegerAttr priority) {
                          state->setAttr(kShardingAttr, sharding);
                          state->setAttr(kPinnedAttr, priority);
                        })))
      return failure();
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && failed(pinFunction(function, pins)))
      return failure();
  return pins.checkAllUsed();
}

std::string writePlan(ModuleOp module, StringRef topology) {
  return writePlan(Shardings(module), topology);
}

/// What the plan says of a pipeline.
static std::string writePipeline(const Shardings &shardings) {
  std::string text;
  MeshOp mesh = findMesh(shardings.getModule());
  for (auto [attribute, word] :
       {std::pair(kMicrobatchesAttr, "microbatches "), {kChunksAttr, "chunks "}})
    if (auto count = mesh ? mesh->getAttrOfType<IntegerAttr>(attribute) : IntegerAttr())
      text += word + std::to_string(count.getInt()) + "\n";
  return text;
}

std::string writePlan(const Shardings &shardings, StringRef topology,
                      const std::optional<PlanReasons> &reasons) {
  std::string text = "mesh";
  for (const MeshAxis &axis : shardings.getMesh().axes)
    text += " " + axis.name + "=" + std::to_string(axis.size);
  text += " on " + topology.str() + "\n" + writePipeline(shardings);
  auto isSaid = [](const Sharding &sharding) {
    return sharding != Sharding(sharding.dims.size(), /*isOpen=*/true);
  };
  auto print = [&](const Shardings::Tensor &tensor) {
    return isSaid(tensor.sharding) ? toString(tensor.sharding.getClosed(), shardings.getMesh())
                                   : std::string();
  };
  // Entry points share paths; where their tensors lie differently, the line says whose it is.
  llvm::StringMap<std::string> first;
  llvm::StringSet<> states, seen, differ, written;
  for (const Shardings::Tensor &tensor : shardings.tensors)
    if (tensor.isState)
      states.insert(tensor.path);
  auto isWritten = [&](const Shardings::Tensor &tensor) { // a reading lies as its state
    return !tensor.path.empty() && (tensor.isState || !states.contains(tensor.path));
  };
  for (const Shardings::Tensor &tensor : shardings.tensors)
    if (isWritten(tensor) && seen.insert(tensor.function + ":" + tensor.path).second &&
        first.try_emplace(tensor.path, print(tensor)).first->second != print(tensor))
      differ.insert(tensor.path);
  for (const Shardings::Tensor &tensor : shardings.tensors) {
    if (!isWritten(tensor) || !isSaid(tensor.sharding))
      continue;
    std::string path = tensor.path;
    if (differ.contains(path))
      path = tensor.function + ":" + path;
    if (!written.insert(path).second)
      continue;
    std::string pattern;
    for (char c : path) {
      if (StringRef("*?[]{}\\").contains(c))
        pattern += '\\';
      pattern += c;
    }
    text += pattern + " " + print(tensor);
    if (reasons)
      text += "  # " + (tensor.priority         ? reasons->ofPinned
                        : tensor.reason.empty() ? reasons->otherwise
                                                : tensor.reason);
    text += "\n";
  }
  return text;
}

} // namespace ashlar::distribution
