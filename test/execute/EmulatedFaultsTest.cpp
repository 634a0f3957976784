// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Faults planted in a kernel are found on the way that every program takes: compiled into an
// artifact's emulator image, launched by the runtime on the session's arena. The error names the
// kernel and the layer; the same kernel without the fault gives the interpreter's result.

#include "test/lib/Execution.h"

#include "codegen/CUDA/KernelCompiler.h"
#include "dialects/Graph/Graph.h"
#include "runtime/base/status.h"
#include "runtime/device/emulator/emulator_abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <numeric>

using namespace mlir;

namespace ashlar::test {
namespace {

using ::testing::HasSubstr;

/// -x, by way of shared memory; $FAULT and $SYNC are where faults are planted. A block is a row.
constexpr char kText[] = R"(
#include "device.h"
namespace ashlar {
struct Parameters {
  const float *in0;
  float *out0;
  int64 batch, seq;
};
struct Staging {
  float value[64];
};
ASHLAR_SHARED(planted, Staging);
ASHLAR_KERNEL(planted, 64, Parameters, p) {
  auto &staging = shared<Staging>();
  const int32 t = thread_index(), at = block_x() * 64 + t;
  $STAGE
  $SYNC
  p.out0[at] = -staging.value[t];
  $FAULT
}
} // namespace ashlar
)";

/// A target whose every kernel is one text.
class TextTarget : public Target {
public:
  explicit TextTarget(std::string text) : text(std::move(text)) {}

  bool hasPanels() const override { return false; }
  FailureOr<KernelDescription> describe(func::FuncOp) const override { return KernelDescription(); }
  FailureOr<std::vector<CodeImage>> compile(ArrayRef<func::FuncOp> kernels) const override {
    auto compiler = cuda::KernelCompiler::create("emulator", cuda::KernelCache::open());
    if (!compiler.ok())
      return emitError(func::FuncOp(kernels.front()).getLoc()) << Message(compiler.status());
    auto compiled = (*compiler)->compile(text, "planted");
    if (!compiled.ok())
      return emitError(func::FuncOp(kernels.front()).getLoc()) << Message(compiled.status());
    CodeImage image;
    image.cpu = "emulator";
    image.emulatorAbi = emulator::kAbiVersion;
    image.code.assign(compiled->code.begin(), compiled->code.end());
    DeviceKernel kernel;
    kernel.size = image.code.size();
    kernel.entry = compiled->entry;
    Builder b(func::FuncOp(kernels.front()).getContext());
    kernel.grid = {Extent{1, {b.getStringAttr("batch"), b.getStringAttr("seq")}, 1}};
    kernel.threads = 64;
    kernel.sharedBytes = compiled->sharedBytes;
    image.kernels.assign(kernels.size(), kernel);
    return std::vector<CodeImage>{image};
  }

private:
  std::string text;
};

constexpr char kModule[] = R"mlir(
  !x = tensor<?x?x64xf32, #graph.dims<[batch, seq, _]>>
  graph.dim @batch from 1 to 2
  graph.dim @seq from 1 to 3
  func.func @f(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}, !x {graph.name = "z"})
      attributes {graph.entry} {
    %y = graph.fused "planted" (%a = %x : !x) -> !x {
      %0 = graph.neg %a : !x loc("layers.3.inner")
      graph.yield %0 : !x
    } loc("layers.3.mlp")
    %z = graph.fused "planted" (%a = %y : !x) -> !x {
      %0 = graph.neg %a : !x loc("layers.4.inner")
      graph.yield %0 : !x
    } loc("layers.4.mlp")
    return %y, %z : !x, !x
  }
)mlir";

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

class EmulatedFaults : public ::testing::Test {
protected:
  void SetUp() override {
    if (getBackends().back().device != "cuda-emulator")
      GTEST_SKIP() << "this build has no emulator, or no clang++ for its kernels";
  }

