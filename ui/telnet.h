/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * telnet: the Telnet protocol (RFC 854) around a stream of characters, as a console server speaks
 * it: the peer sends each key as it is struck and does not echo (RFC 857, 858), eight bits both
 * ways (RFC 856) if it can. No memory but the struct, no state that grows.
 */
#ifndef UI_TELNET_H
#define UI_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct telnet {
    uint8_t phase;
    uint8_t command; /* WILL, WONT, DO or DONT, whose option comes next */
    bool binary;     /* what the peer sends is not in NVT form: CR means CR */
};

#define TELNET_REPLY_MAX 3 /* bytes that telnet_decode may want to send for one command */

enum telnet_event {
    TELNET_DATA,  /* nothing but characters */
    TELNET_BREAK, /* behind them the peer sent a break */
    TELNET_REPLY, /* behind them reply[] is to be sent to the peer */
};

struct telnet_input {
    size_t used, data;               /* bytes taken from the buffer; characters now at its start */
    enum telnet_event event;         /* what came behind them */
    uint8_t reply[TELNET_REPLY_MAX]; /* with TELNET_REPLY */
};

/* A new connection; *len bytes of *hello are to be sent first. */
void telnet_start(struct telnet *t, const uint8_t **hello, size_t *len);

/* Takes bytes that came from the peer, up to the first that is an event, and leaves the characters
 * among them at the start of `buf`. Call it again with the rest while used < len. */
struct telnet_input telnet_decode(struct telnet *t, uint8_t *buf, size_t len);

/* Writes characters as the peer is to get them: at most `room` bytes to `out`, *out_len of them.
 * Returns how many characters that took. */
size_t telnet_encode(const uint8_t *buf, size_t len, uint8_t *out, size_t room, size_t *out_len);

#endif
