// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Svg.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace ashlar::planner {
namespace {

constexpr double kWidth = 1200, kHeight = 700, kLeft = 110, kTop = 30, kRight = 20, kBottom = 40;

std::string escaped(const std::string &text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

/// Maps steps and bytes to the picture's coordinates.
struct Scale {
  double firstStep, steps, bytes;

  double x(int64_t step) const {
    return kLeft + (double(step) - firstStep) / steps * (kWidth - kLeft - kRight);
  }
  double y(int64_t byte) const {
    return kHeight - kBottom - double(byte) / bytes * (kHeight - kTop - kBottom);
  }
};

void drawRectangle(std::string &svg, const Scale &scale, int64_t lower, int64_t upper, int64_t lo,
                   int64_t hi) {
  if (lower < upper && lo < hi)
    absl::StrAppendFormat(&svg, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                          scale.x(lower), scale.y(hi), scale.x(upper) - scale.x(lower),
                          scale.y(lo) - scale.y(hi));
}

void drawBuffer(std::string &svg, const Scale &scale, const Buffer &buffer, int64_t offset,
                const std::string &name, size_t index) {
  // Neighbouring indices get hues far apart (multiples of the golden angle).
  absl::StrAppendFormat(
      &svg, "<g fill=\"hsl(%d,55%%,68%%)\"><title>%s: steps [%d, %d), %d bytes at %d</title>",
      int(index * 137.508) % 360, escaped(name), buffer.lower, buffer.upper, buffer.size, offset);
  std::vector<Gap> gaps = buffer.gaps;
  std::sort(gaps.begin(), gaps.end(), [](const Gap &a, const Gap &b) { return a.lower < b.lower; });
  int64_t time = buffer.lower;
  for (const Gap &gap : gaps) {
    drawRectangle(svg, scale, time, gap.lower, offset, offset + buffer.size);
    drawRectangle(svg, scale, gap.lower, gap.upper, offset + gap.windowLower,
                  offset + gap.windowUpper);
    time = gap.upper;
  }
  drawRectangle(svg, scale, time, buffer.upper, offset, offset + buffer.size);
  svg += "</g>\n";
}

void drawLine(std::string &svg, const Scale &scale, int64_t bytes, const char *label,
              const char *color, bool above) {
  absl::StrAppendFormat(&svg,
                        "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" "
                        "stroke-dasharray=\"6 3\"/>"
                        "<text x=\"%.0f\" y=\"%.2f\" fill=\"%s\">%s %d</text>\n",
                        kLeft, kWidth - kRight, scale.y(bytes), scale.y(bytes), color, kLeft + 4,
                        scale.y(bytes) + (above ? -4.0 : 12.0), color, label, bytes);
}

} // namespace

std::string drawPlan(const Problem &problem, const Plan &plan,
                     const std::vector<std::string> &names) {
  const std::vector<Buffer> &buffers = problem.buffers;
  int64_t first = buffers.empty() ? 0 : buffers[0].lower, last = first + 1;
  for (const Buffer &buffer : buffers) {
    first = std::min(first, buffer.lower);
    last = std::max(last, buffer.upper);
  }
  int64_t top = std::max<int64_t>({plan.peak, problem.capacity.value_or(0), 1});
  Scale scale{double(first), double(last) - double(first), double(top)};
  std::string svg =
      absl::StrFormat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                      "font-family=\"sans-serif\" font-size=\"12\">\n"
                      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                      "<g stroke=\"#444\" stroke-width=\"0.3\">\n",
                      kWidth, kHeight);
  for (size_t i = 0; i < buffers.size(); ++i)
    drawBuffer(svg, scale, buffers[i], plan.offsets[i], names[i], i);
  svg += "</g>\n";
  drawLine(svg, scale, plan.peak, "peak", "#000", true);
  if (plan.lowerBound != plan.peak)
    drawLine(svg, scale, plan.lowerBound, "lower bound", "#06c", false);
  if (problem.capacity && *problem.capacity != plan.peak)
    drawLine(svg, scale, *problem.capacity, "capacity", "#c00", *problem.capacity > plan.peak);
  absl::StrAppendFormat(&svg,
                        "<text x=\"%.0f\" y=\"%.0f\">step %d</text>"
                        "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">step %d</text>"
                        "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">byte 0</text>\n</svg>\n",
                        kLeft, kHeight - kBottom + 18, first, kWidth - kRight,
                        kHeight - kBottom + 18, last, kLeft - 6, kHeight - kBottom);
  return svg;
}

} // namespace ashlar::planner
