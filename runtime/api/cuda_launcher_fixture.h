// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small program for a GPU and sessions of it, on a driver that is made up
// (runtime/device/cuda/testing/fake_cuda.cc says what that can show and what not).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/api/session.h"
#include "runtime/program/artifact_writer.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {

// step(x: f32[n]) -> y: f32[n] = x + 1, n to 100; at most three steps.
inline fb::ProgramT MakeProgram() {
  fb::ProgramT p;
  p.dims.push_back(testing::MakeDim("n", 100));
  for (const char* name : {"add", "count"}) {
    auto kernel = std::make_unique<fb::KernelT>();
    kernel->name = name;
    p.kernels.push_back(std::move(kernel));
  }
  p.kernels[0]->operands = {fb::Access::Read, fb::Access::Read, fb::Access::Write};
  p.kernels[0]->extents = 1;
  p.kernels[1]->operands = {fb::Access::ReadWrite};
  auto image = std::make_unique<fb::DeviceImageT>();
  image->kind = fb::DeviceKind::Cuda;
  image->arch = "sm_80";
  image->size = 64;
  for (const auto& kernel : p.kernels) {
    auto code = std::make_unique<fb::DeviceKernelT>();
    code->size = 64;
    code->symbol = kernel->name;
    code->threads = 32;
    code->shared_bytes = 64 * 1024;
    image->kernels.push_back(std::move(code));
  }
  image->kernels[0]->grid.push_back(testing::MakeExtent({0}, 1, 32));
  p.device_images.push_back(std::move(image));
  auto weight = std::make_unique<fb::WeightT>();
  weight->name = "w";
  weight->shape = {100};
  weight->bytes = p.weights_bytes = 400;
  auto part = std::make_unique<fb::WeightPartT>();
  part->tensor = "w";
  part->shape = {100};
  part->init = fb::Init::Ones;
  weight->parts.push_back(std::move(part));
  p.weights.push_back(std::move(weight));
  p.weight_source = fb::WeightSource::Random;
  p.states.push_back(testing::MakeState("count", 0, 8));
  p.state_bytes = 8;

  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "step";
  entry->arena_bytes = 1024;
  entry->inputs.push_back(testing::MakeValue("x", fb::DType::F32, 0, 400));
  entry->inputs[0]->shape.push_back(testing::MakeExtent({0}));
  entry->outputs.push_back(testing::MakeValue("y", fb::DType::F32, 512, 400));
  entry->outputs[0]->shape.push_back(testing::MakeExtent({0}));
  auto add = testing::MakeLaunch(0, "layer.add");
  add->operands.push_back(testing::MakeOperand(fb::Space::Arena, 0, 400));
  add->operands.push_back(testing::MakeOperand(fb::Space::Weights, 0, 400));
  add->operands.push_back(testing::MakeOperand(fb::Space::Arena, 512, 400));
  add->extents.push_back(testing::MakeExtent({0}));
  entry->launches.push_back(std::move(add));
  auto count = testing::MakeLaunch(1, "count");
  count->operands.push_back(testing::MakeOperand(fb::Space::State, 0, 8));
  entry->launches.push_back(std::move(count));
  auto limit = std::make_unique<fb::CounterLimitT>();
  limit->rows = testing::MakeExtent({}, 1);
  limit->add = testing::MakeExtent({}, 1);
  limit->limit = 3;
  entry->limits.push_back(std::move(limit));
  p.entries.push_back(std::move(entry));
  return p;
}

// The kernel `add` as if it were y = relu(x w^T + x + w) for x: f32[n / 4, 4], w: f32[4, 4] and the
// bias w[0]: another function of the same operands, so that results tell who has computed them.
inline fb::ProgramT MakeProductProgram() {
  fb::ProgramT program = MakeProgram();
  auto product = std::make_unique<fb::LibraryProductT>();
  product->left = product->addend = 0;
  product->weight = product->bias = 1;
  product->result = 2;
  product->rows = testing::MakeExtent({0}, 1, 4);
  product->columns = product->depth = product->left_stride = 4;
  product->activation = fb::Activation::Relu;
  program.device_images[0]->kernels[0]->product = std::move(product);
  return program;
}

class CudaLauncherTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("ASHLAR_CUDA_DRIVER", ASHLAR_FAKE_CUDA, 1); }
  void TearDown() override {
    for (const char* name : {"FAKE_CUDA_FAIL", "FAKE_CUDA_DEVICES", "FAKE_CUDA_MS",
                             "ASHLAR_CUDA_SYNC", "ASHLAR_CUBLASLT"})
      unsetenv(name);
    std::filesystem::remove(path_);
  }

  absl::StatusOr<std::unique_ptr<Session>> Open(const fb::ProgramT& program = MakeProgram()) {
    absl::Status written = WriteArtifact(path_, program, std::string(64, 'c'), "");
    if (!written.ok()) return written;
    auto loaded = Program::Load(path_);
    if (!loaded.ok()) return loaded.status();
    SessionOptions options;
    options.threads = 1;
    BindOptions bind;
    bind.device = "cuda";
    return Session::Create(*loaded, options, bind);
  }

  // A step over n elements; its results are checked where it succeeds.
  absl::Status Step(Session& session, int64_t n) {
    std::vector<float> x(n);
    for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(3 * i);
    std::vector<Tensor> outputs;
    absl::Status status = session.Run("step", {{"x", DType::kF32, {n}, x.data()}}, &outputs);
    if (!status.ok()) return status;
    EXPECT_EQ(outputs[0].shape, std::vector<int64_t>{n});
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(outputs[0].as<float>()[i], x[i] + 1) << i;
    return absl::OkStatus();
  }

  std::string path_ = ::testing::TempDir() + "ashlar_cuda_" + std::to_string(getpid()) + ".ashlar";
};

}  // namespace ashlar
