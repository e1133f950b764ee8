/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev: a stream of bytes to the outside: pty, file, pipe, null, stdio, UNIX, TCP or UDP socket,
 * text console. Never blocks the loop.
 */
#ifndef UI_CHARDEV_H
#define UI_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct chardev;
struct chardev_connector; /* ui/chardev_connect.h */
struct loop;

enum chardev_kind {
    CHARDEV_NULL,
    CHARDEV_PTY,
    CHARDEV_FILE,
    CHARDEV_STDIO,
    CHARDEV_PIPE,
    CHARDEV_UNIX,
    CHARDEV_TCP,
    CHARDEV_UDP, /* each datagram is some bytes of the stream */
    CHARDEV_VC,  /* a text console (ui/console.h) */
    CHARDEV_MUX, /* a branch of a multiplexer (ui/chardev_mux.h) */
};

struct chardev_config {
    enum chardev_kind kind;
    char *path;         /* FILE, UNIX; PIPE: PATH.in and PATH.out, or PATH both ways */
    char *host;         /* TCP, UDP */
    char *port;         /* TCP, UDP: number or service name */
    char *local_host;   /* UDP: where datagrams come in; NULL: anywhere … */
    char *local_port;   /* … and any port */
    bool append;        /* FILE */
    uint64_t limit;     /* FILE: at most so many bytes; 0: no limit */
    bool server;        /* UNIX, TCP: listen instead of connect */
    bool wait;          /* server: wait for the first connection at start-up */
    bool nodelay;       /* TCP */
    bool telnet;        /* UNIX, TCP: the peer speaks Telnet */
    unsigned reconnect; /* no server: try again after so many seconds; 0: never */
    struct chardev_connector *connector; /* with reconnect: who makes the connections … */
    unsigned target;                     /* … and which of its targets it is */
    bool raw;            /* STDIO: Ctrl+C and the like are characters, not signals */
    int fd;              /* UNIX server: an already listening socket, else -1 */
    unsigned cols, rows; /* VC: its size in characters; 0: 80 x 24 */
    unsigned mux;        /* MUX: which one, an index of config.muxes */
    char *log;           /* logfile=: chardev_set_log; or NULL */
    bool log_append;
};

/* Releases what the configuration points to; closes no descriptor. */
void chardev_config_free(struct chardev_config *config);

/* The device end. receive() takes what room() allowed; event(true) when a peer is there, false when
 * it left. All but the first two may be NULL. */
struct chardev_user {
    size_t (*room)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);
    void (*writable)(void *opaque); /* after a short write: there is space again */
    void (*event)(void *opaque, bool connected);
    void (*line_break)(void *opaque); /* the peer sent a break (Telnet, a multiplexer) */
    /* At a multiplexer: what is typed comes here from now on, or no longer. */
    void (*focus)(void *opaque, bool focus);
};

/* Opens one of the kinds up to UDP; label names it in messages and in query-chardev ("serial0"). A
 * file's size is bounded by XEN_QEMU_CONSOLE_LIMIT bytes too when that is set in the environment.
 * NULL and *err on failure. */
struct chardev *chardev_open(struct loop *loop, const char *label,
                             const struct chardev_config *config, struct err *err);
/* From now on what the device writes goes to the file `path` as well, also what is lost for want of
 * a peer. Before the confinement. XEN_QEMU_CONSOLE_LIMIT bounds it. False and *err. */
bool chardev_set_log(struct chardev *chardev, const char *path, bool append, struct err *err);

/* NULL: nothing. */
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
