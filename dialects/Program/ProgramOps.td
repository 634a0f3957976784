// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exit dialect: what the runtime executes, op by op as the artifact's schema has it.

#ifndef ASHLAR_DIALECTS_PROGRAM_PROGRAMOPS_TD
#define ASHLAR_DIALECTS_PROGRAM_PROGRAMOPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Program_Dialect : Dialect {
  let name = "program";
  let cppNamespace = "::ashlar::program";
  let summary = "Launches over planned memory: the artifact as IR";
  let description = [{
    Everything is decided here: which kernels there are, where each operand lies, in which order they run. The artifact
    writer prints one record per op and holds no logic.

    ```mlir
    program.dim @batch from 1 to 8
    program.weight @dense.weight f32 panel_f32 [768, 3072] at 0 bytes 9437184
      [#program.part<"dense.weight", f32, [3072, 768], transposed, normal, 0.02>]
    program.kernel @dense_gelu of ["matmul", "add", "gelu"] operands [read, read, read, write] extents [@batch]
      grid [#program.extent<1 * batch ceildiv 192>, #program.extent<3072 ceildiv 64>] scratch 49152 body @dense_gelu_body
    program.entry @forward arena 65536 lower_bound 65536 {
      program.input "x" f32 [#program.extent<1 * batch>, #program.extent<768>] at 0 bytes 24576
      program.launch @dense_gelu [#program.operand<arena, 0, 24576>, ...] extents [#program.extent<1 * batch>]
      program.output "y" f32 [...] at 24576 bytes 98304
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
}

//===----------------------------------------------------------------------===//
// Enumerations and attributes
//===----------------------------------------------------------------------===//

class Program_Enum<string name, string description, list<I32EnumAttrCase> cases> : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::ashlar::program";
}

def Program_Space : Program_Enum<"Space", "where bytes lie", [
  I32EnumAttrCase<"Arena", 0, "arena">, I32EnumAttrCase<"Weights", 1, "weights">,
  I32EnumAttrCase<"Constants", 2, "constants">, I32EnumAttrCase<"State", 3, "state">]>;

def Program_Access : Program_Enum<"Access", "what a kernel does with an operand", [
  I32EnumAttrCase<"Read", 0, "read">, I32EnumAttrCase<"Write", 1, "write">, I32EnumAttrCase<"ReadWrite", 2, "readwrite">]>;

def Program_Layout : Program_Enum<"Layout", "the order of a weight's elements", [
  I32EnumAttrCase<"Plain", 0, "plain">, I32EnumAttrCase<"PanelF32", 1, "panel_f32">,
  I32EnumAttrCase<"PanelBF16", 2, "panel_bf16">]>;

def Program_Init : Program_Enum<"Init", "what stands in for a tensor without a checkpoint", [
  I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Zeros", 1, "zeros">, I32EnumAttrCase<"Ones", 2, "ones">,
  I32EnumAttrCase<"Normal", 3, "normal">]>;

def Program_CollectiveKind : Program_Enum<"CollectiveKind", "what ranks do together, or where their numbers differ", [
  I32EnumAttrCase<"AllReduce", 0, "all_reduce">, I32EnumAttrCase<"ReduceScatter", 1, "reduce_scatter">,
  I32EnumAttrCase<"AllGather", 2, "all_gather">, I32EnumAttrCase<"AllToAll", 3, "all_to_all">,
  I32EnumAttrCase<"Slice", 4, "slice">, I32EnumAttrCase<"Origin", 5, "origin">, I32EnumAttrCase<"Send", 6, "send">,
  I32EnumAttrCase<"Recv", 7, "recv">]>;

def Program_Reduction : Program_Enum<"Reduction", "how elements are combined", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">, I32EnumAttrCase<"Min", 2, "min">]>;

class Program_Attr<string name, string attrMnemonic> : AttrDef<Program_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Program_WorkKind : Program_Enum<"WorkKind", "what a launch does: operations, evaluations or bytes", [
  I32EnumAttrCase<"Product", 0, "product">, I32EnumAttrCase<"Elementwise", 1, "elementwise">,
  I32EnumAttrCase<"Transcendental", 2, "transcendental">, I32EnumAttrCase<"WeightRead", 3, "weight_read">,
  I32EnumAttrCase<"ArenaRead", 4, "arena_read">, I32EnumAttrCase<"ArenaWrite", 5, "arena_write">,
  I32EnumAttrCase<"StateRead", 6, "state_read">, I32EnumAttrCase<"StateWrite", 7, "state_write">]>;

def Program_ExtentAttr : Program_Attr<"Extent", "extent"> {
  let summary = "ceil(scale * product of dimensions / divisor)";
  let description = "`#program.extent<12 * batch * seq ceildiv 64>`; the only arithmetic that the runtime does.";
  let parameters = (ins "int64_t":$scale, ArrayRefParameter<"::mlir::StringAttr">:$dims, "int64_t":$divisor);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The value at the given extents, or nothing where it overflows.
    std::optional<int64_t> evaluate(::llvm::function_ref<int64_t(::mlir::StringAttr)> extent) const;
  }];
}

