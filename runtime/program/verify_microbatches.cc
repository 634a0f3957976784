// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/verify_microbatches.h"

#include <algorithm>

#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"
#include "runtime/program/states.h"

namespace ashlar {
namespace {

constexpr uint32_t kMaxMicrobatches = 1 << 16;
constexpr uint64_t kMaxOutputs = uint64_t{1} << 46;  // bytes

bool Uses(const fb::ExtentT& extent, uint16_t dim) {
  return std::find(extent.dims.begin(), extent.dims.end(), dim) != extent.dims.end();
}

// Along how many axes the value has the batch as it is; DataLoss where an axis is made of it.
absl::Status CountBatchAxes(const fb::ValueT& value, uint16_t batch, int* axes) {
  *axes = 0;
  for (const auto& extent : value.shape) {
    if (IsPlainDim(*extent) && extent->dims[0] == batch)
      ++*axes;
    else if (Uses(*extent, batch))
      return DataLoss("'", Printable(value.name), "' has an axis that follows from the batch");
  }
  return absl::OkStatus();
}

absl::Status VerifyValues(const fb::EntryT& entry) {
  int axes;
  for (const auto& input : entry.inputs) {
    ASHLAR_RETURN_IF_ERROR(CountBatchAxes(*input, entry.batch, &axes));
    const bool counts = input->default_kind == fb::Default::Iota &&
                        IsPlainDim(*input->shape.back()) &&
                        input->shape.back()->dims[0] == entry.batch;
    if (axes > 1 || counts)
      return DataLoss("input '", Printable(input->name),
                      axes > 1 ? "' has the batch along several axes"
                               : "' defaults to the number of the sequence");
    for (const auto* extent : {input->default_value.get(), input->maximum.get()})
      if (extent && Uses(*extent, entry.batch))
        return DataLoss("the values of input '", Printable(input->name), "' follow from the batch");
  }
  uint64_t joined = 0;  // what they take together, where they are joined
  for (const auto& output : entry.outputs) {
    joined += RoundUp(output->bytes, kBufferAlignment);
    if (output->bytes > kMaxOutputs || joined > kMaxOutputs)
      return DataLoss("outputs of more than ", kMaxOutputs, " bytes together");
    ASHLAR_RETURN_IF_ERROR(CountBatchAxes(*output, entry.batch, &axes));
    if (axes != 1)
      return DataLoss("output '", Printable(output->name), "' has the batch along ", axes,
                      " axes, expected one");
  }
  return absl::OkStatus();
}

absl::Status VerifyStates(const fb::ProgramT& program, const fb::EntryT& entry) {
  auto is_state = [](const auto& operand) { return operand->space == fb::Space::State; };
  if (std::none_of(entry.launches.begin(), entry.launches.end(),
                   [&](const auto& launch) {
                     return std::any_of(launch->operands.begin(), launch->operands.end(), is_state);
                   }) &&
      entry.limits.empty())
    return absl::OkStatus();
  // What a rank has of the batch, as its limits count it.
  uint16_t rows = entry.batch;
  for (const auto& limit : entry.limits) {
    if (IsPlainDim(*limit->rows)) rows = limit->rows->dims[0];
    const auto& whole = program.dims[rows]->whole;
    if (!IsPlainDim(*limit->rows) || rows != entry.limits[0]->rows->dims[0] ||
        (rows != entry.batch && !(whole && IsPlainDim(*whole) && whole->dims[0] == entry.batch)))
      return DataLoss("a limit that does not count the sequences of a rank");
  }
  if (SequenceRoom(program) < program.dims[rows]->maximum)
    return DataLoss("states with room for ", SequenceRoom(program), " sequences of ",
                    program.dims[rows]->maximum);
  for (const auto& launch : entry.launches)
    for (const auto& operand : launch->operands) {
      auto is_it = [&](const auto& state) {
        return state->offset == operand->offset && operand->bytes == state->bytes;
      };
      if (is_state(operand) && std::none_of(program.states.begin(), program.states.end(), is_it))
        return DataLoss("launch '", Printable(launch->path),
                        "' has an operand that is a part of "
                        "a state");
    }
  return absl::OkStatus();
}

// Whether a launch from `begin` on touches what an operand has of the arena.
bool IsUsedBehind(const fb::EntryT& entry, size_t begin, const fb::OperandT& moved) {
  for (size_t i = begin; i < entry.launches.size(); ++i)
    for (const auto& operand : entry.launches[i]->operands)
      if (operand->space == fb::Space::Arena && operand->offset < moved.offset + moved.bytes &&
          moved.offset < operand->offset + operand->bytes)
        return true;
  return false;
}

absl::Status VerifyDeliveries(const fb::EntryT& entry) {
  if (entry.deliveries > entry.collectives.size())
    return DataLoss(entry.deliveries, " deliveries among ", entry.collectives.size(),
                    " collectives");
  for (size_t i = entry.collectives.size() - entry.deliveries; i < entry.collectives.size(); ++i) {
    const fb::CollectiveT& delivery = *entry.collectives[i];
    const bool sends = delivery.op == fb::CollectiveOp::Send;
    const auto* operand = sends ? delivery.input.get() : delivery.output.get();
    const auto& shape = sends ? delivery.input_shape : delivery.output_shape;
    auto is_it = [&](const auto& output) {
      auto same = [](const auto& one, const auto& other) {
        return one->dims == other->dims && one->scale == other->scale &&
               one->divisor == other->divisor;
      };
      return output->offset == operand->offset && output->dtype == delivery.dtype &&
             std::equal(shape.begin(), shape.end(), output->shape.begin(), output->shape.end(),
                        same);
    };
    if ((!sends && delivery.op != fb::CollectiveOp::Recv) || !operand ||
        std::none_of(entry.outputs.begin(), entry.outputs.end(), is_it))
      return DataLoss("collective ", i, " is no message of an output, as deliveries are");
    if (IsUsedBehind(entry, delivery.before, *operand))
      return DataLoss("collective ", i, " is a delivery, and launches behind it use what it moves");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifyMicrobatches(const fb::ProgramT& program, const fb::EntryT& entry) {
  ASHLAR_RETURN_IF_ERROR(VerifyDeliveries(entry));
  if (entry.microbatches == 1) return absl::OkStatus();
  if (entry.microbatches == 0 || entry.microbatches > kMaxMicrobatches)
    return DataLoss(entry.microbatches, " microbatches, expected 1..", kMaxMicrobatches);
  if (entry.batch >= program.dims.size() || program.dims[entry.batch]->whole)
    return DataLoss("the batch is dimension ", entry.batch, ", which is no dimension of a step");
  if (program.dims[entry.batch]->minimum > 1)
    return DataLoss("the batch has at least ", program.dims[entry.batch]->minimum,
                    " sequences, a microbatch may have one");
  ASHLAR_RETURN_IF_ERROR(VerifyValues(entry));
  return VerifyStates(program, entry);
}

}  // namespace ashlar
