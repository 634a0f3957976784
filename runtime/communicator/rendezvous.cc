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

constexpr int kSocket = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

// How long one that has connected may take to say who it is. Nobody else waits for it.
constexpr auto kHelloDeadline = std::chrono::seconds(2);
// How long those that are missing are still waited for when one that had joined has left: the last
// of them may be on their way, and the one that left done.
constexpr auto kGrace = std::chrono::seconds(1);
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

// One that has connected and has not said yet who it is.
struct Guest {
  Socket socket;
  Address address;
  Clock::time_point until;
  Hello hello = {};
  size_t heard = 0;  // bytes of it
};

absl::Status SystemError(std::string_view what) {
  return absl::UnavailableError(StrCat(what, ": ", std::strerror(errno)));
}

bool MayRetry() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// False when it is late and none of them is ready.
bool WaitFor(std::vector<pollfd>& polled, Clock::time_point until) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    const int64_t wait = std::max<int64_t>(0, left.count());
    if (poll(polled.data(), polled.size(), static_cast<int>(wait)) > 0) return true;
    if (wait == 0) return false;  // else late, or interrupted by a signal
  }
}

// Whether this may still become a rank's Hello.
bool Hear(Guest& guest) {
  const ssize_t got =
      recv(guest.socket.number(), reinterpret_cast<char*>(&guest.hello) + guest.heard,
           sizeof(Hello) - guest.heard, MSG_DONTWAIT);
  if (got > 0) guest.heard += got;
  if (guest.heard >= sizeof(kMagic) && guest.hello.magic != kMagic) return false;
  return got > 0 || (got < 0 && MayRetry());
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
    Socket listener(socket(AF_INET6, kSocket, 0));
    const bool old = listener.number() < 0;  // a host without IPv6
    if (old) listener = Socket(socket(AF_INET, kSocket, 0));
    const int on = 1, off = 0;
    setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_in6 any = {};
    any.sin6_family = old ? AF_INET : AF_INET6;
    any.sin6_addr = in6addr_any;
    any.sin6_port = htons(static_cast<uint16_t>(port));
    socklen_t bytes = old ? sizeof(sockaddr_in) : sizeof(any);  // whose ports lie alike
    if (bind(listener.number(), reinterpret_cast<sockaddr*>(&any), bytes) != 0 ||
        listen(listener.number(), SOMAXCONN) != 0 ||
        getsockname(listener.number(), reinterpret_cast<sockaddr*>(&any), &bytes) != 0)
      return SystemError(StrCat("rank ", rank_, " cannot listen at port ", port, " (MASTER_PORT)"));
    port_ = ntohs(any.sin6_port);
    return listener;
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
  absl::Status Transfer(const Socket& socket, int other, bool sends, void* data, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
      std::vector<pollfd> polled = {
          {socket.number(), static_cast<short>(sends ? POLLOUT : POLLIN), 0}};
      if (!WaitFor(polled, end_)) return Late();
      char* at = static_cast<char*>(data) + done;
      const ssize_t moved = sends ? send(socket.number(), at, bytes - done, MSG_NOSIGNAL)
                                  : recv(socket.number(), at, bytes - done, 0);
      if (moved > 0) done += moved;
      if (moved == 0 || (moved < 0 && !MayRetry()))
        return absl::UnavailableError(
            StrCat("rank ", rank_, ": the connection to rank ", other,
                   " has ended at the beginning: ", moved == 0 ? "closed" : std::strerror(errno)));
    }
    return absl::OkStatus();
  }

  // One that had joined and has closed its connection, or -1.
  int FindGone() const {
    for (int rank = 0; rank < size_; ++rank) {
      pollfd polled = {sockets_[rank].number(), POLLRDHUP, 0};  // a negative number is passed over
      if (poll(&polled, 1, 0) > 0) return rank;
    }
    return -1;
  }

  // Takes in all ranks from `first` on, in the order in which they say who they are. Others may
  // come as well, say nothing or something else: they are let go.
  absl::Status Receive(const Socket& listener, int first, std::vector<Address>* addresses) {
    std::vector<Guest> guests;
    Clock::time_point end = end_;
    int gone = -1;
    while (Joined(first) < size_ - first) {
      std::vector<pollfd> polled = {{listener.number(), POLLIN, 0}};
      Clock::time_point until = end;
      for (const Guest& guest : guests) {
        polled.push_back({guest.socket.number(), POLLIN, 0});
        until = std::min(until, guest.until);
      }
      for (const Socket& joined : sockets_)
        if (gone < 0) polled.push_back({joined.number(), POLLRDHUP, 0});
      WaitFor(polled, until);
      const Clock::time_point now = Clock::now();
      if (gone < 0 && (gone = FindGone()) >= 0) end = std::min(end, now + kGrace);
      std::vector<Guest> remaining;
      for (size_t i = 0; i < guests.size(); ++i) {
        Guest& guest = guests[i];
        if (polled[i + 1].revents && !Hear(guest)) continue;
        if (guest.heard == sizeof(Hello))
          ASHLAR_RETURN_IF_ERROR(TakeIn(guest, first, addresses));
        else if (now < guest.until)
          remaining.push_back(std::move(guest));
      }
      guests = std::move(remaining);
      if (polled[0].revents) ASHLAR_RETURN_IF_ERROR(Accept(listener, &guests));
      if (now < end || Joined(first) == size_ - first) continue;
      if (gone < 0) return Late();
      return absl::UnavailableError(
          StrCat("rank ", rank_, ": rank ", gone, " has left at the beginning"));
    }
    return absl::OkStatus();
  }

  absl::Status Accept(const Socket& listener, std::vector<Guest>* guests) {
    Address address = {{}, sizeof(sockaddr_storage)};
    Socket socket(accept4(listener.number(), reinterpret_cast<sockaddr*>(&address.socket),
                          &address.bytes, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.number() >= 0)
      guests->push_back({std::move(socket), address, Clock::now() + kHelloDeadline});
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      return SystemError(StrCat("rank ", rank_, " cannot accept connections"));
    return absl::OkStatus();  // else the one that called has gone
  }

  absl::Status TakeIn(Guest& guest, int first, std::vector<Address>* addresses) {
    const Hello& hello = guest.hello;
    if (hello.size != size_ || hello.rank < first || hello.rank >= size_ ||
        sockets_[hello.rank].number() >= 0)
      return InvalidArgument("rank ", rank_, " of ", size_, " was called by rank ", hello.rank,
                             " of ", hello.size, "; RANK differs, WORLD_SIZE is the same for all");
    if (addresses) {
      reinterpret_cast<sockaddr_in6*>(&guest.address.socket)->sin6_port =
          htons(static_cast<uint16_t>(hello.port));
      (*addresses)[hello.rank] = guest.address;
    }
    sockets_[hello.rank] = std::move(guest.socket);
    return absl::OkStatus();
  }

  int Joined(int first) const {
    int joined = 0;
    for (int rank = first; rank < size_; ++rank) joined += sockets_[rank].number() >= 0;
    return joined;
  }

  absl::Status Lead(const Socket& listener) {
    std::vector<Address> addresses(size_);
    ASHLAR_RETURN_IF_ERROR(Receive(listener, 1, &addresses));
    for (int rank = 1; rank < size_; ++rank)
      ASHLAR_RETURN_IF_ERROR(Transfer(sockets_[rank], rank, /*sends=*/true, addresses.data(),
                                      addresses.size() * sizeof(Address)));
    return absl::OkStatus();
  }

  // To a rank, which is told who this one is.
  absl::StatusOr<Socket> Connect(int rank, const sockaddr* address, socklen_t bytes) {
    Socket connection(socket(address->sa_family, kSocket, 0));
    int error = connect(connection.number(), address, bytes) == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR) {
      std::vector<pollfd> polled = {{connection.number(), POLLOUT, 0}};
      if (!WaitFor(polled, end_)) return Late();
      socklen_t size = sizeof(error);
      getsockopt(connection.number(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0)
      return absl::UnavailableError(
          StrCat("rank ", rank_, " cannot connect to rank ", rank, ": ", std::strerror(error)));
    Hello hello = {kMagic, rank_, size_, static_cast<uint32_t>(port_)};
    ASHLAR_RETURN_IF_ERROR(Transfer(connection, rank, /*sends=*/true, &hello, sizeof(hello)));
    return connection;
  }

  absl::Status FindLeader(const std::string& host, int port) {
    addrinfo hints = {}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (error != 0) return NotFound("MASTER_ADDR=", host, ": ", gai_strerror(error));
    absl::Status status = Late();
    while (Clock::now() < end_ && !status.ok()) {  // rank 0 may not listen yet
      for (addrinfo* each = found; each && !status.ok(); each = each->ai_next) {
        auto connected = Connect(0, each->ai_addr, each->ai_addrlen);
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
    ASHLAR_RETURN_IF_ERROR(Transfer(sockets_[0], 0, /*sends=*/false, addresses.data(),
                                    addresses.size() * sizeof(Address)));
    for (int rank = 1; rank < rank_; ++rank) {
      ASHLAR_ASSIGN_OR_RETURN(sockets_[rank],
                              Connect(rank, reinterpret_cast<sockaddr*>(&addresses[rank].socket),
                                      addresses[rank].bytes));
    }
    return Receive(listener, rank_ + 1, nullptr);
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
