// The planner's view of a problem: what must move together is one item, and time is cut into
// sections.
//
// Aliased buffers become one *item* with a shape that may change over time; a buffer without
// aliases or gaps is an item with one rectangle. Time is compressed to *sections*: maximal sets of
// rectangles that live at once. A set that is contained in a neighbour's adds no constraint, so a
// boundary is kept only where a rectangle begins after another has ended (the maximal cliques of an
// interval graph; Golumbic, "Algorithmic Graph Theory", 1980).
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_MODEL_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_MODEL_H

#include "compiler/Memory/Planner/Planner.h"

namespace ashlar::planner {

/// Bytes [lo, hi) behind an item's offset, occupied during the sections [first, last).
struct Rect {
  int32_t first;
  int32_t last;
  int64_t lo;
  int64_t hi;
};

struct Item {
  int64_t length = 0;  // steps from its first to its last; only for orders, so that it may saturate
  int64_t height = 0;  // bytes from its offset to its highest end, gaps included
  int64_t modulus = 1; // offset = residue (mod modulus)
  int64_t residue = 0; // in [0, modulus)
  int64_t fixed = -1;  // bytes, or -1
  int64_t hint = -1;   // bytes, or -1
  int32_t first = 0;   // sections [first, last) contain every rectangle
  int32_t last = 0;
  int32_t rectBegin = 0; // Model::rects[rectBegin, rectEnd), ordered by time
  int32_t rectEnd = 0;

  /// Returns the smallest allowed offset that is at least `offset`.
  int64_t alignUp(int64_t offset) const {
    if (modulus == 1)
      return offset;
    int64_t rest = (offset - residue) % modulus;
    return rest == 0 ? offset : offset + (rest < 0 ? -rest : modulus - rest);
  }
};

struct Model {
  std::vector<Item> items;
  std::vector<Rect> rects;
  std::vector<int64_t> sectionTotal; // bytes live in each section
  std::vector<int32_t> itemOf;       // per buffer
  std::vector<int64_t> deltaOf;      // per buffer: its offset behind the item's
  int64_t unit = 1;                  // some best plan's offsets and peak are all multiples of it
  int64_t lowerBound = 0;            // bytes
  /// Every rectangle begins at its item's offset, so that of two items one lies wholly below the
  /// other. Where it is false (slices, windows), an exhausted search is not a proof.
  bool exact = true;

  int numSections() const { return int(sectionTotal.size()); }
};

/// Builds the model of a problem that validateProblem accepts.
Model buildModel(const Problem &problem);

/// Translates the items' offsets to the buffers'.
std::vector<int64_t> bufferOffsets(const Model &model, const std::vector<int64_t> &itemOffsets);

/// Returns the highest end of any item.
int64_t peakOf(const Model &model, const std::vector<int64_t> &itemOffsets);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_MODEL_H
