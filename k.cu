// rope_table
// rotary_emb.rope_table, and 3 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch, seq]
  const float *in1; // [3]
  float *out0; // [batch, seq, 3]
  float *out1; // [batch, seq, 3]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(rope_table_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  float *const out1 = p.out1;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= 3 * batch * seq)
    return;
  const int32 i = group % 3;
  const int32 q = group / 3;
  const int32 i1 = q % seq;
  const int32 q1 = q / seq;
  const int32 i2 = q1;
  const int32 at1 = i2 * seq + i1;
  const int64 in0_ = in0[at1];
  const float in1_ = in1[i];
  const float angle = static_cast<float>(in0_) * in1_;
  const float cosine = cos(angle) * 1.0f;
  const float sine = sin(angle) * 1.0f;
  out0[group] = cosine;
  out1[group] = sine;
}

} // namespace ashlar

// embedding + rms_norm
// embed_tokens.embedding, and 1 more like it
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [53, 24]
  const int64 *in1; // [batch, seq]
  const float *in2; // [24]
  float *out0; // [batch, seq, 24]
  float *out1; // [batch, seq, 24]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(embedding_rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const int64 *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  float *const out1 = p.out1;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch * seq)
    return;
  const int32 width = 24, base = row * width;
  const int32 i = row % seq;
  const int32 q = row / seq;
  const int32 i1 = q;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const int32 at1 = i1 * seq + i;
      const int64 in1_ = in1[at1];
      const bool inside = in1_ >= 0 && in1_ < 53;
      const int64 row1 = inside ? in1_ : 0;
      const int32 at2 = row1 * 24 + column;
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + at2);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float embedding_ = inside ? in0_.element[lane] : 0.0f;
        x[g][lane] = embedding_;
        squares = Sum::combine(squares, embedding_ * embedding_);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in2_ = load_vector<float, 4>(in2 + column);
      Vec<float, 4> out0_;
      Vec<float, 4> out1_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in2_.element[lane];
        out0_.element[lane] = x[g][lane];
        out1_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
      store_vector<float, 4>(out1 + base + column, out1_);
    }
  }
}

} // namespace ashlar

// matmul
// layers.0.self_attn.{q_proj,k_proj,v_proj}.matmul, and 3 more like it
#include "product_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 24]
  const float *in1; // [48, 24]
  float *out0; // [batch, seq, 48]
  int64 batch;
  int64 seq;
};

using Shape = FmaProductShape<32, 32, 16, 1, 4>;
ASHLAR_SHARED(matmul_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][4]) {
    const int32 at1 = static_cast<int32>(row) * 48 + column;
    Vec<float, 4> out0_;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      out0_.element[lane] = product[0][lane];
    }
    store_vector<float, 4>(out0 + at1, out0_);
  };
  product_fma<Shape>(left, weights, batch * seq, 48, 24, epilogue);
}

} // namespace ashlar

// slice + reshape + rope + slice + reshape + rope + slice + reshape + attention
// layers.0.self_attn.attention, and 1 more like it
#include "attention_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 48]
  const float *in1; // [batch, seq, 3]
  const float *in2; // [batch, seq, 3]
  const int64 *in3; // [batch, seq]
  float *out0; // [batch, seq, 4, 6]
  int64 batch;
  int64 seq;
};

