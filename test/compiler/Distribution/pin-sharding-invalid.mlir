// RUN: split-file %s %t
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/nothing.txt 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/rank.txt 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/axis.txt 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/mesh.txt 2>&1 | FileCheck %s --check-prefix=MESH
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/topology.txt 2>&1 | FileCheck %s --check-prefix=TOPOLOGY
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/absent.txt 2>&1 | FileCheck %s --check-prefix=ABSENT
// What is wrong with a plan is said with its line.

//--- module.mlir
graph.state parameter model @w : tensor<64x64xf32>

//--- nothing.txt
mesh tp=4 on nvlink
w    [{tp}, {}]
bias [{tp}]
// NOTHING: nothing.txt:3: no tensor has a path like 'bias', or earlier lines take all of them

//--- rank.txt
mesh tp=4 on nvlink
w [{tp}]
// RANK: rank.txt:2: has 1 dimensions, but 'w' is 'tensor<64x64xf32>'

//--- axis.txt
mesh tp=4 on nvlink
w [{dp}, {}]
// AXIS: axis.txt: line 2: axis 'dp' is not in the mesh [tp = 4]

//--- mesh.txt
w [{dp}, {}]
// MESH: mesh.txt: line 1: a plan begins with 'mesh NAME=SIZE ... on TOPOLOGY'

//--- topology.txt
mesh tp=4 on ethernet
// TOPOLOGY: topology.txt: line 1: topology 'ethernet' is unknown; known are host, nvlink, nvlink-ib

//--- other.txt
// ABSENT: cannot read the plan '{{.*}}absent.txt'
