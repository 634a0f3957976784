// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The subcommands of `ashlar`. Each takes the words after its name and returns the exit code: kOk,
// kFailed (the work failed; stderr says why) or kUsage (the words make no sense; stderr says what
// would).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ashlar {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

using Arguments = std::vector<std::string>;

struct Command {
  std::string name;
  std::string summary;  // one line
  std::function<int(const Arguments&)> main;
};

// The commands of this build, in the order in which --help lists them: the runtime's own, and what
// else the program was linked with (main.cc).
std::vector<Command> RuntimeCommands();

int RunMain(const Arguments& args);
int GenerateMain(const Arguments& args);
int InspectMain(const Arguments& args);
int MachineMain(const Arguments& args);
int BenchMain(const Arguments& args);
int CheckMain(const Arguments& args);
int TuneMain(const Arguments& args);
int DoctorMain(const Arguments& args);
int ExplainMain(const Arguments& args);

// Runs `ashlar ARGS...` with these commands: help, version, or the command that is named first.
int Dispatch(const std::vector<Command>& commands, const Arguments& args);

// What `ashlar run --interpret ARGS...` does in a build with the compiler; nothing in others.
std::function<int(const Arguments&)>& InterpretHook();

// Prints "ashlar: error: <message> [E0123]" to stderr and returns kFailed.
int Fail(const absl::Status& status);

}  // namespace ashlar
