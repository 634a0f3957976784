// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/Artifact.h"

#include "compiler/Pipelines/ArtifactRecords.h"
#include "compiler/Pipelines/MemoryReport.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/GraphPaths.h"
#include "dialects/Program/Program.h"

using namespace mlir;

namespace ashlar {

namespace {

class ArtifactBuilder {
public:
  ArtifactBuilder(ModuleOp module, const StoredType &storedType)
      : module(module), storedType(storedType) {}

  ArtifactContents build(const std::vector<CodeImage> &images);

private:
  /// The program's list of something, or that of a stage.
  template <typename List>
  List &choose(std::optional<int64_t> stage, List fb::ProgramT::*whole, List fb::StageT::*part);
  void addDims();
  void addMesh();
  void addImages(const std::vector<CodeImage> &images);
  void addKernels();
  void addWeights();
  void addConstants();
  void addStates();
  void addEntry(program::EntryOp entry);
  template <typename Op>
  std::unique_ptr<fb::ValueT> toValue(Op op);
  std::unique_ptr<fb::ValueT> toInput(program::InputOp op);
  static std::unique_ptr<fb::OperandT> toOperand(program::OperandAttr attr);
  std::unique_ptr<fb::LaunchT> toLaunch(program::LaunchOp op);
  std::unique_ptr<fb::CollectiveT> toCollective(program::CollectiveOp op);

