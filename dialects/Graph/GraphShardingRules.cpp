// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sharding rules of the graph ops; ShardingRule.h says how to read one.

#include "dialects/Graph/Graph.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ashlar::graph;

using Cut = ShardingRule::Cut;
using Combine = ShardingRule::Combine;
using TensorFactors = ShardingRule::TensorFactors;

static Dims dimsOf(Value value) {
  if (auto cache = dyn_cast<CacheType>(value.getType()))
    return llvm::map_to_vector<4>(cache.getShape(), Dim::number);
  return getDims(cast<RankedTensorType>(value.getType()));
}

/// One new factor per dimension.
static TensorFactors addFactors(ShardingRule &rule, ArrayRef<Dim> dims) {
  TensorFactors factors;
  for (const Dim &dim : dims)
    factors.push_back({rule.add(dim)});
  return factors;
}

ShardingRule ashlar::graph::getBroadcastRule(Operation *op) {
  ShardingRule rule;
  Dims dims = dimsOf(op->getResult(0));
  TensorFactors factors = addFactors(rule, dims);
  rule.results.assign(op->getNumResults(), factors);
  for (Value operand : op->getOperands()) {
    Dims from = dimsOf(operand);
    TensorFactors &aligned = rule.operands.emplace_back();
    size_t shift = dims.size() - from.size();
    for (auto [i, dim] : llvm::enumerate(from)) {
      aligned.emplace_back();
      if (dim == dims[i + shift])
        aligned.back() = factors[i + shift];
    }
  }
  return rule;
}

std::string ashlar::graph::toString(const ShardingRule &rule) {
  auto letter = [](unsigned factor) {
    return factor < 18 ? std::string(1, static_cast<char>('i' + factor))
                       : "z" + std::to_string(factor);
  };
  auto list = [&](ArrayRef<TensorFactors> tensors) {
    return "(" +
           llvm::join(llvm::map_range(tensors,
                                      [&](const TensorFactors &tensor) {
                                        return "[" +
                                               llvm::join(
                                                   llvm::map_range(
                                                       tensor,
                                                       [&](const auto &factors) {
                                                         if (factors.empty())
                                                           return std::string("_");
                                                         return llvm::join(
                                                             llvm::map_range(factors, letter), "*");
                                                       }),
                                                   ", ") +
                                               "]";
                                      }),
                      ", ") +
           ")";
  };
  std::string text = list(rule.operands) + " -> " + list(rule.results);
  const char *combines[] = {"", "sum", "max", "min"};
  for (auto [i, factor] : llvm::enumerate(rule.factors)) {
    text += " " + letter(i) + "=" + toString(factor.size);
    if (factor.combine != Combine::None)
      text += std::string(" ") + combines[static_cast<int>(factor.combine)];
    if (factor.cut != Cut::Plain)
      text += factor.cut == Cut::Never ? " whole" : " partition";
    if (factor.even)
      text += " even";
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

ShardingRule ConstantOp::getShardingRule() {
  ShardingRule rule; // its elements are stored once; a cut of them is taken where it is used
  rule.results.emplace_back(dimsOf(getResult()).size());
  return rule;
}

ShardingRule IotaOp::getShardingRule() {
  ShardingRule rule;
  rule.results.push_back(addFactors(rule, dimsOf(getResult())));
  rule.factors[getAxis()].cut = Cut::Partition;
  return rule;
}

ShardingRule BroadcastOp::getShardingRule() { return getBroadcastRule(*this); }

// Walks both sides from the first dimension on; where the one is a multiple of the other, its major
// part is that dimension, and what is left meets the next.
ShardingRule ReshapeOp::getShardingRule() {
  ShardingRule rule;
  Dims from = dimsOf(getX()), to = dimsOf(getY());
  TensorFactors x(from.size()), y(to.size());
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    if (from[i].isOne() && x[i].empty()) {
      ++i;
      continue;
    }
    if (to[j].isOne() && y[j].empty()) {
      ++j;
      continue;
    }
    Dim &a = from[i], &b = to[j], shared = a;
    if (a != b) {
      bool divides = a.isNumber() && b.isNumber() && a.size > 0 && b.size > 0 &&
                     (a.size % b.size == 0 || b.size % a.size == 0);
      if (!divides)
        break; // what follows has no factor in common, and stays whole
      shared = Dim::number(std::min(a.size, b.size));
    }
    unsigned factor = rule.add(shared);
    x[i].push_back(factor);
    y[j].push_back(factor);
    bool endsA = a == shared, endsB = b == shared;
    if (!endsA)
      a.size /= shared.size;
    if (!endsB)
      b.size /= shared.size;
    i += endsA;
    j += endsB;
  }
  // A dimension of which only the major part was matched stays whole.
  for (auto [dim, factors] : {std::pair(i < from.size() ? i : from.size(), &x),
                              std::pair(j < to.size() ? j : to.size(), &y)})
    if (dim < factors->size())
      for (unsigned factor : (*factors)[dim])
        rule.factors[factor].cut = Cut::Never;
  rule.operands.push_back(std::move(x));
  rule.results.push_back(std::move(y));
  return rule;
}

ShardingRule TransposeOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors x = addFactors(rule, dimsOf(getX())), y;
  for (int64_t from : getPermutation())
    y.push_back(x[from]);
  rule.operands.push_back(std::move(x));
  rule.results.push_back(std::move(y));
  return rule;
}

