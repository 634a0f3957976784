// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What fake_nccl's ranks do with each other: pieces of data through mailboxes in shared memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/communicator/nccl_library.h"

namespace fake_nccl {

constexpr size_t kPieceBytes = 16 * 1024;

// From one rank to another: a piece at a time.
struct Mailbox {
  std::atomic<uint64_t> sent, taken;
  size_t bytes;
  char data[kPieceBytes];
};

struct Region {
  std::atomic<int> joined, left;
  Mailbox mailboxes[1];  // ranks x ranks
};

struct State {
  ~State();
  Mailbox& Box(int from, int to) { return region->mailboxes[from * ranks + to]; }
  std::string name;
  Region* region = nullptr;
  size_t bytes = 0;
  int ranks = 0, rank = 0;
  bool settles = true;  // until it is asked a second time
  bool is_finalized = false;
  std::atomic<bool> aborted{false};
  std::atomic<int> error{ashlar::nccl::kSuccess};
};

// What a rank says before its data, and the other one expects.
struct Header {
  int kind, type, op, root;
  uint64_t count;
};
enum Kind {
  kAllReduceKind,
  kReduceKind,
  kReduceScatterKind,
  kAllGatherKind,
  kBroadcastKind,
  kMessage
};

struct Transfer {
  int peer;
  bool sends;
  std::vector<char> data;  // a header and what follows it
  size_t done = 0;
};

// A call of one rank; begins when the stream comes to it.
struct Call {
  std::shared_ptr<State> state;
  Header header;
  const char* in = nullptr;
  char* out = nullptr;
  int to = -1, from = -1;  // of a message
  bool has_begun = false, is_over = false;
  std::vector<Transfer> transfers;

  size_t Bytes() const;  // of `count` elements
  void Begin();
  void Combine(const std::vector<const char*>& inputs, size_t bytes, char* result) const;
  void End();
  bool Compare(const Transfer& got);
};

struct Group {
  std::vector<std::unique_ptr<Call>> calls;
};

// The stream asks whether the calls of a Group that were given together are over.
bool Poll(void* group);

}  // namespace fake_nccl
