// The router's choice: the best K of E logits, and softmax over those alone.
#pragma once

#include <cmath>
#include <cstdint>

namespace ostro::OSTRO_ISA {

constexpr int kMostTopK = 8;

// Of equal logits the lower expert comes first. Writes top_k experts, best first, and weights.
inline void choose(const float* logits, int num_experts, int top_k, int32_t* chosen,
                   float* weights) {
  for (int k = 0; k < top_k; ++k) {
    int best = -1;
    for (int e = 0; e < num_experts; ++e) {
      bool taken = false;
      for (int i = 0; i < k; ++i) taken = taken || chosen[i] == e;
      if (!taken && (best < 0 || logits[e] > logits[best])) best = e;
    }
    chosen[k] = best;
  }
  float total = 0;
  for (int k = 0; k < top_k; ++k) {
    weights[k] = std::exp(logits[chosen[k]] - logits[chosen[0]]);
    total += weights[k];
  }
  for (int k = 0; k < top_k; ++k) weights[k] /= total;
}

}  // namespace ostro::OSTRO_ISA
