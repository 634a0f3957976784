// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer asks about characters, answered from ICU as Unicode 8.0 would have answered.
//
// A tokenizer is frozen with its model. The library that made most vocabularies asks tables of
// Unicode 8.0 for categories and of 11.0 for decompositions, whatever has been assigned since; ICU
// knows the age of each character, so later ones are taken as having no category here, and the few
// whose category changed are listed. Upper and lower case follow ICU.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

// Decodes; each maximal part that is not UTF-8 becomes one U+FFFD.
std::u32string DecodeUtf8(std::string_view bytes);
// Also gives where each character begins, in bytes, and last the size.
std::u32string DecodeUtf8(std::string_view bytes, std::vector<int64_t>* places);
bool IsUtf8(std::string_view bytes);
// Surrogates and values beyond U+10FFFF, which DecodeUtf8 never gives, append nothing.
void AppendUtf8(char32_t c, std::string* bytes);
std::string EncodeUtf8(std::u32string_view text);

// The property White_Space.
bool IsWhitespace(char32_t c);
// Categories Cc, Cf and Co, but for tab, line feed and carriage return.
bool IsControl(char32_t c);
// Categories P*, and all ASCII symbols.
bool IsPunctuation(char32_t c);
// Category Mn: accents, once they are characters of their own.
bool IsNonspacingMark(char32_t c);
// Categories M*, as of Unicode 9.0.
bool IsCombiningMark(char32_t c);
// Categories N*, of ICU's Unicode.
bool IsNumeric(char32_t c);
// Letters, marks, decimal digits, connecting punctuation, joiners: what \w is in most regular
// expressions, of ICU's Unicode.
bool IsWordCharacter(char32_t c);
// The blocks of Chinese characters that BERT puts spaces around; kana and hangul are not among
// them.
bool IsCjk(char32_t c);

// Appends the character's lower case, which is two characters for U+0130, whatever stands beside
// it.
void AppendLowercase(char32_t c, std::u32string* text);

}  // namespace ashlar
