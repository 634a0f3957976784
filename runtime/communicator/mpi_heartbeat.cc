// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of these messages are none of the run: it fails where data do not come.
#include "runtime/communicator/mpi_heartbeat.h"

namespace ashlar::mpi {

Heartbeat::Heartbeat(std::shared_ptr<const Library> library, Handle comm, int rank, int size,
                     int tag)
    : library_(std::move(library)), comm_(comm), rank_(rank), tag_(tag), peers_(size) {
  last_ = Clock::now();
  for (Peer& peer : peers_) peer.lived = last_;
}

Heartbeat::~Heartbeat() {
  for (Peer& peer : peers_)
    for (Request* request : {&peer.sending, &peer.receiving}) {
      if (!*request) continue;
      library_->MPI_Cancel(request);
      library_->MPI_Request_free(request);
    }
}

void Heartbeat::Send(std::chrono::milliseconds silence, bool waits) {
  const Clock::time_point now = Clock::now();
  if (now - last_ < kInterval) return;
  last_ = now;
  for (int rank = 0; rank < static_cast<int>(peers_.size()); ++rank) {
    if (rank == rank_) continue;
    Receive(rank);
    Peer& peer = peers_[rank];
    int done = 1;
    if (peer.sending) library_->MPI_Test(&peer.sending, &done, nullptr);
    if (!done) continue;  // it takes nothing at the moment
    peer.sent = {silence.count(), waits};
    if (library_->MPI_Isend(&peer.sent, sizeof(peer.sent), library_->byte, rank, tag_, comm_,
                            &peer.sending) != 0)
      peer.sending = nullptr;
  }
}

void Heartbeat::Receive(int rank) {
  Peer& peer = peers_[rank];
  while (true) {
    if (peer.receiving) {
      int done = 0;
      if (library_->MPI_Test(&peer.receiving, &done, nullptr) != 0 || !done) return;
      peer.lived = Clock::now() - std::chrono::milliseconds(peer.received.silence_ms);
      peer.waits = peer.received.waits != 0;
    }
    peer.receiving = nullptr;
    if (library_->MPI_Irecv(&peer.received, sizeof(peer.received), library_->byte, rank, tag_,
                            comm_, &peer.receiving) != 0) {
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

}  // namespace ashlar::mpi
