// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixture with the tiny program's artifact and checkpoint in a directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/api/session.h"
#include "runtime/base/file.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar::testing {

// x of `rows` rows of the tiny program, exact in f32.
std::vector<float> SomeX(int64_t rows);

// What its forward computes; every operation is exact, so the order of sums does not matter.
std::vector<float> Expected(const std::vector<float>& x, const std::vector<int64_t>& factor,
                            const std::vector<int64_t>& position);

// The elements of an F32 output.
std::vector<float> Floats(const Tensor& tensor);

class SessionTestBase : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_session_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
    ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", TinyCheckpoint()).ok());
    tiny_.program.weight_directory = directory_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::shared_ptr<const Program> LoadTiny() {
    std::string path = directory_ + "/tiny.ashlar";
    absl::Status written = tiny_.Write(path);
    EXPECT_TRUE(written.ok()) << written;
    auto program = Program::Load(path);
    EXPECT_TRUE(program.ok()) << program.status();
    return program.ok() ? *program : nullptr;
  }
  std::shared_ptr<const BoundProgram> BindTiny() {
    auto bound = BoundProgram::Bind(LoadTiny(), {});
    EXPECT_TRUE(bound.ok()) << bound.status();
    return bound.ok() ? *bound : nullptr;
  }
  std::unique_ptr<Session> MakeSession(int threads = 2) {
    SessionOptions options;
    options.threads = threads;
    auto session = Session::Create(LoadTiny(), options);
    EXPECT_TRUE(session.ok()) << session.status();
    return session.ok() ? *std::move(session) : nullptr;
  }

  TinyProgram tiny_;
  std::string directory_;
};

}  // namespace ashlar::testing
