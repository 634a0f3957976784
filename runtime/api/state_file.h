// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session's state in a file. All numbers little endian:
//
//   StateHeader                 magic, version, identity, sizes, checksums
//   note_bytes                  the caller's
//   present_blocks * 4          numbers of the blocks that are not all zeros, ascending
//   present_blocks * 65536      these blocks; the state's last one is filled up with zeros
//
// A cache is zero where nothing was put into it, so that a file is about as large as what a session
// has used. The layout of what is in the blocks is the program's, which the identity stands for: no
// file is read by another program, of another version of the compiler, or with other bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mapped_file.h"

namespace ashlar {

// Creates or replaces the file, as AtomicFileWriter does.
// `states` are those of the program's ranks; each but the last is filled up to whole blocks.
absl::Status WriteStateFile(const std::string& path, uint64_t identity, std::string_view note,
                            const std::vector<std::string_view>& states);

class StateFile {
 public:
  // Maps the file and verifies all of it. DataLoss for what is damaged, FailedPrecondition for
  // another identity, both with the path and the code E0513.
  static absl::StatusOr<StateFile> Open(const std::string& path, uint64_t identity,
                                        const std::vector<uint64_t>& state_bytes);

  std::string_view note() const { return note_; }
  // Copies bytes [offset, offset + bytes) of a state, the `index`-th.
  void Read(uint64_t offset, uint64_t bytes, char* out, size_t index = 0) const;

 private:
  StateFile() = default;

  std::shared_ptr<const MappedFile> file_;
  std::vector<uint64_t> first_blocks_;  // of each state
  std::string_view note_, numbers_, blocks_;
};

}  // namespace ashlar
