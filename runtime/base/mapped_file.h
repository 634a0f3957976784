// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file mapped read-only, shared with the page cache: opening it reads nothing.
//
// A mapping is the file as it is, not as it was: who writes to it changes what is read here, and
// reading what was cut off raises SIGBUS, which ends a process that does nothing about it. Files
// are to be replaced by renaming (AtomicFileWriter); for those who do not, there are two answers:
// CheckUnchanged says afterwards that what was read is not to be trusted, and GuardMappedFiles
// makes bytes that are gone read as zero until someone asks.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

// Immutable, so usable from any thread. The mapping lives as long as the object.
class MappedFile {
 public:
  // A regular file; an empty one maps to an empty view. Errors carry the path.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }
  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }

  // What tells this file in this state from others: size, time of change, device and inode, as they
  // were when it was opened.
  std::string stamp() const;

  // A new descriptor of this file in this state, which the caller closes; -1 where the path leads
  // to no such file any more.
  int OpenAgain() const;

  // Tells the kernel that bytes [offset, offset + bytes) will be read soon.
  void WillNeed(uint64_t offset, uint64_t bytes) const;

  // DataLoss (E0106) when bytes were found gone, or when the file that is mapped has another size
  // or time of change than it had; one that another was renamed over is as it was.
  absl::Status CheckUnchanged() const;
  // The part of it that costs nothing: bytes were found gone.
  absl::Status CheckNotCut() const;

 private:
  struct Identity {
    uint64_t device = 0, inode = 0, size = 0;
    timespec changed = {};
  };
  MappedFile(std::string path, void* data, uint64_t size, const Identity& identity);

  std::string path_;
  void* data_;
  uint64_t size_;
  Identity identity_;
  int slot_;  // among the guarded mappings, or -1
};

// From now on, for the process: reading bytes of a mapped file that are no longer there gives
// zeros, and CheckNotCut tells. Takes over the signal SIGBUS; other occasions of it go to the
// handler that was there. For programs, which know what else handles signals; not called by the
// library itself.
void GuardMappedFiles();

}  // namespace ashlar
