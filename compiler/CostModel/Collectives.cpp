// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/CostModel/Collectives.h"

#include <algorithm>
#include <cmath>

namespace ashlar {
namespace {

/// steps * latency + share * bytes / bandwidth.
struct Shape {
  double steps, share;
  double getSeconds(double bytes, const Link &link) const {
    return steps * link.latency + share * bytes / link.bandwidth;
  }
};

Shape getRing(CollectiveKind kind, double k) {
  double rounds = kind == CollectiveKind::AllReduce ? 2 * (k - 1) : k - 1;
  return {rounds, rounds / k};
}

Shape getTree(CollectiveKind kind, double k) {
  double passes = kind == CollectiveKind::AllReduce ? 2 : 1;
  return {passes * std::ceil(std::log2(k)), passes};
}

} // namespace

double getCollectiveSeconds(CollectiveKind kind, double bytes, int64_t ranks, const Link &link) {
  if (ranks <= 1)
    return 0;
  double k = static_cast<double>(ranks);
  switch (kind) {
  case CollectiveKind::AllReduce:
    return std::min(getRing(kind, k).getSeconds(bytes, link),
                    getTree(kind, k).getSeconds(bytes, link));
  case CollectiveKind::Broadcast:
    return getTree(kind, k).getSeconds(bytes, link);
  case CollectiveKind::Permute:
    return Shape{1, 1}.getSeconds(bytes, link);
  case CollectiveKind::AllGather:
  case CollectiveKind::ReduceScatter:
  case CollectiveKind::AllToAll:
    return getRing(kind, k).getSeconds(bytes, link);
  }
  return 0;
}

// Weighted by 1 / seconds each point's residual is x latency + y / bandwidth - 1, linear in the two
// unknowns for the ring; that is the algorithm at the sizes where bandwidth is told.
Link fitLink(const std::vector<MeasuredCollective> &measured) {
  double xx = 0, xy = 0, yy = 0, x1 = 0, y1 = 0;
  for (const MeasuredCollective &each : measured) {
    Shape shape = getRing(each.kind, static_cast<double>(each.ranks));
    double x = shape.steps / each.seconds, y = shape.share * each.bytes / each.seconds;
    xx += x * x;
    xy += x * y;
    yy += y * y;
    x1 += x;
    y1 += y;
  }
  double determinant = xx * yy - xy * xy;
  double latency = determinant > 0 ? (x1 * yy - y1 * xy) / determinant : 0;
  double inverse = determinant > 0 ? (xx * y1 - xy * x1) / determinant : y1 / yy;
  if (latency < 0) { // a line through the origin fits best
    latency = 0;
    inverse = y1 / yy;
  }
  return {1 / inverse, latency};
}

} // namespace ashlar
