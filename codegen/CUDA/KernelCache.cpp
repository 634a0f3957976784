// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/KernelCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace llvm;

namespace ashlar::cuda {

static std::string hash(StringRef text) {
  auto bytes = SHA256::hash(arrayRefFromStringRef(text));
  return toHex(bytes, /*LowerCase=*/true);
}

KernelCache KernelCache::open() {
  if (const char *named = std::getenv("ASHLAR_KERNEL_CACHE"))
    return KernelCache(named);
  SmallString<128> directory;
  if (!sys::path::cache_directory(directory))
    return KernelCache("");
  sys::path::append(directory, "ashlar", "kernels");
  return KernelCache(directory.str().str());
}

std::string KernelCache::getPath(const std::string &key) const {
  SmallString<128> path(directory);
  sys::path::append(path, hash(key));
  return path.str().str();
}

// "HASH ENTRY SHARED REGISTERS SPILLS\n" and the code, of which HASH is.
std::optional<CompiledKernel> KernelCache::find(const std::string &key) const {
  if (directory.empty())
    return std::nullopt;
  auto file = MemoryBuffer::getFile(getPath(key), /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  auto [head, code] = (*file)->getBuffer().split('\n');
  SmallVector<StringRef> fields;
  head.split(fields, ' ');
  CompiledKernel kernel;
  if (fields.size() != 5 || fields[0] != hash(code) || fields[1].getAsInteger(10, kernel.entry) ||
      fields[2].getAsInteger(10, kernel.sharedBytes) ||
      fields[3].getAsInteger(10, kernel.registers) ||
      fields[4].getAsInteger(10, kernel.spillBytes) || kernel.entry > code.size())
    return std::nullopt;
  kernel.code = code.str();
  return kernel;
}

void KernelCache::keep(const std::string &key, const CompiledKernel &kernel) const {
  if (directory.empty() || sys::fs::create_directories(directory))
    return;
  // Written beside its place and moved there, so that a reader never sees a part.
  std::string path = getPath(key);
  SmallString<128> temporary;
  int file;
  if (sys::fs::createUniqueFile(path + ".%%%%%%%%", file, temporary))
    return;
  raw_fd_ostream stream(file, /*shouldClose=*/true);
  stream << hash(kernel.code) << ' ' << kernel.entry << ' ' << kernel.sharedBytes << ' '
         << kernel.registers << ' ' << kernel.spillBytes << '\n'
         << kernel.code;
  stream.close();
  if (stream.has_error() || sys::fs::rename(temporary, path)) {
    stream.clear_error();
    sys::fs::remove(temporary);
  }
}

} // namespace ashlar::cuda
