/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * telnet: see telnet.h. What is agreed on is said once, at the start, and never asked again; all
 * else the peer proposes is refused with one short answer each, so that two sides that do the same
 * come to rest (RFC 854, "Loops").
 */
#include "ui/telnet.h"

#include <string.h>

/* RFC 854's commands, and the options that are agreed to. */
enum { SE = 240, BRK = 243, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = 255 };
enum { BINARY = 0, ECHO = 1, SUPPRESS_GO_AHEAD = 3 };

enum phase { DATA, CR, COMMAND, OPTION, SUBNEGOTIATION, SUBNEGOTIATION_COMMAND };

void telnet_start(struct telnet *t, const uint8_t **hello, size_t *len)
{
    static const uint8_t words[] = {
        IAC,  WILL,   ECHO, IAC, WILL,  SUPPRESS_GO_AHEAD, IAC, DO, SUPPRESS_GO_AHEAD, IAC,
        WILL, BINARY, IAC,  DO,  BINARY};
    *t = (struct telnet){.phase = DATA};
    *hello = words;
    *len = sizeof(words);
}

/* The option of WILL, WONT, DO or DONT. True: it is to be answered. */
static bool option(struct telnet *t, uint8_t code, uint8_t *reply)
{
    bool known = code == BINARY || code == SUPPRESS_GO_AHEAD || (code == ECHO && t->command == DO);
    t->phase = DATA;
    if (code == BINARY && (t->command == WILL || t->command == WONT))
        t->binary = t->command == WILL;
    if (known || t->command == WONT || t->command == DONT)
        return false;
    reply[0] = IAC;
    reply[1] = t->command == DO ? WONT : DONT;
    reply[2] = code;
    return true;
}

/* The byte behind IAC. True: it stands for itself. */
static bool command(struct telnet *t, uint8_t code)
{
    t->phase = DATA;
    switch (code) {
    case IAC:
        return true;
    case SB:
        t->phase = SUBNEGOTIATION;
        break;
    case WILL:
    case WONT:
    case DO:
    case DONT:
        t->command = code;
        t->phase = OPTION;
        break;
    }
    return false;
}

/* A byte outside of commands. True: it is a character. */
static bool character(struct telnet *t, uint8_t code)
{
    bool after_cr = t->phase == CR;
    t->phase = DATA;
    if (code == IAC) {
        t->phase = COMMAND;
        return false;
    }
    if (t->binary)
        return true;
    if (code == '\r')
        t->phase = CR;
    return !after_cr || (code != '\0' && code != '\n'); /* RFC 854: both belong to the CR */
}

struct telnet_input telnet_decode(struct telnet *t, uint8_t *buf, size_t len)
{
    struct telnet_input in = {0};
    while (in.used < len && in.event == TELNET_DATA) {
        uint8_t code = buf[in.used++];
        bool data = false;
        switch ((enum phase)t->phase) {
        case DATA:
        case CR:
            data = character(t, code);
            break;
        case COMMAND:
            data = command(t, code);
            if (code == BRK)
                in.event = TELNET_BREAK;
            break;
        case OPTION:
            if (option(t, code, in.reply))
                in.event = TELNET_REPLY;
            break;
        case SUBNEGOTIATION: /* of options that nobody agreed on: not for us */
            if (code == IAC)
                t->phase = SUBNEGOTIATION_COMMAND;
            break;
        case SUBNEGOTIATION_COMMAND:
            t->phase = code == SE ? DATA : SUBNEGOTIATION;
            break;
        }
        if (data)
            buf[in.data++] = code;
    }
    return in;
}

size_t telnet_encode(const uint8_t *buf, size_t len, uint8_t *out, size_t room, size_t *out_len)
{
    size_t taken = 0, n = 0;
    for (; taken < len; taken++) {
        if (n + (buf[taken] == IAC ? 2 : 1) > room)
            break;
        out[n++] = buf[taken];
        if (buf[taken] == IAC)
            out[n++] = IAC;
    }
    *out_len = n;
    return taken;
}
