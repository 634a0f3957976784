// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program `ashlar`: the runtime's commands, and the compiler's where it is built in.
#include <unistd.h>

#include <new>

#include "runtime/base/mapped_file.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/workload.h"

#ifdef ASHLAR_WITH_COMPILER
namespace ashlar {
int CompileMain(const Arguments& args);
int InterpretMain(const Arguments& args);
int PlanMain(const Arguments& args);
}  // namespace ashlar
#endif

namespace {

// Arenas and weights are taken in pieces whose errors say more; this is for all the rest.
void OutOfMemory() {
  constexpr char kText[] = "ashlar: error: the system gives no more memory [E0401]\n";
  (void)!write(STDERR_FILENO, kText, sizeof(kText) - 1);
  _exit(ashlar::kFailed);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ashlar;
  GuardMappedFiles();
  std::set_new_handler(OutOfMemory);
  std::vector<Command> commands = RuntimeCommands();
#ifdef ASHLAR_WITH_COMPILER
  commands.insert(commands.begin(),
                  {"compile", "compile a Hugging Face directory to an artifact", CompileMain});
  commands.insert(commands.begin() + 1,
                  {"plan", "plan a model for several devices, and say what it takes", PlanMain});
  InterpretHook() = InterpretMain;
#endif
  int code = Dispatch(commands, Arguments(argv + 1, argv + argc));
  LeaveRanks();  // errors have been printed
  return code;
}