using Shape = FmaAttentionShape<32, 4, 32, 6, 6>;
ASHLAR_SHARED(rope_rope_attention_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(rope_rope_attention_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  const int64 *const in3 = p.in3;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const int32 key_head = block_y(), sequence = block_z();
  constexpr int32 kGroup = 2; // heads of a key head
  AttentionRange range;
  range.rows = static_cast<int32>(seq) * kGroup;
  range.first = 0;
  range.end = static_cast<int32>(seq);
  // Keys behind the block's last query, or before the window of its first, hide.
  const int32 behind = minimum(static_cast<int32>(block_x() + 1) * Shape::kRows, range.rows);
  range.end = minimum(range.end, (behind - 1) / kGroup + 1);
  auto query = [&](int32 row, int32 column) {
    const int32 at1 = row / kGroup;
    const int32 head1 = key_head * kGroup + row % kGroup;
    const bool second = column >= 3;
    const int32 pair = second ? column - 3 : column;
    const int32 partner = second ? pair : column + 3;
    const float in0_ = in0[sequence * (48 * seq) + at1 * 48 + head1 * 6 + column];
    const float in0_1 = in0[sequence * (48 * seq) + at1 * 48 + head1 * 6 + partner];
    const int32 at2 = (sequence * seq + at1) * 3 + pair;
    const float in1_ = in1[at2];
    const float in2_ = in2[at2];
    const float rope_ = in0_ * in1_ + in0_1 * (second ? in2_ : -in2_);
    return rope_;
  };
  auto keys = [&](int32 key, int32 column) {
    const int32 at3 = key;
    const bool second1 = column >= 3;
    const int32 pair1 = second1 ? column - 3 : column;
    const int32 partner1 = second1 ? pair1 : column + 3;
    const float in0_2 = in0[24 + sequence * (48 * seq) + at3 * 48 + key_head * 6 + column];
    const float in0_3 = in0[24 + sequence * (48 * seq) + at3 * 48 + key_head * 6 + partner1];
    const int32 at4 = (sequence * seq + at3) * 3 + pair1;
    const float in1_1 = in1[at4];
    const float in2_1 = in2[at4];
    const float rope_1 = in0_2 * in1_1 + in0_3 * (second1 ? in2_1 : -in2_1);
    return rope_1;
  };
  auto values = [&](int32 key, int32 column) {
    const int32 at5 = key;
    const float in0_4 = in0[36 + sequence * (48 * seq) + at5 * 48 + key_head * 6 + column];
    return in0_4;
  };
  auto sees = [&](int32 row, int32 key) {
    const int64 position = row / kGroup;
    const int32 at6 = sequence * seq + key;
    const int64 in3_ = in3[at6];
    return key <= position && in3_ != 0;
  };
  auto finish = [&](int32 row, int32 column, float value) {
    const int32 at7 = ((sequence * seq + row / kGroup) * 4 + key_head * kGroup + row % kGroup) * 6 + column;
    out0[at7] = value;
  };
  auto logsumexp = [&](int32 row, float value) {
  };
  attention_fma<Shape>(range, 0.408248305f, query, keys, values, sees, finish, logsumexp);
}

} // namespace ashlar

// reshape + matmul + add
// layers.0.self_attn.o_proj.matmul, and 3 more like it
#include "product_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 4, 6]
  const float *in1; // [24, 24]
  const float *in2; // [batch, seq, 24]
  float *out0; // [batch, seq, 24]
  int64 batch;
  int64 seq;
};

using Shape = FmaProductShape<32, 32, 16, 1, 4>;
ASHLAR_SHARED(matmul_add_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_add_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][4]) {
    const int32 at1 = static_cast<int32>(row) * 24 + column;
    const Vec<float, 4> in2_ = load_vector<float, 4>(in2 + at1);
    Vec<float, 4> out0_;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float add_ = in2_.element[lane] + product[0][lane];
      out0_.element[lane] = add_;
    }
    store_vector<float, 4>(out0 + at1, out0_);
  };
  product_fma<Shape>(left, weights, batch * seq, 24, 24, epilogue);
}

} // namespace ashlar

// rms_norm
// layers.0.post_attention_layernorm.rms_norm, and 6 more like it
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 24]
  const float *in1; // [24]
  float *out0; // [batch, seq, 24]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch * seq)
    return;
  const int32 width = 24, base = row * width;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + base + column);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        x[g][lane] = in0_.element[lane];
        squares = Sum::combine(squares, in0_.element[lane] * in0_.element[lane]);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in1_ = load_vector<float, 4>(in1 + column);
      Vec<float, 4> out0_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in1_.element[lane];
        out0_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
    }
  }
}

} // namespace ashlar

// matmul + silu + matmul + mul
// layers.0.mlp.gate_proj.matmul, and 3 more like it
#include "product_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 24]
  const float *in1; // [17, 24]
  const float *in2; // [17, 24]
  float *out0; // [batch, seq, 17]
  int64 batch;
  int64 seq;
};

