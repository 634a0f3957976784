// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/collective_step.h"

#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/memory/pack_panels.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/cut.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

char* Place(const std::unique_ptr<fb::OperandT>& operand, char* arena) {
  return operand ? arena + operand->offset : nullptr;
}

void EvaluateShape(const std::vector<std::unique_ptr<fb::ExtentT>>& extents,
                   const std::vector<int64_t>& dims, std::vector<int64_t>* shape) {
  shape->resize(extents.size());
  for (size_t i = 0; i < extents.size(); ++i) (*shape)[i] = Evaluate(*extents[i], dims.data());
}

int64_t Product(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  for (int64_t extent : shape) product *= extent;
  return product;
}

// Ranks that talk to each other have a group of their own, the sender first.
std::vector<int> GroupOfCollective(const fb::CollectiveT& schema, int rank) {
  std::vector<int> group = GroupOf(schema.cuts, rank);
  if (schema.op == fb::CollectiveOp::Send) return {rank, group[schema.peer]};
  if (schema.op == fb::CollectiveOp::Recv) return {group[schema.peer], rank};
  return group;
}

}  // namespace

CollectiveStep::CollectiveStep(const fb::CollectiveT& schema, int rank, char* arena)
    : schema_(schema),
      place_(PartOf(schema.cuts, rank)),
      group_(GroupOfCollective(schema, rank)),
      input_(Place(schema.input, arena)),
      output_(Place(schema.output, arena)),
      workspace_(Place(schema.workspace, arena)),
      element_bytes_(DTypeSize(static_cast<DType>(schema.dtype))) {}

CollectiveStep::Rows CollectiveStep::RowsOf(const std::vector<int64_t>& shape, size_t axis) const {
  Rows rows;
  for (size_t d = 0; d < axis; ++d) rows.outer *= shape[d];
  rows.extent = shape[axis];
  rows.inner = element_bytes_;
  for (size_t d = axis + 1; d < shape.size(); ++d) rows.inner *= shape[d];
  return rows;
}

absl::Status CollectiveStep::Pack(const Rows& rows, int64_t begin, int64_t size, const char* tensor,
                                  char* block) {
  return launcher_->CopyRows(block, size * rows.inner, tensor + begin * rows.inner,
                             rows.extent * rows.inner, size * rows.inner, rows.outer);
}

absl::Status CollectiveStep::Unpack(const Rows& rows, int64_t begin, int64_t size,
                                    const char* block, char* tensor) {
  return launcher_->CopyRows(tensor + begin * rows.inner, rows.extent * rows.inner, block,
                             size * rows.inner, size * rows.inner, rows.outer);
}

Collective CollectiveStep::Describe(CollectiveKind kind, const char* from, char* to) const {
  Collective call;
  call.kind = kind;
  call.dtype = static_cast<DType>(schema_.dtype);
  call.reduction = static_cast<Reduction>(schema_.reduction);
  call.group = &group_;
  call.input = from;
  call.output = to;
  call.counts = &counts_;
  call.recv_counts = &recv_counts_;
  if (kind == CollectiveKind::kAllReduce || kind == CollectiveKind::kSend)
    call.count = Product(input_shape_);
  if (kind == CollectiveKind::kRecv) call.count = Product(output_shape_);
  if (kind == CollectiveKind::kSend) call.peer = 1;
  call.where = schema_.where;
  return call;
}

absl::Status CollectiveStep::Start(CollectiveKind kind, const char* from, char* to) {
  ASHLAR_RETURN_IF_ERROR(launcher_->BeginCollective());
  ASHLAR_ASSIGN_OR_RETURN(ticket_, communicator_->Start(Describe(kind, from, to)));
  return absl::OkStatus();
}

absl::Status CollectiveStep::Deliver(const std::vector<int64_t>& dims, char* whole,
                                     Communicator& communicator) {
  EvaluateShape(schema_.input_shape, dims, &input_shape_);
  EvaluateShape(schema_.output_shape, dims, &output_shape_);
  return communicator.Run(schema_.op == fb::CollectiveOp::Send
                              ? Describe(CollectiveKind::kSend, whole, nullptr)
                              : Describe(CollectiveKind::kRecv, nullptr, whole));
}

absl::Status CollectiveStep::BeginGather() {
  const Rows rows = RowsOf(output_shape_, schema_.axis);
  const int64_t per = rows.outer * rows.inner / element_bytes_;
  for (size_t p = 0; p < group_.size(); ++p)
    counts_.push_back(per * GetPart(rows.extent, schema_.cuts, static_cast<int>(p)).size);
  const bool unpacks = rows.outer > 1 || schema_.layout != fb::Layout::Plain;
  if (unpacks) received_ = workspace_;
  return Start(CollectiveKind::kAllGather, input_, unpacks ? workspace_ : output_);
}

