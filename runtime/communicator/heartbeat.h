// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Signs of life between processes. A rank that computes says so, and a rank that waits passes on
// what it knows of the one that it waits for: behind a chain of ranks everybody knows how long the
// one at its head has been silent, so that nobody gives up those that only wait. Ranks that wait
// for each other hear their own silence grow.
#pragma once

#include <chrono>
#include <vector>

#include "runtime/communicator/transport.h"

namespace ashlar {

// Used by the thread that uses the transport. Sends at most one message of 16 bytes to each rank
// per kInterval.
class Heartbeat {
 public:
  static constexpr std::chrono::milliseconds kInterval{200};

  // `tag` is of these messages alone.
  Heartbeat(Transport& transport, int tag);
  // Takes back what is under way.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // This rank lives.
  void Beat() { Send(std::chrono::milliseconds(0), /*waits=*/false); }
  // This rank waits, since no data came, for one that has been silent so long.
  void Pass(std::chrono::milliseconds silence) { Send(silence, /*waits=*/true); }

  // What is known of another rank: how long ago it, or the one that it waits for, has lived.
  struct Life {
    std::chrono::milliseconds silence;
    bool waits;
  };
  Life LifeOf(int rank);

 private:
  using Clock = std::chrono::steady_clock;
  struct Message {
    int64_t silence_ms, waits;
  };
  struct Peer {
    Transport::Request sending = nullptr, receiving = nullptr;
    Message sent = {}, received = {};
    Clock::time_point lived;  // as last heard
    bool waits = false;
  };

  void Send(std::chrono::milliseconds silence, bool waits);
  void Receive(int rank);

  Transport& transport_;
  int tag_;
  std::vector<Peer> peers_;
  Clock::time_point last_;
};

}  // namespace ashlar
