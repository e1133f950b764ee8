/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev: a stream of bytes to the outside: pty, file, null, stdio, UNIX or TCP socket. Never
 * blocks the loop.
 */
#ifndef UI_CHARDEV_H
#define UI_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct chardev;
struct loop;

enum chardev_kind {
    CHARDEV_NULL,
    CHARDEV_PTY,
    CHARDEV_FILE,
    CHARDEV_STDIO,
    CHARDEV_UNIX,
    CHARDEV_TCP,
};

struct chardev_config {
    enum chardev_kind kind;
    char *path;   /* FILE, UNIX */
    char *host;   /* TCP */
    char *port;   /* TCP: number or service name */
    bool append;  /* FILE */
    bool server;  /* UNIX, TCP: listen instead of connect */
    bool wait;    /* server: wait for the first connection at start-up */
    bool nodelay; /* TCP */
    int fd;       /* UNIX server: an already listening socket, else -1 */
};

/* The device end. receive() takes what room() allowed; event(true) when a peer is there, false when
 * it left. */
struct chardev_user {
    size_t (*room)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*writable)(void *opaque); /* after a short write: there is space again. May be NULL */
    void (*event)(void *opaque, bool connected); /* May be NULL */
};

/* Opens it; label names it in messages and in query-chardev ("serial0"). A file's size is bounded
 * by XEN_QEMU_CONSOLE_LIMIT bytes when that is set in the environment. NULL and *err on failure. */
struct chardev *chardev_open(struct loop *loop, const char *label,
                             const struct chardev_config *config, struct err *err);
void chardev_close(struct chardev *chardev);

/* Connects the device end (user NULL: disconnects). */
void chardev_set_user(struct chardev *chardev, const struct chardev_user *user, void *opaque);

/* Returns how many bytes were taken, less than len when the peer is slow (writable() follows). With
 * no peer connected, bytes are taken and lost, as on an unplugged line. */
size_t chardev_write(struct chardev *chardev, const uint8_t *buf, size_t len);

/* The device has room again after room() returned less than was there. */
void chardev_accept_input(struct chardev *chardev);

const char *chardev_label(const struct chardev *chardev);
/* As query-chardev gives it: "pty:/dev/pts/3", "file", "null", "unix:/path,server=on", … */
const char *chardev_filename(const struct chardev *chardev);
bool chardev_connected(const struct chardev *chardev);

#endif
