// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/executable_image.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/math.h"
#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<std::shared_ptr<const ExecutableImage>> ExecutableImage::Create(
    std::string_view code) {
  if (code.empty()) return InvalidArgument("an image without code");
  size_t size = RoundUp<size_t>(code.size(), 4096);
  void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return ErrnoError(errno, "cannot map", StrCat(size, " bytes for code"));
  std::memcpy(pages, code.data(), code.size());
  if (mprotect(pages, size, PROT_READ | PROT_EXEC) != 0) {
    int error = errno;
    munmap(pages, size);
    return ErrnoError(error, "cannot make executable", StrCat(size, " bytes of code"));
  }
  return std::shared_ptr<const ExecutableImage>(new ExecutableImage(pages, size));
}

ExecutableImage::~ExecutableImage() { munmap(pages_, size_); }

}  // namespace ashlar