def Program_OperandAttr : Program_Attr<"Operand", "operand"> {
  let summary = "bytes [offset, offset + bytes) of a space, at the bound";
  let parameters = (ins "::ashlar::program::Space":$space, "int64_t":$offset, "int64_t":$bytes);
  let hasCustomAssemblyFormat = 1;
}

def Program_WorkAttr : Program_Attr<"Work", "work"> {
  let summary = "how much of one kind of work a launch does";
  let description = "`#program.work<product, <128 * batch>>`; runtime/program/work.h has the units.";
  let parameters = (ins EnumParameter<Program_WorkKind>:$kind, "::ashlar::program::ExtentAttr":$amount);
  let assemblyFormat = "`<` $kind `,` $amount `>`";
}

def Program_PartAttr : Program_Attr<"Part", "part"> {
  let summary = "a tensor of the checkpoint as part of a weight";
  let description = [{
    `#program.part<"bert.pooler.dense.weight", f32, [768, 768], transposed, normal, 0.02>`: name, element type and shape
    as stored, whether it is stored [n, k], and what stands in for it without a checkpoint.
  }];
  let parameters = (ins "::mlir::StringAttr":$tensor, "::mlir::Type":$elementType, ArrayRefParameter<"int64_t">:$shape,
                        "bool":$transposed, "::ashlar::program::Init":$init, "::mlir::FloatAttr":$stddev);
  let hasCustomAssemblyFormat = 1;
}

