/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp_console: a monitor for people on a stream. While its peer has not taken what was said before,
 * nothing more is read from it: so what is waiting is bounded by one answer.
 */
#include "toolstack/hmp_internal.h"

#include <stdlib.h>
#include <string.h>

#include "hw/core/log.h"
#include "ui/chardev.h"
#include "ui/lineedit.h"

#define PROMPT     "(qemu) "
#define INPUT_SIZE 64 /* bytes taken at a time */

struct hmp_console {
    struct qmp *qmp;
    struct chardev *chardev;
    struct lineedit *editor;
    bool privileged;
    bool quit;
    bool greeted;
    struct deferred later; /* greets, or ends the process */
    /* Typed behind a line whose answer has not been taken. */
    uint8_t in[INPUT_SIZE];
    size_t in_len;
    /* Said and not yet taken. */
    char *out;
    size_t out_len, out_size;
};

static void end_if_told(struct hmp_console *c)
{
    if (c->quit && !c->out_len)
        loop_defer(c->qmp->loop, &c->later);
}

static void flush(struct hmp_console *c)
{
    size_t n = chardev_write(c->chardev, (const uint8_t *)c->out, c->out_len);
    memmove(c->out, c->out + n, c->out_len - n);
    c->out_len -= n;
    end_if_told(c);
}

static void put(void *opaque, const char *buf, size_t len)
{
    struct hmp_console *c = opaque;
    size_t total = c->out_len + len;
    if (total > c->out_size) {
        size_t size = total < 4096 ? 4096 : total + total / 2;
        char *bigger = realloc(c->out, size);
        if (!bigger)
            return; /* there are worse things to do without memory than to say less */
        c->out = bigger;
        c->out_size = size;
    }
    memcpy(c->out + c->out_len, buf, len);
    c->out_len = total;
}

static void line(void *opaque, const char *text)
{
    struct hmp_console *c = opaque;
    char *answer = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&answer, &len);
    if (!out || c->quit)
        return;
    c->quit = hmp_line(c->qmp, c->privileged, text, out);
    if (fclose(out) == 0)
        put(c, answer, len < HMP_MAX_OUTPUT ? len : HMP_MAX_OUTPUT);
    free(answer);
}

static void complete(void *opaque, const char *text, struct lineedit_words *words)
{
    struct hmp_console *c = opaque;
    hmp_complete(c->qmp, c->privileged, text, words);
}

static const struct lineedit_user user = {.output = put, .line = line, .complete = complete};

/* ---- the stream's side ---- */

static size_t room(void *opaque)
{
    const struct hmp_console *c = opaque;
    return c->out_len || c->in_len || c->quit ? 0 : INPUT_SIZE;
}

static void greet(struct hmp_console *c)
{
    static const char greeting[] = "hvm-dm " HVM_DM_VERSION " monitor - type 'help' for more\r\n";
    c->greeted = true;
    put(c, greeting, strlen(greeting));
    lineedit_show(c->editor);
    flush(c);
}

/* One line after the other, as long as answers are taken. */
static void take_lines(struct hmp_console *c)
{
    while (c->in_len && !c->out_len && !c->quit) {
        size_t n = 0;
        while (n < c->in_len && c->in[n] != '\r' && c->in[n] != '\n')
            n++;
        n += n < c->in_len;
        lineedit_feed(c->editor, c->in, n);
        memmove(c->in, c->in + n, c->in_len - n);
        c->in_len -= n;
        flush(c);
    }
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct hmp_console *c = opaque;
    if (!c->greeted) /* who is at a pty is known by what is typed there */
        greet(c);
    memcpy(c->in, buf, len);
    c->in_len = len;
    take_lines(c);
}

static void writable(void *opaque)
{
    struct hmp_console *c = opaque;
    flush(c);
    take_lines(c);
    if (!c->out_len)
        chardev_accept_input(c->chardev);
}

static void event(void *opaque, bool connected)
{
    struct hmp_console *c = opaque;
    /* The next one finds nothing of what this one wrote. */
    lineedit_clear(c->editor);
    c->out_len = c->in_len = 0;
    c->greeted = false;
    if (connected)
        loop_defer(c->qmp->loop, &c->later);
    end_if_told(c);
}

static const struct chardev_user stream = {
    .room = room, .receive = receive, .writable = writable, .event = event};

static void later(void *opaque)
{
    struct hmp_console *c = opaque;
    const struct qmp_target *t = c->qmp->target;
    if (c->quit && t->quit)
        t->quit(t->opaque);
    else if (!c->quit && !c->greeted)
        greet(c);
}

struct hmp_console *hmp_console_open(struct qmp *qmp, struct chardev *chardev, bool privileged,
                                     struct err *err)
{
    if (!lineedit_available(err))
        return NULL;
    struct hmp_console *c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(err, "out of memory");
        return NULL;
    }
    c->qmp = qmp;
    c->chardev = chardev;
    c->privileged = privileged;
    c->editor = lineedit_new(PROMPT, &user, c);
    if (!c->editor) {
        free(c);
        err_set(err, "out of memory");
        return NULL;
    }
    deferred_init(&c->later, later, c);
    chardev_set_user(chardev, &stream, c);
    if (chardev_connected(chardev))
        loop_defer(qmp->loop, &c->later);
    return c;
}

void hmp_console_close(struct hmp_console *c)
{
    if (!c)
        return;
    chardev_set_user(c->chardev, NULL, NULL);
    loop_undefer(c->qmp->loop, &c->later);
    lineedit_free(c->editor);
    free(c->out);
    free(c);
}
