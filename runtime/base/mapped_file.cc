// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "runtime/base/error_code.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uintptr_t kPage = 4096;

// The mappings that there are, for the signal handler, which may take no lock. A slot belongs to
// who changed `begin` from 0 to kTaken.
struct Slot {
  std::atomic<uintptr_t> begin{0}, end{0};
  std::atomic<bool> cut{false};
};
constexpr int kSlots = 4096;  // mappings beyond these are not guarded
constexpr uintptr_t kTaken = 1;
Slot slots[kSlots];
std::atomic<int> slots_used{0};  // all that were ever taken lie below
struct sigaction previous;

int TakeSlot(void* data, uint64_t size) {
  for (int i = 0; i < kSlots && size > 0; ++i) {
    uintptr_t expected = 0;
    if (!slots[i].begin.compare_exchange_strong(expected, kTaken)) continue;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
    slots[i].cut.store(false);
    slots[i].end.store(begin + RoundUp<uint64_t>(size, kPage));
    slots[i].begin.store(begin);
    int used = slots_used.load();
    while (used <= i && !slots_used.compare_exchange_weak(used, i + 1)) {
    }
    return i;
  }
  return -1;
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(info->si_addr);
  const int used = slots_used.load();
  for (int i = 0; i < used; ++i) {
    const uintptr_t begin = slots[i].begin.load();
    if (begin <= kTaken || address < begin || address >= slots[i].end.load()) continue;
    const int error = errno;
    void* page = reinterpret_cast<void*>(address / kPage * kPage);
    void* zeros = mmap(page, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = error;
    if (zeros == MAP_FAILED) break;
    slots[i].cut.store(true);
    return;  // to the instruction, which reads zeros now
  }
  if ((previous.sa_flags & SA_SIGINFO) && previous.sa_sigaction) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    std::signal(SIGBUS, SIG_DFL);  // the instruction raises it again
  }
}

absl::Status Changed(const std::string& path, const std::string& how) {
  return WithCode(ErrorCode::kFileChanged,
                  DataLoss(path, " ", how,
                           " while it was mapped; what was read from it is not to be "
                           "trusted"));
}

}  // namespace

MappedFile::MappedFile(std::string path, void* data, uint64_t size, const Identity& identity)
    : path_(std::move(path)),
      data_(data),
      size_(size),
      identity_(identity),
      slot_(TakeSlot(data, size)) {}

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
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  const Identity identity{info.st_dev, info.st_ino, size, info.st_mtim};
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, size, identity));
}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, size_);
  if (slot_ >= 0) slots[slot_].begin.store(0);
}

std::string MappedFile::stamp() const {
  return StrCat(identity_.size, " ", identity_.changed.tv_sec, ".", identity_.changed.tv_nsec, " ",
                identity_.device, " ", identity_.inode);
}

int MappedFile::OpenAgain() const {
  const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat now;
  if (descriptor >= 0 && fstat(descriptor, &now) == 0 && now.st_dev == identity_.device &&
      now.st_ino == identity_.inode && static_cast<uint64_t>(now.st_size) == identity_.size &&
      now.st_mtim.tv_sec == identity_.changed.tv_sec &&
      now.st_mtim.tv_nsec == identity_.changed.tv_nsec)
    return descriptor;
  if (descriptor >= 0) close(descriptor);
  return -1;
}

void MappedFile::WillNeed(uint64_t offset, uint64_t bytes) const {
  if (offset >= size_) return;
  uint64_t begin = offset / kPage * kPage;
  uint64_t end = offset + std::min(bytes, size_ - offset);
  madvise(static_cast<char*>(data_) + begin, end - begin, MADV_WILLNEED);
}

absl::Status MappedFile::CheckNotCut() const {
  if (slot_ < 0 || !slots[slot_].cut.load(std::memory_order_relaxed)) return absl::OkStatus();
  return Changed(path_, "became shorter");
}

absl::Status MappedFile::CheckUnchanged() const {
  ASHLAR_RETURN_IF_ERROR(CheckNotCut());
  struct stat now;
  if (stat(path_.c_str(), &now) != 0 || now.st_dev != identity_.device ||
      now.st_ino != identity_.inode)
    return absl::OkStatus();  // the name is another file's, or nobody's: ours is as it was
  if (static_cast<uint64_t>(now.st_size) != identity_.size)
    return Changed(path_, StrCat("went from ", identity_.size, " to ", now.st_size, " bytes"));
  if (now.st_mtim.tv_sec != identity_.changed.tv_sec ||
      now.st_mtim.tv_nsec != identity_.changed.tv_nsec)
    return Changed(path_, "was written to");
  return absl::OkStatus();
}

void GuardMappedFiles() {
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = OnBusError;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &previous) == 0;
  }();
  (void)installed;
}

}  // namespace ashlar
