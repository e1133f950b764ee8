/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args: the argument line of a qtest program. What only a test says is taken here; the rest is put
 * as the product's own argument line and parsed by the product's own parser, which refuses what is
 * not there yet in its own words.
 */
#ifndef TESTS_QTEST_ARGS_H
#define TESTS_QTEST_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"
#include "toolstack/config.h"

struct door_args {
    struct config config; /* action CONFIG_PROBE: -machine none */
    char *qtest;          /* -qtest: path of the socket, or "stdio" */
    bool qtest_server;    /* listen there for one peer instead of connecting */
    char *qtest_log;      /* -qtest-log, or NULL */
    char *qmp;            /* path of the socket to connect to, or NULL: no QMP */
    char boot_order[8];   /* -boot order= */
    char boot_once[8];    /* -boot once=: until the first reset */
    bool have_once;
    bool no_floppy_check; /* -no-fd-bootchk */
    char *firmware;       /* -bios, or a pflash drive */
    int64_t base;         /* -rtc base: seconds since 1970 at start */
};

/* False and one line in *err. door_args_free also after a failure. */
bool door_args_parse(struct door_args *args, int argc, char **argv, struct err *err);
void door_args_free(struct door_args *args);

#endif
