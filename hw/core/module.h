/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * module: parts of the program that are shared objects beside it, loaded only when they are asked
 * for, because of the libraries they bring along. A module exports one table; of the program it may
 * call what hw/core/module.syms lists.
 */
#ifndef HW_CORE_MODULE_H
#define HW_CORE_MODULE_H

#include <stdbool.h>

#include "hw/core/err.h"

struct module {
    const char *file;   /* "vnc.so" */
    const char *symbol; /* the table, whose first member is HVM_DM_VERSION as the module knew it */
    const char *option; /* what asks for it: the start of every message */
    const char *absent; /* what the message says of a build without it; NULL: this one has it */
    const char *hint;   /* what does without */
};

/* Whether there is a module to load; false and one line in *err. Costs a system call or two. */
bool module_find(const struct module *module, struct err *err);

/*
 * Loads it (once: the next call returns the same), from the folder of the running program, else
 * from the one it was configured for; the environment has no say. To be called before confinement,
 * which allows no new code. NULL and one line in *err if it is not there, broken, or of another
 * version.
 */
const void *module_load(const struct module *module, struct err *err);

#endif
