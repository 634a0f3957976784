// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

std::string Stamp(const struct stat& info) {
  return StrCat(info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ", info.st_dev,
                " ", info.st_ino);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not hang.
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ErrnoError(errno, "cannot open", path);
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    int error = errno;
    close(descriptor);
    return ErrnoError(error, "cannot stat", path);
  }
  if (!S_ISREG(info.st_mode)) {
    close(descriptor);
    return InvalidArgument("cannot map ", path, ": not a regular file");
  }
  void* data = nullptr;
  if (info.st_size > 0) {
    data = mmap(nullptr, info.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED) {
      int error = errno;
      close(descriptor);
      return ErrnoError(error, "cannot map", path);
    }
  }
  close(descriptor);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, info.st_size, Stamp(info)));
}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, size_);
}

absl::Status MappedFile::CheckUnchanged() const {
  struct stat info;
  if (stat(path_.c_str(), &info) != 0) return ErrnoError(errno, "cannot stat", path_);
  if (Stamp(info) != stamp_) return FailedPrecondition(path_, " has changed since it was opened");
  return absl::OkStatus();
}

void MappedFile::WillNeed(uint64_t offset, uint64_t bytes) const {
  if (offset >= size_) return;
  uint64_t begin = offset / 4096 * 4096;
  uint64_t end = offset + std::min(bytes, size_ - offset);
  madvise(static_cast<char*>(data_) + begin, end - begin, MADV_WILLNEED);
}

}  // namespace ashlar
