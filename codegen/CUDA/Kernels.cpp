// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/Kernels.h"

#include "codegen/CUDA/Arithmetic.h"
#include "compiler/Diagnostics/ErrorCodes.h"
#include "dialects/Graph/GraphPaths.h"
#include "dialects/Program/Program.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

static int64_t getBound(func::FuncOp kernel, StringAttr name) {
  auto module = kernel->getParentOfType<ModuleOp>();
  if (auto dim = module.lookupSymbol<graph::DimOp>(name))
    return dim.getMaximum();
  auto dim = module.lookupSymbol<program::DimOp>(name);
  return dim ? dim.getMaximum() : 1;
}

int64_t KernelFrame::getBound(const Monomial &count) const {
  double bound = static_cast<double>(count.scale);
  for (StringAttr name : count.names)
    bound *= static_cast<double>(cuda::getBound(kernel, name));
  return bound < 9e18 ? static_cast<int64_t>(bound) : std::numeric_limits<int64_t>::max();
}

int64_t KernelFrame::getBound(const Dim &dim) const {
  return dim.isNumber() ? dim.size : cuda::getBound(kernel, dim.name);
}

Extent asExtent(const Monomial &count, int64_t divisor) {
  return Extent{count.scale, count.names, divisor};
}

KernelFrame::KernelFrame(func::FuncOp kernel, const KernelOptions &options)
    : options(options), kernel(kernel), writer(kernel, names), declarations(names), body(names) {
  // Sums of two positions still fit 32 bits.
  bool isSmall = true;
  auto check = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      isSmall &= getBound(getElementCount(getDims(tensor)).terms.front()) < (1 << 30);
    else if (auto cache = dyn_cast<CacheType>(type))
      isSmall &= getBound(Monomial{cache.getSequences() * cache.getPositions() * cache.getHeads() *
                                       cache.getWidth(),
                                   {}}) < (1 << 30);
  };
  kernel.walk([&](Operation *op) { llvm::for_each(op->getResultTypes(), check); });
  llvm::for_each(kernel.getArgumentTypes(), check);
  writer.index = isSmall ? "int32" : "int64";
}

