// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/inspect_page.h"

#include <algorithm>

#include "runtime/api/session.h"
#include "runtime/base/status.h"
#include "runtime/program/describe.h"
#include "runtime/program/work.h"
#include "tools/ashlar/page.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

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
                 MemoryDrawing(program, entry));
  std::vector<std::string> at;
  for (size_t i = 0; i < dims.size(); ++i)
    at.push_back(StrCat(program.dims[i]->name, " ", dims[i]));
  return text + StrCat("<h3>Kernels, at ", Escape(StrJoin(at, ", ")), "</h3>\n",
                       Kernels(program, entry, dims));
}

}  // namespace

std::string InspectPage(const Program& program, const std::vector<int64_t>& dims, int threads) {
  std::string text = Facts(program, threads);
  for (const auto& entry : program.metadata().entries)
    text += EntrySection(program.metadata(), *entry, dims);
  return Page(program.path(), text);
}

}  // namespace ashlar
