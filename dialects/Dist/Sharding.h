// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of shardings: which rank holds which part of a tensor, and the steps from one
// sharding to another. Plain values, no IR.
//
// A mesh is a box of ranks with named axes, the last one fastest: [dp = 2, tp = 4] has rank
// dp * 4 + tp. A dimension is cut by a list of axes, one after the other: [{dp, tp}] cuts it in
// two, then each half in four. Every cut is balanced: of n elements over k ranks the first n mod k
// get one more, so 10 rows over tp = 4 are 3, 3, 2, 2, and 3 rows are 1, 1, 1, 0. Because cuts
// nest, what one axis does depends on the local extent alone: gathering the last axis of a list, or
// cutting by one more, needs no knowledge of the others, however uneven the parts.
//
// A sub-axis tp:(2)2 is part of an axis seen as a box itself: tp = 4 is tp:(1)2 (major, ranks 0 1 |
// 2 3) times tp:(2)2 (minor, ranks 0 2 | 1 3); `pre` is the product of the parts before it.
//
//   [{tp}, {}]                  rows over tp:            ranks hold 0 | 1 | 2 | 3 of four quarters
//   [{tp:(1)2}, {}]             rows over tp's halves:   ranks hold 0 | 0 | 1 | 1
//   [{tp:(1)2}, {tp:(2)2}]      a 2x2 grid of blocks:    00 | 01 | 10 | 11
//   [{}, {}] partial sum [tp]   each rank holds a summand of the whole tensor
//
// An open dimension ({tp, ?}) may be cut further by propagation, a closed one may not.

#ifndef ASHLAR_DIALECTS_DIST_SHARDING_H
#define ASHLAR_DIALECTS_DIST_SHARDING_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <tuple>
#include <vector>

namespace ashlar::dist {

/// An axis of a mesh, or a part of it. Ordered by name, then major first.
struct Axis {
  std::string name;
  int64_t pre = 1;
  int64_t size = 1;

  bool operator==(const Axis &other) const {
    return name == other.name && pre == other.pre && size == other.size;
  }
  bool operator!=(const Axis &other) const { return !(*this == other); }
  bool operator<(const Axis &other) const {
    return std::tie(name, pre, size) < std::tie(other.name, other.pre, other.size);
  }
  /// Whether the two have ranks in common to move along.
  bool overlaps(const Axis &other) const;
};
using Axes = llvm::SmallVector<Axis, 2>;

/// The number of parts that a list of axes makes.
int64_t getParts(llvm::ArrayRef<Axis> axes);
bool overlaps(llvm::ArrayRef<Axis> a, llvm::ArrayRef<Axis> b);
bool startsWith(llvm::ArrayRef<Axis> axes, llvm::ArrayRef<Axis> prefix);
/// Joins neighbours that are one axis: [tp:(1)2, tp:(2)2] of tp = 4 becomes [tp].
Axes merge(llvm::ArrayRef<Axis> axes);

struct MeshAxis {
  std::string name;
  int64_t size = 1;
  double bandwidth = 0; // bytes per second, that one rank sends along the axis
  double latency = 0;   // seconds, from a rank to its neighbour
};

struct Mesh {
  std::vector<MeshAxis> axes;
  // Of one rank, for what is weighed against communication; 0: not known.
  double flops = 0;  // operations per second
  double memory = 0; // bytes per second that it reads

  const MeshAxis *find(llvm::StringRef name) const;
  Axis getWhole(llvm::StringRef name) const;
  bool isWhole(const Axis &axis) const;
  int64_t getRankCount() const;
  /// How far apart in number neighbours along an axis, or a part of one, are: a rank's index along
  /// it is rank / stride % size.
  int64_t getStride(const Axis &axis) const;
  /// The rank's place along a list of axes, the first one major.
  int64_t getIndex(int64_t rank, llvm::ArrayRef<Axis> axes) const;
  /// The ranks that differ from `rank` along these axes only, in the order of their index.
  std::vector<int64_t> getGroup(int64_t rank, llvm::ArrayRef<Axis> axes) const;
  /// `[dp = 2, tp = 4]`
  std::string toString() const;
  /// `tp`, or `tp:(1)2` where it is a part.
  std::string toString(const Axis &axis) const;
  /// `tp, dp:(1)2`
  std::string toString(llvm::ArrayRef<Axis> axes) const;
};

/// A mesh of these axes on a known topology. Ranks are placed in order, so that the last axes lie
/// within a host. Fails with the presets' names on another one.
///   host          the memory of one host: 8e9 bytes/s, 1 us, 5e10 flops, 1e10 bytes/s read
///   nvlink        one host of 8 GPUs (H100, NVLink 4): 4.5e11 bytes/s, 3 us, 4e14 flops, 3e12
///                 bytes/s read
///   nvlink-ib     hosts of 8 such GPUs on 400 Gb/s InfiniBand each: 5e10 bytes/s, 8 us between
///   hosts
llvm::Expected<Mesh> makeMesh(llvm::ArrayRef<std::pair<std::string, int64_t>> axes,
                              llvm::StringRef topology);

/// The elements [begin, begin + size) of a dimension.
struct Range {
  int64_t begin = 0, size = 0;
};
/// Part `index` of `parts` balanced parts of `extent` elements.
Range cut(int64_t extent, int64_t parts, int64_t index);
/// What a rank holds of a dimension.
Range getShard(int64_t extent, const Mesh &mesh, llvm::ArrayRef<Axis> axes, int64_t rank);

enum class Reduction { None, Sum, Max, Min };
/// `sum`
llvm::StringRef toString(Reduction reduction);

struct DimSharding {
  Axes axes;
  bool isOpen = false;
  bool operator==(const DimSharding &other) const {
    return axes == other.axes && isOpen == other.isOpen;
  }
};

struct Sharding {
  llvm::SmallVector<DimSharding, 4> dims;
  Reduction reduction = Reduction::None;
  Axes partial;

  Sharding() = default;
  explicit Sharding(size_t rank, bool isOpen = false) : dims(rank, DimSharding{{}, isOpen}) {}
  /// Whether every rank holds the whole tensor.
  bool isReplicated() const;
  /// All axes in use, partial ones too.
  Axes getAxes() const;
  /// The same with every dimension closed.
  Sharding getClosed() const;
  bool operator==(const Sharding &other) const {
    return dims == other.dims && reduction == other.reduction && partial == other.partial;
  }
  bool operator!=(const Sharding &other) const { return !(*this == other); }
};
/// `[{dp}, {tp:(1)2, ?}] partial sum [tp]`
std::string toString(const Sharding &sharding, const Mesh &mesh);
/// The inverse; fails saying what is wrong (an unknown axis, one used twice, sub-axes to be
/// merged).
llvm::Expected<Sharding> parseSharding(llvm::StringRef text, const Mesh &mesh);
/// What makes a sharding wrong, or nothing.
std::string check(const Sharding &sharding, const Mesh &mesh);

} // namespace ashlar::dist

#endif
