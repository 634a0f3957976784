// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/artifact_file.h"

#include <cstddef>
#include <cstdlib>
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

void ArtifactFile::Free::operator()(char* memory) const { std::free(memory); }

absl::StatusOr<ArtifactFile> ArtifactFile::Open(const std::string& path, const TrustPolicy& trust) {
  ArtifactFile artifact;
  ASHLAR_ASSIGN_OR_RETURN(artifact.file_, MappedFile::Open(path));
  ASHLAR_RETURN_IF_ERROR(artifact.CheckHeader());
  ASHLAR_RETURN_IF_ERROR(artifact.CheckSections());
  if (trust.demands_anything()) ASHLAR_RETURN_IF_ERROR(artifact.Secure(trust));
  for (SectionKind kind : {SectionKind::kMetadata, SectionKind::kCode, SectionKind::kConstants})
    ASHLAR_RETURN_IF_ERROR(artifact.VerifyChecksum(kind));
  return artifact;
}

absl::Status ArtifactFile::Secure(const TrustPolicy& trust) {
  const std::string_view all = file_->bytes();
  const std::string_view weights = section(SectionKind::kWeights);
  copied_ = all.size() - weights.size();
  const uint64_t pages = RoundUp<uint64_t>(copied_, kSectionAlignment);
  copy_.reset(static_cast<char*>(std::aligned_alloc(kSectionAlignment, pages)));
  if (!copy_)
    return WithCode(ErrorCode::kOutOfMemory,
                    absl::ResourceExhaustedError(StrCat(path(), ": cannot allocate ", pages,
                                                        " bytes for what is before its weights")));
  std::memcpy(copy_.get(), all.data(), copied_);
  ASHLAR_RETURN_IF_ERROR(CheckTrust(trust, path(), {copy_.get(), copied_}, weights));
  // Once more, now of what was checked: it must not have been something else before.
  ASHLAR_RETURN_IF_ERROR(CheckHeader());
  ASHLAR_RETURN_IF_ERROR(CheckSections());
  if (const auto now = section(SectionKind::kWeights);
      now.size() != weights.size() || (now.data() != weights.data() && !now.empty()))
    return DataLoss(path(), ": changed while it was opened");
  return absl::OkStatus();
}

std::string_view ArtifactFile::Bytes(uint64_t offset, uint64_t bytes) const {
  if (copy_ && offset + bytes <= copied_) return {copy_.get() + offset, bytes};
  return file_->bytes().substr(offset, bytes);
}

absl::Status ArtifactFile::CheckHeader() const {
  FileHeader header;
  if (file_->size() < sizeof(header) + kTableBytes)
    return DataLoss(path(), ": expected an artifact of at least ", sizeof(header) + kTableBytes,
                    " bytes, found ", file_->size());
  const std::string_view bytes = Bytes(0, sizeof(header) + kTableBytes);
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
  if (header.file_bytes != file_->size())
    return DataLoss(path(), ": expected ", header.file_bytes, " bytes, found ", file_->size(),
                    file_->size() < header.file_bytes ? " (truncated)" : "");
  if (Hash64(bytes.substr(sizeof(header), kTableBytes)) != header.table_checksum)
    return DataLoss(path(), ": the section table is corrupted (checksum)");
  if (!IsZero({reinterpret_cast<const char*>(header.zero), sizeof(header.zero)}))
    return DataLoss(path(), ": the file header is corrupted (reserved bytes)");
  return absl::OkStatus();
}

absl::Status ArtifactFile::CheckSections() {
  const uint64_t size = file_->size();
  const std::string_view table = Bytes(sizeof(FileHeader), kTableBytes);
  uint64_t end = sizeof(FileHeader) + kTableBytes;
  for (int i = 0; i < kNumSections; ++i) {
    SectionHeader section;
    std::memcpy(&section, table.data() + i * sizeof(section), sizeof(section));
    std::string where = StrCat(path(), ": section ", kSectionNames[i]);
    if (section.kind != static_cast<uint32_t>(i) || section.zero != 0)
      return DataLoss(where, ": expected kind ", i, ", found ", section.kind);
    if (section.offset % kSectionAlignment != 0 || section.offset < end ||
        section.offset - end >= kSectionAlignment)
      return DataLoss(where, ": expected at the first multiple of ", kSectionAlignment,
                      " after byte ", end, ", found at ", section.offset);
    if (!RangeFits(section.offset, section.bytes, size))
      return DataLoss(where, ": ", section.bytes, " bytes at ", section.offset, ", the file has ",
                      size);
    if (!IsZero(Bytes(end, section.offset - end)))
      return DataLoss(where, ": the padding before it is not zero");
    sections_[i] = Bytes(section.offset, section.bytes);
    checksums_[i] = section.checksum;
    end = section.offset + section.bytes;
  }
  if (end != size) return DataLoss(path(), ": ", size - end, " bytes after the last section");
  return absl::OkStatus();
}

absl::Status ArtifactFile::VerifyChecksum(SectionKind kind) const {
  int i = static_cast<int>(kind);
  if (Hash64(sections_[i]) == checksums_[i]) return absl::OkStatus();
  return DataLoss(path(), ": section ", kSectionNames[i], " is corrupted (checksum)");
}

}  // namespace ashlar
