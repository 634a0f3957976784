// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every op on the CPU and on the CUDA emulator against the interpreter, over widths on both sides
// of a register and extents below the bound.

#include "test/lib/Execution.h"

#include "compiler/Interpreter/Parameters.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

/// One op (or a few) as the body of `%r`, with inputs x, y of [batch, seq, W] and others by type.
struct OpCase {
  std::string name;
  std::string body;      // defines %r; $W is the width, $X the type of x
  std::string result;    // type of %r
  bool positive = false; // x and y above zero
  int64_t reduction = 1; // length of sums in units of the width
  std::string states = "";
};

std::string replaceAll(std::string text, StringRef from, StringRef to) {
  for (size_t at = text.find(from.str()); at != std::string::npos;
       at = text.find(from.str(), at + to.size()))
    text.replace(at, from.size(), to.str());
  return text;
}

std::vector<OpCase> getCases() {
  std::vector<OpCase> cases;
  for (const char *unary : {"neg", "abs", "exp", "tanh", "erf", "sigmoid", "silu", "relu"})
    cases.push_back({unary, std::string("%r = graph.") + unary + " %x : $X", "$X"});
  for (const char *unary : {"log", "sqrt", "rsqrt"})
    cases.push_back({unary, std::string("%r = graph.") + unary + " %x : $X", "$X", true});
  for (const char *kind : {"exact", "tanh", "sigmoid"})
    cases.push_back(
        {std::string("gelu_") + kind, std::string("%r = graph.gelu %x ") + kind + " : $X", "$X"});
  for (const char *binary : {"add", "sub", "mul", "max", "min"})
    cases.push_back({binary, std::string("%r = graph.") + binary + " %x, %y : $X, $X", "$X"});
  cases.push_back({"div", "%r = graph.div %x, %y : $X, $X", "$X", true});
  cases.push_back({"pow", "%r = graph.pow %x, %y : $X, $X", "$X", true});
  for (const char *predicate : {"eq", "ne", "lt", "le", "gt", "ge"})
    cases.push_back({std::string("compare_") + predicate,
                     std::string("%c = graph.compare ") + predicate +
                         " %x, %y : $X, $X\n"
                         "%r = graph.select %c, %x, %y : $B, $X, $X",
                     "$X"});
  cases.push_back(
      {"broadcast_add",
       "%v = graph.read @v : tensor<$Wxf32>\n%r = graph.add %x, %v : $X, tensor<$Wxf32>", "$X"});
  cases.push_back(
      {"cast_bf16", "%c = graph.cast %x : $X to $H\n%r = graph.cast %c : $H to $X", "$X"});
  cases.push_back({"cast_to_int", "%r = graph.cast %x : $X to $I", "$I"});
  cases.push_back({"cast_to_bool", "%r = graph.cast %x : $X to $B", "$B"});
  cases.push_back({"softmax", "%r = graph.softmax %x : $X", "$X", false, 1});
  cases.push_back({"softmax_of_sum", "%s = graph.add %x, %y : $X, $X\n%r = graph.softmax %s : $X",
                   "$X", false, 1});
  cases.push_back(
      {"layer_norm",
       "%s = graph.add %x, %y : $X, $X\n%v = graph.read @v : tensor<$Wxf32>\n"
       "%r = graph.layer_norm %s, %v, %v epsilon 1.0e-5 : $X, tensor<$Wxf32>, tensor<$Wxf32>",
       "$X", false, 1});
  cases.push_back({"rms_norm",
                   "%v = graph.read @v : tensor<$Wxf32>\n"
                   "%r = graph.rms_norm %x, %v epsilon 1.0e-5 : $X, tensor<$Wxf32>",
                   "$X", false, 1});
  for (const char *kind : {"sum", "max", "min", "mean"}) {
    cases.push_back({std::string("reduce_last_") + kind,
                     std::string("%r = graph.reduce ") + kind + " %x axis 2 keep_dims : $X",
                     "tensor<?x?x1xf32, #graph.dims<[batch, seq, _]>>", false, 1});
    cases.push_back({std::string("reduce_seq_") + kind,
                     std::string("%r = graph.reduce ") + kind + " %x axis 1 : $X",
                     "tensor<?x$Wxf32, #graph.dims<[batch, _]>>", false, 1});
  }
  cases.push_back({"cumsum", "%r = graph.cumsum %x axis 1 : $X", "$X", false, 1});
  cases.push_back({"transpose", "%r = graph.transpose %x [0, 2, 1] : $X",
                   "tensor<?x$Wx?xf32, #graph.dims<[batch, _, seq]>>"});
  cases.push_back({"transpose_outer", "%r = graph.transpose %x [1, 0, 2] : $X",
                   "tensor<?x?x$Wxf32, #graph.dims<[seq, batch, _]>>"});
  cases.push_back({"reshape_computed",
                   "%s = graph.add %x, %y : $X, $X\n%t = graph.reshape %s : $X to "
                   "tensor<?x?x1x$Wxf32, #graph.dims<[batch, seq, _, _]>>\n%r = graph.neg %t : "
                   "tensor<?x?x1x$Wxf32, #graph.dims<[batch, seq, _, _]>>",
                   "tensor<?x?x1x$Wxf32, #graph.dims<[batch, seq, _, _]>>"});
  cases.push_back({"concat", "%r = graph.concat %x, %y, %x axis 2 : $X, $X, $X", "$3"});
  cases.push_back(
      {"slice_of_concat",
       "%c = graph.concat %x, %y axis 2 : $X, $X\n%r = graph.slice %c axis 2 from 1 size $W : $2",
       "$X"});
  cases.push_back(
      {"gather",
       "%i = graph.constant dense<2> : tensor<1xi64>\n%j = graph.broadcast %i : tensor<1xi64> to "
       "tensor<?xi64, #graph.dims<[batch]>>\n%r = graph.gather %x, %j : $X, tensor<?xi64, "
       "#graph.dims<[batch]>>",
       "tensor<?x$Wxf32, #graph.dims<[batch, _]>>"});
  cases.push_back({"embedding",
                   "%t = graph.read @table : tensor<11x$Wxf32>\n%r = graph.embedding %t, %ids : "
                   "tensor<11x$Wxf32>, tensor<?x?xi64, #graph.dims<[batch, seq]>>",
                   "$X"});
  cases.push_back({"iota", "%r = graph.iota axis 1 : $I", "$I"});
  cases.push_back({"matmul",
                   "%w = graph.read @w : tensor<7x$Wxf32>\n%r = graph.matmul %x, %w transpose_b : "
                   "$X, tensor<7x$Wxf32>",
                   "tensor<?x?x7xf32, #graph.dims<[batch, seq, _]>>", false, 1});
  cases.push_back(
      {"matmul_straight",
       "%w = graph.read @m : tensor<$Wx37xf32>\n%r = graph.matmul %x, %w : $X, tensor<$Wx37xf32>",
       "tensor<?x?x37xf32, #graph.dims<[batch, seq, _]>>", false, 1});
  cases.push_back({"matmul_bf16",
                   "%w = graph.read @h : tensor<7x$Wxbf16>\n%r = graph.matmul %x, %w transpose_b : "
                   "$X, tensor<7x$Wxbf16>",
                   "tensor<?x?x7xf32, #graph.dims<[batch, seq, _]>>", false, 1});
  cases.push_back({"matmul_of_transpose",
                   "%t = graph.transpose %x [1, 0, 2] : $X\n%w = graph.read @w : tensor<7x$Wxf32>\n"
                   "%r = graph.matmul %t, %w transpose_b : tensor<?x?x$Wxf32, #graph.dims<[seq, "
                   "batch, _]>>, tensor<7x$Wxf32>",
                   "tensor<?x?x7xf32, #graph.dims<[seq, batch, _]>>", false, 1});
  cases.push_back({"matmul_of_activations", "%r = graph.matmul %x, %y transpose_b : $X, $X",
                   "tensor<?x?x?xf32, #graph.dims<[batch, seq, seq]>>", false, 1});
  cases.push_back({"matmul_epilogue",
                   "%w = graph.read @q : tensor<$Wx$Wxf32>\n%v = graph.read @v : tensor<$Wxf32>\n"
                   "%m = graph.matmul %x, %w transpose_b : $X, tensor<$Wx$Wxf32>\n%b = graph.add "
                   "%m, %v : $X, tensor<$Wxf32>\n"
                   "%g = graph.gelu %b exact : $X\n%r = graph.add %g, %y : $X, $X",
                   "$X", false, 1});
  cases.push_back(
      {"gated",
       "%w = graph.read @q : tensor<$Wx$Wxf32>\n%u = graph.read @p : tensor<$Wx$Wxf32>\n"
       "%m = graph.matmul %x, %w transpose_b : $X, tensor<$Wx$Wxf32>\n%n = graph.matmul %x, %u "
       "transpose_b : $X, tensor<$Wx$Wxf32>\n"
       "%s = graph.silu %m : $X\n%r = graph.mul %s, %n : $X, $X",
       "$X", false, 1});
  cases.push_back(
      {"merged",
       "%w = graph.read @q : tensor<$Wx$Wxf32>\n%u = graph.read @p : tensor<$Wx$Wxf32>\n"
       "%m = graph.matmul %x, %w transpose_b : $X, tensor<$Wx$Wxf32>\n%n = graph.matmul %x, %u "
       "transpose_b : $X, tensor<$Wx$Wxf32>\n"
       "%t = graph.softmax %m : $X\n%r = graph.add %t, %n : $X, $X",
       "$X", false, 1});
  return cases;
}

