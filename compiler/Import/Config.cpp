// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Import/Config.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace mlir;

namespace ashlar {

/// Fields that leave the results of inference alone: bookkeeping, training, tokens, generation's
/// defaults, and how a framework goes about its work.
static constexpr llvm::StringLiteral kHarmless[] = {"_name_or_path",
                                                    "name_or_path",
                                                    "_commit_hash",
                                                    "transformers_version",
                                                    "architectures",
                                                    "auto_map",
                                                    "model_type",
                                                    "torch_dtype",
                                                    "dtype",
                                                    "torchscript",
                                                    "use_cache",
                                                    "use_bfloat16",
                                                    "tf_legacy_loss",
                                                    "return_dict",
                                                    "return_dict_in_generate",
                                                    "output_attentions",
                                                    "output_hidden_states",
                                                    "output_scores",
                                                    "output_past",
                                                    "_attn_implementation",
                                                    "_attn_implementation_autoset",
                                                    "attn_implementation",
                                                    "_flash_attn_2_enabled",
                                                    "use_flash_attn",
                                                    "pretraining_tp",
                                                    "gradient_checkpointing",
                                                    "chunk_size_feed_forward",
                                                    "finetuning_task",
                                                    "problem_type",
                                                    "_num_labels",
                                                    "task_specific_params",
                                                    "tokenizer_class",
                                                    "prefix",
                                                    "id2label",
                                                    "label2id",
                                                    "num_labels",
                                                    "bos_token_id",
                                                    "eos_token_id",
                                                    "pad_token_id",
                                                    "sep_token_id",
                                                    "cls_token_id",
                                                    "mask_token_id",
                                                    "unk_token_id",
                                                    "decoder_start_token_id",
                                                    "forced_bos_token_id",
                                                    "forced_eos_token_id",
                                                    "bad_words_ids",
                                                    "begin_suppress_tokens",
                                                    "suppress_tokens",
                                                    "do_sample",
                                                    "early_stopping",
                                                    "length_penalty",
                                                    "max_length",
                                                    "min_length",
                                                    "no_repeat_ngram_size",
                                                    "encoder_no_repeat_ngram_size",
                                                    "num_beams",
                                                    "num_beam_groups",
                                                    "num_return_sequences",
                                                    "diversity_penalty",
                                                    "repetition_penalty",
                                                    "exponential_decay_length_penalty",
                                                    "remove_invalid_values",
                                                    "temperature",
                                                    "top_k",
                                                    "top_p",
                                                    "typical_p",
                                                    "initializer_range",
                                                    "unsloth_fixed",
                                                    "unsloth_version",
                                                    "model_max_length",
                                                    "max_sequence_length",
                                                    "directionality",
                                                    "language",
                                                    "license",
                                                    "is_llama_config",
                                                    "transformers.js_config"};

/// Dropout and its like act in training only.
static bool isDropout(StringRef field) {
  return field.contains("dropout") || field.ends_with("_pdrop") || field.ends_with("layerdrop");
}

/// llvm::json recurses per bracket, so a file must not nest deeper than its stack.
static bool nestsTooDeep(StringRef text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (inString && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      inString = !inString;
    else if (!inString && (text[i] == '{' || text[i] == '['))
      ++depth;
    else if (!inString && (text[i] == '}' || text[i] == ']'))
      --depth;
    if (depth > 64)
      return true;
  }
  return false;
}

FailureOr<Config> Config::read(MLIRContext &context, StringRef directory) {
  Config config;
  config.context = &context;
  config.path = (directory + "/config.json").str();
  config.bad = std::make_shared<bool>(false);
  Location loc = FileLineColLoc::get(&context, config.path, 0, 0);
  auto buffer = llvm::MemoryBuffer::getFile(config.path);
  if (!buffer)
    return emitError(loc) << "cannot read " << config.path << ": " << buffer.getError().message();
  config.text = std::make_shared<std::string>((*buffer)->getBuffer());
  if (config.text->size() > (4u << 20) || nestsTooDeep(*config.text))
    return emitError(loc) << config.path
                          << " is too large or nested too deeply for a model's config";
  auto parsed = llvm::json::parse(*config.text);
  if (!parsed)
    return emitError(loc) << config.path << " is not JSON: " << llvm::toString(parsed.takeError());
  config.root = std::make_shared<llvm::json::Value>(std::move(*parsed));
  config.object = config.root->getAsObject();
  if (!config.object)
    return emitError(loc) << config.path << " is not a JSON object";
  return config;
}

const llvm::json::Value *Config::find(StringRef field) const {
  const llvm::json::Value *value = object->get(field);
  return value && value->kind() != llvm::json::Value::Null ? value : nullptr;
}

const llvm::json::Value *Config::take(StringRef field) {
  known.insert(field);
  return find(field);
}

bool Config::has(StringRef field) const { return find(field) != nullptr; }
bool Config::mentions(StringRef field) const { return object->get(field) != nullptr; }

Location Config::getLoc(StringRef field) const {
  unsigned line = 0, column = 0;
  size_t at = field.empty() ? StringRef::npos : StringRef(*text).find(("\"" + field + "\"").str());
  if (at != StringRef::npos) {
    StringRef before = StringRef(*text).take_front(at);
    line = static_cast<unsigned>(before.count('\n')) + 1;
    column = static_cast<unsigned>(at - (before.rfind('\n') + 1)) + 1;
  }
  return FileLineColLoc::get(context, path, line, column);
}

InFlightDiagnostic Config::error(StringRef field) {
  *bad = true;
  return emitError(getLoc(field)) << "config field '" << prefix << field << "' ";
}

InFlightDiagnostic Config::unsupported(StringRef field) {
  InFlightDiagnostic diagnostic = error(field);
  setCode(diagnostic, ErrorCode::kUnsupportedModel);
  return diagnostic;
}

int64_t Config::getInt(StringRef field, std::optional<int64_t> otherwise, int64_t minimum,
                       int64_t maximum) {
  const llvm::json::Value *value = take(field);
  if (!value) {
    if (!otherwise)
      error(field) << "is missing";
    return otherwise.value_or(minimum);
  }
  std::optional<int64_t> number = value->getAsInteger();
  if (number && *number >= minimum && *number <= maximum)
    return *number;
  error(field) << "is a whole number from " << minimum << " to " << maximum << ", found "
               << llvm::formatv("{0}", *value).str();
  return otherwise.value_or(minimum);
}

double Config::getNumber(StringRef field, std::optional<double> otherwise) {
  const llvm::json::Value *value = take(field);
  if (!value) {
    if (!otherwise)
      error(field) << "is missing";
    return otherwise.value_or(1.0);
  }
  std::optional<double> number = value->getAsNumber();
  if (number && std::isfinite(*number))
    return *number;
  error(field) << "is a number, found " << llvm::formatv("{0}", *value).str();
  return otherwise.value_or(1.0);
}

double Config::getPositive(StringRef field, std::optional<double> otherwise) {
  double number = getNumber(field, otherwise);
  if (number > 0)
    return number;
  error(field) << "is a number above 0, found " << number;
  return 1.0;
}

bool Config::getBool(StringRef field, bool otherwise) {
  const llvm::json::Value *value = take(field);
  if (!value)
    return otherwise;
  if (std::optional<bool> found = value->getAsBoolean())
    return *found;
  error(field) << "is true or false, found " << llvm::formatv("{0}", *value).str();
  return otherwise;
}

std::string Config::getString(StringRef field, StringRef otherwise) {
  const llvm::json::Value *value = take(field);
  if (!value)
    return otherwise.str();
  if (std::optional<StringRef> found = value->getAsString())
    return found->str();
  error(field) << "is a string, found " << llvm::formatv("{0}", *value).str();
  return otherwise.str();
}

std::vector<std::string> Config::getStrings(StringRef field) {
  const llvm::json::Value *value = take(field);
  std::vector<std::string> strings;
  if (!value)
    return strings;
  const llvm::json::Array *array = value->getAsArray();
  bool good = array != nullptr;
  for (size_t i = 0; good && i < array->size(); ++i) {
    std::optional<StringRef> string = (*array)[i].getAsString();
    good = string.has_value();
    strings.push_back(string.value_or("").str());
  }
  if (!good)
    error(field) << "is a list of strings, found " << llvm::formatv("{0}", *value).str();
  return strings;
}

std::optional<int64_t> Config::getCount(StringRef field) {
  const llvm::json::Value *value = take(field);
  if (!value)
    return std::nullopt;
  if (const llvm::json::Object *found = value->getAsObject())
    return static_cast<int64_t>(found->size());
  if (const llvm::json::Array *found = value->getAsArray())
    return static_cast<int64_t>(found->size());
  error(field) << "is an object or a list, found " << llvm::formatv("{0}", *value).str();
  return std::nullopt;
}

std::optional<Config> Config::getObject(StringRef field) {
  const llvm::json::Value *value = take(field);
  if (!value)
    return std::nullopt;
  Config nested = *this;
  nested.prefix = prefix + field.str() + ".";
  nested.object = value->getAsObject();
  nested.known.clear();
  if (nested.object)
    return nested;
  error(field) << "is an object, found " << llvm::formatv("{0}", *value).str();
  return std::nullopt;
}

void Config::requireBool(StringRef field, bool value) {
  if (getBool(field, value) != value)
    unsupported(field) << "is " << (value ? "false" : "true")
                       << ", which changes the result and is not supported";
}

void Config::ignore(ArrayRef<StringRef> fields) {
  for (StringRef field : fields)
    known.insert(field);
}

LogicalResult Config::finish() {
  bool isTop = prefix.empty();
  for (const auto &[key, value] : *object) {
    StringRef field = key;
    bool harmless = isTop && (llvm::is_contained(kHarmless, field) || isDropout(field));
    if (known.contains(field) || harmless || value.kind() == llvm::json::Value::Null)
      continue;
    unsupported(field)
        << "= " << llvm::formatv("{0}", value).str()
        << " is not known for this model type and may change the result; if it does not, "
           "ignore it by name";
  }
  return success(isGood());
}

} // namespace ashlar
