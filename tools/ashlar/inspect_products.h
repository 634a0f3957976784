// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plain products of an entry, and whether cuBLASLt computes them where it is found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Lines for `ashlar inspect`, or nothing where there are none: how often, rows x columns x depth at
// these extents, types, epilogue, what each takes at least on the devices whose data sheets are
// known; and what computes it, and why.
std::string DescribeProducts(const fb::ProgramT& program, const fb::EntryT& entry,
                             const std::vector<int64_t>& dims);

}  // namespace ashlar
