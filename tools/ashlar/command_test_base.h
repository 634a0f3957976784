// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A part of fixtures whose tests run the driver's commands.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tools/ashlar/command.h"

namespace ashlar::testing {

class CommandTestBase {
 protected:
  // Runs `ashlar ARGS...`; out_ and err_ are what it printed.
  int Ashlar(const Arguments& args) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    int code = Dispatch(RuntimeCommands(), args);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  std::string out_, err_;
};

}  // namespace ashlar::testing
