/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools: QEMU's qemu-img and qemu-io, for tests that compare with them. */
#ifndef TESTS_BLOCK_TOOLS_H
#define TESTS_BLOCK_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

/* Are both there? Says what is missing, once. */
bool tools_there(void);

/* Runs a shell command; its output goes to a log in the scratch directory. Returns its exit status.
 */
int tools_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same; the test fails, with the command's output, if the status is not 0. */
void tools_must(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* qemu-img check: 0 sound, 3 only leaks, 2 errors, else it failed. */
int tools_check(const char *format, const char *path);

/* A scratch directory (removed by tools_leave), made at the first call. */
const char *tools_dir(void);
void tools_leave(void);

/* The last command's output. */
const char *tools_output(void);

#endif
