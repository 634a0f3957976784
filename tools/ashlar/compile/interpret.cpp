// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar run --interpret: imports the artifact's model again and evaluates its graph plainly, to
// compare with.

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Interpreter.h"
#include "compiler/Interpreter/Npy.h"
#include "compiler/Interpreter/Parameters.h"
#include "runtime/base/file.h"
#include "runtime/program/program.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/compile/compiler_context.h"
#include "tools/ashlar/compile/import_properties.h"
#include "tools/ashlar/options.h"

using namespace mlir;

namespace ashlar {

namespace {

struct InterpretOptions {
  std::string artifact, weights, entry = "forward", outputDirectory;
  std::vector<std::string> inputs;
};

absl::StatusOr<interpreter::NamedArray> readInput(MLIRContext& context, const std::string& spec) {
  auto [name, path] = StringRef(spec).split('=');
  if (path.empty() || path.ends_with(".npz"))
    return absl::InvalidArgumentError("--input " + spec +
                                      ": with --interpret, inputs are NAME=FILE.npy");
  auto array = interpreter::readNpy(&context, path);
  if (!array) return absl::InvalidArgumentError(llvm::toString(array.takeError()));
  return interpreter::NamedArray{name.str(),
                                 std::make_shared<const interpreter::Array>(std::move(*array))};
}

absl::StatusOr<interpreter::StateInitializer> getParameters(const fb::ProgramT& program,
                                                            const std::string& weights) {
  if (weights.empty() && program.weight_source == fb::WeightSource::Random)
    return interpreter::drawFromSeed(program.random_seed);
  auto checkpoint = Checkpoint::Open(weights.empty() ? program.weight_directory : weights);
  if (!checkpoint.ok()) return checkpoint.status();
  return interpreter::loadFromCheckpoint(*checkpoint);
}

absl::Status deliver(ArrayRef<interpreter::NamedArray> results, const std::string& directory) {
  if (!directory.empty())
    if (absl::Status status = MakeDirectories(directory); !status.ok()) return status;
  for (const interpreter::NamedArray& result : results) {
    llvm::outs() << result.name << ": " << interpreter::describe(*result.array);
    std::string path = directory + "/" + result.name + ".npy";
    if (!directory.empty()) {
      if (llvm::Error error = interpreter::writeNpy(path, *result.array))
        return absl::InternalError(llvm::toString(std::move(error)));
      llvm::outs() << " -> " << path;
    }
    llvm::outs() << "\n";
  }
  return absl::OkStatus();
}

absl::Status interpret(const InterpretOptions& options) {
  auto program = Program::Load(options.artifact);
  if (!program.ok()) return program.status();
  const fb::ProgramT& metadata = (*program)->metadata();
  CompilerContext compiler;
  MLIRContext& context = compiler.context;
  OwningOpRef<ModuleOp> module = importHuggingFace(context, getImportOptions(metadata));
  if (!module)
    return WithCode(ErrorCode::kBadModel,
                    absl::InvalidArgumentError("the model cannot be imported again from " +
                                               metadata.weight_directory));
  auto function = module->lookupSymbol<func::FuncOp>(options.entry);
  if (!function) return absl::NotFoundError("the model has no entry '" + options.entry + "'");
  std::vector<interpreter::NamedArray> inputs;
  for (const std::string& spec : options.inputs) {
    auto input = readInput(context, spec);
    if (!input.ok()) return input.status();
    inputs.push_back(*std::move(input));
  }
  auto parameters = getParameters(metadata, options.weights);
  if (!parameters.ok()) return parameters.status();
  interpreter::StateStore states(*parameters);
  compiler.codes.enter(ErrorCode::kNotEvaluated);
  auto results = interpreter::evaluate(function, inputs, states, {});
  if (failed(results))
    return WithCode(ErrorCode::kNotEvaluated,
                    absl::InvalidArgumentError("the graph could not be evaluated"));
  return deliver(*results, options.outputDirectory);
}

}  // namespace

int InterpretMain(const Arguments& args) {
  InterpretOptions options;
  bool flag = false;
  int64_t threads = 0;
  Options parser("run --interpret", "Evaluates the graph of the artifact's model plainly, in f64.");
  parser.Positional("X.ashlar", "the artifact; its model is imported again from where it was",
                    &options.artifact);
  parser.Add("--interpret", "this command", &flag);
  parser.Add("--input", "NAME=FILE.npy", "an input (repeat for several)", &options.inputs);
  parser.Add("--output-dir", "DIR", "write each output to DIR/NAME.npy", &options.outputDirectory);
  parser.Add("--entry", "NAME", "the entry to run (default: forward)", &options.entry);
  parser.Add("--weights", "DIR", "the checkpoint's directory, where it is not where it was",
             &options.weights);
  parser.AddThreads(&threads, "accepted and ignored: the interpreter has one thread");
  if (std::optional<int> code = parser.Parse(args)) return *code;
  absl::Status status = interpret(options);
  return status.ok() ? kOk : Fail(status);
}

}  // namespace ashlar
