// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/KernelCompiler.h"

#include "codegen/CPU/FlatLinker.h"
#include "codegen/CUDA/EmulatorCompiler.h"
#include "codegen/CUDA/KernelSources.h"
#include "runtime/base/status.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Regex.h"

using namespace llvm;

namespace ashlar::cuda {

bool isEmulator(std::string_view arch) { return arch == "emulator" || arch == "emulator_90a"; }

Generation getGeneration(std::string_view arch) {
  bool isHopper = arch == "sm_90a" || arch == "emulator_90a";
  return isHopper ? Generation::Hopper : Generation::Ampere;
}

bool isArch(std::string_view arch) {
  return isEmulator(arch) || Regex("^sm_[0-9]+a?$").match(arch);
}

absl::StatusOr<std::unique_ptr<KernelCompiler>> KernelCompiler::create(std::string arch,
                                                                       KernelCache cache) {
  std::unique_ptr<KernelCompiler> compiler(new KernelCompiler(std::move(arch), std::move(cache)));
  if (isEmulator(compiler->arch)) {
    ASHLAR_ASSIGN_OR_RETURN(compiler->identity, identifyEmulatorCompiler());
  } else {
    ASHLAR_ASSIGN_OR_RETURN(compiler->nvrtc, Nvrtc::open());
    compiler->identity = "NVRTC " + compiler->nvrtc->version();
  }
  compiler->identity += "\n" + compiler->arch + "\n";
  for (const KernelSource &source : getKernelSources())
    compiler->identity += source.name + "\n" + source.text;
  return compiler;
}

absl::StatusOr<CompiledKernel> KernelCompiler::compile(const std::string &text,
                                                       const std::string &symbol) const {
  std::string key = identity + symbol + "\n" + text;
  if (std::optional<CompiledKernel> known = cache.find(key))
    return *std::move(known);
  auto compiled = isEmulator(arch) ? compileHost(text, symbol) : compileDevice(text, symbol);
  if (compiled.ok())
    cache.keep(key, *compiled);
  return compiled;
}

/// The value of a 32-bit constant `name` in an ELF file; 0 where there is none.
static Expected<uint32_t> readConstant(StringRef file, StringRef name) {
  auto object = object::ELF64LEObjectFile::create(MemoryBufferRef(file, "kernel"));
  if (!object)
    return object.takeError();
  for (const object::ELFSymbolRef symbol : object->symbols()) {
    auto symbolName = symbol.getName();
    if (!symbolName)
      return symbolName.takeError();
    if (*symbolName != name)
      continue;
    auto section = symbol.getSection();
    if (!section)
      return section.takeError();
    auto contents = (*section)->getContents();
    if (!contents)
      return contents.takeError();
    uint64_t at = cantFail(symbol.getAddress()) - (*section)->getAddress();
    if (at + 4 <= contents->size())
      return support::endian::read32le(contents->data() + at);
  }
  return 0;
}

static absl::Status readShared(const std::string &symbol, StringRef file, CompiledKernel &kernel) {
  auto bytes = readConstant(file, symbol + "_shared");
  if (!bytes)
    return absl::InternalError("kernel " + symbol + ": " + toString(bytes.takeError()));
  kernel.sharedBytes = *bytes;
  return absl::OkStatus();
}

/// Takes the constructors out of an object: clang calls __tsan_init in one, which does nothing
/// here.
static Error dropConstructors(std::string &file) {
  auto object = object::ELFFile<object::ELF64LE>::create(file);
  if (!object)
    return object.takeError();
  auto sections = object->sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections)
    if (section.sh_type == ELF::SHT_INIT_ARRAY) {
      // A section that is not allocated is no part of the image.
      auto header = reinterpret_cast<const char *>(&section) - file.data();
      auto *flags = reinterpret_cast<object::ELF64LE::Shdr *>(file.data() + header);
      flags->sh_flags = 0;
    }
  return Error::success();
}

absl::StatusOr<CompiledKernel> KernelCompiler::compileHost(const std::string &text,
                                                           const std::string &symbol) const {
  ASHLAR_ASSIGN_OR_RETURN(std::string object, compileForEmulator(text, EmulatorOutput::kObject));
  if (Error error = dropConstructors(object))
    return absl::InternalError("kernel " + symbol + ": " + toString(std::move(error)));
  CompiledKernel kernel;
  ASHLAR_RETURN_IF_ERROR(readShared(symbol, object, kernel));
  std::vector<char> image;
  std::vector<uint64_t> entries;
  std::string error = cpu::linkFlat(object, {symbol}, image, entries);
  if (!error.empty())
    return absl::InternalError("kernel " + symbol + " for the emulator: " + error);
  kernel.code.assign(image.begin(), image.end());
  kernel.entry = entries.front();
  return kernel;
}

absl::StatusOr<CompiledKernel> KernelCompiler::compileDevice(const std::string &text,
                                                             const std::string &symbol) const {
  ASHLAR_ASSIGN_OR_RETURN(Nvrtc::Result result, nvrtc->compile(text, arch));
  CompiledKernel kernel;
  kernel.code = std::move(result.cubin);
  ASHLAR_RETURN_IF_ERROR(readShared(symbol, kernel.code, kernel));
  // "... 8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads", "Used 40 registers, ..."
  auto number = [&](StringRef pattern) -> uint32_t {
    SmallVector<StringRef> match;
    uint32_t value = 0;
    if (Regex(pattern).match(result.log, &match))
      match[1].getAsInteger(10, value);
    return value;
  };
  kernel.registers = number("Used ([0-9]+) registers");
  kernel.spillBytes = number("([0-9]+) bytes spill stores") + number("([0-9]+) bytes spill loads");
  return kernel;
}

} // namespace ashlar::cuda
