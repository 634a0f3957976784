// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/error_code.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <locale>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

TEST(ErrorCode, PagesAreInOrderAndSaySomething) {
  int last = 0;
  for (const ErrorPage& page : ErrorPages()) {
    EXPECT_GT(static_cast<int>(page.code), last);
    last = static_cast<int>(page.code);
    EXPECT_FALSE(page.title.empty());
    EXPECT_GT(page.page.size(), page.title.size()) << page.title;
    EXPECT_EQ(ParseErrorName(ErrorName(page.code)), page.code);
  }
}

TEST(ErrorCode, NamesAreReadLeniently) {
  EXPECT_EQ(ErrorName(ErrorCode::kContextFull), "E0507");
  for (const char* name : {"E0507", "e507", "507", "0507"})
    EXPECT_EQ(ParseErrorName(name), ErrorCode::kContextFull) << name;
  for (const char* name : {"", "E", "E0000", "E9999", "E0507x", "x507"})
    EXPECT_FALSE(ParseErrorName(name)) << name;
}

TEST(ErrorCode, TheFirstCodeStays) {
  absl::Status status = WithCode(ErrorCode::kContextFull, OutOfRange("no room"));
  status = WithCode(ErrorCode::kBadArtifact, Annotate(status, "decode"));
  EXPECT_EQ(CodeOf(status), ErrorCode::kContextFull);
  EXPECT_EQ(Message(status), "decode: no room");
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(WithCode(ErrorCode::kBadArtifact, absl::OkStatus()).ok());
}

TEST(Status, MessagesDoNotFollowTheApplicationsLocale) {
  struct Grouped : std::numpunct<char> {
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new Grouped));
  const std::string text = StrCat(1234567, " ", 0.5, " ", StrJoin(std::vector<int>{1000}, ""));
  std::locale::global(before);
  EXPECT_EQ(text, "1234567 0.5 1000");
}

TEST(ErrorCode, EveryStatusHasOne) {
  EXPECT_EQ(CodeOf(DataLoss("x")), ErrorCode::kDataLoss);
  EXPECT_EQ(CodeOf(absl::AbortedError("x")), ErrorCode::kInternal);
  EXPECT_EQ(CodeOf(ErrnoError(ENOSPC, "cannot write", "/x")), ErrorCode::kDiskFull);
  EXPECT_EQ(CodeOf(ErrnoError(EROFS, "cannot write", "/x")), ErrorCode::kNoPermission);
  EXPECT_EQ(CodeOf(ErrnoError(EIO, "cannot write", "/x")), ErrorCode::kSystemCall);
}

}  // namespace
}  // namespace ashlar
