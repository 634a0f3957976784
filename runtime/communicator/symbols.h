// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of a library that dlopen has opened.
#pragma once

#include <dlfcn.h>

namespace ashlar {

// Finds symbols by name, and remembers the last one that is missing.
class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}

  template <typename Pointer>
  void Find(const char* name, Pointer& to) {
    to = reinterpret_cast<Pointer>(dlsym(library_, name));
    if (!to) missing_ = name;
  }
  const char* missing() const { return missing_; }  // null: none

 private:
  void* library_;
  const char* missing_ = nullptr;
};

}  // namespace ashlar
