// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

TEST(Crew, RunsEachOnceAndTellsTheFirstError) {
  auto crew = Crew::Create(3);
  ASSERT_TRUE(crew.ok()) << crew.status();
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> runs[3] = {};
    absl::Status status =
        (*crew)->Run([] { return absl::OkStatus(); },
                     [&](int index) {
                       ++runs[index];
                       return index == 0 ? absl::OkStatus() : DataLoss("of ", index);
                     });
    EXPECT_EQ(Message(status), "of 1");
    for (const auto& count : runs) EXPECT_EQ(count, 1);
    EXPECT_EQ(Message((*crew)->Run([] { return DataLoss("own"); },
                                   [](int) { return DataLoss("other"); })),
              "own");
  }
}

TEST(Crew, ThrowsWhatOneThrowsWhenAllAreDone) {
  auto crew = Crew::Create(2);
  ASSERT_TRUE(crew.ok()) << crew.status();
  std::atomic<int> runs{0};
  auto count = [&](int) {
    ++runs;
    return absl::OkStatus();
  };
  EXPECT_THROW((void)(*crew)->Run([]() -> absl::Status { throw std::bad_alloc(); }, count),
               std::bad_alloc);
  EXPECT_EQ(runs, 2);
  EXPECT_THROW((void)(*crew)->Run([] { return absl::OkStatus(); },
                                  [](int) -> absl::Status { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_TRUE((*crew)->Run([] { return absl::OkStatus(); }, count).ok());
  EXPECT_EQ(runs, 4);
}

}  // namespace
}  // namespace ashlar
