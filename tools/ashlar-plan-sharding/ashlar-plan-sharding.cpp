// ashlar-plan-sharding: chooses a strategy for each node of a sharding problem. See
// compiler/Distribution/Solver/README.md.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "compiler/Distribution/Solver/Iopddl/Iopddl.h"
#include "runtime/base/file.h"
#include "tools/ashlar/options.h"

namespace {

constexpr char kDescription[] =
    "Chooses one strategy for each node of FILE such that node costs and edge costs add up to the\n"
    "least and the memory in use at each time stays within the limit. FILE is a problem in the\n"
    "format of the ASPLOS 2025 contest on intra-operator parallelism.\n\n"
    "Prints the cost, a lower bound that no solution is below, and the gap between the two. It\n"
    "stops as soon as the bound meets the cost.";

constexpr char kExamples[] =
    "example: ashlar-plan-sharding model.json.gz --time-limit 60 --threads 2 --output "
    "strategies.json\n\n"
    "exit status: 0 a solution was found, 1 none was found, 2 the file or the command line is at "
    "fault";

constexpr int kSolved = 0, kNoSolution = 1, kFault = 2;

struct Arguments {
  std::string input, output;
  std::optional<int64_t> work;
  double seconds = -1; // none
  int64_t threads = 1;
  bool progress = false;
};

std::optional<int> parseArguments(const std::vector<std::string> &words, Arguments &arguments) {
  auto options = ashlar::Options::OfProgram("ashlar-plan-sharding", kDescription, kExamples);
  options.Positional("FILE.json[.gz]", "the problem; - is the standard input", &arguments.input);
  options.Add("--output", "FILE", "write the list of strategy indices, one per node, as JSON",
              &arguments.output);
  options.Add("--time-limit", "S",
              "seconds until the best solution so far is taken, reading included (default 60);\n"
              "the file is read to its end in any case, and what was found at once is taken then",
              &arguments.seconds);
  options.Add("--work", "N",
              "stop after N units of work instead (a thread does some 100000 in a second), at\n"
              "the same solution on every machine",
              &arguments.work);
  options.AddThreads(
      &arguments.threads,
      "threads that search (default 1); with --work the solution does not depend on it");
  options.Add("--progress",
              "report the cost and the bound on the way, on the standard error output",
              &arguments.progress);
  return options.Parse(words);
}

void printProgress(const ashlar::solver::Progress &progress) {
  absl::FPrintF(stderr, "%.1f s: cost %s, lower bound %s\n", progress.seconds,
                progress.cost ? ashlar::solver::toString(*progress.cost) : "not known",
                ashlar::solver::toString(progress.lowerBound));
}

/// `reading`: seconds that are gone.
ashlar::solver::Options toOptions(const Arguments &arguments, double reading) {
  ashlar::solver::Options options;
  options.workLimit = arguments.work;
  const double limit = arguments.seconds >= 0 ? arguments.seconds : arguments.work ? 1e12 : 60;
  options.timeLimit = std::max(0.0, limit - reading);
  options.threads = static_cast<int>(std::max<int64_t>(arguments.threads, 1));
  if (arguments.progress)
    options.onProgress = printProgress;
  return options;
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

int fail(const std::string &context, const absl::Status &status) {
  absl::FPrintF(stderr, "ashlar-plan-sharding: %s%s\n", context, status.message());
  return kFault;
}

} // namespace

int main(int argc, char **argv) {
  const auto start = std::chrono::steady_clock::now();
  auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Arguments arguments;
  if (std::optional<int> exitCode =
          parseArguments(std::vector<std::string>(argv + 1, argv + argc), arguments))
    return *exitCode;
  absl::StatusOr<ashlar::solver::Problem> problem = ashlar::solver::readIopddl(arguments.input);
  if (!problem.ok())
    return fail(arguments.input + ": ", problem.status());
  const double reading = seconds();
  absl::StatusOr<ashlar::solver::Solution> solution =
      ashlar::solver::solve(*problem, toOptions(arguments, reading));
  if (!solution.ok())
    return fail(arguments.input + ": ", solution.status());
  if (!arguments.output.empty() && solution->feasible)
    if (absl::Status status =
            ashlar::WriteFile(arguments.output, ashlar::solver::printChoices(solution->choices));
        !status.ok())
      return fail("", status);
  printSolution(*solution, reading, seconds());
  return solution->feasible ? kSolved : kNoSolution;
}
