// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/FlatLinker.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBufferRef.h"

using namespace llvm;
using namespace llvm::object;

namespace ashlar::cpu {

namespace {

class FlatLinker {
public:
  FlatLinker(const ELF64LEObjectFile &object, std::vector<char> &image)
      : object(object), image(image) {}

  std::string place();
  std::string relocate();
  std::string findEntries(ArrayRef<std::string> names, std::vector<uint64_t> &entries);

private:
  std::string relocate(const RelocationRef &relocation, uint64_t sectionOffset);

  const ELF64LEObjectFile &object;
  std::vector<char> &image;
  DenseMap<uint64_t, uint64_t> offsets; // section index -> offset in the image
};

std::string FlatLinker::place() {
  for (const ELFSectionRef section : object.sections()) {
    uint64_t flags = section.getFlags();
    if (!(flags & ELF::SHF_ALLOC) || section.getSize() == 0 ||
        section.getType() == ELF::SHT_X86_64_UNWIND)
      continue;
    StringRef name = cantFail(section.getName());
    if (name == ".eh_frame")
      continue;
    if (flags & (ELF::SHF_WRITE | ELF::SHF_TLS))
      return "section " + name.str() + " is writable";
    if (section.getType() != ELF::SHT_PROGBITS)
      return "section " + name.str() + " is neither code nor constants";
    image.resize(alignTo(image.size(), std::max<uint64_t>(section.getAlignment().value(), 64)));
    offsets[section.getIndex()] = image.size();
    StringRef contents = cantFail(section.getContents());
    image.insert(image.end(), contents.begin(), contents.end());
  }
  return "";
}

std::string FlatLinker::relocate(const RelocationRef &relocation, uint64_t sectionOffset) {
  ELFRelocationRef reference(relocation);
  SymbolRef symbol = *relocation.getSymbol();
  StringRef name = cantFail(symbol.getName());
  if (relocation.getType() != ELF::R_X86_64_PC32 && relocation.getType() != ELF::R_X86_64_PLT32) {
    SmallString<32> type;
    relocation.getTypeName(type);
    return ("relocation " + type + " against '" + name + "'").str();
  }
  auto section = cantFail(symbol.getSection());
  if (section == object.section_end())
    return "undefined symbol '" + name.str() + "'";
  auto target = offsets.find(section->getIndex());
  if (target == offsets.end())
    return "symbol '" + name.str() + "' lies in a section that is not part of the image";
  // S + A - P.
  uint64_t place = sectionOffset + relocation.getOffset();
  int64_t value = static_cast<int64_t>(target->second + cantFail(symbol.getAddress())) +
                  cantFail(reference.getAddend()) - static_cast<int64_t>(place);
  if (!isInt<32>(value))
    return "symbol '" + name.str() + "' is out of reach";
  support::endian::write32le(image.data() + place, static_cast<uint32_t>(value));
  return "";
}

std::string FlatLinker::relocate() {
  for (const SectionRef section : object.sections()) {
    auto relocated = cantFail(section.getRelocatedSection());
    if (relocated == object.section_end())
      continue;
    auto offset = offsets.find(relocated->getIndex());
    if (offset == offsets.end())
      continue;
    for (const RelocationRef &relocation : section.relocations()) {
      std::string error = relocate(relocation, offset->second);
      if (!error.empty())
        return error;
    }
  }
  return "";
}

std::string FlatLinker::findEntries(ArrayRef<std::string> names, std::vector<uint64_t> &entries) {
  StringMap<uint64_t> symbols;
  for (const ELFSymbolRef symbol : object.symbols()) {
    auto section = cantFail(symbol.getSection());
    if (section == object.section_end() || !offsets.count(section->getIndex()))
      continue;
    symbols[cantFail(symbol.getName())] =
        offsets[section->getIndex()] + cantFail(symbol.getAddress());
  }
  for (const std::string &name : names) {
    auto symbol = symbols.find(name);
    if (symbol == symbols.end())
      return "no function '" + name + "'";
    entries.push_back(symbol->second);
  }
  return "";
}

} // namespace

std::string linkFlat(StringRef object, ArrayRef<std::string> names, std::vector<char> &image,
                     std::vector<uint64_t> &entries) {
  auto file = ELF64LEObjectFile::create(MemoryBufferRef(object, "kernels.o"));
  if (!file)
    return toString(file.takeError());
  FlatLinker linker(*file, image);
  std::string error = linker.place();
  if (error.empty())
    error = linker.relocate();
  if (error.empty())
    error = linker.findEntries(names, entries);
  return error;
}

} // namespace ashlar::cpu
