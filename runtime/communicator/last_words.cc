// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

#include "runtime/communicator/mpi.h"

namespace ashlar {
namespace {

std::atomic_flag is_taken = ATOMIC_FLAG_INIT;  // by who may change what follows
// Text that a signal handler may write.
char text[256];
volatile sig_atomic_t length = 0;  // 0: nothing is waited for

void WriteLastWords(int) {
  if (length > 0 && write(2, text, length) < 0) _exit(1);
  _exit(128 + SIGTERM);
}

}  // namespace

LastWords::LastWords(int rank, const Collective& call)
    : speaks_(!is_taken.test_and_set(std::memory_order_acquire)) {
  if (!speaks_) return;
  const std::string_view name = CollectiveName(call.kind);
  const int written =
      std::snprintf(text, sizeof(text),
                    "rank %d: ended from outside in %.*s of %.*s, because another rank has died\n",
                    rank, static_cast<int>(name.size()), name.data(),
                    static_cast<int>(std::min<size_t>(call.where.size(), 120)), call.where.data());
  length = std::min<int>(written, sizeof(text) - 1);
}

LastWords::~LastWords() {
  if (!speaks_) return;
  length = 0;
  is_taken.clear(std::memory_order_release);
}

void ReportTermination() {
  struct sigaction action = {};
  action.sa_handler = WriteLastWords;
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace ashlar
