// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Ranks.h"

#include "compiler/Interpreter/Evaluation.h"
#include "dialects/Dist/LocalTypes.h"
#include "dialects/Dist/Lockstep.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace ashlar::dist;
using namespace ashlar::graph;

namespace ashlar::interpreter {
namespace {

Sharding shardingOf(Attribute attribute, const Mesh &mesh, size_t rank) {
  auto attr = dyn_cast_or_null<ShardingAttr>(attribute);
  return attr ? getSharding(attr, mesh) : Sharding(rank);
}

/// The part of a whole array that a rank holds.
Array takeShard(const Array &whole, const Sharding &sharding, const Mesh &mesh, int64_t rank) {
  Array part = whole;
  for (auto [d, dim] : llvm::enumerate(sharding.dims))
    if (!dim.axes.empty())
      part = takePart(part, d, getShard(whole.shape[d], mesh, dim.axes, rank));
  return part;
}

/// Calls `visit(local index, whole index)` for every element of a rank's part.
template <typename Visit>
void forEachElement(ArrayRef<int64_t> whole, const Sharding &sharding, const Mesh &mesh,
                    int64_t rank, Visit visit) {
  std::vector<Range> ranges;
  int64_t count = 1;
  for (auto [extent, dim] : llvm::zip(whole, sharding.dims)) {
    ranges.push_back(getShard(extent, mesh, dim.axes, rank));
    count *= ranges.back().size;
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, at = 0, stride = 1;
    for (size_t d = ranges.size(); d-- > 0; rest /= ranges[d].size, stride *= whole[d])
      at += (ranges[d].begin + rest % ranges[d].size) * stride;
    visit(i, at);
  }
}

/// Puts the ranks' parts of a function's result together.
FailureOr<ArrayPtr> assemble(func::FuncOp function, const std::string &name,
                             ArrayRef<int64_t> ranks, ArrayRef<ArrayPtr> parts,
                             ArrayRef<int64_t> shape, const Sharding &sharding, const Mesh &mesh) {
  if (!sharding.partial.empty())
    return function.emitError() << "result '" << name << "' is partial over ["
                                << mesh.toString(sharding.partial)
                                << "]; results are whole tensors cut over ranks";
  Array whole(parts.front()->elementType, shape);
  std::vector<int64_t> holder(whole.size(), -1);
  for (auto [rank, part] : llvm::zip(ranks, parts)) {
    int64_t differs = -1;
    forEachElement(
        shape, sharding, mesh, rank, [&, &part = part, rank = rank](int64_t i, int64_t at) {
          bool same = whole.isFloat() ? std::memcmp(&whole.floats[at], &part->floats[i], 8) == 0
                                      : whole.integers[at] == part->integers[i];
          if (holder[at] >= 0 && !same)
            differs = at;
          if (holder[at] < 0) {
            whole.copyElement(at, *part, i);
            holder[at] = rank;
          }
        });
    if (differs >= 0)
      return function.emitError() << "ranks " << holder[differs] << " and " << rank
                                  << " hold different values of element " << differs
                                  << " of result '" << name << "'";
  }
  for (int64_t i = 0; i < whole.size(); ++i)
    if (holder[i] < 0)
      return function.emitError() << "no rank holds element " << i << " of result '" << name << "'";
  return std::make_shared<const Array>(std::move(whole));
}

/// One rank's run.
struct Rank {
  RankPlace place;
  Extents extents;
  Values values;
};

/// Each stage of a pipeline has states of its own, where a rank has several, too.
int64_t getChunks(MeshOp mesh) {
  auto chunks = mesh->getAttrOfType<IntegerAttr>(kChunksAttr);
  return chunks ? chunks.getInt() : 1;
}

/// Evaluates one set of functions on all ranks.
class RanksRun {
public:
  RanksRun(ArrayRef<func::FuncOp> functions, ModuleOp module, std::vector<StateStore> &states,
           const EvaluateOptions &options)
      : functions(functions), types(findMesh(module)), mesh(types.getMesh()), options(options),
        states(states) {
    for (int64_t rank = 0; rank < mesh.getRankCount(); ++rank)
      ranks.push_back(Rank{{mesh, rank}, Extents(), Values()});
  }