constexpr llvm::StringLiteral kModule = R"mlir(
  graph.dim @batch from 1 to 4
  graph.dim @seq from 1 to 24
  graph.state parameter model @v init normal stddev 1.0 : tensor<$Wxf32>
  graph.state parameter model @table init normal stddev 1.0 : tensor<11x$Wxf32>
  graph.state parameter model @w init normal stddev 1.0 : tensor<7x$Wxf32>
  graph.state parameter model @m init normal stddev 1.0 : tensor<$Wx37xf32>
  graph.state parameter model @h init normal stddev 1.0 : tensor<7x$Wxbf16>
  graph.state parameter model @q init normal stddev 1.0 : tensor<$Wx$Wxf32>
  graph.state parameter model @p init normal stddev 1.0 : tensor<$Wx$Wxf32>
  func.func @f(%x: $X {graph.name = "x"}, %y: $X {graph.name = "y"},
               %ids: tensor<?x?xi64, #graph.dims<[batch, seq]>> {graph.name = "ids", graph.range = array<i64: 0, 11>})
      -> ($R {graph.name = "r"}) attributes {graph.entry} {
    $BODY
    return %r : $R
  }
)mlir";

class Ops : public testing::TestWithParam<OpCase> {
protected:
  std::string getModule(int64_t width) {
    std::string text =
        replaceAll(replaceAll(kModule.str(), "$R", GetParam().result), "$BODY", GetParam().body);
    std::string dims = ", #graph.dims<[batch, seq, _]>>";
    auto tensor = [&](const std::string &size, const char *element) {
      return "tensor<?x?x" + size + "x" + element + dims;
    };
    std::string w = std::to_string(width);
    text = replaceAll(text, "$X", tensor(w, "f32"));
    text = replaceAll(text, "$H", tensor(w, "bf16"));
    text = replaceAll(text, "$I", tensor(w, "i64"));
    text = replaceAll(text, "$B", tensor(w, "i1"));
    text = replaceAll(text, "$2", tensor(std::to_string(2 * width), "f32"));
    text = replaceAll(text, "$3", tensor(std::to_string(3 * width), "f32"));
    return replaceAll(text, "$W", w);
  }