SmallVector<Stored> getResults(func::FuncOp kernel) {
  SmallVector<Stored> results;
  for (Value value : kernel.getBody().front().getTerminator()->getOperands())
    results.push_back({static_cast<unsigned>(results.size()), value});
  return results;
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

int64_t getLanes(KernelFrame &frame, ArrayRef<Stored> results, int64_t most) {
  for (const Stored &result : results) {
    Dims dims = dimsOf(result.value);
    most = std::min(most, 16 / getElementBytes(elementOf(result.value)));
    while (most > 1 && (dims.empty() || !dims.back().isNumber() || dims.back().size % most != 0))
      most /= 2;
  }
  for (; most > 1; most /= 2)
    if (llvm::all_of(results, [&](const Stored &result) {
          return frame.writer.fitsLanes(result.value, most);
        }))
      return most;
  return 1;
}

/// A computed element as it is kept in memory.
static std::string toMemory(Type type, const std::string &element) {
  if (type.isBF16() || type.isF16())
    return "round_to<" + getMemoryType(type).str() + ">(" + element + ")";
  return element;
}

void writeStores(KernelFrame &frame, Code &code, ArrayRef<Stored> results, Place place,
                 int64_t lanes) {
  ElementWriter &writer = frame.writer;
  Code shared(frame.names), own(frame.names);
  writer.writeTo(shared, lanes > 1 ? own : shared, lanes);
  place.lanes = lanes > 1;
  SmallVector<std::string> elements;
  for (const Stored &result : results)
    elements.push_back(writer.evaluate(result.value, place));
  writer.writeTo(shared);
  Place position = place;
  std::string at = writer.linearise(position, dimsOf(results.front().value));
  code.append(shared);
  unsigned arguments = frame.kernel.getNumArguments();
  if (lanes == 1) {
    for (auto [result, element] : llvm::zip_equal(results, elements))
      code.line(writer.getBuffer(arguments + result.result) + "[" + at +
                "] = " + toMemory(elementOf(result.value), element) + ";");
    return;
  }
  std::string count = std::to_string(lanes), lane = ElementWriter::kLane.str();
  SmallVector<std::string> vectors, types;
  for (const Stored &result : results) {
    types.push_back("<" + getMemoryType(elementOf(result.value)).str() + ", " + count + ">");
    vectors.push_back(code.fresh(writer.getBuffer(arguments + result.result) + "_"));
    code.line("Vec" + types.back() + " " + vectors.back() + ";");
  }
  code.line("#pragma unroll");
  code.block("for (int " + lane + " = 0; " + lane + " < " + count + "; ++" + lane + ")", [&] {
    code.append(own);
    for (auto [result, element, vector] : llvm::zip_equal(results, elements, vectors))
      code.line(vector + ".element[" + lane + "] = " + toMemory(elementOf(result.value), element) +
                ";");
  });
  for (auto [result, vector, type] : llvm::zip_equal(results, vectors, types))
    code.line("store_vector" + type + "(" + writer.getBuffer(arguments + result.result) + " + " +
              at + ", " + vector + ");");
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

/// What kernels compute: graph ops of element types other than f64, which is for the interpreter.
static LogicalResult checkOps(func::FuncOp kernel) {
  WalkResult result = kernel.walk([&](Operation *op) {
    if (!isa<GraphDialect>(op->getDialect()) && !isa<func::FuncOp, func::ReturnOp>(op)) {
      op->emitOpError() << "is no graph op, and no kernel can be made of it";
      return WalkResult::interrupt();
    }
    if (auto constant = dyn_cast<ConstantOp>(op); constant && !constant.getValue().isSplat()) {
      op->emitOpError() << "is no single number; pass it as an argument";
      return WalkResult::interrupt();
    }
    for (Type type : op->getResultTypes()) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (tensor && tensor.getElementType().isF64()) {
        op->emitOpError() << "computes f64, which the CUDA target does not; cast to f32";
        return WalkResult::interrupt();
      }
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static LogicalResult writeBody(KernelFrame &frame) {
  func::FuncOp kernel = frame.kernel;
  if (!kernel.getOps<AttentionOp>().empty())
    return writeAttentionKernel(frame);
  if (!kernel.getOps<CacheAppendOp>().empty())
    return writeAppendKernel(frame);
  return isProductKernel(kernel) ? writeProductKernel(frame) : writeRowsKernel(frame);
}

/// The parameter block, and variables of the kernel for what is in it.
static std::string writeParameters(KernelFrame &frame, Code &locals) {
  func::FuncOp kernel = frame.kernel;
  std::string text = "struct Parameters {\n";
  for (auto [number, map] : llvm::enumerate(frame.tensorMaps))
    text += "  TensorMap map" + std::to_string(number) + "; // of " +
            frame.writer.getBuffer(map.operand) + ", boxes of " + std::to_string(map.boxRows) +
            " x " + std::to_string(map.boxColumns) + "\n";
  auto addBuffer = [&](unsigned number, Type type, bool isWritten) {
    std::string name = frame.writer.getBuffer(number);
    SmallVector<std::string> dims;
    Type element;
    if (auto cache = dyn_cast<CacheType>(type)) {
      element = cache.getElementType();
      for (int64_t size : cache.getShape())
        dims.push_back(std::to_string(size));
    } else {
      element = cast<RankedTensorType>(type).getElementType();
      for (const Dim &dim : getDims(cast<RankedTensorType>(type)))
        dims.push_back(frame.writer.getSize(dim));
    }
    std::string pointer = (isWritten ? "" : "const ") + getMemoryType(element).str() + " *";
    text += "  " + pointer + name + "; // [" + llvm::join(dims, ", ") + "]\n";
    locals.line(pointer + "const " + name + " = p." + name + ";");
  };
  for (BlockArgument argument : kernel.getArguments()) {
    bool isAppended = llvm::any_of(argument.getUsers(), [&](Operation *user) {
      auto append = dyn_cast<CacheAppendOp>(user);
      return append && append.getCache() == argument;
    });
    addBuffer(argument.getArgNumber(), argument.getType(), isAppended);
  }
  for (auto [number, type] : llvm::enumerate(kernel.getResultTypes()))
    addBuffer(kernel.getNumArguments() + number, type, true);
  for (StringAttr name : getExtentNames(kernel)) {
    std::string variable = getExtentVariable(kernel, name);
    text += "  int64 " + variable + ";\n";
    locals.line("const " + frame.writer.index + " " + variable + " = static_cast<" +
                frame.writer.index + ">(p." + variable + ");");
  }
  return text + "};\n";
}

/// The name of what is fused, as a name of C++: equal kernels of a program differ in a number
/// behind it, which would make their texts differ too.
static std::string getSymbol(func::FuncOp kernel) {
  StringRef name = kernel.getSymName();
  name.consume_back("_body");
  name = name.rtrim("0123456789").rtrim('_');
  std::string symbol;
  for (char c : name)
    symbol += llvm::isAlnum(c) ? c : '_';
  if (symbol.empty() || llvm::isDigit(symbol.front()))
    symbol = "fused_" + symbol;
  return symbol + "_kernel";
}

static std::string getComment(func::FuncOp kernel) {
  SmallVector<StringRef> ops;
  for (Operation &op : kernel.getBody().front().without_terminator())
    ops.push_back(op.getName().stripDialect());
  std::string comment = "// " + llvm::join(ops, " + ") + "\n";
  SmallVector<StringRef> layers;
  auto module = kernel->getParentOfType<ModuleOp>();
  for (auto own : module.getOps<program::KernelOp>())
    if (own.getBody() == kernel.getSymName())
      module.walk([&](program::LaunchOp launch) {
        if (launch.getKernel() == own.getSymName())
          layers.push_back(getPath(launch.getLoc()));
      });
  if (layers.empty())
    return comment;
  comment += "// " + layers.front().str();
  if (layers.size() > 1)
    comment += ", and " + std::to_string(layers.size() - 1) + " more like it";
  return comment + "\n";
}

/// Drops declarations of constants that nothing reads: coordinates that no operand asked for.
static std::string dropUnused(const std::string &text) {
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n');
  llvm::StringMap<int> uses;
  auto count = [&](StringRef line, int by) {
    for (size_t i = 0; i < line.size();) {
      size_t end = i;
      while (end < line.size() && (llvm::isAlnum(line[end]) || line[end] == '_'))
        ++end;
      if (end > i)
        uses[line.slice(i, end)] += by;
      i = std::max(end, i + 1);
    }
  };
  for (StringRef line : lines)
    count(line, 1);
  std::vector<bool> isDropped(lines.size());
  for (size_t i = lines.size(); i-- > 0;) {
    auto [declared, value] = lines[i].split(" = ");
    StringRef name = declared.rsplit(' ').second;
    isDropped[i] = declared.ltrim().starts_with("const ") && value.ends_with(";") &&
                   !declared.contains('(') && uses[name] == 1;
    if (isDropped[i])
      count(lines[i], -1);
  }
  std::string kept;
  for (auto [line, dropped] : llvm::zip_equal(lines, isDropped))
    if (!dropped)
      kept += line.str() + "\n";
  return StringRef(kept).drop_back().str();
}

/// A grid that no device takes is found here, with the model at hand, rather than at a launch.
static LogicalResult checkGrid(KernelFrame &frame) {
  constexpr int64_t kMost[] = {0x7fffffff, 65535, 65535};
  for (auto [d, extent] : llvm::enumerate(frame.grid)) {
    int64_t count = frame.getBound(Monomial{extent.scale, extent.names});
    int64_t blocks = count / extent.divisor + (count % extent.divisor != 0);
    if (blocks > kMost[d])
      return emitError(frame.kernel.getLoc(), ErrorCode::kBadBounds)
             << "kernel '" << frame.kernel.getSymName() << "' needs " << blocks
             << " blocks in dimension " << d << " of its grid at the bounds of its dimensions; a "
             << "device takes " << kMost[d] << ": compile the model with smaller bounds";
  }
  return success();
}

FailureOr<KernelText> writeKernel(func::FuncOp kernel, const KernelOptions &options) {
  if (failed(checkOps(kernel)))
    return failure();
  KernelFrame frame(kernel, options);
  if (failed(writeBody(frame)) || failed(checkGrid(frame)))
    return failure();
  Code locals(frame.names);
  std::string parameters = writeParameters(frame, locals);
  KernelText text;
  text.symbol = getSymbol(kernel);
  text.comment = getComment(kernel);
  text.grid = frame.grid;
  text.tensorMaps = frame.tensorMaps;
  text.threads = frame.threadCount;
  text.product = findLibraryProduct(frame);
  if (text.product)
    text.comment += text.product->isLibrarys
                        ? "// a plain product, which cuBLASLt computes where it is found\n"
                        : "// a plain product, which cuBLASLt could compute\n";
  for (const std::string &include : frame.includes)
    text.text += "#include \"" + include + "\"\n";
  text.text += "\nnamespace ashlar {\n\n" + parameters + "\n" + frame.declarations.str();
  if (!frame.sharedLayout.empty())
    text.text += "ASHLAR_SHARED(" + text.symbol + ", " + frame.sharedLayout + ");\n";
  Code whole(frame.names);
  std::string head = frame.isResident
                         ? "ASHLAR_KERNEL_RESIDENT(" + text.symbol + ", " + frame.threads + ", 1"
                         : "ASHLAR_KERNEL(" + text.symbol + ", " + frame.threads;
  whole.block(head + ", Parameters, p)", [&] {
    whole.append(locals);
    whole.append(frame.body);
  });
  text.text += dropUnused(whole.str()) + "\n} // namespace ashlar\n";
  return text;
}

} // namespace ashlar::cuda
