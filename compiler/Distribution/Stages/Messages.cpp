// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/Messages.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace ashlar::distribution {

Messages collectMessages(func::FuncOp entry, const StageAssignment &assignment) {
  const Pipeline &pipeline = assignment.getPipeline();
  const int64_t stages = pipeline.getStages();
  const bool relays = pipeline.chunks > 1;
  Messages messages;
  Block &body = entry.getBody().front();
  llvm::SetVector<std::pair<Value, int64_t>> needed;
  auto need = [&](Value value, int64_t to) {
    for (int64_t via = relays ? assignment.getStage(value) + 1 : to; via < to; ++via)
      needed.insert({value, via});
    needed.insert({value, to});
  };
  for (Operation &op : body.without_terminator())
    for (Value result : op.getResults())
      for (Operation *user : result.getUsers())
        if (std::optional<int64_t> to = assignment.findStage(user);
            to && assignment.findStage(&op) && *to != assignment.getStage(result))
          need(result, *to);
  llvm::SetVector<Value> results;
  for (Value result : body.getTerminator()->getOperands())
    if (assignment.getKind(result) == StageAssignment::Kind::Staged)
      results.insert(result);
  // Only the last stages of their places give results.
  for (Value value : results)
    if (relays && assignment.getStage(value) < pipeline.getFirstLast())
      need(value, pipeline.getFirstLast());
  for (int64_t from = 0; from < stages; ++from)
    for (int64_t to = from + 1; to < stages; ++to)
      for (auto [value, stage] : needed)
        if (stage == to && (relays ? to - 1 : assignment.getStage(value)) == from)
          messages.needed.push_back({value, from, to});
  for (Value value : results) {
    const int64_t from = std::max(assignment.getStage(value), pipeline.getFirstLast() * relays);
    for (int64_t to = pipeline.getFirstLast(); to < stages; ++to)
      if (to != from && !needed.contains({value, to}))
        messages.deliveries.push_back({value, from, to});
  }
  return messages;
}

double getLongestSeconds(ArrayRef<Message> messages, StageAssignment &assignment) {
  SmallVector<double> sent(static_cast<size_t>(assignment.getPipeline().getStages()));
  for (const Message &message : messages)
    sent[static_cast<size_t>(message.from)] += assignment.getTransferSeconds(message.value);
  return *llvm::max_element(sent);
}

} // namespace ashlar::distribution
