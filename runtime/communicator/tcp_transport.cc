// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/tcp_transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSmall = 4096, kLargest = int64_t{1} << 30;
// How long what has been sent may take to go, at the end.
constexpr auto kLastWords = std::chrono::milliseconds(500);

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

TcpTransport::TcpTransport(int rank, const std::vector<int>& sockets)
    : rank_(rank), peers_(sockets.size()) {
  for (size_t i = 0; i < sockets.size(); ++i) {
    peers_[i].socket = sockets[i];
    if (sockets[i] < 0) continue;
    const int on = 1;
    setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(sockets[i], F_SETFL, fcntl(sockets[i], F_GETFL) | O_NONBLOCK);
  }
}

TcpTransport::~TcpTransport() {
  for (Peer& peer : peers_) Close(peer);
}

TcpTransport::Message* TcpTransport::Make(int rank, Head head, void* data) {
  auto made = std::make_unique<Message>(Message{rank, head, static_cast<char*>(data)});
  Message* message = made.get();
  messages_[message] = std::move(made);
  return message;
}

void TcpTransport::Delete(Message* message) { messages_.erase(message); }

void TcpTransport::EndMessage(Message* message) {
  message->is_over = true;
  if (!message->is_wanted) Delete(message);
}

void TcpTransport::Close(Peer& peer) {
  if (peer.socket >= 0) close(peer.socket);
  peer.socket = -1;
  if (peer.arriving) peer.out.push_back(peer.arriving);
  peer.arriving = nullptr;
  for (Message* message : peer.out)
    if (!message->is_wanted) Delete(message);
  peer.out.clear();
}

absl::Status TcpTransport::Send(const void* data, int64_t bytes, int to, int tag,
                                Request* request) {
  Peer& peer = peers_[to];
  Message* message = Make(to, {tag, bytes}, nullptr);
  const char* begin = static_cast<const char*>(data);
  if (bytes <= kSmall)
    message->own.assign(begin, begin + bytes);
  else
    message->data = const_cast<char*>(begin);  // is read
  *request = message;
  if (peer.socket < 0) return absl::OkStatus();  // Test says so
  peer.out.push_back(message);
  Write(peer);
  return absl::OkStatus();
}

absl::Status TcpTransport::Receive(void* data, int64_t bytes, int from, int tag, Request* request) {
  Peer& peer = peers_[from];
  Message* message = Make(from, {tag, bytes}, data);
  *request = message;
  auto early = std::find_if(peer.early.begin(), peer.early.end(),
                            [&](const Message* each) { return each->head.tag == tag; });
  if (early == peer.early.end()) {
    peer.awaited.push_back(message);
    return absl::OkStatus();
  }
  Message* arrived = *early;
  peer.early.erase(early);
  if (arrived->head.bytes != bytes)
    return absl::InternalError(StrCat("a message of ", arrived->head.bytes, " bytes of rank ", from,
                                      ", where ", bytes, " are awaited"));
  std::memcpy(message->data, arrived->own.data(), arrived->done);
  message->done = arrived->done;
  message->is_over = message->done == bytes;
  if (peer.arriving == arrived) peer.arriving = message;
  Delete(arrived);
  return absl::OkStatus();
}

absl::StatusOr<bool> TcpTransport::Test(Request* request) {
  auto* message = static_cast<Message*>(*request);
  if (!message) return true;
  if (!message->is_over) Progress();
  Peer& peer = peers_[message->rank];
  if (!message->is_over && peer.socket >= 0) return false;
  const bool is_over = message->is_over;
  Cancel(request);
  if (is_over) return true;
  return absl::UnavailableError("the other rank has left");
}