using Shape = FmaProductShape<32, 32, 16, 2, 1>;
ASHLAR_SHARED(matmul_silu_matmul_mul_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_silu_matmul_mul_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[2] = {{in1, 24}, {in2, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[2][1]) {
    const int32 at1 = static_cast<int32>(row) * 17 + column;
    const float t_ = -(product[0][0]);
    const float t_1 = exp(t_);
    const float t_2 = 1.0f + t_1;
    const float t_3 = 1.0f / t_2;
    const float silu_ = product[0][0] * t_3;
    const float mul_ = silu_ * product[1][0];
    out0[at1] = mul_;
  };
  product_fma<Shape>(left, weights, batch * seq, 17, 24, epilogue);
}

} // namespace ashlar

// matmul + add
// layers.0.mlp.down_proj.matmul, and 3 more like it
#include "product_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 17]
  const float *in1; // [24, 17]
  const float *in2; // [batch, seq, 24]
  float *out0; // [batch, seq, 24]
  int64 batch;
  int64 seq;
};

using Shape = FmaProductShape<32, 32, 16, 1, 4>;
ASHLAR_SHARED(matmul_add_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_add_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const Matrix<float, false> left{in0, 17};
  const Matrix<float, false> weights[1] = {{in1, 17}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][4]) {
    const int32 at1 = static_cast<int32>(row) * 24 + column;
    const Vec<float, 4> in2_ = load_vector<float, 4>(in2 + at1);
    Vec<float, 4> out0_;
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float add_ = in2_.element[lane] + product[0][lane];
      out0_.element[lane] = add_;
    }
    store_vector<float, 4>(out0 + at1, out0_);
  };
  product_fma<Shape>(left, weights, batch * seq, 24, 17, epilogue);
}

} // namespace ashlar

// matmul
// lm_head.matmul
#include "product_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 24]
  const float *in1; // [53, 24]
  float *out0; // [batch, seq, 53]
  int64 batch;
  int64 seq;
};

using Shape = FmaProductShape<32, 32, 16, 1, 1>;
ASHLAR_SHARED(matmul_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][1]) {
    const int32 at1 = static_cast<int32>(row) * 53 + column;
    out0[at1] = product[0][0];
  };
  product_fma<Shape>(left, weights, batch * seq, 53, 24, epilogue);
}

} // namespace ashlar

// add
// lengths.add, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  const int64 *in1; // [batch]
  int64 *out0; // [batch]
  int64 batch;
};

ASHLAR_KERNEL(add_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  const int64 *const in1 = p.in1;
  int64 *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= batch)
    return;
  const int64 in0_ = in0[group];
  const int64 in1_ = in1[group];
  const int64 add_ = in0_ + in1_;
  out0[group] = add_;
}

} // namespace ashlar

// iota + reshape + add
// lengths.add_1, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  int64 *out0; // [batch, seq]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(add_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  int64 *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= batch * seq)
    return;
  const int32 i = group % seq;
  const int32 q = group / seq;
  const int32 i1 = q;
  const int64 iota = i;
  const int32 at1 = i1;
  const int64 in0_ = in0[at1];
  const int64 add_ = iota + in0_;
  out0[group] = add_;
}

} // namespace ashlar

