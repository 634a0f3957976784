// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing files so that nobody ever sees half of one, and reading small ones whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mapped_file.h"

namespace ashlar {

// Writes under a temporary name in the same directory; Commit syncs and renames it to the final
// name, so that what was there before stays until the new file is complete. Without Commit the
// temporary file is removed. One thread.
class AtomicFileWriter {
 public:
  // InvalidArgument where something other than a regular file has the name, such as /dev/null.
  static absl::StatusOr<std::unique_ptr<AtomicFileWriter>> Create(const std::string& path);
  ~AtomicFileWriter();
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;

  // Appends.
  absl::Status Write(std::string_view bytes);
  // Appends bytes of another file, [offset, offset + bytes). The system copies them, or shares them
  // between the two files, where it can: they do not pass through this process.
  absl::Status Append(const MappedFile& from, uint64_t offset, uint64_t bytes);
  // Appends zeros until the position is a multiple of `alignment`.
  absl::Status PadTo(uint64_t alignment);
  // Overwrites bytes that were written before, at `offset`; the position stays.
  absl::Status Overwrite(uint64_t offset, std::string_view bytes);
  uint64_t position() const { return position_; }

  // To be called once, last.
  absl::Status Commit();

 private:
  AtomicFileWriter(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  absl::Status WriteAt(uint64_t offset, std::string_view bytes);

  std::string path_, temporary_;
  int descriptor_;
  uint64_t position_ = 0;
};

// Creates or replaces a file with the bytes, through AtomicFileWriter.
absl::Status WriteFile(const std::string& path, std::string_view bytes);

// Returns the whole file, which must be a regular file of at most `limit` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit);

// Returns all that a path gives, of any kind that can be read (a pipe, say); "-" is standard input.
absl::StatusOr<std::string> ReadInput(const std::string& path);

// Whether the path exists and is a directory (a regular file).
bool IsDirectory(const std::string& path);
bool IsRegularFile(const std::string& path);

// Where the user's caches of this program lie: $XDG_CACHE_HOME/ashlar, else ~/.cache/ashlar; ""
// where neither XDG_CACHE_HOME nor HOME is an absolute path.
std::string UserCacheDirectory();

// Creates the directory and its missing parents.
absl::Status MakeDirectories(const std::string& path);

}  // namespace ashlar
