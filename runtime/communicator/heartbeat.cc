// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of these messages are none of the run: it fails where data do not come.
#include "runtime/communicator/heartbeat.h"

namespace ashlar {

Heartbeat::Heartbeat(Transport& transport, int tag)
    : transport_(transport), tag_(tag), peers_(transport.size()) {
  last_ = Clock::now();
  for (Peer& peer : peers_) peer.lived = last_;
}

Heartbeat::~Heartbeat() {
  for (Peer& peer : peers_)
    for (Transport::Request* request : {&peer.sending, &peer.receiving})
      if (*request) transport_.Cancel(request);
}

void Heartbeat::Send(std::chrono::milliseconds silence, bool waits) {
  const Clock::time_point now = Clock::now();
  if (now - last_ < kInterval) return;
  last_ = now;
  for (int rank = 0; rank < static_cast<int>(peers_.size()); ++rank) {
    if (rank == transport_.rank()) continue;
    Receive(rank);
    Peer& peer = peers_[rank];
    if (peer.sending && !transport_.Test(&peer.sending).value_or(true))
      continue;  // it takes nothing at the moment
    peer.sent = {silence.count(), waits};
    if (!transport_.Send(&peer.sent, sizeof(peer.sent), rank, tag_, &peer.sending).ok())
      peer.sending = nullptr;
  }
}

void Heartbeat::Receive(int rank) {
  Peer& peer = peers_[rank];
  while (true) {
    if (peer.receiving) {
      if (!transport_.Test(&peer.receiving).value_or(false)) return;
      peer.lived = Clock::now() - std::chrono::milliseconds(peer.received.silence_ms);
      peer.waits = peer.received.waits != 0;
    }
    peer.receiving = nullptr;
    if (!transport_.Receive(&peer.received, sizeof(peer.received), rank, tag_, &peer.receiving)
             .ok()) {
      peer.receiving = nullptr;
      return;
    }
  }
}

Heartbeat::Life Heartbeat::LifeOf(int rank) {
  Receive(rank);
  const Peer& peer = peers_[rank];
  return {std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - peer.lived),
          peer.waits};
}

}  // namespace ashlar