  FailureOr<std::vector<NamedArray>> run(ArrayRef<NamedArray> inputs) {
    auto assigned = assignRanks(functions, mesh);
    if (failed(assigned))
      return failure();
    functionsOfRank = std::move(*assigned);
    for (const auto &dim : options.dims)
      whole.set(dim.getKey(), dim.getValue());
    for (func::FuncOp function : functions)
      if (failed(bind(function, inputs)))
        return failure();
    auto evaluateOne = [&](int64_t rank, Operation *op) {
      Rank &mine = ranks[rank];
      StateStore &store = getStates(rank, op->getParentOfType<func::FuncOp>());
      return Evaluator(store, options, mine.extents, &mine.place).evaluate(*op, mine.values);
    };
    auto exchangeGroup = [&](ArrayRef<Issued> group) { return exchangeValues(group); };
    if (failed(walkRanks(mesh, functionsOfRank, evaluateOne, exchangeGroup)))
      return failure();
    std::vector<NamedArray> results;
    for (func::FuncOp function : functions)
      if (failed(collect(function, results)))
        return failure();
    return results;
  }

private:
  bool runs(const Rank &rank, func::FuncOp function) const {
    return llvm::is_contained(functionsOfRank[rank.place.rank], function);
  }
  StateStore &getStates(int64_t rank, func::FuncOp function) {
    int64_t chunk = llvm::find(functionsOfRank[rank], function) - functionsOfRank[rank].begin();
    return states[chunk * mesh.getRankCount() + rank];
  }

  LogicalResult bind(func::FuncOp function, ArrayRef<NamedArray> inputs) {
    SmallVector<Type> wholeTypes;
    std::vector<Sharding> shardings;
    std::vector<NamedArray> mine;
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      auto tensor = cast<RankedTensorType>(type);
      shardings.push_back(
          shardingOf(function.getArgAttr(i, kShardingAttr), mesh, tensor.getRank()));
      wholeTypes.push_back(types.getWhole(tensor, shardings.back()));
      std::string name = nameOf(function.getArgAttr(i, kNameAttr), "arg", i);
      for (const NamedArray &input : inputs)
        if (input.name == name)
          mine.push_back(input);
    }
    auto arguments = bindInputs(function, wholeTypes, mine, whole, options);
    if (failed(arguments))
      return failure();
    for (Rank &rank : ranks) {
      if (!runs(rank, function))
        continue;
      setExtents(rank);
      for (auto [i, argument] : llvm::enumerate(function.getArguments()))
        rank.values[argument] = std::make_shared<const Array>(
            takeShard(*(*arguments)[i], shardings[i], mesh, rank.place.rank));
    }
    return success();
  }

  /// The extents of this rank: those of whole dimensions, and its parts of them.
  void setExtents(Rank &rank) {
    rank.extents = whole;
    for (auto dim : functions.front()->getParentOfType<ModuleOp>().getOps<DimOp>()) {
      auto local = dim->getAttrOfType<LocalDimAttr>(kLocalAttr);
      if (!local)
        continue;
      std::optional<int64_t> extent;
      if (auto number = dyn_cast<IntegerAttr>(local.getWhole()))
        extent = number.getInt();
      else
        extent = whole.find(cast<FlatSymbolRefAttr>(local.getWhole()).getValue());
      if (extent)
        rank.extents.set(
            dim.getSymName(),
            getShard(*extent, mesh, getAxes(local.getAxes(), mesh), rank.place.rank).size);
    }
  }

  LogicalResult exchangeValues(ArrayRef<Issued> group) {
    std::vector<ArrayPtr> given, taken;
    std::vector<int64_t> members;
    for (const Issued &each : group) {
      members.push_back(each.rank);
      auto op = each.op;
      Value input = op.getInput();
      given.push_back(input ? ranks[each.rank].values.lookup(input) : nullptr);
    }
    CollectiveOpInterface first = group.front().op;
    if (failed(exchange(first, mesh, members, given, taken)))
      return failure();
    for (auto [each, array] : llvm::zip(group, taken)) {
      CollectiveOpInterface op = each.op;
      if (!array)
        continue;
      auto expected =
          ranks[each.rank].extents.shapeOf(op.getOutputType(), [&] { return op->emitOpError(); });
      if (failed(expected))
        return failure();
      if (array->shape != *expected)
        return op->emitOpError() << "gives " << describe(*array) << " on rank " << each.rank
                                 << ", expected " << op.getOutputType();
      Array rounded = *array;
      rounded.round(options.precision);
      ranks[each.rank].values[op->getResult(0)] = std::make_shared<const Array>(std::move(rounded));
    }
    return success();
  }

