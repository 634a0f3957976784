// ashlar-plan-memory: packs the buffers of a CSV file into one arena. See
// compiler/Memory/Planner/README.md.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdio>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/Memory/Planner/Csv.h"
#include "compiler/Memory/Planner/Svg.h"
#include "runtime/base/file.h"

namespace {

constexpr char kUsage[] = R"(usage: ashlar-plan-memory FILE.csv [options]

Gives every buffer of FILE an offset in one arena; no two that live at the same step overlap.
FILE has the columns id,lower,upper,size and optionally alignment,gaps,offset,hint,alias;
- is the standard input.

  --capacity N     stop at the first plan of at most N bytes; without it the peak is minimised
  --output FILE    write the rows with their offsets, even if the plan does not fit
  --svg FILE       draw the plan
  --time-limit S   seconds until the best plan so far is taken (default 10)
  --work N         stop after N placements instead, at the same plan on every machine
  --threads N      threads that search (default 1); the plan does not depend on it
  --help           print this

exit status: 0 the plan fits, 1 it does not, 2 the input or the command line is at fault
)";

constexpr int kDoesNotFit = 1, kFault = 2;

struct Arguments {
  std::string input, output, svg;
  std::optional<int64_t> capacity;
  ashlar::Options options;
  bool help = false;
};

absl::Status parseArguments(int argc, char **argv, Arguments &arguments) {
  bool limited = false;
  for (int i = 1; i < argc; ++i) {
    absl::string_view name = argv[i], value;
    if (name == "--help") {
      arguments.help = true;
      return absl::OkStatus();
    }
    if (!absl::StartsWith(name, "--")) {
      if (!arguments.input.empty())
        return absl::InvalidArgumentError(absl::StrCat("'", name, "': one file is enough"));
      arguments.input = std::string(name);
      continue;
    }
    if (size_t equals = name.find('='); equals != name.npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat(name, " needs a value"));
    }
    int64_t number = 0;
    bool valid = true;
    if (name == "--output") {
      arguments.output = std::string(value);
    } else if (name == "--svg") {
      arguments.svg = std::string(value);
    } else if (name == "--capacity") {
      valid = absl::SimpleAtoi(value, &number) && number >= 0;
      arguments.capacity = number;
    } else if (name == "--threads") {
      valid = absl::SimpleAtoi(value, &arguments.options.threads) &&
              arguments.options.threads >= 1 && arguments.options.threads <= 1024;
    } else if (name == "--work") {
      valid = absl::SimpleAtoi(value, &number) && number >= 0;
      arguments.options.workLimit = number;
    } else if (name == "--time-limit") {
      valid =
          absl::SimpleAtod(value, &arguments.options.timeLimit) && arguments.options.timeLimit >= 0;
      limited = true;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("there is no option ", name));
    }
    if (!valid)
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": '", value, "' is not a possible value"));
  }
  if (arguments.input.empty())
    return absl::InvalidArgumentError("which file? See --help");
  if (arguments.options.workLimit && !limited)
    arguments.options.timeLimit = 1e12;
  return absl::OkStatus();
}

absl::Status writeFile(const std::string &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError("it cannot be written");
}

void printPlan(const ashlar::Plan &plan, const std::optional<int64_t> &capacity) {
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
  case ashlar::Outcome::Fits:
    absl::PrintF("fits: yes, %d of %d bytes\n", plan.peak, *capacity);
    break;
  case ashlar::Outcome::DoesNotFit:
    absl::PrintF("fits: no, proved: at least %d bytes are needed, %d are there\n", plan.lowerBound,
                 *capacity);
    break;
  case ashlar::Outcome::FitNotFound:
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
  if (absl::Status status = parseArguments(argc, argv, arguments); !status.ok())
    return fail("", status);
  if (arguments.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  absl::StatusOr<std::string> text = ashlar::ReadInput(arguments.input);
  if (!text.ok())
    return fail(arguments.input + ": ", text.status());
  absl::StatusOr<ashlar::CsvProblem> csv = ashlar::parseCsv(*text);
  if (!csv.ok())
    return fail(arguments.input + ": ", csv.status());
  csv->problem.capacity = arguments.capacity;
  absl::StatusOr<ashlar::Plan> plan = ashlar::planMemory(csv->problem, arguments.options);
  if (!plan.ok())
    return fail(arguments.input + ": ", plan.status());
  if (!arguments.output.empty())
    if (absl::Status status = writeFile(arguments.output, printCsv(*csv, *plan)); !status.ok())
      return fail(arguments.output + ": ", status);
  if (!arguments.svg.empty())
    if (absl::Status status = writeFile(arguments.svg, drawPlan(csv->problem, *plan, csv->ids));
        !status.ok())
      return fail(arguments.svg + ": ", status);
  printPlan(*plan, arguments.capacity);
  return plan->outcome == ashlar::Outcome::Fits ? 0 : kDoesNotFit;
}
