// Template of winograd.c, compiled for each instruction set (each_isa.h).
#include "products.inc.h"
#include "winograd_input.inc.h"
#include "winograd_data.inc.h"
#include "winograd_weights.inc.h"
