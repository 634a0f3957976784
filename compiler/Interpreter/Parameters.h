// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the interpreter's parameters come from.

#ifndef ASHLAR_COMPILER_INTERPRETER_PARAMETERS_H
#define ASHLAR_COMPILER_INTERPRETER_PARAMETERS_H

#include "compiler/Interpreter/Interpreter.h"
#include "runtime/checkpoint/safetensors.h"

namespace ashlar::interpreter {

/// Reads each parameter's tensor, rounded to the state's element type. Missing and misshapen
/// tensors are diagnostics at the state.
StateInitializer loadFromCheckpoint(std::shared_ptr<const Checkpoint> checkpoint);

/// Draws each parameter as its `init` and `stddev` say, bit for bit as the runtime does for the
/// same seed.
StateInitializer drawFromSeed(uint64_t seed);

} // namespace ashlar::interpreter

#endif
