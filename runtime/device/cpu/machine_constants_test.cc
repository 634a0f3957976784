// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/machine_constants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MachineFileTest : public ::testing::Test {
 protected:
  void TearDown() override { unlink(path_.c_str()); }

  // What reading a file says that had `from` replaced by `to`.
  std::string ErrorAfter(const std::string& from, const std::string& to) {
    std::string text = ToJson(MachineConstants());
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_TRUE(WriteFile(path_, text.replace(at, from.size(), to)).ok());
    return std::string(ReadMachineFile(path_).status().message());
  }

  std::string path_ = ::testing::TempDir() + "machine_" + std::to_string(getpid()) + ".json";
};

TEST_F(MachineFileTest, EveryFieldComesBack) {
  MachineConstants machine;
  machine.cpu = "a \"quoted\" name";
  machine.date = "2026-01-02";
  machine.threads = 7;
  machine.f32 = {1, 2};
  machine.exp = {3, 4};
  machine.read = {5, 6};
  machine.copy = {7, 8};
  machine.cache = {9, 10};
  machine.cache_bytes = 11;
  machine.launch_seconds = 12e-9;
  machine.bf16_dot = {13, 14};
  machine.bf16_tile = {15, 16};
  ASSERT_TRUE(WriteMachineFile(path_, machine).ok());
  auto back = ReadMachineFile(path_);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ToJson(*back), ToJson(machine));
  EXPECT_NE(ToJson(*back), ToJson(MachineConstants()));
}

TEST_F(MachineFileTest, ErrorsNameFileAndField) {
  EXPECT_THAT(ErrorAfter("{", "["), AllOf(HasSubstr(path_), HasSubstr("expected a JSON object")));
  EXPECT_THAT(ErrorAfter("\"date\"", "\"day\""), HasSubstr("field 'date': expected a string"));
  EXPECT_THAT(ErrorAfter("\"threads\": 1", "\"threads\": 1.5"), HasSubstr("field 'threads'"));
  EXPECT_THAT(
      ErrorAfter("\"all_cores\"", "\"some_cores\""),
      HasSubstr("field 'f32_flops': expected positive numbers one_core and all_cores, found "
                "{\"one_core\":200000000000.0,\"some_cores\":200000000000.0}"));
  EXPECT_THAT(
      ErrorAfter("\"read_bytes\"", "\"write_bytes\""),
      HasSubstr("field 'read_bytes': expected positive numbers one_core and all_cores, found "
                "none"));
  EXPECT_THAT(ErrorAfter("\"launch_seconds\": ", "\"launch_seconds\": -"),
              HasSubstr("field 'launch_seconds': expected a positive number, found -2e-06"));
  EXPECT_THAT(ErrorAfter("\"cache_bytes\": ", "\"cache_bytes\": 1e999 , \"x\":"), HasSubstr(path_));
}

// Of products of bf16 a CPU has both rates or none; who has written a file without them, knew none.
TEST_F(MachineFileTest, RatesOfBf16MayBeNone) {
  const std::string none =
      "\"bf16_tile_flops\": {\n    \"one_core\": 0.0,\n    \"all_cores\": 0.0\n  }";
  EXPECT_EQ(ErrorAfter(none, "\"bf16_tile_flops\": {\"one_core\": 0, \"all_cores\": 0}"), "");
  EXPECT_EQ(ErrorAfter(none, "\"another\": 1"), "");
  auto read = ReadMachineFile(path_);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->bf16_tile.one_core, 0);
  EXPECT_EQ(read->bf16_tile.all_cores, 0);
  for (const char* wrong :
       {"{\"one_core\":15,\"all_cores\":0}", "{\"one_core\":0,\"all_cores\":15}",
        "{\"one_core\":-1,\"all_cores\":15}", "{\"one_core\":15}", "{}", "15", "null"})
    EXPECT_THAT(
        ErrorAfter(none, StrCat("\"bf16_tile_flops\": ", wrong)),
        AllOf(HasSubstr(path_),
              HasSubstr(StrCat("field 'bf16_tile_flops': expected positive numbers one_core "
                               "and all_cores, or 0 for both, found ",
                               wrong))));
}

TEST(MachineConstants, AreMeasured) {
  ThreadPool one(1), all(2);
  auto machine = MeasureMachine(one, all);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->threads, 2);
  EXPECT_EQ(machine->date.size(), 10u);
  EXPECT_NE(machine->cpu, MachineConstants().cpu);
  EXPECT_GT(machine->f32.one_core, 2e9);
  EXPECT_GT(machine->copy.all_cores, 0.3e9);
  EXPECT_GT(machine->cache.all_cores, 0.3e9);
  EXPECT_LT(machine->launch_seconds, 1e-3);
}

TEST(CachedMachinePath, FollowsTheEnvironment) {
  std::string before = std::getenv("XDG_CACHE_HOME") ? std::getenv("XDG_CACHE_HOME") : "";
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(CachedMachinePath(3), "/somewhere/ashlar/machine-3.json");
  setenv("XDG_CACHE_HOME", "relative", 1);  // as the specification says: ignored
  EXPECT_EQ(CachedMachinePath(3).find("relative"), std::string::npos);
  before.empty() ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", before.c_str(), 1);
}

}  // namespace
}  // namespace ashlar
