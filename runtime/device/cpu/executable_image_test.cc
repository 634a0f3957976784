// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/executable_image.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

// The permissions of the mapping that holds the address, "r-xp" for example.
std::string PermissionsAt(const void* address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin, end;
    char dash;
    std::string permissions;
    std::istringstream(line) >> std::hex >> begin >> dash >> end >> permissions;
    uintptr_t at = reinterpret_cast<uintptr_t>(address);
    if (begin <= at && at < end) return permissions;
  }
  return "";
}

TEST(ExecutableImage, RunsAKernelAndCannotBeWritten) {
  testing::TinyProgram tiny;
  auto image = ExecutableImage::Create(tiny.code);
  ASSERT_TRUE(image.ok()) << image.status();
  KernelFunction accumulate = (*image)->Entry(tiny.program.images[0]->entries[2]);
  EXPECT_EQ(PermissionsAt(reinterpret_cast<void*>(accumulate)), "r-xp");
  int64_t value[2] = {5, 7}, total[2] = {1, 2}, count[2] = {0, 0}, out[2] = {0, 0};
  void* buffers[] = {value, total, count, out};
  CallKernel(accumulate, buffers, nullptr, 1, 2, nullptr);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 9);
  EXPECT_EQ(count[1], 1);
  EXPECT_FALSE(ExecutableImage::Create("").ok());
}

}  // namespace
}  // namespace ashlar
