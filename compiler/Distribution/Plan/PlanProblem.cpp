// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/PlanProblem.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Plan/Strategies.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

constexpr double kPicoseconds = 1e12;
static int64_t toCost(double seconds) { return static_cast<int64_t>(seconds * kPicoseconds + 0.5); }

double PlanProblem::toSeconds(solver::Cost cost) {
  return static_cast<double>(cost) / kPicoseconds;
}

unsigned ReshardTable::add(const Sharding &sharding) {
  auto [known, isNew] =
      numbers.try_emplace(toString(sharding, mesh), static_cast<unsigned>(shardings.size()));
  if (isNew)
    shardings.push_back(sharding);
  return known->second;
}

std::vector<unsigned> ReshardTable::add(ArrayRef<Sharding> some) {
  std::vector<unsigned> added;
  for (const Sharding &sharding : some)
    added.push_back(add(sharding));
  return added;
}

int64_t ReshardTable::get(Type type, unsigned from, unsigned to) {
  if (from == to)
    return 0;
  auto [known, isNew] = table.try_emplace({type.getAsOpaquePointer(), from, to}, 0);
  if (isNew)
    known->second = toCost(costs.getReshardSeconds(type, shardings[from], shardings[to]));
  return known->second;
}

PlanProblem::PlanProblem(ModuleOp module, int64_t memory)
    : shardings(module), costs(module, shardings.getMesh()), reshards(costs, shardings.getMesh()),
      makers(shardings.tensors.size(), {-1, 0}) {
  // Stages share the states, how evenly is not known before they are cut; what is computed is one
  // stage's alone.
  if (const MeshAxis *axis = shardings.getMesh().find(kStageAxis))
    stages = axis->size;
  constexpr int64_t kUnlimited = INT64_MAX / 4;
  problem.limits = {memory > 0 && memory < kUnlimited / stages ? memory * stages : kUnlimited};
  findLifetimes();
  for (auto [i, relation] : llvm::enumerate(shardings.relations))
    if (relation.op)
      addOp(relation, static_cast<int64_t>(i));
    else
      addTie(relation, static_cast<int64_t>(i));
  for (unsigned tensor = 0; tensor < shardings.tensors.size(); ++tensor)
    getMaker(tensor); // states that nobody reads
  edgesOf.resize(problem.nodes.size());
  for (auto [i, edge] : llvm::enumerate(problem.edges))
    for (int32_t node : {edge.first, edge.second})
      edgesOf[node].push_back(static_cast<int32_t>(i));
}

/// Whether nothing is said of how a tensor lies.
static bool isUnsaid(const Sharding &sharding) {
  return llvm::all_of(sharding.dims,
                      [](const DimSharding &dim) { return dim.isOpen && dim.axes.empty(); });
}

void PlanProblem::findLifetimes() {
  lastUse.resize(shardings.tensors.size(), 0);
  for (auto [i, relation] : llvm::enumerate(shardings.relations))
    for (unsigned tensor : relation.operands)
      lastUse[tensor] = std::max<int64_t>(lastUse[tensor], static_cast<int64_t>(i) + 1);
}

solver::Usage PlanProblem::getUsage(unsigned tensor, int64_t bytes, int64_t from) {
  int64_t end = static_cast<int64_t>(shardings.relations.size()) + 1;
  if (shardings.tensors[tensor].isState)
    return {0, 0, end, bytes};
  return {0, from, std::max(lastUse[tensor], from + 1), stages * bytes};
}

static const void *toKey(uintptr_t number) { return reinterpret_cast<const void *>(number); }

const PlanProblem::Offers &PlanProblem::getOffers(const Shardings::Tensor &tensor) {
  const Key key{tensor.type.getAsOpaquePointer(), toKey(reshards.add(tensor.sharding))};
  auto [found, isNew] = known.try_emplace(key);
  Offers &made = found->second;
  if (!isNew)
    return made;
  for (const Sharding &sharding :
       getTensorStrategies(tensor.type, tensor.sharding, shardings.getMesh(), costs)) {
    made.results.push_back({sharding});
    made.numbers.push_back({reshards.add(sharding)});
    made.bytes.push_back({static_cast<int64_t>(costs.getBytes(tensor.type, sharding))});
    made.costs.push_back(0);
  }
  return made;
}

