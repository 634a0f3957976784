// A picture of a plan: time to the right, addresses upwards, a rectangle per buffer.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_SVG_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_SVG_H

#include <string>
#include <vector>

#include "compiler/Memory/Planner/Planner.h"

namespace ashlar::planner {

/// Returns a self-contained SVG page of the plan, with the peak, the lower bound and the capacity
/// as lines. Pointing at a buffer shows its name, life, size and offset. `names` holds one name per
/// buffer.
std::string drawPlan(const Problem &problem, const Plan &plan,
                     const std::vector<std::string> &names);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_SVG_H
