// ashlar-plan-sharding: chooses a strategy for each node of a sharding problem. See
// compiler/Distribution/Solver/README.md.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/Distribution/Solver/Iopddl.h"

namespace {

constexpr char kUsage[] = R"(usage: ashlar-plan-sharding FILE.json[.gz] [options]

Chooses one strategy for each node of FILE such that node costs and edge costs add up to the least
and the memory in use at each time stays within the limit. FILE is a problem in the format of the
ASPLOS 2025 contest on intra-operator parallelism; - is the standard input.

  --output FILE    write the list of strategy indices, one per node, as JSON
  --time-limit S   seconds until the best solution so far is taken, reading included (default 60);
                   the file is read to its end in any case, and what was found at once is taken then
  --work N         stop after N units of work instead (a thread does some 100000 in a second), at
                   the same solution on every machine
  --threads N      threads that search (default 1); with --work the solution does not depend on it
  --progress       report the cost and the bound on the way, on the standard error output
  --help           print this

Prints the cost, a lower bound that no solution is below, and the gap between the two. It stops as
soon as the bound meets the cost.

example: ashlar-plan-sharding model.json.gz --time-limit 60 --threads 2 --output strategies.json

exit status: 0 a solution was found, 1 none was found, 2 the file or the command line is at fault
)";

constexpr int kNoSolution = 1, kFault = 2;

struct Arguments {
  std::string input, output;
  ashlar::solver::Options options;
  bool help = false;
};

void printProgress(const ashlar::solver::Progress &progress) {
  absl::FPrintF(stderr, "%.1f s: cost %s, lower bound %s\n", progress.seconds,
                progress.cost ? ashlar::solver::toString(*progress.cost) : "not known",
                ashlar::solver::toString(progress.lowerBound));
}

absl::Status parseArguments(int argc, char **argv, Arguments &arguments) {
  bool limited = false;
  arguments.options.timeLimit = 60;
  for (int i = 1; i < argc; ++i) {
    absl::string_view name = argv[i], value;
    if (name == "--help") {
      arguments.help = true;
      return absl::OkStatus();
    }
    if (name == "--progress") {
      arguments.options.onProgress = printProgress;
      continue;
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

void printSolution(const ashlar::solver::Solution &solution, double reading, double seconds) {
  using ashlar::solver::toString;
  if (solution.feasible) {
    const ashlar::solver::Cost gap = solution.cost - solution.lowerBound;
    const double percent = solution.cost > 0 ? 100.0 * double(gap) / double(solution.cost) : 0;
    absl::PrintF("cost: %s\nlower bound: %s\ngap: %s (%.4f %%)%s\n", toString(solution.cost),
                 toString(solution.lowerBound), toString(gap), percent,
                 solution.provedOptimal ? ", optimal" : "");
  } else {
    absl::PrintF("cost: no solution %s\n",
                 solution.provedInfeasible ? "exists, proved" : "was found, none is excluded");
    if (!solution.provedInfeasible)
      absl::PrintF("lower bound: %s\n", toString(solution.lowerBound));
  }
  absl::PrintF("left by the reductions: %d nodes, %d edges, %d times\n", solution.coreNodes,
               solution.coreEdges, solution.coreRows);
  absl::PrintF("seconds: %.3f, of which reading: %.3f\nwork: %d\nstopped early: %s\n", seconds,
               reading, solution.work, solution.stoppedEarly ? "yes" : "no");
}

int fail(int status, const std::string &context, const absl::Status &error) {
  absl::FPrintF(stderr, "ashlar-plan-sharding: %s%s\n", context, error.message());
  return status;
}

} // namespace

int main(int argc, char **argv) {
  const auto start = std::chrono::steady_clock::now();
  auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Arguments arguments;
  if (absl::Status status = parseArguments(argc, argv, arguments); !status.ok())
    return fail(kFault, "", status);
  if (arguments.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  absl::StatusOr<ashlar::solver::Problem> problem = ashlar::solver::readIopddl(arguments.input);
  if (!problem.ok())
    return fail(kFault, arguments.input + ": ", problem.status());
  const double reading = seconds();
  arguments.options.timeLimit = std::max(0.0, arguments.options.timeLimit - reading);
  absl::StatusOr<ashlar::solver::Solution> solution =
      ashlar::solver::solve(*problem, arguments.options);
  if (!solution.ok())
    return fail(kFault, arguments.input + ": ", solution.status());
  if (!arguments.output.empty() && solution->feasible)
    if (absl::Status status =
            writeFile(arguments.output, ashlar::solver::printChoices(solution->choices));
        !status.ok())
      return fail(kFault, arguments.output + ": ", status);
  printSolution(*solution, reading, seconds());
  return solution->feasible ? 0 : kNoSolution;
}
