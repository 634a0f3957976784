// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/ashlar/compile/import_properties.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "tools/ashlar/compile/parse.h"

namespace ashlar {

static constexpr const char* kWeightTypes[] = {"auto", "f32", "bf16"};
static constexpr const char* kCacheElements[] = {"auto", "f32", "bf16", "f16"};

static void addProperty(fb::ProgramT& program, const char* key, std::string value) {
  if (value.empty()) return;
  auto property = std::make_unique<fb::PropertyT>();
  property->key = key;
  property->value = std::move(value);
  program.properties.push_back(std::move(property));
}

static std::string toText(const DimBounds& bounds) {
  return std::to_string(bounds.minimum) + ".." + std::to_string(bounds.maximum);
}

void addImportProperties(const ImportOptions& options, fb::ProgramT& program) {
  auto add = [&](const char* key, std::string value) {
    addProperty(program, key, std::move(value));
  };
  add("import.head", options.head);
  add("import.model_type", options.modelType);
  add("import.batch", toText(options.batch));
  add("import.seq", options.seq ? toText(*options.seq) : "");
  add("import.context", options.context ? std::to_string(*options.context) : "");
  add("import.ignored_fields", llvm::join(options.ignoredFields, ","));
  add("import.dtype", kWeightTypes[static_cast<int>(options.weights)]);
  add("import.cache_type", kCacheElements[static_cast<int>(options.cache)]);
}

void addModelProperties(const std::string& directory, fb::ProgramT& program) {
  auto text = llvm::MemoryBuffer::getFile(directory + "/config.json");
  if (!text) return;
  llvm::Expected<llvm::json::Value> config = llvm::json::parse((*text)->getBuffer());
  if (!config) {
    llvm::consumeError(config.takeError());  // the importer has read the same file and said so
    return;
  }
  const llvm::json::Object* fields = config->getAsObject();
  for (const char* key : {"model_type", "eos_token_id", "bos_token_id"}) {
    const llvm::json::Value* value = fields ? fields->get(key) : nullptr;
    if (!value || value->getAsNull()) continue;
    std::string written;
    if (auto name = value->getAsString())
      written = name->str();
    else
      llvm::raw_string_ostream(written) << *value;
    addProperty(program, key, std::move(written));
  }
}

ImportOptions getImportOptions(const fb::ProgramT& program) {
  ImportOptions options;
  options.directory = program.weight_directory;
  options.randomWeights = program.weight_source == fb::WeightSource::Random;
  auto find = [&](const std::string& key) -> std::string {
    for (const auto& property : program.properties)
      if (property->key == key) return property->value;
    return "";
  };
  std::string ignored;
  options.head = find("import.head");
  options.modelType = find("import.model_type");
  llvm::SmallVector<llvm::StringRef> fields;
  std::string ignoredFields = find("import.ignored_fields");
  llvm::StringRef(ignoredFields).split(fields, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef field : fields) options.ignoredFields.push_back(field.str());
  if (auto batch = parseBounds("batch", find("import.batch"), ignored)) options.batch = *batch;
  options.seq = parseBounds("seq", find("import.seq"), ignored);
  if (std::string context = find("import.context"); !context.empty())
    options.context = std::strtoll(context.c_str(), nullptr, 10);
  options.weights = parseWeightType(find("import.dtype"), ignored).value_or(WeightType::Auto);
  // Artifacts that say nothing of it were made when all caches were f32.
  options.cache = parseCacheElement(find("import.cache_type"), ignored).value_or(CacheElement::F32);
  return options;
}

}  // namespace ashlar
