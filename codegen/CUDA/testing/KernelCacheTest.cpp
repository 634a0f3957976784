// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache gives back what was kept, and nothing where a file was cut, changed or is another's.

#include "codegen/CUDA/KernelCache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ashlar::cuda {
namespace {

namespace fs = std::filesystem;

class KernelCacheTest : public testing::Test {
protected:
  void TearDown() override { fs::remove_all(directory_); }

  /// Rewrites the only file in the cache.
  void change(const std::function<void(std::string &)> &edit) {
    fs::path path = fs::directory_iterator(directory_)->path();
    std::ifstream in(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    edit(text);
    std::ofstream(path, std::ios::binary) << text;
  }

  std::string directory_ = testing::TempDir() + "ashlar_kernels_" + std::to_string(getpid());
  CompiledKernel kernel_{std::string("code\n\0with zeros", 16), 3, 4096, 40, 8};
};

TEST_F(KernelCacheTest, GivesBackWhatWasKept) {
  KernelCache cache(directory_ + "/made/on/the/way");
  EXPECT_FALSE(cache.find("key"));
  cache.keep("key", kernel_);
  auto found = cache.find("key");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->code, kernel_.code);
  EXPECT_EQ(found->entry, 3u);
  EXPECT_EQ(found->sharedBytes, 4096u);
  EXPECT_EQ(found->registers, 40u);
  EXPECT_EQ(found->spillBytes, 8u);
  EXPECT_FALSE(cache.find("another key"));
}

TEST_F(KernelCacheTest, TakesADamagedFileForNone) {
  KernelCache cache(directory_);
  for (const std::function<void(std::string &)> &edit :
       {std::function<void(std::string &)>([](std::string &text) { text.pop_back(); }),
        std::function<void(std::string &)>([](std::string &text) { text.back() ^= 1; }),
        std::function<void(std::string &)>([](std::string &text) { text[0] ^= 1; }),
        std::function<void(std::string &)>([](std::string &text) { text = "x"; }),
        std::function<void(std::string &)>([](std::string &text) { text.clear(); })}) {
    cache.keep("key", kernel_);
    ASSERT_TRUE(cache.find("key"));
    change(edit);
    EXPECT_FALSE(cache.find("key"));
  }
}

TEST_F(KernelCacheTest, DoesWithoutAPlace) {
  KernelCache none("");
  none.keep("key", kernel_);
  EXPECT_FALSE(none.find("key"));
  std::ofstream(directory_) << "a file where the directory would be";
  KernelCache blocked(directory_);
  blocked.keep("key", kernel_);
  EXPECT_FALSE(blocked.find("key"));
}

} // namespace
} // namespace ashlar::cuda
