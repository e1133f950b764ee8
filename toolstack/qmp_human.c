/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_human: lines of the human monitor by QMP, and what QMP has for keys, pointers and pictures.
 */
#include "toolstack/qmp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toolstack/hmp.h"
#include "toolstack/keynames.h"
#include "toolstack/keysend.h"
#include "toolstack/picture.h"
#include "ui/display.h"
#include "ui/input.h"

void qmp_cmd_human(struct qmp_call *call)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return;
    /* QMP's peer is the toolstack. */
    bool quit = hmp_line(call->qmp, true, qmp_arg_string(call, "command-line"), out);
    if (fclose(out) == 0)
        call->result = qmp_text(text);
    free(text);
    if (quit && call->monitor)
        call->monitor->quit = true;
}

/* ---- keys and pointers ---- */

bool qmp_press_keys(struct qmp *qmp, const unsigned *codes, size_t count, unsigned hold_ms,
                    struct err *err)
{
    if (!qmp->target->input)
        return err_set(err, "there is no keyboard here");
    if (!qmp->keysend)
        qmp->keysend = keysend_new(qmp->loop, qmp->target->input);
    if (!qmp->keysend)
        return err_set(err, "out of memory");
    return keysend_press(qmp->keysend, codes, count, hold_ms, err);
}

/* A KeyValue (qapi/ui.json): {"type":"qcode","data":"ret"} or {"type":"number","data":28}. 0: the
 * error is set. */
static unsigned key_value(struct qmp_call *call, const json_t *value)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    const json_t *data = json_object_get(value, "data");
    unsigned code = 0;
    if (type && !strcmp(type, "qcode") && json_is_string(data))
        code = keyname_code(json_string_value(data));
    else if (type && !strcmp(type, "number") && json_is_integer(data))
        code = keyname_of_scan_code((uint64_t)json_integer_value(data));
    if (!code)
        qmp_fail(call, QMP_GENERIC, "'%.32s' is not a key",
                 json_is_string(data) ? json_string_value(data) : "keys");
    return code;
}

void qmp_cmd_send_key(struct qmp_call *call)
{
    const json_t *keys = json_object_get(call->args, "keys");
    unsigned codes[KEYSEND_MAX_KEYS];
    json_int_t hold = KEYSEND_HOLD_MS;
    size_t count = json_array_size(keys);
    qmp_arg_int(call, "hold-time", &hold);
    if (count < 1 || count > KEYSEND_MAX_KEYS || hold < 1 || hold > KEYSEND_MAX_HOLD_MS) {
        qmp_fail(call, QMP_GENERIC, "1 to %d keys are held for 1 to %d ms", KEYSEND_MAX_KEYS,
                 KEYSEND_MAX_HOLD_MS);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!(codes[i] = key_value(call, json_array_get(keys, i))))
            return;
    qmp_done(call, true, qmp_press_keys(call->qmp, codes, count, (unsigned)hold, &call->err));
}

/* What an array of events adds up to; sent as one movement. */
struct pointer_event {
    bool absolute, relative;
    long long x, y, dx, dy, wheel;
};

static bool axis(struct pointer_event *p, const json_t *data, bool absolute)
{
    const char *name = json_string_value(json_object_get(data, "axis"));
    const json_t *number = json_object_get(data, "value");
    long long value = json_integer_value(number), low = absolute ? 0 : -0x7FFF;
    if (!name || !json_is_integer(number) || value < low || value > 0x7FFF ||
        (strcmp(name, "x") && strcmp(name, "y")))
        return false;
    if (absolute) {
        p->absolute = true;
        *(*name == 'x' ? &p->x : &p->y) = value;
    } else {
        p->relative = true;
        *(*name == 'x' ? &p->dx : &p->dy) += value;
    }
    return true;
}

static bool button(struct qmp *qmp, struct pointer_event *p, const json_t *data)
{
    static const struct {
        const char *name;
        unsigned bit;
    } buttons[] = {
        {"left", INPUT_BUTTON_LEFT}, {"middle", INPUT_BUTTON_MIDDLE}, {"right", INPUT_BUTTON_RIGHT},
        {"side", INPUT_BUTTON_SIDE}, {"extra", INPUT_BUTTON_EXTRA},
    };
    const char *name = json_string_value(json_object_get(data, "button"));
    const json_t *state = json_object_get(data, "down");
    if (!name || !json_is_boolean(state))
        return false;
    if (!strcmp(name, "wheel-up") || !strcmp(name, "wheel-down")) {
        p->wheel += json_is_true(state) ? (!strcmp(name, "wheel-up") ? 1 : -1) : 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(buttons) / sizeof(buttons[0]); i++)
        if (!strcmp(buttons[i].name, name)) {
            qmp->mouse_buttons = json_is_true(state) ? qmp->mouse_buttons | buttons[i].bit
                                                     : qmp->mouse_buttons & ~buttons[i].bit;
            return true;
        }
    return false;
}

