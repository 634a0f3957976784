// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One broken thing at a time: the verifier finds it and says where.
#include "runtime/program/verify_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/base/status.h"
#include "runtime/program/extent.h"
#include "runtime/program/verify_test_base.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using testing::ErrorAfter;
using ::testing::HasSubstr;
using testing::MakeExtent;
using testing::TinyProgram;

TEST(VerifyProgram, AcceptsTheTinyProgram) {
  EXPECT_EQ(ErrorAfter([](fb::ProgramT&) {}), "");
}

TEST(VerifyProgram, Dims) {
  EXPECT_THAT(ErrorAfter([](auto& p) { p.dims[1]->name = "batch"; }),
              HasSubstr("'batch' is empty or occurs twice"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.dims[1]->minimum = 9; }),
              HasSubstr("dimension 'seq': bounds 9..8"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.dims[0]->minimum = -1; }), HasSubstr("bounds -1..4"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.dims[0]->maximum = INT64_MAX; }),
              HasSubstr("dimension 'batch'"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.dims[1]->maximum = 9; }),
              HasSubstr("input 'x': expected 720 bytes"));
}

TEST(VerifyProgram, ImagesAndKernels) {
  EXPECT_THAT(ErrorAfter([](auto& p) { p.images[0]->offset = 1; }), HasSubstr("image 'x86-64'"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.images[0]->offset = UINT64_MAX; }),
              HasSubstr("the code section has"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.images[0]->entries.pop_back(); }),
              HasSubstr("expected 3 kernel entries"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.images[0]->entries[1] = p.images[0]->size; }),
              HasSubstr("kernel 'scale_shift' begins at"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.images.clear(); }), HasSubstr("no image"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.kernels[0]->operands[0] = static_cast<fb::Access>(7); }),
              HasSubstr("kernel 'dense': access 7"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.kernels[0]->grid[0]->dims[0] = 3; }), HasSubstr("grid"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.kernels[0]->grid[0]->divisor = 0; }), HasSubstr("grid"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.kernels[0]->scratch_bytes = UINT64_MAX; }),
              HasSubstr("scratch"));
}

