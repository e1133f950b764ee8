/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenbus_keys: what back-ends of any kind read and write in xenstore (public/io/xenbus.h). */
#ifndef HW_XEN_XENBUS_KEYS_H
#define HW_XEN_XENBUS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/xen/xenbus.h"

#define XENBUS_KEY_MAX 64 /* characters of a key below a device's path, at most */

enum xenbus_state {
    XENBUS_UNKNOWN,
    XENBUS_INITIALISING,
    XENBUS_INIT_WAIT,
    XENBUS_INITIALISED,
    XENBUS_CONNECTED,
    XENBUS_CLOSING,
    XENBUS_CLOSED,
    XENBUS_STATE_LAST = 8,
};

/* dir/key, zero-terminated, to be freed; NULL and errno (ENOENT). */
char *xenbus_read_key(struct xenbus *x, const char *dir, const char *key);

/* A decimal number below XENBUS_NO_NUMBER, `otherwise` if there is no such key, XENBUS_NO_NUMBER if
 * it is none. */
#define XENBUS_NO_NUMBER UINT32_MAX
uint32_t xenbus_read_number(struct xenbus *x, const char *dir, const char *key, uint32_t otherwise);

/* dir/state; XENBUS_UNKNOWN if there is none. */
enum xenbus_state xenbus_read_state(struct xenbus *x, const char *dir);

/* A warning if it fails. */
void xenbus_write_number(struct xenbus *x, const char *dir, const char *key, uint64_t value);

/* Is this path, which a back-end names as its front-end's, that domain's? Nobody else's is watched
 * or read. Keys can be appended to it. */
bool xenbus_is_front(const char *path, unsigned domid);

#endif
