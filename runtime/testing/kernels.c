// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of the test program, with the interface of compiled ones. Each must be one self-contained section: no calls,
// no constants in memory.
#include <stdint.h>

// out[r][n] = bias[n] + sum_k x[r][k] * w[k][n] for rows [begin, end); extents: K, N. w is in PanelF32, the row of x
// goes through the scratch buffer.
void dense(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end, void *scratch) {
  const float *x = buffers[0], *w = buffers[1], *bias = buffers[2];
  float *out = buffers[3];
  volatile float *row = scratch;
  int64_t K = extents[0], N = extents[1];
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t k = 0; k < K; ++k)
      row[k] = x[r * K + k];
    for (int64_t n = 0; n < N; ++n) {
      float sum = bias[n];
      for (int64_t k = 0; k < K; ++k)
        sum += row[k] * w[(n / 32) * K * 32 + k * 32 + n % 32];
      out[r * N + n] = sum;
    }
  }
}

// out[r][n] = x[r][n] * factor[r] + position[r] + table[n] for rows [begin, end); extents: N.
void scale_shift(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end, void *scratch) {
  const float *x = buffers[0], *table = buffers[3];
  const int64_t *factor = buffers[1], *position = buffers[2];
  float *out = buffers[4];
  int64_t N = extents[0];
  for (int64_t r = begin; r < end; ++r)
    for (int64_t n = 0; n < N; ++n)
      out[r * N + n] = x[r * N + n] * (float)factor[r] + (float)position[r] + table[n];
}

// total[b] += value[b]; count[b] += 1; out[b] = total[b] for b in [begin, end).
void accumulate(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end, void *scratch) {
  const int64_t *value = buffers[0];
  int64_t *total = buffers[1], *count = buffers[2], *out = buffers[3];
  for (int64_t b = begin; b < end; ++b) {
    total[b] += value[b];
    count[b] += 1;
    out[b] = total[b];
  }
}

// logits[b][v] = 1 where v == (3 * last id of row b + count[b]) % V, else 0; then count[b] += seq. Extents: V, seq, batch.
void next_token(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end, void *scratch) {
  const int64_t *ids = buffers[0];
  int64_t *count = buffers[1];
  float *logits = buffers[2];
  int64_t V = extents[0], seq = extents[1];
  for (int64_t b = begin; b < end; ++b) {
    int64_t next = (3 * ids[b * seq + seq - 1] + count[b]) % V;
    for (int64_t v = 0; v < V; ++v)
      logits[b * V + v] = (float)(v == next);
    count[b] += seq;
  }
}
