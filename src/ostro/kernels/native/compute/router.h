// The router's choice: the best K of E logits, and softmax over those alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "../ostro.h"

namespace ostro::OSTRO_ISA {

constexpr uint64_t bit(int expert) { return uint64_t{1} << expert; }

// What a layer does where nobody steers.
inline ostro_rule own_rule(const ostro_experts& layer) {
  return {UINT64_MAX >> (64 - layer.num_experts), 0, nullptr, layer.top_k};
}

inline ostro_rule rule_of(const ostro_experts& layer, const ostro_steering* steering, int64_t row) {
  const int32_t number = steering ? steering->rule_of_row[row] : -1;
  return number < 0 ? own_rule(layer) : steering->rules[number];
}

// K of a step: the most experts that one of its rows may use.
inline int64_t slots_of(const ostro_experts& layer, const ostro_steering* steering) {
  return steering ? steering->slots : layer.top_k;
}

// Of equal logits the lower expert is the better one. There is at least one candidate.
inline int best_of(const float* logits, uint64_t candidates) {
  int best = std::countr_zero(candidates);
  for (uint64_t rest = candidates & (candidates - 1); rest; rest &= rest - 1) {
    const int expert = std::countr_zero(rest);
    if (logits[expert] > logits[best]) best = expert;
  }
  return best;
}

// Writes `slots` experts, best first, and their weights. Forced experts stand where their logits put
// them, so that forcing what would be chosen anyway changes nothing. Unused slots are -1 and 0.
inline void choose(const float* logits, const ostro_rule& rule, int64_t slots, int32_t* chosen,
                   float* weights) {
  uint64_t left = rule.allowed, forced = rule.forced;
  int free = rule.top_k - std::popcount(forced);
  for (int k = 0; k < rule.top_k; ++k) {
    const int best = best_of(logits, free > 0 ? left : forced);
    if (!(forced & bit(best))) --free;
    left &= ~bit(best);
    forced &= ~bit(best);
    chosen[k] = best;
  }
  float total = 0;
  for (int k = 0; k < rule.top_k; ++k) {
    weights[k] = std::exp(logits[chosen[k]] - logits[chosen[0]]);
    total += weights[k];
  }
  for (int k = 0; k < rule.top_k; ++k) weights[k] /= total;
  for (int k = 0; rule.factors && k < rule.top_k; ++k) weights[k] *= rule.factors[chosen[k]];
  for (int64_t k = rule.top_k; k < slots; ++k) {
    chosen[k] = -1;
    weights[k] = 0;
  }
}

}  // namespace ostro::OSTRO_ISA
