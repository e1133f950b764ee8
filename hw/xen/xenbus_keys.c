/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenbus_keys: see xenbus_keys.h. */
#include "hw/xen/xenbus_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/log.h"

char *xenbus_read_key(struct xenbus *x, const char *dir, const char *key)
{
    char path[XENBUS_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, key);

    return n > 0 && (size_t)n < sizeof(path) ? xenbus_read(x, path) : NULL;
}

uint32_t xenbus_read_number(struct xenbus *x, const char *dir, const char *key, uint32_t otherwise)
{
    char *text = xenbus_read_key(x, dir, key), *end;
    uint32_t value = text ? XENBUS_NO_NUMBER : otherwise;

    if (text && *text >= '0' && *text <= '9') {
        errno = 0;
        unsigned long n = strtoul(text, &end, 10);
        if (!errno && !*end && n < XENBUS_NO_NUMBER)
            value = (uint32_t)n;
    }
    free(text);
    return value;
}

enum xenbus_state xenbus_read_state(struct xenbus *x, const char *dir)
{
    uint32_t n = xenbus_read_number(x, dir, "state", XENBUS_UNKNOWN);

    return n <= XENBUS_STATE_LAST ? (enum xenbus_state)n : XENBUS_UNKNOWN;
}

void xenbus_write_number(struct xenbus *x, const char *dir, const char *key, uint64_t value)
{
    char path[XENBUS_PATH_MAX], number[24];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    snprintf(number, sizeof(number), "%" PRIu64, value);
    if (!xenbus_write(x, path, number))
        log_warn("cannot write %s to xenstore: %s", path, strerror(errno));
}

bool xenbus_is_front(const char *path, unsigned domid)
{
    char prefix[64];

    snprintf(prefix, sizeof(prefix), "/local/domain/%u/", domid);
    return !strncmp(path, prefix, strlen(prefix)) && !strstr(path, "//") &&
           strlen(path) + XENBUS_KEY_MAX < XENBUS_PATH_MAX;
}
