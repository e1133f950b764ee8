/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console: the text consoles beside the guest's screen, for its monitor and its serial and parallel
 * lines: Ctrl+Alt+1 shows the guest's screen, Ctrl+Alt+2 the monitor, Ctrl+Alt+3 to 9 the lines.
 * All viewers see the same one.
 */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include <stdbool.h>

#include "ui/chardev.h"

struct consoles;
struct display;
struct input;

#define CONSOLE_COLS 80
#define CONSOLE_ROWS 24

#define CONSOLE_SCREEN  1 /* the guest's */
#define CONSOLE_MONITOR 2
#define CONSOLE_LINES   3 /* and up to … */
#define CONSOLE_MAX     9

/* display and input must outlive it. NULL: out of memory. */
struct consoles *consoles_new(struct loop *loop, struct display *display, struct input *input);
/* The chardevs must be closed. NULL: nothing. */
void consoles_free(struct consoles *consoles);

/*
 * A new console, as the other end of the chardev that is returned (filename "vc"): for the monitor,
 * or the next line. Its size in characters; 0: the usual one; what is more than a terminal can have
 * is cut. NULL and *err: out of memory, or of numbers.
 */
struct chardev *console_open(struct consoles *consoles, const char *label, bool monitor,
                             unsigned cols, unsigned rows, struct err *err);

/* Shows console `n`; false if there is none. */
bool consoles_show(struct consoles *consoles, unsigned n);
/* Which one is shown. */
unsigned consoles_shown(const struct consoles *consoles);

#endif