static void send_pointer(struct qmp *qmp, const struct pointer_event *p)
{
    struct input *input = qmp->target->input;
    if (p->absolute)
        input_guest_pointer_at(input, (int)p->x, (int)p->y, 0x8000, 0x8000, (int)p->wheel,
                               qmp->mouse_buttons);
    else
        input_guest_pointer_by(input, (int)p->dx, (int)p->dy, 0x8000, 0x8000, (int)p->wheel,
                               qmp->mouse_buttons);
}

void qmp_cmd_input_send_event(struct qmp_call *call)
{
    const json_t *events = json_object_get(call->args, "events");
    struct qmp *qmp = call->qmp;
    struct pointer_event p = {0};
    bool pointer = false;
    size_t i;
    json_t *event;
    if (!qmp->target->input || json_array_size(events) > 64) {
        qmp_fail(call, QMP_GENERIC,
                 qmp->target->input ? "more than 64 events at once" : "there is no input here");
        return;
    }
    json_array_foreach(events, i, event)
    {
        const char *type = json_string_value(json_object_get(event, "type"));
        const json_t *data = json_object_get(event, "data");
        bool fits = false;
        if (type && !strcmp(type, "key")) {
            unsigned code = key_value(call, json_object_get(data, "key"));
            fits = code && json_is_boolean(json_object_get(data, "down"));
            if (fits)
                input_guest_key(qmp->target->input, code,
                                json_is_true(json_object_get(data, "down")));
        } else if (type && !strcmp(type, "btn")) {
            fits = pointer = button(qmp, &p, data);
            /* Each change of a button is an event of its own. */
            if (fits)
                send_pointer(qmp, &p);
            p.dx = p.dy = p.wheel = 0;
        } else if (type && (!strcmp(type, "abs") || !strcmp(type, "rel"))) {
            fits = pointer = axis(&p, data, *type == 'a');
        }
        if (!fits) {
            qmp_fail(call, QMP_GENERIC, "event %zu is not a key, btn, abs or rel with its data", i);
            return;
        }
    }
    if (pointer && (p.absolute || p.dx || p.dy))
        send_pointer(qmp, &p);
    qmp_done(call, true, true);
}

void qmp_cmd_mice(struct qmp_call *call)
{
    const struct input *input = call->qmp->target->input;
    const struct input_pointer *p;
    call->result = json_array();
    for (unsigned i = 0; input && (p = input_pointer_nth(input, i)); i++)
        json_array_append_new(call->result,
                              json_pack("{s:o,s:i,s:b,s:b}", "name", qmp_text(p->name), "index",
                                        (int)i, "current", input_current_pointer(input) == p,
                                        "absolute", p->absolute));
}

/* ---- pictures ---- */

/* Regular: what is written at once must not wait for anybody. */
int qmp_open_file(struct qmp *qmp, const char *file, struct err *err)
{
    int fd;
    if (!qmp_fd_file(qmp, file, true, &fd, err)) {
        fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (fd < 0)
            err_set(err, "%s: %s%s", file, strerror(errno),
                    errno == EPERM || errno == ENOENT
                        ? " (a confined process has no files; use add-fd and /dev/fdset/N)"
                        : "");
    }
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || ftruncate(fd, 0) < 0)) {
        close(fd);
        fd = -1;
        err_set(err, "%s: it is not a file that can be written", file);
    }
    return fd;
}

void qmp_cmd_screendump(struct qmp_call *call)
{
    const char *file = qmp_arg_string(call, "filename"), *format = qmp_arg_string(call, "format");
    struct surface picture = {0};
    json_int_t head = 0;
    qmp_arg_int(call, "head", &head);
    bool png = format && !strcmp(format, "png");
    if (!call->qmp->target->display || qmp_arg_string(call, "device") || head) {
        qmp_fail(call, QMP_GENERIC, "there is %s screen",
                 call->qmp->target->display ? "one" : "no");
        return;
    }
    if (format && !png && strcmp(format, "ppm")) {
        qmp_fail(call, QMP_GENERIC, "format '%.16s' is not png or ppm", format);
        return;
    }
    if (!display_guest_picture(call->qmp->target->display, &picture)) {
        qmp_fail(call, QMP_GENERIC, "out of memory");
        return;
    }
    int fd = qmp_open_file(call->qmp, file, &call->err);
    bool success = fd >= 0 && (png ? picture_png(fd, &picture, &call->err)
                                   : picture_ppm(fd, &picture, &call->err));
    if (fd >= 0 && close(fd) < 0 && success)
        success = err_set(&call->err, "%s: %s", file, strerror(errno));
    free(picture.pixels);
    qmp_done(call, true, success);
}
