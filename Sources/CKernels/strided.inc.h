// Template of strided.c, compiled for each instruction set (each_isa.h).
#include "products.inc.h"
#include "strided_input.inc.h"
#include "strided_data.inc.h"
#include "strided_weights.inc.h"
