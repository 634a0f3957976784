// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar explain: the page of an error code.
#include <iostream>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/options.h"

namespace ashlar {
namespace {

void PrintPage(const ErrorPage& page) {
  std::cout << ErrorName(page.code) << ": " << page.title << "\n\n" << page.page << "\n";
}

// runtime/errors.md.
void PrintTable() {
  std::cout << "# Errors\n\nEvery error of the runtime, the driver and its compiler ends in a code, `[E0507]`, "
               "which does not change.\n`ashlar explain E0507` prints its page; this table is "
               "`ashlar explain --table`.\n\n| code | what |\n| --- | --- |\n";
  for (const ErrorPage& page : ErrorPages())
    std::cout << "| " << ErrorName(page.code) << " | " << page.title << " |\n";
}

}  // namespace

int ExplainMain(const Arguments& args) {
  std::vector<std::string> names;
  bool table = false;
  Options options("explain",
                  "Explains an error code: what it means and what to do. Without one: lists all.",
                  "example:\n  ashlar explain E0507");
  options.Rest("CODE", "as it stands behind an error, such as E0507 (several are taken)", &names);
  options.Add("--table", "list all as a table in Markdown", &table);
  if (std::optional<int> exit_code = options.Parse(args)) return *exit_code;
  if (table) {
    PrintTable();
    return kOk;
  }
  if (names.empty())
    for (const ErrorPage& page : ErrorPages())
      std::cout << ErrorName(page.code) << "  " << page.title << "\n";
  for (const std::string& name : names) {
    std::optional<ErrorCode> code = ParseErrorName(name);
    if (!code)
      return options.UsageError(
          StrCat("'", Printable(name), "' is no error code; they look like E0507"));
    if (&name != &names.front()) std::cout << "\n";
    for (const ErrorPage& page : ErrorPages())
      if (page.code == *code) PrintPage(page);
  }
  return kOk;
}

}  // namespace ashlar
