// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/Conventions.h"

using namespace ashlar::dist;

namespace ashlar::distribution {
namespace {

enum class By { Rows, Columns };
struct Convention {
  const char *pattern;
  By by; // which dimension of the stored matrix tp cuts
};

constexpr Convention kTensorParallel[] = {
    // LLaMA and its kin; a Linear is stored [outputs, inputs].
    {"*.q_proj.weight", By::Rows},
    {"*.k_proj.weight", By::Rows},
    {"*.v_proj.weight", By::Rows},
    {"*.o_proj.weight", By::Columns},
    {"*.gate_proj.weight", By::Rows},
    {"*.up_proj.weight", By::Rows},
    {"*.down_proj.weight", By::Columns},
    {"*embed_tokens.weight", By::Rows},
    {"lm_head.weight", By::Rows},
    // GPT-2, whose Conv1D is stored [inputs, outputs].
    {"*.attn.c_attn.*.weight", By::Columns},
    {"*.attn.c_proj.weight", By::Rows},
    {"*.c_fc.weight", By::Columns},
    {"*.mlp.c_proj.weight", By::Rows},
    {"*wte.weight", By::Rows},
    // BERT and its kin.
    {"*.attention.self.query.weight", By::Rows},
    {"*.attention.self.key.weight", By::Rows},
    {"*.attention.self.value.weight", By::Rows},
    {"*.attention.output.dense.weight", By::Columns},
    {"*.intermediate.dense.weight", By::Rows},
    {"*.layer.*.output.dense.weight", By::Columns},
    {"*word_embeddings.weight", By::Rows},
    {"cls.predictions.decoder.weight", By::Rows},
};

} // namespace

llvm::Error addConventions(Plan &plan) {
  auto add = [&](llvm::StringRef pattern, llvm::StringRef first, llvm::StringRef second) {
    PlanLine line{0, pattern.str(), Sharding(2), 0};
    line.isOptional = true;
    for (auto [dim, axis] : {std::pair(0, first), std::pair(1, second)})
      if (plan.mesh.find(axis))
        line.sharding.dims[dim].axes.push_back(plan.mesh.getWhole(axis));
      else
        line.sharding.dims[dim].isOpen = true;
    plan.lines.push_back(std::move(line));
  };
  for (const MeshAxis &axis : plan.mesh.axes)
    if (axis.name != "dp" && axis.name != "sp" && axis.name != "tp" && axis.name != kStageAxis)
      return llvm::createStringError("nothing says what is cut over the axis '" + axis.name +
                                     "': dp, sp, tp and pp have a meaning, other axes want a plan");
  add("input_ids", "dp", "sp");
  if (plan.mesh.find("tp"))
    for (const Convention &each : kTensorParallel)
      add(each.pattern, each.by == By::Rows ? "tp" : "", each.by == By::Rows ? "" : "tp");
  return llvm::Error::success();
}

} // namespace ashlar::distribution
