// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that bring a graph module onto a mesh, in the order in which they run.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PASSES_TD
#define ASHLAR_COMPILER_DISTRIBUTION_PASSES_TD

include "mlir/Pass/PassBase.td"

def PinShardingPass : Pass<"ashlar-pin-sharding", "::mlir::ModuleOp"> {
  let summary = "Pins tensors to the shardings of a plan";
  let description = [{
    ```
    mesh dp=2 tp=4 on nvlink      =>   dist.mesh @mesh [dp = 2, tp = 4] ...
    *.q_proj.weight [{tp}, {} ]         graph.state parameter model @layers.0.q_proj.weight {dist.pinned = 0 : i64,
                                         dist.sharding = #dist.sharding<@mesh, [{tp}, {} ]>} : ...
    ```

    PlanFile.h describes the text. The same attributes may be written in IR by hand. A line that matches nothing is an
    error. Tests: pin-sharding.mlir, pin-sharding-invalid.mlir.
  }];
  let options = [
    Option<"plan", "plan", "std::string", "\"\"", "the plan's file; none: the mesh alone">,
    Option<"text", "text", "std::string", "\"\"", "the plan's text, where somebody has read the file already">,
    Option<"mesh", "mesh", "std::string", "\"\"", "axes, where there is no plan: dp=2,tp=4">,
    Option<"topology", "topology", "std::string", "\"host\"", "what that mesh is on">,
    Option<"microbatches", "microbatches", "int64_t", "0", "of a pipeline's step, at the most; 0: as the plan says">,
    Option<"chunks", "chunks", "int64_t", "0", "stages of each rank of a pipeline; 0: as the plan says">,
    Option<"conventions", "conventions", "bool", "false", "pin what the names of its axes mean (Conventions.h)">];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def PlanShardingPass : Pass<"ashlar-plan-sharding", "::mlir::ModuleOp"> {
  let summary = "Chooses the shardings of all tensors by the solver";
  let description = [{
    ```
    a module with a dist.mesh and perhaps some pins   =>   every state, argument and value has a closed dist.sharding
    ```

    Least time of arithmetic and collectives over all functions, within `memory` bytes per rank (AutoPlan.h has the
    model). A remark says the time, the lower bound on any plan's, and the bytes of states; nothing fits: an error with
    what would help. Takes the place of propagation. Tests: plan-sharding.mlir, execute_partition_test.
  }];
  let options = [
    Option<"memory", "memory", "int64_t", "0", "most bytes per rank; 0: any">,
    Option<"workLimit", "work-limit", "int64_t", "600000", "units of the solver's work">,
    Option<"report", "report", "bool", "true", "report the plan as a remark">];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def WritePlanPass : Pass<"ashlar-write-plan", "::mlir::ModuleOp"> {
  let summary = "Writes what the module's attributes say as a plan";
  let description = [{
    ```
    w {dist.sharding = #dist.sharding<@mesh, [{tp}, {} ]>}   =>   a line `w [{tp}, {} ]` in the file
    ```

    Every tensor with a path and a sharding, states first, then each function's in its order; --ashlar-pin-sharding
    reads it. A path that two functions share is written as the first has it. Test: write-plan.mlir.
  }];
  let options = [
    Option<"plan", "plan", "std::string", "\"\"", "the file">,
    Option<"topology", "topology", "std::string", "\"host\"", "what the plan says the mesh is on">];
}

def PropagateShardingPass : Pass<"ashlar-propagate-sharding", "::mlir::ModuleOp"> {
  let summary = "Carries shardings from pinned tensors to the others";
  let description = [{
    ```
    w: [{tp}, {} ]; y = matmul x, w transpose_b   =>   y: [.., {tp} ];  z = gelu y   =>   z: [.., {tp} ]
    ```

    Along the factors of the ops' sharding rules, forward and backward, until nothing changes: first through ops that
    only pass elements on, then through all; pins of priority 0 before those of priority 1 speak, and so on. Open
    dimensions are extended, closed ones never. Where two tensors want an axis for different factors of an op, or
    different axes for one factor, neither is carried on, and partitioning weighs what to do; there is no cost here. What
    is wanted first takes a lower number for its priority (weights before sequence parallelism). Test:
    propagate-sharding.mlir.
  }];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def PartitionPass : Pass<"ashlar-partition", "::mlir::ModuleOp"> {
  let summary = "Turns functions on whole tensors into one rank's part and collectives";
  let description = [{
    ```
    y = matmul x, w  : x [{}, {tp} ], w [{tp}, {} ]    =>   z = matmul x', w'; y = dist.all_reduce sum z over @mesh [tp]
    the same, y pinned to [{tp}, {} ]                 =>   z = matmul x', w'; y' = dist.reduce_scatter sum z ... axis 0
    i = iota axis 0 : [{dp} ]                         =>   i' = iota axis 0 + dist.shard_origin @batch over @mesh [dp]
    ```

    Local extents are numbers where axes divide them, else derived names (dialects/Dist/LocalTypes.h); states keep their
    part with padding. Each op takes the factors that cost least (Choice.h), operands are brought there (Reshard.h), once
    for all ops that want the same; ops whose definition changes answer for themselves (PartitionOpInterface). Every
    collective is reported as a remark: bytes, seconds by the alpha-beta model, and what it is for. Tensors without a
    sharding, and those that nothing can cut, are computed on every rank. Runs before fusion. Tests: partition.mlir,
    partition-layers.mlir, partition-invalid.mlir; what comes out is executed by test/execute/PartitionTest.cpp.
  }];
  let options = [
    Option<"report", "report", "bool", "true", "report collectives as remarks">,
    Option<"forPrograms", "for-programs", "bool", "false",
           "make what can be lowered and called like one device: whole arguments and results (each rank takes its part of "
           "the ones, and the others are gathered), and states cut unevenly along their first dimension only">];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def CutStagesPass : Pass<"ashlar-cut-stages", "::mlir::ModuleOp"> {
  let summary = "Cuts entry points into the stages of a pipeline";
  let description = [{
    ```
    mesh [pp = 2, tp = 2]; @f: y = g(f(x))   =>   @f.stage0 on ranks 0 1: z = f(x); dist.send z to 1 over @mesh [pp]; y = recv
                                                  @f.stage1 on ranks 2 3: z = dist.recv from 0 over @mesh [pp]; y = g(z); send
    ```

    The axis `pp` of the mesh is that of the stages; without it nothing happens. Runs on a partitioned module, so that
    between stages each rank sends its part to the one at its place in the next. StageAssignment.h says what belongs to
    which stage: the stages' modelled times are balanced by dynamic programming, and all entry points are cut alike, so that
    a stage keeps the parameters and caches of its layers. What follows from inputs and counters alone every stage computes
    for itself. Every stage gives all results, which are sent to it last. In how many microbatches a step runs
    (Microbatches.h) stands on the stages' functions. Where the mesh has `dist.chunks = v`, each rank has v stages, stage s
    those of place s mod pp, and the last of them gives the results. Tests: cut-stages.mlir, cut-stages-invalid.mlir,
    execute_partition_test.
  }];
  let options = [Option<"report", "report", "bool", "true", "report the stages and what they send as remarks">];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def BucketCollectivesPass : Pass<"ashlar-bucket-collectives", "::mlir::ModuleOp"> {
  let summary = "Joins small collectives into one";
  let description = [{
    ```
    a = dist.all_gather u axis 0; b = dist.all_gather v axis 0
      =>  r = dist.all_gather (concat (reshape u), (reshape v)) axis 0; a, b = slices of r, reshaped
    ```

    Those of numbered shapes, of one kind, between the same ranks, where one is made of nothing that another's reader
    gives (parameters that are gathered for their use, gradients that are added up): if by the modelled times that saves
    more latency than it costs copies. Each is reported as a remark. Runs before ashlar-overlap-collectives. Tests:
    bucket-collectives.mlir, execute_partition_test.
  }];
  let options = [Option<"report", "report", "bool", "true", "report buckets as remarks">];
  let dependentDialects = ["::ashlar::dist::DistDialect", "::ashlar::graph::GraphDialect"];
}

def OverlapCollectivesPass : Pass<"ashlar-overlap-collectives", "::mlir::ModuleOp"> {
  let summary = "Starts collectives early, so that arithmetic hides them";
  let description = [{
    ```
    a = matmul x, u; w = dist.all_gather v; b = matmul a, w
      =>  p = dist.all_gather v : ... to !dist.pending; a = matmul x, u; w = dist.wait p; b = matmul a, w
    ```

    Overlap.h says which, and from where on, by modelled times; each is reported as a remark with what is hidden of it. What
    has come early takes memory for longer: where that is too much, do without this pass. Runs on what each rank computes,
    before fusion. Tests: overlap-collectives.mlir, execute_partition_test, ranks/overlap.test.
  }];
  let options = [Option<"report", "report", "bool", "true", "report what starts early as remarks">];
  let dependentDialects = ["::ashlar::dist::DistDialect"];
}

def VerifyCollectivesPass : Pass<"ashlar-verify-collectives", "::mlir::ModuleOp"> {
  let summary = "Checks that all ranks issue matching collectives in the same order";
  let description = [{
    Walks the functions of all ranks together (dialects/Dist/Lockstep.h). Functions with `dist.ranks` run beside each
    other; any other is run by all ranks and is checked by itself. Where ranks of a group issue different ops, or wait
    for each other, the error names both places. Test: verify-collectives.mlir.
  }];
}

#endif
