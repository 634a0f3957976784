// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The base of the event-driven readers of untrusted JSON. Nothing is built while parsing, so what a
// file costs is what its reader keeps; nesting is bounded; strings are checked to be UTF-8 by the
// parser.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "runtime/base/status.h"

namespace ashlar {

// Every event is refused unless a reader overrides it.
class JsonSaxReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Parses `text`; the first thing that is wrong comes back as DataLoss "<path>: ...".
  absl::Status Read(const std::string& path, std::string_view text) {
    bool ok = nlohmann::json::sax_parse(text.data(), text.data() + text.size(), this);
    if (ok && error_.empty()) return absl::OkStatus();
    return DataLoss(path, ": ", error_.empty() ? "malformed JSON" : error_);
  }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override { return Unexpected(StrCat(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Unexpected(StrCat(value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return Unexpected(Printable(text));
  }
  bool string(string_t& value) override {
    return Unexpected(StrCat("string '", Printable(value), "'"));
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }
  bool start_object(size_t) override { return Unexpected("an object"); }
  bool key(string_t&) override { return Unexpected("a key"); }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return Unexpected("an array"); }
  bool end_array() override { return true; }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (error_.empty())
      error_ = StrCat("malformed JSON at byte ", position, ": ", Printable(error.what(), 200));
    return false;
  }

 protected:
  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    if (error_.empty()) error_ = StrCat(parts...);
    return false;
  }
  // What the reader was reading when something else came.
  virtual std::string Where() const = 0;
  bool Unexpected(std::string_view found) { return Fail(Where(), ", found ", found); }

 private:
  std::string error_;
};

}  // namespace ashlar