  /// Runs the module with this text as its kernel.
  absl::Status run(const std::string &sync, const std::string &fault = "",
                   const std::string &stage = "staging.value[t] = p.in0[at];") {
    DialectRegistry registry;
    registry
        .insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
    MLIRContext context(registry);
    auto module = parseSourceString<ModuleOp>(kModule, &context);
    EXPECT_TRUE(module);
    std::string text =
        replaced(replaced(replaced(kText, "$STAGE", stage), "$SYNC", sync), "$FAULT", fault);
    Backend backend{"planted", "cuda-emulator", std::make_shared<TextTarget>(text)};
    compiled = CompiledModule::create(*module, backend, {"", 1});
    if (!compiled)
      return absl::InternalError("not compiled");
    x.resize(2 * 3 * 64);
    std::iota(x.begin(), x.end(), 1.0f);
    return compiled->getSession().Run("f", {{"x", DType::kF32, {2, 3, 64}, x.data()}}, &outputs);
  }

  std::unique_ptr<CompiledModule> compiled;
  std::vector<float> x;
  std::vector<Tensor> outputs;
};

constexpr char kSync[] = "block_sync();";

TEST_F(EmulatedFaults, NoneInTheKernelItself) {
  ASSERT_TRUE(run(kSync).ok());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(outputs[0].as<float>()[i], -x[i]);
    ASSERT_EQ(outputs[1].as<float>()[i], x[i]);
  }
}

TEST_F(EmulatedFaults, AccessOutsideOfItsOperandInsideTheArena) {
  // The operand has 1536 bytes; what lies before or behind it in the arena is another value.
  std::string before = Message(run(kSync, "if (at == 0) p.out0[-1] = 0.0f;"));
  EXPECT_THAT(before, HasSubstr("kernel planted (layers.3.mlp), block (0, 0, 0), thread 0"));
  EXPECT_THAT(before, HasSubstr("writes 4 bytes at offset -4 of operand 'out0', which has 1536"));
  std::string behind = Message(run(kSync, "if (at == 0) p.out0[384] = 0.0f;"));
  EXPECT_THAT(behind, HasSubstr("writes 4 bytes at offset 1536 of operand 'out0'"));
  const fb::ProgramT &program = compiled->getSession().program().metadata();
  const fb::OperandT &out = *program.entries[0]->launches[0]->operands[1];
  EXPECT_TRUE(out.offset > 0 || out.offset + out.bytes < program.entries[0]->arena_bytes);
}

TEST_F(EmulatedFaults, WriteToWhatIsOnlyRead) {
  EXPECT_THAT(Message(run(kSync, "const_cast<float *>(p.in0)[at] = 0.0f;")),
              HasSubstr("operand 'in0', which the launch declares as only read"));
}

TEST_F(EmulatedFaults, Race) {
  std::string error = Message(run("", "", "staging.value[63 - t] = p.in0[at];"));
  EXPECT_THAT(error, HasSubstr("kernel planted (layers.3.mlp)"));
  EXPECT_THAT(error, HasSubstr("shared memory"));
}

TEST_F(EmulatedFaults, BarrierThatNotAllReach) {
  std::string error = Message(run(kSync, "if (t < 32) block_sync();"));
  EXPECT_THAT(error, HasSubstr("kernel planted (layers.3.mlp)"));
  EXPECT_THAT(error, HasSubstr("threads 0-31 wait for barrier 0; threads 32-63 have finished"));
}

TEST_F(EmulatedFaults, MissingWaitOnACopy) {
  const std::string stage = "copy_async<4>(&staging.value[t], p.in0 + at, true);\n"
                            "  copy_async_commit();\n",
                    wait = "  copy_async_wait<0>();\n";
  EXPECT_TRUE(run(kSync, "", stage + wait).ok());
  std::string error = Message(run(kSync, "", stage));
  EXPECT_THAT(error, HasSubstr("kernel planted (layers.3.mlp)"));
  EXPECT_THAT(error, HasSubstr("copy"));
}

} // namespace
} // namespace ashlar::test