const PlanProblem::Offers &PlanProblem::getOffers(const Relation &relation) {
  Operation *op = relation.op;
  Key key{op->getName().getAsOpaquePointer(), op->getAttrDictionary().getAsOpaquePointer()};
  for (Value operand : op->getOperands()) {
    key.push_back(operand.getType().getAsOpaquePointer());
    key.push_back(toKey(costs.isStored(operand))); // which takes time to read
  }
  SmallVector<Sharding, 0> wanted;
  for (unsigned tensor : relation.results) {
    wanted.push_back(shardings.tensors[tensor].sharding);
    key.push_back(shardings.tensors[tensor].type.getAsOpaquePointer());
    key.push_back(toKey(reshards.add(wanted.back())));
  }
  auto [found, isNew] = known.try_emplace(std::move(key));
  Offers &made = found->second;
  if (!isNew)
    return made;
  for (OpStrategy &strategy :
       getOpStrategies(op, relation.rule, wanted, shardings.getMesh(), costs)) {
    int64_t cost = toCost(costs.getOpSeconds(op, relation.rule, strategy.axes));
    std::vector<int64_t> &bytes = made.bytes.emplace_back();
    for (auto [tensor, from, to] :
         llvm::zip(relation.results, strategy.produced, strategy.results)) {
      Type type = shardings.tensors[tensor].type;
      cost += reshards.get(type, reshards.add(from), reshards.add(to));
      bytes.push_back(static_cast<int64_t>(costs.getBytes(type, to)));
    }
    made.costs.push_back(cost);
    made.operands.push_back(reshards.add(strategy.operands));
    made.numbers.push_back(reshards.add(strategy.results));
    made.results.push_back(std::move(strategy.results));
  }
  return made;
}

/// The node that makes a tensor; arguments and states are nodes of their own.
std::pair<int32_t, unsigned> PlanProblem::getMaker(unsigned tensor) {
  if (makers[tensor].first >= 0)
    return makers[tensor];
  offers.push_back(&getOffers(shardings.tensors[tensor]));
  solver::Node node;
  for (const std::vector<int64_t> &bytes : offers.back()->bytes)
    node.strategies.push_back({0, {getUsage(tensor, bytes.front(), 0)}});
  problem.nodes.push_back(std::move(node));
  return makers[tensor] = {static_cast<int32_t>(problem.nodes.size()) - 1, 0};
}

/// The cost of bringing a tensor from what its maker offers to what a node's strategies want.
void PlanProblem::addEdge(unsigned tensor, int32_t user,
                          llvm::function_ref<unsigned(size_t)> wanted) {
  auto [maker, result] = getMaker(tensor);
  Type type = shardings.tensors[tensor].type;
  bool stays = isa<graph::CacheType>(type); // a cache is not moved
  SmallVector<unsigned> wants;
  for (size_t strategy = 0; strategy < offers[user]->size(); ++strategy)
    wants.push_back(wanted(strategy));
  solver::Edge edge{maker, user, {}};
  edge.costs.reserve(offers[maker]->size() * wants.size());
  for (const std::vector<unsigned> &numbers : offers[maker]->numbers)
    for (unsigned want : wants)
      edge.costs.push_back(stays ? (numbers[result] == want ? 0 : solver::kForbidden)
                                 : reshards.get(type, numbers[result], want));
  problem.edges.push_back(std::move(edge));
}

void PlanProblem::addOp(const Relation &relation, int64_t at) {
  const Offers &offered = getOffers(relation);
  for (unsigned tensor : relation.operands)
    getMaker(tensor);
  auto self = static_cast<int32_t>(problem.nodes.size());
  solver::Node node;
  for (auto [cost, bytes] : llvm::zip(offered.costs, offered.bytes)) {
    solver::Strategy made;
    made.cost = cost;
    for (auto [tensor, each] : llvm::zip(relation.results, bytes))
      if (!isa<graph::CacheType>(shardings.tensors[tensor].type)) // it takes its state's room
        made.usages.push_back(getUsage(tensor, each, at));
    node.strategies.push_back(std::move(made));
  }
  problem.nodes.push_back(std::move(node));
  offers.push_back(&offered);
  for (auto [r, tensor] : llvm::enumerate(relation.results))
    makers[tensor] = {self, static_cast<unsigned>(r)};
  for (auto [i, tensor] : llvm::enumerate(relation.operands))
    addEdge(tensor, self, [&, i = i](size_t s) { return offered.operands[s][i]; });
}

/// A program gives its results whole: where one is cut it is gathered last, into a buffer, and
/// through another one where the parts are no runs of bytes.
void PlanProblem::addResult(unsigned value, unsigned result, int64_t at) {
  Type type = shardings.tensors[result].type;
  const bool isFree = isUnsaid(shardings.tensors[result].sharding);
  auto [node, number] = getMaker(isFree ? value : result);
  const size_t rank = shardings.tensors[result].sharding.dims.size();
  const auto whole = stages * static_cast<int64_t>(costs.getBytes(type, Sharding(rank)));
  for (auto [strategy, offer] : llvm::zip(problem.nodes[node].strategies, offers[node]->results)) {
    const auto &dims = offer[number].dims;
    auto isCut = [](const DimSharding &dim) { return !dim.axes.empty(); };
    if (llvm::any_of(dims, isCut))
      strategy.usages.push_back({0, at, at + 1, whole});
    if (dims.size() > 1 && llvm::any_of(llvm::drop_begin(dims), isCut))
      strategy.usages.push_back({0, at, at + 1, whole});
  }
}

