// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "runtime/base/error_code.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "ashlar_file_test_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  size_t FilesThere() const {
    auto begin = std::filesystem::directory_iterator(directory_);
    return std::distance(begin, std::filesystem::directory_iterator());
  }
  std::string directory_;
};

TEST_F(FileTest, CommitReplacesAtOnce) {
  std::string path = directory_ + "/a";
  ASSERT_TRUE(WriteFile(path, "old").ok());
  auto writer = AtomicFileWriter::Create(path);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Write("new!").ok());
  ASSERT_TRUE((*writer)->PadTo(8).ok());
  EXPECT_EQ((*writer)->position(), 8u);
  ASSERT_TRUE((*writer)->Overwrite(0, "N").ok());
  EXPECT_FALSE((*writer)->Overwrite(8, "x").ok());
  EXPECT_EQ(*ReadFile(path, 100), "old");
  ASSERT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ(*ReadFile(path, 100), std::string("New!\0\0\0\0", 8));
  EXPECT_EQ(FilesThere(), 1u);
}

TEST_F(FileTest, AppendsPartsOfOtherFiles) {
  const std::string from = directory_ + "/from", to = directory_ + "/to";
  std::string bytes(100000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 % 251);
  ASSERT_TRUE(WriteFile(from, bytes).ok());
  auto source = MappedFile::Open(from);
  ASSERT_TRUE(source.ok());
  // As it lies there; mapped only, once another file has its name; and over itself.
  for (int way = 0; way < 3; ++way) {
    if (way == 1) ASSERT_TRUE(WriteFile(from, std::string(100000, 'z')).ok());
    auto writer = AtomicFileWriter::Create(way == 2 ? from : to);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write("head").ok());
    ASSERT_TRUE((*writer)->Append(**source, 5000, 90001).ok());
    ASSERT_TRUE((*writer)->Append(**source, 100000, 0).ok());
    EXPECT_EQ((*writer)->position(), 90005u);
    ASSERT_TRUE((*writer)->Write("tail").ok());
    ASSERT_TRUE((*writer)->Commit().ok());
    EXPECT_TRUE(*ReadFile(way == 2 ? from : to, 1 << 20) ==
                "head" + bytes.substr(5000, 90001) + "tail")
        << way;
  }
}

TEST_F(FileTest, AppendingNoticesAChangedFile) {
  const std::string from = directory_ + "/from";
  ASSERT_TRUE(WriteFile(from, std::string(5000, 'x')).ok());
  auto source = MappedFile::Open(from);
  ASSERT_TRUE(source.ok());
  std::filesystem::resize_file(from, 6000);
  auto writer = AtomicFileWriter::Create(directory_ + "/to");
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(CodeOf((*writer)->Append(**source, 0, 5000)), ErrorCode::kFileChanged);
}

TEST_F(FileTest, WithoutCommitNothingIsLeft) {
  {
    auto writer = AtomicFileWriter::Create(directory_ + "/a");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write("new").ok());
    EXPECT_EQ(FilesThere(), 1u);
  }
  EXPECT_EQ(FilesThere(), 0u);
}

TEST_F(FileTest, WhatIsNoFileIsNotReplacedByOne) {
  const std::string pipe = directory_ + "/pipe", link = directory_ + "/link";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::filesystem::create_symlink(pipe, link);
  for (const std::string& path : {pipe, link}) {
    absl::Status status = WriteFile(path, "text");
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(Message(status).find(path + ": it is a device, pipe"), std::string::npos) << status;
  }
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(FilesThere(), 2u);
}

TEST_F(FileTest, ErrorsNameThePath) {
  std::string missing = directory_ + "/no/such";
  EXPECT_EQ(AtomicFileWriter::Create(missing).status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(Message(WriteFile(missing, "x")).find(missing), std::string::npos);
  EXPECT_FALSE(WriteFile(directory_, "x").ok());
  EXPECT_EQ(MappedFile::Open(missing).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(MappedFile::Open(directory_).ok());
  EXPECT_FALSE(ReadFile(directory_, 10).ok());
  ASSERT_TRUE(WriteFile(directory_ + "/a", "0123456789").ok());
  EXPECT_FALSE(ReadFile(directory_ + "/a", 9).ok());
  ASSERT_EQ(mkfifo((directory_ + "/fifo").c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::Open(directory_ + "/fifo").ok());
}

// A limit on the size of files stands for a disk that is full: the write fails in the middle.
TEST_F(FileTest, AFullDiskLeavesWhatWasThere) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(WriteFile(path, "old").ok());
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 64 << 10;
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status = WriteFile(path, std::string(1 << 20, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(CodeOf(status), ErrorCode::kDiskFull);
  EXPECT_NE(Message(status).find("cannot write " + path), std::string::npos) << status;
  EXPECT_EQ(*ReadFile(path, 100), "old");
  EXPECT_EQ(FilesThere(), 1u);
}

TEST_F(FileTest, MapsAlsoAnEmptyFile) {
  ASSERT_TRUE(WriteFile(directory_ + "/a", "").ok());
  EXPECT_EQ((*MappedFile::Open(directory_ + "/a"))->bytes(), "");
  ASSERT_TRUE(WriteFile(directory_ + "/a", "abc").ok());
  auto file = MappedFile::Open(directory_ + "/a");
  EXPECT_EQ((*file)->bytes(), "abc");
  (*file)->WillNeed(0, 100);
}

}  // namespace
}  // namespace ashlar
