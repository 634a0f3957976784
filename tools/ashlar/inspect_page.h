// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar inspect --html: an artifact as one page that needs nothing else: facts, the memory map and
// the kernels of every entry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/program/program.h"

namespace ashlar {

// HTML that is also well-formed XML; costs are those at `dims`. No scripts, nothing fetched.
std::string InspectPage(const Program& program, const std::vector<int64_t>& dims, int threads);

}  // namespace ashlar
