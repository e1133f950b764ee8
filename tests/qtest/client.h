/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: the test's end of the qtest door: starts the program, asks, listens to its interrupts. */
#ifndef TESTS_QTEST_CLIENT_H
#define TESTS_QTEST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLIENT_PINS 32

struct client {
    pid_t pid;
    int fd;  /* qtest */
    int qmp; /* or -1 */
    char dir[64];
    char *in;
    size_t in_len, in_at, in_size;
    char irq_log[256]; /* "raise 14;lower 14;" since the last client_clear_irqs, as it fits */
    bool level[CLIENT_PINS];
    unsigned raised[CLIENT_PINS];
    char *reply; /* the last one */
};

/* Starts `program` with words split at spaces, beside the sockets' and the accelerator's. Aborts
 * when that is impossible; false when the program ends instead of connecting (*status has why). */
bool client_start(struct client *c, const char *program, const char *words, bool with_qmp,
                  int *status);

/* Ends it with `signo` (0: by closing the sockets) and gives wait(2)'s status. */
int client_stop(struct client *c, int signo);

/* Sends a line and does not wait. */
void client_send(struct client *c, const char *line);

/* The next reply, interrupts before it noted; NULL: the program is gone, or silent for 30 s. Valid
 * until the next call. */
const char *client_reply(struct client *c);

/* Sends and waits. */
const char *client_ask(struct client *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The number in the reply to an accepted request; aborts the program with a message otherwise. */
uint64_t client_value(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void client_clear_irqs(struct client *c);

/* QMP: sends text, gives back the next whole line; NULL as client_reply. */
const char *client_qmp(struct client *c, const char *text);

#endif
