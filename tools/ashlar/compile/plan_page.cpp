// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <map>

#include "runtime/base/status.h"
#include "tools/ashlar/compile/plan.h"
#include "tools/ashlar/page.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

using distribution::EntryReport;
using distribution::TimelineStep;

std::string Microseconds(double seconds) { return StrCat(seconds * 1e6, " us"); }

// A row of the timeline: what a rank computes, or what goes over some axes; of one stage.
std::string LaneOf(const EntryReport& entry, const TimelineStep& step) {
  const std::string what = step.axes.empty() ? step.what : StrCat("over [", step.axes, "]");
  return entry.stage ? StrCat("stage ", *entry.stage, ", ", what) : what;
}

// Time goes right, a row each for computing and for what goes over the same axes: a collective that
// was started early stands beside what is computed meanwhile. The stages of a pipeline follow each
// other.
std::string TimelineDrawing(const std::vector<const EntryReport*>& stages) {
  constexpr double kWidth = 1000, kNames = 170, kRow = 26;
  std::map<std::string, int> lanes;
  std::vector<std::string> names;
  double total = 0;
  for (const EntryReport* entry : stages) {
    for (bool computes : {true, false})
      for (const TimelineStep& step : entry->timeline)
        if (step.axes.empty() == computes &&
            lanes.try_emplace(LaneOf(*entry, step), static_cast<int>(lanes.size())).second)
          names.push_back(LaneOf(*entry, step));
    total += entry->seconds;
  }
  const double scale = (kWidth - kNames) / std::max(total, 1e-12);
  const double height = kRow * static_cast<double>(names.size()) + 4;
  std::string text =
      StrCat("<svg viewBox=\"0 0 ", kWidth, " ", height,
             "\" role=\"img\" aria-label=\"timeline of ", Escape(stages.front()->entry), "\">\n");
  for (size_t i = 0; i < names.size(); ++i)
    text += StrCat("<text x=\"4\" y=\"", kRow * (static_cast<double>(i) + 0.7),
                   "\" font-size=\"12\">", Escape(names[i]), "</text>\n");
  double begin = 0;
  for (const EntryReport* entry : stages) {
    for (const TimelineStep& step : entry->timeline) {
      const int lane = lanes[LaneOf(*entry, step)];
      text += StrCat(
          "<rect class=\"live\" x=\"", kNames + (begin + step.begin) * scale, "\" y=\"",
          kRow * lane + 2, "\" width=\"", std::max(step.seconds * scale, 0.2), "\" height=\"",
          kRow - 4, "\" fill=\"", Colour(lane + 1), "\"><title>", Escape(step.what), ", ",
          Microseconds(step.seconds), " from ", Microseconds(begin + step.begin), "\n",
          step.axes.empty() ? StrCat(step.ops, " ops from ") : StrCat(HumanBytes(step.bytes), ", "),
          Escape(step.path), "</title></rect>\n");
    }
    begin += entry->seconds;
  }
  return text + "</svg>\n";
}

std::string Collectives(const std::vector<const EntryReport*>& stages) {
  std::string text =
      "<table>\n<tr><th>collective</th><th>over</th><th class=\"n\">times</th><th "
      "class=\"n\">bytes of one</th><th class=\"n\">time of one</th><th>first</th></tr>\n";
  for (const EntryReport* entry : stages)
    for (const distribution::CollectiveLine& line : entry->collectives)
      text += StrCat("<tr><td>", Escape(line.op), "</td><td>[", Escape(line.axes),
                     "]</td><td class=\"n\">", line.count, "</td><td class=\"n\">",
                     HumanBytes(line.bytes), "</td><td class=\"n\">", Microseconds(line.seconds),
                     "</td><td class=\"small\">", Escape(line.path), "</td></tr>\n");
  return text + "</table>\n";
}

