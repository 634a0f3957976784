// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluates a function of a graph module with the interpreter and prints (or writes, or compares)
// its results: the tool behind the execute tests.
//
//   ashlar-interpret model.mlir --entry forward --weights DIR --input input_ids=ids.npy
//   --output-dir out ashlar-interpret - --input 'x=dense<[1.0, -1.0]> : tensor<2xf32>'
//
// A module with a dist.mesh is one rank's program: it runs on all ranks in this process, with whole
// tensors in and out.

#include "compiler/Interpreter/Interpreter.h"
#include "compiler/Interpreter/Npy.h"
#include "compiler/Interpreter/Parameters.h"
#include "compiler/Interpreter/Ranks.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace ashlar;
using namespace ashlar::interpreter;
namespace cl = llvm::cl;

static cl::opt<std::string> file(cl::Positional, cl::desc("<module.mlir>"), cl::init("-"));
static cl::opt<std::string> entry("entry", cl::desc("the function (default: the only one)"));
static cl::list<std::string> inputs("input",
                                    cl::desc("NAME=FILE.npy or NAME=dense<..> : tensor<..>"));
static cl::list<std::string> expected("expect", cl::desc("NAME=FILE.npy: compare a result"));
static cl::opt<double>
    tolerance("tolerance", cl::desc("of --expect, relative to the largest value"), cl::init(1e-5));
static cl::list<std::string> dims("dim",
                                  cl::desc("NAME=EXTENT for a dimension that no input binds"));
static cl::opt<std::string> weights("weights", cl::desc("directory of safetensors"));
static cl::opt<uint64_t> seed("seed", cl::desc("draw the parameters from this seed"));
static cl::opt<std::string> outputDir("output-dir",
                                      cl::desc("write NAME.npy here instead of printing"));
static cl::opt<int> repeat("repeat", cl::desc("steps of one session"), cl::init(1));
static cl::opt<Precision>
    precision("precision", cl::desc("how f32 is kept"), cl::init(Precision::F64),
              cl::values(clEnumValN(Precision::F32, "f32", "rounded to f32 after each op"),
                         clEnumValN(Precision::F64, "f64", "as f64")));

static LogicalResult report(const llvm::Twine &message) {
  llvm::errs() << "ashlar-interpret: " << message << "\n";
  return failure();
}

static FailureOr<NamedArray> parseInput(MLIRContext *context, StringRef text) {
  auto [name, value] = text.split('=');
  if (!value.starts_with("dense<")) {
    auto array = readNpy(context, value);
    if (!array)
      return report(llvm::toString(array.takeError()));
    return NamedArray{name.str(), std::make_shared<const Array>(std::move(*array))};
  }
  auto attribute = dyn_cast_or_null<ElementsAttr>(parseAttribute(value, context));
  if (!attribute)
    return report("cannot read input '" + text + "'");
  return NamedArray{name.str(), std::make_shared<const Array>(Array::fromConstant(attribute))};
}

static FailureOr<func::FuncOp> findEntry(ModuleOp module) {
  SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
  if (entry.empty() && functions.size() == 1)
    return functions.front();
  for (func::FuncOp function : functions)
    if (function.getSymName() == entry)
      return function;
  std::string names;
  for (func::FuncOp function : functions)
    names += " " + function.getSymName().str();
  return report("name one of the functions with --entry:" + names);
}

static void print(const NamedArray &result) {
  llvm::outs() << result.name << ": " << describe(*result.array) << " =";
  for (int64_t i = 0; i < result.array->size(); ++i) {
    if (result.array->isFloat())
      llvm::outs() << llvm::format(" %.6g", result.array->floats[i]);
    else
      llvm::outs() << " " << result.array->integers[i];
  }
  llvm::outs() << "\n";
}

static LogicalResult compareResults(MLIRContext *context, ArrayRef<NamedArray> results) {
  bool allEqual = true;
  for (const std::string &text : expected) {
    auto wanted = parseInput(context, text);
    if (failed(wanted))
      return failure();
    auto found = llvm::find_if(
        results, [&](const NamedArray &result) { return result.name == wanted->name; });
    if (found == results.end())
      return report("there is no result named '" + wanted->name + "'");
    std::string difference = compare(*found->array, *wanted->array, tolerance);
    llvm::outs() << wanted->name << ": " << (difference.empty() ? "as expected" : difference)
                 << "\n";
    allEqual &= difference.empty();
  }
  return success(allEqual);
}

static LogicalResult deliver(MLIRContext *context, ArrayRef<NamedArray> results) {
  if (!expected.empty())
    return compareResults(context, results);
  if (outputDir.empty()) {
    llvm::for_each(results, print);
    return success();
  }
  if (std::error_code code = llvm::sys::fs::create_directories(outputDir))
    return report(outputDir + ": " + code.message());
  for (const NamedArray &result : results)
    if (llvm::Error error = writeNpy(outputDir + "/" + result.name + ".npy", *result.array))
      return report(llvm::toString(std::move(error)));
  return success();
}

static LogicalResult run(MLIRContext *context, ModuleOp module) {
  auto function = findEntry(module);
  if (failed(function))
    return failure();
  std::vector<NamedArray> arrays;
  for (const std::string &text : inputs) {
    auto input = parseInput(context, text);
    if (failed(input))
      return failure();
    arrays.push_back(std::move(*input));
  }
  EvaluateOptions options;
  options.precision = precision;
  for (const std::string &text : dims) {
    auto [name, value] = StringRef(text).split('=');
    int64_t extent;
    if (value.getAsInteger(10, extent))
      return report("--dim takes NAME=EXTENT, found '" + text + "'");
    options.dims[name] = extent;
  }
  StateInitializer parameters;
  if (seed.getNumOccurrences())
    parameters = drawFromSeed(seed);
  if (!weights.empty()) {
    auto checkpoint = Checkpoint::Open(weights);
    if (!checkpoint.ok())
      return report(std::string(checkpoint.status().message()));
    parameters = loadFromCheckpoint(*checkpoint);
  }
  StateStore states(parameters);
  bool onRanks = bool(dist::findMesh(module));
  std::vector<StateStore> rankStates;
  if (onRanks)
    rankStates = makeRankStates(module, parameters);
  for (int step = 0; step < repeat; ++step) {
    auto results = onRanks ? evaluateOnRanks(*function, arrays, rankStates, options)
                           : evaluate(*function, arrays, states, options);
    if (failed(results) || failed(deliver(context, *results)))
      return failure();
  }
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Evaluates a graph function plainly\n");
  DialectRegistry registry;
  registry.insert<dist::DistDialect, graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                  math::MathDialect>();
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(file);
  if (!buffer) {
    (void)report(file + ": " + buffer.getError().message());
    return 2;
  }
  sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 2;
  return succeeded(run(&context, *module)) ? 0 : 1;
}
