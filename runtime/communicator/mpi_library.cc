// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/mpi_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "runtime/base/status.h"
#include "runtime/communicator/symbols.h"

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
  Symbols symbols(library);
#define ASHLAR_MPI_LOAD(name, ...) symbols.Find(#name, found->name);
  ASHLAR_MPI_FUNCTIONS(ASHLAR_MPI_LOAD)
#undef ASHLAR_MPI_LOAD
  symbols.Find("ompi_mpi_comm_world", found->world);
  symbols.Find("ompi_mpi_byte", found->byte);
  symbols.Find("ompi_mpi_errors_return", found->errors_return);
  if (symbols.missing())
    return FailedPrecondition(path, " has no ", symbols.missing(), ": Open MPI 4 or 5 is needed");
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
