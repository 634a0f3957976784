// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/byte_characters.h"

#include <algorithm>
#include <array>

namespace ashlar {
namespace {

struct Tables {
  std::array<char32_t, 256> characters;
  std::array<int, 0x144> bytes;
};

const Tables& GetTables() {
  static const Tables tables = [] {
    Tables made;
    made.bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
      made.characters[byte] = printable ? static_cast<char32_t>(byte) : next++;
      made.bytes[made.characters[byte]] = byte;
    }
    return made;
  }();
  return tables;
}

}  // namespace

char32_t CharacterOfByte(uint8_t byte) { return GetTables().characters[byte]; }

int ByteOfCharacter(char32_t c) {
  const Tables& tables = GetTables();
  return c < tables.bytes.size() ? tables.bytes[c] : -1;
}

}  // namespace ashlar