void TcpTransport::Cancel(Request* request) {
  auto* message = static_cast<Message*>(*request);
  *request = nullptr;
  Peer& peer = peers_[message->rank];
  peer.awaited.remove(message);
  const auto leaving = std::find(peer.out.begin(), peer.out.end(), message);
  const bool leaves = leaving != peer.out.end();
  if (leaves && message->data && message->done == 0) {  // nothing of it has gone
    peer.out.erase(leaving);
    Delete(message);
    return;
  }
  if (leaves || peer.arriving == message) {  // goes on, in memory of its own
    if (message->data && !message->is_over) {
      message->own.resize(message->head.bytes);
      if (leaves) std::memcpy(message->own.data(), message->data, message->head.bytes);
      message->data = nullptr;
    }
    message->is_wanted = false;
    return;
  }
  Delete(message);
}

// Whatever any socket takes or has: two that wait for each other's bytes would wait for ever.
void TcpTransport::Progress() {
  std::vector<pollfd> polled;
  std::vector<Peer*> peers;
  for (Peer& peer : peers_) {
    if (peer.socket < 0) continue;
    const short events = POLLIN | (peer.out.empty() ? 0 : POLLOUT);
    polled.push_back({peer.socket, events, 0});
    peers.push_back(&peer);
  }
  if (poll(polled.data(), polled.size(), 0) <= 0) return;
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents & POLLOUT) Write(*peers[i]);
    if (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) Read(*peers[i]);
  }
}

void TcpTransport::Write(Peer& peer) {
  constexpr int64_t kHead = sizeof(Head);
  while (peer.socket >= 0 && !peer.out.empty()) {
    Message& message = *peer.out.front();
    const char* data = message.data ? message.data : message.own.data();
    const bool head = message.done < kHead;
    const char* from = head ? reinterpret_cast<const char*>(&message.head) + message.done
                            : data + (message.done - kHead);
    const int64_t bytes = head ? kHead - message.done : kHead + message.head.bytes - message.done;
    const ssize_t written = send(peer.socket, from, bytes, MSG_NOSIGNAL);
    if (written < 0) {
      if (!WouldBlock()) Close(peer);
      return;
    }
    message.done += written;
    if (message.done < kHead + message.head.bytes) continue;
    peer.out.pop_front();
    EndMessage(&message);
  }
}

// Where the bytes behind a head go: to who awaits them, or to be kept.
void TcpTransport::BeginArrival(Peer& peer) {
  peer.head_bytes = 0;
  auto awaited = std::find_if(peer.awaited.begin(), peer.awaited.end(), [&](const Message* each) {
    return each->head.tag == peer.head.tag && each->head.bytes == peer.head.bytes;
  });
  if (awaited != peer.awaited.end()) {
    peer.arriving = *awaited;
    peer.awaited.erase(awaited);
  } else {
    peer.arriving = Make(static_cast<int>(&peer - peers_.data()), peer.head, nullptr);
    peer.arriving->own.resize(peer.head.bytes);
    peer.early.push_back(peer.arriving);
  }
}

void TcpTransport::Read(Peer& peer) {
  constexpr int64_t kHead = sizeof(Head);
  while (peer.socket >= 0) {
    Message* message = peer.arriving;
    char* to = message ? (message->data ? message->data : message->own.data()) + message->done
                       : reinterpret_cast<char*>(&peer.head) + peer.head_bytes;
    const int64_t bytes = message ? message->head.bytes - message->done : kHead - peer.head_bytes;
    const ssize_t got = recv(peer.socket, to, bytes, 0);
    if (got <= 0) {
      if (got == 0 || !WouldBlock()) Close(peer);
      return;
    }
    if (!message) {
      peer.head_bytes += got;
      if (peer.head_bytes < kHead) continue;
      if (peer.head.bytes < 1 || peer.head.bytes > kLargest) return Close(peer);  // no message
      BeginArrival(peer);
      continue;
    }
    message->done += got;
    if (message->done < message->head.bytes) continue;
    peer.arriving = nullptr;
    EndMessage(message);
  }
}

void TcpTransport::Leave(bool) {
  const Clock::time_point begin = Clock::now();
  auto is_busy = [](const Peer& peer) { return !peer.out.empty(); };
  while (std::any_of(peers_.begin(), peers_.end(), is_busy) && Clock::now() - begin < kLastWords)
    Progress();
  for (Peer& peer : peers_) Close(peer);
}

}  // namespace ashlar