// slice + reshape + rope + cache_append + slice + reshape + cache_append
// layers.0.self_attn.cache_append, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 48]
  const float *in1; // [batch, seq, 3]
  const float *in2; // [batch, seq, 3]
  float *in3; // [3, 30, 2, 6]
  const int64 *in4; // [batch]
  float *in5; // [3, 30, 2, 6]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(rope_cache_append_cache_append_kernel, 256, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const in3 = p.in3;
  const int64 *const in4 = p.in4;
  float *const in5 = p.in5;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const int32 item = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (item < 12 * batch * seq) {
    const int32 i = item % 6;
    const int32 q = item / 6;
    const int32 i1 = q % 2;
    const int32 q1 = q / 2;
    const int32 i2 = q1 % seq;
    const int32 q2 = q1 / seq;
    const int32 i3 = q2;
    const int64 in4_ = in4[i3];
    const int64 position = in4_ + i2;
    const bool second = i >= 3;
    const int32 pair = second ? i - 3 : i;
    const int32 partner = second ? pair : i + 3;
    const float in0_ = in0[24 + i3 * (48 * seq) + i2 * 48 + i1 * 6 + i];
    const float in0_1 = in0[24 + i3 * (48 * seq) + i2 * 48 + i1 * 6 + partner];
    const int32 at1 = (i3 * seq + i2) * 3 + pair;
    const float in1_ = in1[at1];
    const float in2_ = in2[at1];
    const float rope_ = in0_ * in1_ + in0_1 * (second ? in2_ : -in2_);
    if (position >= 0 && position < 30)
      in3[((i3 * 2 + i1) * 30 + position) * 6 + i] = rope_;
  }
  if (item < 12 * batch * seq) {
    const int32 i4 = item % 6;
    const int32 q3 = item / 6;
    const int32 i5 = q3 % 2;
    const int32 q4 = q3 / 2;
    const int32 i6 = q4 % seq;
    const int32 q5 = q4 / seq;
    const int32 i7 = q5;
    const int64 in4_1 = in4[i7];
    const int64 position1 = in4_1 + i6;
    const float in0_2 = in0[36 + i7 * (48 * seq) + i6 * 48 + i5 * 6 + i4];
    if (position1 >= 0 && position1 < 30)
      in5[((i7 * 2 + i5) * 30 + position1) * 6 + i4] = in0_2;
  }
}

} // namespace ashlar

// slice + reshape + rope + attention
// layers.0.self_attn.attention, and 1 more like it
#include "attention_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 48]
  const float *in1; // [batch, seq, 3]
  const float *in2; // [batch, seq, 3]
  const float *in3; // [3, 30, 2, 6]
  const float *in4; // [3, 30, 2, 6]
  const int64 *in5; // [batch]
  const int64 *in6; // [batch]
  float *out0; // [batch, seq, 4, 6]
  int64 batch;
  int64 seq;
};

using Shape = FmaAttentionShape<32, 4, 32, 6, 6>;
ASHLAR_SHARED(rope_attention_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(rope_attention_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  const float *const in3 = p.in3;
  const float *const in4 = p.in4;
  const int64 *const in5 = p.in5;
  const int64 *const in6 = p.in6;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  const int32 key_head = block_y(), sequence = block_z();
  constexpr int32 kGroup = 2; // heads of a key head
  const int64 in5_ = in5[sequence];
  const int64 offset = in5_;
  AttentionRange range;
  range.rows = static_cast<int32>(seq) * kGroup;
  range.first = 0;
  range.end = static_cast<int32>(30);
  const int64 in6_ = in6[sequence];
  range.end = minimum(range.end, static_cast<int32>(in6_));
  // Keys behind the block's last query, or before the window of its first, hide.
  const int32 behind = minimum(static_cast<int32>(block_x() + 1) * Shape::kRows, range.rows);
  range.end = minimum(range.end, static_cast<int32>(offset) + (behind - 1) / kGroup + 1);
  auto query = [&](int32 row, int32 column) {
    const int32 at1 = row / kGroup;
    const int32 head1 = key_head * kGroup + row % kGroup;
    const bool second = column >= 3;
    const int32 pair = second ? column - 3 : column;
    const int32 partner = second ? pair : column + 3;
    const float in0_ = in0[sequence * (48 * seq) + at1 * 48 + head1 * 6 + column];
    const float in0_1 = in0[sequence * (48 * seq) + at1 * 48 + head1 * 6 + partner];
    const int32 at2 = (sequence * seq + at1) * 3 + pair;
    const float in1_ = in1[at2];
    const float in2_ = in2[at2];
    const float rope_ = in0_ * in1_ + in0_1 * (second ? in2_ : -in2_);
    return rope_;
  };
  const Matrix<float, false> keys{in3 + (sequence * 2 + key_head) * 180, 6};
  const Matrix<float, false> values{in4 + (sequence * 2 + key_head) * 180, 6};
  auto sees = [&](int32 row, int32 key) {
    const int64 position = offset + row / kGroup;
    return key <= position;
  };
  auto finish = [&](int32 row, int32 column, float value) {
    const int32 at3 = ((sequence * seq + row / kGroup) * 4 + key_head * kGroup + row % kGroup) * 6 + column;
    out0[at3] = value;
  };
  auto logsumexp = [&](int32 row, float value) {
  };
  attention_fma<Shape>(range, 0.408248305f, query, keys, values, sees, finish, logsumexp);
}

} // namespace ashlar

