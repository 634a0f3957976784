// RUN: ashlar-opt %s --split-input-file --verify-diagnostics --ashlar-verify-program

// expected-error @+1 {{lies at 8, which is no multiple of 64}}
program.weight @w f32 plain [4] at 8 bytes 16 [#program.part<"w", f32, [4], straight, none, 0.0>]

// -----

// expected-error @+1 {{has depth K = 8, but its part "w" has 6}}
program.weight @w f32 panel_f32 [8, 4] at 0 bytes 1024 [#program.part<"w", f32, [4, 6], transposed, none, 0.0>]

// -----

// expected-error @+1 {{has parts of 4 together where its shape has 12}}
program.weight @w f32 panel_f32 [8, 12] at 0 bytes 1024 [#program.part<"w", f32, [4, 8], transposed, none, 0.0>]

// -----

// expected-error @+1 {{has an arena of 10 bytes, below its lower bound 20}}
program.entry @f arena 10 lower_bound 20 {}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 256 lower_bound 0 {
  // expected-error @+1 {{gives 1 operands to @k, which takes 2}}
  program.launch @k [#program.operand<arena, 0, 64>] extents [] work []
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 256 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-error @+1 {{operand #1 #program.operand<arena, 224, 64> lies outside its space of 256 bytes}}
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 224, 64>] extents [] work []
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 256 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // The second launch reads what the first one overwrote.
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 32, 64>] extents [] work []
  // expected-error @+1 {{operand #0 #program.operand<arena, 0, 64> reads arena bytes that nothing wrote, or that were overwritten since}}
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 128, 64>] extents [] work []
}

// -----

program.weight @w f32 plain [16] at 0 bytes 64 [#program.part<"w", f32, [16], straight, none, 0.0>]
program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 256 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-error @+1 {{operand #1 writes #program.operand<weights, 0, 64>, which is read-only}}
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<weights, 0, 64>] extents [] work []
}

// -----

program.entry @f arena 256 lower_bound 0 {
  // expected-error @+1 {{gives arena bytes that nothing wrote, or that were overwritten since}}
  program.output "y" f32 [#program.extent<16>] at 0 bytes 64
}

// -----

program.entry @f arena 256 lower_bound 0 {
  // expected-error @+1 {{runs @missing, which is no program.kernel}}
  program.launch @missing [] extents [] work []
}

// -----

program.entry @f arena 256 lower_bound 0 {
  // expected-error @+1 {{an extent is divided by at least 1, found 0}}
  program.output "y" f32 [#program.extent<16 ceildiv 0>] at 0 bytes 64
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-note @+1 {{it was started here, and is not waited for before}}
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 64, 64> [#program.extent<16>] to [#program.extent<16>] started
  // expected-error @+1 {{reads #program.operand<arena, 64, 64>, which a collective uses meanwhile}}
  program.launch @k [#program.operand<arena, 64, 64>, #program.operand<arena, 128, 64>] extents [] work []
  program.wait 0
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-note @+1 {{it was started here}}
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 64, 64> [#program.extent<16>] to [#program.extent<16>] started
  // expected-error @+1 {{writes #program.operand<arena, 32, 64>, which a collective uses meanwhile}}
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 32, 64>] extents [] work []
  program.wait 0
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // What it reads others may read, too, and behind the wait everything is as it was.
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 64, 64> [#program.extent<16>] to [#program.extent<16>] started
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 128, 64>] extents [] work []
  program.wait 0
  program.launch @k [#program.operand<arena, 64, 64>, #program.operand<arena, 0, 64>] extents [] work []
  // expected-error @+1 {{waits for collective 0, which is not under way}}
  program.wait 0
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 64, 64> [#program.extent<16>] to [#program.extent<16>]
  // expected-error @+1 {{waits for collective 0, which is not under way}}
  program.wait 0
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-error @+1 {{is started and never waited for}}
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 64, 64> [#program.extent<16>] to [#program.extent<16>] started
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-error @+1 {{is started; only what all ranks of a group do together is, and sends}}
  program.collective recv sum f32 cuts [1, 2] axis 0 join 0 to <arena, 0, 64> [] to [#program.extent<16>] peer 1 started
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // A send goes on until the entry runs again.
  // expected-note @+1 {{it was started here}}
  program.collective send sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> [#program.extent<16>] to [] peer 1 started
  // expected-error @+1 {{writes #program.operand<arena, 32, 64>, which a collective uses meanwhile}}
  program.launch @k [#program.operand<arena, 0, 64>, #program.operand<arena, 32, 64>] extents [] work []
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  program.collective send sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> [#program.extent<16>] to [] peer 1 started
  // expected-error @+1 {{waits for collective 0, which is not under way}}
  program.wait 0
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // A sum may take its input's place, and nothing else.
  program.collective all_reduce sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 0, 64> [#program.extent<16>] to [#program.extent<16>]
  // expected-error @+1 {{has an output on top of its input}}
  program.collective all_gather sum f32 cuts [1, 2] axis 0 join 0 from <arena, 0, 64> to <arena, 0, 128> [#program.extent<16>] to [#program.extent<32>]
}

// -----

program.kernel @k of ["neg"] accesses [0, 1] extents [] grid [] scratch 0 body @b
program.entry @f arena 512 lower_bound 0 {
  program.input "x" f32 [#program.extent<16>] at 0 bytes 64
  // expected-error @+1 {{has a workspace on top of its output}}
  program.collective all_gather sum f32 cuts [1, 2] axis 1 join 0 from <arena, 0, 64> to <arena, 128, 128> workspace <arena, 192, 128> [#program.extent<2>, #program.extent<8>] to [#program.extent<2>, #program.extent<16>]
}
