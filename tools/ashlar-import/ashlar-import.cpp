// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Imports a Hugging Face directory and prints the graph module.
//
//   ashlar-import ./bert-dir --batch 1..8 --seq 1..512 > bert.mlir

#include "compiler/Import/HuggingFace.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace ashlar;
namespace cl = llvm::cl;

static cl::opt<std::string> directory(cl::Positional, cl::Required, cl::desc("<directory>"));
static cl::opt<std::string>
    batch("batch", cl::desc("bounds of batch: MIN..MAX, or N for exactly N"), cl::init("1"));
static cl::opt<std::string> seq("seq", cl::desc("bounds of seq"));
static cl::opt<int64_t> context("context", cl::desc("positions of a decoder's cache"));
static cl::opt<std::string> head("head", cl::desc("in place of the config's architectures"));
static cl::opt<std::string> modelType("model-type",
                                      cl::desc("in place of the config's model_type"));
static cl::list<std::string> ignored("ignore-field",
                                     cl::desc("a config field that makes no difference"));
static cl::opt<bool> randomWeights("random-weights",
                                   cl::desc("no checkpoint: shapes from the config alone"));
static cl::opt<bool> locations("locations", cl::desc("print locations"));
static cl::opt<bool> quiet("quiet", cl::desc("print nothing but errors"));
static cl::opt<WeightType>
    weights("weights", cl::desc("the element type of matrices"), cl::init(WeightType::Auto),
            cl::values(clEnumValN(WeightType::Auto, "auto", "the checkpoint's, f32 or bf16"),
                       clEnumValN(WeightType::F32, "f32", "f32"),
                       clEnumValN(WeightType::BF16, "bf16", "bf16")));
static cl::opt<CacheElement>
    cacheType("cache-type", cl::desc("the element type of a decoder's caches"),
              cl::init(CacheElement::Auto),
              cl::values(clEnumValN(CacheElement::Auto, "auto", "bf16 where matrices are, or f32"),
                         clEnumValN(CacheElement::F32, "f32", "f32"),
                         clEnumValN(CacheElement::BF16, "bf16", "bf16"),
                         clEnumValN(CacheElement::F16, "f16", "f16")));

static bool parseBounds(StringRef name, StringRef text, DimBounds &bounds) {
  auto [low, high] = text.split("..");
  if (!low.getAsInteger(10, bounds.minimum) &&
      !(high.empty() ? low : high).getAsInteger(10, bounds.maximum))
    return true;
  llvm::errs() << "ashlar-import: --" << name << " takes MIN..MAX or N, found '" << text << "'\n";
  return false;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Imports a Hugging Face directory as a graph module\n");
  ImportOptions options;
  options.directory = directory;
  options.head = head;
  options.modelType = modelType;
  options.weights = weights;
  options.cache = cacheType;
  options.ignoredFields.assign(ignored.begin(), ignored.end());
  options.randomWeights = randomWeights;
  if (context.getNumOccurrences())
    options.context = context;
  if (!parseBounds("batch", batch, options.batch))
    return 2;
  if (!seq.empty() && !parseBounds("seq", seq, options.seq.emplace()))
    return 2;

  MLIRContext mlirContext;
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler diagnostics(sources, &mlirContext);
  OwningOpRef<ModuleOp> module = importHuggingFace(mlirContext, options);
  if (!module)
    return 1;
  if (!quiet)
    module->print(llvm::outs(), OpPrintingFlags().enableDebugInfo(locations));
  return 0;
}