TEST(VerifyProgram, DeviceImages) {
  // The tiny program as if its kernels had been compiled for a device.
  auto error = [](const std::function<void(fb::DeviceImageT&)>& change) {
    return ErrorAfter([&](fb::ProgramT& p) {
      auto image = std::make_unique<fb::DeviceImageT>();
      image->arch = "emulator";
      image->offset = p.images[0]->offset;
      image->size = p.images[0]->size;
      for (size_t i = 0; i < p.kernels.size(); ++i) {
        auto kernel = std::make_unique<fb::DeviceKernelT>();
        kernel->size = image->size;
        kernel->symbol = "k";
        kernel->threads = 64;
        image->kernels.push_back(std::move(kernel));
      }
      image->kernels[0]->grid.push_back(MakeExtent({0}, 2));
      p.images.clear();
      change(*image);
      p.device_images.push_back(std::move(image));
    });
  };
  EXPECT_EQ(error([](auto&) {}), "");
  EXPECT_THAT(error([](auto& i) { i.kind = static_cast<fb::DeviceKind>(2); }), HasSubstr("kind 2"));
  EXPECT_THAT(error([](auto& i) { i.offset = UINT64_MAX; }), HasSubstr("the code section has"));
  EXPECT_THAT(error([](auto& i) { i.kernels.pop_back(); }), HasSubstr("expected 3 kernels"));
  EXPECT_THAT(error([](auto& i) { i.kernels[1]->size = 0; }),
              HasSubstr("device image 'emulator', kernel 'scale_shift': 0 bytes of code"));
  EXPECT_THAT(error([](auto& i) { i.kernels[1]->offset = 1; }), HasSubstr("the image has"));
  EXPECT_THAT(error([](auto& i) { i.kernels[1]->entry = i.size; }), HasSubstr("entry"));
  EXPECT_THAT(error([](auto& i) {
                i.kind = fb::DeviceKind::Cuda;
                i.kernels[2]->symbol = "";
              }),
              HasSubstr("symbol ''"));
  for (uint32_t threads : {0u, 33u, 1056u})
    EXPECT_THAT(error([&](auto& i) { i.kernels[0]->threads = threads; }), HasSubstr("threads"));
  EXPECT_THAT(error([](auto& i) { i.kernels[0]->shared_bytes = 227 * 1024 + 1; }),
              HasSubstr("shared memory"));
  EXPECT_THAT(error([](auto& i) { i.kernels[0]->grid[0]->dims[0] = 9; }), HasSubstr("grid"));
  EXPECT_THAT(error([](auto& i) { i.kernels[0]->grid[0]->scale = 0x7fffffff; }),
              HasSubstr("the grid of kernel 'dense' for emulator overflows"));
  EXPECT_THAT(error([](auto& i) { i.kernels[0]->grid.push_back(MakeExtent({}, 65536)); }),
              HasSubstr("overflows"));
  EXPECT_THAT(error([](auto& i) {
                for (int d = 0; d < 3; ++d) i.kernels[0]->grid.push_back(MakeExtent({}, 1));
              }),
              HasSubstr("a grid of 4 dimensions"));
  // A tensor map of the first operand that kernel 0 only reads, right and then not.
  auto mapped = [&](const std::function<void(fb::TensorMapT&)>& change) {
    return error([&](fb::DeviceImageT& i) {
      auto map = std::make_unique<fb::TensorMapT>();
      map->rows = MakeExtent({}, 1);
      map->columns = map->box_columns = 8;
      map->row_bytes = 16;
      map->box_rows = 64;
      map->dtype = fb::DType::BF16;
      change(*map);
      i.kernels[0]->tensor_maps.push_back(std::move(map));
    });
  };
  EXPECT_EQ(mapped([](auto&) {}), "");
  EXPECT_THAT(mapped([](auto& m) { m.operand = 99; }), HasSubstr("a tensor map of operand 99"));
  EXPECT_THAT(mapped([](auto& m) { m.rows->dims.push_back(9); }), HasSubstr("number of rows"));
  EXPECT_THAT(mapped([](auto& m) { m.row_bytes = 24; }), HasSubstr("a limit of the copy engine"));
  EXPECT_THAT(mapped([](auto& m) { m.columns = 9; }), HasSubstr("a limit of the copy engine"));
  EXPECT_THAT(mapped([](auto& m) { m.box_rows = 257; }), HasSubstr("a limit of the copy engine"));
  EXPECT_THAT(mapped([](auto& m) { m.dtype = fb::DType::F32; }), HasSubstr("16 bits"));
  EXPECT_THAT(mapped([](auto& m) { m.rows->scale = 1 << 20; }),
              HasSubstr("a tensor map describes more than operand 0"));
  EXPECT_THAT(ErrorAfter([](fb::ProgramT& p) {
                p.device_images.push_back(std::make_unique<fb::DeviceImageT>());
              }),
              HasSubstr("for CPUs and for devices"));
}

TEST(VerifyProgram, Weights) {
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[0]->bytes -= 4; }),
              HasSubstr("weight 'dense.weight': expected 1280 bytes, found 1276"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[0]->dtype = fb::DType::BF16; }),
              HasSubstr("does not fit layout"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[0]->dtype = static_cast<fb::DType>(99); }),
              HasSubstr("dtype 99"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->offset = 1344; }),
              HasSubstr("132 bytes at 1344"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->offset = 4; }), HasSubstr("132 bytes at 4"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->offset = 64; }), HasSubstr("overlap"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[2]->offset = 128; }), HasSubstr("weight 'table'"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[0]->parts.pop_back(); }),
              HasSubstr("20 of 33 along dimension 1"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[0]->parts[0]->transposed = false; }),
              HasSubstr("tensor 'a.weight': shape [20, 5] does not fit [5, 33]"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->parts[0]->transposed = true; }),
              HasSubstr("cannot be part of"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->parts[0]->dtype = fb::DType::I64; }),
              HasSubstr("cannot be converted from I64 to F32"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights[1]->parts[0]->shape = {INT64_MAX}; }),
              HasSubstr("too large"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weight_source = fb::WeightSource::Embedded; }),
              HasSubstr("expected a weights section of 1412 bytes, found 0"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.weights_bytes = UINT64_MAX; }), HasSubstr("weights of"));
}

TEST(VerifyProgram, PaddedSizes) {
  fb::WeightT weight;
  uint64_t bytes;
  weight.layout = fb::Layout::PanelBF16;
  weight.dtype = fb::DType::BF16;
  weight.shape = {5, 33};
  ASSERT_TRUE(WeightBytes(weight, &bytes));
  EXPECT_EQ(bytes, 6u * 64 * 2);  // K to 6, N to an even number of panels of 16
  weight.shape = {INT64_MAX, 2};
  EXPECT_FALSE(WeightBytes(weight, &bytes));
  weight.shape = {5};
  EXPECT_FALSE(WeightBytes(weight, &bytes));
}