  LogicalResult collect(func::FuncOp function, std::vector<NamedArray> &results) {
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto local = cast<RankedTensorType>(value.getType());
      std::string name = nameOf(function.getResultAttr(i, kNameAttr), "result", i);
      Sharding sharding =
          shardingOf(function.getResultAttr(i, kShardingAttr), mesh, local.getRank());
      auto shape =
          whole.shapeOf(types.getWhole(local, sharding), [&] { return function.emitError(); });
      if (failed(shape))
        return failure();
      std::vector<int64_t> holders;
      std::vector<ArrayPtr> parts;
      for (Rank &rank : ranks)
        if (runs(rank, function)) {
          holders.push_back(rank.place.rank);
          parts.push_back(rank.values.lookup(value));
        }
      auto array = assemble(function, name, holders, parts, *shape, sharding, mesh);
      if (failed(array))
        return failure();
      results.push_back({name, *array});
    }
    return success();
  }

  ArrayRef<func::FuncOp> functions;
  LocalTypes types;
  const Mesh &mesh;
  const EvaluateOptions &options;
  std::vector<StateStore> &states;
  std::vector<RankFunctions> functionsOfRank;
  Extents whole;
  std::vector<Rank> ranks;
};

} // namespace

std::vector<StateStore> makeRankStates(ModuleOp module, StateInitializer parameters) {
  auto mesh = std::make_shared<const Mesh>(findMesh(module).getMesh());
  const int64_t count = mesh->getRankCount() * getChunks(findMesh(module));
  std::vector<StateStore> stores;
  for (int64_t i = 0; i < count; ++i)
    stores.emplace_back([mesh, rank = i % mesh->getRankCount(),
                         parameters](StateOp state) -> FailureOr<ArrayPtr> {
      if (!parameters)
        return state.emitError() << "parameter @" << state.getSymName()
                                 << " has no value: no weights were given";
      auto type = state->getAttrOfType<TypeAttr>(kGlobalTypeAttr);
      if (!type)
        return parameters(state);
      StateOp original = state.clone();
      original.setTypeAttr(type);
      auto whole = parameters(original);
      original->erase();
      if (failed(whole))
        return failure();
      Sharding sharding = shardingOf(state->getAttr(kShardingAttr), *mesh, (*whole)->shape.size());
      auto stored = cast<RankedTensorType>(state.getType());
      Array kept(stored.getElementType(), stored.getShape());
      std::fill(kept.floats.begin(), kept.floats.end(), std::nan("")); // padding
      Array part = takeShard(**whole, sharding, *mesh, rank);
      for (int64_t i = 0; i < part.size(); ++i) {
        int64_t rest = i, at = 0, stride = 1;
        for (size_t d = part.shape.size(); d-- > 0; rest /= part.shape[d], stride *= kept.shape[d])
          at += rest % part.shape[d] * stride;
        kept.copyElement(at, part, i);
      }
      return std::make_shared<const Array>(std::move(kept));
    });
  return stores;
}

FailureOr<std::vector<NamedArray>> evaluateOnRanks(ArrayRef<func::FuncOp> functions,
                                                   ArrayRef<NamedArray> inputs,
                                                   std::vector<StateStore> &states,
                                                   const EvaluateOptions &options) {
  auto first = functions.front();
  auto module = first->getParentOfType<ModuleOp>();
  MeshOp mesh = module ? findMesh(module) : MeshOp();
  if (!mesh)
    return first.emitError() << "runs on ranks, but its module has no dist.mesh";
  const int64_t count = mesh.getMesh().getRankCount() * getChunks(mesh);
  if (static_cast<int64_t>(states.size()) != count)
    return first.emitError() << "has states of " << states.size() << " ranks for a mesh that has "
                             << count;
  return RanksRun(functions, module, states, options).run(inputs);
}

} // namespace ashlar::interpreter
