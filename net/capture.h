/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture: what goes over a wire, written to a file that tcpdump and wireshark read. */
#ifndef NET_CAPTURE_H
#define NET_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/core/err.h"

struct capture;
struct loop;
struct net;

/* Makes the file anew, or opens what is there (a FIFO with a reader); -1 and *err. Before the
 * confinement. */
int capture_create(const char *id, const char *file, struct err *err);

/*
 * Writes each frame of `net` from now on, of which `maxlen` bytes are kept (1 or more), to fd: an
 * empty file, taken over also on failure. Frames as they are on the wire, but a segment that a tap
 * splits is there whole, and without the checksum that it puts in. The file is written to by a
 * thread of its own, a while later; a failure ends the capture with a line in the log.
 */
struct capture *capture_new(struct loop *loop, struct net *net, const char *id, int fd,
                            const char *file, uint32_t maxlen, struct err *err);

/* Writes what is left and closes. Before the wire goes. NULL is fine. */
void capture_free(struct capture *capture);

const char *capture_id(const struct capture *capture);

/* Frames that the file had not enough time for. */
uint64_t capture_missed(const struct capture *capture);

#endif
