/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp_control: the commands that QMP has as well: each is QMP's, with the words as its arguments.
 */
#include "toolstack/hmp_internal.h"

#include <string.h>

#include "block/format.h"
#include "hw/core/log.h"
#include "toolstack/optstr.h"

/* Takes args (which may be NULL); says what went wrong. */
static void qmp(struct hmp *h, const char *command, json_t *args)
{
    struct qmp_call call = {.qmp = h->qmp};
    qmp_dispatch(&call, command, args);
    if (call.error_class)
        hmp_say(h, "Error: %s", call.err.text);
    json_decref(call.result);
    json_decref(args);
}

static void set(json_t *args, const char *name, const char *word)
{
    if (word)
        json_object_set_new(args, name, qmp_text(word));
}

void hmp_stop(struct hmp *h)
{
    qmp(h, "stop", NULL);
}

void hmp_cont(struct hmp *h)
{
    qmp(h, "cont", NULL);
}

/* When the answer has left. */
void hmp_quit(struct hmp *h)
{
    h->quit = true;
}

void hmp_reset(struct hmp *h)
{
    qmp(h, "system_reset", NULL);
}

void hmp_powerdown(struct hmp *h)
{
    qmp(h, "system_powerdown", NULL);
}

void hmp_wakeup(struct hmp *h)
{
    qmp(h, "system_wakeup", NULL);
}

void hmp_eject(struct hmp *h)
{
    bool force = !strcmp(h->words[0], "-f");
    const char *device = hmp_word(h, force);
    if (!device || h->count != 1u + force) {
        hmp_say(h, "eject [-f] DEVICE");
        return;
    }
    json_t *args = json_object();
    set(args, "device", device);
    json_object_set_new(args, "force", json_boolean(force));
    qmp(h, "eject", args);
}

void hmp_change(struct hmp *h)
{
    json_t *args = json_object();
    set(args, "device", h->words[0]);
    if (!strcmp(h->words[0], "vnc")) {
        set(args, "target", h->words[1]);
        set(args, "arg", hmp_word(h, 2) ? hmp_word(h, 2) : "");
        qmp(h, "change", args);
        return;
    }
    set(args, "filename", h->words[1]);
    set(args, "format", hmp_word(h, 2));
    set(args, "read-only-mode", hmp_word(h, 3));
    qmp(h, "blockdev-change-medium", args);
}

void hmp_commit(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_block_info info = {0};
    struct qmp_medium below = {.file = hmp_word(h, 1), .fd = -1, .format = BLOCK_FORMAT_RAW};
    bool all = !strcmp(h->words[0], "all"), found = false;
    struct err err;
    if (all && below.file) {
        hmp_say(h, "Error: a file is below one drive: commit DEVICE FILE [FORMAT]");
        return;
    }
    if (hmp_word(h, 2) && !block_format_find(hmp_word(h, 2), below.file, &below.format, &err)) {
        hmp_say(h, "Error: %s", err.text);
        return;
    }
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        if (all ? info.inserted : qmp_find_block(h->qmp, h->words[0], &info) == (int)i) {
            found = true;
            if (t->commit && below.file && qmp_fd_file(h->qmp, below.file, true, &below.fd, &err) &&
                below.fd < 0) {
                hmp_done(h, true, false, &err);
                return;
            }
            hmp_done(h, t->commit,
                     t->commit && t->commit(t->opaque, i, below.file ? &below : NULL, &err), &err);
        }
        info = (struct qmp_block_info){0};
    }
    if (!found && !all)
        hmp_say(h, "Error: there is no drive '%.64s'", h->words[0]);
}

void hmp_screendump(struct hmp *h)
{
    const char *file = NULL, *format = NULL;
    for (size_t i = 0; i < h->count; i++)
        if (!strcmp(h->words[i], "-f") && hmp_word(h, i + 1))
            format = h->words[++i];
        else if (!file)
            file = h->words[i];
        else
            file = ""; /* two of them */
    if (!file || !*file) {
        hmp_say(h, "screendump FILE [-f png|ppm]");
        return;
    }
    json_t *args = json_object();
    set(args, "filename", file);
    set(args, "format", format);
    qmp(h, "screendump", args);
}

void hmp_set_link(struct hmp *h)
{
    if (strcmp(h->words[1], "on") && strcmp(h->words[1], "off")) {
        hmp_say(h, "set_link NAME on|off");
        return;
    }
    json_t *args = json_object();
    set(args, "name", h->words[0]);
    json_object_set_new(args, "up", json_boolean(!strcmp(h->words[1], "on")));
    qmp(h, "set_link", args);
}

/* As often, and with as much time between, as after a migration. */
void hmp_announce(struct hmp *h)
{
    json_t *args =
        json_pack("{s:i,s:i,s:i,s:i}", "initial", 50, "max", 550, "rounds", 5, "step", 100);
    char *names = h->count ? h->words[0] : NULL;
    if (names) {
        json_t *list = json_array();
        for (char *name; (name = strsep(&names, ","));)
            json_array_append_new(list, qmp_text(name));
        json_object_set_new(args, "interfaces", list);
    }
    qmp(h, "announce-self", args);
}

void hmp_object_add(struct hmp *h)
{
    static const char *const keys[] = {"qom-type", "id", "netdev", "file", "queue"};
    struct optstr o;
    struct err err;
    uint64_t maxlen = 0;
    if (!optstr_parse(&o, "object_add", h->words[0], "qom-type", &err)) {
        hmp_say(h, "Error: %s", err.text);
        return;
    }
    json_t *args = json_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        set(args, keys[i], optstr_take(&o, keys[i]));
    bool ok = optstr_number(&o, "maxlen", 1, INT32_MAX, &maxlen, &err) && optstr_finish(&o, &err);
    if (maxlen)
        json_object_set_new(args, "maxlen", json_integer((json_int_t)maxlen));
    optstr_free(&o);
    if (ok) {
        qmp(h, "object-add", args);
        return;
    }
    hmp_say(h, "Error: %s", err.text);
    json_decref(args);
}

void hmp_object_del(struct hmp *h)
{
    json_t *args = json_object();
    set(args, "id", h->words[0]);
    qmp(h, "object-del", args);
}

void hmp_log(struct hmp *h)
{
    static const char *const names[] = {[LOG_LEVEL_ERROR] = "error",
                                        [LOG_LEVEL_WARNING] = "warning",
                                        [LOG_LEVEL_INFO] = "info",
                                        [LOG_LEVEL_GUEST] = "guest"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], h->words[0])) {
            log_set_level((enum log_level)i);
            return;
        }
    hmp_say(h, "log error|warning|info|guest");
}