def Program_ShardAttr : Program_Attr<"Shard", "shard"> {
  let summary = "the tensor of which a weight's part holds a range, a rank's part, or a rank's part of a range";
  let description = [{
    `#program.shard<whole = [61, 64], dims = [0], cuts = [1, 4]>`: dimension dims[i] is cut by the pair i of `cuts`
    (stride, size), one after the other; a part of a dimension that does not divide is padded with zeros.

    `#program.shard<whole = [64, 192], dims = [1], cuts = [1, 4] range = [64, 64] begin = [0, 128]>`: what is cut are
    the last 64 columns.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$whole, OptionalArrayRefParameter<"int64_t">:$dims,
                        OptionalArrayRefParameter<"int64_t">:$cuts, OptionalArrayRefParameter<"int64_t">:$range,
                        OptionalArrayRefParameter<"int64_t">:$begin);
  let assemblyFormat = [{
    `<` `whole` `=` `[` $whole `]` (`,` `dims` `=` `[` $dims^ `]` `,` `cuts` `=` `[` $cuts `]`)?
    (`range` `=` `[` $range^ `]` `begin` `=` `[` $begin `]`)? `>`
  }];
}

def Program_Extents : TypedArrayAttrBase<Program_ExtentAttr, "extents">;
def Program_WorkList : TypedArrayAttrBase<Program_WorkAttr, "work">;
def Program_Operands : TypedArrayAttrBase<Program_OperandAttr, "operands">;
def Program_Parts : TypedArrayAttrBase<Program_PartAttr, "parts">;

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

class Program_Op<string mnemonic, list<Trait> traits = []> : Op<Program_Dialect, mnemonic, traits>;

def Program_DimOp : Program_Op<"dim", [Symbol]> {
  let summary = "a named dimension of a step";
  let description = [{
    With `part of`, what a rank holds of an extent. Here as everywhere in the dialect, `cuts` are pairs (stride, size),
    major first: a rank's index along one is rank / stride % size.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$minimum, I64Attr:$maximum,
                       OptionalAttr<Program_ExtentAttr>:$whole, OptionalAttr<DenseI64ArrayAttr>:$cuts);
  let assemblyFormat = "$sym_name `from` $minimum `to` $maximum (`part` `of` $whole^ `cuts` $cuts)? attr-dict";
}

def Program_MeshOp : Program_Op<"mesh"> {
  let summary = "the ranks that run the program together: named axes and their sizes, the last one fastest";
  let description = [{
    With `stages`, a pair (stride, size), the program is a pipeline: what carries `stage` is of the ranks whose index along
    that pair is that number modulo the size, and has its own weights, state and arena. A rank may have several stages; the
    last of them gives the outputs.
  }];
  let arguments = (ins StrArrayAttr:$names, DenseI64ArrayAttr:$sizes, OptionalAttr<DenseI64ArrayAttr>:$stages);
  let assemblyFormat = "$names $sizes (`stages` $stages^)? attr-dict";
}

def Program_WeightOp : Program_Op<"weight", [Symbol]> {
  let summary = "bytes of the weights region and the tensors that they are made of";
  let description = "shape is the tensor's, or [K, N] of panels before padding. Parts follow each other along N, or dimension 0; `shards` has a #program.shard, or unit, for each.";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$element_type, Program_Layout:$layout,
                       DenseI64ArrayAttr:$shape, I64Attr:$offset, I64Attr:$bytes, Program_Parts:$parts,
                       OptionalAttr<ArrayAttr>:$shards, OptionalAttr<I64Attr>:$stage);
  let assemblyFormat = [{
    $sym_name $element_type $layout $shape `at` $offset `bytes` $bytes $parts (`shards` $shards^)? (`stage` $stage^)?
    attr-dict
  }];
  let hasVerifier = 1;
}

def Program_ConstantOp : Program_Op<"constant", [Symbol]> {
  let summary = "bytes of the constants section";
  let arguments = (ins SymbolNameAttr:$sym_name, ElementsAttr:$value, I64Attr:$offset, I64Attr:$bytes);
  let assemblyFormat = "$sym_name $value `at` $offset `bytes` $bytes attr-dict";
}

def Program_StateOp : Program_Op<"state", [Symbol]> {
  let summary = "bytes that a session keeps between steps";
  let description = "The symbol is `state.` before its name; of a stage's state the number stands before the dot.";
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$element_type, I64Attr:$offset, I64Attr:$bytes,
                       OptionalAttr<I64Attr>:$stage);
  let assemblyFormat = "$sym_name $element_type `at` $offset `bytes` $bytes (`stage` $stage^)? attr-dict";
  let extraClassDeclaration = [{
    /// The name behind the symbol's first dot.
    ::llvm::StringRef getStateName() { return getSymName().split('.').second; }
  }];
}

def Program_KernelOp : Program_Op<"kernel", [Symbol]> {
  let summary = "a kernel: what it fuses, how it touches its operands, how many work items it has";
  let description = [{
    Grid factors are over the kernel's own extents, named in `extents`. `body` is the function over graph ops that code
    is generated from.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$ops, DenseI32ArrayAttr:$accesses, ArrayAttr:$extents,
                       Program_Extents:$grid, I64Attr:$scratch, FlatSymbolRefAttr:$body);
  let assemblyFormat = [{
    $sym_name `of` $ops `accesses` $accesses `extents` $extents `grid` $grid `scratch` $scratch `body` $body attr-dict
  }];
}

def Program_EntryOp : Program_Op<"entry", [Symbol, IsolatedFromAbove, NoTerminator, SingleBlock]> {
  let summary = "a step that callers run: inputs, launches in order, outputs";
  let description = [{
    `of "forward" stage 1`: what the ranks of a stage run of an entry. `microbatches 4 of @batch`: steps run in up to four
    parts, each of some of the sequences that the dimension counts.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$arena, I64Attr:$lower_bound, OptionalAttr<StrAttr>:$of,
                       OptionalAttr<I64Attr>:$stage, OptionalAttr<I64Attr>:$microbatches,
                       OptionalAttr<FlatSymbolRefAttr>:$batch);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`of` $of^ `stage` $stage)? `arena` $arena `lower_bound` $lower_bound
    (`microbatches` $microbatches^ `of` $batch)? attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// What callers call it.
    ::llvm::StringRef getEntryName() { return getOf() ? *getOf() : getSymName(); }
  }];
}

