/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore_fake: a xenstore of a test's own, in the place of hw/xen/xenbus.c; included once. */
#ifndef TESTS_UNIT_XENSTORE_FAKE_H
#define TESTS_UNIT_XENSTORE_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/xen/xenbus.h"

#define KEYS 400

static struct {
    char path[XENBUS_PATH_MAX], value[600];
} keys[KEYS];
static char watches[8][XENBUS_PATH_MAX];
static unsigned events;

static char *key(const char *path)
{
    for (unsigned i = 0; i < KEYS; i++)
        if (*keys[i].path && !strcmp(keys[i].path, path))
            return keys[i].value;
    return NULL;
}

static bool watched(const char *path)
{
    for (unsigned i = 0; i < 8; i++)
        if (*watches[i] && !strncmp(watches[i], path, strlen(watches[i])))
            return true;
    return false;
}

static void set(const char *path, const char *value)
{
    char *old = key(path);
    for (unsigned i = 0; !old && i < KEYS; i++) {
        if (!*keys[i].path) {
            snprintf(keys[i].path, sizeof(keys[i].path), "%s", path);
            old = keys[i].value;
        }
    }
    assert_non_null(old);
    snprintf(old, sizeof(keys[0].value), "%s", value);
    if (watched(path))
        events++;
}

static void remove_all(const char *path)
{
    for (unsigned i = 0; i < KEYS; i++)
        if (!strncmp(keys[i].path, path, strlen(path)))
            *keys[i].path = 0;
    if (watched(path))
        events++;
}

char *xenbus_read(struct xenbus *x, const char *path)
{
    (void)x;
    errno = ENOENT;
    char *value = key(path);
    return value ? strdup(value) : NULL;
}

bool xenbus_write(struct xenbus *x, const char *path, const char *value)
{
    (void)x;
    set(path, value);
    return true;
}

char *xenbus_list(struct xenbus *x, const char *path, size_t *bytes)
{
    (void)x;
    char *list = calloc(1, 4096);
    *bytes = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        size_t n = strlen(path);
        if (strncmp(keys[i].path, path, n) || keys[i].path[n] != '/')
            continue;
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(keys[i].path + n + 1, "/"),
                 keys[i].path + n + 1);
        bool there = false;
        for (size_t at = 0; at < *bytes; at += strlen(list + at) + 1)
            there |= !strcmp(list + at, name);
        if (!there)
            *bytes += (size_t)sprintf(list + *bytes, "%s", name) + 1;
    }
    return list;
}

bool xenbus_watch(struct xenbus *x, const char *path, const char *token)
{
    (void)x;
    (void)token;
    for (unsigned i = 0; i < 8; i++) {
        if (!*watches[i]) {
            snprintf(watches[i], sizeof(watches[i]), "%s", path);
            events++;
            return true;
        }
    }
    return false;
}

bool xenbus_unwatch(struct xenbus *x, const char *path, const char *token)
{
    (void)x;
    (void)token;
    for (unsigned i = 0; i < 8; i++) {
        if (!strcmp(watches[i], path)) {
            *watches[i] = 0;
            return true;
        }
    }
    return false;
}

enum xenbus_next xenbus_next(struct xenbus *x, char *path, char *token)
{
    (void)x;
    *path = *token = 0;
    if (!events)
        return XENBUS_NOTHING;
    events--;
    return XENBUS_EVENT;
}

bool xenbus_pending(const struct xenbus *x)
{
    (void)x;
    return events;
}

static void forget_keys(void)
{
    memset(keys, 0, sizeof(keys));
    memset(watches, 0, sizeof(watches));
    events = 0;
}

static void set_at(const char *dir, const char *name, const char *value)
{
    char path[XENBUS_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    set(path, value);
}

#endif
