// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/tcp.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/communicator/messages.h"
#include "runtime/communicator/rendezvous.h"
#include "runtime/communicator/tcp_transport.h"

namespace ashlar {
namespace {

constexpr auto kJoinDeadline = std::chrono::seconds(60);

int Variable(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int value = otherwise;
  if (text &&
      std::from_chars(text, text + std::strlen(text), value).ptr != text + std::strlen(text))
    return otherwise;
  return value;
}

}  // namespace

bool IsUnderLauncher() {
  return std::getenv("RANK") && Variable("WORLD_SIZE", 1) > 1 && std::getenv("MASTER_ADDR") &&
         std::getenv("MASTER_PORT");
}

absl::StatusOr<std::unique_ptr<Communicator>> JoinTcp(std::chrono::milliseconds deadline) {
  const int rank = Variable("RANK", -1), size = Variable("WORLD_SIZE", -1);
  int port = Variable("MASTER_PORT", -1);
  const char* host = std::getenv("MASTER_ADDR");
  if (!host || rank < 0 || rank >= size || port < 1 || port > 65534)
    return FailedPrecondition(
        "a launcher sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; found rank ", rank, " of ",
        size, ", port ", port);
  const char* store = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  if (store && std::string_view(store) == "True") ++port;
  ASHLAR_ASSIGN_OR_RETURN(std::vector<int> sockets,
                          MeetRanks(rank, size, host, port, kJoinDeadline));
  return MakeMessages(std::make_unique<TcpTransport>(rank, sockets), deadline);
}

}  // namespace ashlar