// cast
// lengths.add.copy, and 3 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  int64 *out0; // [batch]
  int64 batch;
};

ASHLAR_KERNEL(cast_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  int64 *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= batch)
    return;
  const int64 in0_ = in0[group];
  out0[group] = in0_;
}

} // namespace ashlar

// constant + sub
// last_token.sub
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  int64 *out0; // [batch]
  int64 batch;
};

ASHLAR_KERNEL(sub_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  int64 *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= batch)
    return;
  const int64 in0_ = in0[group];
  const int64 sub_ = in0_ - 1ll;
  out0[group] = sub_;
}

} // namespace ashlar

// gather + rms_norm
// last_token.gather
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, seq, 24]
  const int64 *in1; // [batch]
  const float *in2; // [24]
  float *out0; // [batch, 24]
  int64 batch;
  int64 seq;
};

ASHLAR_KERNEL(gather_rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const int64 *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 seq = static_cast<int32>(p.seq);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch)
    return;
  const int32 width = 24, base = row * width;
  const int32 i = row;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const int64 in1_ = in1[i];
      const int64 row1 = minimum(maximum(int64(in1_), int64(0)), int64(seq - 1));
      const int32 at1 = (i * seq + row1) * 24 + column;
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + at1);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        x[g][lane] = in0_.element[lane];
        squares = Sum::combine(squares, in0_.element[lane] * in0_.element[lane]);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in2_ = load_vector<float, 4>(in2 + column);
      Vec<float, 4> out0_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in2_.element[lane];
        out0_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
    }
  }
}

} // namespace ashlar

// matmul
// lm_head.matmul, and 1 more like it
#include "product_few_rows.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 24]
  const float *in1; // [53, 24]
  float *out0; // [batch, 53]
  int64 batch;
};

using Shape = FewRowsShape<3, 1, 128>;
ASHLAR_KERNEL(matmul_kernel, Shape::kThreads, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][1]) {
    const int32 at1 = static_cast<int32>(row) * 53 + column;
    out0[at1] = product[0][0];
  };
  product_few_rows<Shape>(left, weights, batch, 53, 24, epilogue);
}

} // namespace ashlar

// constant + add
// lengths.add, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  int64 *out0; // [batch]
  int64 batch;
};

ASHLAR_KERNEL(add_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  int64 *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= batch)
    return;
  const int64 in0_ = in0[group];
  const int64 add_ = in0_ + 1ll;
  out0[group] = add_;
}

} // namespace ashlar

// reshape + rope_table
// rotary_emb.rope_table, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const int64 *in0; // [batch]
  const float *in1; // [3]
  float *out0; // [batch, 1, 3]
  float *out1; // [batch, 1, 3]
  int64 batch;
};

ASHLAR_KERNEL(rope_table_kernel, 256, Parameters, p) {
  const int64 *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  float *const out1 = p.out1;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 group = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (group >= 3 * batch)
    return;
  const int32 i = group % 3;
  const int32 q = group / 3;
  const int32 i1 = q;
  const int32 at1 = i1;
  const int64 in0_ = in0[at1];
  const float in1_ = in1[i];
  const float angle = static_cast<float>(in0_) * in1_;
  const float cosine = cos(angle) * 1.0f;
  const float sine = sin(angle) * 1.0f;
  out0[group] = cosine;
  out1[group] = sine;
}

} // namespace ashlar

// embedding + rms_norm
// embed_tokens.embedding
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [53, 24]
  const int64 *in1; // [batch, 1]
  const float *in2; // [24]
  float *out0; // [batch, 1, 24]
  float *out1; // [batch, 1, 24]
  int64 batch;
};

