// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// New keys or values into their caches, [batch][head][position][width]: one element a thread. What
// makes the new rows (a slice of a merged product, a rotation) is computed on the way. Where they
// go is read from memory, so that a captured step serves every position.

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/CUDA/Kernels.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {

static void writeAppend(KernelFrame &frame, CacheAppendOp append) {
  ElementWriter &writer = frame.writer;
  auto type = cast<CacheType>(append.getCache().getType());
  auto cache = cast<BlockArgument>(append.getCache());
  Dims dims = dimsOf(append.getValues());
  frame.body.block("if (item < " + writer.getCount(dims) + ")", [&] {
    Code code(frame.names);
    writer.writeTo(code);
    Place place{{}, "item"};
    writer.locate(place, dims);
    std::string length = writer.evaluate(append.getLengths(), Place{{place.at[0]}, place.at[0]});
    std::string position = code.constant("int64", "position", length + " + " + place.at[1]);
    std::string element = writer.evaluate(append.getValues(), place);
    std::string head = add(multiply(place.at[0], std::to_string(type.getHeads())), place.at[2]);
    std::string at = "((" + head + ") * " + std::to_string(type.getPositions()) + " + " + position +
                     ") * " + std::to_string(type.getWidth()) + " + " + place.at[3];
    frame.body.append(code);
    // The caller keeps lengths within the cache; a row that would fall outside is not written.
    StringRef memory = getMemoryType(type.getElementType());
    if (memory != "float")
      element = "round_to<" + memory.str() + ">(" + element + ")";
    frame.body.line("if (" + position + " >= 0 && " + position + " < " +
                    std::to_string(type.getPositions()) + ")\n  " +
                    writer.getBuffer(cache.getArgNumber()) + "[" + at + "] = " + element + ";");
  });
}

LogicalResult writeAppendKernel(KernelFrame &frame) {
  constexpr int64_t kThreads = 256;
  Monomial most{0, {}};
  Dims tokens;
  SmallVector<CacheAppendOp> appends(frame.kernel.getOps<CacheAppendOp>());
  for (CacheAppendOp append : appends) {
    auto cache = dyn_cast<BlockArgument>(append.getCache());
    if (!cache || getLayout(cache) != "head_rows")
      return append.emitOpError() << "needs a cache argument with a layout";
    Dims dims = dimsOf(append.getValues()), own(dims.begin(), dims.begin() + 2);
    if (!tokens.empty() && own != tokens)
      return append.emitOpError() << "appends " << toString(own)
                                  << " tokens, the append that it is fused with "
                                  << toString(tokens);
    tokens = own;
    Monomial count = getElementCount(dims).terms.front(); // of the same names for all
    if (count.scale > most.scale)
      most = count;
  }
  frame.includes = {"device.h"};
  frame.threads = std::to_string(kThreads);
  frame.threadCount = kThreads;
  frame.grid = {asExtent(most, kThreads)};
  const std::string &index = frame.writer.index;
  frame.body.line("const " + index + " item = static_cast<" + index + ">(block_x()) * " +
                  frame.threads + " + static_cast<" + index + ">(thread_index());");
  for (CacheAppendOp append : appends)
    writeAppend(frame, append);
  return success();
}

} // namespace ashlar::cuda
