/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keynames: the names of keys in monitors (QMP's QKeyCode, qapi/ui.json), as Linux's KEY_ codes. */
#ifndef TOOLSTACK_KEYNAMES_H
#define TOOLSTACK_KEYNAMES_H

#include <stdint.h>

/* 0: no such name. */
unsigned keyname_code(const char *name);

/* The n-th name in alphabetical order, counted from 0; NULL behind the last. */
const char *keyname_nth(unsigned n);

/* Of a scan code of set 1, bit 7 for the prefix E0, as QEMU numbers keys. 0: there is none. */
unsigned keyname_of_scan_code(uint64_t scan);

#endif
