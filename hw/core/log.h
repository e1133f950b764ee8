/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log: one line per real event on stderr, prefixed with the domain; guest-caused lines are
 * rationed. */
#ifndef HW_CORE_LOG_H
#define HW_CORE_LOG_H

/* Sets the prefix of all further lines: "hvm-dm" or, with domid >= 0, "hvm-dm[domid]". */
void log_init(int domid);

/* What is written: this and all before it; at first everything. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_GUEST };
void log_set_level(enum log_level level);

/* An event an administrator wants to see. Never called for what a guest can repeat at will. */
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something is wrong and the process goes on. Not for what a guest can repeat at will. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The one line that says why the process ends, or why an operation failed. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The guest (or a peer it can drive) did something the hardware does not do. `device` names the
 * chip. All calls share one allowance (a burst of 32 lines, then one every 10 s), so that a guest
 * cannot make the log grow without bound (XSA-180); what was left out is counted in the next line
 * that is written.
 */
void guest_error(const char *device, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
