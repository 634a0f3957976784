// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/inspect_page.h"

#include <algorithm>

#include "runtime/api/session.h"
#include "runtime/base/status.h"
#include "runtime/program/describe.h"
#include "runtime/program/work.h"
#include "tools/ashlar/memory_map.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

constexpr char kStyle[] =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;"
    "color:#222;background:#fff}h1{font-size:1.5em}h2{margin-top:2em;border-top:1px solid #ccc;"
    "padding-top:.6em}table{border-collapse:collapse;margin:.6em 0}td,th{padding:.15em .8em .15em "
    "0;text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:"
    "tabular-nums;white-space:nowrap}tr:hover "
    "td{background:#eef4fb}.bar{background:#5b8fc9;height:.7em;display:"
    "inline-block}svg{width:100%;height:auto;border:1px solid #ccc;background:#fafafa}rect.live{"
    "stroke:#fff;stroke-width:.6}rect.live:hover{stroke:#000;stroke-width:1.5}.small{color:#666}";

// Text as XML may hold it; what is no printable ASCII becomes \xNN.
std::string Escape(std::string_view text) {
  std::string out;
  for (char c : Printable(text, 500)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string Row(const std::string& key, const std::string& value) {
  return StrCat("<tr><th>", Escape(key), "</th><td>", Escape(value), "</td></tr>\n");
}

std::string Bytes(uint64_t bytes) {
  return StrCat(HumanBytes(static_cast<double>(bytes)), " (", bytes, ")");
}

std::string Facts(const Program& program, int threads) {
  const fb::ProgramT& metadata = program.metadata();
  std::string text = "<table>\n" + Row("producer", metadata.producer);
  for (const auto& property : metadata.properties) text += Row(property->key, property->value);
  text += Row("dimensions", DescribeDims(metadata));
  for (const auto& image : metadata.images)
    text += Row("code", StrCat(image->cpu, ", ", Bytes(image->size)));
  const MemoryUse use = PlanMemory(metadata, threads);
  text += Row("memory", StrCat(Bytes(use.peak()), " at the bounds with ", threads, " threads"));
  text += Row("of which arena", Bytes(use.arena)) + Row("scratch", Bytes(use.scratch)) +
          Row("state", Bytes(use.state)) + Row("weights, apart", Bytes(use.weights));
  return text + "</table>\n";
}

// Time goes right, addresses go up: what is under a rectangle's top edge at a launch is taken.
std::string MapDrawing(const fb::ProgramT& program, const fb::EntryT& entry) {
  constexpr double kWidth = 1000, kHeight = 420;
  const double columns = static_cast<double>(entry.launches.size()) + 2;
  const double scale = kHeight / static_cast<double>(std::max<uint64_t>(entry.arena_bytes, 1));
  std::string text =
      StrCat("<svg viewBox=\"0 0 ", kWidth, " ", kHeight,
             "\" role=\"img\" aria-label=\"memory map of ", Escape(entry.name), "\">\n");
  int colour = 0;
  for (const LiveRange& range : MemoryMap(program, entry)) {
    const double x = (range.first + 1) / columns * kWidth;
    const double width = (range.last - range.first + 1) / columns * kWidth;
    const double height = static_cast<double>(range.bytes) * scale;
    const double y = kHeight - static_cast<double>(range.offset) * scale - height;
    colour = (colour + 137) % 360;  // the golden angle: neighbours differ
    text += StrCat("<rect class=\"live\" x=\"", x, "\" y=\"", y, "\" width=\"", width,
                   "\" height=\"", height, "\" fill=\"hsl(", colour, ",45%,60%)\"><title>",
                   Escape(range.name), "\n", Bytes(range.bytes), " at ", range.offset, "\nfrom ",
                   range.first < 0 ? "the start" : StrCat("launch ", range.first + 1), " to ",
                   range.last >= static_cast<int>(entry.launches.size())
                       ? "the end"
                       : StrCat("launch ", range.last + 1),
                   "</title></rect>\n");
  }
  return text + "</svg>\n";
}

struct KernelRow {
  const fb::KernelT* kernel;
  int count = 0;
  Work work;
};

std::string Kernels(const fb::ProgramT& program, const fb::EntryT& entry,
                    const std::vector<int64_t>& dims) {
  std::vector<KernelRow> rows;
  for (const auto& kernel : program.kernels) rows.push_back({kernel.get(), 0, {}});
  double most = 1;
  for (const auto& launch : entry.launches) {
    KernelRow& row = rows[launch->kernel];
    ++row.count;
    row.work += WorkOf(program, *launch, dims.data());
    most = std::max(most, row.work.bytes());
  }
  std::sort(rows.begin(), rows.end(),
            [](const KernelRow& a, const KernelRow& b) { return a.work.bytes() > b.work.bytes(); });
  std::string text =
      "<table>\n<tr><th>kernel</th><th class=\"n\">launches</th><th class=\"n\">bytes</th><th></th>"
      "<th class=\"n\">operations</th><th>fuses</th></tr>\n";
  for (const KernelRow& row : rows) {
    if (row.count == 0) continue;
    text += StrCat("<tr><td>", Escape(row.kernel->name), "</td><td class=\"n\">", row.count,
                   "</td><td class=\"n\">", HumanBytes(row.work.bytes()),
                   "</td><td><span class=\"bar\" style=\"width:", 8 * row.work.bytes() / most,
                   "em\"></span></td><td class=\"n\">", HumanCount(row.work.flops()),
                   "</td><td class=\"small\">", Escape(StrJoin(row.kernel->ops, " + ")),
                   "</td></tr>\n");
  }
  return text + "</table>\n";
}

std::string EntrySection(const fb::ProgramT& program, const fb::EntryT& entry,
                         const std::vector<int64_t>& dims) {
  std::string text = StrCat("<h2>", Escape(entry.name), "</h2>\n<table>\n");
  for (const auto& input : entry.inputs) text += Row(input->name, Describe(program, *input));
  for (const auto& output : entry.outputs)
    text += Row("-> " + output->name, Describe(program, *output));
  const double bound = static_cast<double>(std::max<uint64_t>(entry.arena_lower_bound, 1));
  text += StrCat("</table>\n<h3>Memory map</h3>\n<p class=\"small\">Arena of ",
                 Bytes(entry.arena_bytes), ", lower bound ", entry.arena_lower_bound, ", gap ",
                 100 * (static_cast<double>(entry.arena_bytes) - bound) / bound,
                 " %. From left to ", "right ", entry.launches.size(),
                 " launches, from the bottom up addresses; point at a range for its name.</p>\n",
                 MapDrawing(program, entry));
  std::vector<std::string> at;
  for (size_t i = 0; i < dims.size(); ++i)
    at.push_back(StrCat(program.dims[i]->name, " ", dims[i]));
  return text + StrCat("<h3>Kernels, at ", Escape(StrJoin(at, ", ")), "</h3>\n",
                       Kernels(program, entry, dims));
}

}  // namespace

std::string InspectPage(const Program& program, const std::vector<int64_t>& dims, int threads) {
  const std::string title = Escape(program.path());
  std::string text = StrCat(
      "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
      "<meta charset=\"utf-8\" />\n<title>",
      title, "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<h1>", title, "</h1>\n",
      Facts(program, threads));
  for (const auto& entry : program.metadata().entries)
    text += EntrySection(program.metadata(), *entry, dims);
  return text + "</body>\n</html>\n";
}

}  // namespace ashlar
