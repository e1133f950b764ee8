/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev_connect: connections that are made again and again (reconnect=), once this process may
 * make none any more: another one makes them, to places that were fixed before, and hands them
 * over.
 */
#ifndef UI_CHARDEV_CONNECT_H
#define UI_CHARDEV_CONNECT_H

#include <sys/socket.h>

#include "ui/chardev.h"

#define CHARDEV_ADDRESSES_MAX 4
#define CHARDEV_TARGETS_MAX   16

/* Where one of them goes: tried in this order. */
struct chardev_target {
    unsigned count;
    struct {
        struct sockaddr_storage address;
        socklen_t len;
    } list[CHARDEV_ADDRESSES_MAX];
};

/* The addresses of a UNIX or TCP socket's configuration; false and *err if it has none. */
bool chardev_resolve(const char *label, const struct chardev_config *config,
                     struct chardev_target *target, struct err *err);

/*
 * The other process' side: serves requests from `socket` (SOCK_SEQPACKET) until that is closed. Of
 * what it is asked it believes no more than which of the targets is meant.
 */
void chardev_connect_serve(int socket, const struct chardev_target *targets, size_t count);

/* This process' side; the socket is its from now on. NULL and *err. */
struct chardev_connector *chardev_connector_new(struct loop *loop, int socket, struct err *err);
/* Nobody waits for a connection any more. NULL: nothing. */
void chardev_connector_free(struct chardev_connector *connector);

/* Asks for a connection to `target`; done gets a non-blocking descriptor, which is its own, or -1
 * and errno. One at a time for each target. */
void chardev_connector_ask(struct chardev_connector *connector, unsigned target,
                           void (*done)(void *opaque, int fd, int error), void *opaque);
/* `done` is not called any more. */
void chardev_connector_forget(struct chardev_connector *connector, unsigned target);

#endif
