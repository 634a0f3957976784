// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arguments of a subcommand or a program. Options are written --name VALUE or --name=VALUE and
// come in any order; `--` ends them. A value that begins with -- is written --name=VALUE. The same
// declarations make the --help text.
//
//   std::string path; int threads = 0;
//   Options options("run", "Runs an artifact.");
//   options.Positional("X.ashlar", "the artifact", &path);
//   options.AddThreads(&threads);
//   if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ashlar {

class Options {
 public:
  // `description`: what the command does, shown by --help; `examples`: lines shown after the
  // options.
  Options(const std::string& command, std::string description, std::string examples = "")
      : program_("ashlar " + command),
        description_(std::move(description)),
        examples_(std::move(examples)) {}

  // Of a program of its own instead of a subcommand of `ashlar`.
  static Options OfProgram(std::string name, std::string description, std::string examples = "");

  // A required word without a dash.
  void Positional(const std::string& name, const std::string& help, std::string* value);
  // All further words without a dash, none or several.
  void Rest(const std::string& name, const std::string& help, std::vector<std::string>* values);
  void Add(const std::string& name, const std::string& value_name, const std::string& help,
           std::string* value);
  // Integers from 0 to `most`.
  void Add(const std::string& name, const std::string& value_name, const std::string& help,
           int64_t* value, int64_t most = INT64_MAX);
  void Add(const std::string& name, const std::string& value_name, const std::string& help,
           std::optional<int64_t>* value);
  // Finite numbers, 0 or more.
  void Add(const std::string& name, const std::string& value_name, const std::string& help,
           double* value);
  // --threads: 0 to ThreadPool::kMaxThreads.
  void AddThreads(int64_t* value,
                  const std::string& help = "threads that compute (default: one per core)");
  // May be repeated.
  void Add(const std::string& name, const std::string& value_name, const std::string& help,
           std::vector<std::string>* values);
  // Without a value.
  void Add(const std::string& name, const std::string& help, bool* value);

  // With a value only as --name=VALUE: --name alone sets `alone`.
  void AddOptional(const std::string& name, const std::string& value_name, const std::string& help,
                   const std::string& alone, std::string* value);

  // Returns nothing when the values are set; else the exit code: 0 after --help (printed to
  // stdout), 2 after a mistake (printed to stderr with what to do about it).
  std::optional<int> Parse(const std::vector<std::string>& args) const;

  std::string Help() const;

  // Prints "<program>: <message>" and where help is, and returns the exit code for wrong
  // usage.
  int UsageError(const std::string& message) const;

 private:
  struct Option {
    std::string name, value_name, help;
    std::function<bool(const std::string&)> set;  // false: not such a value
    std::optional<std::string> alone;             // the value where none is given
    std::string expected;                         // in words; empty: value_name says it
  };
  const Option* Find(const std::string& name) const;

  std::string program_, description_, examples_;
  std::vector<Option> options_, positionals_;
  std::optional<Option> rest_;
};

// Parses a finite number, "0.5"; nothing else around it.
std::optional<double> ParseNumber(const std::string& text);

// Parses a decimal integer that fits; nothing else around it.
std::optional<int64_t> ParseInteger(const std::string& text);

// Parses "1,2,3" (blanks and one pair of brackets around it are allowed); nothing for anything
// else.
std::optional<std::vector<int64_t>> ParseIntegers(const std::string& text);

}  // namespace ashlar
