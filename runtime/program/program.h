// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loaded artifact: its metadata, verified, and views of its sections.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/program/artifact_file.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Immutable, so shared by any number of sessions and threads. Holds the file mapped.
class Program {
 public:
  // Maps the artifact and verifies all of it but the weights' bytes. A file that is cut, changed or
  // made up is an error that begins with its path and says what is wrong; its code is not run and
  // nothing large is allocated. Its machine code runs with the rights of the process; `trust` says
  // what is demanded of files whose maker is not known otherwise.
  static absl::StatusOr<std::shared_ptr<const Program>> Load(const std::string& path,
                                                             const TrustPolicy& trust = {});

  // The program as a rank runs it: of a pipeline that of its stage, else the same. Which rank the
  // one that was loaded is for, Load does not know: its metadata are rank 0's.
  static std::shared_ptr<const Program> ForRank(std::shared_ptr<const Program> program, int rank);
  // Where each rank has several stages: that of one of them, in their order. The last one, which
  // gives the outputs, is ForRank's.
  static std::shared_ptr<const Program> ForChunk(std::shared_ptr<const Program> program, int rank,
                                                 int chunk);
  // How many stages it has, 1 where it is no pipeline; how many of them each rank has, and how many
  // ranks there are one behind the other.
  int stages() const { return whole_ ? static_cast<int>(whole_->stages.size()) : 1; }
  int chunks() const;
  int places() const;
  // What the file says: the program of all stages. And that of one of them, whichever ranks run it.
  static std::shared_ptr<const Program> ForStage(std::shared_ptr<const Program> program, int stage);
  const fb::ProgramT& whole() const { return whole_ ? *whole_ : *metadata_; }

  const std::string& path() const { return file_->path(); }
  const fb::ProgramT& metadata() const { return *metadata_; }

  // Sections; empty when there is nothing in them. Page-aligned.
  std::string_view code() const { return file_->section(SectionKind::kCode); }
  std::string_view constants() const { return file_->section(SectionKind::kConstants); }
  std::string_view weights() const { return file_->section(SectionKind::kWeights); }
  const MappedFile& file() const { return file_->file(); }
  const ArtifactFile& artifact() const { return *file_; }

  // The entry's index; NotFound lists the entries that there are.
  absl::StatusOr<int> FindEntry(std::string_view name) const;

  // The property's value, or "" when it has none.
  std::string_view Property(std::string_view key) const;

  // Compares the embedded weights with their checksum; reads all of them.
  absl::Status VerifyWeights() const;

 private:
  // Of one stage of `whole`, or all of it.
  Program(std::shared_ptr<const ArtifactFile> file, std::shared_ptr<const fb::ProgramT> whole,
          int stage);

  std::shared_ptr<const ArtifactFile> file_;
  std::shared_ptr<const fb::ProgramT> whole_;  // of a pipeline
  std::shared_ptr<const fb::ProgramT> metadata_;
};

}  // namespace ashlar
