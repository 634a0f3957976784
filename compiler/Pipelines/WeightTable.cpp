// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/WeightTable.h"

#include "codegen/Target.h"
#include "compiler/Pipelines/Collectives.h"
#include "compiler/Transforms/Weights.h"

using namespace mlir;

namespace ashlar {

using namespace graph;
using program::OperandAttr;
using program::Space;

static constexpr int64_t kPanelWidth = 32;

OperandAttr WeightTable::place(Space space, int64_t &end, int64_t bytes) {
  int64_t offset = end;
  end = llvm::alignTo(end + bytes, 64);
  return OperandAttr::get(module.getContext(), space, offset, bytes);
}

std::string getUnusedName(ModuleOp module, StringRef name) {
  std::string unused = name.str();
  for (int count = 1; module.lookupSymbol(unused); ++count)
    unused = name.str() + "_" + std::to_string(count);
  return unused;
}

/// The product that reads an argument as packed weights, or null.
static MatmulOp getProduct(BlockArgument use) {
  for (Operation *user : use.getUsers())
    if (auto product = dyn_cast<MatmulOp>(user); product && product.getB() == use)
      return product;
  return nullptr;
}

LogicalResult WeightTable::collectLayouts(func::FuncOp function) {
  function.walk([&](FusedOp fused) {
    for (auto [input, argument] : llvm::zip(fused.getInputs(), fused.getBlock().getArguments())) {
      MatmulOp product = getProduct(argument);
      SmallVector<StateOp> parts = getWeightParts(input);
      if (product && product.getTransposeB() && parts.size() == 1 &&
          cast<RankedTensorType>(input.getType()).getRank() == 2)
        panelTables.insert(parts.front().getSymName());
    }
  });
  return caches.collect(function);
}

std::string WeightTable::getLayout(Value input, BlockArgument use) {
  if (isa<CacheType>(input.getType()))
    return caches.get(input).str();
  SmallVector<StateOp> parts = getWeightParts(input);
  auto type = dyn_cast<RankedTensorType>(input.getType());
  if (getGatheredBytes(input) > 0)
    return "panel_f32";
  if (parts.empty() || type.getRank() != 2)
    return "";
  MatmulOp product = getProduct(use);
  bool isProduct = product && hasPackedWeight(product, input);
  if (!hasPanels)
    return isProduct && !product.getTransposeB() ? "transposed" : "";
  std::string panels = type.getElementType().isBF16() ? "panel_bf16" : "panel_f32";
  if (!type.getElementType().isBF16() && !type.getElementType().isF32())
    return "";
  bool isTable =
      llvm::all_of(use.getUsers(), [](Operation *user) { return isa<EmbeddingOp>(user); });
  bool shared = isTable && parts.size() == 1 && panelTables.contains(parts.front().getSymName());
  return isProduct || shared ? panels : "";
}

int64_t WeightTable::getGatheredBytes(Value value) const {
  if (!hasPanels || !isGatheredWeight(value))
    return 0;
  auto type = cast<RankedTensorType>(value.getType());
  return llvm::alignTo(type.getDimSize(0), kPanelWidth) * type.getDimSize(1) *
         getElementBytes(type.getElementType());
}

FailureOr<OperandAttr> WeightTable::getWeight(Value value, StringRef layout, BlockArgument use) {
  SmallVector<StateOp> parts = getWeightParts(value);
  MatmulOp product = getProduct(use);
  bool panels = hasPanels && !layout.empty(), turned = layout == "transposed";
  // Panels hold [K, N], which a Linear stores [N, K]; without them it is the other way round.
  bool transposed = turned || (panels && (!product || product.getTransposeB()));
  std::string key = layout.str() + (transposed ? "t" : "");
  for (StateOp part : parts)
    key += "|" + part.getSymName().str();
  auto known = getRegions().weights.find(key);
  if (known != getRegions().weights.end())
    return known->second;
  // A reading may be of the first rows; what is kept is the whole.
  auto type = cast<RankedTensorType>(parts.size() == 1 ? parts.front().getType() : value.getType());
  if (!type.hasStaticShape())
    return emitError(value.getLoc()) << "weight of unknown size " << type;
  SmallVector<int64_t> shape(type.getShape());
  int64_t elements = type.getNumElements(), elementBytes = getElementBytes(type.getElementType());
  auto kind = program::Layout::Plain;
  if (turned)
    std::swap(shape[0], shape[1]);
  if (panels) {
    if (transposed)
      std::swap(shape[0], shape[1]); // [N, K] as stored, [K, N] as a product reads it
    bool isBf16 = layout == "panel_bf16";
    kind = isBf16 ? program::Layout::PanelBF16 : program::Layout::PanelF32;
    elements =
        llvm::alignTo(shape[1], kPanelWidth) * (isBf16 ? llvm::alignTo(shape[0], 2) : shape[0]);
  }
  SmallVector<Attribute> partAttrs, shards;
  bool hasShards = false;
  for (StateOp part : parts) {
    auto partType = cast<RankedTensorType>(part.getType());
    auto init = part.getInit();
    program::Init start =
        !init ? program::Init::None : static_cast<program::Init>(static_cast<int>(*init) + 1);
    double stddev = part.getStddev() ? part.getStddev()->convertToDouble() : 0.0;
    auto stored = part->getAttrOfType<TypeAttr>("stored");
    partAttrs.push_back(program::PartAttr::get(
        module.getContext(), builder.getStringAttr(part.getTensorName()),
        stored ? stored.getValue() : partType.getElementType(), partType.getShape(), transposed,
        start, builder.getF64FloatAttr(stddev)));
    program::ShardAttr shard = getShard(part);
    hasShards |= bool(shard);
    shards.push_back(shard ? Attribute(shard) : builder.getUnitAttr());
  }
  OperandAttr operand = place(Space::Weights, getRegions().weightBytes, elements * elementBytes);
  std::string name = parts.front().getSymName().str();
  if (parts.size() > 1)
    name += "+" + std::to_string(parts.size() - 1);
  name += panels ? (transposed ? ".panels" : ".panels_kn") : turned ? ".transposed" : ".plain";
  program::WeightOp::create(builder, parts.front().getLoc(), getUnusedName(module, name),
                            type.getElementType(), kind, shape, operand.getOffset(),
                            operand.getBytes(), builder.getArrayAttr(partAttrs),
                            hasShards ? builder.getArrayAttr(shards) : ArrayAttr(), getStageAttr());
  getRegions().weights[key] = operand;
  return operand;
}

OperandAttr WeightTable::getConstant(ConstantOp constant) {
  auto [known, inserted] = constants.try_emplace(constant.getValueAttr());
  if (inserted) {
    auto type = constant.getValue().getShapedType();
    int64_t bytes = type.getNumElements() * getElementBytes(type.getElementType());
    known->second = place(Space::Constants, constantBytes, bytes);
    program::ConstantOp::create(builder, constant.getLoc(), getUnusedName(module, "constant"),
                                constant.getValueAttr(), known->second.getOffset(), bytes);
  }
  return known->second;
}

FailureOr<OperandAttr> WeightTable::getState(FlatSymbolRefAttr name, StringRef layout,
                                             Operation *user) {
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(user, name);
  auto known = getRegions().states.find(name.getValue());
  if (known != getRegions().states.end())
    return known->second;
  Type elementType;
  int64_t bytes;
  if (auto cache = dyn_cast<CacheType>(state.getType())) {
    if (layout.empty())
      return user->emitOpError() << "appends to cache " << name
                                 << ", which no attention of any entry point reads";
    elementType = cache.getElementType();
    int64_t width =
        layout == "value_rows" ? llvm::alignTo(cache.getWidth(), kPanelWidth) : cache.getWidth();
    int64_t positions =
        hasPanels ? llvm::alignTo(cache.getPositions(), kPanelWidth) : cache.getPositions();
    bytes =
        cache.getSequences() * cache.getHeads() * positions * width * getElementBytes(elementType);
  } else {
    auto tensor = cast<RankedTensorType>(state.getType());
    elementType = tensor.getElementType();
    bytes = tensor.getNumElements() * getElementBytes(elementType);
  }
  OperandAttr operand = place(Space::State, getRegions().stateBytes, bytes);
  program::StateOp::create(builder, state.getLoc(), getStateSymbol(name.getValue()), elementType,
                           operand.getOffset(), bytes, getStageAttr());
  getRegions().states[name.getValue()] = operand;
  return operand;
}

std::string WeightTable::getStateSymbol(StringRef name) const {
  return ("state" + (stage ? Twine(*stage) : Twine()) + "." + name).str();
}

} // namespace ashlar
