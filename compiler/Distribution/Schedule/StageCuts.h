// Where a chain of layers is cut into pipeline stages.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_STAGECUTS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_STAGECUTS_H

#include <cstddef>
#include <vector>

namespace ashlar::schedule {

/// A link of the chain: what it takes, and what it takes to bring to it what comes from before it,
/// where a cut makes that another device's. In seconds.
struct Link {
  double work = 0;
  double transfer = 0;
};

/// Cuts a chain into `stages` runs of at least one link: the slowest run is as fast as possible, a
/// run taking its links' work and the transfers at both of its ends; of such cuts one with little
/// transfer. Returns the first link of each run. By dynamic programming over (stage, end), in
/// stages * n^2. There are at least as many links as stages, and at least one stage.
std::vector<size_t> cutChain(const std::vector<Link> &chain, size_t stages);

} // namespace ashlar::schedule

#endif // ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_STAGECUTS_H