TEST(VerifyProgram, StatesAndLimits) {
  EXPECT_THAT(ErrorAfter([](auto& p) { p.states[1]->offset = 0; }),
              HasSubstr("states 'count' and 'total' overlap"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.states[1]->bytes = 33; }), HasSubstr("state 'count'"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.entries[1]->limits[0]->state = 2; }),
              HasSubstr("limit on state 2 of 2"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.entries[1]->limits[0]->rows = MakeExtent({0}, 2); }),
              HasSubstr("8 rows, the state has 4"));
  EXPECT_THAT(ErrorAfter([](auto& p) { p.entries[1]->limits[0]->add.reset(); }),
              HasSubstr("expected an I64 counter"));
}

TEST(VerifyProgram, Values) {
  auto x = [](fb::ProgramT& p) -> fb::ValueT& { return *p.entries[0]->inputs[0]; };
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).name = "factor"; }),
              HasSubstr("input 'factor': name is empty or occurs"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).bytes = 4; }),
              HasSubstr("expected 640 bytes for [4, 8, 5], found 4"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).offset = 9600; }),
              HasSubstr("640 bytes at 9600 in an arena of 9600"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).offset = 8; }), HasSubstr("640 bytes at 8"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).shape[0]->dims[0] = 2; }),
              HasSubstr("extent with dims [2]"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).shape[0]->scale = INT64_MAX; }),
              HasSubstr("overflows at the bound"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).shape[0]->divisor = -1; }),
              HasSubstr("divisor -1 is malformed"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { x(p).maximum = MakeExtent({}); }),
              HasSubstr("not integers"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { p.entries[0]->inputs[1]->default_value.reset(); }),
              HasSubstr("no value to fill"));
  EXPECT_THAT(
      ErrorAfter([&](auto& p) { p.entries[0]->outputs[0]->dtype = static_cast<fb::DType>(-2); }),
      HasSubstr("output 'logits': dtype -2"));
  EXPECT_THAT(ErrorAfter([&](auto& p) {
                for (auto& input : p.entries[0]->inputs)
                  input->shape[1]->divisor = 2, input->bytes /= 2;
              }),
              HasSubstr("dimension 'seq' is used but no input's shape gives it"));
}

TEST(VerifyProgram, Launches) {
  auto dense = [](fb::ProgramT& p) -> fb::LaunchT& { return *p.entries[0]->launches[0]; };
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).kernel = 3; }),
              HasSubstr("entry 'forward': launch 0 (layer.dense): kernel 3 of 3"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).operands.pop_back(); }),
              HasSubstr("takes 4 operands and 3 extents"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).operands[3]->space = fb::Space::Weights; }),
              HasSubstr("operand 3"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { p.kernels[0]->operands[1] = fb::Access::ReadWrite; }),
              HasSubstr("read-only"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).operands[0]->offset = UINT64_MAX - 3; }),
              HasSubstr("operand 0"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).operands[0]->space = static_cast<fb::Space>(4); }),
              HasSubstr("space 4"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).extents[2]->scale = int64_t{1} << 55; }),
              HasSubstr("grid"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).work[0]->amount->scale = INT64_MAX; }),
              HasSubstr("work: extent"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).work[1]->amount->scale = INT64_MAX; }),
              HasSubstr("work overflows"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).work[0]->amount.reset(); }),
              HasSubstr("without an amount"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { dense(p).work[0]->kind = static_cast<fb::WorkKind>(8); }),
              HasSubstr("work of kind 8"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { p.entries[1]->name = "forward"; }),
              HasSubstr("entry name 'forward'"));
  EXPECT_THAT(ErrorAfter([&](auto& p) { p.entries[0]->arena_lower_bound = 9601; }),
              HasSubstr("lower bound"));
}

TEST(Extent, RoundsUp) {
  int64_t values[] = {3, 5};
  EXPECT_EQ(Evaluate(*MakeExtent({0, 1}, 2, 4), values), 8);
  EXPECT_EQ(Evaluate(*MakeExtent({}, 7), values), 7);
  EXPECT_EQ(Evaluate(*MakeExtent({0}, 0), values), 0);
  int64_t out;
  EXPECT_TRUE(CheckedEvaluate(*MakeExtent({0, 1}, 2, 4), {3, 5}, &out));
  EXPECT_EQ(out, 8);
  EXPECT_FALSE(CheckedEvaluate(*MakeExtent({0}, -1), {3}, &out));
}

}  // namespace
}  // namespace ashlar
