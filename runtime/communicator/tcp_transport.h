// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Messages over connected sockets, one to each other rank.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/communicator/transport.h"

namespace ashlar {

// A message is a tag, a number of bytes, and the bytes. What arrives before it is asked for is
// kept; small ones are copied as they are sent.
class TcpTransport : public Transport {
 public:
  // Takes the sockets, by rank; this one's is -1.
  TcpTransport(int rank, const std::vector<int>& sockets);
  ~TcpTransport() override;
  TcpTransport(const TcpTransport&) = delete;
  TcpTransport& operator=(const TcpTransport&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(peers_.size()); }
  std::string_view name() const override { return "tcp"; }
  absl::Status Send(const void* data, int64_t bytes, int to, int tag, Request* request) override;
  absl::Status Receive(void* data, int64_t bytes, int from, int tag, Request* request) override;
  absl::StatusOr<bool> Test(Request* request) override;
  void Cancel(Request* request) override;
  void Leave(bool failed) override;

 private:
  struct Head {
    int64_t tag, bytes;
  };
  // What is sent or awaited; whoever asked has its address until Test or Cancel.
  struct Message {
    int rank;
    Head head;
    char* data = nullptr;
    std::vector<char> own;  // in place of the caller's
    int64_t done = 0;       // bytes, those of the head among them where it is sent
    bool is_over = false, is_wanted = true;
  };
  struct Peer {
    int socket = -1;  // closed: the rank has left
    std::deque<Message*> out;
    std::list<Message*> awaited;
    std::list<Message*> early;  // arrived, or arriving, unasked
    Head head = {};
    int64_t head_bytes = 0;       // of the next message's head
    Message* arriving = nullptr;  // its bytes
  };

  Message* Make(int rank, Head head, void* data);
  void Delete(Message* message);
  void Progress();
  void Write(Peer& peer);
  void Read(Peer& peer);
  void BeginArrival(Peer& peer);
  void Close(Peer& peer);
  void EndMessage(Message* message);

  int rank_;
  std::vector<Peer> peers_;
  std::unordered_map<Message*, std::unique_ptr<Message>> messages_;
};

}  // namespace ashlar
