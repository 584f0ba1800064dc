// libFuzzer as a library (LLVM, "Using libFuzzer as a library"): runs `one` on inputs until told to stop; does not return then.
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));
