// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --trace FILE: a timeline of a command's steps.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "runtime/api/session.h"
#include "runtime/api/tracer.h"
#include "tools/ashlar/options.h"

namespace ashlar {

class TraceFile {
 public:
  // Adds --trace.
  void AddTo(Options& options);

  bool wanted() const { return !path_.empty(); }

  // What steps of the session are run with; nothing special unless --trace is given.
  RunOptions Begin(const Session& session);

  // Writes the file, and says on stderr where it lies and what it lacks.
  absl::Status Finish() const;

 private:
  std::string path_;
  std::optional<Tracer> tracer_;
};

}  // namespace ashlar
