// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/program.h"

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/program/metadata_guard.h"
#include "runtime/program/stages.h"
#include "runtime/program/verify_program.h"

namespace ashlar {

absl::StatusOr<std::shared_ptr<const Program>> Program::Load(const std::string& path,
                                                             const TrustPolicy& trust) {
  auto opened = ArtifactFile::Open(path, trust);
  if (!opened.ok()) return WithCode(ErrorCode::kBadArtifact, opened.status());
  ArtifactFile file = *std::move(opened);
  auto metadata = UnpackMetadata(file.section(SectionKind::kMetadata));
  if (!metadata.ok()) return WithCode(ErrorCode::kBadProgram, Annotate(metadata.status(), path));
  SectionSizes sizes;
  sizes.code = file.section(SectionKind::kCode).size();
  sizes.constants = file.section(SectionKind::kConstants).size();
  sizes.weights = file.section(SectionKind::kWeights).size();
  if (absl::Status status = VerifyProgram(**metadata, sizes); !status.ok())
    return WithCode(ErrorCode::kBadProgram, Annotate(status, path));
  ASHLAR_RETURN_IF_ERROR(file.file().CheckUnchanged());
  const int stage = StageOf(**metadata, 0, ChunkCount(**metadata) - 1);
  return std::shared_ptr<const Program>(new Program(
      std::make_shared<const ArtifactFile>(std::move(file)), *std::move(metadata), stage));
}

Program::Program(std::shared_ptr<const ArtifactFile> file,
                 std::shared_ptr<const fb::ProgramT> whole, int stage)
    : file_(std::move(file)) {
  if (whole->stages.empty()) {
    metadata_ = std::move(whole);
  } else {
    metadata_ = std::make_shared<const fb::ProgramT>(ProjectStage(*whole, stage));
    whole_ = std::move(whole);
  }
}

std::shared_ptr<const Program> Program::ForRank(std::shared_ptr<const Program> program, int rank) {
  const int last = program->chunks() - 1;
  return ForChunk(std::move(program), rank, last);
}

std::shared_ptr<const Program> Program::ForChunk(std::shared_ptr<const Program> program, int rank,
                                                 int chunk) {
  if (!program->whole_) return program;
  const int stage = StageOf(*program->whole_, rank, chunk);
  return ForStage(std::move(program), stage);
}

int Program::chunks() const { return whole_ ? ChunkCount(*whole_) : 1; }
int Program::places() const { return whole_ ? PlaceCount(*whole_) : 1; }

std::shared_ptr<const Program> Program::ForStage(std::shared_ptr<const Program> program,
                                                 int stage) {
  if (!program->whole_) return program;
  return std::shared_ptr<const Program>(new Program(program->file_, program->whole_, stage));
}

absl::StatusOr<int> Program::FindEntry(std::string_view name) const {
  for (size_t i = 0; i < metadata_->entries.size(); ++i)
    if (metadata_->entries[i]->name == name) return static_cast<int>(i);
  std::vector<std::string_view> names;
  for (const auto& entry : metadata_->entries) names.push_back(entry->name);
  return WithCode(ErrorCode::kNoSuchEntry, NotFound(path(), ": no entry '", name, "'; it has ",
                                                    names.empty() ? "none" : StrJoin(names, ", ")));
}

absl::Status Program::VerifyWeights() const {
  return WithCode(ErrorCode::kBadArtifact, file_->VerifyChecksum(SectionKind::kWeights));
}

std::string_view Program::Property(std::string_view key) const {
  for (const auto& property : metadata_->properties)
    if (property->key == key) return property->value;
  return "";
}

}  // namespace ashlar
