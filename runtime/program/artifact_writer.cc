// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/artifact_writer.h"

#include <cstddef>
#include <cstring>

#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"

namespace ashlar {
namespace {

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// Starts a section at the next aligned place.
absl::StatusOr<SectionHeader> Begin(AtomicFileWriter& writer, SectionKind kind) {
  ASHLAR_RETURN_IF_ERROR(writer.PadTo(kSectionAlignment));
  SectionHeader section = {};
  section.kind = static_cast<uint32_t>(kind);
  section.offset = writer.position();
  return section;
}

absl::StatusOr<SectionHeader> WriteSection(AtomicFileWriter& writer, SectionKind kind,
                                           std::string_view bytes) {
  ASHLAR_ASSIGN_OR_RETURN(SectionHeader section, Begin(writer, kind));
  ASHLAR_RETURN_IF_ERROR(writer.Write(bytes));
  section.bytes = bytes.size();
  section.checksum = Hash64(bytes);
  return section;
}

absl::StatusOr<SectionHeader> StreamWeights(AtomicFileWriter& writer, const fb::ProgramT& program,
                                            const WeightsStream& weights) {
  ASHLAR_ASSIGN_OR_RETURN(SectionHeader section, Begin(writer, SectionKind::kWeights));
  Hasher hasher;
  if (weights) {
    ASHLAR_RETURN_IF_ERROR(weights([&](std::string_view bytes) {
      hasher.Update(bytes);
      return writer.Write(bytes);
    }));
  }
  section.bytes = writer.position() - section.offset;
  section.checksum = hasher.Digest();
  uint64_t expected = weights ? program.weights_bytes : 0;
  if (section.bytes != expected)
    return InvalidArgument("expected ", expected, " bytes of weights, got ", section.bytes);
  return section;
}

// The weights of another artifact, as they lie in its file.
absl::StatusOr<SectionHeader> CopyWeights(AtomicFileWriter& writer, const ArtifactFile& from) {
  ASHLAR_ASSIGN_OR_RETURN(SectionHeader section, Begin(writer, SectionKind::kWeights));
  // They end the file.
  const uint64_t bytes = from.section(SectionKind::kWeights).size();
  ASHLAR_RETURN_IF_ERROR(writer.Append(from.file(), from.file().size() - bytes, bytes));
  section.bytes = bytes;
  section.checksum = from.checksum(SectionKind::kWeights);
  return section;
}

// The file, with what `write_weights` makes of its last section.
template <typename WriteWeights>
absl::Status WriteSections(const std::string& path, const fb::ProgramT& program,
                           std::string_view code, std::string_view constants,
                           WriteWeights write_weights) {
  flatbuffers::FlatBufferBuilder builder(1 << 20);
  fb::FinishProgramBuffer(builder, fb::Program::Pack(builder, &program));
  std::string_view metadata(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                            builder.GetSize());

  ASHLAR_ASSIGN_OR_RETURN(auto writer, AtomicFileWriter::Create(path));
  FileHeader header = {};
  SectionHeader sections[kNumSections] = {};
  ASHLAR_RETURN_IF_ERROR(writer->Write(BytesOf(header)));
  ASHLAR_RETURN_IF_ERROR(writer->Write(BytesOf(sections)));
  ASHLAR_ASSIGN_OR_RETURN(sections[0], WriteSection(*writer, SectionKind::kMetadata, metadata));
  ASHLAR_ASSIGN_OR_RETURN(sections[1], WriteSection(*writer, SectionKind::kCode, code));
  ASHLAR_ASSIGN_OR_RETURN(sections[2], WriteSection(*writer, SectionKind::kConstants, constants));
  ASHLAR_ASSIGN_OR_RETURN(sections[3], write_weights(*writer));

  std::memcpy(header.magic, kArtifactMagic, sizeof(kArtifactMagic));
  header.version = kArtifactVersion;
  header.sections = kNumSections;
  header.file_bytes = writer->position();
  header.table_checksum = Hash64(BytesOf(sections));
  header.header_checksum = Hash64(BytesOf(header).substr(0, offsetof(FileHeader, header_checksum)));
  ASHLAR_RETURN_IF_ERROR(writer->Overwrite(0, BytesOf(header)));
  ASHLAR_RETURN_IF_ERROR(writer->Overwrite(sizeof(header), BytesOf(sections)));
  return writer->Commit();
}

}  // namespace

absl::Status WriteArtifact(const std::string& path, const fb::ProgramT& program,
                           std::string_view code, std::string_view constants,
                           const WeightsStream& weights) {
  if ((program.weight_source == fb::WeightSource::Embedded) != static_cast<bool>(weights))
    return InvalidArgument(
        "weights are given if and only if the program's weight source is Embedded");
  return WriteSections(path, program, code, constants, [&](AtomicFileWriter& writer) {
    return StreamWeights(writer, program, weights);
  });
}

absl::Status RewriteArtifact(const std::string& path, const fb::ProgramT& program,
                             const ArtifactFile& from) {
  return WriteSections(path, program, from.section(SectionKind::kCode),
                       from.section(SectionKind::kConstants),
                       [&](AtomicFileWriter& writer) { return CopyWeights(writer, from); });
}

}  // namespace ashlar
