/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp: the human monitor: lines as QEMU's monitor takes them, from QMP's human-monitor-command and
 * from people at a stream. One table of commands serves both. docs/monitor.md.
 */
#ifndef TOOLSTACK_HMP_H
#define TOOLSTACK_HMP_H

#include <stdbool.h>
#include <stdio.h>

#include "hw/core/err.h"

struct chardev;
struct hmp_console;
struct lineedit_words;
struct qmp;

/*
 * Carries out one line and prints the answer (lines end with "\r\n", at most HMP_MAX_OUTPUT bytes).
 * `privileged`: the line comes from whoever may name files and devices of the host. True: the
 * process is to end (quit), once the answer has left.
 */
#define HMP_MAX_OUTPUT (256 * 1024)
bool hmp_line(struct qmp *qmp, bool privileged, const char *line, FILE *out);

/* What the last word of a line may become (ui/lineedit.h). */
void hmp_complete(struct qmp *qmp, bool privileged, const char *line, struct lineedit_words *words);

/*
 * A monitor for people on a stream (which stays the caller's and must outlive it); several may be
 * open. The peer is not trusted: what it may not say to the host it cannot say here either, unless
 * `privileged`. NULL and *err if this build has no line editor or no memory. Before confinement.
 */
struct hmp_console *hmp_console_open(struct qmp *qmp, struct chardev *chardev, bool privileged,
                                     struct err *err);
void hmp_console_close(struct hmp_console *console); /* NULL is fine */

#endif
