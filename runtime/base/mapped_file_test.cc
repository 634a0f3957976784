// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that change under the program.
#include "runtime/base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/base/error_code.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace ashlar {
namespace {

using ::testing::HasSubstr;

class MappedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "ashlar_mapped_file_test_" + std::to_string(getpid());
    ASSERT_TRUE(WriteFile(path_, std::string(3 * 4096, 'x')).ok());
    auto file = MappedFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *file;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  char At(size_t offset) const {
    return static_cast<const volatile char*>(file_->bytes().data())[offset];
  }

  std::string path_;
  std::shared_ptr<const MappedFile> file_;
};

TEST_F(MappedFileTest, AFileThatIsLeftAloneIsUnchanged) {
  EXPECT_EQ(At(9000), 'x');
  EXPECT_TRUE(file_->CheckUnchanged().ok());
}

TEST_F(MappedFileTest, WhatIsCutOffReadsAsZeroAndIsTold) {
  GuardMappedFiles();
  ASSERT_EQ(truncate(path_.c_str(), 4096), 0);
  EXPECT_TRUE(file_->CheckNotCut().ok());  // nobody has looked yet
  EXPECT_EQ(At(100), 'x');
  EXPECT_EQ(At(9000), '\0');
  EXPECT_EQ(At(4096), '\0');
  absl::Status status = file_->CheckNotCut();
  EXPECT_EQ(CodeOf(status), ErrorCode::kFileChanged);
  EXPECT_THAT(Message(status), HasSubstr(path_ + " became shorter"));
  EXPECT_FALSE(file_->CheckUnchanged().ok());
  // The next mapping is none the worse.
  ASSERT_TRUE(WriteFile(path_, std::string(3 * 4096, 'y')).ok());
  file_ = *MappedFile::Open(path_);
  EXPECT_TRUE(file_->CheckUnchanged().ok());
  EXPECT_EQ(At(9000), 'y');
}

TEST_F(MappedFileTest, SizeAndTimeOfChangeCount) {
  ASSERT_EQ(truncate(path_.c_str(), 5 * 4096), 0);
  EXPECT_THAT(Message(file_->CheckUnchanged()), HasSubstr("went from 12288 to 20480 bytes"));
  ASSERT_EQ(truncate(path_.c_str(), 3 * 4096), 0);
  std::filesystem::last_write_time(
      path_, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_THAT(Message(file_->CheckUnchanged()), HasSubstr("was written to"));
}

TEST_F(MappedFileTest, AFileThatAnotherIsRenamedOverIsAsItWas) {
  ASSERT_TRUE(WriteFile(path_, "short").ok());
  EXPECT_TRUE(file_->CheckUnchanged().ok());
  EXPECT_EQ(At(9000), 'x');
  std::filesystem::remove(path_);
  EXPECT_TRUE(file_->CheckUnchanged().ok());
}

// A bus error elsewhere is not ours: the process ends by it.
void ReadBeyondAnotherMapping(const std::string& path) {
  GuardMappedFiles();
  std::FILE* file = std::fopen(path.c_str(), "r");
  void* data = mmap(nullptr, 3 * 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
  if (truncate(path.c_str(), 0) != 0) _exit(1);
  _exit(static_cast<volatile char*>(data)[0] == 0 ? 2 : 3);
}

TEST_F(MappedFileTest, OtherBusErrorsStay) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer handles bus errors in its own way";
#endif
  EXPECT_EXIT(ReadBeyondAnotherMapping(path_), ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace ashlar
