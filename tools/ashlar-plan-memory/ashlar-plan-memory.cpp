// ashlar-plan-memory: packs the buffers of a CSV file into one arena. See
// compiler/Memory/Planner/README.md.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdio>

#include "absl/strings/str_format.h"
#include "compiler/Memory/Planner/Csv.h"
#include "compiler/Memory/Planner/Svg.h"
#include "runtime/base/file.h"
#include "tools/ashlar/options.h"

namespace {

using ashlar::planner::Outcome;
using ashlar::planner::Plan;

constexpr char kDescription[] =
    "Gives every buffer of FILE an offset in one arena; no two that live at the same step "
    "overlap.\n"
    "FILE has the columns id,lower,upper,size and optionally alignment,gaps,offset,hint,alias.";

constexpr char kExitCodes[] =
    "exit status: 0 the plan fits, 1 it does not, 2 the input or the command line is at fault";

constexpr int kFits = 0, kDoesNotFit = 1, kFault = 2;

struct Arguments {
  std::string input, output, svg;
  std::optional<int64_t> capacity, work;
  double seconds = -1; // none
  int64_t threads = 1;
};

std::optional<int> parseArguments(const std::vector<std::string> &words, Arguments &arguments) {
  auto options = ashlar::Options::OfProgram("ashlar-plan-memory", kDescription, kExitCodes);
  options.Positional("FILE.csv", "the buffers; - is the standard input", &arguments.input);
  options.Add("--capacity", "N",
              "stop at the first plan of at most N bytes; without it the peak is minimised",
              &arguments.capacity);
  options.Add("--output", "FILE",
              "write the rows with their offsets, even if the plan does not fit",
              &arguments.output);
  options.Add("--svg", "FILE", "draw the plan", &arguments.svg);
  options.Add("--time-limit", "S", "seconds until the best plan so far is taken (default 10)",
              &arguments.seconds);
  options.Add("--work", "N", "stop after N placements instead, at the same plan on every machine",
              &arguments.work);
  options.AddThreads(&arguments.threads,
                     "threads that search (default 1); the plan does not depend on it");
  return options.Parse(words);
}

ashlar::planner::Options toOptions(const Arguments &arguments) {
  ashlar::planner::Options options;
  options.workLimit = arguments.work;
  if (arguments.seconds >= 0)
    options.timeLimit = arguments.seconds;
  else if (arguments.work)
    options.timeLimit = 1e12;
  options.threads = static_cast<int>(std::max<int64_t>(arguments.threads, 1));
  return options;
}

void printPlan(const Plan &plan, const std::optional<int64_t> &capacity) {
  const double gap =
      plan.peak ? 100.0 * double(plan.peak - plan.lowerBound) / double(plan.peak) : 0;
  absl::PrintF("peak: %d bytes\nlower bound: %d bytes\ngap: %d bytes (%.2f %%)%s\n", plan.peak,
               plan.lowerBound, plan.peak - plan.lowerBound, gap,
               plan.provedOptimal ? ", optimal" : "");
  absl::PrintF("seconds: %.3f\nplacements tried: %d\nstopped early: %s\n", plan.seconds, plan.work,
               plan.stoppedEarly ? "yes" : "no");
  if (!capacity)
    return;
  switch (plan.outcome) {
  case Outcome::Fits:
    absl::PrintF("fits: yes, %d of %d bytes\n", plan.peak, *capacity);
    break;
  case Outcome::DoesNotFit:
    absl::PrintF("fits: no, proved: at least %d bytes are needed, %d are there\n", plan.lowerBound,
                 *capacity);
    break;
  case Outcome::FitNotFound:
    absl::PrintF("fits: not found, unproved: no plan of %d bytes was found, none is excluded\n",
                 *capacity);
    break;
  }
}

int fail(const std::string &context, const absl::Status &status) {
  absl::FPrintF(stderr, "ashlar-plan-memory: %s%s\n", context, status.message());
  return kFault;
}

} // namespace

int main(int argc, char **argv) {
  Arguments arguments;
  if (std::optional<int> exitCode =
          parseArguments(std::vector<std::string>(argv + 1, argv + argc), arguments))
    return *exitCode;
  absl::StatusOr<std::string> text = ashlar::ReadInput(arguments.input);
  if (!text.ok())
    return fail(arguments.input + ": ", text.status());
  absl::StatusOr<ashlar::planner::CsvProblem> csv = ashlar::planner::parseCsv(*text);
  if (!csv.ok())
    return fail(arguments.input + ": ", csv.status());
  csv->problem.capacity = arguments.capacity;
  absl::StatusOr<Plan> plan = ashlar::planner::planMemory(csv->problem, toOptions(arguments));
  if (!plan.ok())
    return fail(arguments.input + ": ", plan.status());
  if (!arguments.output.empty())
    if (absl::Status status = ashlar::WriteFile(arguments.output, printCsv(*csv, *plan));
        !status.ok())
      return fail("", status);
  if (!arguments.svg.empty())
    if (absl::Status status =
            ashlar::WriteFile(arguments.svg, drawPlan(csv->problem, *plan, csv->ids));
        !status.ok())
      return fail("", status);
  printPlan(*plan, arguments.capacity);
  return plan->outcome == Outcome::Fits ? kFits : kDoesNotFit;
}
