// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An artifact up to the point where its machine code would run, which is trusted. An input is a
// whole file when it begins with the magic; otherwise it is the metadata of a file whose checksums
// are right, so that what lies behind the checksums is reached.
#include <cstddef>
#include <cstring>

#include "runtime/api/session.h"
#include "runtime/base/hash.h"
#include "runtime/base/math.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/describe.h"
#include "runtime/program/plain_products.h"
#include "runtime/program/program.h"
#include "runtime/program/work.h"
#include "runtime/testing/tiny_decoder.h"
#include "runtime/testing/tiny_program.h"
#include "test/fuzz/fuzz.h"

namespace ashlar::fuzz {
namespace {

std::string MetadataOf(const fb::ProgramT &program) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::Program::Pack(builder, &program), fb::ProgramIdentifier());
  return std::string(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
}

// The layout of artifact_format.h around the metadata.
std::string Seal(std::string_view metadata, std::string_view code, std::string_view constants) {
  const std::string_view contents[kNumSections] = {metadata, code, constants, ""};
  SectionHeader table[kNumSections] = {};
  std::string file(sizeof(FileHeader) + sizeof(table), '\0');
  for (int i = 0; i < kNumSections; ++i) {
    file.resize(RoundUp<size_t>(file.size(), kSectionAlignment));
    table[i] = {static_cast<uint32_t>(i), 0, file.size(), contents[i].size(), Hash64(contents[i])};
    file += contents[i];
  }
  FileHeader header = {};
  std::memcpy(header.magic, kArtifactMagic, sizeof(header.magic));
  header.version = kArtifactVersion;
  header.sections = kNumSections;
  header.file_bytes = file.size();
  header.table_checksum = Hash64({reinterpret_cast<const char *>(table), sizeof(table)});
  header.header_checksum =
      Hash64({reinterpret_cast<const char *>(&header), offsetof(FileHeader, header_checksum)});
  std::memcpy(file.data(), &header, sizeof(header));
  std::memcpy(file.data() + sizeof(header), table, sizeof(table));
  return file;
}

// Everything that looks at a loaded program, and a session of it.
void Use(const std::shared_ptr<const Program> &program, const std::string &weights) {
  const fb::ProgramT &metadata = program->metadata();
  std::vector<int64_t> bounds;
  for (const auto &dim : metadata.dims)
    bounds.push_back(dim->maximum);
  for (const auto &entry : metadata.entries) {
    DescribeInputs(metadata, *entry);
    for (const auto &launch : entry->launches)
      WorkOf(metadata, *launch, bounds.data());
    auto dims = LargestDims(metadata, *entry, {});
    Require(dims.ok(), "bounds are bounds");
    for (const auto &image : metadata.device_images)
      for (const ProductUse &use : FindProductUses(*image, *entry, *dims)) {
        const fb::DeviceKernelT &kernel = *image->kernels[use.kernel];
        DescribeChoice(kernel);
        DescribeEpilogue(*FindPlainProduct(kernel));
        DescribeTypes(*FindPlainProduct(kernel));
      }
  }
  BindOptions bind;
  bind.weights_directory = weights;
  bind.threads = 1;
  auto bound = BoundProgram::Bind(program, bind);
  if (!bound.ok())
    return;
  SessionOptions options;
  options.threads = 1;
  MemoryPool::Options limit;
  limit.limit = 16 << 20;
  options.memory_pool = std::make_shared<MemoryPool>(limit);
  if (auto session = Session::Create(*bound, options); session.ok()) {
    (*session)->Reset();
    Require((*session)->memory().peak() <= limit.limit, "a session keeps to its pool's limit");
  }
}

} // namespace

std::vector<std::string> Seeds() {
  testing::TinyProgram tiny;
  testing::TinyDecoder decoder("[7, 8]");
  std::string metadata = MetadataOf(tiny.program);
  std::string sealed = Seal(metadata, tiny.code, tiny.constants);
  // A product that was measured, and that its kernel computes all the same.
  testing::DescribeProduct(tiny.program);
  fb::MeasurementT measurement;
  measurement.device = measurement.library = measurement.date = "x";
  measurement.rows = 1;
  PinProduct(*tiny.program.device_images[0]->kernels[0], /*by_library=*/false, measurement);
  return {metadata, MetadataOf(decoder.program), std::move(sealed), MetadataOf(tiny.program)};
}

} // namespace ashlar::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace ashlar;
  static const fuzz::ScratchFolder folder, weights;
  static const ashlar::testing::TinyProgram tiny;
  static const bool written =
      !weights.Write("model.safetensors", ashlar::testing::TinyCheckpoint()).empty();
  fuzz::Require(written, "the checkpoint is written");
  std::string_view input(reinterpret_cast<const char *>(data), size);
  bool whole = input.substr(0, sizeof(kArtifactMagic)) ==
               std::string_view(kArtifactMagic, sizeof(kArtifactMagic));
  std::string file = whole ? std::string(input) : fuzz::Seal(input, tiny.code, tiny.constants);
  auto program = Program::Load(folder.Write("fuzzed.ashlar", file));
  if (program.ok())
    fuzz::Use(*program, weights.path());
  return 0;
}
