// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr int kTemporaryNames = 100;  // tried at most: files of a dead process may have them

int64_t NextTemporary() {
  static std::atomic<int64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AtomicFileWriter>> AtomicFileWriter::Create(
    const std::string& path) {
  // A link stays a link: its target is replaced.
  std::error_code ignored;
  std::string target = path;
  if (std::filesystem::is_symlink(path, ignored)) {
    auto resolved = std::filesystem::weakly_canonical(path, ignored);
    if (!ignored) target = resolved.string();
  }
  if (IsDirectory(target)) return InvalidArgument("cannot write ", path, ": it is a directory");
  if (struct stat info; stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return InvalidArgument("cannot write ", path,
                           ": it is a device, pipe or socket, which a file would replace");
  // Not mkstemp: it makes files private, and the mode that open gives is known to open alone.
  std::string temporary;
  int descriptor = -1;
  for (int attempt = 0; descriptor < 0 && attempt < kTemporaryNames; ++attempt) {
    temporary = StrCat(target, ".", getpid(), "-", NextTemporary(), ".partial");
    descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno != EEXIST) break;
  }
  if (descriptor < 0) return ErrnoError(errno, "cannot create", path);
  return std::unique_ptr<AtomicFileWriter>(new AtomicFileWriter(target, temporary, descriptor));
}

AtomicFileWriter::~AtomicFileWriter() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFileWriter::WriteAt(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, "cannot write", path_);
    }
    bytes.remove_prefix(written);
    offset += written;
  }
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Write(std::string_view bytes) {
  ASHLAR_RETURN_IF_ERROR(WriteAt(position_, bytes));
  position_ += bytes.size();
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Append(const MappedFile& from, uint64_t offset, uint64_t bytes) {
  constexpr uint64_t kPiece = uint64_t{1} << 30;
  const int source = from.OpenAgain();
  while (source >= 0 && bytes > 0) {
    auto in = static_cast<off64_t>(offset), out = static_cast<off64_t>(position_);
    const ssize_t copied =
        copy_file_range(source, &in, descriptor_, &out, std::min(bytes, kPiece), 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) break;  // file systems that cannot; what is wrong otherwise shows below
    offset += copied, position_ += copied, bytes -= copied;
  }
  if (source >= 0) close(source);
  while (bytes > 0) {
    const uint64_t piece = std::min<uint64_t>(bytes, kPiece);
    ASHLAR_RETURN_IF_ERROR(Write(from.bytes().substr(offset, piece)));
    offset += piece, bytes -= piece;
  }
  return from.CheckUnchanged();
}

absl::Status AtomicFileWriter::PadTo(uint64_t alignment) {
  static constexpr char kZeros[4096] = {};
  while (position_ % alignment != 0) {
    uint64_t missing = alignment - position_ % alignment;
    ASHLAR_RETURN_IF_ERROR(Write({kZeros, missing < sizeof(kZeros) ? missing : sizeof(kZeros)}));
  }
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Overwrite(uint64_t offset, std::string_view bytes) {
  if (offset > position_ || bytes.size() > position_ - offset)
    return InvalidArgument("cannot overwrite ", bytes.size(), " bytes at ", offset, " of ", path_,
                           ": only ", position_, " were written");
  return WriteAt(offset, bytes);
}

absl::Status AtomicFileWriter::Commit() {
  if (fsync(descriptor_) != 0) return ErrnoError(errno, "cannot sync", path_);
  int descriptor = descriptor_;
  descriptor_ = -1;
  if (close(descriptor) != 0) return ErrnoError(errno, "cannot close", path_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    return ErrnoError(errno, "cannot rename to", path_);
  temporary_.clear();
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, std::string_view bytes) {
  ASHLAR_ASSIGN_OR_RETURN(auto writer, AtomicFileWriter::Create(path));
  ASHLAR_RETURN_IF_ERROR(writer->Write(bytes));
  return writer->Commit();
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ErrnoError(errno, "cannot open", path);
  struct stat info;
  absl::Status status;
  std::string bytes;
  if (fstat(descriptor, &info) != 0) {
    status = ErrnoError(errno, "cannot stat", path);
  } else if (!S_ISREG(info.st_mode)) {
    status = InvalidArgument("cannot read ", path, ": not a regular file");
  } else if (static_cast<uint64_t>(info.st_size) > limit) {
    status =
        InvalidArgument(path, " has ", info.st_size, " bytes, at most ", limit, " are expected");
  } else {
    bytes.resize(info.st_size);
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t count = read(descriptor, bytes.data() + done, bytes.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) status = ErrnoError(errno, "cannot read", path);
      if (count <= 0) break;
      done += count;
    }
    if (status.ok() && done < bytes.size())
      status = DataLoss(path, " became shorter while it was read");
  }
  close(descriptor);
  if (!status.ok()) return status;
  return bytes;
}

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  std::string bytes;
  char piece[1 << 16];
  while (file) {
    size_t count = std::fread(piece, 1, sizeof(piece), file);
    if (count == 0) break;
    bytes.append(piece, count);
  }
  const int error = errno;
  bool failed = !file || std::ferror(file);  // a directory opens, but cannot be read
  if (file && file != stdin) std::fclose(file);
  if (failed) return NotFound("it cannot be read: ", std::strerror(error));
  return bytes;
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool IsRegularFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::string UserCacheDirectory() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache && cache[0] == '/') return StrCat(cache, "/ashlar");
  const char* home = std::getenv("HOME");
  return home && home[0] == '/' ? StrCat(home, "/.cache/ashlar") : "";
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoError(error.value(), "cannot create directory", path);
  return absl::OkStatus();
}

}  // namespace ashlar
