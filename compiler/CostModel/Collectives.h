// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What collectives take: the alpha-beta model (Hockney, 1994) over the algorithms that
// communicators use. With k ranks, B bytes, latency a and bandwidth b (bytes per second that one
// rank sends):
//
//   all_reduce      ring  2 (k - 1) (a + B / (k b));  tree  2 (ceil(log2 k) a + B / b)
//   all_gather      ring  (k - 1) (a + B / (k b)), B is what a rank holds afterwards
//   reduce_scatter  the same, B is what a rank holds before
//   all_to_all      (k - 1) (a + B / (k b)), B is what a rank holds
//   broadcast       tree  ceil(log2 k) a + B / b
//   permute         a + B / b
//
// The ring moves the least bytes (Patarasuk and Yuan, 2009), the tree takes the fewest steps (a
// double binary one uses both directions: Sanders, Speck and Traeff, 2009); all_reduce takes the
// faster of the two.

#ifndef ASHLAR_COMPILER_COSTMODEL_COLLECTIVES_H
#define ASHLAR_COMPILER_COSTMODEL_COLLECTIVES_H

#include <cstdint>
#include <vector>

namespace ashlar {

enum class CollectiveKind { AllReduce, AllGather, ReduceScatter, AllToAll, Broadcast, Permute };

/// The link between neighbours of a group.
struct Link {
  double bandwidth = 1; // bytes per second
  double latency = 0;   // seconds
};

/// Seconds for a group of `ranks`; 0 for a single one. `bytes` as in the table above.
double getCollectiveSeconds(CollectiveKind kind, double bytes, int64_t ranks, const Link &link);

/// A collective that took so long.
struct MeasuredCollective {
  CollectiveKind kind;
  int64_t ranks;
  double bytes, seconds;
};

/// The link that explains measurements best: least squares of the relative errors of the ring. At
/// least two different sizes.
Link fitLink(const std::vector<MeasuredCollective> &measured);

} // namespace ashlar

#endif