/// A reading lies as its state, a function's result as its value, unless it is pinned otherwise;
/// a state that is written is brought back to where it lies.
void PlanProblem::addTie(const Relation &relation, int64_t at) {
  unsigned from = relation.operands[0], to = relation.results[0];
  if (!shardings.tensors[from].isState && !shardings.tensors[to].isState)
    addResult(from, to, at);
  const Shardings::Tensor &target = shardings.tensors[to];
  if (isUnsaid(target.sharding) && !target.isState) {
    makers[to] = getMaker(from);
    lastUse[from] = std::max(lastUse[from], lastUse[to]);
    return;
  }
  auto [user, result] = getMaker(to);
  addEdge(from, user,
          [&, user = user, result = result](size_t s) { return offers[user]->numbers[s][result]; });
}

int64_t PlanProblem::getStrategyCount(int32_t node) const {
  return static_cast<int64_t>(problem.nodes[node].strategies.size());
}

solver::Cost PlanProblem::getCost(int32_t node, size_t strategy,
                                  const std::vector<int32_t> &choices) const {
  solver::Cost cost = problem.nodes[node].strategies[strategy].cost;
  for (int32_t number : edgesOf[node]) {
    const solver::Edge &edge = problem.edges[number];
    const bool isFirst = edge.first == node;
    const int32_t other = choices[isFirst ? edge.second : edge.first];
    if (other < 0)
      continue;
    const int64_t row = isFirst ? static_cast<int64_t>(strategy) : other;
    const int64_t column = isFirst ? other : static_cast<int64_t>(strategy);
    cost += edge.costs[row * getStrategyCount(edge.second) + column];
  }
  return cost;
}

std::vector<int32_t> PlanProblem::follow(const Shardings &guide) const {
  std::vector<SmallVector<std::pair<unsigned, unsigned>>> made(problem.nodes.size());
  for (auto [tensor, maker] : llvm::enumerate(makers))
    made[maker.first].push_back({static_cast<unsigned>(tensor), maker.second});
  std::vector<int32_t> choices(problem.nodes.size(), -1);
  for (size_t node = 0; node < problem.nodes.size(); ++node) {
    std::pair<int64_t, solver::Cost> least{INT64_MAX, 0};
    SmallVector<std::pair<Sharding, unsigned>, 2> wanted;
    for (auto [tensor, result] : made[node])
      wanted.push_back({guide.tensors[tensor].sharding.getClosed(), result});
    for (size_t strategy = 0; strategy < offers[node]->size(); ++strategy) {
      int64_t others = 0;
      for (const auto &[sharding, result] : wanted)
        others += offers[node]->results[strategy][result] != sharding;
      std::pair cost(others, getCost(static_cast<int32_t>(node), strategy, choices));
      if (cost < least) {
        least = cost;
        choices[node] = static_cast<int32_t>(strategy);
      }
    }
  }
  return choices;
}

void PlanProblem::descend(std::vector<int32_t> &choices) const {
  constexpr int kMostSweeps = 30;
  bool changed = true;
  for (int sweep = 0; changed && sweep < kMostSweeps; ++sweep) {
    changed = false;
    for (size_t i = 0; i < problem.nodes.size(); ++i) {
      const auto node = static_cast<int32_t>(i);
      solver::Cost least = getCost(node, choices[i], choices);
      for (size_t strategy = 0; strategy < offers[i]->size(); ++strategy)
        if (solver::Cost cost = getCost(node, strategy, choices); cost < least) {
          least = cost;
          choices[i] = static_cast<int32_t>(strategy);
          changed = true;
        }
    }
  }
}

bool PlanProblem::hasRoomForStates() const {
  int64_t bytes = 0;
  for (auto [tensor, maker] : llvm::zip(shardings.tensors, makers)) {
    if (!tensor.isState)
      continue;
    int64_t least = INT64_MAX;
    for (const solver::Strategy &strategy : problem.nodes[maker.first].strategies)
      least = std::min(least, strategy.usages.front().bytes);
    bytes += least;
  }
  return bytes <= problem.limits.front();
}

int64_t PlanProblem::apply(const std::vector<int32_t> &choices) {
  int64_t bytes = 0;
  for (unsigned tensor = 0; tensor < shardings.tensors.size(); ++tensor) {
    Shardings::Tensor &each = shardings.tensors[tensor];
    auto [node, result] = makers[tensor];
    each.sharding = offers[node]->results[choices[node]][result];
    if (each.isState)
      bytes += static_cast<int64_t>(costs.getBytes(each.type, each.sharding));
  }
  shardings.write();
  return bytes;
}

} // namespace ashlar::distribution
