// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which product kernels are plain products, and what cuBLASLt's entry points make of them: on the
// emulator, with the emulated library, against the interpreter.

#include "compiler/Interpreter/Parameters.h"
#include "test/lib/Execution.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "runtime/program/plain_products.h"
#include "llvm/Support/FormatVariadic.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using cuda::LibraryUse;
using interpreter::Array;
using interpreter::NamedArray;

struct Case {
  std::string name;
  std::string type, result; // of left and weight; of what the kernel stores
  std::string body;         // from the left operand %l and the product %p to %v, f32
  std::string described;    // the product that the artifact has, and who computes it; empty: none
  LibraryUse use = LibraryUse::Always;
  int64_t bound = 200, depth = 72;
  std::string bias = ""; // its type, where it is not the result's
};

/// %a stored in `type`, a weight, a bias and an addend in the result's type, and one kernel that
/// multiplies; inputs and results are f32.
std::string getModule(const Case &test) {
  std::string bias = test.bias.empty() ? test.result : test.bias;
  return llvm::formatv(R"mlir(
  !x = tensor<?x{1}xf32, #graph.dims<[seq, _]>>
  !h = tensor<?x{1}x{2}, #graph.dims<[seq, _]>>
  !f = tensor<?x72xf32, #graph.dims<[seq, _]>>
  !y = tensor<?x40xf32, #graph.dims<[seq, _]>>
  !o = tensor<?x40x{3}, #graph.dims<[seq, _]>>
  !w = tensor<40x{4}x{2}>
  !b = tensor<40x{5}>
  !v = tensor<40xf32>
  graph.dim @seq from 1 to {0}
  graph.state parameter model @w init normal stddev 0.2 : !w
  graph.state parameter model @b init normal stddev 1.0 : !b
  func.func @f(%x: !x {{graph.name = "x"}, %r: !y {{graph.name = "r"})
      -> (!y {{graph.name = "y"}) attributes {{graph.entry} {{
    %w = graph.read @w : !w
    %b = graph.read @b : !b
    %a = graph.fused "store_left" (%x1 = %x : !x) -> !h {{
      %n = graph.neg %x1 : !x
      %h = graph.cast %n : !x to !h
      graph.yield %h : !h
    }
    %s = graph.fused "store_addend" (%r1 = %r : !y) -> !o {{
      %n = graph.neg %r1 : !y
      %h = graph.cast %n : !y to !o
      graph.yield %h : !o
    }
    %o = graph.fused "product" (%a1 = %a : !h, %w1 = %w : !w, %b1 = %b : !b, %s1 = %s : !o) -> !o {{
      {6}
      %q = graph.cast %v : !y to !o
      graph.yield %q : !o
    }
    %z = graph.fused "widen" (%o1 = %o : !o) -> !y {{
      %c = graph.cast %o1 : !o to !y
      %n = graph.neg %c : !y
      graph.yield %n : !y
    }
    return %z : !y
  }
)mlir",
                       test.bound, test.depth, test.type, test.result,
                       test.depth % 72 ? test.depth : 72, bias, test.body);
}

constexpr const char *kLeft = R"(
      %l = graph.cast %a1 : !h to !x
      %p = graph.matmul %l, %w1 transpose_b : !x, !w)";
constexpr const char *kBias = R"(
      %b2 = graph.cast %b1 : !b to !v
      %pb = graph.add %p, %b2 : !y, !v)";

/// "200 x 40 x 72 BF16 -> F32, bias, relu", rows at the bound; with "kernel's: " before it where
/// the kernel computes it all the same.
std::string describe(const fb::DeviceKernelT &kernel, LibraryUse use, int64_t bound) {
  EXPECT_FALSE(kernel.product && kernel.own_product);
  const fb::LibraryProductT &product = *FindPlainProduct(kernel);
  EXPECT_EQ(product.chosen_by, use == LibraryUse::Auto ? fb::Chooser::Model : fb::Chooser::Option);
  EXPECT_EQ(product.rows->scale, 1);
  EXPECT_EQ(product.rows->dims.size(), 1u);
  std::string text =
      llvm::formatv("{0} x {1} x {2} {3} -> {4}", bound, product.columns, product.depth,
                    fb::EnumNameDType(product.dtype), fb::EnumNameDType(product.result_dtype));
  if (product.left_offset || product.left_stride != product.depth)
    text +=
        llvm::formatv(", left {0} bytes on, every {1}", product.left_offset, product.left_stride);
  text += product.bias >= 0 ? ", bias" : "";
  text += product.addend >= 0 ? ", addend" : "";
  text += product.activation == fb::Activation::Relu       ? ", relu"
          : product.activation == fb::Activation::GeluTanh ? ", gelu"
                                                           : "";
  return (kernel.product ? "" : "kernel's: ") + text + (product.tf32 ? ", tf32" : "");
}

class LibraryProducts : public testing::TestWithParam<Case> {
protected:
  LibraryProducts() {
    context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                        math::MathDialect>();
  }

  std::vector<NamedArray> makeInputs(int64_t rows) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    std::vector<NamedArray> inputs;
    for (auto [name, columns] :
         {std::pair<const char *, int64_t>{"x", GetParam().depth}, {"r", 40}}) {
      Array array(Builder(&context).getF32Type(), {rows, columns});
      for (double &value : array.floats)
        value = normal(random);
      inputs.push_back({name, std::make_shared<const Array>(std::move(array))});
    }
    return inputs;
  }

  MLIRContext context;
};

TEST_P(LibraryProducts, AgreeWithInterpreter) {
  const Case &test = GetParam();
  auto module = parseSourceString<ModuleOp>(getModule(test), &context);
  ASSERT_TRUE(module) << getModule(test);
  const int64_t rows = std::min<int64_t>(test.bound, 70);
  std::vector<NamedArray> inputs = makeInputs(rows);
  interpreter::StateStore states(interpreter::drawFromSeed(7));
  auto expected =
      interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
  ASSERT_TRUE(succeeded(expected));
  for (const Backend &backend : getEmulators({/*usesTf32=*/false, test.use})) {
    auto compiled = CompiledModule::create(*module, backend, {"", 7});
    ASSERT_TRUE(compiled);
    const fb::ProgramT &program = compiled->getSession().program().metadata();
    std::string described;
    for (const auto &kernel : program.device_images[0]->kernels)
      if (FindPlainProduct(*kernel))
        described += describe(*kernel, test.use, test.bound);
    EXPECT_EQ(described, test.described);
    EXPECT_EQ(compiled->getSession().library(),
              test.described.empty() ? ""
              : test.described[0] == 'k'
                  ? "the program's own kernels, as the artifact has chosen"
                  : "emulated cuBLASLt 13.0.0, 1 of 1 plain products, a workspace of 1024 bytes");
    auto found = compiled->run("f", inputs);
    ASSERT_TRUE(found);
    // What is stored in 16 bits can round either way.
    EXPECT_EQ(interpreter::compare(*found->front().array, *expected->front().array,
                                   test.result == "f32" ? getTolerance(test.depth) : 0x1p-7),
              "")
        << backend.name;
    auto part = compiled->run("f", take(inputs, 0, 3, rows - 5));
    ASSERT_TRUE(part);
    expectSameBits(*part, take(*found, 0, 3, rows - 5), backend.name);
  }
}

std::string after(const std::string &lines) { return std::string(kLeft) + lines; }
std::string afterBias(const std::string &lines) { return after(kBias + lines); }
constexpr const char *kAddend = "\n%s2 = graph.cast %s1 : !o to !y";

INSTANTIATE_TEST_SUITE_P(
    Are, LibraryProducts,
    testing::Values(
        Case{"Plain", "bf16", "bf16", after("\n%v = graph.reshape %p : !y to !y"),
             "200 x 40 x 72 BF16 -> BF16"},
        Case{"BiasAndAddend", "bf16", "f32",
             afterBias(std::string(kAddend) + "\n%v = graph.add %s2, %pb : !y, !y"),
             "200 x 40 x 72 BF16 -> F32, bias, addend"},
        Case{"NarrowBias", "bf16", "bf16", afterBias("\n%v = graph.relu %pb : !y"),
             "200 x 40 x 72 BF16 -> BF16, bias, relu"},
        Case{"Gelu", "f16", "f16", afterBias("\n%v = graph.gelu %pb tanh : !y"),
             "200 x 40 x 72 F16 -> F16, bias, gelu"},
        Case{"AddendFirst", "f16", "f16",
             after(std::string(kAddend) + "\n%pa = graph.add %p, %s2 : !y, !y" +
                   "\n%b2 = graph.cast %b1 : !b to !v\n%v = graph.add %pa, %b2 : !y, !v"),
             "200 x 40 x 72 F16 -> F16, bias, addend"},
        Case{"SinglePrecision", "f32", "f32",
             afterBias(std::string(kAddend) + "\n%u = graph.add %pb, %s2 : !y, !y" +
                       "\n%v = graph.gelu %u tanh : !y"),
             "200 x 40 x 72 F32 -> F32, bias, addend, gelu"},
        Case{"Slice", "bf16", "f32",
             "%c = graph.slice %a1 axis 1 from 72 size 72 : !h\n"
             "%l = graph.cast %c : tensor<?x72xbf16, #graph.dims<[seq, _]>> to !f\n"
             "%v = graph.matmul %l, %w1 transpose_b : !f, !w",
             "200 x 40 x 72 BF16 -> F32, left 144 bytes on, every 144", LibraryUse::Always, 200,
             144},
        // By the data sheets f32 arithmetic takes longer than reading the weights from 19.1 rows on
        // for an A100, from 40 on for an H100.
        Case{"ManyRows", "f32", "f32", after("\n%v = graph.reshape %p : !y to !y"),
             "41 x 40 x 72 F32 -> F32", LibraryUse::Auto, 41}),
    [](const auto &info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    AreNot, LibraryProducts,
    testing::Values(
        Case{"FewRows", "f32", "f32", after("\n%v = graph.reshape %p : !y to !y"),
             "kernel's: 19 x 40 x 72 F32 -> F32", LibraryUse::Auto, 19},
        Case{"OfMoreRowsInFewerBits", "bf16", "f32", after("\n%v = graph.reshape %p : !y to !y"),
             "kernel's: 153 x 40 x 72 BF16 -> F32", LibraryUse::Auto, 153},
        Case{"AskedFor", "bf16", "f32", after("\n%v = graph.reshape %p : !y to !y"),
             "kernel's: 200 x 40 x 72 BF16 -> F32", LibraryUse::Never},
        Case{"OfExactGelu", "f32", "f32", after("\n%v = graph.gelu %p exact : !y"), ""},
        Case{"OfOtherActivations", "f32", "f32", after("\n%v = graph.silu %p : !y"), ""},
        Case{"AddedToAnActivation", "f32", "f32",
             after("\n%u = graph.relu %p : !y\n%v = graph.add %u, %s1 : !y, !o"), ""},
        Case{"UsedTwice", "f32", "f32", after("\n%v = graph.add %p, %p : !y, !y"), ""},
        Case{"OfAWiderBias", "bf16", "bf16", after("\n%v = graph.add %p, %b1 : !y, !b"), "",
             LibraryUse::Always, 200, 72, "f32"},
        Case{"OfTwoBiases", "f32", "f32", afterBias("\n%v = graph.add %pb, %b2 : !y, !v"), ""},
        Case{"OfRowsThatAreNotAligned", "bf16", "f32", after("\n%v = graph.reshape %p : !y to !y"),
             "", LibraryUse::Always, 200, 77}),
    [](const auto &info) { return info.param.name; });

// A kernel has one choice for all architectures of an artifact: that of the largest device.
TEST(LibraryProductChoices, AreTheLargestDevices) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect>();
  const Case test{
      "", "f32", "f32", after("\n%v = graph.reshape %p : !y to !y"), "", LibraryUse::Auto, 30};
  auto choices = [&](const std::vector<std::string> &archs) {
    auto module = parseSourceString<ModuleOp>(getModule(test), &context);
    auto target = cuda::CudaTarget::create(archs, 2, {/*usesTf32=*/false, test.use});
    EXPECT_TRUE(module && target.ok());
    Backend backend{"cuda", "cuda-emulator", *std::move(target), /*roundsLeft=*/true};
    auto compiled = CompiledModule::create(*module, backend, {"", 7});
    std::string text;
    for (const auto &image : compiled->getSession().program().metadata().device_images)
      for (const auto &kernel : image->kernels)
        if (FindPlainProduct(*kernel))
          text += kernel->product ? "library " : "kernel ";
    return text;
  };
  EXPECT_EQ(choices({"emulator"}), "library ");
  EXPECT_EQ(choices({"emulator_90a"}), "kernel ");
  EXPECT_EQ(choices({"emulator", "emulator_90a"}), "kernel kernel ");
  EXPECT_EQ(choices({"emulator_90a", "emulator"}), "kernel kernel ");
}

} // namespace
} // namespace ashlar::test
