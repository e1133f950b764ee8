/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_rig: an argument line, taken or refused. */
#ifndef TESTS_UNIT_CONFIG_RIG_H
#define TESTS_UNIT_CONFIG_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "toolstack/config.h"

#define MAX_ARGS 128

/* What every line recorded from xl 4.17 starts with. */
#define PREFIX                                                                        \
    "-xen-domid 7 -no-shutdown "                                                      \
    "-chardev socket,id=libxl-cmd,path=/var/run/xen/qmp-libxl-7,server=on,wait=off "  \
    "-mon chardev=libxl-cmd,mode=control "                                            \
    "-chardev "                                                                       \
    "socket,id=libxenstat-cmd,path=/var/run/xen/qmp-libxenstat-7,server=on,wait=off " \
    "-mon chardev=libxenstat-cmd,mode=control -nodefaults -no-user-config -name guest "
#define STDVGA "-device VGA,vgamem_mb=16 "
#define SUFFIX "-machine xenfv,suppress-vmdesc=on -m 56"
#define BASE   "-xen-domid 7 -machine xenfv -m 56 "

static struct config config;
static struct err err;

/* Splits at spaces; 'single quotes' keep them. Returns what config_from_libxl does. */
static inline bool parse(const char *line)
{
    char *copy = strdup(line), *argv[MAX_ARGS] = {(char *)"hvm-dm"};
    int argc = 1;
    assert_non_null(copy);
    for (char *p = copy; *p;) {
        while (*p == ' ')
            p++;
        if (!*p)
            break;
        char end = ' ';
        if (*p == '\'') {
            end = '\'';
            p++;
        }
        assert_true(argc < MAX_ARGS);
        argv[argc++] = p;
        while (*p && *p != end)
            p++;
        if (*p)
            *p++ = '\0';
    }
    err.text[0] = '\0';
    config_free(&config);
    bool ok = config_from_libxl(&config, argc, argv, &err);
    free(copy);
    return ok;
}

static inline void accepted(const char *line)
{
    if (!parse(line))
        fail_msg("refused: %s\n  for %s", err.text, line);
}

/* One line that has all of the words (separated by '|'). */
static inline void refused(const char *line, const char *words)
{
    if (parse(line))
        fail_msg("accepted: %s", line);
    assert_null(strchr(err.text, '\n'));
    assert_int_not_equal(err.text[0], 0);
    char *copy = strdup(words), *rest = copy;
    for (char *w; (w = strsep(&rest, "|"));)
        if (!strstr(err.text, w))
            fail_msg("'%s' is not in: %s", w, err.text);
    free(copy);
}

/* Arguments behind BASE, and the words that their refusal has. */
struct refusal {
    const char *args, *words;
};

static inline void refused_all(const struct refusal *cases, size_t count)
{
    char line[4096];
    for (size_t i = 0; i < count; i++) {
        assert_true(snprintf(line, sizeof(line), BASE "%s", cases[i].args) < (int)sizeof(line));
        refused(line, cases[i].words);
    }
}
#define REFUSED_ALL(cases) refused_all(cases, sizeof(cases) / sizeof((cases)[0]))

static inline int teardown(void **state)
{
    (void)state;
    config_free(&config);
    return 0;
}

#endif
