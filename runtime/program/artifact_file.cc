// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/artifact_file.h"

#include <cstddef>
#include <cstring>

#include "runtime/base/error_code.h"
#include "runtime/base/hash.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint64_t kTableBytes = kNumSections * sizeof(SectionHeader);

// Whether all bytes are zero; used on paddings, which are shorter than a page.
bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

absl::StatusOr<ArtifactFile> ArtifactFile::Open(const std::string& path) {
  ArtifactFile artifact;
  ASHLAR_ASSIGN_OR_RETURN(artifact.file_, MappedFile::Open(path));
  ASHLAR_RETURN_IF_ERROR(artifact.CheckHeader());
  ASHLAR_RETURN_IF_ERROR(artifact.CheckSections());
  for (SectionKind kind : {SectionKind::kMetadata, SectionKind::kCode, SectionKind::kConstants})
    ASHLAR_RETURN_IF_ERROR(artifact.VerifyChecksum(kind));
  return artifact;
}

absl::Status ArtifactFile::CheckHeader() {
  std::string_view bytes = file_->bytes();
  FileHeader header;
  if (bytes.size() < sizeof(header) + kTableBytes)
    return DataLoss(path(), ": expected an artifact of at least ", sizeof(header) + kTableBytes,
                    " bytes, found ", bytes.size());
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kArtifactMagic, sizeof(kArtifactMagic)) != 0)
    return DataLoss(path(), ": not an Ashlar artifact: it begins with '",
                    Printable(bytes.substr(0, 8)), "'");
  if (header.version != kArtifactVersion)
    return WithCode(ErrorCode::kArtifactVersion,
                    FailedPrecondition(path(), ": artifact of format ", header.version,
                                       ", this runtime reads format ", kArtifactVersion,
                                       "; compile the model again"));
  if (Hash64(bytes.substr(0, offsetof(FileHeader, header_checksum))) != header.header_checksum)
    return DataLoss(path(), ": the file header is corrupted (checksum)");
  if (header.sections != kNumSections)
    return DataLoss(path(), ": expected ", kNumSections, " sections, found ", header.sections);
  if (header.file_bytes != bytes.size())
    return DataLoss(path(), ": expected ", header.file_bytes, " bytes, found ", bytes.size(),
                    bytes.size() < header.file_bytes ? " (truncated)" : "");
  if (Hash64(bytes.substr(sizeof(header), kTableBytes)) != header.table_checksum)
    return DataLoss(path(), ": the section table is corrupted (checksum)");
  if (!IsZero({reinterpret_cast<const char*>(header.zero), sizeof(header.zero)}))
    return DataLoss(path(), ": the file header is corrupted (reserved bytes)");
  return absl::OkStatus();
}

absl::Status ArtifactFile::CheckSections() {
  std::string_view bytes = file_->bytes();
  uint64_t end = sizeof(FileHeader) + kTableBytes;
  for (int i = 0; i < kNumSections; ++i) {
    SectionHeader section;
    std::memcpy(&section, bytes.data() + sizeof(FileHeader) + i * sizeof(section), sizeof(section));
    std::string where = StrCat(path(), ": section ", kSectionNames[i]);
    if (section.kind != static_cast<uint32_t>(i) || section.zero != 0)
      return DataLoss(where, ": expected kind ", i, ", found ", section.kind);
    if (section.offset % kSectionAlignment != 0 || section.offset < end ||
        section.offset - end >= kSectionAlignment)
      return DataLoss(where, ": expected at the first multiple of ", kSectionAlignment,
                      " after byte ", end, ", found at ", section.offset);
    if (!RangeFits(section.offset, section.bytes, bytes.size()))
      return DataLoss(where, ": ", section.bytes, " bytes at ", section.offset, ", the file has ",
                      bytes.size());
    if (!IsZero(bytes.substr(end, section.offset - end)))
      return DataLoss(where, ": the padding before it is not zero");
    sections_[i] = bytes.substr(section.offset, section.bytes);
    checksums_[i] = section.checksum;
    end = section.offset + section.bytes;
  }
  if (end != bytes.size())
    return DataLoss(path(), ": ", bytes.size() - end, " bytes after the last section");
  return absl::OkStatus();
}

absl::Status ArtifactFile::VerifyChecksum(SectionKind kind) const {
  int i = static_cast<int>(kind);
  if (Hash64(sections_[i]) == checksums_[i]) return absl::OkStatus();
  return DataLoss(path(), ": section ", kSectionNames[i], " is corrupted (checksum)");
}

}  // namespace ashlar
