// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/tracer.h"

#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/program/work.h"

namespace ashlar {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMicrosecond = 1e3;  // the format's unit, in nanoseconds

Json RowName(int row, const std::string& name) {
  return {
      {"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}};
}

Json Complete(const std::string& name, int row, int64_t begin_ns, int64_t end_ns, Json arguments) {
  return {{"name", name},
          {"ph", "X"},
          {"pid", 1},
          {"tid", row},
          {"ts", static_cast<double>(begin_ns) / kMicrosecond},
          {"dur", static_cast<double>(end_ns - begin_ns) / kMicrosecond},
          {"args", std::move(arguments)}};
}

}  // namespace

Tracer::Tracer(const fb::ProgramT& program, int workers, size_t pieces)
    : program_(program), capacity_(pieces), rows_(workers) {
  for (Row& row : rows_) row.pieces.reserve(pieces);
}

int64_t Tracer::Nanoseconds(Clock::time_point time) const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time - start_).count();
}

void Tracer::BeginStep(const fb::EntryT& entry, const std::vector<int64_t>& dims) {
  const int64_t now = Nanoseconds(Clock::now());
  steps_.push_back({&entry, dims, now, now});
}

void Tracer::EndStep() { steps_.back().end_ns = Nanoseconds(Clock::now()); }

void Tracer::Record(int worker, int launch, int64_t items, Clock::time_point begin) {
  Row& row = rows_[worker];
  const int32_t step = static_cast<int32_t>(steps_.size()) - 1;
  const int64_t end = Nanoseconds(Clock::now());
  if (!row.pieces.empty() && row.pieces.back().step == step && row.pieces.back().launch == launch) {
    row.pieces.back().items += items;
    row.pieces.back().end_ns = end;
  } else if (row.pieces.size() < capacity_) {
    row.pieces.push_back({step, launch, items, Nanoseconds(begin), end});
  } else {
    ++row.dropped;
  }
}

int64_t Tracer::dropped() const {
  int64_t sum = 0;
  for (const Row& row : rows_) sum += row.dropped;
  return sum;
}

absl::Status Tracer::Write(const std::string& path) const {
  Json events = Json::array();
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", "ashlar"}}}});
  const int steps_row = static_cast<int>(rows_.size());
  events.push_back(RowName(steps_row, "steps"));
  for (const Step& step : steps_) {
    Json extents = Json::object();
    for (size_t i = 0; i < step.dims.size(); ++i) extents[program_.dims[i]->name] = step.dims[i];
    events.push_back(
        Complete(step.entry->name, steps_row, step.begin_ns, step.end_ns, std::move(extents)));
  }
  for (size_t worker = 0; worker < rows_.size(); ++worker) {
    const int row = static_cast<int>(worker);
    events.push_back(RowName(row, StrCat("worker ", worker)));
    for (const Piece& piece : rows_[worker].pieces) {
      const Step& step = steps_[piece.step];
      const fb::LaunchT& launch = *step.entry->launches[piece.launch];
      const Work work = WorkOf(program_, launch, step.dims.data());
      const int64_t items = piece.items == kAllItems ? work.items : piece.items;
      const double share =
          static_cast<double>(items) / static_cast<double>(std::max<int64_t>(work.items, 1));
      events.push_back(Complete(program_.kernels[launch.kernel]->name, row, piece.begin_ns,
                                piece.end_ns,
                                {{"path", launch.path},
                                 {"launch", piece.launch},
                                 {"items", items},
                                 {"bytes", work.bytes() * share},
                                 {"flops", work.flops() * share}}));
    }
  }
  const Json trace = {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
  return WriteFile(path, trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace ashlar
