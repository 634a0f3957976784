// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an op may be cut over devices, as an einsum with letters (factors): two dimensions with one
// factor are cut alike. The rule of y[b, s, n] = sum_k x[b, s, k] w[n, k]:
//
//   factors: b, s, n, k (sum);  operands: [b][s][k], [n][k];  results: [b][s][n]
//
// A dimension may be several factors, the first one major: a reshape of [b, 768] to [b, 12, 64] has
// operand [b][h w] and result [b][h][w], so that whole heads stay whole. Attention's query heads
// are [g r] and its key-value heads [g]: cut four ways with two key-value heads, g takes the major
// half of the axis and r the minor one, and each key-value head is held by two ranks. A dimension
// with no factor is never cut.

#ifndef ASHLAR_DIALECTS_GRAPH_SHARDINGRULE_H
#define ASHLAR_DIALECTS_GRAPH_SHARDINGRULE_H

#include "dialects/Graph/GraphDims.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ashlar::graph {

struct ShardingRule {
  /// How the parts of a reduced factor are combined; None: it is not reduced.
  enum class Combine { None, Sum, Max, Min };
  /// Plain: the op itself, on local operands, gives its local results. Partition: ask the op's
  /// PartitionOpInterface. Never: the factor stays whole.
  enum class Cut { Plain, Partition, Never };

  struct Factor {
    Dim size;
    Combine combine = Combine::None;
    Cut cut = Cut::Plain;
    /// Only cut into equal parts (the op asks for a number, as for heads).
    bool even = false;
  };
  using DimFactors = llvm::SmallVector<unsigned, 2>;
  using TensorFactors = llvm::SmallVector<DimFactors, 4>;

  /// What PartitionOpInterface combines over all ranks of a factor that it is asked to cut: tensors
  /// of these dimensions. For costs.
  struct Combined {
    unsigned factor;
    TensorFactors tensor;
    int64_t elementBytes = 4;
  };

  llvm::SmallVector<Factor> factors;
  llvm::SmallVector<TensorFactors> operands, results;
  llvm::SmallVector<Combined> combined;

  /// Adds a factor and returns its number.
  unsigned add(Dim size, Cut cut = Cut::Plain, Combine combine = Combine::None, bool even = false) {
    factors.push_back({size, combine, cut, even});
    return static_cast<unsigned>(factors.size() - 1);
  }
};

/// The rule of an op whose operands broadcast to its results: one factor per dimension of the
/// result, operands aligned at the last one, dimensions of 1 that stretch are no factor.
ShardingRule getBroadcastRule(mlir::Operation *op);

/// Writes `([i, j], [k, j]) -> ([i, k]) sum{j}`, with sizes; for tests and errors.
std::string toString(const ShardingRule &rule);

/// What an op may ask while it builds its local form.
class PartitionContext {
public:
  virtual ~PartitionContext() = default;

  mlir::ImplicitLocOpBuilder &builder() { return *ops; }
  /// This rank's operands (null where an optional one is absent), in the op's order.
  mlir::Value operand(unsigned i) const { return operands[i]; }
  /// This rank's types of the results.
  mlir::RankedTensorType resultType(unsigned i) const { return resultTypes[i]; }

  virtual bool isCut(unsigned factor) const = 0;
  /// The index at which this rank's part of the factor begins, a tensor<i64>.
  virtual mlir::Value getOrigin(unsigned factor) = 0;
  /// Combines a value over the ranks that the factor is cut over; all of them get the result.
  virtual mlir::Value combine(mlir::Value value, ShardingRule::Combine combine,
                              unsigned factor) = 0;

protected:
  mlir::ImplicitLocOpBuilder *ops = nullptr;
  llvm::SmallVector<mlir::Value> operands;
  llvm::SmallVector<mlir::RankedTensorType> resultTypes;
};

} // namespace ashlar::graph

#endif
