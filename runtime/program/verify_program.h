// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The semantic verifier: after it the runtime may use every index, offset and extent of a program
// without a check.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Sizes of the sections that the metadata points into.
struct SectionSizes {
  uint64_t code = 0;
  uint64_t constants = 0;
  uint64_t weights = 0;  // of the section: 0 unless weights are embedded
};

// Checks that
//  - every index names something, every enum value is known, names are unique and not empty;
//  - every byte range lies in its region at the bound, and offsets of weights, states, inputs and
//    outputs are multiples of kBufferAlignment; weights do not overlap, nor do states;
//  - every extent has a positive divisor and does not overflow at the bound, nor do its users
//    (sizes, grids);
//  - inputs and outputs have the bytes of their shape at the bound; every dimension that an entry
//    uses can be found from the shapes of its inputs;
//  - launches agree with their kernels, and no kernel writes weights or constants;
//  - each stage of a pipeline is such a program by itself, and they have the same entries;
//  - a weight's parts make up its shape, and its padded size is its layout's.
// Returns DataLoss that names the entry, launch, weight, ... and what was expected. Compilers may
// call it too.
absl::Status VerifyProgram(const fb::ProgramT& program, const SectionSizes& sizes);

// The part of VerifyProgram that is about entries; `bounds` are the dims' maxima.
absl::Status VerifyEntry(const fb::ProgramT& program, const SectionSizes& sizes,
                         const std::vector<int64_t>& bounds, const fb::EntryT& entry);

// Bytes of a weight in its layout, padding included; false when it overflows or the shape does not
// fit the layout.
bool WeightBytes(const fb::WeightT& weight, uint64_t* bytes);

}  // namespace ashlar
