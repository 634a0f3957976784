// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All ops of the graph dialect, by family.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHOPS_TD
#define ASHLAR_DIALECTS_GRAPH_GRAPHOPS_TD

include "dialects/Graph/GraphStructureOps.td"
include "dialects/Graph/GraphElementwiseOps.td"
include "dialects/Graph/GraphShapeOps.td"
include "dialects/Graph/GraphNnOps.td"

#endif
