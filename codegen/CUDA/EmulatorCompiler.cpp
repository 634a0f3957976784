// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/EmulatorCompiler.h"

#include "codegen/CUDA/KernelSources.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

extern char **environ;

namespace ashlar {
namespace {

namespace fs = std::filesystem;

/// A folder of its own under the system's temporary one, gone with the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::error_code error;
    const fs::path base = fs::temp_directory_path(error);
    std::string name = (base / "ashlar-kernel-XXXXXX").string();
    if (error)
      failure_ = error.message();
    else if (mkdtemp(name.data()))
      path_ = name;
    else
      failure_ = name + ": " + std::strerror(errno);
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!path_.empty())
      fs::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  /// Why there is none; empty where there is one.
  const std::string &failure() const { return failure_; }
  std::string file(std::string_view name) const { return (path_ / name).string(); }

private:
  fs::path path_;
  std::string failure_;
};

bool writeFile(const std::string &path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  return out.good();
}

std::string readFile(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Runs a program with its messages in `log`; returns its exit status, or -1.
int run(const std::vector<std::string> &arguments, const std::string &log) {
  std::vector<char *> argv;
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t child;
  int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return -1;
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

// Contraction is off so that a * b + c is what it says. A fibre's stack is small, and a frame
// beyond it would be taken for another thread's: an error here.
static const std::vector<std::string> kOptions = {"-std=c++17",
                                                  "-DASHLAR_EMULATOR",
                                                  "-O1",
                                                  "-fPIC",
                                                  "-nostdinc",
                                                  "-ffreestanding",
                                                  "-fno-exceptions",
                                                  "-fno-rtti",
                                                  "-fno-stack-protector",
                                                  "-fno-asynchronous-unwind-tables",
                                                  "-ffp-contract=off",
                                                  "-fno-unroll-loops",
                                                  "-fvisibility=hidden",
                                                  "-fsanitize=thread",
                                                  "-mllvm",
                                                  "-tsan-instrument-func-entry-exit=0",
                                                  "-mllvm",
                                                  "-tsan-instrument-read-before-write=1",
                                                  "-Wno-unknown-pragmas",
                                                  "-Wframe-larger-than=49152",
                                                  "-Werror=frame-larger-than",
                                                  "-Wno-pass-failed"};

/// The path of clang++.
static absl::StatusOr<std::string> findCompiler() {
  std::string compiler = ASHLAR_KERNEL_CLANG;
  if (!compiler.empty() && fs::exists(compiler))
    return compiler;
  return FailedPrecondition("kernels for the emulator are compiled by clang++ of LLVM 22, which ",
                            compiler.empty() ? "was not found when Ashlar was configured"
                                             : "is gone from " + compiler,
                            ": install clang-22 and lld-22, or set ASHLAR_KERNEL_CLANG");
}

absl::StatusOr<std::string> identifyEmulatorCompiler() {
  ASHLAR_ASSIGN_OR_RETURN(std::string compiler, findCompiler());
  // A compiler that was replaced has another time.
  std::error_code error;
  auto time = fs::last_write_time(compiler, error).time_since_epoch().count();
  return StrCat(compiler, " ", time, " ", StrJoin(kOptions, " "));
}

absl::StatusOr<std::string> compileForEmulator(std::string_view kernelText, EmulatorOutput output) {
  ASHLAR_ASSIGN_OR_RETURN(std::string compiler, findCompiler());
  TemporaryFolder folder;
  if (!folder.failure().empty())
    return FailedPrecondition("cannot make a temporary folder for kernels: ", folder.failure(),
                              "; set TMPDIR to a folder that can be written");
  bool written = writeFile(folder.file("kernel.cpp"), kernelText);
  for (const KernelSource &source : getKernelSources())
    written &= writeFile(folder.file(source.name), source.text);
  if (!written)
    return ErrnoError(errno, "write", folder.file("kernel.cpp"));

  std::vector<std::string> arguments = {compiler};
  arguments.insert(arguments.end(), kOptions.begin(), kOptions.end());
  if (output == EmulatorOutput::kObject)
    arguments.push_back("-c");
  else
    for (const char *option :
         {"-gline-tables-only", "-shared", "-nostdlib", "-fno-sanitize-link-runtime",
          "-fuse-ld=lld", "-Wl,-z,defs", "-Wl,--build-id=none"})
      arguments.push_back(option);
  for (const std::string &argument :
       {std::string("-xc++"), folder.file("kernel.cpp"), std::string("-o"), folder.file("kernel")})
    arguments.push_back(argument);
  int status = run(arguments, folder.file("log"));
  if (status == -1)
    return FailedPrecondition("could not run ", compiler);
  if (status != 0)
    return WithCode(ErrorCode::kNoCode,
                    InvalidArgument("kernel text does not compile for the emulator:\n",
                                    readFile(folder.file("log"))));
  return readFile(folder.file("kernel"));
}

} // namespace ashlar
