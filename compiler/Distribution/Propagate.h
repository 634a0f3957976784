// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PROPAGATE_H
#define ASHLAR_COMPILER_DISTRIBUTION_PROPAGATE_H

#include "compiler/Distribution/Shardings.h"

namespace ashlar::distribution {

/// Carries shardings along factors until nothing changes, in the order that Passes.td describes.
void propagate(Shardings &shardings);

} // namespace ashlar::distribution

#endif
