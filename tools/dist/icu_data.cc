// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes those of ICU's tables that the runtime reads, as C++ text with the symbol that libicuuc
// looks for: icu_data OUTPUT NAME... All of them together have 31 MB, which a program that travels
// has no use for. The format is ICU's own (udata.h, "common data": a header, a table of contents of
// name and data offsets, sorted by name, and the items, each at a multiple of 16 bytes).
#include <unicode/utypes.h>
#include <unicode/uvernum.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#define ASHLAR_STRING(x) #x
#define ASHLAR_NAME(x) ASHLAR_STRING(x)

extern "C" const unsigned char U_ICUDATA_ENTRY_POINT[];

namespace {

using Item = std::pair<std::string, std::string>; // name, bytes

uint32_t Word(const unsigned char *at) {
  uint32_t word;
  std::memcpy(&word, at, 4);
  return word;
}

// The bytes of the header, which is kept as it is.
std::string Header() {
  uint16_t size;
  std::memcpy(&size, U_ICUDATA_ENTRY_POINT, 2);
  return std::string(reinterpret_cast<const char *>(U_ICUDATA_ENTRY_POINT), size);
}

// The item called `name`, or one without bytes.
Item Find(const unsigned char *contents, const std::string &name) {
  const uint32_t count = Word(contents);
  for (uint32_t i = 0; i + 1 < count; ++i) { // the last one's end is not written down
    const unsigned char *entry = contents + 4 + 8 * i;
    const char *found = reinterpret_cast<const char *>(contents + Word(entry));
    if (const char *slash = std::strchr(found, '/'); !slash || name != slash + 1)
      continue;
    const uint32_t begin = Word(entry + 4), end = Word(entry + 12);
    return {found, std::string(reinterpret_cast<const char *>(contents + begin), end - begin)};
  }
  return {name, ""};
}

void Append(std::string &to, uint32_t word) { to.append(reinterpret_cast<const char *>(&word), 4); }

std::string Package(std::vector<Item> items) {
  std::sort(items.begin(), items.end());
  size_t names = 4 + 8 * items.size(), data = names;
  for (const Item &item : items)
    data += item.first.size() + 1;
  auto align = [](size_t at) { return (at + 15) / 16 * 16; };
  std::string table, text, bytes;
  Append(table, static_cast<uint32_t>(items.size()));
  data = align(data);
  for (const Item &item : items) {
    Append(table, static_cast<uint32_t>(names + text.size()));
    Append(table, static_cast<uint32_t>(data + bytes.size()));
    text += item.first + '\0';
    bytes += item.second;
    bytes.resize(align(bytes.size()));
  }
  std::string all = table + text;
  all.resize(data);
  return Header() + all + bytes;
}

} // namespace

int main(int argc, char **argv) {
  const unsigned char *contents = U_ICUDATA_ENTRY_POINT + Header().size();
  std::vector<Item> items;
  for (int i = 2; i < argc; ++i) {
    items.push_back(Find(contents, argv[i]));
    if (!items.back().second.empty())
      continue;
    std::fprintf(stderr, "icu_data: ICU %s has no table %s\n", U_ICU_VERSION, argv[i]);
    return 1;
  }
  std::FILE *out = argc > 2 ? std::fopen(argv[1], "w") : nullptr;
  if (!out)
    return std::perror(argc > 1 ? argv[1] : "usage: icu_data OUTPUT NAME..."), 1;
  std::fprintf(out, "extern \"C\" {\nextern const unsigned char %s[];\n",
               ASHLAR_NAME(U_ICUDATA_ENTRY_POINT));
  std::fprintf(out, "alignas(16) const unsigned char %s[] = {", ASHLAR_NAME(U_ICUDATA_ENTRY_POINT));
  const std::string package = Package(std::move(items));
  for (size_t i = 0; i < package.size(); ++i)
    std::fprintf(out, "%s%u,", i % 32 ? "" : "\n", static_cast<unsigned char>(package[i]));
  std::fprintf(out, "\n};\n}\n");
  return std::fclose(out) != 0;
}