// Elements that lie in a rank's part of x need not lie in its part of y: the axis stays whole.
ShardingRule SliceOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors factors = addFactors(rule, dimsOf(getX()));
  rule.factors[getAxis()].cut = Cut::Never;
  rule.operands.push_back(factors);
  factors[getAxis()].clear();
  rule.results.push_back(std::move(factors));
  return rule;
}

ShardingRule ConcatOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors factors = addFactors(rule, dimsOf(getResult()));
  rule.factors[getAxis()].cut = Cut::Never;
  rule.results.push_back(factors);
  factors[getAxis()].clear();
  rule.operands.assign(getInputs().size(), factors);
  return rule;
}

ShardingRule GatherOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors x = addFactors(rule, dimsOf(getX()));
  rule.factors[1].cut = Cut::Never;
  rule.operands = {x, {x[0]}};
  x.erase(x.begin() + 1);
  rule.results.push_back(std::move(x));
  return rule;
}

ShardingRule ReduceOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors x = addFactors(rule, dimsOf(getX()));
  rule.operands.push_back(x);
  ShardingRule::Factor &reduced = rule.factors[getAxis()];
  switch (getKind()) {
  case ReduceKind::Sum:
    reduced.combine = Combine::Sum;
    break;
  case ReduceKind::Max:
    reduced.combine = Combine::Max;
    break;
  case ReduceKind::Min:
    reduced.combine = Combine::Min;
    break;
  case ReduceKind::Mean:
    reduced.cut = Cut::Partition; // a sum and a count
    break;
  }
  if (getKeepDims())
    x[getAxis()].clear();
  else
    x.erase(x.begin() + getAxis());
  if (getKind() == ReduceKind::Mean)
    rule.combined.push_back({static_cast<unsigned>(getAxis()), x});
  rule.results.push_back(std::move(x));
  return rule;
}

ShardingRule CumsumOp::getShardingRule() {
  ShardingRule rule = getBroadcastRule(*this);
  rule.factors[getAxis()].cut = Cut::Never;
  return rule;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

ShardingRule MatmulOp::getShardingRule() {
  ShardingRule rule;
  Dims a = dimsOf(getA()), c = dimsOf(getC());
  TensorFactors cFactors = addFactors(rule, c);
  ShardingRule::DimFactors n = cFactors.back(), k = {rule.add(a.back(), Cut::Plain, Combine::Sum)};
  TensorFactors aFactors(cFactors.begin(), cFactors.end() - 1), bFactors;
  if (dimsOf(getB()).size() > 2)
    bFactors.assign(cFactors.begin(), cFactors.end() - 2);
  aFactors.push_back(k);
  bFactors.push_back(getTransposeB() ? n : k);
  bFactors.push_back(getTransposeB() ? k : n);
  rule.operands = {std::move(aFactors), std::move(bFactors)};
  rule.results.push_back(std::move(cFactors));
  return rule;
}

// A rank that holds some rows gives zeros for the ids of others; the sum has each row once.
ShardingRule EmbeddingOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors y = addFactors(rule, dimsOf(getY()));
  unsigned rows = rule.add(dimsOf(getTable())[0], Cut::Partition, Combine::Sum);
  rule.operands = {{{rows}, y.back()}, TensorFactors(y.begin(), y.end() - 1)};
  rule.results.push_back(std::move(y));
  return rule;
}

