// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program `ashlar`: the runtime's commands, and the compiler's where it is built in.
#include "tools/ashlar/command.h"

#ifdef ASHLAR_WITH_COMPILER
namespace ashlar {
int CompileMain(const Arguments& args);
int InterpretMain(const Arguments& args);
}  // namespace ashlar
#endif

int main(int argc, char** argv) {
  using namespace ashlar;
  std::vector<Command> commands = RuntimeCommands();
#ifdef ASHLAR_WITH_COMPILER
  commands.insert(commands.begin(),
                  {"compile", "compile a Hugging Face directory to an artifact", CompileMain});
  InterpretHook() = InterpretMain;
#endif
  return Dispatch(commands, Arguments(argv + 1, argv + argc));
}
