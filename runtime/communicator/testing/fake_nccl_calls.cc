// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/testing/fake_nccl_calls.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/communicator/reduce.h"

namespace fake_nccl {

using namespace ashlar::nccl;
using ashlar::DType;
using ashlar::Reduction;

State::~State() { munmap(region, bytes); }

static DType TypeOf(int type) {
  switch (type) {
    case kInt8:
      return DType::kI8;
    case kUint8:
      return DType::kU8;
    case kInt32:
      return DType::kI32;
    case kInt64:
      return DType::kI64;
    case kFloat16:
      return DType::kF16;
    case kFloat64:
      return DType::kF64;
    case kBfloat16:
      return DType::kBF16;
    default:
      return DType::kF32;
  }
}

size_t Call::Bytes() const {
  return header.count * static_cast<size_t>(ashlar::DTypeSize(TypeOf(header.type)));
}

// Every pair exchanges a header, and the data of which the other one has need.
void Call::Begin() {
  const size_t bytes = Bytes();
  auto add = [&](int peer, bool sends, const char* data, size_t size) {
    Transfer transfer{peer, sends, std::vector<char>(sizeof(Header) + size)};
    if (sends) {
      std::memcpy(transfer.data.data(), &header, sizeof(Header));
      if (size) std::memcpy(transfer.data.data() + sizeof(Header), data, size);
    }
    transfers.push_back(std::move(transfer));
  };
  const int me = state->rank, root = header.root;
  for (int peer = 0; peer < state->ranks; ++peer) {
    if (peer == me) continue;
    switch (header.kind) {
      case kAllReduceKind:
      case kAllGatherKind:
        add(peer, true, in, bytes), add(peer, false, nullptr, bytes);
        break;
      case kReduceScatterKind:
        add(peer, true, in + peer * bytes, bytes), add(peer, false, nullptr, bytes);
        break;
      case kReduceKind:
        add(peer, true, in, peer == root ? bytes : 0);
        add(peer, false, nullptr, me == root ? bytes : 0);
        break;
      case kBroadcastKind:
        add(peer, true, in, me == root ? bytes : 0);
        add(peer, false, nullptr, peer == root ? bytes : 0);
        break;
      case kMessage:
        if (peer == to) add(peer, true, in, bytes);
        if (peer == from) add(peer, false, nullptr, bytes);
    }
  }
}

// `inputs` by place.
void Call::Combine(const std::vector<const char*>& inputs, size_t bytes, char* result) const {
  std::vector<char> sum(inputs.back(), inputs.back() + bytes);
  const Reduction reduction = header.op == kSum   ? Reduction::kSum
                              : header.op == kMax ? Reduction::kMax
                                                  : Reduction::kMin;
  for (size_t p = inputs.size() - 1; p-- > 0;)
    ashlar::ReduceElements(TypeOf(header.type), reduction, {sum.data(), inputs[p]}, {sum.data()}, 0,
                           static_cast<int64_t>(header.count));
  if (bytes) std::memcpy(result, sum.data(), bytes);
}

bool Call::Compare(const Transfer& got) {
  Header theirs;
  std::memcpy(&theirs, got.data.data(), sizeof(theirs));
  if (std::memcmp(&theirs, &header, sizeof(theirs)) == 0) return true;
  std::fprintf(stderr,
               "fake NCCL: rank %d does %d of %zu elements of type %d, rank %d %d of %zu of %d\n",
               state->rank, header.kind, static_cast<size_t>(header.count), header.type, got.peer,
               theirs.kind, static_cast<size_t>(theirs.count), theirs.type);
  state->error = kInvalidUsage;
  return false;
}

void Call::End() {
  const size_t bytes = Bytes();
  const int me = state->rank;
  std::vector<const char*> inputs(state->ranks);
  for (const Transfer& transfer : transfers) {
    if (transfer.sends) continue;
    if (!Compare(transfer)) return;
    inputs[transfer.peer] = transfer.data.data() + sizeof(Header);
  }
  inputs[me] = header.kind == kReduceScatterKind ? in + me * bytes : in;
  is_over = true;
  switch (header.kind) {
    case kAllReduceKind:
    case kReduceScatterKind:
      return Combine(inputs, bytes, out);
    case kReduceKind:
      if (me == header.root) Combine(inputs, bytes, out);
      return;
    case kAllGatherKind:
      for (int p = 0; p < state->ranks && bytes; ++p)
        if (out + p * bytes != inputs[p]) std::memcpy(out + p * bytes, inputs[p], bytes);
      return;
    case kBroadcastKind:
      if (bytes && out != inputs[header.root]) std::memcpy(out, inputs[header.root], bytes);
      return;
    case kMessage:
      if (from >= 0 && bytes) std::memcpy(out, inputs[from], bytes);
  }
}

static void Advance(State& state, Transfer& transfer) {
  Mailbox& box =
      transfer.sends ? state.Box(state.rank, transfer.peer) : state.Box(transfer.peer, state.rank);
  while (transfer.done < transfer.data.size()) {
    const uint64_t sent = box.sent.load(), taken = box.taken.load();
    if (transfer.sends == (sent > taken)) return;
    char* place = transfer.data.data() + transfer.done;
    const size_t rest = transfer.data.size() - transfer.done;
    if (transfer.sends) {
      box.bytes = std::min(rest, kPieceBytes);
      std::memcpy(box.data, place, box.bytes);
      transfer.done += box.bytes;
      box.sent.store(sent + 1);
    } else {
      // Pieces do not cross headers: another size is another call.
      if (box.bytes != std::min(rest, kPieceBytes)) {
        std::fprintf(stderr, "fake NCCL: rank %d got %zu bytes of rank %d, and wants %zu\n",
                     state.rank, box.bytes, transfer.peer, rest);
        state.error = kInvalidUsage;
        return;
      }
      std::memcpy(place, box.data, box.bytes);
      transfer.done += box.bytes;
      box.taken.store(taken + 1);
    }
  }
}

bool Poll(void* group) {
  bool all = true;
  std::vector<std::pair<int, bool>> busy;  // a peer and a direction, of an earlier call
  for (auto& call : static_cast<Group*>(group)->calls) {
    State& state = *call->state;
    if (call->is_over || state.aborted) continue;
    if (!call->has_begun) call->Begin();
    call->has_begun = true;
    bool arrived = !std::getenv("FAKE_NCCL_HANG");
    for (Transfer& transfer : call->transfers) {
      const std::pair<int, bool> way = {transfer.peer, transfer.sends};
      const bool is_free = std::find(busy.begin(), busy.end(), way) == busy.end();
      if (is_free && state.error == kSuccess) Advance(state, transfer);
      if (transfer.done == transfer.data.size()) continue;
      busy.push_back(way);
      arrived = false;
    }
    if (arrived && state.error == kSuccess) call->End();
    all &= call->is_over;
  }
  return all;
}

}  // namespace fake_nccl
