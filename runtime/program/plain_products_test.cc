// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/plain_products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeDim;
using testing::MakeExtent;
using testing::MakeLaunch;

std::unique_ptr<fb::DeviceKernelT> MakeKernel(bool has_product, bool by_library) {
  auto kernel = std::make_unique<fb::DeviceKernelT>();
  if (!has_product) return kernel;
  auto product = std::make_unique<fb::LibraryProductT>();
  product->rows = MakeExtent({0}, 2);
  product->columns = 8;
  product->depth = 4;
  product->dtype = fb::DType::BF16;
  (by_library ? kernel->product : kernel->own_product) = std::move(product);
  return kernel;
}

TEST(PlainProducts, Uses) {
  fb::DeviceImageT image;
  for (bool by_library : {true, false}) image.kernels.push_back(MakeKernel(true, by_library));
  image.kernels.push_back(MakeKernel(false, false));
  EXPECT_EQ(CountProducts(image).plain, 2u);
  EXPECT_EQ(CountProducts(image).librarys, 1u);
  fb::EntryT entry;
  for (auto [kernel, scale] : {std::pair<int, int>{1, 1}, {0, 3}, {2, 1}, {0, 1}, {0, 3}, {1, 0}}) {
    entry.launches.push_back(MakeLaunch(kernel, "layer"));
    entry.launches.back()->extents.push_back(MakeExtent({0}, scale));
  }
  auto uses = FindProductUses(image, entry, {5});
  ASSERT_EQ(uses.size(), 3u);
  EXPECT_EQ(uses[0].kernel, 0u);
  EXPECT_EQ(uses[0].rows, 10);
  EXPECT_EQ(uses[0].count, 1);
  EXPECT_EQ(uses[0].launch, entry.launches[3].get());
  EXPECT_EQ(uses[1].rows, 30);
  EXPECT_EQ(uses[1].count, 2);
  EXPECT_EQ(uses[1].launch, entry.launches[1].get());
  EXPECT_THAT(uses[1].extents, ElementsAre(15));
  EXPECT_EQ(uses[2].kernel, 1u);
  EXPECT_EQ(uses[2].entry, &entry);
}

TEST(PlainProducts, LargestDims) {
  fb::ProgramT program;
  program.dims.push_back(MakeDim("batch", 11));
  program.dims.push_back(MakeDim("seq", 64));
  program.dims[1]->minimum = 2;
  program.dims.push_back(MakeDim("heads", 99));  // three ranks share the sequences: derived
  program.dims[2]->whole = MakeExtent({0});
  program.dims[2]->cuts.push_back(fb::Cut(1, 3));
  fb::EntryT entry;
  EXPECT_THAT(*LargestDims(program, entry, {}), ElementsAre(11, 64, 4));
  EXPECT_THAT(*LargestDims(program, entry, {{"batch", 2}}), ElementsAre(2, 64, 1));
  EXPECT_THAT(*LargestDims(program, entry, {{"seq", 2}}), ElementsAre(11, 2, 4));
  entry.microbatches = 2;
  EXPECT_THAT(*LargestDims(program, entry, {}), ElementsAre(6, 64, 2));
  entry.microbatches = 16;
  EXPECT_THAT(*LargestDims(program, entry, {}), ElementsAre(1, 64, 1));
  EXPECT_THAT(Message(LargestDims(program, entry, {{"seq", 65}}).status()),
              HasSubstr("'seq' is 65, the artifact was compiled for 2..64"));
  EXPECT_THAT(Message(LargestDims(program, entry, {{"seq", 1}}).status()), HasSubstr("2..64"));
  EXPECT_THAT(Message(LargestDims(program, entry, {{"heads", 1}}).status()),
              HasSubstr("no dimension 'heads'"));
}

TEST(PlainProducts, PinsReplaceEachOther) {
  auto kernel = MakeKernel(true, true);
  EXPECT_EQ(DescribeChoice(*kernel), "cuBLASLt");
  kernel->product->chosen_by = fb::Chooser::Option;
  EXPECT_EQ(DescribeChoice(*kernel), "cuBLASLt, as asked for (--cuda-products)");
  kernel->product->chosen_by = fb::Chooser::Model;
  EXPECT_EQ(DescribeChoice(*kernel),
            "cuBLASLt, by the cost model: it computes longer than it waits for memory");
  const fb::LibraryProductT* product = FindPlainProduct(*kernel);
  fb::MeasurementT measurement;
  measurement.device = "A100";
  measurement.library = "cuBLASLt 1";
  measurement.date = "today";
  measurement.rows = 3;
  measurement.kernel_us = 1.25;
  measurement.library_us = 2;
  PinProduct(*kernel, false, measurement);
  EXPECT_FALSE(kernel->product);
  EXPECT_EQ(FindPlainProduct(*kernel), product);
  EXPECT_EQ(
      DescribeChoice(*kernel),
      "its kernel, as measured today (A100; cuBLASLt 1): cuBLASLt 2.0 us, its kernel 1.2 at 3 "
      "rows");
  for (int again = 0; again < 2; ++again) {
    PinProduct(*kernel, true, measurement);
    EXPECT_EQ(kernel->product.get(), product);
    EXPECT_FALSE(kernel->own_product);
  }
  PinProduct(*kernel, false, {});
  EXPECT_THAT(DescribeChoice(*kernel), HasSubstr("no algorithm of cuBLASLt"));
}

TEST(PlainProducts, InWords) {
  auto kernel = MakeKernel(true, false);
  fb::LibraryProductT& product = *kernel->own_product;
  kernel->own_product->chosen_by = fb::Chooser::Model;
  EXPECT_EQ(DescribeChoice(*kernel), "its kernel, by the cost model: it waits for memory");
  EXPECT_EQ(DescribeShape(product, 7), "7 x 8 x 4");
  EXPECT_EQ(DescribeTypes(product), "BF16 -> F32");
  EXPECT_EQ(DescribeEpilogue(product), "none");
  product.dtype = fb::DType::F32;
  product.tf32 = true;
  product.bias = product.addend = 1;
  product.activation = fb::Activation::GeluTanh;
  EXPECT_EQ(DescribeTypes(product), "F32 (tf32) -> F32");
  EXPECT_EQ(DescribeEpilogue(product), "bias, addend, gelu tanh");
}

}  // namespace
}  // namespace ashlar
