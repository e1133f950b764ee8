/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module: finds and loads shared objects beside the program; see module.h. */
#include "hw/core/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The file beside the running program, as the kernel knows it. False: no such thing. */
static bool beside_program(const struct module *m, char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    char *name = strrchr(path, '/') + 1;
    size_t room = size - (size_t)(name - path);
    return path[0] == '/' && snprintf(name, room, "%s", m->file) < (int)room && !access(path, R_OK);
}

static bool find(const struct module *m, char *path, size_t size, struct err *err)
{
    if (m->absent)
        return err_set(err, "%s: %s; %s", m->option, m->absent, m->hint);
    if (beside_program(m, path, size))
        return true;
    snprintf(path, size, "%s/%s", HVM_DM_MODULEDIR, m->file);
    return !access(path, R_OK) || err_set(err, "%s: %s cannot be read (%s); %s", m->option, path,
                                          strerror(errno), m->hint);
}

bool module_find(const struct module *module, struct err *err)
{
    char path[PATH_MAX];
    return find(module, path, sizeof(path), err);
}

const void *module_load(const struct module *module, struct err *err)
{
    char path[PATH_MAX];
    if (!find(module, path, sizeof(path), err))
        return NULL;
    /* The module's own references are bound at once all the same (-z now). */
    void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    const char *const *table = handle ? dlsym(handle, module->symbol) : NULL;
    if (!table) {
        err_set(err, "%s: %s", module->option, dlerror());
        return NULL;
    }
    if (!strcmp(*table, HVM_DM_VERSION))
        return table;
    err_set(err, "%s: %s is of version %.32s, this is %s", module->option, path, *table,
            HVM_DM_VERSION);
    return NULL;
}
