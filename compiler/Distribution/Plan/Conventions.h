// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the usual names of mesh axes mean where no plan says otherwise.
//
//   dp   sequences of a batch: the first dimension of input_ids
//   sp   positions: the second one
//   pp   no tensor is cut: the model's layers lie along it, one stage after the other
//   tp   tensor parallelism as Megatron-LM cuts it (Shoeybi et al., 2019): what makes heads and
//   inner
//        features by columns, what takes them by rows, vocabularies by rows; for the tensors' names
//        that BERT, GPT-2 and LLaMA checkpoints have

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_CONVENTIONS_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_CONVENTIONS_H

#include "compiler/Distribution/Plan/PlanFile.h"

namespace ashlar::distribution {

/// The axis of the stages of a pipeline, in every plan.
inline constexpr llvm::StringLiteral kStageAxis = "pp";

/// The axis of the sequences.
inline constexpr llvm::StringLiteral kDataAxis = "dp";

/// Appends the lines for the axes that the plan's mesh has, all optional. Fails where an axis has
/// another name, which nothing would then be cut along.
llvm::Error addConventions(Plan &plan);

} // namespace ashlar::distribution

#endif
