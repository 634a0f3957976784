// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/program.h"

#include "runtime/base/status.h"
#include "runtime/program/metadata_guard.h"
#include "runtime/program/verify_program.h"

namespace ashlar {

absl::StatusOr<std::shared_ptr<const Program>> Program::Load(const std::string& path) {
  ASHLAR_ASSIGN_OR_RETURN(ArtifactFile file, ArtifactFile::Open(path));
  auto metadata = UnpackMetadata(file.section(SectionKind::kMetadata));
  if (!metadata.ok()) return Annotate(metadata.status(), path);
  SectionSizes sizes;
  sizes.code = file.section(SectionKind::kCode).size();
  sizes.constants = file.section(SectionKind::kConstants).size();
  sizes.weights = file.section(SectionKind::kWeights).size();
  if (absl::Status status = VerifyProgram(**metadata, sizes); !status.ok())
    return Annotate(status, path);
  return std::shared_ptr<const Program>(new Program(std::move(file), *std::move(metadata)));
}

absl::StatusOr<int> Program::FindEntry(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& entry : metadata_->entries) {
    if (entry->name == name) return static_cast<int>(names.size());
    names.push_back(entry->name);
  }
  return NotFound(path(), ": no entry '", name, "'; it has ",
                  names.empty() ? "none" : StrJoin(names, ", "));
}

std::string_view Program::Property(std::string_view key) const {
  for (const auto& property : metadata_->properties)
    if (property->key == key) return property->value;
  return "";
}

}  // namespace ashlar
