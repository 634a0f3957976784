// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frequencies are computed in f32 with the operations of the common frameworks, in their order: a
// position of a hundred thousand turns the last bit of a frequency into a visible angle.

#include "compiler/Import/Rope.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {
namespace {

/// The parameters of one model, from wherever its config keeps them.
struct Reader {
  Config &config;
  std::optional<Config> nested; // rope_parameters or rope_scaling
  StringRef field;
  int64_t width, maxPositions;
  double theta = 10000.0;

  double number(StringRef name, std::optional<double> otherwise) {
    return nested ? nested->getNumber(name, otherwise) : otherwise.value_or(1.0);
  }
  double positive(StringRef name, std::optional<double> otherwise) {
    return nested ? nested->getPositive(name, otherwise) : otherwise.value_or(1.0);
  }

  std::vector<float> plainFrequencies() const;
  void scaleLlama3(std::vector<float> &frequencies);
  double scaleYarn(std::vector<float> &frequencies);
  double originalPositions();
};

/// theta^(-2i / width)
std::vector<float> Reader::plainFrequencies() const {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < width; i += 2) {
    float exponent = static_cast<float>(i) / static_cast<float>(width);
    frequencies.push_back(1.0f /
                          static_cast<float>(std::pow(theta, static_cast<double>(exponent))));
  }
  return frequencies;
}

double Reader::originalPositions() {
  double inner = positive("original_max_position_embeddings", static_cast<double>(maxPositions));
  return config.getPositive("original_max_position_embeddings", inner);
}

/// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between
/// interpolated.
void Reader::scaleLlama3(std::vector<float> &frequencies) {
  double factor = positive("factor", std::nullopt), low = positive("low_freq_factor", std::nullopt),
         high = positive("high_freq_factor", std::nullopt), original = originalPositions();
  if (high == low) {
    nested->error("high_freq_factor") << "= low_freq_factor, which leaves nothing between them";
    return;
  }
  for (float &frequency : frequencies) {
    float wavelength = static_cast<float>(2 * M_PI) / frequency;
    if (wavelength < static_cast<float>(original / high))
      continue;
    float stretched = frequency / static_cast<float>(factor);
    if (wavelength > static_cast<float>(original / low)) {
      frequency = stretched;
      continue;
    }
    float smooth = (static_cast<float>(original) / wavelength - static_cast<float>(low)) /
                   static_cast<float>(high - low);
    frequency = (1 - smooth) * frequency / static_cast<float>(factor) + smooth * frequency;
  }
}

/// YaRN (Peng et al., 2023): frequencies between a fast and a slow number of rotations blend from
/// kept to stretched. Returns the scale of cosines and sines.
double Reader::scaleYarn(std::vector<float> &frequencies) {
  double original = originalPositions();
  double factor = nested->has("factor") ? positive("factor", 1.0)
                                        : static_cast<double>(maxPositions) / original;
  double fast = positive("beta_fast", 32), slow = positive("beta_slow", 1);
  bool truncate = nested->getBool("truncate", true);
  auto dimensionOf = [&](double rotations) {
    return static_cast<double>(width) * std::log(original / (rotations * 2 * M_PI)) /
           (2 * std::log(theta));
  };
  double low = dimensionOf(fast), high = dimensionOf(slow);
  if (truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(width - 1));
  if (low == high)
    high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    float keep = 1 - std::clamp(ramp, 0.0f, 1.0f);
    float stretched = 1.0f / (static_cast<float>(factor) * (1.0f / frequencies[i]));
    frequencies[i] = stretched * (1 - keep) + frequencies[i] * keep;
  }
  auto magnitude = [](double scale, double mscale) {
    return scale <= 1 ? 1.0 : 0.1 * mscale * std::log(scale) + 1.0;
  };
  double mscale = number("mscale", 0), mscaleAll = number("mscale_all_dim", 0);
  double attention = mscale != 0 && mscaleAll != 0
                         ? magnitude(factor, mscale) / magnitude(factor, mscaleAll)
                         : magnitude(factor, 1.0);
  return number("attention_factor", attention);
}

} // namespace

