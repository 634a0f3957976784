// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/text/regex_syntax.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

// The matches of a pattern in a text, both UTF-8; or the error.
Strings Matches(std::string_view pattern, std::string_view text) {
  auto regex = Regex::Compile(pattern);
  if (!regex.ok()) return {Message(regex.status())};
  const std::u32string characters = DecodeUtf8(text);
  auto ranges = Regex::Finder(*regex).Find(characters);
  if (!ranges.ok()) return {Message(ranges.status())};
  Strings matches;
  for (const auto& [begin, end] : *ranges)
    matches.push_back(EncodeUtf8(std::u32string_view(characters).substr(begin, end - begin)));
  return matches;
}

// What the onig package finds, too, in these.
TEST(Regex, MeansWhatOnigurumaMeans) {
  struct {
    const char* pattern;
    const char* text;
    Strings matches;
  } cases[] = {
      {R"(\s+(?!\S)|\s+)", "a   b \n", {"  ", " ", " \n"}},
      {R"(\s)", "\v\u0085\u3000x\u200B", {"\v", "\u0085", "\u3000"}},
      {R"([^\s\p{L}\p{N}]+)", "a!?½ \u0085世界…", {"!?", "…"}},
      {R"(\w+)", "aé²_ Ⓐ-\u200d३", {"aé²_", "Ⓐ", "३"}},
      {R"(\W+)", "a!b", {"!"}},
      {R"(\h+)", "xAf09g \t", {"Af09"}},
      {R"([\h_]+)", "xa_g", {"a_"}},
      {R"(\d+\D)", "१2x", {"१2x"}},
      {R"(^a|b$)", "ab\nab", {"a", "b", "a", "b"}},
      {R"(a.)", "a\na\rab", {"a\r", "ab"}},
      {R"((?i:'s|'LL))", "'S 'ſ 'll", {"'S", "'ſ", "'ll"}},
      {R"(\p{N}{1,3})", "12345", {"123", "45"}},
      {R"(x{1,2}+)", "xxxxx", {"xxxxx"}},
      {R"(x{2}?y)", "xxxy", {"xxy"}},
      {R"(x{,2}y)", "xxxy", {"xxy"}},
      {R"(x{a}|{|x{)", "x{a}{", {"x{a}", "{"}},
      {R"([^\r\n]?+b|a++b)", "aabb", {"aab"}},
      {R"((?<=t)h|(?<!t)e(?=x))", "th teex", {"h", "e"}},
      {R"((?>a+)b)", "aab", {"aab"}},
      {R"([a-c&&[^b]]+)", "abcc", {"a", "cc"}},
      {R"([]-]+)", "a]-b", {"]-"}},
      {R"([a\-z]+)", "a-zb", {"a-z"}},
      {R"([\w-]+)", "a-b c", {"a-b", "c"}},
      {R"([[:alpha:][:digit:]]+)", "aé1 ", {"aé1"}},
      {R"(\p{Han}+|\P{^L}+)", "世界ab", {"世界", "ab"}},
      {R"(\x41\x{1F600}\u0042)", "A😀B", {"A😀B"}},
      {R"(<\|end\|>|\/\.)", "<|end|>/.", {"<|end|>", "/."}},
      {R"(😀.)", "a😀😀b", {"😀😀"}},
      {"[#&~ -]", "#&~ -", {"#", "&", "~", " ", "-"}},
      {"x*", "axxb", {"xx"}},
  };
  for (const auto& [pattern, text, matches] : cases)
    EXPECT_EQ(Matches(pattern, text), matches) << pattern;
}

TEST(Regex, RefusesWithThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"((a)\1)", R"(pattern '(a)\1': at character 5 of the pattern: the escape \1)"},
      {"a(?<n>b)", "at character 2 of the pattern: this kind of group"},
      {"a(b", "a group that is not closed"},
      {"a)b", "at character 2 of the pattern: ')' that closes nothing"},
      {"[ab", "a set that is not closed"},
      {"*a", "a repetition of nothing"},
      {"a\\", "a backslash at the end"},
      {R"(\bx)", "the escape \\b"},
      {"[[:punct:]]", "this class in brackets"},
      {R"(\p{Nonsense})", "not a regular expression"},
      {R"(\pL)", "a property without {name}"},
      {R"(\x{110000})", "a character by number"},
      {R"(\xFF)", "a byte that is no character"},
      {"[z-a]", "not a regular expression"},
      {"a*{2}", "a repetition of a repetition"},
      {"a**+", "a repetition of a repetition"},
      {"a{2}++", "a repetition of a repetition"},
  };
  for (const auto& [pattern, message] : cases)
    EXPECT_THAT(Matches(pattern, ""), ElementsAre(HasSubstr(message))) << pattern;
  EXPECT_THAT(Matches(std::string(70, '(') + std::string(70, ')'), ""),
              ElementsAre(HasSubstr("nested more than 64 deep")));
  EXPECT_THAT(Matches(std::string(70, '['), ""),
              ElementsAre(HasSubstr("nested more than 64 deep")));
  EXPECT_THAT(Matches(std::string(70000, 'a'), ""), ElementsAre(HasSubstr("at most 65536")));
}

// Any text is a pattern or an error.
TEST(Regex, AnyBytes) {
  const std::string letters = R"(a([{^&|]})?*+-\psw:.i<=!09,)";
  unsigned state = 1;
  int compiled = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string pattern;
    for (unsigned n = round % 12; n > 0; --n) {
      state = state * 1664525u + 1013904223u;
      pattern += letters[(state >> 16) % letters.size()];
    }
    auto regex = Regex::Compile(pattern);
    if (!regex.ok()) continue;
    ++compiled;
    const absl::StatusCode code = Regex::Finder(*regex).Find(U"a(0,9)[psw]\n").status().code();
    EXPECT_TRUE(code == absl::StatusCode::kOk || code == absl::StatusCode::kResourceExhausted)
        << pattern;
  }
  EXPECT_GT(compiled, 2000);
}

TEST(Regex, EndlessBacktrackingIsAnError) {
  auto regex = Regex::Compile("(a|a|aa)+$x");
  ASSERT_TRUE(regex.ok());
  auto found = Regex::Finder(*regex).Find(std::u32string(200, 'a'));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Regex, Literals) {
  auto find = [](std::string_view literal, std::u32string_view text) {
    return *Regex::Finder(Regex::Literal(literal)).Find(text);
  };
  EXPECT_THAT(find("aa", U"aaaaa"), ElementsAre(Regex::Range(0, 2), Regex::Range(2, 4)));
  EXPECT_THAT(find(".*", U"a.*"), ElementsAre(Regex::Range(1, 3)));
  EXPECT_THAT(find("", U"abc"), ElementsAre());
}

TEST(Regex, AFinderServesManyTexts) {
  auto regex = Regex::Compile("b+");
  Regex::Finder finder(*regex);
  EXPECT_THAT(*finder.Find(U"abb"), ElementsAre(Regex::Range(1, 3)));
  EXPECT_THAT(*finder.Find(U""), ElementsAre());
  EXPECT_THAT(*finder.Find(U"\U0001F600b"), ElementsAre(Regex::Range(1, 2)));
}

}  // namespace
}  // namespace ashlar