  ModuleOp module;
  const StoredType &storedType;
  ArtifactContents contents;
  DimIndices dims;
  llvm::StringMap<uint32_t> kernels, states;
};

template <typename List>
List &ArtifactBuilder::choose(std::optional<int64_t> stage, List fb::ProgramT::*whole,
                              List fb::StageT::*part) {
  auto &stages = contents.program.stages;
  if (!stage)
    return contents.program.*whole;
  while (static_cast<int64_t>(stages.size()) <= *stage)
    stages.push_back(std::make_unique<fb::StageT>());
  return (*stages[*stage]).*part;
}

void ArtifactBuilder::addDims() {
  for (auto op : module.getOps<program::DimOp>()) {
    dims[op.getSymNameAttr()] = contents.program.dims.size();
    auto dim = std::make_unique<fb::DimT>();
    dim->name = op.getSymName().str();
    dim->minimum = op.getMinimum();
    dim->maximum = op.getMaximum();
    if (auto whole = op.getWhole())
      dim->whole = std::make_unique<fb::ExtentT>(toExtent(*whole, dims));
    if (auto cuts = op.getCuts())
      dim->cuts = toCuts(*cuts);
    contents.program.dims.push_back(std::move(dim));
  }
}

void ArtifactBuilder::addMesh() {
  for (auto op : module.getOps<program::MeshOp>()) {
    if (auto stages = op.getStages())
      contents.program.stage_cuts = toCuts(*stages);
    for (auto [name, size] : llvm::zip(op.getNames().getAsRange<StringAttr>(), op.getSizes())) {
      auto axis = std::make_unique<fb::MeshAxisT>();
      axis->name = name.str();
      axis->size = static_cast<uint32_t>(size);
      contents.program.mesh.push_back(std::move(axis));
    }
  }
}

void ArtifactBuilder::addImages(const std::vector<CodeImage> &images) {
  for (const CodeImage &code : images) {
    contents.code.resize(llvm::alignTo(contents.code.size(), 4096));
    uint64_t offset = contents.code.size();
    contents.code.append(code.code.begin(), code.code.end());
    if (!code.kernels.empty()) {
      contents.program.device_images.push_back(toDeviceImage(module, code, offset));
      continue;
    }
    auto image = std::make_unique<fb::ImageT>();
    image->cpu = code.cpu;
    image->features = code.features;
    image->offset = offset;
    image->size = code.code.size();
    image->entries = code.entries;
    contents.program.images.push_back(std::move(image));
  }
}

void ArtifactBuilder::addKernels() {
  for (auto op : module.getOps<program::KernelOp>()) {
    kernels[op.getSymName()] = contents.program.kernels.size();
    auto kernel = std::make_unique<fb::KernelT>();
    kernel->name = op.getSymName().str();
    for (auto name : op.getOps().getAsRange<StringAttr>())
      kernel->ops.push_back(name.str());
    for (int32_t access : op.getAccesses())
      kernel->operands.push_back(static_cast<fb::Access>(access));
    kernel->extents = op.getExtents().size();
    kernel->grid = toExtents(op.getGrid(), getExtents(op));
    kernel->scratch_bytes = llvm::alignTo(op.getScratch(), 64);
    contents.program.kernels.push_back(std::move(kernel));
  }
}

void ArtifactBuilder::addWeights() {
  for (auto op : module.getOps<program::WeightOp>()) {
    auto weight = std::make_unique<fb::WeightT>();
    weight->name = op.getSymName().str();
    weight->dtype = toDType(op.getElementType());
    weight->layout = static_cast<fb::Layout>(op.getLayout());
    weight->shape.assign(op.getShape().begin(), op.getShape().end());
    weight->offset = op.getOffset();
    weight->bytes = op.getBytes();
    ArrayAttr shards = op.getShardsAttr();
    for (auto [index, attr] : llvm::enumerate(op.getParts().getAsRange<program::PartAttr>())) {
      auto part = std::make_unique<fb::WeightPartT>();
      part->tensor = attr.getTensor().str();
      part->dtype = storedType(part->tensor, toDType(attr.getElementType()));
      part->shape.assign(attr.getShape().begin(), attr.getShape().end());
      part->transposed = attr.getTransposed();
      part->init = static_cast<fb::Init>(attr.getInit());
      part->scale = attr.getStddev().getValueAsDouble();
      if (auto shard =
              shards ? dyn_cast<program::ShardAttr>(shards[index]) : program::ShardAttr()) {
        part->whole.assign(shard.getWhole().begin(), shard.getWhole().end());
        part->cut_dims.assign(shard.getDims().begin(), shard.getDims().end());
        part->cuts = toCuts(shard.getCuts());
        part->range.assign(shard.getRange().begin(), shard.getRange().end());
        part->begin.assign(shard.getBegin().begin(), shard.getBegin().end());
      }
      weight->parts.push_back(std::move(part));
    }
    choose(op.getStage(), &fb::ProgramT::weights, &fb::StageT::weights)
        .push_back(std::move(weight));
  }
}

void ArtifactBuilder::addConstants() {
  for (auto op : module.getOps<program::ConstantOp>()) {
    auto elements = cast<DenseElementsAttr>(op.getValue());
    auto weight = std::make_unique<fb::WeightT>();
    weight->name = op.getSymName().str();
    weight->dtype = toDType(elements.getElementType());
    weight->layout = fb::Layout::Plain;
    weight->shape.assign(elements.getType().getShape().begin(),
                         elements.getType().getShape().end());
    weight->offset = op.getOffset();
    weight->bytes = op.getBytes();
    contents.program.weights.push_back(std::move(weight));
    contents.constants.resize(op.getOffset());
    ArrayRef<char> raw = elements.getRawData();
    if (elements.getElementType().isInteger(1))
      for (bool value : elements.getValues<bool>())
        contents.constants.push_back(value);
    else
      for (int64_t i = 0, copies = elements.isSplat() ? elements.getNumElements() : 1; i < copies;
           ++i)
        contents.constants.append(raw.begin(), raw.end());
  }
}

void ArtifactBuilder::addStates() {
  for (auto op : module.getOps<program::StateOp>()) {
    auto &list = choose(op.getStage(), &fb::ProgramT::states, &fb::StageT::states);
    states[op.getSymName()] = list.size();
    auto state = std::make_unique<fb::StateT>();
    state->name = op.getStateName().str();
    state->dtype = toDType(op.getElementType());
    state->offset = op.getOffset();
    state->bytes = op.getBytes();
    list.push_back(std::move(state));
  }
}

template <typename Op>
std::unique_ptr<fb::ValueT> ArtifactBuilder::toValue(Op op) {
  auto value = std::make_unique<fb::ValueT>();
  value->name = op.getName().str();
  value->dtype = toDType(op.getElementType());
  value->shape = toExtents(op.getShape(), dims);
  value->offset = op.getOffset();
  value->bytes = op.getBytes();
  return value;
}

std::unique_ptr<fb::ValueT> ArtifactBuilder::toInput(program::InputOp op) {
  auto value = toValue(op);
  if (auto fill = dyn_cast_or_null<program::ExtentAttr>(op.getDefaultValueAttr())) {
    value->default_kind = fb::Default::Fill;
    value->default_value = std::make_unique<fb::ExtentT>(toExtent(fill, dims));
  } else if (op.getDefaultValueAttr()) {
    value->default_kind = fb::Default::Iota;
  }
  if (auto range = op.getRange()) {
    value->minimum = (*range)[0];
    value->maximum = std::make_unique<fb::ExtentT>();
    value->maximum->scale = (*range)[1] - 1;
    if (auto limit = dyn_cast_or_null<program::ExtentAttr>(op.getLimitAttr()))
      *value->maximum = toExtent(limit, dims);
  }
  return value;
}

std::unique_ptr<fb::OperandT> ArtifactBuilder::toOperand(program::OperandAttr attr) {
  auto operand = std::make_unique<fb::OperandT>();
  operand->space = static_cast<fb::Space>(attr.getSpace());
  operand->offset = attr.getOffset();
  operand->bytes = attr.getBytes();
  return operand;
}

/// The file and line that a location ends in, ` (FILE:LINE)`, or nothing.
static std::string getSource(Location loc) {
  std::string text;
  loc->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file || !text.empty())
      return WalkResult::advance();
    text = (" (" + file.getFilename().getValue() + ":" + Twine(file.getLine()) + ")").str();
    return WalkResult::interrupt();
  });
  return text;
}

