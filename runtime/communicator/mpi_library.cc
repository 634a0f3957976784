// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/mpi_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "runtime/base/status.h"

namespace ashlar::mpi {

bool IsUnderMpirun() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  return size && std::atoi(size) > 1;
}

absl::StatusOr<std::shared_ptr<const Library>> Library::Open() {
  const char* named = std::getenv("ASHLAR_MPI");
  std::string path = named ? named : "libmpi.so.40";
  // Global, because its components are plugins that look for its symbols; never closed.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library)
    return NotFound("no MPI (", path,
                    "): install Open MPI (Debian: openmpi-bin), or name its "
                    "library in ASHLAR_MPI");
  auto found = std::make_shared<Library>();
  const char* missing = nullptr;
  auto find = [&](const char* name) {
    void* symbol = dlsym(library, name);
    if (!symbol) missing = name;
    return symbol;
  };
#define ASHLAR_MPI_LOAD(name, ...) \
  found->name = reinterpret_cast<decltype(found->name)>(find(#name));
  ASHLAR_MPI_FUNCTIONS(ASHLAR_MPI_LOAD)
#undef ASHLAR_MPI_LOAD
  found->world = find("ompi_mpi_comm_world");
  found->byte = find("ompi_mpi_byte");
  found->errors_return = find("ompi_mpi_errors_return");
  if (missing) return FailedPrecondition(path, " has no ", missing, ": Open MPI 4 or 5 is needed");
  return std::shared_ptr<const Library>(std::move(found));
}

absl::Status Library::ToStatus(int error, const char* call) const {
  if (error == 0) return absl::OkStatus();
  char text[512] = "";
  int length = 0;
  MPI_Error_string(error, text, &length);
  return absl::InternalError(StrCat(call, ": ", text));
}

}  // namespace ashlar::mpi
