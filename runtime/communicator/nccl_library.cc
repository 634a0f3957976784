// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/nccl_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/communicator/symbols.h"

namespace ashlar::nccl {

absl::StatusOr<std::shared_ptr<const Library>> Library::Open() {
  constexpr int kOldest = 21400;  // communicators that do not block
  const char* named = std::getenv("ASHLAR_NCCL");
  const std::string path = named ? named : "libnccl.so.2";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: it has threads
  if (!library)
    return NotFound("no NCCL (", path,
                    "): install it (Debian: libnccl2, pip: nvidia-nccl-cu12), or name its library "
                    "in ASHLAR_NCCL");
  auto found = std::make_shared<Library>();
  Symbols symbols(library);
#define ASHLAR_NCCL_LOAD(name, ...) symbols.Find(#name, found->name);
  ASHLAR_NCCL_FUNCTIONS(ASHLAR_NCCL_LOAD)
#undef ASHLAR_NCCL_LOAD
  symbols.Find("ncclGetErrorString", found->ncclGetErrorString);
  symbols.Find("ncclGetLastError", found->ncclGetLastError);
  if (symbols.missing())
    return FailedPrecondition(path, " has no ", symbols.missing(),
                              ": NCCL 2.14 or later is needed");
  ASHLAR_RETURN_IF_ERROR(found->ToStatus(found->ncclGetVersion(&found->version), "ncclGetVersion"));
  if (found->version < kOldest)
    return FailedPrecondition(path, " is NCCL 2.", found->version / 100 % 100,
                              ": 2.14 or later is needed");
  return std::shared_ptr<const Library>(std::move(found));
}

absl::Status Library::ToStatus(int error, std::string_view what, ncclComm* comm) const {
  if (error == kSuccess || error == kInProgress) return absl::OkStatus();
  const char* more = comm ? ncclGetLastError(comm) : nullptr;
  const std::string text =
      StrCat(what, ": ", ncclGetErrorString(error), more && *more ? ": " : "", more ? more : "");
  // The other end of a connection, or the connection.
  if (error == kRemoteError || error == kSystemError)
    return WithCode(ErrorCode::kRankGone, absl::UnavailableError(text));
  return absl::InternalError(text);
}

}  // namespace ashlar::nccl
