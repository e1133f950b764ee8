/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev_int: what the stream (chardev.c) and the ways to open one (chardev_open.c) share. */
#ifndef UI_CHARDEV_INT_H
#define UI_CHARDEV_INT_H

#include "hw/core/clock.h"
#include "hw/core/loop.h"
#include "ui/chardev.h"
#include "ui/chardev_end.h"
#include "ui/chardev_log.h"
#include "ui/telnet.h"

#define CHARDEV_OUT_SIZE 4096

/* Of a datagram what does not fit into the kernel's read is lost. */
struct chardev_datagram {
    size_t at, len;
    uint8_t bytes[65536];
};

struct chardev {
    struct loop *loop;
    enum chardev_kind kind;
    char *label, *filename;
    const struct chardev_user *user;
    void *user_opaque;

    const struct chardev_end *end; /* in this process: then nothing of the rest but pump_later */
    void *end_opaque;

    int in_fd, out_fd; /* the same for pty and sockets; -1: none */
    int listen_fd;
    struct loop_source in, out, listener; /* out: only while out_fd differs and is full */
    bool nodelay, is_telnet;
    uint64_t reconnect_ns; /* 0: who has left does not come back */
    struct chardev_connector *connector;
    unsigned target;
    struct telnet telnet;

    bool connected;
    bool readable; /* in_fd may have bytes: it is watched edge-triggered */
    bool pumping;
    struct deferred pump_later;

    uint8_t out_buf[CHARDEV_OUT_SIZE];
    size_t out_len;
    uint64_t last_write;      /* when out_fd was last written */
    struct timer flush_timer; /* runs while out_buf waits for company */
    struct timer stall_timer; /* runs while the peer does not take what is there */
    struct timer retry_timer; /* runs while accepting failed for want of descriptors, and until the
                                 next try to connect */
    bool blocked;             /* out_fd is full */
    bool stalled;             /* for so long that bytes are now lost */
    bool wants_room;          /* the user was told "less than len" */

    uint64_t limit, written; /* of a regular file; limit 0: none */
    const char *limited_by;  /* "logsize=" or the like */
    bool complained;         /* one line per chardev about lost output */

    struct chardev_datagram *datagram; /* UDP: the one that is being read */
    struct chardev_log *log;           /* or NULL */

    struct termios *terminal; /* of stdin, to be restored */
};

/* Opens what config names and fills in descriptors, filename and connected. False with *err set;
 * what was opened is then closed by chardev_close. */
bool chardev_open_backend(struct chardev *c, const struct chardev_config *config, struct err *err);

/* Undoes what opening did to the outside (terminal settings) and closes all descriptors. */
void chardev_close_backend(struct chardev *c);

/* For chardev_open.c and chardev_socket.c: sets what chardev_filename gives. */
bool chardev_set_filename(struct chardev *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* chardev_socket.c: UNIX and TCP, server or not; a server with wait=on then waits. */
bool chardev_open_socket(struct chardev *c, const struct chardev_config *config, struct err *err);

/* chardev_socket.c: the same for UDP. */
bool chardev_open_udp(struct chardev *c, const struct chardev_config *config, struct err *err);

/* XEN_QEMU_CONSOLE_LIMIT (XSA-180): how long a file may get that a guest's output is written to; 0:
 * it is not set. */
uint64_t chardev_file_limit(void);

/* A connection is made: the descriptor becomes in_fd and out_fd. */
void chardev_adopt(struct chardev *c, int fd);

/* A connection is there: what is said first to a Telnet peer is put into out_buf. */
void chardev_greet(struct chardev *c);

/* Accepts one connection from listen_fd: in_fd and out_fd are then set. False with errno set. */
bool chardev_accept(struct chardev *c);

#endif
