// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <functional>
#include <string>

#include "runtime/base/status.h"
#include "runtime/program/verify_program.h"
#include "runtime/testing/tiny_program.h"

namespace ashlar::testing {

// What the verifier says of the tiny program after `change`, "" when it finds nothing.
inline std::string ErrorAfter(const std::function<void(fb::ProgramT&)>& change) {
  TinyProgram tiny;
  change(tiny.program);
  SectionSizes sizes;
  sizes.code = tiny.code.size();
  sizes.constants = tiny.constants.size();
  return Message(VerifyProgram(tiny.program, sizes));
}

}  // namespace ashlar::testing
