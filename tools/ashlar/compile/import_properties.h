// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An artifact remembers how its model was imported, so that `ashlar run --interpret` imports the
// same graph again.

#ifndef ASHLAR_TOOLS_ASHLAR_COMPILE_IMPORT_PROPERTIES_H
#define ASHLAR_TOOLS_ASHLAR_COMPILE_IMPORT_PROPERTIES_H

#include "compiler/Import/HuggingFace.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

/// Adds the options as properties "import.batch", "import.seq", ...
void addImportProperties(const ImportOptions& options, fb::ProgramT& program);

/// Adds what config.json says that running needs or readers want: "model_type", "eos_token_id",
/// "bos_token_id" (ids as JSON writes them: 2, or [1, 2]).
void addModelProperties(const std::string& directory, fb::ProgramT& program);

/// The inverse of addImportProperties; the directory is the artifact's.
ImportOptions getImportOptions(const fb::ProgramT& program);

}  // namespace ashlar

#endif
