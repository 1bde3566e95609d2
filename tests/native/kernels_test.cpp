// Every kernel, run with one thread and with three: no error of memory, no race, and the same bits.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "isa.h"
#include "ostro.h"

namespace ostro::test {
namespace {

using Floats = std::vector<float>;

constexpr int32_t kF32 = 0, kF16 = 1, kQ8_0 = 8, kQ4_K = 12, kBF16 = 30;
constexpr int32_t kTypes[] = {kF32, kF16, 2, 3, 6, 7, kQ8_0, 10, 11, kQ4_K, 13, 14, 20, kBF16};

struct Closed {
  void operator()(ostro_context* context) const { ostro_context_destroy(context); }
};
using Context = std::unique_ptr<ostro_context, Closed>;

// With one thread and with three, for each instruction set that this processor has.
std::vector<Context> contexts() {
  std::vector<Context> all;
  for (const char* set : {"avx2", "avx512"}) {
    for (int threads : {1, 3}) {
      if (Context context{ostro_context_create(threads, set)}) all.push_back(std::move(context));
    }
  }
  return all;
}

Floats random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Floats x(count);
  for (float& value : x) value = normal(generator);
  return x;
}

// A packed matrix of random numbers, and the memory it lies in.
struct Matrix {
  std::vector<uint8_t> memory;
  ostro_matrix described;

  Matrix(ostro_context* context, int32_t type, int32_t rows, int32_t columns, unsigned seed)
      : memory(ostro_packed_bytes(type, rows, columns)) {
    const Floats numbers = random_floats(static_cast<size_t>(rows) * columns, seed);
    // Four bytes a number are enough for every type.
    std::vector<uint8_t> blocks(4 * numbers.size());
    if (type == kF32) {
      std::memcpy(blocks.data(), numbers.data(), blocks.size());
    } else if (type == kF16 || type == kBF16) {
      // Bits of numbers between 1 and 2, of either sign.
      for (size_t i = 0; i < numbers.size(); ++i) {
        const uint32_t one = type == kF16 ? 0x3c00 : 0x3f80;
        const uint16_t bits = static_cast<uint16_t>(one | (i * 37 & 0x7f) | (i & 1) << 15);
        std::memcpy(blocks.data() + 2 * i, &bits, 2);
      }
    } else {
      ostro_quantise(context, type, numbers.data(), blocks.data(), rows, columns);
    }
    ostro_pack(context, type, blocks.data(), rows, columns, memory.data());
    described = {memory.data(), type, rows, columns};
  }
};

// What two adapters add to some matrices, one after another: of rank 1 and of rank 9.
struct Adapters {
  std::vector<Floats> memory;
  std::vector<ostro_lora> loras[2];
  const ostro_lora* pointers[2];

  explicit Adapters(const std::vector<ostro_matrix>& matrices) {
    for (const ostro_matrix& matrix : matrices) {
      for (const int32_t rank : {1, 9}) {
        const unsigned seed = static_cast<unsigned>(memory.size());
        memory.push_back(random_floats(static_cast<size_t>(rank) * matrix.columns, seed));
        const float* a = memory.back().data();
        memory.push_back(random_floats(static_cast<size_t>(rank) * matrix.rows, seed + 1));
        loras[rank > 1].push_back({a, memory.back().data(), rank, 0.125f});
      }
    }
    loras[0].back().rank = 0;  // The last matrix stays as it is.
    for (int i : {0, 1}) pointers[i] = loras[i].data();
  }

  // Rows have none, the first, the second, in turn.
  static std::vector<int32_t> of_rows(int64_t rows) {
    std::vector<int32_t> numbers(rows);
    for (int64_t row = 0; row < rows; ++row) numbers[row] = static_cast<int32_t>(row % 3) - 1;
    return numbers;
  }
};

bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 4 * a.size()) == 0;
}

bool all_finite(const Floats& x) {
  for (float value : x) if (!std::isfinite(value)) return false;
  return true;
}

// What `compute` gives for each context is the same, and finite.
template <class Compute>
void check_same(Suite& suite, Compute&& compute) {
  Floats first;
  for (const Context& context : contexts()) {
    const Floats found = compute(context.get());
    CHECK(all_finite(found));
    if (first.empty()) first = found;
    CHECK(same_bits(first, found));
  }
}

void linear_tests(Suite& suite) {
  for (int32_t type : kTypes) {
    const std::string name = "products and rows of type " + std::to_string(type);
    suite.test(name.c_str(), [&] {
      constexpr int32_t kRows = 37, kColumns = 512;
      for (int64_t count : {1, 2, 5, 17, 40}) {
        const Floats x = random_floats(count * kColumns, 7);
        check_same(suite, [&](ostro_context* context) {
          const Matrix matrix(context, type, kRows, kColumns, 1);
          Floats y(count * kRows);
          CHECK(ostro_linear(context, &matrix.described, count, x.data(), y.data()) == 0);
          const int64_t rows[] = {0, kRows - 1, 8};
          Floats read(3 * kColumns);
          ostro_read_rows(context, &matrix.described, rows, 3, read.data());
          y.insert(y.end(), read.begin(), read.end());
          return y;
        });
      }
    });
  }
}

