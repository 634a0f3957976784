// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of pages that need nothing else: HTML that is also well-formed XML; no scripts, nothing
// fetched.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Text as XML may hold it; what is no printable ASCII becomes \xNN.
std::string Escape(std::string_view text);

// The whole page; `body` is HTML.
std::string Page(std::string_view title, const std::string& body);

// A row of a table of facts.
std::string Row(const std::string& key, const std::string& value);

// "1.5 MiB (1572864)".
std::string Bytes(uint64_t bytes);

// A colour for the i-th of things side by side, as CSS has it: neighbours differ.
std::string Colour(int i);

// What lies where in an entry's arena: time goes right, addresses go up.
std::string MemoryDrawing(const fb::ProgramT& program, const fb::EntryT& entry);

}  // namespace ashlar