ASHLAR_KERNEL(embedding_rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const int64 *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  float *const out1 = p.out1;
  const int32 batch = static_cast<int32>(p.batch);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch)
    return;
  const int32 width = 24, base = row * width;
  const int32 i = row;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const int32 at1 = i;
      const int64 in1_ = in1[at1];
      const bool inside = in1_ >= 0 && in1_ < 53;
      const int64 row1 = inside ? in1_ : 0;
      const int32 at2 = row1 * 24 + column;
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + at2);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float embedding_ = inside ? in0_.element[lane] : 0.0f;
        x[g][lane] = embedding_;
        squares = Sum::combine(squares, embedding_ * embedding_);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in2_ = load_vector<float, 4>(in2 + column);
      Vec<float, 4> out0_;
      Vec<float, 4> out1_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in2_.element[lane];
        out0_.element[lane] = x[g][lane];
        out1_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
      store_vector<float, 4>(out1 + base + column, out1_);
    }
  }
}

} // namespace ashlar

// matmul
// layers.0.self_attn.{q_proj,k_proj,v_proj}.matmul, and 1 more like it
#include "product_few_rows.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 24]
  const float *in1; // [48, 24]
  float *out0; // [batch, 1, 48]
  int64 batch;
};

using Shape = FewRowsShape<3, 1, 128>;
ASHLAR_KERNEL(matmul_kernel, Shape::kThreads, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][1]) {
    const int32 at1 = static_cast<int32>(row) * 48 + column;
    out0[at1] = product[0][0];
  };
  product_few_rows<Shape>(left, weights, batch, 48, 24, epilogue);
}

} // namespace ashlar

// slice + reshape + rope + cache_append + slice + reshape + cache_append
// layers.0.self_attn.cache_append, and 1 more like it
#include "device.h"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 48]
  const float *in1; // [batch, 1, 3]
  const float *in2; // [batch, 1, 3]
  float *in3; // [3, 30, 2, 6]
  const int64 *in4; // [batch]
  float *in5; // [3, 30, 2, 6]
  int64 batch;
};

ASHLAR_KERNEL(rope_cache_append_cache_append_kernel, 256, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const in3 = p.in3;
  const int64 *const in4 = p.in4;
  float *const in5 = p.in5;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 item = static_cast<int32>(block_x()) * 256 + static_cast<int32>(thread_index());
  if (item < 12 * batch) {
    const int32 i = item % 6;
    const int32 q = item / 6;
    const int32 i1 = q % 2;
    const int32 q1 = q / 2;
    const int32 i2 = q1;
    const int64 in4_ = in4[i2];
    const int64 position = in4_ + 0;
    const bool second = i >= 3;
    const int32 pair = second ? i - 3 : i;
    const int32 partner = second ? pair : i + 3;
    const float in0_ = in0[24 + i2 * 48 + i1 * 6 + i];
    const float in0_1 = in0[24 + i2 * 48 + i1 * 6 + partner];
    const int32 at1 = i2 * 3 + pair;
    const float in1_ = in1[at1];
    const float in2_ = in2[at1];
    const float rope_ = in0_ * in1_ + in0_1 * (second ? in2_ : -in2_);
    if (position >= 0 && position < 30)
      in3[((i2 * 2 + i1) * 30 + position) * 6 + i] = rope_;
  }
  if (item < 12 * batch) {
    const int32 i3 = item % 6;
    const int32 q2 = item / 6;
    const int32 i4 = q2 % 2;
    const int32 q3 = q2 / 2;
    const int32 i5 = q3;
    const int64 in4_1 = in4[i5];
    const int64 position1 = in4_1 + 0;
    const float in0_2 = in0[36 + i5 * 48 + i4 * 6 + i3];
    if (position1 >= 0 && position1 < 30)
      in5[((i5 * 2 + i4) * 30 + position1) * 6 + i3] = in0_2;
  }
}

} // namespace ashlar

