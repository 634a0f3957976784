// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/Messages.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace ashlar::distribution {

Messages collectMessages(func::FuncOp entry, const StageAssignment &assignment, int64_t stages) {
  Messages messages;
  Block &body = entry.getBody().front();
  llvm::SetVector<std::pair<Value, int64_t>> needed;
  for (Operation &op : body.without_terminator())
    for (Value result : op.getResults())
      for (Operation *user : result.getUsers())
        if (std::optional<int64_t> to = assignment.findStage(user);
            to && assignment.findStage(&op) && *to != assignment.getStage(result))
          needed.insert({result, *to});
  for (int64_t from = 0; from < stages; ++from)
    for (int64_t to = from + 1; to < stages; ++to)
      for (auto [value, stage] : needed)
        if (stage == to && assignment.getStage(value) == from)
          messages.needed.push_back({value, from, to});
  llvm::SetVector<Value> results;
  for (Value result : body.getTerminator()->getOperands())
    if (assignment.getKind(result) == StageAssignment::Kind::Staged)
      results.insert(result);
  for (Value value : results)
    for (int64_t to = 0; to < stages; ++to)
      if (to != assignment.getStage(value) && !needed.contains({value, to}))
        messages.deliveries.push_back({value, assignment.getStage(value), to});
  return messages;
}

double getLongestSeconds(ArrayRef<Message> messages, StageAssignment &assignment, int64_t stages) {
  SmallVector<double> sent(static_cast<size_t>(stages));
  for (const Message &message : messages)
    sent[static_cast<size_t>(message.from)] += assignment.getTransferSeconds(message.value);
  return *llvm::max_element(sent);
}

} // namespace ashlar::distribution
