/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev_mux: see chardev_mux.h. Each branch keeps what was typed for it until it has room, so
 * that the escape character is seen while the device it leads away from takes nothing.
 */
#include "ui/chardev_mux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/loop.h"
#include "ui/chardev_end.h"

#define PENDING_MAX 1024 /* typed, and not yet taken; then nothing more is read */

struct branch {
    struct chardev_mux *mux;
    struct chardev *chardev; /* NULL: free */
    bool waits;              /* it was told "less than len" */
    bool focus;              /* as it was told */
    uint8_t pending[PENDING_MAX];
    size_t pending_len;
};

struct chardev_mux {
    struct loop *loop;
    struct chardev *stream;
    unsigned char escape;
    struct chardev_mux_actions actions;
    struct branch branches[CHARDEV_MUX_MAX];
    unsigned focus;
    bool escaped;    /* the escape character was the last one */
    bool timestamps; /* at the start of each line */
    bool line_start;
    uint64_t started; /* what the time stamps count from */
};

/* ---- What is written ---- */

static void say(struct chardev_mux *m, const char *text)
{
    chardev_write(m->stream, (const uint8_t *)text, strlen(text));
    m->line_start = true;
}

/* False: there was no room for it. */
static bool stamp(struct chardev_mux *m)
{
    char text[48];
    uint64_t ms = (clock_now(loop_clock(m->loop)) - m->started) / NS_PER_MS;
    int n =
        snprintf(text, sizeof(text), "[%02u:%02u:%02u.%03u] ", (unsigned)(ms / 3600000),
                 (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    return chardev_write(m->stream, (const uint8_t *)text, (size_t)n) > 0;
}

static size_t write_lines(struct chardev_mux *m, const uint8_t *buf, size_t len)
{
    size_t taken = 0;
    while (taken < len) {
        const uint8_t *end = memchr(buf + taken, '\n', len - taken);
        size_t part = end ? (size_t)(end - buf) + 1 - taken : len - taken, n;
        if (m->line_start && !stamp(m))
            break;
        m->line_start = false;
        n = chardev_write(m->stream, buf + taken, part);
        taken += n;
        if (n < part)
            break;
        m->line_start = end != NULL;
    }
    return taken;
}

static size_t branch_write(void *opaque, const uint8_t *buf, size_t len)
{
    struct branch *b = opaque;
    struct chardev_mux *m = b->mux;
    size_t taken;
    if (m->timestamps) {
        taken = write_lines(m, buf, len);
    } else {
        taken = chardev_write(m->stream, buf, len);
        if (taken)
            m->line_start = buf[taken - 1] == '\n';
    }
    b->waits = taken < len;
    return taken;
}

static void stream_writable(void *opaque)
{
    struct chardev_mux *m = opaque;
    for (unsigned i = 0; i < CHARDEV_MUX_MAX; i++) {
        struct branch *b = &m->branches[i];
        if (!b->chardev || !b->waits)
            continue;
        b->waits = false;
        chardev_writable(b->chardev);
    }
}

/* ---- What is typed ---- */

/* Gives the branch what it has room for. */
static void deliver(struct branch *b)
{
    while (b->chardev && b->pending_len) {
        size_t room = chardev_room(b->chardev), n = b->pending_len < room ? b->pending_len : room;
        uint8_t part[64];
        if (!n)
            break;
        if (n > sizeof(part))
            n = sizeof(part);
        memcpy(part, b->pending, n);
        b->pending_len -= n;
        memmove(b->pending, b->pending + n, b->pending_len);
        chardev_deliver(b->chardev, part, n);
    }
}

static void tell_focus(struct branch *b, bool focus)
{
    if (!b->chardev || b->focus == focus)
        return;
    b->focus = focus;
    chardev_focus(b->chardev, focus);
}

/* Also when the branch has just got its user. */
static void branch_accept_input(void *opaque)
{
    struct branch *b = opaque;
    bool was_full = b->pending_len == PENDING_MAX;
    tell_focus(b, b == &b->mux->branches[b->mux->focus]);
    deliver(b);
    if (was_full && b->pending_len < PENDING_MAX)
        chardev_accept_input(b->mux->stream);
}

static void help(struct chardev_mux *m)
{
    char text[600], key[16] = "(none)";
    if (m->escape)
        snprintf(key, sizeof(key), "Ctrl+%c", m->escape + '@');
    snprintf(text, sizeof(text),
             "\r\n%s h  this list\r\n%s x  end the device model, and the guest with it\r\n"
             "%s s  write what snapshots hold back to the images\r\n"
             "%s t  time stamps on or off\r\n%s b  send a break (magic SysRq)\r\n"
             "%s c  the next of those that share this line\r\n%s %s  send %s\r\n",
             key, key, key, key, key, key, key, key, key);
    say(m, text);
}

static void act(struct chardev_mux *m, void (*action)(void *opaque), const char *missing)
{
    if (action)
        action(m->actions.opaque);
    else
        say(m, missing);
}

static void next_focus(struct chardev_mux *m)
{
    unsigned next = m->focus;
    do
        next = (next + 1) % CHARDEV_MUX_MAX;
    while (!m->branches[next].chardev && next != m->focus);
    if (next == m->focus)
        return;
    deliver(&m->branches[m->focus]);
    tell_focus(&m->branches[m->focus], false);
    m->focus = next;
    tell_focus(&m->branches[next], true);
    deliver(&m->branches[next]);
}

/* The key behind the escape character. True: it is the escape character once more, for the device.
 */
static bool command(struct chardev_mux *m, uint8_t key)
{
    struct chardev *focused = m->branches[m->focus].chardev;
    if (key == m->escape)
        return true;
    switch (key) {
    case 'h':
    case '?':
        help(m);
        break;
    case 'x':
        say(m, "\r\nended from the console\r\n");
        act(m, m->actions.quit, "\r\nthis needs a monitor\r\n");
        break;
    case 's':
        act(m, m->actions.commit, "\r\na privileged monitor's commit does it\r\n");
        break;
    case 'b':
        if (focused)
            chardev_line_break(focused);
        break;
    case 'c':
        next_focus(m);
        break;
    case 't':
        m->timestamps = !m->timestamps;
        break;
    }
    return false;
}

static size_t stream_room(void *opaque)
{
    struct chardev_mux *m = opaque;
    return PENDING_MAX - m->branches[m->focus].pending_len;
}

static void stream_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct chardev_mux *m = opaque;
    for (size_t i = 0; i < len; i++) {
        bool escaped = m->escaped;
        m->escaped = !escaped && m->escape && buf[i] == m->escape;
        if (m->escaped || (escaped && !command(m, buf[i])))
            continue;
        /* The room was asked of the one that had the focus then. */
        struct branch *b = &m->branches[m->focus];
        if (b->pending_len < PENDING_MAX)
            b->pending[b->pending_len++] = buf[i];
    }
    deliver(&m->branches[m->focus]);
}

static void stream_event(void *opaque, bool connected)
{
    struct chardev_mux *m = opaque;
    (void)connected;
    m->escaped = false;
}

static void stream_line_break(void *opaque)
{
    struct chardev_mux *m = opaque;
    if (m->branches[m->focus].chardev)
        chardev_line_break(m->branches[m->focus].chardev);
}

static const struct chardev_user stream_user = {
    .room = stream_room,
    .receive = stream_receive,
    .writable = stream_writable,
    .event = stream_event,
    .line_break = stream_line_break,
};

/* ---- Life ---- */

static void branch_close(void *opaque)
{
    struct branch *b = opaque;
    struct chardev_mux *m = b->mux;
    b->chardev = NULL;
    b->pending_len = 0;
    b->waits = b->focus = false;
    if (b == &m->branches[m->focus])
        next_focus(m);
}

static const struct chardev_end branch_end = {
    .write = branch_write, .accept_input = branch_accept_input, .close = branch_close};

struct chardev_mux *chardev_mux_new(struct loop *loop, struct chardev *stream, unsigned char escape,
                                    const struct chardev_mux_actions *actions, struct err *err)
{
    struct chardev_mux *m = calloc(1, sizeof(*m));
    if (!m) {
        chardev_close(stream);
        err_set(err, "out of memory");
        return NULL;
    }
    m->loop = loop;
    m->stream = stream;
    m->escape = escape;
    if (actions)
        m->actions = *actions;
    m->line_start = true;
    m->started = clock_now(loop_clock(loop));
    chardev_set_user(stream, &stream_user, m);
    return m;
}

struct chardev *chardev_mux_branch(struct chardev_mux *m, const char *label, struct err *err)
{
    for (unsigned i = 0; i < CHARDEV_MUX_MAX; i++) {
        struct branch *b = &m->branches[i];
        if (b->chardev)
            continue;
        b->mux = m;
        b->chardev = chardev_new(m->loop, label, chardev_filename(m->stream), &branch_end, b, err);
        if (b->chardev && !m->branches[m->focus].chardev)
            m->focus = i;
        return b->chardev;
    }
    err_set(err, "%s: no more than %d share one stream", label, CHARDEV_MUX_MAX);
    return NULL;
}

void chardev_mux_free(struct chardev_mux *m)
{
    if (!m)
        return;
    chardev_close(m->stream);
    free(m);
}
