/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_machine: a hostile guest before the whole PC: ports, memory, configuration space, string
 * I/O, time, disk completions and errors, viewers, the state going round, and guest memory that is
 * made up when a device reads it. tests/fuzz/guest.h says what the bytes mean.
 */
#include "tests/fuzz/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.p = data, .left = size};
    struct guest *guest = guest_new();
    guest_run(guest, &in);
    guest_free(guest);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return guest_mutate(data, size, max_size, seed);
}
