// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Import/Family.h"

#include "compiler/Diagnostics/ErrorCodes.h"
using namespace mlir;

namespace ashlar {

namespace {
struct HeadName {
  Head head;
  StringRef name;                     // as options give it
  SmallVector<StringRef, 2> suffixes; // of the classes in `architectures`
};
} // namespace

static ArrayRef<HeadName> getHeads() {
  static const std::vector<HeadName> heads = {
      {Head::Base, "base", {"Model"}},
      {Head::MaskedLM, "masked-lm", {"ForMaskedLM"}},
      {Head::CausalLM, "causal-lm", {"ForCausalLM", "LMHeadModel"}},
      {Head::SequenceClassification, "sequence-classification", {"ForSequenceClassification"}},
      {Head::TokenClassification, "token-classification", {"ForTokenClassification"}},
      {Head::QuestionAnswering, "question-answering", {"ForQuestionAnswering"}},
      {Head::SentenceEmbedding, "sentence-embedding", {}},
  };
  return heads;
}

ArrayRef<StringRef> getHeadNames() {
  static const std::vector<StringRef> names = [] {
    std::vector<StringRef> made;
    for (const HeadName &head : getHeads())
      made.push_back(head.name);
    return made;
  }();
  return names;
}

/// The head of a class name such as BertForMaskedLM. The longest suffix wins: GPT2LMHeadModel is no
/// plain Model.
static const HeadName *findHead(StringRef architecture) {
  const HeadName *best = nullptr;
  size_t length = 0;
  for (const HeadName &head : getHeads())
    for (StringRef suffix : head.suffixes)
      if (architecture.ends_with(suffix) && suffix.size() > length) {
        best = &head;
        length = suffix.size();
      }
  return best;
}

FailureOr<Head> ImportContext::readHead(ArrayRef<Head> supported, Head otherwise) {
  std::vector<std::string> architectures = config.getStrings("architectures");
  std::string names;
  for (const HeadName &head : getHeads())
    if (llvm::is_contained(supported, head.head))
      names += (names.empty() ? "" : ", ") + head.name.str();
  const HeadName *found = nullptr;
  if (!options.head.empty()) {
    found =
        llvm::find_if(getHeads(), [&](const HeadName &head) { return head.name == options.head; });
    if (found == getHeads().end() || !llvm::is_contained(supported, found->head))
      return emitError(config.getLoc(), ErrorCode::kUnsupportedModel)
             << "head '" << options.head << "' is not one of this model type's: " << names;
    return found->head;
  }
  if (architectures.empty())
    return otherwise;
  found = findHead(architectures.front());
  if (!found || !llvm::is_contained(supported, found->head)) {
    config.unsupported("architectures")
        << "= '" << architectures.front() << "' is not supported for this model type; choose "
        << "a head among " << names;
    return failure();
  }
  return found->head;
}

int64_t ImportContext::readNumLabels() {
  std::optional<int64_t> labels = config.getCount("id2label");
  return labels && *labels > 0 ? *labels : config.getInt("num_labels", 2);
}

ImportedWeights ImportContext::makeWeights(StringRef basePrefix, double stddev) {
  StringRef field = config.has("dtype") ? "dtype" : "torch_dtype";
  std::string dtype = config.getString(field, "float32");
  bool isBF16 = dtype == "bfloat16" || dtype == "torch.bfloat16";
  Builder b(config.getContext());
  return ImportedWeights(module, checkpoint, options.weights,
                         isBF16 ? Type(b.getBF16Type()) : Type(b.getF32Type()), basePrefix.str(),
                         stddev);
}

FailureOr<DimBounds> ImportContext::readSeqBounds(std::optional<int64_t> positions, int64_t usual) {
  DimBounds bounds = options.seq.value_or(DimBounds{1, std::min(usual, positions.value_or(usual))});
  for (const DimBounds &each : {bounds, options.batch})
    if (each.minimum < 1 || each.maximum < each.minimum)
      return emitError(config.getLoc(), ErrorCode::kBadBounds)
             << "bounds are 1 <= MIN <= MAX, found " << each.minimum << ".." << each.maximum;
  if (positions && bounds.maximum > *positions)
    return emitError(config.getLoc(), ErrorCode::kBadBounds)
           << "seq goes up to " << bounds.maximum << ", but the model has a table of " << *positions
           << " positions";
  return bounds;
}

FailureOr<int64_t> ImportContext::readContext(const DimBounds &seq,
                                              std::optional<int64_t> positions) {
  int64_t context = options.context.value_or(seq.maximum);
  if (context < seq.maximum)
    return emitError(config.getLoc(), ErrorCode::kBadBounds)
           << "a context of " << context << " has no room for a prompt of " << seq.maximum;
  if (positions && context > *positions)
    return emitError(config.getLoc(), ErrorCode::kBadBounds)
           << "a context of " << context << " is beyond the model's table of " << *positions
           << " positions";
  return context;
}

void ImportContext::requireMultiple(StringRef whole, int64_t wholeValue, StringRef parts,
                                    int64_t partsValue) {
  if (wholeValue % partsValue != 0)
    config.error(whole) << "= " << wholeValue << " is not a multiple of " << parts << " = "
                        << partsValue;
}

} // namespace ashlar
