// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words for parts of a program, for errors and listings.
#pragma once

#include <string>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// "seq", "2 * batch * seq", "ceil(seq / 4)", "768".
std::string Describe(const fb::ProgramT& program, const fb::ExtentT& extent);

// "I64 [batch, seq]".
std::string Describe(const fb::ProgramT& program, const fb::ValueT& value);

// "batch 1..8, seq 1..512", of all dims, or of those that the value's shape uses.
std::string DescribeDims(const fb::ProgramT& program);
std::string DescribeDims(const fb::ProgramT& program, const fb::ValueT& value);

// One line per input: name, type and shape, and what stands in where it is left out.
std::string DescribeInputs(const fb::ProgramT& program, const fb::EntryT& entry);

}  // namespace ashlar
