// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// C++ text that is written line by line: indentation, names that are not taken yet, and what has
// been computed where it can still be seen.

#ifndef ASHLAR_CODEGEN_CUDA_CODE_H
#define ASHLAR_CODEGEN_CUDA_CODE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

#include <functional>
#include <string>

namespace ashlar::cuda {

/// Makes names that are unique in one kernel.
class Names {
public:
  /// "x", "x1", "x2", ...
  std::string fresh(llvm::StringRef hint) {
    int count = counts[hint]++;
    return count == 0 ? hint.str() : fresh((hint + std::to_string(count)).str());
  }

private:
  llvm::StringMap<int> counts;
};

class Code {
public:
  explicit Code(Names &names) : names(names) { known.emplace_back(); }

  /// One line, or several at this indentation.
  void line(const llvm::Twine &text);
  /// "head {" ... "}" around what `body` writes.
  void block(const llvm::Twine &head, llvm::function_ref<void()> body, llvm::StringRef end = "}");
  /// Another piece of code, indented as is fit here.
  void append(const Code &code);

  /// Declares a constant `type name = expression;`, or finds the one that holds the expression and
  /// can be seen from here. Returns its name.
  std::string constant(llvm::StringRef type, llvm::StringRef hint, const llvm::Twine &expression);

  /// What a key has been computed as, if that can be seen from here; see remember().
  std::string recall(llvm::StringRef key) const;
  void remember(llvm::StringRef key, llvm::StringRef name) { known.back()[key] = name.str(); }

  std::string fresh(llvm::StringRef hint) { return names.fresh(hint); }
  bool isEmpty() const { return text.empty(); }
  const std::string &str() const { return text; }

private:
  Names &names;
  std::string text;
  int depth = 0;
  llvm::SmallVector<llvm::StringMap<std::string>> known; // per scope that is open
};

} // namespace ashlar::cuda

#endif
