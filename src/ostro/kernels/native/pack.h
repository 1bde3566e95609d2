// From GGUF's rows of blocks to packed groups of 8 rows (see weight_types.h).
#pragma once

#include <cstdint>

#include "weight_types.h"

namespace ostro {

// Pack rows [16 * group, 16 * group + 16) of a matrix whose rows lie one after another at `source`;
// rows past the end become zeros. `target` is the group's own place.
void pack_group(WeightType type, const uint8_t* source, int64_t rows, int64_t columns,
                int64_t group, uint8_t* target);

}  // namespace ostro