// Two sequences: a prompt of 70 tokens beside one of 5, then one token each.
Floats attend(Suite& suite, ostro_context* context, int32_t cache_type, int32_t window) {
  constexpr int64_t kD = 64, kHeads = 6, kKeyHeads = 2, kDim = 96, kPages = 8, kSlots = 32;
  const Matrix query(context, kQ8_0, kHeads * kD, kDim, 1);
  const Matrix key(context, kQ8_0, kKeyHeads * kD, kDim, 2);
  const Matrix value(context, kF32, kKeyHeads * kD, kDim, 3);
  const Matrix output(context, kQ8_0, kDim, kHeads * kD, 4);
  const Floats norm(kDim, 1.0f);
  const Adapters added({query.described, key.described, value.described, output.described});
  const ostro_attention layer{query.described, key.described, value.described, output.described,
                              norm.data(), 1e-5f, kHeads, kKeyHeads, kD, window};
  std::vector<uint8_t> keys(4 * kPages * kKeyHeads * kD * kSlots), values(keys.size());
  Floats key_scales(kPages * kKeyHeads * kSlots), value_scales(key_scales.size());
  const ostro_pages pages{keys.data(), values.data(), key_scales.data(), value_scales.data(),
                          cache_type};
  const int64_t long_table[] = {5, 0, 7}, short_table[] = {2};
  const int64_t* tables[] = {long_table, short_table};
  Floats all;
  for (const bool prompt : {true, false}) {
    const int64_t rows = prompt ? 75 : 2, split = prompt ? 70 : 1;
    const int64_t starts[] = {0, split, rows}, lengths[] = {prompt ? 70 : 71, prompt ? 5 : 6};
    const Floats cosines(rows * kD / 2, 0.8f), sines(rows * kD / 2, 0.6f);
    const ostro_step step{rows, 2, starts, lengths, tables, cosines.data(), sines.data()};
    Floats x = random_floats(rows * kDim, 11), adapted = x;
    const std::vector<int32_t> of_row = Adapters::of_rows(rows);
    const ostro_adapters adapters{of_row.data(), added.pointers, 9};
    CHECK(ostro_attention_layer(context, &layer, &step, &pages, &adapters, adapted.data()) == 0);
    CHECK(ostro_attention_layer(context, &layer, &step, &pages, nullptr, x.data()) == 0);
    CHECK(std::memcmp(x.data(), adapted.data(), 4 * kDim) == 0);  // The first row has no adapter.
    CHECK(!same_bits(x, adapted));
    all.insert(all.end(), x.begin(), x.end());
    all.insert(all.end(), adapted.begin(), adapted.end());
  }
  return all;
}

void attention_tests(Suite& suite) {
  for (int32_t cache_type : {kF32, kF16, kBF16, kQ8_0}) {
    const std::string name = "attention over pages of type " + std::to_string(cache_type);
    suite.test(name.c_str(), [&] {
      for (int32_t window : {0, 20}) {
        check_same(suite, [&](ostro_context* context) {
          return attend(suite, context, cache_type, window);
        });
      }
    });
  }
}

