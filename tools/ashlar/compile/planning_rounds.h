// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Automatic planning under a limit of memory, in rounds. The solver counts tensors as the graph has
// them; a program may keep a weight in two layouts, and what collectives are packed in. A plan
// whose program comes out too large is made again, within less.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/Distribution/Plan/MeshSearch.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "tools/ashlar/compile/compiler_context.h"

namespace ashlar {

inline constexpr int kPlanningRounds = 6;

// Plans within so many bytes. Gives the bytes by which the program exceeds the limit, 0 where it
// does not; failure where no plan fits, or after another error.
using PlanRound = llvm::function_ref<mlir::FailureOr<int64_t>(int64_t memory, bool is_first)>;
// What came of a round, and the bytes that the next one plans within.
using RoundReport = llvm::function_ref<void(mlir::FailureOr<int64_t> excess, int64_t next)>;

// Calls `plan` until a program fits: within `memory`, then within less, and more again where no
// plan fits. Where meshes are searched (else null), it is the room of the first of them, the
// fastest, that shrinks. `report` is called after each round that another may follow; only the
// first prints errors. Returns whether the last round's result is to be kept: it fits, or it is the
// first one's failure. Where it is not, a plan within `memory` is left to make, for its errors.
bool planInRounds(int64_t memory, std::vector<distribution::MeshChoice>* meshes,
                  CompilerContext& compiler, PlanRound plan, RoundReport report);

}  // namespace ashlar
