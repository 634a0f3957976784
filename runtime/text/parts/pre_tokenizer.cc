// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/pre_tokenizer.h"

#include "runtime/base/status.h"
#include "runtime/text/parts/metaspace.h"
#include "runtime/text/parts/normalizer.h"
#include "runtime/text/parts/replacement.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

// A pre-tokenizer that is no more than a function.
template <typename Function>
class Simple : public PreTokenizer {
 public:
  explicit Simple(Function function) : function_(std::move(function)) {}
  absl::Status Apply(Pieces* pieces) const override { return function_(pieces); }

 private:
  Function function_;
};

using Pointer = std::unique_ptr<const PreTokenizer>;
using Result = absl::StatusOr<Pointer>;

template <typename Function>
Pointer MakeSimple(Function function) {
  return std::make_unique<Simple<Function>>(std::move(function));
}

absl::Status SplitAtRegex(const Regex& regex, SplitBehavior behavior, bool invert, Pieces* pieces) {
  Regex::Finder finder(regex);
  auto find = [&](std::u32string_view text, std::vector<Range>* matches) -> absl::Status {
    ASHLAR_ASSIGN_OR_RETURN(*matches, finder.Find(text));
    return absl::OkStatus();
  };
  return SplitPieces(find, behavior, invert, pieces);
}

// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, as released.
constexpr std::string_view kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Result MakeByteLevel(bool add_prefix_space, bool use_regex) {
  ASHLAR_ASSIGN_OR_RETURN(Regex words, Regex::Compile(kGpt2Words));
  return MakeSimple([=](Pieces* pieces) -> absl::Status {
    if (add_prefix_space) {
      ASHLAR_RETURN_IF_ERROR(RewritePieces(
          [](const Piece&, AlignedText* text) {
            if (!text->empty() && text->chars[0] != ' ') text->Prepend(U" ");
            return absl::OkStatus();
          },
          pieces));
    }
    if (use_regex)
      ASHLAR_RETURN_IF_ERROR(
          SplitAtRegex(words, SplitBehavior::kIsolated, /*invert=*/false, pieces));
    return RewritePieces([](const Piece&, AlignedText* text) { return SpellBytes(text); }, pieces);
  });
}

absl::Status SplitAtWordsAndSymbols(Pieces* pieces) {
  auto kind = [](char32_t c) { return IsWordCharacter(c) ? 1 : IsWhitespace(c) ? 0 : 2; };
  auto find = [&](std::u32string_view text, std::vector<Range>* matches) {
    for (size_t begin = 0, i = 0; i < text.size(); ++i) {
      if (i + 1 < text.size() && kind(text[i]) == kind(text[i + 1])) continue;
      if (kind(text[i]) != 0) matches->emplace_back(begin, i + 1);
      begin = i + 1;
    }
    return absl::OkStatus();
  };
  return SplitPieces(find, SplitBehavior::kRemoved, /*invert=*/true, pieces);
}

absl::StatusOr<SplitBehavior> ReadBehavior(const JsonField& field) {
  constexpr std::pair<const char*, SplitBehavior> kBehaviors[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  for (const auto& [name, behavior] : kBehaviors)
    if (field.Is(name)) return behavior;
  return field.Expected("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

Result ReadByteLevel(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(
      field.CheckObject({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  ASHLAR_ASSIGN_OR_RETURN(bool prefix, field["add_prefix_space"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(bool regex, field["use_regex"].BoolOr(true));
  return MakeByteLevel(prefix, regex);
}

Result ReadSplit(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "pattern", "behavior", "invert"}));
  ASHLAR_ASSIGN_OR_RETURN(Regex regex, ReadPattern(field["pattern"]));
  ASHLAR_ASSIGN_OR_RETURN(SplitBehavior behavior, ReadBehavior(field["behavior"]));
  ASHLAR_ASSIGN_OR_RETURN(bool invert, field["invert"].BoolOr(false));
  return MakeSimple([=](Pieces* pieces) { return SplitAtRegex(regex, behavior, invert, pieces); });
}

Result ReadPunctuation(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "behavior"}));
  SplitBehavior behavior = SplitBehavior::kIsolated;
  if (field["behavior"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(behavior, ReadBehavior(field["behavior"]));
  }
  return MakeSimple(
      [=](Pieces* pieces) { return SplitAtCharacters(IsPunctuation, behavior, pieces); });
}

Result ReadDigits(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "individual_digits"}));
  ASHLAR_ASSIGN_OR_RETURN(bool individual, field["individual_digits"].BoolOr(false));
  const SplitBehavior behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous;
  return MakeSimple([=](Pieces* pieces) { return SplitAtCharacters(IsNumeric, behavior, pieces); });
}

