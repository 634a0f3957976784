// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/execute/ModuleCases.h"

#include <array>
#include <regex>

namespace ashlar::test {

std::vector<ModuleCase> getModuleCases() {
  const std::string square =
                        "graph.state parameter model @w init normal stddev 1.0 : tensor<5x5xf32>",
                    readSquare = "%w = graph.read @w : tensor<5x5xf32>\n",
                    two =
                        "graph.state parameter model @a init normal stddev 1.0 : tensor<4x3xf32>\n"
                        "graph.state parameter model @b init normal stddev 1.0 : tensor<4x2xf32>",
                    readTwo = "%a = graph.read @a : tensor<4x3xf32>\n%b = graph.read @b : "
                              "tensor<4x2xf32>\n";
  const std::string x5 = "(%x: tensor<5x5xf32> {graph.name = \"x\"}) -> (tensor<5x5xf32> "
                         "{graph.name = \"r\"})",
                    product = "tensor<5x5xf32>, tensor<5x5xf32>\n",
                    end = "return %r : tensor<5x5xf32>";
  return {
      {"ProductStoredOnTheWay", square,
       "(%x: tensor<5x5xf32> {graph.name = \"x\"}) -> (tensor<5x5xf32> {graph.name = \"r\"}, "
       "tensor<5x5xf32> {graph.name = \"s\"})",
       readSquare + "%m = graph.matmul %x, %w : " + product +
           "%r = graph.tanh %m : tensor<5x5xf32>\n%n = graph.neg %r : tensor<5x5xf32>\n"
           "%s = graph.softmax %m : tensor<5x5xf32>\n%t = graph.add %s, %n : " +
           product + "%u = graph.add %t, %r : " + product +
           "return %r, %u : tensor<5x5xf32>, tensor<5x5xf32>"},
      {"WeightAlsoAdded", square, x5,
       readSquare + "%m = graph.matmul %x, %w : " + product + "%r = graph.add %m, %w : " + product +
           end},
      {"WeightAlsoAddedTransposed", square, x5,
       readSquare + "%m = graph.matmul %x, %w transpose_b : " + product +
           "%t = graph.transpose %w [1, 0] : tensor<5x5xf32>\n%r = graph.add %m, %t : " + product +
           end},
      {"WeightBothWays", square, x5,
       readSquare + "%m = graph.matmul %x, %w transpose_b : " + product +
           "%n = graph.matmul %x, %w : " + product + "%r = graph.mul %m, %n : " + product + end},
      {"WeightTimesItself", square, x5,
       readSquare + "%m = graph.matmul %w, %w transpose_b : " + product +
           "%r = graph.mul %m, %x : " + product + end},
      // Small parameters that several ranks hold parts of, as they lie when they were gathered
      // together.
      {"RowsJoined",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<13xf32>\n"
       "graph.state parameter model @b init normal stddev 1.0 : tensor<13x26xf32>",
       "(%x: tensor<13xf32> {graph.name = \"x\"}) -> (tensor<364xf32> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<13xf32>\n%b = graph.read @b : tensor<13x26xf32>\n"
       "%s = graph.reshape %a : tensor<13xf32> to tensor<13xf32>\n"
       "%t = graph.reshape %b : tensor<13x26xf32> to tensor<338xf32>\n"
       "%r = graph.concat %s, %t, %x axis 0 : tensor<13xf32>, tensor<338xf32>, tensor<13xf32>\n"
       "return %r : tensor<364xf32>"},
      {"PartsOfRows", "",
       "(%x: tensor<4x26xf32> {graph.name = \"x\"}, %g: tensor<728xf32> {graph.name = \"g\"}) -> "
       "(tensor<4x26xf32> {graph.name = \"r\"})",
       "%p = graph.reshape %g : tensor<728xf32> to tensor<2x364xf32>\n"
       "%a = graph.slice %p axis 1 from 0 size 13 : tensor<2x364xf32>\n"
       "%c = graph.reshape %a : tensor<2x13xf32> to tensor<26xf32>\n"
       "%b = graph.slice %p axis 1 from 13 size 338 : tensor<2x364xf32>\n"
       "%d = graph.reshape %b : tensor<2x338xf32> to tensor<26x26xf32>\n"
       "%f = graph.slice %p axis 1 from 351 size 13 : tensor<2x364xf32>\n"
       "%h = graph.reshape %f : tensor<2x13xf32> to tensor<26xf32>\n"
       "%m = graph.matmul %x, %d transpose_b : tensor<4x26xf32>, tensor<26x26xf32>\n"
       "%n = graph.add %m, %c : tensor<4x26xf32>, tensor<26xf32>\n"
       "%r = graph.layer_norm %n, %c, %h epsilon 1.0e-5 : tensor<4x26xf32>, tensor<26xf32>, "
       "tensor<26xf32>\n"
       "return %r : tensor<4x26xf32>"},
      {"NormOfColumns", "",
       "(%x: tensor<26x4xf32> {graph.name = \"x\"}, %g: tensor<26x2xf32> {graph.name = \"g\"}) -> "
       "(tensor<4x26xf32> {graph.name = \"r\"}, tensor<4x26xf32> {graph.name = \"s\"})",
       "%t = graph.transpose %x [1, 0] : tensor<26x4xf32>\n"
       "%a = graph.slice %g axis 1 from 1 size 1 : tensor<26x2xf32>\n"
       "%c = graph.reshape %a : tensor<26x1xf32> to tensor<26xf32>\n"
       "%r = graph.rms_norm %t, %c epsilon 1.0e-5 : tensor<4x26xf32>, tensor<26xf32>\n"
       "%s = graph.softmax %t : tensor<4x26xf32>\n"
       "return %r, %s : tensor<4x26xf32>, tensor<4x26xf32>"},
      {"ConcatOfColumnsAdded", two,
       "(%x: tensor<4x5xf32> {graph.name = \"x\"}) -> (tensor<4x5xf32> {graph.name = \"r\"})",
       readTwo + "%c = graph.concat %a, %b axis 1 : tensor<4x3xf32>, tensor<4x2xf32>\n"
                 "%r = graph.add %x, %c : tensor<4x5xf32>, tensor<4x5xf32>\n"
                 "return %r : tensor<4x5xf32>"},
      {"ConcatOfColumnsAddedAndMultiplied", two,
       "(%x: tensor<4x4xf32> {graph.name = \"x\"}) -> (tensor<4x5xf32> {graph.name = \"r\"})",
       readTwo + "%c = graph.concat %a, %b axis 1 : tensor<4x3xf32>, tensor<4x2xf32>\n"
                 "%m = graph.matmul %x, %c : tensor<4x4xf32>, tensor<4x5xf32>\n"
                 "%r = graph.add %m, %c : tensor<4x5xf32>, tensor<4x5xf32>\n"
                 "return %r : tensor<4x5xf32>"},
      {"ConcatOfRowsMultiplied",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<4x3xf32>\n"
       "graph.state parameter model @b init normal stddev 1.0 : tensor<2x3xf32>",
       "(%x: tensor<4x6xf32> {graph.name = \"x\"}) -> (tensor<4x3xf32> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<4x3xf32>\n%b = graph.read @b : tensor<2x3xf32>\n"
       "%c = graph.concat %a, %b axis 0 : tensor<4x3xf32>, tensor<2x3xf32>\n"
       "%r = graph.matmul %x, %c : tensor<4x6xf32>, tensor<6x3xf32>\nreturn %r : tensor<4x3xf32>"},
      {"WeightsMergedTwice",
       square + "\ngraph.state parameter model @u init normal stddev 1.0 : tensor<5x5xf32>\n"
                "graph.state parameter model @v init normal stddev 1.0 : tensor<5x5xf32>",
       "(%x: tensor<5x5xf32> {graph.name = \"x\"}, %y: tensor<5x5xf32> {graph.name = \"y\"}) -> "
       "(tensor<5x5xf32> {graph.name = \"p\"}, tensor<5x5xf32> {graph.name = \"q\"}, "
       "tensor<5x5xf32> {graph.name = \"s\"}, tensor<5x5xf32> {graph.name = \"t\"})",
       readSquare +
           "%u = graph.read @u : tensor<5x5xf32>\n%v = graph.read @v : tensor<5x5xf32>\n"
           "%p = graph.matmul %x, %w : " +
           product + "%q = graph.matmul %x, %u : " + product +
           "%s = graph.matmul %y, %w : " + product + "%t = graph.matmul %y, %v : " + product +
           "return %p, %q, %s, %t : tensor<5x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>, "
           "tensor<5x5xf32>"},
      {"BiasesOfOneElement",
       square + "\ngraph.state parameter model @u init normal stddev 1.0 : tensor<5x5xf32>\n"
                "graph.state parameter model @c init normal stddev 1.0 : tensor<1xf32>",
       x5,
       readSquare +
           "%u = graph.read @u : tensor<5x5xf32>\n%c = graph.read @c : tensor<1xf32>\n"
           "%m = graph.matmul %x, %w : " +
           product + "%n = graph.matmul %x, %u : " + product +
           "%p = graph.add %m, %c : tensor<5x5xf32>, tensor<1xf32>\n"
           "%q = graph.add %n, %c : tensor<5x5xf32>, tensor<1xf32>\n"
           "%s = graph.softmax %p : tensor<5x5xf32>\n%t = graph.softmax %q : tensor<5x5xf32>\n"
           "%r = graph.add %s, %t : " +
           product + end},
      {"ProductOfReshapedSlice",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<7x16xf32>",
       "(%x: tensor<3x4x8xf32> {graph.name = \"x\"}) -> (tensor<3x7xf32> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<7x16xf32>\n"
       "%s = graph.slice %x axis 2 from 2 size 4 : tensor<3x4x8xf32>\n"
       "%t = graph.reshape %s : tensor<3x4x4xf32> to tensor<3x16xf32>\n"
       "%r = graph.matmul %t, %a transpose_b : tensor<3x16xf32>, tensor<7x16xf32>\n"
       "return %r : tensor<3x7xf32>"},
      {"FirstRowsOfParameter",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<50x3xf32>",
       "(%x: tensor<?x3xf32, #graph.dims<[seq, _]>> {graph.name = \"x\"}) -> (tensor<?x3xf32, "
       "#graph.dims<[seq, _]>> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<?x3xf32, #graph.dims<[seq, _]>>\n"
       "%r = graph.add %x, %a : tensor<?x3xf32, #graph.dims<[seq, _]>>, tensor<?x3xf32, "
       "#graph.dims<[seq, _]>>\nreturn %r : tensor<?x3xf32, #graph.dims<[seq, _]>>"},
      {"ProductWithFirstRowsOfParameter",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<50x3xf32>",
       "(%x: tensor<?x3xf32, #graph.dims<[seq, _]>> {graph.name = \"x\"}) -> (tensor<?x?xf32, "
       "#graph.dims<[seq, seq]>> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<?x3xf32, #graph.dims<[seq, _]>>\n"
       "%r = graph.matmul %x, %a transpose_b : tensor<?x3xf32, #graph.dims<[seq, _]>>, "
       "tensor<?x3xf32, #graph.dims<[seq, _]>>\n"
       "return %r : tensor<?x?xf32, #graph.dims<[seq, seq]>>"},
      {"CachesOfOddWidth",
       "graph.state cache session @k : !graph.cache<4x130x2x13xf32>\n"
       "graph.state cache session @v : !graph.cache<4x130x2x7xf32>\n"
       "graph.state counter session @n : tensor<5xi64>",
       "(%q: tensor<?x?x6x13xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"q\"}, "
       "%x: tensor<?x?x2x13xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"x\"}, "
       "%y: tensor<?x?x2x7xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"y\"}, "
       "%t: tensor<?xi64, #graph.dims<[batch]>> {graph.name = \"t\"}) -> "
       "(tensor<?x?x6x7xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"r\"}, "
       "tensor<?x?x6xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"l\"})",
       "%k = graph.read @k : !graph.cache<4x130x2x13xf32>\n"
       "%v = graph.read @v : !graph.cache<4x130x2x7xf32>\n"
       "%n = graph.read @n : tensor<?xi64, #graph.dims<[batch]>>\n"
       "%u = graph.add %n, %t : tensor<?xi64, #graph.dims<[batch]>>, tensor<?xi64, "
       "#graph.dims<[batch]>>\n"
       "%k1 = graph.cache_append %k, %x, %n : !graph.cache<4x130x2x13xf32>, "
       "tensor<?x?x2x13xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?xi64, "
       "#graph.dims<[batch]>>\n"
       "%v1 = graph.cache_append %v, %y, %n : !graph.cache<4x130x2x7xf32>, "
       "tensor<?x?x2x7xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?xi64, #graph.dims<[batch]>>\n"
       "%r, %l = graph.attention %q, %k1, %v1 offsets %n lengths %u scale 0.3 causal window 5 : "
       "tensor<?x?x6x13xf32, #graph.dims<[batch, seq, _, _]>>, !graph.cache<4x130x2x13xf32>, "
       "!graph.cache<4x130x2x7xf32> offsets tensor<?xi64, #graph.dims<[batch]>> lengths "
       "tensor<?xi64, #graph.dims<[batch]>>\n"
       "graph.write %k1, @k : !graph.cache<4x130x2x13xf32>\n"
       "graph.write %v1, @v : !graph.cache<4x130x2x7xf32>\n"
       "graph.write %u, @n : tensor<?xi64, #graph.dims<[batch]>>\n"
       "return %r, %l : tensor<?x?x6x7xf32, #graph.dims<[batch, seq, _, _]>>, tensor<?x?x6xf32, "
       "#graph.dims<[batch, seq, _]>>",
       3},
      {"CachesOfTwoWidthsAtOnce",
       "graph.state cache session @k : !graph.cache<1x20x1x64xf32>\n"
       "graph.state cache session @v : !graph.cache<1x20x1x4xf32>\n"
       "graph.state counter session @n : tensor<1xi64>",
       "(%q: tensor<1x9x1x64xf32> {graph.name = \"q\"}, "
       "%y: tensor<1x9x1x4xf32> {graph.name = \"y\"}) -> "
       "(tensor<1x9x1x4xf32> {graph.name = \"r\"})",
       "%k = graph.read @k : !graph.cache<1x20x1x64xf32>\n"
       "%v = graph.read @v : !graph.cache<1x20x1x4xf32>\n"
       "%n = graph.read @n : tensor<1xi64>\n"
       "%k1 = graph.cache_append %k, %q, %n : !graph.cache<1x20x1x64xf32>, "
       "tensor<1x9x1x64xf32>, tensor<1xi64>\n"
       "%v1 = graph.cache_append %v, %y, %n : !graph.cache<1x20x1x4xf32>, "
       "tensor<1x9x1x4xf32>, tensor<1xi64>\n"
       "%c = graph.constant dense<9> : tensor<1xi64>\n"
       "%u = graph.add %n, %c : tensor<1xi64>, tensor<1xi64>\n"
       "%r, %l = graph.attention %q, %k1, %v1 offsets %n lengths %u scale 0.1 causal : "
       "tensor<1x9x1x64xf32>, !graph.cache<1x20x1x64xf32>, !graph.cache<1x20x1x4xf32> offsets "
       "tensor<1xi64> lengths tensor<1xi64>\n"
       "graph.write %k1, @k : !graph.cache<1x20x1x64xf32>\n"
       "graph.write %v1, @v : !graph.cache<1x20x1x4xf32>\n"
       "return %r : tensor<1x9x1x4xf32>"},
      {"MaskIsTransposed", "",
       "(%x: tensor<?x?x2x5xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"x\"}, "
       "%m: tensor<?x?xi64, #graph.dims<[seq, batch]>> {graph.name = \"m\"}) -> "
       "(tensor<?x?x2x5xf32, #graph.dims<[batch, seq, _, _]>> {graph.name = \"r\"})",
       "%t = graph.transpose %m [1, 0] : tensor<?x?xi64, #graph.dims<[seq, batch]>>\n"
       "%r, %l = graph.attention %x, %x, %x mask %t scale 0.5 : tensor<?x?x2x5xf32, "
       "#graph.dims<[batch, seq, _, _]>>, tensor<?x?x2x5xf32, #graph.dims<[batch, seq, _, _]>>, "
       "tensor<?x?x2x5xf32, #graph.dims<[batch, seq, _, _]>> mask tensor<?x?xi64, "
       "#graph.dims<[batch, seq]>>\n"
       "return %r : tensor<?x?x2x5xf32, #graph.dims<[batch, seq, _, _]>>"},
      {"MaskIsTransposedInARegion", "",
       "(%x: tensor<2x5x2x5xf32> {graph.name = \"x\"}, %m: tensor<5x2xi64> {graph.name = \"m\"}) "
       "-> (tensor<2x5x2x5xf32> {graph.name = \"r\"})",
       "%r = graph.fused \"mine\" (%a = %x : tensor<2x5x2x5xf32>, %b = %m : tensor<5x2xi64>) -> "
       "tensor<2x5x2x5xf32> {\n%t = graph.transpose %b [1, 0] : tensor<5x2xi64>\n"
       "%o, %l = graph.attention %a, %a, %a mask %t scale 0.5 : tensor<2x5x2x5xf32>, "
       "tensor<2x5x2x5xf32>, tensor<2x5x2x5xf32> mask tensor<2x5xi64>\n"
       "graph.yield %o : tensor<2x5x2x5xf32>\n}\nreturn %r : tensor<2x5x2x5xf32>"},
      {"AttentionOfSeveralBlocks", "!h = tensor<2x300x2x20xf32>\n!m = tensor<2x300xi64>",
       "(%x: !h {graph.name = \"x\"}, %m: !m {graph.name = \"m\"}) -> (!h {graph.name = \"r\"}, "
       "!h {graph.name = \"s\"}, !h {graph.name = \"t\"})",
       "%r, %0 = graph.attention %x, %x, %x mask %m scale 0.3 : !h, !h, !h mask !m\n"
       "%s, %1 = graph.attention %x, %x, %x mask %m scale 0.3 causal : !h, !h, !h mask !m\n"
       "%t, %2 = graph.attention %x, %x, %x scale 0.3 causal window 20 : !h, !h, !h\n"
       "return %r, %s, %t : !h, !h, !h"},
      {"DeepProducts",
       "graph.state parameter model @a init normal stddev 0.1 : tensor<531x70xf32>\n"
       "graph.state parameter model @b init normal stddev 0.1 : tensor<70x531xbf16>",
       "(%x: tensor<?x531xf32, #graph.dims<[seq, _]>> {graph.name = \"x\"}) -> "
       "(tensor<?x70xf32, #graph.dims<[seq, _]>> {graph.name = \"r\"}, "
       "tensor<?x70xf32, #graph.dims<[seq, _]>> {graph.name = \"s\"})",
       "%a = graph.read @a : tensor<531x70xf32>\n%b = graph.read @b : tensor<70x531xbf16>\n"
       "%r = graph.matmul %x, %a : tensor<?x531xf32, #graph.dims<[seq, _]>>, tensor<531x70xf32>\n"
       "%s = graph.matmul %x, %b transpose_b : tensor<?x531xf32, #graph.dims<[seq, _]>>, "
       "tensor<70x531xbf16>\n"
       "return %r, %s : tensor<?x70xf32, #graph.dims<[seq, _]>>, "
       "tensor<?x70xf32, #graph.dims<[seq, _]>>"},
      {"ConstantsOfBooleans", "",
       "(%x: tensor<3xf32> {graph.name = \"x\"}) -> (tensor<3xf32> {graph.name = \"r\"}, "
       "tensor<3xi1> {graph.name = \"s\"})",
       "%c = graph.constant dense<[true, false, true]> : tensor<3xi1>\n"
       "%d = graph.constant dense<true> : tensor<3xi1>\n%n = graph.neg %x : tensor<3xf32>\n"
       "%r = graph.select %c, %x, %n : tensor<3xi1>, tensor<3xf32>, tensor<3xf32>\n"
       "%s = graph.compare eq %c, %d : tensor<3xi1>, tensor<3xi1>\n"
       "return %r, %s : tensor<3xf32>, tensor<3xi1>"},
      {"Reductions", "",
       "(%x: tensor<?x?x3xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"x\"}) -> "
       "(tensor<?x3xf32, #graph.dims<[batch, _]>> {graph.name = \"r\"}, tensor<?x3xf32, "
       "#graph.dims<[batch, _]>> {graph.name = \"s\"})",
       "%r = graph.reduce sum %x axis 1 : tensor<?x?x3xf32, #graph.dims<[batch, seq, _]>>\n"
       "%s = graph.reduce max %x axis 1 : tensor<?x?x3xf32, #graph.dims<[batch, seq, _]>>\n"
       "return %r, %s : tensor<?x3xf32, #graph.dims<[batch, _]>>, tensor<?x3xf32, "
       "#graph.dims<[batch, _]>>"},
      {"IntegersOfI32", "graph.state parameter model @t init normal stddev 1.0 : tensor<4x5xf32>",
       "(%x: tensor<?x?xi32, #graph.dims<[batch, seq]>> {graph.name = \"x\"}) -> "
       "(tensor<?x?x5xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"r\"}, tensor<?x?xi32, "
       "#graph.dims<[batch, seq]>> {graph.name = \"s\"})",
       "%t = graph.read @t : tensor<4x5xf32>\n"
       "%r = graph.embedding %t, %x : tensor<4x5xf32>, tensor<?x?xi32, #graph.dims<[batch, seq]>>\n"
       "%s = graph.cumsum %x axis 1 : tensor<?x?xi32, #graph.dims<[batch, seq]>>\n"
       "return %r, %s : tensor<?x?x5xf32, #graph.dims<[batch, seq, _]>>, tensor<?x?xi32, "
       "#graph.dims<[batch, seq]>>"},
      {"BooleanArithmetic", "",
       "(%x: tensor<5x5xi1> {graph.name = \"x\"}, %y: tensor<5x5xi1> {graph.name = \"y\"}) -> "
       "(tensor<5x5xi1> {graph.name = \"r\"}, tensor<5x5xi1> {graph.name = \"s\"}, tensor<5x5xi1> "
       "{graph.name = \"t\"}, tensor<5xi1> {graph.name = \"u\"})",
       "%r = graph.max %x, %y : tensor<5x5xi1>, tensor<5x5xi1>\n"
       "%s = graph.min %x, %y : tensor<5x5xi1>, tensor<5x5xi1>\n"
       "%t = graph.compare lt %x, %y : tensor<5x5xi1>, tensor<5x5xi1>\n"
       "%u = graph.reduce max %x axis 1 : tensor<5x5xi1>\n"
       "return %r, %s, %t, %u : tensor<5x5xi1>, tensor<5x5xi1>, tensor<5x5xi1>, tensor<5xi1>"},
      {"NoElements", "",
       "(%x: tensor<0x4xf32> {graph.name = \"x\"}, %y: tensor<4xf32> {graph.name = \"y\"}) -> "
       "(tensor<0x4xf32> {graph.name = \"r\"}, tensor<4xf32> {graph.name = \"s\"})",
       "%r = graph.neg %x : tensor<0x4xf32>\n"
       "%s = graph.neg %y : tensor<4xf32>\n"
       "return %r, %s : tensor<0x4xf32>, tensor<4xf32>"},
      {"TiedHalfTable",
       "graph.state parameter model @t init normal stddev 1.0 : tensor<37x13xbf16>",
       "(%x: tensor<?x?xi32, #graph.dims<[batch, seq]>> {graph.name = \"x\"}) -> "
       "(tensor<?x?x37xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"r\"})",
       "%t = graph.read @t : tensor<37x13xbf16>\n"
       "%e = graph.embedding %t, %x as f32 : tensor<37x13xbf16>, tensor<?x?xi32, "
       "#graph.dims<[batch, seq]>>\n"
       "%r = graph.matmul %e, %t transpose_b : tensor<?x?x13xf32, #graph.dims<[batch, seq, _]>>, "
       "tensor<37x13xbf16>\nreturn %r : tensor<?x?x37xf32, #graph.dims<[batch, seq, _]>>"},
      {"PartlyRotated",
       "!x = tensor<?x?x3x11xf32, #graph.dims<[batch, seq, _, _]>>\n"
       "!p = tensor<?x?xi32, #graph.dims<[batch, seq]>>\n"
       "!t = tensor<?x?x3xf32, #graph.dims<[batch, seq, _]>>",
       "(%x: !x {graph.name = \"x\"}, %p: !p {graph.name = \"p\"}) -> (!x {graph.name = \"r\"}, "
       "!x {graph.name = \"s\"})",
       "%f = graph.constant dense<[1.0, 0.25, 0.03]> : tensor<3xf32>\n"
       "%c, %d = graph.rope_table %p, %f scale 1.5 : !p, tensor<3xf32>\n"
       "%r = graph.rope %x, %c, %d : !x, !t, !t\n"
       "%s = graph.rope %x, %c, %d interleaved : !x, !t, !t\nreturn %r, %s : !x, !x"},
      {"HalfActivations",
       "!x = tensor<?x?x19xbf16, #graph.dims<[batch, seq, _]>>\n"
       "!f = tensor<?x?x19xf32, #graph.dims<[batch, seq, _]>>",
       "(%y: !f {graph.name = \"y\"}) -> (!f {graph.name = \"r\"})",
       "%x = graph.cast %y : !f to !x\n%s = graph.softmax %x : !x\n"
       "%t = graph.add %s, %x : !x, !x\n%r = graph.cast %t : !x to !f\nreturn %r : !f"},
      {"IntegerReductions",
       "!x = tensor<?x?xi32, #graph.dims<[batch, seq]>>\n!y = tensor<?xi32, "
       "#graph.dims<[batch]>>",
       "(%x: !x {graph.name = \"x\"}) -> (!y {graph.name = \"p\"}, !y {graph.name = \"q\"}, !y "
       "{graph.name = \"r\"}, !y {graph.name = \"s\"})",
       "%p = graph.reduce sum %x axis 1 : !x\n%q = graph.reduce max %x axis 1 : !x\n"
       "%r = graph.reduce min %x axis 1 : !x\n%s = graph.reduce mean %x axis 1 : !x\n"
       "return %p, %q, %r, %s : !y, !y, !y, !y"},
      {"GroupedAttentionOfViews",
       "!a = tensor<?x?x90xf32, #graph.dims<[batch, seq, _]>>\n"
       "!b = tensor<?x?x30xf32, #graph.dims<[batch, seq, _]>>\n"
       "!q = tensor<?x?x6x10xf32, #graph.dims<[batch, seq, _, _]>>\n"
       "!k = tensor<?x?x2x10xf32, #graph.dims<[batch, seq, _, _]>>\n"
       "!t = tensor<?x2x?x10xf32, #graph.dims<[batch, _, seq, _]>>\n"
       "!m = tensor<?x?xi32, #graph.dims<[batch, seq]>>\n"
       "!s = tensor<?x2x?xi32, #graph.dims<[batch, _, seq]>>\n"
       "!u = tensor<?x1x?xi32, #graph.dims<[batch, _, seq]>>",
       "(%x: !a {graph.name = \"x\"}, %v: !t {graph.name = \"v\"}, %n: !s {graph.name = \"n\"}) -> "
       "(tensor<?x?x60xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"r\"})",
       "%0 = graph.slice %x axis 2 from 3 size 60 : !a\n"
       "%q = graph.reshape %0 : tensor<?x?x60xf32, #graph.dims<[batch, seq, _]>> to !q\n"
       "%1 = graph.slice %x axis 2 from 70 size 20 : !a\n"
       "%k = graph.reshape %1 : tensor<?x?x20xf32, #graph.dims<[batch, seq, _]>> to !k\n"
       "%2 = graph.transpose %v [0, 2, 1, 3] : !t\n%3 = graph.slice %n axis 1 from 1 size 1 : !s\n"
       "%m = graph.reshape %3 : !u to !m\n"
       "%r, %l = graph.attention %q, %k, %2 mask %m scale 0.3 causal window 3 : !q, !k, !k mask "
       "!m\n"
       "%4 = graph.reshape %r : !q to tensor<?x?x60xf32, #graph.dims<[batch, seq, _]>>\n"
       "return %4 : tensor<?x?x60xf32, #graph.dims<[batch, seq, _]>>"},
      {"RegionOfConstants", "",
       "(%x: tensor<9xf32> {graph.name = \"x\"}) -> (tensor<9xf32> {graph.name = \"r\"})",
       "%c = graph.constant dense<2.5> : tensor<9xf32>\n"
       "%r = graph.fused \"mine\" (%a = %x : tensor<9xf32>, %b = %c : tensor<9xf32>) -> "
       "tensor<9xf32> {\n%0 = graph.mul %a, %b : tensor<9xf32>, tensor<9xf32>\n"
       "graph.yield %0 : tensor<9xf32>\n}\nreturn %r : tensor<9xf32>"},
      {"GatherOfReshaped",
       "!x = tensor<?x?x12xf32, #graph.dims<[batch, seq, _]>>\n"
       "!y = tensor<?x?x4x1x3xf32, #graph.dims<[batch, seq, _, _, _]>>\n"
       "!z = tensor<?x4x1x3xf32, #graph.dims<[batch, _, _, _]>>\n"
       "!i = tensor<?xi32, #graph.dims<[batch]>>",
       "(%x: !x {graph.name = \"x\"}, %i: !i {graph.name = \"i\"}) -> (!z {graph.name = \"r\"}, "
       "tensor<?x3x1x4xf32, #graph.dims<[batch, _, _, _]>> {graph.name = \"s\"})",
       "%0 = graph.exp %x : !x\n%1 = graph.reshape %0 : !x to !y\n"
       "%r = graph.gather %1, %i : !y, !i\n%s = graph.transpose %r [0, 3, 2, 1] : !z\n"
       "return %r, %s : !z, tensor<?x3x1x4xf32, #graph.dims<[batch, _, _, _]>>"},
      {"ProductOfWidthOne",
       "graph.state parameter model @a init normal stddev 1.0 : tensor<1x1xf32>\n"
       "!x = tensor<?x?x1xf32, #graph.dims<[batch, seq, _]>>",
       "(%x: !x {graph.name = \"x\"}, %y: tensor<5xf32> {graph.name = \"y\"}) -> "
       "(tensor<?x?x5xf32, #graph.dims<[batch, seq, _]>> {graph.name = \"r\"})",
       "%a = graph.read @a : tensor<1x1xf32>\n%0 = graph.matmul %x, %a : !x, tensor<1x1xf32>\n"
       "%r = graph.add %0, %y : !x, tensor<5xf32>\n"
       "return %r : tensor<?x?x5xf32, #graph.dims<[batch, seq, _]>>"},
  };
}

std::vector<ModuleCase> getNarrowCacheCases() {
  std::vector<ModuleCase> cases;
  const std::regex keys("(graph\\.cache<\\d+x\\d+x\\d+x(13|64)x)f32>"),
      values("(graph\\.cache<\\d+x\\d+x\\d+x(7|4)x)f32>");
  for (const ModuleCase &wide : getModuleCases())
    for (auto [name, key, value] : {std::array<const char *, 3>{"BF16", "bf16", "bf16"},
                                    {"F16", "f16", "f16"},
                                    {"Mixed", "f16", "bf16"}}) {
      ModuleCase narrow = wide;
      narrow.name += name;
      for (std::string *text : {&narrow.declarations, &narrow.body}) {
        *text = std::regex_replace(*text, keys, std::string("$1") + key + ">");
        *text = std::regex_replace(*text, values, std::string("$1") + value + ">");
      }
      if (narrow.declarations != wide.declarations)
        cases.push_back(std::move(narrow));
    }
  return cases;
}

std::vector<ModuleCase> getMovedCases() {
  const std::string state = "graph.state parameter model @w init normal stddev 1.0 : ",
                    square = state + "tensor<5x5xf32>", type = "tensor<5x5xf32>\n",
                    product = "tensor<5x5xf32>, tensor<5x5xf32>\n",
                    read = "%w = graph.read @w : " + type,
                    row = read + "%k = graph.add %x, %w : " + product,
                    sums = read + "%m = graph.matmul %x, %w : " + product,
                    signature = "(%x: tensor<5x5xf32> {graph.name = \"x\"}) -> (tensor<5x5xf32> "
                                "{graph.name = \"r\"})",
                    tanh = "%a = graph.tanh %m : " + type, end = "return %r : tensor<5x5xf32>";
  const std::string transposed =
      "%t = graph.transpose %m [1, 0] : " + type + "%r = graph.add %a, %t : " + product;
  const std::string oneRow = "%s = graph.slice %m axis 0 from 2 size 1 : " + type +
                             "%r = graph.sub %a, %s : tensor<5x5xf32>, tensor<1x5xf32>\n";
  return {
      {"ProductAndTransposed", square, signature, sums + tanh + transposed + end},
      {"ProductAndColumn", state + "tensor<5x40xf32>",
       "(%x: tensor<5x5xf32> {graph.name = \"x\"}) -> (tensor<5x40xf32> {graph.name = \"r\"})",
       "%w = graph.read @w : tensor<5x40xf32>\n"
       "%m = graph.matmul %x, %w : tensor<5x5xf32>, tensor<5x40xf32>\n"
       "%a = graph.tanh %m : tensor<5x40xf32>\n"
       "%s = graph.slice %m axis 1 from 0 size 1 : tensor<5x40xf32>\n"
       "%r = graph.sub %a, %s : tensor<5x40xf32>, tensor<5x1xf32>\nreturn %r : tensor<5x40xf32>"},
      {"ProductAndRow", square, signature, sums + tanh + oneRow + end},
      {"SoftmaxAndTransposed", square, signature,
       row + "%m = graph.softmax %k : " + type + tanh + transposed + end},
      {"SoftmaxAndRow", square, signature,
       row + "%m = graph.softmax %k : " + type + tanh + oneRow + end},
      {"NormAndRow", square, signature,
       row +
           "%g = graph.constant dense<1.5> : tensor<5xf32>\n"
           "%m = graph.rms_norm %k, %g epsilon 1.0e-5 : tensor<5x5xf32>, tensor<5xf32>\n" +
           tanh + oneRow + end},
      {"NormAndItsOperandTransposed", square, signature,
       row +
           "%g = graph.constant dense<1.5> : tensor<5xf32>\n"
           "%a = graph.rms_norm %k, %g epsilon 1.0e-5 : tensor<5x5xf32>, tensor<5xf32>\n"
           "%t = graph.transpose %k [1, 0] : tensor<5x5xf32>\n%r = graph.add %a, %t : " +
           product + end},
  };
}

} // namespace ashlar::test
