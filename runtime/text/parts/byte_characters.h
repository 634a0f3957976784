// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The 256 characters that stand for bytes in byte-level vocabularies: printable Latin-1 bytes stand
// for themselves, the others follow from U+0100 on in order (a blank is U+0120). (Radford et al.,
// "Language Models are Unsupervised Multitask Learners", 2019, as released with GPT-2.)
#pragma once

#include <cstdint>

namespace ashlar {

char32_t CharacterOfByte(uint8_t byte);
// -1 for any other character.
int ByteOfCharacter(char32_t c);

}  // namespace ashlar