std::unique_ptr<fb::CollectiveT> ArtifactBuilder::toCollective(program::CollectiveOp op) {
  auto collective = std::make_unique<fb::CollectiveT>();
  collective->op = static_cast<fb::CollectiveOp>(op.getKind());
  collective->reduction = static_cast<fb::ReductionKind>(op.getReduction());
  collective->dtype = toDType(op.getElementType());
  collective->cuts = toCuts(op.getCuts());
  collective->axis = static_cast<uint32_t>(op.getAxis());
  collective->join = static_cast<uint32_t>(op.getJoin());
  if (auto input = op.getInput())
    collective->input = toOperand(*input);
  if (auto output = op.getOutput())
    collective->output = toOperand(*output);
  if (auto workspace = op.getWorkspace())
    collective->workspace = toOperand(*workspace);
  collective->input_shape = toExtents(op.getInputShape(), dims);
  collective->output_shape = toExtents(op.getOutputShape(), dims);
  if (auto whole = op.getWhole())
    collective->whole = std::make_unique<fb::ExtentT>(toExtent(*whole, dims));
  collective->peer = static_cast<uint32_t>(op.getPeer().value_or(0));
  collective->starts = op.getStarted();
  collective->layout = static_cast<fb::Layout>(op.getLayout());
  collective->where = graph::getPath(op.getLoc()).str() + getSource(op.getLoc());
  return collective;
}

std::unique_ptr<fb::LaunchT> ArtifactBuilder::toLaunch(program::LaunchOp op) {
  auto launch = std::make_unique<fb::LaunchT>();
  launch->kernel = kernels.lookup(op.getKernel());
  launch->path = graph::getPath(op.getLoc()).str();
  for (auto attr : op.getOperands().getAsRange<program::OperandAttr>())
    launch->operands.push_back(toOperand(attr));
  launch->extents = toExtents(op.getExtents(), dims);
  for (auto attr : op.getWork().getAsRange<program::WorkAttr>()) {
    auto work = std::make_unique<fb::WorkT>();
    work->kind = static_cast<fb::WorkKind>(attr.getKind());
    work->amount = std::make_unique<fb::ExtentT>(toExtent(attr.getAmount(), dims));
    launch->work.push_back(std::move(work));
  }
  return launch;
}

