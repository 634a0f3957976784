// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading config.json so that nothing in it is ignored by accident: every getter marks its field as
// read, and finish() rejects a field that was neither read nor is known to leave inference's
// results alone. Getters report a field of the wrong kind or out of range once and go on with a
// harmless value; finish() then fails.

#ifndef ASHLAR_COMPILER_IMPORT_CONFIG_H
#define ASHLAR_COMPILER_IMPORT_CONFIG_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

#include <memory>
#include <optional>
#include <string>

namespace ashlar {

class Config {
public:
  /// Reads DIRECTORY/config.json; an error is a diagnostic.
  static mlir::FailureOr<Config> read(mlir::MLIRContext &context, llvm::StringRef directory);

  /// Whether the field is there and not null. Does not mark it as read.
  bool has(llvm::StringRef field) const;
  /// Whether the field is there, be it as null.
  bool mentions(llvm::StringRef field) const;

  /// A whole number in [minimum, maximum]. Without a default the field must be there.
  int64_t getInt(llvm::StringRef field, std::optional<int64_t> otherwise, int64_t minimum = 1,
                 int64_t maximum = int64_t(1) << 24);
  double getNumber(llvm::StringRef field, std::optional<double> otherwise);
  /// A number above zero.
  double getPositive(llvm::StringRef field, std::optional<double> otherwise);
  bool getBool(llvm::StringRef field, bool otherwise);
  std::string getString(llvm::StringRef field, llvm::StringRef otherwise);
  /// A list of strings; empty when the field is missing or null.
  std::vector<std::string> getStrings(llvm::StringRef field);
  /// The number of entries of an object or list; nothing when the field is missing or null.
  std::optional<int64_t> getCount(llvm::StringRef field);
  /// A nested object as a config of its own (its fields are then checked by its finish()).
  std::optional<Config> getObject(llvm::StringRef field);

  /// Reports an error unless the field, if it is there, has this value: others change the result
  /// and are not supported.
  void requireBool(llvm::StringRef field, bool value);
  /// Marks fields as known to make no difference here.
  void ignore(llvm::ArrayRef<llvm::StringRef> fields);

  /// A diagnostic at the field's line that marks this config as bad.
  mlir::InFlightDiagnostic error(llvm::StringRef field);
  /// The same for a field that is right in itself, but asks for what is not supported (E1002).
  mlir::InFlightDiagnostic unsupported(llvm::StringRef field);
  mlir::Location getLoc(llvm::StringRef field = "") const;
  mlir::MLIRContext *getContext() const { return context; }
  bool isGood() const { return !*bad; }

  /// Fails when anything was wrong, or when a field is left that may change the result.
  mlir::LogicalResult finish();

private:
  Config() = default;
  const llvm::json::Value *take(llvm::StringRef field);
  const llvm::json::Value *find(llvm::StringRef field) const;

  mlir::MLIRContext *context = nullptr;
  std::string path;                  // of the file
  std::string prefix;                // "rope_scaling." in a nested object
  std::shared_ptr<std::string> text; // the file, for line numbers
  std::shared_ptr<llvm::json::Value> root;
  const llvm::json::Object *object = nullptr;
  llvm::StringSet<> known;
  std::shared_ptr<bool> bad;
};

} // namespace ashlar

#endif
