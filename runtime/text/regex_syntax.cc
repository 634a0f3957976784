// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/regex_syntax.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr size_t kMaxPattern = 64 << 10;
constexpr int kMaxDepth = 64;

// What stands between brackets for the classes that ICU means differently.
constexpr const char* kSpace = "\\x{9}-\\x{d}\\x{85}\\p{Z}";
constexpr const char* kWord =
    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";
constexpr const char* kHex = "0-9a-fA-F";

bool IsAsciiAlnum(char32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Translator {
 public:
  explicit Translator(std::u32string pattern) : in_(std::move(pattern)) {}

  absl::StatusOr<std::string> Run() {
    ASHLAR_RETURN_IF_ERROR(Alternatives());
    if (!AtEnd()) return Refuse("')' that closes nothing");
    return std::move(out_);
  }

 private:
  bool AtEnd() const { return at_ >= in_.size(); }
  char32_t Peek(size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : U'\0';
  }
  bool Take(std::u32string_view text) {
    if (in_.compare(at_, text.size(), text) != 0) return false;
    at_ += text.size();
    return true;
  }
  template <typename... Parts>
  absl::Status Refuse(const Parts&... what) const {
    return Unimplemented("at character ", at_ + 1, " of the pattern: ", what...);
  }
  void Literal(char32_t c) {
    if (IsAsciiAlnum(c)) {
      out_ += static_cast<char>(c);
      return;
    }
    char buffer[16];
    std::snprintf(buffer, sizeof(buffer), "\\x{%x}", static_cast<unsigned>(c));
    out_ += buffer;
  }

  absl::Status Alternatives() {
    if (++depth_ > kMaxDepth) return Refuse("groups nested more than ", kMaxDepth, " deep");
    while (!AtEnd() && Peek() != ')') {
      if (Take(U"|")) {
        out_ += '|';
        continue;
      }
      const size_t begin = out_.size();
      ASHLAR_RETURN_IF_ERROR(Atom());
      ASHLAR_RETURN_IF_ERROR(Quantifiers(begin));
    }
    --depth_;
    return absl::OkStatus();
  }

  absl::Status Atom() {
    const char32_t c = Peek();
    if (c == '(') return Group();
    if (c == '[') return Set();
    if (c == '\\') return Escape(/*in_set=*/false);
    if (IsPlainQuantifier()) return Refuse("a repetition of nothing");
    ++at_;
    if (c == '.' || c == '^' || c == '$')
      out_ += static_cast<char>(c);
    else
      Literal(c);
    return absl::OkStatus();
  }

  absl::Status Group() {
    constexpr std::u32string_view kOpenings[] = {U"(?:", U"(?i:", U"(?=",  U"(?!",
                                                 U"(?>", U"(?<=", U"(?<!", U"("};
    for (std::u32string_view opening : kOpenings) {
      if (opening == U"(" && Peek(1) == '?') return Refuse("this kind of group");
      if (!Take(opening)) continue;
      if (opening == U"(") opening = U"(?:";  // nothing asks what was captured
      out_.append(opening.begin(), opening.end());
      break;
    }
    ASHLAR_RETURN_IF_ERROR(Alternatives());
    if (!Take(U")")) return Refuse("a group that is not closed");
    out_ += ')';
    return absl::OkStatus();
  }

  // Digits, or nothing; beyond 100000 Oniguruma refuses too.
  bool Number(size_t* ahead, int* number) const {
    const size_t begin = *ahead;
    *number = 0;
    while (Peek(*ahead) >= '0' && Peek(*ahead) <= '9' && *number <= 100000)
      *number = *number * 10 + static_cast<int>(Peek((*ahead)++) - '0');
    return *ahead > begin;
  }

  // Writes {n}, {n,}, {,m} or {n,m}; false where the brace is a literal.
  bool Interval() {
    size_t ahead = 1;
    int least = 0, most = -1;
    const bool has_least = Number(&ahead, &least);
    bool has_most = false;
    const bool comma = Peek(ahead) == ',';
    if (comma) has_most = Number(&++ahead, &most);
    if (Peek(ahead) != '}' || (!has_least && !has_most)) return false;
    out_ += "{" + std::to_string(least);
    if (comma) out_ += has_most ? "," + std::to_string(most) : ",";
    out_ += "}";
    at_ += ahead + 1;
    return true;
  }

  // The repetition of what was written since `begin`.
  absl::Status Quantifiers(size_t begin) {
    const bool interval = Peek() == '{' && Interval();
    if (interval && Peek() == '?') {
      out_ += '?';
      ++at_;
    } else if (interval && (Peek() == '*' || Peek() == '+')) {
      out_.insert(begin, "(?:");
      out_ += ')';
      out_ += static_cast<char>(in_[at_++]);
    } else if (!interval && IsPlainQuantifier()) {
      out_ += static_cast<char>(in_[at_++]);
      if (Peek() == '?' || Peek() == '+') out_ += static_cast<char>(in_[at_++]);
    } else if (!interval) {
      return absl::OkStatus();
    }
    const size_t end = out_.size();
    if (IsPlainQuantifier() || (Peek() == '{' && Interval())) {
      out_.resize(end);
      return Refuse("a repetition of a repetition");
    }
    return absl::OkStatus();
  }
  bool IsPlainQuantifier() const { return Peek() == '*' || Peek() == '+' || Peek() == '?'; }

  // \p{Name}, \P{Name}, \p{^Name}: to ICU's property of that name.
  absl::Status Property(bool negated) {
    if (!Take(U"{")) return Refuse("a property without {name}");
    if (Take(U"^")) negated = !negated;
    std::string name;
    while (IsAsciiAlnum(Peek()) || Peek() == '_' || Peek() == ' ' || Peek() == '-')
      name += static_cast<char>(in_[at_++]);
    if (!Take(U"}") || name.empty()) return Refuse("a property without {name}");
    out_ += (negated ? "\\P{" : "\\p{") + name + "}";
    return absl::OkStatus();
  }

  void Class(const char* members, bool negated, bool in_set) {
    if (in_set && !negated) {
      out_ += members;
      return;
    }
    out_ += negated ? "[^" : "[";
    out_ += members;
    out_ += ']';
  }

  absl::Status Escape(bool in_set) {
    ++at_;
    if (AtEnd()) return Refuse("a backslash at the end");
    const char32_t c = in_[at_++];
    switch (c) {
      case 's':
      case 'S':
        Class(kSpace, c == 'S', in_set);
        return absl::OkStatus();
      case 'w':
      case 'W':
        Class(kWord, c == 'W', in_set);
        return absl::OkStatus();
      case 'h':
      case 'H':
        Class(kHex, c == 'H', in_set);
        return absl::OkStatus();
      case 'd':
      case 'D':
        Class("\\p{Nd}", c == 'D', in_set);
        return absl::OkStatus();
      case 'p':
      case 'P':
        return Property(c == 'P');
      case 'x':
      case 'u':
        return CodePoint(c);
      case 'A':
      case 'z':
        if (in_set) break;
        out_ += c == 'A' ? "\\A" : "\\z";
        return absl::OkStatus();
      default:
        break;
    }
    constexpr std::pair<char, char32_t> kControls[] = {{'t', 9},  {'n', 10}, {'v', 11}, {'f', 12},
                                                       {'r', 13}, {'a', 7},  {'e', 27}};
    for (auto [letter, code] : kControls) {
      if (c != static_cast<char32_t>(letter)) continue;
      Literal(code);
      return absl::OkStatus();
    }
    if (IsAsciiAlnum(c)) {
      --at_;
      return Refuse("the escape \\", static_cast<char>(c));
    }
    Literal(c);
    return absl::OkStatus();
  }

  // \xHH, \x{H...}, \uHHHH.
  absl::Status CodePoint(char32_t kind) {
    const bool braces = kind == 'x' && Take(U"{");
    const size_t most = braces ? 6 : kind == 'x' ? 2 : 4;
    char32_t code = 0;
    size_t digits = 0;
    for (; digits < most; ++digits, ++at_) {
      const char32_t c = Peek();
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!letter && !(c >= '0' && c <= '9')) break;
      code = code * 16 + (letter ? (c | 32) - 'a' + 10 : c - '0');
    }
    if (digits == 0 || (kind == 'u' && digits != 4) || (braces && !Take(U"}")) || code > 0x10FFFF)
      return Refuse("a character by number");
    if (kind == 'x' && !braces && code >= 0x80) return Refuse("a byte that is no character");
    Literal(code);
    return absl::OkStatus();
  }

  absl::Status Set() {
    if (++depth_ > kMaxDepth) return Refuse("sets nested more than ", kMaxDepth, " deep");
    ++at_;
    out_ += Take(U"^") ? "[^" : "[";
    const size_t first = at_;
    for (; !AtEnd() && (Peek() != ']' || at_ == first);) {
      const char32_t c = Peek();
      if (c == '[' && Peek(1) == ':') {
        ASHLAR_RETURN_IF_ERROR(PosixClass());
      } else if (c == '[') {
        ASHLAR_RETURN_IF_ERROR(Set());
      } else if (Take(U"&&")) {
        out_ += "&&";
      } else if (c == '-' && at_ != first && Peek(1) != ']' && IsRange()) {
        ++at_;
        out_ += '-';
      } else if (c == '\\') {
        ASHLAR_RETURN_IF_ERROR(Escape(/*in_set=*/true));
      } else {
        Literal(c);
        ++at_;
      }
    }
    if (!Take(U"]")) return Refuse("a set that is not closed");
    out_ += ']';
    --depth_;
    return absl::OkStatus();
  }

  // Whether a '-' stands between two single characters, not beside a class.
  bool IsRange() const {
    const char last = out_.empty() ? '[' : out_.back();
    const bool after_class = last == '[' || last == ']' || last == '^' || last == '&' ||
                             (last == '}' && EndsWithProperty());
    const bool before_class =
        Peek(1) == '[' || (Peek(1) == '\\' && std::u32string_view(U"swdhpSWDHP").find(Peek(2)) !=
                                                  std::u32string::npos);
    return !after_class && !before_class;
  }
  bool EndsWithProperty() const {
    const size_t open = out_.rfind('{');
    return open != std::string::npos && open > 0 && (out_[open - 1] | 32) == 'p';
  }

  absl::Status PosixClass() {
    constexpr std::pair<std::u32string_view, const char*> kClasses[] = {
        {U"[:space:]", kSpace},       {U"[:alpha:]", "\\p{Alphabetic}"}, {U"[:digit:]", "\\p{Nd}"},
        {U"[:upper:]", "\\p{Upper}"}, {U"[:lower:]", "\\p{Lower}"},      {U"[:xdigit:]", kHex}};
    for (const auto& [name, members] : kClasses) {
      if (!Take(name)) continue;
      out_ += members;
      return absl::OkStatus();
    }
    return Refuse("this class in brackets; taken are alpha, digit, lower, space, upper, xdigit");
  }

  std::u32string in_;
  size_t at_ = 0;
  std::string out_;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<std::string> TranslateOniguruma(std::string_view pattern) {
  if (pattern.size() > kMaxPattern)
    return Unimplemented("a pattern of ", pattern.size(), " bytes; at most ", kMaxPattern,
                         " are taken");
  return Translator(DecodeUtf8(pattern)).Run();
}

}  // namespace ashlar