Floats mix(Suite& suite, ostro_context* context, int64_t rows, bool precise) {
  constexpr int32_t kDim = 256, kHidden = 512, kExperts = 8, kTopK = 2;
  std::vector<Matrix> matrices;
  std::vector<ostro_expert> experts;
  for (unsigned e = 0; e < kExperts; ++e) {
    matrices.emplace_back(context, kQ4_K, kHidden, kDim, 3 * e);
    matrices.emplace_back(context, kQ8_0, kHidden, kDim, 3 * e + 1);
    matrices.emplace_back(context, kQ4_K, kDim, kHidden, 3 * e + 2);
    experts.push_back({matrices[3 * e].described, matrices[3 * e + 1].described,
                       matrices[3 * e + 2].described});
  }
  const Matrix router(context, kF32, kExperts, kDim, 99);
  const Floats norm(kDim, 1.0f);
  const ostro_experts layer{norm.data(), router.memory.data(), experts.data(), 1e-5f, kDim, kHidden,
                      kExperts, kTopK, precise};
  Floats x = random_floats(rows * kDim, 5);
  std::vector<int32_t> early(rows * kTopK), chosen(rows * kTopK);
  Floats weights(rows * kTopK);
  uint8_t missing[kExperts] = {};
  CHECK(ostro_route(context, &layer, rows, nullptr, x.data(), early.data()) == 0);
  // An expert that is not there stops the layer before it changes anything.
  const Floats before = x;
  experts[early[0]].down.data = nullptr;
  CHECK(ostro_experts_layer(context, &layer, rows, nullptr, nullptr, x.data(), nullptr, nullptr,
                            missing) == 1);
  CHECK(missing[early[0]] == 1 && same_bits(x, before));
  experts[early[0]].down = matrices[3 * early[0] + 2].described;
  CHECK(ostro_experts_layer(context, &layer, rows, nullptr, nullptr, x.data(), chosen.data(),
                            weights.data(), missing) == 0);
  CHECK(early == chosen);
  // Every third row uses all experts, every third one that is forced, the others what they always
  // use: those get the same bits.
  const Floats factors = {1, 0, 1, 2, 1, -1, 1, 1};
  const ostro_rule rules[] = {{0xff, 0, factors.data(), kExperts}, {0xfe, 0x20, nullptr, 1}};
  std::vector<int32_t> rule_of_row(rows), all(rows * kExperts), early_all(rows * kExperts);
  for (int64_t row = 0; row < rows; ++row) rule_of_row[row] = static_cast<int32_t>(row % 3) - 1;
  const ostro_steering steering{rule_of_row.data(), rules, kExperts};
  Floats steered = before, all_weights(rows * kExperts);
  CHECK(ostro_route(context, &layer, rows, &steering, before.data(), early_all.data()) == 0);
  CHECK(ostro_experts_layer(context, &layer, rows, &steering, nullptr, steered.data(), all.data(),
                            all_weights.data(), missing) == 0);
  CHECK(all == early_all);
  // With adapters: rows without a rule have none either, in this example.
  std::vector<ostro_matrix> described;
  for (const Matrix& matrix : matrices) described.push_back(matrix.described);
  const Adapters added(described);
  const ostro_adapters adapters{rule_of_row.data(), added.pointers, 9};
  Floats adapted = before;
  CHECK(ostro_experts_layer(context, &layer, rows, &steering, &adapters, adapted.data(), nullptr,
                            nullptr, missing) == 0);
  CHECK((rows == 1) == same_bits(adapted, steered));
  for (int64_t row = 0; row < rows; ++row) {
    const int32_t* chosen_row = all.data() + row * kExperts;
    if (rule_of_row[row] == 1) CHECK(chosen_row[0] == 5);
    CHECK((chosen_row[kExperts - 1] < 0) == (rule_of_row[row] != 0));
    if (rule_of_row[row] < 0) {
      CHECK(std::memcmp(&steered[row * kDim], &x[row * kDim], 4 * kDim) == 0);
      CHECK(std::memcmp(&adapted[row * kDim], &x[row * kDim], 4 * kDim) == 0);
    }
  }
  for (const Floats& more : {weights, steered, all_weights, adapted}) {
    x.insert(x.end(), more.begin(), more.end());
  }
  return x;
}

void experts_tests(Suite& suite) {
  for (const bool precise : {false, true}) {
    suite.test(precise ? "experts, rows in two parts" : "experts", [&] {
      for (int64_t rows : {1, 3, 30}) {
        check_same(suite, [&](ostro_context* context) {
          return mix(suite, context, rows, precise);
        });
      }
    });
  }
}

void head_tests(Suite& suite) {
  suite.test("head, and what sampling wants of logits", [&] {
    constexpr int32_t kVocabulary = 5003, kDim = 256;
    const Floats norm(kDim, 1.0f), x = random_floats(2 * kDim, 3);
    check_same(suite, [&](ostro_context* context) {
      const Matrix head(context, kQ4_K, kVocabulary, kDim, 1);
      Floats logits(2 * kVocabulary);
      CHECK(ostro_head(context, norm.data(), 1e-5f, &head.described, 2, x.data(),
                       logits.data()) == 0);
      int64_t where = 0, indices[300];
      double log_sum = 0;
      float values[300];
      CHECK(ostro_summarise(context, kVocabulary, logits.data(), 0.7f, &where, &log_sum) == 0);
      CHECK(ostro_largest(context, kVocabulary, logits.data(), 300, values, indices) == 0);
      CHECK(indices[0] == where && values[0] == logits[where]);
      logits.push_back(static_cast<float>(log_sum));
      logits.insert(logits.end(), values, values + 300);
      return logits;
    });
  });

  suite.test("rotary angles and checksums", [&] {
    const int64_t positions[] = {0, 5, 30000};
    const Floats frequencies = {1.0f, 0.5f, 0.01f}, data = random_floats(100'003, 2);
    uint64_t sum = 0;
    check_same(suite, [&](ostro_context* context) {
      Floats angles(2 * 9);
      ostro_rope_angles(context, 3, positions, 3, frequencies.data(), angles.data(), &angles[9]);
      const uint64_t found = ostro_checksum(context, data.data(), 4 * data.size());
      CHECK(sum == 0 || sum == found);
      sum = found;
      return angles;
    });
  });
}

}  // namespace

void kernels_tests(Suite& suite) {
  if (best_isa() == Isa::none) return;
  linear_tests(suite);
  attention_tests(suite);
  experts_tests(suite);
  head_tests(suite);
}

}  // namespace ostro::test
