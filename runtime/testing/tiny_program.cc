// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/testing/tiny_program.h"

#include <cstring>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/math.h"
#include "runtime/program/artifact_writer.h"
#include "runtime/testing/checkpoint_builder.h"

namespace ashlar::testing {
namespace {

constexpr uint16_t kBatch = 0, kSeq = 1;
// Places in the arena of forward, at the bound of 4 x 8 rows.
constexpr uint64_t kX = 0, kFactor = 640, kPosition = 896, kProduct = 1152, kLogits = 5376,
                   kArena = 9600;
constexpr uint64_t kRowsBytes = 32 * kTinyN * 4;

std::unique_ptr<fb::WeightPartT> MakePart(const std::string& name, fb::DType dtype,
                                          std::vector<int64_t> shape, bool transposed) {
  auto part = std::make_unique<fb::WeightPartT>();
  part->tensor = name;
  part->dtype = dtype;
  part->shape = std::move(shape);
  part->transposed = transposed;
  part->init = fb::Init::Normal;
  part->scale = 0.5f;
  return part;
}

void AddWeight(TinyProgram& tiny, const std::string& name, fb::Layout layout,
               std::vector<int64_t> shape, uint64_t offset, uint64_t bytes,
               std::unique_ptr<fb::WeightPartT> a, std::unique_ptr<fb::WeightPartT> b) {
  auto weight = std::make_unique<fb::WeightT>();
  weight->name = name;
  weight->layout = layout;
  weight->shape = std::move(shape);
  weight->offset = offset;
  weight->bytes = bytes;
  if (a) weight->parts.push_back(std::move(a));
  if (b) weight->parts.push_back(std::move(b));
  tiny.program.weights.push_back(std::move(weight));
}

void AddWeights(TinyProgram& tiny) {
  AddWeight(tiny, "dense.weight", fb::Layout::PanelF32, {kTinyK, kTinyN}, 0, 64 * kTinyK * 4,
            MakePart("a.weight", fb::DType::F32, {20, kTinyK}, true),
            MakePart("b.weight", fb::DType::BF16, {kTinyK, 13}, false));
  AddWeight(tiny, "dense.bias", fb::Layout::Plain, {kTinyN}, 1280, kTinyN * 4,
            MakePart("a.bias", fb::DType::F16, {20}, false),
            MakePart("b.bias", fb::DType::F32, {13}, false));
  AddWeight(tiny, "table", fb::Layout::Plain, {kTinyN}, 64, kTinyN * 4, nullptr, nullptr);
  tiny.program.weights_bytes = 1280 + kTinyN * 4;
  tiny.constants.assign(64, '\0');
  for (int n = 0; n < kTinyN; ++n) {
    float value = static_cast<float>(n) / 8;
    tiny.constants.append(reinterpret_cast<const char*>(&value), 4);
  }
}

void AddForward(TinyProgram& tiny) {
  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "forward";
  entry->arena_bytes = kArena;
  entry->arena_lower_bound = kArena - 64;
  entry->inputs.push_back(MakeValue("x", fb::DType::F32, kX, 32 * kTinyK * 4));
  entry->inputs.push_back(MakeValue("factor", fb::DType::I64, kFactor, 32 * 8));
  entry->inputs.push_back(MakeValue("position", fb::DType::I64, kPosition, 32 * 8));
  entry->outputs.push_back(MakeValue("logits", fb::DType::F32, kLogits, kRowsBytes));
  for (auto* values : {&entry->inputs, &entry->outputs})
    for (auto& value : *values) {
      value->shape.push_back(MakeExtent({kBatch}));
      value->shape.push_back(MakeExtent({kSeq}));
    }
  entry->inputs[0]->shape.push_back(MakeExtent({}, kTinyK));
  entry->outputs[0]->shape.push_back(MakeExtent({}, kTinyN));
  entry->inputs[1]->default_kind = fb::Default::Fill;
  entry->inputs[1]->default_value = MakeExtent({});
  entry->inputs[2]->default_kind = fb::Default::Iota;
  entry->inputs[2]->maximum = MakeExtent({}, 9);

  auto dense = MakeLaunch(0, "layer.dense");
  dense->operands.push_back(MakeOperand(fb::Space::Arena, kX, 32 * kTinyK * 4));
  dense->operands.push_back(MakeOperand(fb::Space::Weights, 0, 1280));
  dense->operands.push_back(MakeOperand(fb::Space::Weights, 1280, kTinyN * 4));
  dense->operands.push_back(MakeOperand(fb::Space::Arena, kProduct, kRowsBytes));
  dense->extents.push_back(MakeExtent({}, kTinyK));
  dense->extents.push_back(MakeExtent({}, kTinyN));
  dense->extents.push_back(MakeExtent({kBatch, kSeq}));
  auto rows = [](int64_t scale) { return MakeExtent({kBatch, kSeq}, scale); };
  dense->work.push_back(MakeWork(fb::WorkKind::Product, rows(2 * kTinyK * kTinyN)));
  dense->work.push_back(MakeWork(fb::WorkKind::WeightRead, MakeExtent({}, 1280 + kTinyN * 4)));
  dense->work.push_back(MakeWork(fb::WorkKind::ArenaRead, rows(kTinyK * 4)));
  dense->work.push_back(MakeWork(fb::WorkKind::ArenaWrite, rows(kTinyN * 4)));

  auto shift = MakeLaunch(1, "layer.shift");
  shift->operands.push_back(MakeOperand(fb::Space::Arena, kProduct, kRowsBytes));
  shift->operands.push_back(MakeOperand(fb::Space::Arena, kFactor, 256));
  shift->operands.push_back(MakeOperand(fb::Space::Arena, kPosition, 256));
  shift->operands.push_back(MakeOperand(fb::Space::Constants, 64, kTinyN * 4));
  shift->operands.push_back(MakeOperand(fb::Space::Arena, kLogits, kRowsBytes));
  shift->extents.push_back(MakeExtent({}, kTinyN));
  shift->extents.push_back(MakeExtent({kBatch, kSeq}));
  shift->work.push_back(MakeWork(fb::WorkKind::Elementwise, rows(3 * kTinyN)));
  shift->work.push_back(MakeWork(fb::WorkKind::ArenaRead, rows(kTinyN * 4)));
  shift->work.push_back(MakeWork(fb::WorkKind::ArenaWrite, rows(kTinyN * 4)));
  entry->launches.push_back(std::move(dense));
  entry->launches.push_back(std::move(shift));
  tiny.program.entries.push_back(std::move(entry));
}

void AddStep(TinyProgram& tiny) {
  tiny.program.states.push_back(MakeState("total", 0, 32));
  tiny.program.states.push_back(MakeState("count", 64, 32));
  tiny.program.state_bytes = 96;

  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "step";
  entry->arena_bytes = entry->arena_lower_bound = 96;
  entry->inputs.push_back(MakeValue("value", fb::DType::I64, 0, 32));
  entry->outputs.push_back(MakeValue("total", fb::DType::I64, 64, 32));
  entry->inputs[0]->shape.push_back(MakeExtent({kBatch}));
  entry->outputs[0]->shape.push_back(MakeExtent({kBatch}));
  auto launch = MakeLaunch(2, "counter");
  launch->operands.push_back(MakeOperand(fb::Space::Arena, 0, 32));
  launch->operands.push_back(MakeOperand(fb::Space::State, 0, 32));
  launch->operands.push_back(MakeOperand(fb::Space::State, 64, 32));
  launch->operands.push_back(MakeOperand(fb::Space::Arena, 64, 32));
  launch->extents.push_back(MakeExtent({kBatch}));
  entry->launches.push_back(std::move(launch));
  auto limit = std::make_unique<fb::CounterLimitT>();
  limit->state = 1;
  limit->rows = MakeExtent({kBatch});
  limit->add = MakeExtent({});
  limit->limit = 6;
  entry->limits.push_back(std::move(limit));
  tiny.program.entries.push_back(std::move(entry));
}

}  // namespace

std::unique_ptr<fb::ExtentT> MakeExtent(std::vector<uint16_t> dims, int64_t scale,
                                        int64_t divisor) {
  auto extent = std::make_unique<fb::ExtentT>();
  extent->dims = std::move(dims);
  extent->scale = scale;
  extent->divisor = divisor;
  return extent;
}

std::unique_ptr<fb::ValueT> MakeValue(const std::string& name, fb::DType dtype, uint64_t offset,
                                      uint64_t bytes) {
  auto value = std::make_unique<fb::ValueT>();
  value->name = name;
  value->dtype = dtype;
  value->offset = offset;
  value->bytes = bytes;
  return value;
}

fb::LibraryProductT& DescribeProduct(fb::ProgramT& program) {
  auto image = std::make_unique<fb::DeviceImageT>();
  image->arch = "emulator";
  image->size = program.images[0]->size;
  for (size_t i = 0; i < program.kernels.size(); ++i) {
    auto kernel = std::make_unique<fb::DeviceKernelT>();
    kernel->size = image->size;
    kernel->threads = 64;
    image->kernels.push_back(std::move(kernel));
  }
  auto product = std::make_unique<fb::LibraryProductT>();
  product->weight = 1;
  product->bias = 2;
  product->result = 3;
  product->rows = MakeExtent({2});
  product->columns = 8;
  product->depth = product->left_stride = 4;
  program.images.clear();
  image->kernels[0]->product = std::move(product);
  program.device_images.push_back(std::move(image));
  return *program.device_images[0]->kernels[0]->product;
}

void AddKernel(fb::ProgramT& program, std::string& code, const std::string& name,
               std::vector<fb::Access> operands, uint16_t extents, uint64_t scratch_bytes) {
  if (program.images.empty()) {
    program.images.push_back(std::make_unique<fb::ImageT>());
    program.images[0]->cpu = "x86-64";
    program.images[0]->features = {"sse2"};
  }
  auto bytes = ReadFile(std::string(ASHLAR_TEST_KERNELS) + "/" + name + ".bin", 1 << 16);
  fb::ImageT& image = *program.images[0];
  code.resize(RoundUp<size_t>(code.size(), 64));
  image.entries.push_back(code.size());
  if (bytes.ok()) code += *bytes;
  image.size = code.size();
  auto kernel = std::make_unique<fb::KernelT>();
  kernel->name = name;
  kernel->ops = {name};
  kernel->operands = std::move(operands);
  kernel->extents = extents;
  kernel->grid.push_back(MakeExtent({static_cast<uint16_t>(extents - 1)}));
  kernel->scratch_bytes = scratch_bytes;
  program.kernels.push_back(std::move(kernel));
}

std::unique_ptr<fb::DimT> MakeDim(const std::string& name, int64_t maximum) {
  auto dim = std::make_unique<fb::DimT>();
  dim->name = name;
  dim->minimum = 1;
  dim->maximum = maximum;
  return dim;
}

std::unique_ptr<fb::WorkT> MakeWork(fb::WorkKind kind, std::unique_ptr<fb::ExtentT> amount) {
  auto work = std::make_unique<fb::WorkT>();
  work->kind = kind;
  work->amount = std::move(amount);
  return work;
}
std::unique_ptr<fb::OperandT> MakeOperand(fb::Space space, uint64_t offset, uint64_t bytes) {
  auto operand = std::make_unique<fb::OperandT>();
  operand->space = space;
  operand->offset = offset;
  operand->bytes = bytes;
  return operand;
}

std::unique_ptr<fb::StateT> MakeState(const std::string& name, uint64_t offset, uint64_t bytes) {
  auto state = std::make_unique<fb::StateT>();
  state->name = name;
  state->dtype = fb::DType::I64;
  state->offset = offset;
  state->bytes = bytes;
  return state;
}

std::unique_ptr<fb::LaunchT> MakeLaunch(uint32_t kernel, const std::string& path) {
  auto launch = std::make_unique<fb::LaunchT>();
  launch->kernel = kernel;
  launch->path = path;
  return launch;
}

void CutIntoStages(fb::ProgramT& program, int places, int chunks) {
  auto axis = std::make_unique<fb::MeshAxisT>();
  axis->name = "pp";
  axis->size = places;
  program.mesh.push_back(std::move(axis));
  program.stage_cuts.emplace_back(1, static_cast<uint32_t>(places));
  const fb::ProgramT copy(program);
  std::vector<std::unique_ptr<fb::WeightT>> constants;
  for (auto& weight : program.weights)
    if (weight->parts.empty()) constants.push_back(std::move(weight));
  program.weights = std::move(constants);
  program.states.clear();
  program.entries.clear();
  program.weights_bytes = program.state_bytes = 0;
  for (int i = 0; i < places * chunks; ++i) {
    fb::ProgramT mine(copy);
    auto stage = std::make_unique<fb::StageT>();
    for (auto& weight : mine.weights)
      if (!weight->parts.empty()) stage->weights.push_back(std::move(weight));
    stage->states = std::move(mine.states);
    stage->entries = std::move(mine.entries);
    if (i < places * (chunks - 1))
      for (auto& entry : stage->entries) entry->outputs.clear();
    stage->weights_bytes = mine.weights_bytes;
    stage->state_bytes = mine.state_bytes;
    program.stages.push_back(std::move(stage));
  }
}

TinyProgram::TinyProgram() {
  program.producer = "test";
  program.dims.push_back(MakeDim("batch", 4));
  program.dims.push_back(MakeDim("seq", 8));
  using fb::Access;
  AddKernel(program, code, "dense", {Access::Read, Access::Read, Access::Read, Access::Write}, 3,
            20);
  AddKernel(program, code, "scale_shift",
            {Access::Read, Access::Read, Access::Read, Access::Read, Access::Write}, 2, 0);
  AddKernel(program, code, "accumulate",
            {Access::Read, Access::ReadWrite, Access::ReadWrite, Access::Write}, 1, 0);
  AddWeights(*this);
  AddForward(*this);
  AddStep(*this);
  std::string checkpoint = TinyCheckpoint();
  uint64_t header_bytes;
  std::memcpy(&header_bytes, checkpoint.data(), 8);
  program.checkpoint_hash = Hash64(std::string_view(checkpoint).substr(0, 8 + header_bytes));
}

absl::Status TinyProgram::Write(const std::string& path) const {
  return WriteArtifact(path, program, code, constants);
}

std::vector<float> TinyWeight() {
  std::vector<float> weight(kTinyK * kTinyN);
  for (int i = 0; i < kTinyK * kTinyN; ++i) weight[i] = static_cast<float>(i * 37 % 64 - 32) / 16;
  return weight;
}

std::vector<float> TinyBias() {
  std::vector<float> bias(kTinyN);
  for (int n = 0; n < kTinyN; ++n) bias[n] = static_cast<float>(n - 16) / 4;
  return bias;
}

std::string TinyCheckpoint() {
  std::vector<float> weight = TinyWeight(), bias = TinyBias(), a, b;
  for (int n = 0; n < 20; ++n)
    for (int k = 0; k < kTinyK; ++k) a.push_back(weight[k * kTinyN + n]);
  for (int k = 0; k < kTinyK; ++k)
    for (int n = 20; n < kTinyN; ++n) b.push_back(weight[k * kTinyN + n]);
  CheckpointBuilder builder;
  builder.Add("a.weight", DType::kF32, {20, kTinyK}, a);
  builder.Add("b.weight", DType::kBF16, {kTinyK, 13}, b);
  builder.Add("a.bias", DType::kF16, {20}, std::vector<float>(bias.begin(), bias.begin() + 20));
  builder.Add("b.bias", DType::kF32, {13}, std::vector<float>(bias.begin() + 20, bias.end()));
  return builder.Build();
}

}  // namespace ashlar::testing
