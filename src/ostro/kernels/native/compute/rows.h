// Small operations on whole rows: norm, rotary positions, SiLU.
#pragma once

#include <cmath>

#include "simd.h"

namespace ostro::OSTRO_ISA {

// RMSNorm (Zhang and Sennrich, 2019): x / sqrt(mean(x^2) + eps) * weight. `n` is a multiple of 8.
inline void rms_norm(const float* x, const float* weight, int64_t n, float eps, float* out) {
  Floats squares = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; i += 8) {
    const Floats v = _mm256_loadu_ps(x + i);
    squares = fma(v, v, squares);
  }
  const Floats factor = spread(1.0f / std::sqrt(sum(squares) / static_cast<float>(n) + eps));
  for (int64_t i = 0; i < n; i += 8) {
    const Floats scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), factor);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + i)));
  }
}

// Turn pair (j, j + d / 2) of one head by its angle.
inline void rotate(float* head, int64_t head_dim, const float* cosines, const float* sines) {
  const int64_t half = head_dim / 2;
  for (int64_t j = 0; j < half; ++j) {
    const float a = head[j], b = head[j + half];
    head[j] = a * cosines[j] - b * sines[j];
    head[j + half] = b * cosines[j] + a * sines[j];
  }
}

// silu(gate) * up, written over gate; `n` is a multiple of 8. silu(g) = g / (1 + e^-g).
inline void silu_times(float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; i += 8) {
    const Floats g = _mm256_loadu_ps(gate + i);
    const Floats below = exp(_mm256_sub_ps(_mm256_setzero_ps(), g));
    const Floats silu = _mm256_div_ps(g, _mm256_add_ps(spread(1.0f), below));
    _mm256_storeu_ps(gate + i, _mm256_mul_ps(silu, _mm256_loadu_ps(up + i)));
  }
}

}  // namespace ostro::OSTRO_ISA
