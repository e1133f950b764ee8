/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore: see xenstore.h. */
#include "hw/xen/xenstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define UUID_CHARS 36

struct xenstore {
    struct xs_handle *handle;
    unsigned domid;
};

struct xenstore *xenstore_open(unsigned domid, struct err *err)
{
    struct xenstore *xs = calloc(1, sizeof(*xs));
    if (!xs) {
        err_set(err, "out of memory");
        return NULL;
    }
    xs->domid = domid;
    xs->handle = xs_open(0);
    if (xs->handle)
        return xs;
    err_set(err, "cannot reach xenstored: %s", strerror(errno));
    free(xs);
    return NULL;
}

void xenstore_close(struct xenstore *xs)
{
    if (!xs)
        return;
    xs_close(xs->handle);
    free(xs);
}

static bool put(struct xenstore *xs, const char *path, const char *value, struct err *err)
{
    if (xs_write(xs->handle, XBT_NULL, path, value, (unsigned)strlen(value)))
        return true;
    return err_set(err, "cannot write %s to xenstore: %s", path, strerror(errno));
}

bool xenstore_set_state(struct xenstore *xs, const char *state, struct err *err)
{
    char path[64];
    /* Relative: below the home of the domain we run in, so it is right in a stub domain too. */
    snprintf(path, sizeof(path), "device-model/%u/state", xs->domid);
    return put(xs, path, state, err);
}

bool xenstore_set_serial_tty(struct xenstore *xs, unsigned n, const char *tty, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/serial/%u/tty", xs->domid, n);
    return put(xs, path, tty, err);
}

bool xenstore_set_vnc(struct xenstore *xs, const char *listen, unsigned port, struct err *err)
{
    char path[64], number[16];
    snprintf(path, sizeof(path), "/local/domain/%u/console/vnc-listen", xs->domid);
    if (!put(xs, path, listen, err))
        return false;
    snprintf(path, sizeof(path), "/local/domain/%u/console/vnc-port", xs->domid);
    snprintf(number, sizeof(number), "%u", port);
    return put(xs, path, number, err);
}

bool xenstore_offer_backend(struct xenstore *xs, const char *type, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "device-model/%u/backends/%s", xs->domid, type);
    return put(xs, path, "", err);
}

bool xenstore_has_devices(struct xenstore *xs, const char *type)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "backend/%s/%u", type, xs->domid);
    char **names = xs_directory(xs->handle, XBT_NULL, path, &count);
    free(names);
    return count > 0;
}

bool xenstore_is_vm_path(const char *path)
{
    if (strncmp(path, "/vm/", 4))
        return false;
    path += 4;
    for (unsigned i = 0; i < UUID_CHARS; i++, path++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? *path != '-' : !strchr("0123456789abcdefABCDEF", *path) || !*path)
            return false;
    }
    /* xend numbers the second path of a machine that migrates to where it was: /vm/<uuid>-1. */
    if (*path == '-') {
        size_t digits = strspn(path + 1, "0123456789");
        return digits && digits <= 10 && !path[1 + digits];
    }
    return !*path;
}

/* Where the machine's own properties are, or NULL and *err. To be freed. */
static char *vm_path(struct xenstore *xs, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/vm", xs->domid);
    char *vm = xs_read(xs->handle, XBT_NULL, path, NULL);
    if (!vm) {
        err_set(err, "cannot read %s from xenstore: %s", path, strerror(errno));
        return NULL;
    }
    if (xenstore_is_vm_path(vm))
        return vm;
    err_set(err, "%s in xenstore is not a path of the form /vm/<uuid>", path);
    free(vm);
    return NULL;
}

bool xenstore_add_offset(const char *old, int64_t seconds, int64_t *sum)
{
    *sum = seconds;
    if (!old || !*old)
        return true;
    char *end;
    errno = 0;
    long long n = strtoll(old, &end, 10);
    return !errno && end != old && !*end && !__builtin_add_overflow((int64_t)n, seconds, sum);
}

bool xenstore_add_time_offset(struct xenstore *xs, int64_t seconds, struct err *err)
{
    char *vm = vm_path(xs, err);
    if (!vm)
        return false;
    char path[128], number[32];
    snprintf(path, sizeof(path), "%s/rtc/timeoffset", vm);
    free(vm);
    char *old = xs_read(xs->handle, XBT_NULL, path, NULL);
    int64_t sum;
    bool ok = xenstore_add_offset(old, seconds, &sum);
    free(old);
    if (!ok)
        return err_set(err,
                       "%s in xenstore is not a number of seconds that %" PRId64 " can be added to",
                       path, seconds);
    snprintf(number, sizeof(number), "%" PRId64, sum);
    return put(xs, path, number, err);
}