/// The rule of an op along the last dimension, whose rows are combined `times` times where they are
/// cut.
static ShardingRule getRowRule(Operation *op, unsigned times) {
  ShardingRule rule = getBroadcastRule(op);
  unsigned row = rule.factors.size() - 1;
  rule.factors[row].cut = Cut::Partition;
  TensorFactors rows(rule.results[0].begin(), rule.results[0].end() - 1);
  rule.combined.assign(times, {row, rows});
  return rule;
}

ShardingRule SoftmaxOp::getShardingRule() { return getRowRule(*this, 2); }
ShardingRule LayerNormOp::getShardingRule() { return getRowRule(*this, 2); }
ShardingRule RmsNormOp::getShardingRule() { return getRowRule(*this, 1); }

ShardingRule RopeTableOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors y = addFactors(rule, dimsOf(getCosines()));
  rule.factors[2].even = true;
  rule.operands = {TensorFactors(y.begin(), y.begin() + 2), {y[2]}};
  rule.results.assign(2, y);
  return rule;
}

ShardingRule RopeOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors x = addFactors(rule, dimsOf(getX()));
  rule.factors[3].cut = Cut::Never; // pairs may lie half a head apart
  TensorFactors table = {x[0], x[1], {}};
  rule.operands = {x, table, table};
  rule.results.push_back(std::move(x));
  return rule;
}

ShardingRule CacheAppendOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors values = addFactors(rule, dimsOf(getValues()));
  rule.factors[1].cut = rule.factors[3].cut = Cut::Never;
  rule.factors[2].even = true;
  TensorFactors cache = {values[0], {}, values[2], values[3]};
  rule.operands = {cache, values, {values[0]}};
  rule.results.push_back(std::move(cache));
  return rule;
}

ShardingRule AttentionOp::getShardingRule() {
  ShardingRule rule;
  Dims q = dimsOf(getQueries()), k = dimsOf(getKeys());
  bool cached = isa<CacheType>(getKeys().getType());
  unsigned batch = rule.add(q[0]);
  unsigned m = rule.add(q[1], getCausal() ? Cut::Partition : Cut::Plain);
  unsigned group = rule.add(k[2], Cut::Plain, Combine::None, /*even=*/true);
  unsigned inGroup =
      rule.add(Dim::number(q[2].size / k[2].size), Cut::Plain, Combine::None, /*even=*/true);
  unsigned n = rule.add(k[1], cached ? Cut::Never : Cut::Partition);
  unsigned valueWidth = rule.add(dimsOf(getValues())[3], cached ? Cut::Never : Cut::Plain,
                                 Combine::None, /*even=*/true);
  rule.operands = {{{batch}, {m}, {group, inGroup}, {}},
                   {{batch}, {n}, {group}, {}},
                   {{batch}, {n}, {group}, {valueWidth}}};
  for (Value perSequence : {getQueryOffsets(), getKeyLengths()})
    if (perSequence)
      rule.operands.push_back({{batch}});
  if (getKeyMask())
    rule.operands.push_back({{batch}, {n}});
  TensorFactors perQuery = {{batch}, {m}, {group, inGroup}};
  if (getParts()) { // of keys by their number: on one device
    perQuery.emplace_back();
    rule.factors[n].cut = Cut::Never;
  }
  TensorFactors output = perQuery;
  output.push_back({valueWidth});
  rule.results = {output, perQuery};
  rule.combined = {{n, perQuery}, {n, perQuery}, {n, output}};
  return rule;
}

ShardingRule MergeAttentionOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors outputs = addFactors(rule, dimsOf(getOutputs())), output = outputs;
  rule.factors[3].cut = Cut::Never;
  output.erase(output.begin() + 3);
  rule.operands = {outputs, {outputs[0], outputs[1], outputs[2], outputs[3]}};
  rule.results = {output, {outputs[0], outputs[1], outputs[2]}};
  return rule;
}