class Program_ValueOp<string mnemonic> : Program_Op<mnemonic, [HasParent<"EntryOp">]> {
  let arguments = (ins StrAttr:$name, TypeAttr:$element_type, Program_Extents:$shape, I64Attr:$offset, I64Attr:$bytes);
  let assemblyFormat = "$name $element_type $shape `at` $offset `bytes` $bytes attr-dict";
}

def Program_InputOp : Program_ValueOp<"input"> {
  let summary = "a tensor that the caller gives, at its place in the arena";
  let description = "`default` (an extent, or \"iota\") fills it where the caller leaves it out; `range` [low, high) and `limit` (an extent: the largest) check integers.";
  let arguments = (ins StrAttr:$name, TypeAttr:$element_type, Program_Extents:$shape, I64Attr:$offset, I64Attr:$bytes,
                       OptionalAttr<AnyAttr>:$default_value, OptionalAttr<DenseI64ArrayAttr>:$range,
                       OptionalAttr<AnyAttr>:$limit);
}

def Program_OutputOp : Program_ValueOp<"output"> { let summary = "a tensor that the caller gets, at its place in the arena"; }

def Program_LaunchOp : Program_Op<"launch", [HasParent<"EntryOp">]> {
  let summary = "runs a kernel on operands; the location is the layer";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Program_Operands:$operands, Program_Extents:$extents,
                       Program_WorkList:$work);
  let assemblyFormat = "$kernel $operands `extents` $extents `work` $work attr-dict";
}

def Program_CollectiveOp : Program_Op<"collective", [HasParent<"EntryOp">]> {
  let summary = "what ranks do together at this place among the launches";
  let description = [{
    The group are the ranks that differ in the indices along `cuts` only. `axis` is cut or joined, by all_to_all `axis` is
    cut and `join` joined; shapes are this rank's, `whole` the extent of which `origin` writes where the rank's part
    begins. send and recv are between this rank and the one at the place `peer` of the group. Parts that are no run of
    bytes are packed in `workspace`. A `delivery` brings an output to a stage that does not make it. One that is `started`
    goes on while launches run, until `program.wait`, a send until the entry runs again: up to then nothing touches its
    operands. The location is the value and where it comes from. A weight that is gathered, [n, k], may go into panels as it comes, from the workspace.
  }];
  let arguments = (ins Program_CollectiveKind:$kind, Program_Reduction:$reduction, TypeAttr:$element_type,
                       DenseI64ArrayAttr:$cuts, I64Attr:$axis, I64Attr:$join,
                       OptionalAttr<Program_OperandAttr>:$input, OptionalAttr<Program_OperandAttr>:$output,
                       OptionalAttr<Program_OperandAttr>:$workspace,
                       Program_Extents:$input_shape, Program_Extents:$output_shape,
                       OptionalAttr<Program_ExtentAttr>:$whole, OptionalAttr<I64Attr>:$peer, UnitAttr:$delivery,
                       UnitAttr:$started, DefaultValuedAttr<Program_Layout, "Layout::Plain">:$layout);
  let assemblyFormat = [{
    $kind $reduction $element_type `cuts` $cuts `axis` $axis `join` $join (`from` $input^)? (`to` $output^)?
    (`workspace` $workspace^)? $input_shape `to` $output_shape (`of` $whole^)? (`peer` $peer^)?
    (`delivery` $delivery^)? (`started` $started^)? (`layout` $layout^)? attr-dict
  }];
}

def Program_WaitOp : Program_Op<"wait", [HasParent<"EntryOp">]> {
  let summary = "ends a collective that was started";
  let description = "`program.wait 2`: the entry's third `program.collective`. Each that is started is waited for once.";
  let arguments = (ins I64Attr:$collective);
  let assemblyFormat = "$collective attr-dict";
}

def Program_LimitOp : Program_Op<"limit", [HasParent<"EntryOp">]> {
  let summary = "before the step: max of the first rows of a counter + add <= limit";
  let arguments = (ins FlatSymbolRefAttr:$state, Program_ExtentAttr:$rows, Program_ExtentAttr:$add, I64Attr:$limit);
  let assemblyFormat = "$state `rows` $rows `add` $add `limit` $limit attr-dict";
}

#endif
