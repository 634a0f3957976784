// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/Code.h"

using namespace llvm;

namespace ashlar::cuda {

void Code::line(const Twine &written) {
  std::string lines = written.str();
  StringRef rest = lines;
  do {
    auto [first, others] = rest.split('\n');
    if (!first.empty())
      text += std::string(first.starts_with("#") ? 0 : 2 * depth, ' ') + first.str();
    text += '\n';
    rest = others;
  } while (!rest.empty());
}

void Code::block(const Twine &head, function_ref<void()> body, StringRef end) {
  line(head.str() + " {");
  ++depth;
  known.emplace_back();
  body();
  known.pop_back();
  --depth;
  line(end);
}

void Code::append(const Code &code) {
  if (!code.isEmpty())
    line(StringRef(code.str()).drop_back());
}

std::string Code::constant(StringRef type, StringRef hint, const Twine &expression) {
  std::string value = expression.str(), key = type.str() + " " + value;
  std::string found = recall(key);
  if (!found.empty())
    return found;
  std::string name = fresh(hint);
  line("const " + type + " " + name + " = " + value + ";");
  remember(key, name);
  return name;
}

std::string Code::recall(StringRef key) const {
  for (const StringMap<std::string> &scope : reverse(known)) {
    auto found = scope.find(key);
    if (found != scope.end())
      return found->second;
  }
  return "";
}

} // namespace ashlar::cuda
