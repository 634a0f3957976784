// RUN: split-file %s %t
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/nothing.txt 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/rank.txt 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/axis.txt 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/mesh.txt 2>&1 | FileCheck %s --check-prefix=MESH
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/topology.txt 2>&1 | FileCheck %s --check-prefix=TOPOLOGY
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/absent.txt 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/twice.txt 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/meshes.txt 2>&1 | FileCheck %s --check-prefix=MESHES
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/large.txt 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/part.txt 2>&1 | FileCheck %s --check-prefix=PART
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/parts.txt 2>&1 | FileCheck %s --check-prefix=PARTS
// RUN: not ashlar-opt %t/module.mlir --ashlar-pin-sharding=plan=%t/chunks.txt 2>&1 | FileCheck %s --check-prefix=CHUNKS
// RUN: not ashlar-opt %t/module.mlir "--ashlar-pin-sharding=plan=%t/part.txt mesh=tp=2" 2>&1 | FileCheck %s --check-prefix=BOTH
// What is wrong with a plan is said with its line.
// BOTH: a plan has a mesh; give the one or the other

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

//--- twice.txt
mesh tp=4 tp=2 on host
// TWICE: twice.txt: line 1: two axes are named 'tp'

//--- meshes.txt
mesh tp=4 on host
mesh tp=2 on host
// MESHES: meshes.txt: line 2: a plan has one mesh, in its first line

//--- large.txt
mesh a=4294967296 b=4294967296 on host
// LARGE: large.txt: line 1: a mesh has at most 1048576 ranks

//--- part.txt
mesh tp=4 on nvlink
w [{tp:(4294967296)4294967296}, {}]
// PART: part.txt: line 2: axis 'tp' of size 4 has no part (4294967296)4294967296

//--- parts.txt
mesh tp=4 on nvlink
w [{tp:(9223372036854775807)9223372036854775807}, {}]
// PARTS: parts.txt: line 2: axis 'tp' of size 4 has no part

//--- chunks.txt
mesh pp=4 on nvlink
chunks 9
// CHUNKS: chunks.txt: line 2: chunks are a number from 1 to 8, found '9'
