// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/trace_file.h"

#include <iostream>

#include "runtime/base/status.h"

namespace ashlar {

void TraceFile::AddTo(Options& options) {
  options.Add("--trace", "FILE",
              "write a timeline of the steps, worker by worker, for ui.perfetto.dev or\n"
              "chrome://tracing",
              &path_);
}

RunOptions TraceFile::Begin(const Session& session) {
  RunOptions options;
  if (!wanted()) return options;
  tracer_.emplace(session.program().metadata(), session.threads());
  options.tracer = &*tracer_;
  return options;
}

absl::Status TraceFile::Finish() const {
  if (!tracer_) return absl::OkStatus();
  ASHLAR_RETURN_IF_ERROR(tracer_->Write(path_));
  std::cerr << "trace: " << path_;
  if (tracer_->dropped() > 0)
    std::cerr << ", without the last " << tracer_->dropped() << " pieces, which found no room";
  std::cerr << "\n";
  return absl::OkStatus();
}

}  // namespace ashlar
