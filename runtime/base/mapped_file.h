// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file mapped read-only, shared with the page cache: opening it reads nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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

  // FailedPrecondition when the path names another file by now, or the file has been written to,
  // as far as its size and its time of change tell.
  absl::Status CheckUnchanged() const;

  // What tells this file in this state from others: size, time of change, device and inode, as they
  // were when it was opened.
  const std::string& stamp() const { return stamp_; }

  // Tells the kernel that bytes [offset, offset + bytes) will be read soon.
  void WillNeed(uint64_t offset, uint64_t bytes) const;

 private:
  MappedFile(std::string path, void* data, uint64_t size, std::string stamp)
      : path_(std::move(path)), data_(data), size_(size), stamp_(std::move(stamp)) {}

  std::string path_;
  void* data_;
  uint64_t size_;
  std::string stamp_;
};

}  // namespace ashlar