// slice + reshape + rope + attention
// layers.0.self_attn.attention, and 1 more like it
#include "attention_fma.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 48]
  const float *in1; // [batch, 1, 3]
  const float *in2; // [batch, 1, 3]
  const float *in3; // [3, 30, 2, 6]
  const float *in4; // [3, 30, 2, 6]
  const int64 *in5; // [batch]
  const int64 *in6; // [batch]
  float *out0; // [batch, 1, 4, 6]
  int64 batch;
};

using Shape = FmaAttentionShape<8, 16, 16, 6, 6>;
ASHLAR_SHARED(rope_attention_kernel, Shape::Shared);
ASHLAR_KERNEL_RESIDENT(rope_attention_kernel, Shape::kThreads, 1, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  const float *const in3 = p.in3;
  const float *const in4 = p.in4;
  const int64 *const in5 = p.in5;
  const int64 *const in6 = p.in6;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const int32 key_head = block_y(), sequence = block_z();
  constexpr int32 kGroup = 2; // heads of a key head
  const int64 in5_ = in5[sequence];
  const int64 offset = in5_;
  AttentionRange range;
  range.rows = static_cast<int32>(1) * kGroup;
  range.first = 0;
  range.end = static_cast<int32>(30);
  const int64 in6_ = in6[sequence];
  range.end = minimum(range.end, static_cast<int32>(in6_));
  // Keys behind the block's last query, or before the window of its first, hide.
  const int32 behind = minimum(static_cast<int32>(block_x() + 1) * Shape::kRows, range.rows);
  range.end = minimum(range.end, static_cast<int32>(offset) + (behind - 1) / kGroup + 1);
  auto query = [&](int32 row, int32 column) {
    const int32 at1 = row / kGroup;
    const int32 head1 = key_head * kGroup + row % kGroup;
    const bool second = column >= 3;
    const int32 pair = second ? column - 3 : column;
    const int32 partner = second ? pair : column + 3;
    const float in0_ = in0[sequence * 48 + head1 * 6 + column];
    const float in0_1 = in0[sequence * 48 + head1 * 6 + partner];
    const int32 at2 = (sequence + at1) * 3 + pair;
    const float in1_ = in1[at2];
    const float in2_ = in2[at2];
    const float rope_ = in0_ * in1_ + in0_1 * (second ? in2_ : -in2_);
    return rope_;
  };
  const Matrix<float, false> keys{in3 + (sequence * 2 + key_head) * 180, 6};
  const Matrix<float, false> values{in4 + (sequence * 2 + key_head) * 180, 6};
  auto sees = [&](int32 row, int32 key) {
    const int64 position = offset + row / kGroup;
    return key <= position;
  };
  auto finish = [&](int32 row, int32 column, float value) {
    const int32 at3 = ((sequence * 1 + row / kGroup) * 4 + key_head * kGroup + row % kGroup) * 6 + column;
    out0[at3] = value;
  };
  auto logsumexp = [&](int32 row, float value) {
  };
  attention_fma<Shape>(range, 0.408248305f, query, keys, values, sees, finish, logsumexp);
}

} // namespace ashlar

// reshape + matmul + add
// layers.0.self_attn.o_proj.matmul, and 1 more like it
#include "product_few_rows.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 4, 6]
  const float *in1; // [24, 24]
  const float *in2; // [batch, 1, 24]
  float *out0; // [batch, 1, 24]
  int64 batch;
};

using Shape = FewRowsShape<3, 1, 128>;
ASHLAR_KERNEL(matmul_add_kernel, Shape::kThreads, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[1] = {{in1, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][1]) {
    const int32 at1 = static_cast<int32>(row) * 24 + column;
    const float in2_ = in2[at1];
    const float add_ = in2_ + product[0][0];
    out0[at1] = add_;
  };
  product_few_rows<Shape>(left, weights, batch, 24, 24, epilogue);
}

} // namespace ashlar

// rms_norm
// layers.0.post_attention_layernorm.rms_norm, and 2 more like it
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 24]
  const float *in1; // [24]
  float *out0; // [batch, 1, 24]
  int64 batch;
};

