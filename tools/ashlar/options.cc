// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/options.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "runtime/base/status.h"
#include "runtime/device/cpu/thread_pool.h"
#include "tools/ashlar/command.h"

namespace ashlar {

Options Options::OfProgram(std::string name, std::string description, std::string examples) {
  Options options("", std::move(description), std::move(examples));
  options.program_ = std::move(name);
  return options;
}

void Options::Positional(const std::string& name, const std::string& help, std::string* value) {
  positionals_.push_back({name, "", help, [value](const std::string& text) {
                            *value = text;
                            return !text.empty();
                          }});
}

void Options::Rest(const std::string& name, const std::string& help,
                   std::vector<std::string>* values) {
  rest_ = Option{name, "", help, [values](const std::string& text) {
                   values->push_back(text);
                   return !text.empty();
                 }};
}

void Options::Add(const std::string& name, const std::string& value_name, const std::string& help,
                  std::string* value) {
  options_.push_back({name, value_name, help, [value](const std::string& text) {
                        *value = text;
                        return !text.empty();
                      }});
}

void Options::Add(const std::string& name, const std::string& value_name, const std::string& help,
                  int64_t* value, int64_t most) {
  options_.push_back({name, value_name, help,
                      [value, most](const std::string& text) {
                        std::optional<int64_t> number = ParseInteger(text);
                        if (number) *value = *number;
                        return number && *number >= 0 && *number <= most;
                      },
                      std::nullopt, most == INT64_MAX ? "" : StrCat("a number from 0 to ", most)});
}

void Options::Add(const std::string& name, const std::string& value_name, const std::string& help,
                  std::optional<int64_t>* value) {
  options_.push_back({name, value_name, help,
                      [value](const std::string& text) {
                        *value = ParseInteger(text);
                        return *value && **value >= 0;
                      },
                      std::nullopt, "a number from 0"});
}

void Options::Add(const std::string& name, const std::string& value_name, const std::string& help,
                  double* value) {
  options_.push_back({name, value_name, help,
                      [value](const std::string& text) {
                        std::optional<double> number = ParseNumber(text);
                        if (number) *value = *number;
                        return number && *number >= 0;
                      },
                      std::nullopt, "a number, 0 or more"});
}

void Options::AddThreads(int64_t* value, const std::string& help) {
  Add("--threads", "N", help, value, ThreadPool::kMaxThreads);
}

void Options::Add(const std::string& name, const std::string& value_name, const std::string& help,
                  std::vector<std::string>* values) {
  options_.push_back({name, value_name, help, [values](const std::string& text) {
                        values->push_back(text);
                        return !text.empty();
                      }});
}

void Options::Add(const std::string& name, const std::string& help, bool* value) {
  options_.push_back({name, "", help, [value](const std::string&) { return *value = true; }});
}

const Options::Option* Options::Find(const std::string& name) const {
  for (const Option& option : options_)
    if (option.name == name) return &option;
  return nullptr;
}

int Options::UsageError(const std::string& message) const {
  std::cerr << program_ << ": " << message << "\nTry `" << program_ << " --help`.\n";
  return kUsage;
}

void Options::AddOptional(const std::string& name, const std::string& value_name,
                          const std::string& help, const std::string& alone, std::string* value) {
  options_.push_back({name, value_name, help,
                      [value](const std::string& text) {
                        *value = text;
                        return !text.empty();
                      },
                      alone, ""});
}

std::optional<int> Options::Parse(const std::vector<std::string>& args) const {
  size_t positional = 0;
  bool options_over = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    if (!options_over && (word == "--help" || word == "-h")) {
      std::cout << Help();
      return kOk;
    }
    if (!options_over && word == "--") {
      options_over = true;
      continue;
    }
    if (options_over || word.empty() || word == "-" || word[0] != '-') {
      if (positional == positionals_.size() && !rest_)
        return UsageError(StrCat("unexpected argument '", word, "'"));
      const Option& option = positional < positionals_.size() ? positionals_[positional++] : *rest_;
      if (!option.set(word))
        return UsageError(StrCat("expected ", option.name, ", found '", word, "'"));
      continue;
    }
    size_t equals = word.find('=');
    std::string name = word.substr(0, equals);
    const Option* option = Find(name);
    if (!option) return UsageError(StrCat("unknown option ", name));
    std::string value;
    if (option->value_name.empty()) {
      if (equals != std::string::npos) return UsageError(StrCat(name, " takes no value"));
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (option->alone) {
      value = *option->alone;
    } else if (i + 1 < args.size()) {
      value = args[++i];
      if (value.rfind("--", 0) == 0)
        return UsageError(StrCat(name, " needs a value, found ", value, "; if that is the value, ",
                                 "write ", name, "=", value));
    } else {
      return UsageError(StrCat(name, " needs a value: ", name, " ", option->value_name));
    }
    if (!option->set(value))
      return UsageError(StrCat(name, ": expected ",
                               option->expected.empty() ? option->value_name : option->expected,
                               ", found '", value, "'"));
  }
  if (positional < positionals_.size())
    return UsageError(StrCat(positionals_[positional].name, " is missing"));
  return std::nullopt;
}

std::string Options::Help() const {
  std::string usage = "usage: " + program_, lines;
  for (const Option& option : positionals_) usage += " " + option.name;
  if (rest_) usage += " [" + rest_->name + "...]";
  usage += " [options]\n\n" + description_ + "\n\n";
  auto line = [&](const Option& option) {
    std::string left =
        option.alone
            ? StrCat("  ", option.name, "[=", option.value_name, "]")
            : StrCat("  ", option.name, option.value_name.empty() ? "" : " ", option.value_name);
    left += left.size() < 26 ? std::string(26 - left.size(), ' ') : "\n" + std::string(26, ' ');
    std::string help = option.help;
    for (size_t at = help.find('\n'); at != std::string::npos; at = help.find('\n', at + 1))
      help.insert(at + 1, std::string(26, ' '));
    lines += left + help + "\n";
  };
  for (const Option& option : positionals_) line(option);
  if (rest_) line(*rest_);
  for (const Option& option : options_) line(option);
  line({"--help", "", "this text", nullptr});
  return usage + lines + (examples_.empty() ? "" : "\n" + examples_ + "\n");
}

std::optional<double> ParseNumber(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<int64_t> ParseInteger(const std::string& text) {
  int64_t value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::vector<int64_t>> ParseIntegers(const std::string& text) {
  std::string body;
  for (char c : text)
    if (c != ' ') body += c;
  if (body.size() >= 2 && body.front() == '[' && body.back() == ']')
    body = body.substr(1, body.size() - 2);
  std::vector<int64_t> values;
  for (size_t begin = 0; begin <= body.size();) {
    size_t comma = std::min(body.find(',', begin), body.size());
    std::optional<int64_t> value = ParseInteger(body.substr(begin, comma - begin));
    if (!value) return std::nullopt;
    values.push_back(*value);
    begin = comma + 1;
  }
  return values;
}

}  // namespace ashlar
