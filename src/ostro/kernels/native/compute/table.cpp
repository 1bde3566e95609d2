#include "../compute.h"

#include "layers.h"

#define OSTRO_TEXT(x) #x
#define OSTRO_NAME(x) OSTRO_TEXT(x)

namespace ostro::OSTRO_ISA {

const Compute kCompute = {
    OSTRO_NAME(OSTRO_ISA), read_rows, linear, attention_layer, experts_layer, route_rows, head,
    rope_angles, summarise, largest_logits, quantise_rows,
};

}  // namespace ostro::OSTRO_ISA