void ArtifactBuilder::addEntry(program::EntryOp op) {
  auto entry = std::make_unique<fb::EntryT>();
  entry->name = op.getEntryName().str();
  entry->arena_bytes = op.getArena();
  entry->arena_lower_bound = op.getLowerBound();
  entry->microbatches = static_cast<uint32_t>(op.getMicrobatches().value_or(1));
  if (FlatSymbolRefAttr batch = op.getBatchAttr())
    entry->batch = dims.lookup(batch.getAttr());
  std::vector<uint32_t> records; // of the collectives, waits not counted
  for (Operation &inner : op.getBody().front()) {
    if (auto input = dyn_cast<program::InputOp>(inner))
      entry->inputs.push_back(toInput(input));
    else if (auto output = dyn_cast<program::OutputOp>(inner))
      entry->outputs.push_back(toValue(output));
    else if (auto launch = dyn_cast<program::LaunchOp>(inner))
      entry->launches.push_back(toLaunch(launch));
    else if (auto collective = dyn_cast<program::CollectiveOp>(inner)) {
      entry->collectives.push_back(toCollective(collective));
      entry->collectives.back()->before = static_cast<uint32_t>(entry->launches.size());
      entry->deliveries += collective.getDelivery();
      records.push_back(static_cast<uint32_t>(entry->collectives.size() - 1));
    } else if (auto wait = dyn_cast<program::WaitOp>(inner)) {
      auto record = std::make_unique<fb::CollectiveT>();
      record->op = fb::CollectiveOp::Wait;
      record->before = static_cast<uint32_t>(entry->launches.size());
      record->ends = records[static_cast<size_t>(wait.getCollective())];
      record->where = entry->collectives[record->ends]->where;
      entry->collectives.push_back(std::move(record));
    } else if (auto limit = dyn_cast<program::LimitOp>(inner)) {
      auto record = std::make_unique<fb::CounterLimitT>();
      record->state = states.lookup(limit.getState());
      record->rows = std::make_unique<fb::ExtentT>(toExtent(limit.getRows(), dims));
      record->add = std::make_unique<fb::ExtentT>(toExtent(limit.getAdd(), dims));
      record->limit = limit.getLimit();
      entry->limits.push_back(std::move(record));
    }
  }
  choose(op.getStage(), &fb::ProgramT::entries, &fb::StageT::entries).push_back(std::move(entry));
}

ArtifactContents ArtifactBuilder::build(const std::vector<CodeImage> &images) {
  addDims();
  addMesh();
  addImages(images);
  addKernels();
  addWeights();
  addConstants();
  addStates();
  for (auto entry : module.getOps<program::EntryOp>())
    addEntry(entry);
  for (auto [stage, part] : llvm::enumerate(contents.program.stages)) {
    MemoryReport report = getMemoryReport(module, static_cast<int64_t>(stage));
    part->weights_bytes = report.weights;
    part->state_bytes = report.state;
  }
  MemoryReport report = getMemoryReport(module, std::nullopt);
  contents.program.weights_bytes = report.weights;
  contents.program.state_bytes = report.state;
  return std::move(contents);
}

} // namespace

ArtifactContents buildArtifact(ModuleOp module, const std::vector<CodeImage> &images,
                               const StoredType &storedType) {
  return ArtifactBuilder(module, storedType).build(images);
}

SmallVector<func::FuncOp> getKernelBodies(ModuleOp module) {
  SmallVector<func::FuncOp> bodies;
  for (auto kernel : module.getOps<program::KernelOp>())
    bodies.push_back(module.lookupSymbol<func::FuncOp>(kernel.getBody()));
  return bodies;
}

} // namespace ashlar
