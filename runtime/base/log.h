// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime has to say that is no error goes to whoever embeds it; nothing is printed.
#pragma once

#include <functional>
#include <string>

namespace ashlar {

enum class LogLevel { kInfo, kWarning };

// Called on the thread that is at work, with one line without its end. May be empty.
using LogSink = std::function<void(LogLevel level, const std::string& message)>;

}  // namespace ashlar