ASHLAR_KERNEL(rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch)
    return;
  const int32 width = 24, base = row * width;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + base + column);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        x[g][lane] = in0_.element[lane];
        squares = Sum::combine(squares, in0_.element[lane] * in0_.element[lane]);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in1_ = load_vector<float, 4>(in1 + column);
      Vec<float, 4> out0_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in1_.element[lane];
        out0_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
    }
  }
}

} // namespace ashlar

// matmul + silu + matmul + mul
// layers.0.mlp.gate_proj.matmul, and 1 more like it
#include "product_few_rows.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 24]
  const float *in1; // [17, 24]
  const float *in2; // [17, 24]
  float *out0; // [batch, 1, 17]
  int64 batch;
};

using Shape = FewRowsShape<3, 2, 128>;
ASHLAR_KERNEL(matmul_silu_matmul_mul_kernel, Shape::kThreads, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const Matrix<float, true> left{in0, 24};
  const Matrix<float, true> weights[2] = {{in1, 24}, {in2, 24}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[2][1]) {
    const int32 at1 = static_cast<int32>(row) * 17 + column;
    const float t_ = -(product[0][0]);
    const float t_1 = exp(t_);
    const float t_2 = 1.0f + t_1;
    const float t_3 = 1.0f / t_2;
    const float silu_ = product[0][0] * t_3;
    const float mul_ = silu_ * product[1][0];
    out0[at1] = mul_;
  };
  product_few_rows<Shape>(left, weights, batch, 17, 24, epilogue);
}

} // namespace ashlar

// matmul + add
// layers.0.mlp.down_proj.matmul, and 1 more like it
#include "product_few_rows.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 17]
  const float *in1; // [24, 17]
  const float *in2; // [batch, 1, 24]
  float *out0; // [batch, 1, 24]
  int64 batch;
};

using Shape = FewRowsShape<3, 1, 128>;
ASHLAR_KERNEL(matmul_add_kernel, Shape::kThreads, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  const float *const in2 = p.in2;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  const Matrix<float, false> left{in0, 17};
  const Matrix<float, false> weights[1] = {{in1, 17}};
  auto epilogue = [&](int32 row, int32 column, const float (&product)[1][1]) {
    const int32 at1 = static_cast<int32>(row) * 24 + column;
    const float in2_ = in2[at1];
    const float add_ = in2_ + product[0][0];
    out0[at1] = add_;
  };
  product_few_rows<Shape>(left, weights, batch, 24, 17, epilogue);
}

} // namespace ashlar

// reshape + rms_norm
// norm.rms_norm
#include "reduce.cuh"

namespace ashlar {

struct Parameters {
  const float *in0; // [batch, 1, 24]
  const float *in1; // [24]
  float *out0; // [batch, 24]
  int64 batch;
};

ASHLAR_KERNEL(rms_norm_kernel, 128, Parameters, p) {
  const float *const in0 = p.in0;
  const float *const in1 = p.in1;
  float *const out0 = p.out0;
  const int32 batch = static_cast<int32>(p.batch);
  constexpr int kThreads = 32; // of a row
  constexpr int kGroups = 1; // of columns, a thread's
  const int32 thread = static_cast<int32>(thread_index()) % kThreads;
  const int32 row = static_cast<int32>(block_x()) * 4 + static_cast<int32>(thread_index()) / kThreads;
  if (row >= batch)
    return;
  const int32 width = 24, base = row * width;
  // rms_norm
  float x[kGroups][4];
  float squares = Sum::identity();
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + base + column);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        x[g][lane] = in0_.element[lane];
        squares = Sum::combine(squares, in0_.element[lane] * in0_.element[lane]);
      }
    }
  }
  squares = block_reduce<Sum, kThreads>(squares, shared<ReductionSpace>());
  const float scale = 1.0f / sqrt(squares / static_cast<float>(width) + 9.99999975e-06f);
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int32 column = (g * kThreads + thread) * 4;
    if (column < width) {
      const Vec<float, 4> in1_ = load_vector<float, 4>(in1 + column);
      Vec<float, 4> out0_;
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) {
        const float norm = x[g][lane] * scale * in1_.element[lane];
        out0_.element[lane] = norm;
      }
      store_vector<float, 4>(out0 + base + column, out0_);
    }
  }
}

} // namespace ashlar