absl::Status CollectiveStep::BeginScatter() {
  const Rows rows = RowsOf(input_shape_, schema_.axis);
  const int64_t per = rows.outer * rows.inner / element_bytes_;
  char* block = workspace_;
  for (size_t p = 0; p < group_.size(); ++p) {
    const CutRange part = GetPart(rows.extent, schema_.cuts, static_cast<int>(p));
    counts_.push_back(per * part.size);
    if (rows.outer <= 1) continue;
    ASHLAR_RETURN_IF_ERROR(Pack(rows, part.begin, part.size, input_, block));
    block += counts_.back() * element_bytes_;
  }
  return Start(CollectiveKind::kReduceScatter, rows.outer <= 1 ? input_ : workspace_, output_);
}

absl::Status CollectiveStep::BeginExchange() {
  // What this rank has of the joined dimension, and what it will have of the cut one.
  const int64_t joined = output_shape_[schema_.join], cut = input_shape_[schema_.axis];
  std::vector<int64_t>& from = input_shape_;
  std::vector<int64_t>& to = output_shape_;
  to = from;
  from[schema_.join] = GetPart(joined, schema_.cuts, place_).size;
  to[schema_.axis] = GetPart(cut, schema_.cuts, place_).size;
  to[schema_.join] = joined;
  const Rows sent = RowsOf(from, schema_.axis), got = RowsOf(to, schema_.join);
  char* block = workspace_;
  for (size_t p = 0; p < group_.size(); ++p) {
    const CutRange part = GetPart(cut, schema_.cuts, static_cast<int>(p));
    ASHLAR_RETURN_IF_ERROR(Pack(sent, part.begin, part.size, input_, block));
    counts_.push_back(sent.outer * part.size * sent.inner / element_bytes_);
    block += counts_.back() * element_bytes_;
    const int64_t theirs = GetPart(joined, schema_.cuts, static_cast<int>(p)).size;
    recv_counts_.push_back(got.outer * theirs * got.inner / element_bytes_);
  }
  // The verifier has room for both halves at the bounds, each rounded up.
  char* received =
      workspace_ + RoundUp<uint64_t>(static_cast<uint64_t>(block - workspace_), kBufferAlignment);
  received_ = received;
  return Start(CollectiveKind::kAllToAll, workspace_, received);
}

absl::Status CollectiveStep::UnpackBlocks(const Rows& rows, const std::vector<int64_t>& counts) {
  const char* block = received_;
  for (size_t p = 0; p < group_.size(); ++p) {
    const CutRange part = GetPart(rows.extent, schema_.cuts, static_cast<int>(p));
    ASHLAR_RETURN_IF_ERROR(Unpack(rows, part.begin, part.size, block, output_));
    block += counts[p] * element_bytes_;
  }
  return absl::OkStatus();
}

absl::Status CollectiveStep::Begin() {
  using fb::CollectiveOp;
  received_ = nullptr;
  counts_.clear();
  recv_counts_.clear();
  switch (schema_.op) {
    case CollectiveOp::AllReduce:
      return Start(CollectiveKind::kAllReduce, input_, output_);
    case CollectiveOp::AllGather:
      return BeginGather();
    case CollectiveOp::ReduceScatter:
      return BeginScatter();
    case CollectiveOp::Send:
      return Start(CollectiveKind::kSend, input_, nullptr);
    case CollectiveOp::Recv:
      return Start(CollectiveKind::kRecv, nullptr, output_);
    default:
      return BeginExchange();
  }
}

absl::Status CollectiveStep::Run(const std::vector<int64_t>& dims, Launcher& launcher,
                                 Communicator* communicator) {
  using fb::CollectiveOp;
  launcher_ = &launcher, communicator_ = communicator;
  if (schema_.op == CollectiveOp::Origin) {
    const int64_t begin =
        GetPart(Evaluate(*schema_.whole, dims.data()), schema_.cuts, place_).begin;
    return launcher_->Store(output_, begin);
  }
  EvaluateShape(schema_.input_shape, dims, &input_shape_);
  EvaluateShape(schema_.output_shape, dims, &output_shape_);
  if (schema_.op == CollectiveOp::Slice) {
    const Rows rows = RowsOf(input_shape_, schema_.axis);
    const CutRange part = GetPart(rows.extent, schema_.cuts, place_);
    return Pack(rows, part.begin, part.size, input_, output_);
  }
  if (!communicator)
    return FailedPrecondition("collective ", schema_.where, " in a session without other ranks");
  ASHLAR_RETURN_IF_ERROR(Begin());
  return schema_.starts ? absl::OkStatus() : End();
}

absl::Status CollectiveStep::End() {
  // What was launched since then runs meanwhile.
  if (schema_.starts) ASHLAR_RETURN_IF_ERROR(launcher_->BeginCollective());
  ASHLAR_RETURN_IF_ERROR(communicator_->Wait(ticket_));
  if (!received_) return absl::OkStatus();
  if (schema_.layout == fb::Layout::PanelF32) {
    PackMatrix(reinterpret_cast<const float*>(received_), output_shape_[0], output_shape_[1],
               output_);
    return absl::OkStatus();
  }
  return schema_.op == fb::CollectiveOp::AllToAll
             ? UnpackBlocks(RowsOf(output_shape_, schema_.join), recv_counts_)
             : UnpackBlocks(RowsOf(output_shape_, schema_.axis), counts_);
}

}  // namespace ashlar