Rope Rope::read(Config &config, int64_t width, int64_t maxPositions) {
  Reader reader{config, std::nullopt,
                config.has("rope_parameters") ? "rope_parameters" : "rope_scaling", width,
                maxPositions};
  reader.nested = config.getObject(reader.field);
  reader.theta = config.getNumber("rope_theta", 10000.0);
  std::string type = "default";
  double partial = config.getNumber("partial_rotary_factor", 1.0);
  if (reader.nested) {
    reader.theta = reader.number("rope_theta", reader.theta);
    partial = reader.number("partial_rotary_factor", partial);
    type = reader.nested->getString("rope_type", reader.nested->getString("type", "default"));
    // A scaling reads what it needs; transformers leaves the rest of these unread too.
    reader.nested->ignore({"factor", "original_max_position_embeddings", "attention_factor",
                           "beta_fast", "beta_slow", "low_freq_factor", "high_freq_factor",
                           "mscale", "mscale_all_dim", "truncate", "short_factor", "long_factor",
                           "finetuned"});
  }
  config.ignore({"original_max_position_embeddings"});
  config.requireBool("rope_interleaved", false);
  Rope rope;
  if (width % 2 != 0)
    config.unsupported("head_dim")
        << "= " << width << " is odd: rotary embeddings pair a head's elements";
  if (partial != 1.0)
    config.unsupported("partial_rotary_factor")
        << "= " << partial << " is not supported for this model type; only 1 is";
  if (reader.theta <= 1.0)
    config.error("rope_theta") << "= " << reader.theta << " is not above 1";
  if (!config.isGood())
    return rope;
  rope.frequencies = reader.plainFrequencies();
  rope.positions = maxPositions;
  double factor =
      type == "linear" || type == "dynamic" ? reader.positive("factor", std::nullopt) : 1.0;
  if (type == "linear") {
    for (float &frequency : rope.frequencies)
      frequency /= static_cast<float>(factor);
  } else if (type == "dynamic") {
    rope.isDynamic = true;
    rope.factor = factor;
    if (width <= 2)
      config.error("head_dim") << "= " << width << " is too small for dynamic scaling";
  } else if (type == "llama3") {
    reader.scaleLlama3(rope.frequencies);
  } else if (type == "yarn") {
    rope.scale = reader.scaleYarn(rope.frequencies);
  } else if (type != "default") {
    config.unsupported(reader.field)
        << "asks for '" << type
        << "', which is not supported; supported are default, linear, dynamic, llama3, yarn";
  }
  if (reader.nested)
    (void)reader.nested->finish();
  return rope;
}

/// Dynamic scaling replaces theta by theta g^(width / (width - 2)), g = factor s / positions -
/// (factor - 1), where s is the longest sequence but at least `positions`; so frequency i is
/// multiplied by g^(-2i / (width - 2)).
Value Rope::buildFrequencies(ModelBuilder &b, const Path &path, Value positions) const {
  Value plain = b.constantVector(path, frequencies);
  if (!isDynamic)
    return plain;
  Value last =
      b.reduce(path, ReduceKind::Max, b.reduce(path, ReduceKind::Max, positions, 1, true), 0, true);
  last = b.reshape(path, last, {b.number(1)});
  Value length = b.make<AddOp>(path, last, b.constantInt(path, 1));
  length = b.cast(path, b.make<MaxOp>(path, length, b.constantInt(path, this->positions)), b.f32());
  Value growth =
      b.make<MulOp>(path, length, b.constant(path, factor / static_cast<double>(this->positions)));
  growth = b.make<SubOp>(path, growth, b.constant(path, factor - 1));
  int64_t pairs = static_cast<int64_t>(frequencies.size());
  std::vector<float> exponents;
  for (int64_t i = 0; i < pairs; ++i)
    exponents.push_back(
        static_cast<float>(-2.0 * static_cast<double>(i) / static_cast<double>(2 * pairs - 2)));
  Value exponent =
      b.make<MulOp>(path, b.constantVector(path, exponents), b.make<LogOp>(path, growth));
  return b.make<MulOp>(path, plain, b.make<ExpOp>(path, exponent));
}

std::pair<Value, Value> Rope::build(ModelBuilder &b, const Path &path, Value positions) const {
  Value cosines =
      b.make<RopeTableOp>(path, positions, buildFrequencies(b, path, positions), APFloat(scale));
  return {cosines, cosines.getDefiningOp()->getResult(1)};
}

} // namespace ashlar
