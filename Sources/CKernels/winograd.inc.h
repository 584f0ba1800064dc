// Template of winograd.c, compiled for each instruction set (each_isa.h).
#include "winograd_input.inc.h"
#include "winograd_data.inc.h"
#include "winograd_weights.inc.h"

#undef VEC
#undef BITS
#undef LOAD
#undef STORE
#undef LOAD_LOOSE
#undef STORE_LOOSE
#undef EVEN
#undef ODD
#undef ZIP_LOW
#undef ZIP_HIGH
#undef AFTER
#undef BEFORE