  std::vector<NamedArray> makeInputs(MLIRContext &context, int64_t batch, int64_t seq,
                                     int64_t width) {
    Builder b(&context);
    std::mt19937 random(static_cast<uint32_t>(batch * 1000 + seq * 10 + width));
    std::normal_distribution<float> normal;
    std::vector<NamedArray> inputs;
    for (const char *name : {"x", "y"}) {
      Array array(b.getF32Type(), {batch, seq, width});
      for (double &value : array.floats)
        value = GetParam().positive ? std::abs(normal(random)) + 0.1f : 2 * normal(random);
      inputs.push_back({name, std::make_shared<const Array>(std::move(array))});
    }
    Array ids(b.getI64Type(), {batch, seq});
    for (int64_t &id : ids.integers)
      id = random() % 11;
    inputs.push_back({"ids", std::make_shared<const Array>(std::move(ids))});
    return inputs;
  }
};

TEST_P(Ops, AgreeWithInterpreter) {
  for (int64_t width : {1, 5, 16, 37, 64}) {
    DialectRegistry registry;
    registry
        .insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
    MLIRContext context(registry);
    auto module = parseSourceString<ModuleOp>(getModule(width), &context);
    ASSERT_TRUE(module) << getModule(width);
    auto function = module->lookupSymbol<func::FuncOp>("f");
    for (const Backend &backend : getBackends()) {
      auto compiled = CompiledModule::create(*module, backend, {"", 7});
      ASSERT_TRUE(compiled) << width;
      for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 3}, {3, 17}, {4, 24}}) {
        std::vector<NamedArray> inputs = makeInputs(context, batch, seq, width);
        interpreter::StateStore states(interpreter::drawFromSeed(7));
        auto expected = interpreter::evaluate(function, inputs, states, {});
        ASSERT_TRUE(succeeded(expected));
        auto found = compiled->run("f", inputs);
        ASSERT_TRUE(found);
        double tolerance = widenTolerance(
            getTolerance(GetParam().reduction * std::max<int64_t>(width, seq)), backend, *module);
        EXPECT_EQ(interpreter::compare(*found->front().array, *expected->front().array, tolerance),
                  "")
            << backend.name << ", width " << width << ", batch " << batch << ", seq " << seq;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Ops, testing::ValuesIn(getCases()),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace ashlar::test
