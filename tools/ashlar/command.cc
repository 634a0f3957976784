// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/command.h"

#include <cerrno>
#include <cstdio>
#include <iostream>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

std::string Help(const std::vector<Command>& commands) {
  std::string text =
      "ashlar compiles transformers and runs them.\n\nusage: ashlar COMMAND ...\n\ncommands:\n";
  for (const Command& command : commands)
    text += "  " + command.name +
            std::string(command.name.size() < 12 ? 12 - command.name.size() : 1, ' ') +
            command.summary + "\n";
  return text +
         "\n`ashlar COMMAND --help` says what a command takes. Exit codes: 0; 1 the work failed; 2 "
         "usage.\n";
}

// The exit code, unless what was printed did not get to where it should.
int Delivered(int exit_code) {
  errno = 0;
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::cout.good() && !std::ferror(stdout)) return exit_code;
  return Fail(ErrnoError(errno ? errno : EIO, "cannot write to", "standard output"));
}

}  // namespace

std::vector<Command> RuntimeCommands() {
  return {{"run", "run an artifact on arrays from .npy and .npz files", RunMain},
          {"generate", "continue a prompt of token ids, greedily", GenerateMain},
          {"inspect", "show what an artifact holds, plans and costs", InspectMain},
          {"bench", "measure an entry against the machine's peaks", BenchMain},
          {"tune", "measure which products cuBLASLt computes faster, and pin that", TuneMain},
          {"machine", "measure what the cost model knows of this machine", MachineMain},
          {"check", "run cases that were made elsewhere, and compare", CheckMain},
          {"doctor", "say what this machine offers, and what is missing", DoctorMain},
          {"explain", "explain an error code", ExplainMain}};
}

int Dispatch(const std::vector<Command>& commands, const Arguments& args) {
  if (args.empty()) {
    std::cerr << Help(commands);
    return kUsage;
  }
  const std::string& name = args[0];
  Arguments rest(args.begin() + 1, args.end());
  if (name == "--help" || name == "-h" || name == "help") {
    if (rest.empty()) {
      std::cout << Help(commands);
      return kOk;
    }
    rest = {rest[0], "--help"};
    return Dispatch(commands, rest);
  }
  if (name == "--version") {
    std::cout << "ashlar " << ASHLAR_VERSION << "\n";
    return kOk;
  }
  for (const Command& command : commands)
    if (command.name == name) return Delivered(command.main(rest));
  std::cerr << "ashlar: there is no command '" << Printable(name) << "'\n\n" << Help(commands);
  return kUsage;
}

std::function<int(const Arguments&)>& InterpretHook() {
  static auto* hook = new std::function<int(const Arguments&)>;
  return *hook;
}

int Fail(const absl::Status& status) {
  std::cerr << "ashlar: error: " << Message(status) << " [" << ErrorName(CodeOf(status)) << "]\n";
  return kFailed;
}

}  // namespace ashlar
