// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/rendezvous.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kMagic = 0x41534852;

// How a process introduces itself.
struct Hello {
  uint32_t magic;
  int32_t rank, size;
  uint32_t port;  // where it listens, in the host's order
};

// Where a rank is found, as rank 0 sees it.
struct Address {
  sockaddr_storage socket;
  socklen_t bytes;
};

class Socket {
 public:
  explicit Socket(int number = -1) : number_(number) {}
  Socket(Socket&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Socket() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

absl::Status SystemError(std::string_view what) {
  return absl::UnavailableError(StrCat(what, ": ", std::strerror(errno)));
}

// Brings the ranks of the environment together.
class Meeting {
 public:
  Meeting(int rank, int size, std::chrono::milliseconds deadline)
      : rank_(rank), size_(size), sockets_(size), deadline_(deadline) {}

  absl::StatusOr<std::vector<int>> Run(const std::string& host, int port) {
    ASHLAR_ASSIGN_OR_RETURN(Socket listener, Listen(rank_ == 0 ? port : 0));
    ASHLAR_RETURN_IF_ERROR(rank_ == 0 ? Lead(listener) : Follow(listener, host, port));
    std::vector<int> numbers;
    for (Socket& socket : sockets_) numbers.push_back(socket.Release());
    return numbers;
  }

 private:
  absl::StatusOr<Socket> Listen(int port) {
    Socket listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const bool old = listener.number() < 0;  // a host without IPv6
    if (old) listener = Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1, off = 0;
    setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_in6 any = {};
    any.sin6_family = old ? AF_INET : AF_INET6;
    any.sin6_addr = in6addr_any;
    any.sin6_port = htons(static_cast<uint16_t>(port));
    socklen_t bytes = old ? sizeof(sockaddr_in) : sizeof(any);  // whose ports lie alike
    if (bind(listener.number(), reinterpret_cast<sockaddr*>(&any), bytes) != 0 ||
        listen(listener.number(), size_) != 0 ||
        getsockname(listener.number(), reinterpret_cast<sockaddr*>(&any), &bytes) != 0)
      return SystemError(StrCat("rank ", rank_, " cannot listen at port ", port, " (MASTER_PORT)"));
    port_ = ntohs(any.sin6_port);
    return listener;
  }

  int64_t MillisecondsLeft() const {
    return std::max<int64_t>(
        0, std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count());
  }

  // Whom it is that this rank waits for: rank 0, or those that call it.
  absl::Status Late() const {
    std::vector<int> missing;
    for (int rank = 0; rank < size_; ++rank)
      if ((rank > rank_ || (rank == 0 && rank_ > 0)) && sockets_[rank].number() < 0)
        missing.push_back(rank);
    if (rank_ > 0 && sockets_[0].number() < 0) missing = {0};
    return WithCode(
        ErrorCode::kRankLate,
        absl::DeadlineExceededError(StrCat("rank ", rank_, " of ", size_, " has waited ",
                                           static_cast<double>(deadline_.count()) / 1000,
                                           " s at the beginning for: ", StrJoin(missing, ", "))));
  }

  // All bytes, or late.
  absl::Status Transfer(int socket, bool sends, void* data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
      pollfd polled = {socket, static_cast<short>(sends ? POLLOUT : POLLIN), 0};
      if (poll(&polled, 1, static_cast<int>(MillisecondsLeft())) == 0) return Late();
      char* at = static_cast<char*>(data) + done;
      const ssize_t moved =
          sends ? send(socket, at, bytes - done, MSG_NOSIGNAL) : recv(socket, at, bytes - done, 0);
      if (moved <= 0 && errno != EINTR)
        return SystemError(StrCat("rank ", rank_, ": a connection at the beginning has ended"));
      if (moved > 0) done += moved;
    }
    return absl::OkStatus();
  }

  absl::Status Introduce(int socket) {
    Hello hello = {kMagic, rank_, size_, static_cast<uint32_t>(port_)};
    return Transfer(socket, /*sends=*/true, &hello, sizeof(hello));
  }

  // The next that comes, whoever of those that may.
  absl::Status Accept(const Socket& listener, int first, std::vector<Address>* addresses) {
    pollfd polled = {listener.number(), POLLIN, 0};
    if (poll(&polled, 1, static_cast<int>(MillisecondsLeft())) == 0) return Late();
    Address address = {{}, sizeof(sockaddr_storage)};
    Socket socket(accept4(listener.number(), reinterpret_cast<sockaddr*>(&address.socket),
                          &address.bytes, SOCK_CLOEXEC));
    if (socket.number() < 0) return SystemError("accept");
    Hello hello = {};
    ASHLAR_RETURN_IF_ERROR(Transfer(socket.number(), /*sends=*/false, &hello, sizeof(hello)));
    if (hello.magic != kMagic) return absl::OkStatus();  // somebody else, who is let go
    if (hello.size != size_ || hello.rank < first || hello.rank >= size_ ||
        sockets_[hello.rank].number() >= 0)
      return InvalidArgument("rank ", rank_, " of ", size_, " was called by rank ", hello.rank,
                             " of ", hello.size, "; RANK differs, WORLD_SIZE is the same for all");
    if (addresses) {
      reinterpret_cast<sockaddr_in6*>(&address.socket)->sin6_port =
          htons(static_cast<uint16_t>(hello.port));
      (*addresses)[hello.rank] = address;
    }
    sockets_[hello.rank] = std::move(socket);
    return absl::OkStatus();
  }

  int Joined(int first) const {
    int joined = 0;
    for (int rank = first; rank < size_; ++rank) joined += sockets_[rank].number() >= 0;
    return joined;
  }

  absl::Status Lead(const Socket& listener) {
    std::vector<Address> addresses(size_);
    while (Joined(1) < size_ - 1) ASHLAR_RETURN_IF_ERROR(Accept(listener, 1, &addresses));
    for (int rank = 1; rank < size_; ++rank)
      ASHLAR_RETURN_IF_ERROR(Transfer(sockets_[rank].number(), /*sends=*/true, addresses.data(),
                                      addresses.size() * sizeof(Address)));
    return absl::OkStatus();
  }

  absl::StatusOr<Socket> Connect(const sockaddr* address, socklen_t bytes) {
    Socket connection(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(connection.number(), address, bytes) != 0) return SystemError("connect");
    ASHLAR_RETURN_IF_ERROR(Introduce(connection.number()));
    return connection;
  }

  absl::Status FindLeader(const std::string& host, int port) {
    addrinfo hints = {}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (error != 0) return NotFound("MASTER_ADDR=", host, ": ", gai_strerror(error));
    absl::Status status = Late();
    while (MillisecondsLeft() > 0 && !status.ok()) {  // rank 0 may not listen yet
      for (addrinfo* each = found; each && !status.ok(); each = each->ai_next) {
        auto connected = Connect(each->ai_addr, each->ai_addrlen);
        if (connected.ok()) sockets_[0] = *std::move(connected), status = absl::OkStatus();
      }
      if (!status.ok()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    freeaddrinfo(found);
    return status;
  }

  // Calls those before it, and is called by those behind.
  absl::Status Follow(const Socket& listener, const std::string& host, int port) {
    ASHLAR_RETURN_IF_ERROR(FindLeader(host, port));
    std::vector<Address> addresses(size_);
    ASHLAR_RETURN_IF_ERROR(Transfer(sockets_[0].number(), /*sends=*/false, addresses.data(),
                                    addresses.size() * sizeof(Address)));
    for (int rank = 1; rank < rank_; ++rank) {
      ASHLAR_ASSIGN_OR_RETURN(
          sockets_[rank],
          Connect(reinterpret_cast<sockaddr*>(&addresses[rank].socket), addresses[rank].bytes));
    }
    while (Joined(rank_ + 1) < size_ - 1 - rank_)
      ASHLAR_RETURN_IF_ERROR(Accept(listener, rank_ + 1, nullptr));
    return absl::OkStatus();
  }

  int rank_, size_, port_ = 0;
  std::vector<Socket> sockets_;
  const std::chrono::milliseconds deadline_;
  const Clock::time_point end_ = Clock::now() + deadline_;
};

}  // namespace

absl::StatusOr<std::vector<int>> MeetRanks(int rank, int size, const std::string& host, int port,
                                           std::chrono::milliseconds deadline) {
  return Meeting(rank, size, deadline).Run(host, port);
}

}  // namespace ashlar