// What a device holds, beside its limit.
std::string MemoryBars(const MemoryReport& memory, int64_t limit, int64_t threads) {
  const std::pair<const char*, int64_t> parts[] = {
      {"weights", memory.weights},
      {"constants", memory.constants},
      {"state", memory.state},
      {"arena", memory.arena},
      {"scratch of the threads", threads * memory.scratch}};
  const double most = static_cast<double>(std::max<int64_t>(limit, memory.getTotal(threads)));
  std::string text = "<table>\n";
  auto row = [&](const char* name, int64_t bytes) {
    text +=
        StrCat("<tr><th>", name, "</th><td class=\"n\">", Bytes(bytes),
               "</td><td><span class=\"bar\" style=\"width:",
               30 * static_cast<double>(bytes) / std::max(most, 1.0), "em\"></span></td></tr>\n");
  };
  for (auto [name, bytes] : parts) row(name, bytes);
  row("together", memory.getTotal(threads));
  if (limit > 0) row("a device has", limit);
  return text + "</table>\n";
}

std::string MemoryMaps(const fb::ProgramT& program, const std::string& entry) {
  std::string text;
  auto draw = [&](const auto& entries, const std::string& of) {
    for (const auto& each : entries)
      if (each->name == entry)
        text += StrCat("<p class=\"small\">Arena", of, " of ", Bytes(each->arena_bytes),
                       ", lower bound ", each->arena_lower_bound,
                       "; from left to right launches, from the bottom up addresses.</p>\n",
                       MemoryDrawing(program, *each));
  };
  draw(program.entries, "");
  for (size_t i = 0; i < program.stages.size(); ++i)
    draw(program.stages[i]->entries, StrCat(" of stage ", i));
  return text;
}

}  // namespace

std::string PlanPage(const Planned& planned, const PlanOptions& options) {
  const size_t mesh = planned.explained.find('\n');
  std::string body = StrCat("<p>", Escape(planned.explained.substr(0, mesh)),
                            "</p>\n<h2>Memory of a device</h2>\n",
                            MemoryBars(planned.memory, options.memory, options.threads));
  size_t i = 0;
  for (const distribution::StepReport& step : planned.steps) {
    std::vector<const EntryReport*> stages;
    double seconds = 0, compute = 0, collectives = 0;
    const std::string& name = step.entry;
    for (; i < planned.entries.size() && planned.entries[i].entry == name; ++i) {
      stages.push_back(&planned.entries[i]);
      seconds += planned.entries[i].seconds;
      compute += planned.entries[i].computeSeconds;
      collectives += planned.entries[i].collectiveSeconds;
    }
    body += StrCat("<h2>", Escape(name), "</h2>\n<p>");
    if (step.stages > 1)
      body += StrCat(Microseconds(step.seconds), " a step of ", step.stages, " stages in ",
                     step.microbatches, step.microbatches == 1 ? " microbatch" : " microbatches",
                     "; where all of it goes through one stage after the other, as below, ");
    body += StrCat(Microseconds(seconds), " a step at the bounds of dimensions, ",
                   Microseconds(compute), " of computing and ", Microseconds(collectives),
                   " of collectives, ", Microseconds(compute + collectives - seconds),
                   " of them at the same time</p>\n<h3>Timeline</h3>\n", TimelineDrawing(stages),
                   "<h3>Collectives</h3>\n", Collectives(stages), "<h3>Memory map</h3>\n",
                   MemoryMaps(planned.program, name));
  }
  body += "<h2>How tensors lie</h2>\n<table>\n";
  for (size_t at = mesh + 1; mesh != std::string::npos && at < planned.explained.size();) {
    const size_t end = std::min(planned.explained.find('\n', at), planned.explained.size());
    const std::string line = planned.explained.substr(at, end - at);
    const size_t space = line.find(' ');
    body += Row(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1));
    at = end + 1;
  }
  return Page(StrCat("Plan of ", options.import.directory), body + "</table>\n");
}

}  // namespace ashlar
