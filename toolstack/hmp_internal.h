/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp_internal: what the commands of the human monitor share; nobody else includes this. */
#ifndef TOOLSTACK_HMP_INTERNAL_H
#define TOOLSTACK_HMP_INTERNAL_H

#include "toolstack/hmp.h"
#include "toolstack/qmp_internal.h"

#define HMP_MAX_LINE  1024
#define HMP_MAX_WORDS 16

/* A line that is being carried out. */
struct hmp {
    struct qmp *qmp;
    const struct qmp_target *target;
    FILE *out;
    bool privileged;
    bool quit;
    char *format;                   /* what stood behind a '/' at the command: "4xw"; or "" */
    char *words[HMP_MAX_WORDS + 1]; /* behind the command */
    size_t count;
    char text[HMP_MAX_LINE + 1]; /* in which they lie */
};

/* One line of an answer. */
void hmp_say(struct hmp *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The word, or NULL if there are not so many. */
const char *hmp_word(const struct hmp *h, size_t index);

/* A number as C writes it (0x10, 16, 020), perhaps negative. False: it is none, which is said. */
bool hmp_number(struct hmp *h, const char *word, long long min, long long max, long long *out);

/* A target function's answer: says what went wrong. */
void hmp_done(struct hmp *h, bool offered, bool success, const struct err *err);

/* ---- hmp_info.c ---- */
struct hmp_info {
    const char *name, *help;
    void (*print)(struct hmp *h);
};
extern const struct hmp_info hmp_infos[]; /* the last has no name */

/* ---- hmp_control.c: running, media, files ---- */
void hmp_stop(struct hmp *h);
void hmp_cont(struct hmp *h);
void hmp_quit(struct hmp *h);
void hmp_reset(struct hmp *h);
void hmp_powerdown(struct hmp *h);
void hmp_wakeup(struct hmp *h);
void hmp_eject(struct hmp *h);
void hmp_change(struct hmp *h);
void hmp_commit(struct hmp *h);
void hmp_screendump(struct hmp *h);
void hmp_set_link(struct hmp *h);
void hmp_log(struct hmp *h);
void hmp_announce(struct hmp *h);
void hmp_object_add(struct hmp *h);
void hmp_object_del(struct hmp *h);

/* ---- hmp_input.c ---- */
void hmp_sendkey(struct hmp *h);
void hmp_mouse_move(struct hmp *h);
void hmp_mouse_button(struct hmp *h);
void hmp_mouse_set(struct hmp *h);

/* ---- hmp_memory.c ---- */
void hmp_x(struct hmp *h);
void hmp_xp(struct hmp *h);

#endif
