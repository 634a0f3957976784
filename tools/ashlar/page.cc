// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/page.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/program/describe.h"
#include "tools/ashlar/memory_map.h"
#include "tools/ashlar/workload.h"

namespace ashlar {

static constexpr char kStyle[] =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;"
    "color:#222;background:#fff}h1{font-size:1.5em}h2{margin-top:2em;border-top:1px solid #ccc;"
    "padding-top:.6em}table{border-collapse:collapse;margin:.6em 0}td,th{padding:.15em .8em .15em "
    "0;text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:"
    "tabular-nums;white-space:nowrap}tr:hover "
    "td{background:#eef4fb}.bar{background:#5b8fc9;height:.7em;display:"
    "inline-block}svg{width:100%;height:auto;border:1px solid #ccc;background:#fafafa}rect.live{"
    "stroke:#fff;stroke-width:.6}rect.live:hover{stroke:#000;stroke-width:1.5}.small{color:#666}";

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

std::string Colour(int i) {
  return StrCat("hsl(", i * 137 % 360, ",45%,60%)");  // the golden angle
}

std::string Page(std::string_view title, const std::string& body) {
  return StrCat(
      "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
      "<meta charset=\"utf-8\" />\n<title>",
      Escape(title), "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<h1>", Escape(title),
      "</h1>\n", body, "</body>\n</html>\n");
}

// Time goes right, addresses go up: what is under a rectangle's top edge at a launch is taken.
std::string MemoryDrawing(const fb::ProgramT& program, const fb::EntryT& entry) {
  constexpr double kWidth = 1000, kHeight = 420;
  const double columns = static_cast<double>(entry.launches.size()) + 2;
  const double scale = kHeight / static_cast<double>(std::max<uint64_t>(entry.arena_bytes, 1));
  std::string text =
      StrCat("<svg viewBox=\"0 0 ", kWidth, " ", kHeight,
             "\" role=\"img\" aria-label=\"memory map of ", Escape(entry.name), "\">\n");
  int number = 0;
  for (const LiveRange& range : MemoryMap(program, entry)) {
    const double x = (range.first + 1) / columns * kWidth;
    const double width = (range.last - range.first + 1) / columns * kWidth;
    const double height = static_cast<double>(range.bytes) * scale;
    const double y = kHeight - static_cast<double>(range.offset) * scale - height;
    text += StrCat("<rect class=\"live\" x=\"", x, "\" y=\"", y, "\" width=\"", width,
                   "\" height=\"", height, "\" fill=\"", Colour(++number), "\"><title>",
                   Escape(range.name), "\n", Bytes(range.bytes), " at ", range.offset, "\nfrom ",
                   range.first < 0 ? "the start" : StrCat("launch ", range.first + 1), " to ",
                   range.last >= static_cast<int>(entry.launches.size())
                       ? "the end"
                       : StrCat("launch ", range.last + 1),
                   "</title></rect>\n");
  }
  return text + "</svg>\n";
}

}  // namespace ashlar
