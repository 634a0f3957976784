// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One broken thing at a time in the description of a library's product.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/program/verify_test_base.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using testing::ErrorAfter;
using ::testing::HasSubstr;

using P = fb::LibraryProductT;

// What the verifier says where the first kernel is a product that a library could compute, after
// `change`, and after `place`, which may put it elsewhere in the kernel's description.
std::string ErrorOf(const std::function<void(fb::ProgramT&, P&)>& change,
                    const std::function<void(fb::DeviceKernelT&)>& place = nullptr) {
  return ErrorAfter([&](fb::ProgramT& p) {
    change(p, testing::DescribeProduct(p));
    if (place) place(*p.device_images[0]->kernels[0]);
  });
}

TEST(VerifyProgram, LibraryProducts) {
  auto error = [](const std::function<void(fb::ProgramT&, P&)>& change) { return ErrorOf(change); };
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

// A product that the kernel computes all the same is one like any other; nobody says both.
TEST(VerifyProgram, ProductsThatAreTheKernels) {
  auto error = [](const std::function<void(P&)>& change) {
    return ErrorOf([&](auto&, P& p) { change(p); },
                   [](auto& kernel) { kernel.own_product = std::move(kernel.product); });
  };
  EXPECT_EQ(error([](P&) {}), "");
  EXPECT_THAT(error([](P& p) { p.depth = 0; }), HasSubstr("and counts fit 31 bits"));
  EXPECT_THAT(error([](P& p) { p.left_offset = 144; }), HasSubstr("of operand 0's 640"));
  EXPECT_THAT(
      ErrorOf([](auto&, P&) {},
              [](auto& kernel) { kernel.own_product = std::make_unique<P>(*kernel.product); }),
      HasSubstr("a product that the library computes and that it does not"));
}

TEST(VerifyProgram, ChoicesOfProducts) {
  using M = fb::MeasurementT;
  auto error = [](const std::function<void(P&, M&)>& change) {
    return ErrorOf([&](auto&, P& p) {
      M measurement;
      measurement.device = "Fake, sm_86";
      measurement.library = "cuBLASLt 13.0.0";
      measurement.date = "2026-11-22";
      measurement.rows = 3;
      measurement.kernel_us = 2;
      measurement.library_us = 1;
      p.chosen_by = fb::Chooser::Measurement;
      change(p, measurement);
      if (!p.measurement) p.measurement = std::make_unique<M>(measurement);
    });
  };
  EXPECT_EQ(error([](P&, M&) {}), "");
  EXPECT_EQ(error([](P&, M& m) { m.library_us = 0; }), "");
  EXPECT_THAT(error([](P& p, M&) { p.chosen_by = static_cast<fb::Chooser>(4); }),
              HasSubstr("a library's product chosen by 4"));
  EXPECT_THAT(error([](P& p, M&) { p.chosen_by = static_cast<fb::Chooser>(-1); }),
              HasSubstr("a library's product chosen by -1"));
  EXPECT_THAT(error([](P& p, M&) { p.chosen_by = fb::Chooser::Model; }),
              HasSubstr("chosen by no measurement, and has one all the same"));
  EXPECT_THAT(ErrorOf([](auto&, P& p) { p.chosen_by = fb::Chooser::Measurement; }),
              HasSubstr("chosen by a measurement, and has none"));
  for (auto field : {&M::device, &M::library, &M::date})
    for (const std::string& text :
         {std::string(), std::string(257, 'x'), std::string("a\x1b[2Jb"), std::string("a\0b", 3)})
      EXPECT_THAT(error([&](P&, M& m) { m.*field = text; }),
                  HasSubstr("as the name of its device or library, or as its date"));
  EXPECT_EQ(error([](P&, M& m) { m.device = std::string(256, 'x'); }), "");
  const double kNan = std::numeric_limits<double>::quiet_NaN();
  for (auto field : {&M::kernel_us, &M::library_us})
    for (double time : {-1.0, kNan, 2e12, std::numeric_limits<double>::infinity()})
      EXPECT_THAT(error([&](P&, M& m) { m.*field = time; }), HasSubstr("us at 3 rows"));
  for (uint64_t rows : {uint64_t{0}, uint64_t{1} << 31})
    EXPECT_THAT(error([&](P&, M& m) { m.rows = rows; }), HasSubstr("a measurement of 2 and 1 us"));
}

}  // namespace
}  // namespace ashlar
