// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks as threads that meet at a port of this host, and others who come to that port.
#include "runtime/communicator/rendezvous.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kDeadline(12000);

sockaddr_in Local(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// A socket at a port of this host that nobody else has.
int Bind(int* port) {
  const int made = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = Local(0);
  socklen_t bytes = sizeof(address);
  EXPECT_EQ(bind(made, reinterpret_cast<sockaddr*>(&address), bytes), 0);
  EXPECT_EQ(getsockname(made, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  *port = ntohs(address.sin_port);
  return made;
}

int FreePort() {
  int port;
  close(Bind(&port));
  return port;
}

// Connects as soon as somebody listens there; -1 where nobody does.
int Visit(int port) {
  const sockaddr_in address = Local(port);
  for (const auto end = Clock::now() + kDeadline / 4; Clock::now() < end;) {
    const int made = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
      return made;
    close(made);
    std::this_thread::sleep_for(milliseconds(1));
  }
  return -1;
}

// The ranks meet, the ones behind rank 0 after `visit` has been to its port. What went wrong, and
// how long it took them from there on.
struct Met {
  std::vector<std::string> errors;
  milliseconds took{0};
};
Met MeetAfter(int size, const std::function<void(int port)>& visit) {
  const int port = FreePort();
  Met met;
  met.errors.resize(size);
  std::vector<std::thread> threads;
  auto meet = [&](int rank) {
    auto sockets = MeetRanks(rank, size, "localhost", port, kDeadline);
    met.errors[rank] = Message(sockets.status());
    if (!sockets.ok()) return;
    for (int other = 0; other < size; ++other) {  // each hears from all others who they are
      if (other != rank) send((*sockets)[other], &rank, sizeof(rank), MSG_NOSIGNAL);
    }
    for (int other = 0; other < size; ++other) {
      int heard = -1;
      while (other != rank && recv((*sockets)[other], &heard, sizeof(heard), MSG_DONTWAIT) < 0 &&
             (errno == EAGAIN || errno == EINTR))
        std::this_thread::yield();
      if (other != rank && heard != other) met.errors[rank] += StrCat("hears ", heard);
    }
    for (int number : *sockets)
      if (number >= 0) close(number);
  };
  threads.emplace_back(meet, 0);
  visit(port);
  const Clock::time_point begin = Clock::now();
  for (int rank = 1; rank < size; ++rank) threads.emplace_back(meet, rank);
  for (std::thread& thread : threads) thread.join();
  met.took = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  return met;
}

TEST(Rendezvous, ConnectsEveryPair) {
  for (int size : {2, 5}) {
    EXPECT_EQ(MeetAfter(size, [](int) {}).errors, std::vector<std::string>(size));
  }
}

TEST(Rendezvous, LetsGoWhoSaysNothing) {
  std::vector<int> guests;
  const Met met = MeetAfter(3, [&](int port) {
    close(Visit(port));  // a look whether somebody listens
    for (int i = 0; i < 3; ++i) guests.push_back(Visit(port));
    const char half[] = "GET";
    send(guests[0], half, 3, MSG_NOSIGNAL);
    close(Visit(port));
  });
  EXPECT_EQ(met.errors, std::vector<std::string>(3));
  EXPECT_LT(met.took, milliseconds(3000));  // nobody waits for the guests
  for (int guest : guests) close(guest);
}

TEST(Rendezvous, LetsGoWhoSaysSomethingElse) {
  const Met met = MeetAfter(3, [&](int port) {
    const int guest = Visit(port);
    const char text[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    send(guest, text, sizeof(text), MSG_NOSIGNAL);
    char answer;
    EXPECT_LE(recv(guest, &answer, 1, 0), 0);  // closed
    close(guest);
  });
  EXPECT_EQ(met.errors, std::vector<std::string>(3));
}

TEST(Rendezvous, ClosesSilentConnections) {
  const Met met = MeetAfter(2, [&](int port) {
    const int guest = Visit(port);
    const Clock::time_point begin = Clock::now();
    char answer;
    EXPECT_EQ(recv(guest, &answer, 1, 0), 0);
    EXPECT_LT(Clock::now() - begin, kDeadline / 2);
    close(guest);
  });
  EXPECT_EQ(met.errors, std::vector<std::string>(2));
}

// A signal does not end the waiting, nor make it longer.
TEST(Rendezvous, KeepsItsDeadlineThroughSignals) {
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> is_over{false};
  std::string error;
  const Clock::time_point begin = Clock::now();
  std::thread leader([&] {
    error = Message(MeetRanks(0, 3, "localhost", FreePort(), milliseconds(400)).status());
    is_over = true;
  });
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    if (!is_over) pthread_kill(leader.native_handle(), SIGUSR1);
  }
  while (!is_over && Clock::now() - begin < milliseconds(5000))
    std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(is_over);
  while (!is_over) {  // where it hangs
    pthread_kill(leader.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(milliseconds(1));
  }
  leader.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_THAT(error, AllOf(HasSubstr("rank 0 of 3 has waited 0.4 s"), HasSubstr("for: 1, 2")));
}

// One that takes a rank's connection and closes it.
TEST(Rendezvous, SaysThatAConnectionWasClosed) {
  int port;
  const int listener = Bind(&port);
  ASSERT_EQ(listen(listener, 1), 0);
  std::thread leader([&] {
    const int guest = accept(listener, nullptr, nullptr);
    char hello[16];
    EXPECT_EQ(recv(guest, hello, sizeof(hello), MSG_WAITALL), 16);
    close(guest);
  });
  const std::string error = Message(MeetRanks(1, 2, "127.0.0.1", port, kDeadline).status());
  leader.join();
  close(listener);
  EXPECT_THAT(error,
              HasSubstr("rank 1: the connection to rank 0 has ended at the beginning: closed"));
}

// A rank that joins and dies while rank 0 waits for a third: nobody waits on until the deadline.
TEST(Rendezvous, SaysWhoHasLeft) {
  const int port = FreePort();
  std::string error;
  const Clock::time_point begin = Clock::now();
  std::thread leader(
      [&] { error = Message(MeetRanks(0, 3, "127.0.0.1", port, kDeadline).status()); });
  const int rank = Visit(port);
  const int32_t hello[] = {0x41534852, 2, 3, 1};  // rank 2 of 3
  EXPECT_EQ(send(rank, hello, sizeof(hello), MSG_NOSIGNAL), ssize_t{sizeof(hello)});
  std::this_thread::sleep_for(milliseconds(50));
  close(rank);
  leader.join();
  EXPECT_THAT(error, HasSubstr("rank 0: rank 2 has left at the beginning"));
  EXPECT_LT(Clock::now() - begin, kDeadline / 2);
}

// A host that answers nothing, as one whose connections nobody takes any more.
TEST(Rendezvous, KeepsItsDeadlineWhereNobodyAnswers) {
  int port;
  const int listener = Bind(&port);
  ASSERT_EQ(listen(listener, 0), 0);
  const sockaddr_in address = Local(port);
  std::vector<int> guests;
  for (int i = 0; i < 4; ++i) {
    guests.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)connect(guests.back(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  const Clock::time_point begin = Clock::now();
  const auto met = MeetRanks(1, 2, "127.0.0.1", port, milliseconds(300));
  EXPECT_THAT(Message(met.status()), HasSubstr("rank 1 of 2 has waited 0.3 s at the beginning"));
  EXPECT_LT(Clock::now() - begin, kDeadline / 2);
  for (int guest : guests) close(guest);
  close(listener);
}

}  // namespace
}  // namespace ashlar
