// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One broken thing at a time in the description of a library's product.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/base/status.h"
#include "runtime/program/verify_test_base.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using testing::ErrorAfter;
using ::testing::HasSubstr;
using testing::MakeExtent;

TEST(VerifyProgram, LibraryProducts) {
  // The first kernel (x, weight, bias, product) as a product that a library could compute.
  auto error = [](const std::function<void(fb::ProgramT&, fb::LibraryProductT&)>& change) {
    return ErrorAfter([&](fb::ProgramT& p) {
      auto image = std::make_unique<fb::DeviceImageT>();
      image->arch = "emulator";
      image->size = p.images[0]->size;
      for (size_t i = 0; i < p.kernels.size(); ++i) {
        auto kernel = std::make_unique<fb::DeviceKernelT>();
        kernel->size = image->size;
        kernel->threads = 64;
        image->kernels.push_back(std::move(kernel));
      }
      auto product = std::make_unique<fb::LibraryProductT>();
      product->weight = 1;
      product->bias = 2;
      product->result = 3;
      product->rows = MakeExtent({2});
      product->columns = 8;
      product->depth = product->left_stride = 4;
      p.images.clear();
      change(p, *product);
      image->kernels[0]->product = std::move(product);
      p.device_images.push_back(std::move(image));
    });
  };
  using P = fb::LibraryProductT;
  EXPECT_EQ(error([](auto&, P&) {}), "");
  EXPECT_EQ(
      error([](auto&, P& p) { p.addend = 0, p.columns = 5, p.activation = fb::Activation::Relu; }),
      "");
  for (auto change :
       std::vector<std::function<void(P&)>>{[](P& p) { p.left = 4; }, [](P& p) { p.weight = 3; },
                                            [](P& p) { p.bias = -2; }, [](P& p) { p.addend = 99; }})
    EXPECT_THAT(error([&](auto&, P& p) { change(p); }),
                HasSubstr("one of which the kernel does not read only"));
  for (int result : {1, 4})
    EXPECT_THAT(error([&](auto&, P& p) { p.result = result; }),
                HasSubstr("which the kernel does not write only"));
  EXPECT_THAT(error([](auto&, P& p) { p.rows->dims[0] = 9; }), HasSubstr("number of rows"));
  EXPECT_THAT(error([](auto&, P& p) { p.rows->scale = 0x7fffffff; }),
              HasSubstr("the rows of a library's product overflow at the bound"));
  for (auto change : std::vector<std::function<void(P&)>>{
           [](P& p) { p.dtype = fb::DType::I8; },
           [](P& p) { p.dtype = static_cast<fb::DType>(99); },
           [](P& p) { p.result_dtype = fb::DType::BF16; },
           [](P& p) { p.dtype = fb::DType::BF16, p.tf32 = true; },
           [](P& p) { p.activation = static_cast<fb::Activation>(3); }})
    EXPECT_THAT(error([&](auto&, P& p) { change(p); }), HasSubstr("a library's product of dtype"));
  for (auto change : std::vector<std::function<void(P&)>>{
           [](P& p) { p.columns = 0; }, [](P& p) { p.columns = uint64_t{1} << 31; },
           [](P& p) { p.depth = 0; }, [](P& p) { p.depth = 3; }, [](P& p) { p.left_stride = 0; },
           [](P& p) { p.left_stride = 6; }, [](P& p) { p.left_stride = uint64_t{1} << 62; },
           [](P& p) { p.left_offset = 8; }})
    EXPECT_THAT(error([&](auto&, P& p) { change(p); }),
                HasSubstr("rows must begin at multiples of 16 bytes, and counts fit 31 bits"));
  // At the bound of 32 rows the left operand has 640 bytes.
  EXPECT_EQ(error([](auto&, P& p) { p.left_offset = 128; }), "");
  for (auto change : std::vector<std::function<void(P&)>>{
           [](P& p) { p.left_offset = 144; }, [](P& p) { p.left_offset = UINT64_MAX - 15; },
           [](P& p) { p.left_stride = 8; }, [](P& p) { p.rows->scale = 2; }})
    EXPECT_THAT(error([&](auto&, P& p) { change(p); }), HasSubstr("of operand 0's 640"));
  EXPECT_THAT(error([](auto&, P& p) { p.columns = 100; }), HasSubstr("of operand 1's 1280"));
  EXPECT_THAT(error([](auto&, P& p) { p.columns = 40; }), HasSubstr("of operand 2's 132"));
  EXPECT_THAT(error([](auto&, P& p) { p.bias = -1, p.columns = 40; }),
              HasSubstr("a library's product takes 5120 bytes at 0 of operand 3's 4224"));
  EXPECT_THAT(error([](fb::ProgramT& p, P&) {
                p.entries[0]->launches[0]->operands[0]->offset += 8;
                p.entries[0]->launches[0]->operands[0]->bytes -= 8;
              }),
              HasSubstr("or it does not begin at a multiple of 16"));
}

}  // namespace
}  // namespace ashlar
