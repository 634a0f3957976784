// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An artifact as a file of sections: everything about it that does not need the metadata to be
// understood.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/base/mapped_file.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/trust.h"

namespace ashlar {

// Immutable; the views are valid as long as it lives.
class ArtifactFile {
 public:
  // Maps the file and checks header, table, padding and the checksums of all sections but the
  // weights, which are not touched. Errors: DataLoss that says which part is wrong,
  // FailedPrecondition for another version; those of CheckTrust.
  // With demands on its trust all of the file is read, and everything before the weights is kept
  // in memory of our own: whoever writes to the file later does not change what was checked.
  static absl::StatusOr<ArtifactFile> Open(const std::string& path, const TrustPolicy& trust = {});

  std::string_view section(SectionKind kind) const { return sections_[static_cast<int>(kind)]; }
  const std::string& path() const { return file_->path(); }
  const MappedFile& file() const { return *file_; }

  // What the section table says of the section.
  uint64_t checksum(SectionKind kind) const { return checksums_[static_cast<int>(kind)]; }

  // Compares a section's bytes with its checksum; reads all of it.
  absl::Status VerifyChecksum(SectionKind kind) const;

 private:
  ArtifactFile() = default;
  absl::Status CheckHeader() const;
  absl::Status CheckSections();
  absl::Status Secure(const TrustPolicy& trust);
  // Bytes of the file, of our copy where that has them.
  std::string_view Bytes(uint64_t offset, uint64_t bytes) const;

  struct Free {
    void operator()(char* memory) const;
  };
  std::shared_ptr<const MappedFile> file_;
  std::unique_ptr<char, Free> copy_;  // of the first copied_ bytes; page-aligned
  uint64_t copied_ = 0;
  std::array<std::string_view, kNumSections> sections_;
  std::array<uint64_t, kNumSections> checksums_ = {};
};

}  // namespace ashlar