Result ReadDelimiter(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "delimiter"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string delimiter, field["delimiter"].String());
  if (DecodeUtf8(delimiter).size() != 1) return field["delimiter"].Expected("one character");
  Regex regex = Regex::Literal(delimiter);
  return MakeSimple([=](Pieces* pieces) {
    return SplitAtRegex(regex, SplitBehavior::kRemoved, /*invert=*/false, pieces);
  });
}

Result ReadFixedLength(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "length"}));
  ASHLAR_ASSIGN_OR_RETURN(int64_t length, field["length"].IndexOr(5));
  if (length == 0) return field["length"].Expected("at least 1");
  return MakeSimple([size = static_cast<size_t>(length)](Pieces* pieces) {
    auto find = [size](std::u32string_view text, std::vector<Range>* matches) {
      for (size_t begin = 0; begin < text.size(); begin += size)
        matches->emplace_back(begin, std::min(begin + size, text.size()));
      return absl::OkStatus();
    };
    return SplitPieces(find, SplitBehavior::kIsolated, /*invert=*/false, pieces);
  });
}

Result ReadMetaspace(const JsonField& field) {
  ASHLAR_ASSIGN_OR_RETURN(Metaspace metaspace, Metaspace::Read(field));
  return MakeSimple([=](Pieces* pieces) { return metaspace.Apply(pieces); });
}

Result ReadSequence(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "pretokenizers"}));
  JsonField list = field["pretokenizers"];
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  auto parts = std::make_shared<std::vector<Pointer>>();
  for (size_t i = 0; i < list.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(Pointer part, ReadPreTokenizer(list.At(i)));
    if (!part) return list.At(i).Expected("a pre-tokenizer");
    parts->push_back(std::move(part));
  }
  return MakeSimple([parts](Pieces* pieces) -> absl::Status {
    for (const Pointer& part : *parts) ASHLAR_RETURN_IF_ERROR(part->Apply(pieces));
    return absl::OkStatus();
  });
}

Result ReadNothingMore(const JsonField& field, absl::Status (*split)(Pieces*)) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type"}));
  return MakeSimple(split);
}

absl::Status SplitAtWhitespace(Pieces* pieces) {
  return SplitAtCharacters(IsWhitespace, SplitBehavior::kRemoved, pieces);
}

absl::Status SplitAsBert(Pieces* pieces) {
  ASHLAR_RETURN_IF_ERROR(SplitAtWhitespace(pieces));
  return SplitAtCharacters(IsPunctuation, SplitBehavior::kIsolated, pieces);
}

}  // namespace

Pointer MakeBertPreTokenizer() { return MakeSimple(SplitAsBert); }

Result MakeByteLevelPreTokenizer(bool add_prefix_space) {
  return MakeByteLevel(add_prefix_space, /*use_regex=*/true);
}

Result ReadPreTokenizer(const JsonField& field) {
  if (!field.present()) return Pointer();
  ASHLAR_ASSIGN_OR_RETURN(std::string type, field["type"].String());
  if (type == "BertPreTokenizer") return ReadNothingMore(field, SplitAsBert);
  if (type == "ByteLevel") return ReadByteLevel(field);
  if (type == "CharDelimiterSplit") return ReadDelimiter(field);
  if (type == "Digits") return ReadDigits(field);
  if (type == "FixedLength") return ReadFixedLength(field);
  if (type == "Metaspace") return ReadMetaspace(field);
  if (type == "Punctuation") return ReadPunctuation(field);
  if (type == "Sequence") return ReadSequence(field);
  if (type == "Split") return ReadSplit(field);
  if (type == "Whitespace") return ReadNothingMore(field, SplitAtWordsAndSymbols);
  if (type == "WhitespaceSplit") return ReadNothingMore(field, SplitAtWhitespace);
  return field["type"].Unsupported(
      StrCat("the pre-tokenizer '", Printable(type),
             "' is not supported; supported are BertPreTokenizer, ByteLevel, CharDelimiterSplit, "
             "Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, Whitespace and "
             "WhitespaceSplit"));
}

}  // namespace ashlar
