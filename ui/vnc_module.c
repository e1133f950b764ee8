/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_module: finds and loads the VNC server; see vnc_module.h. */
#include "ui/vnc_module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef HVM_DM_MODULEDIR

#define FILE_NAME "vnc.so"

/* The file beside the running program, as the kernel knows it. False: no such thing. */
static bool beside_program(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    char *name = strrchr(path, '/') + 1;
    size_t room = size - (size_t)(name - path);
    return path[0] == '/' && snprintf(name, room, FILE_NAME) < (int)room && !access(path, R_OK);
}

static bool find(char *path, size_t size, struct err *err)
{
    static const char installed[] = HVM_DM_MODULEDIR "/" FILE_NAME;
    if (beside_program(path, size))
        return true;
    snprintf(path, size, "%s", installed);
    return !access(path, R_OK) ||
           err_set(err, "-vnc: %s cannot be read (%s); -vnc none does without", path,
                   strerror(errno));
}

bool vnc_module_find(struct err *err)
{
    char path[PATH_MAX];
    return find(path, sizeof(path), err);
}

static const struct vnc_module *load(const char *path, struct err *err)
{
    /* The module's own references are bound at once all the same (-z now). */
    void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    const struct vnc_module *m = handle ? dlsym(handle, VNC_MODULE_SYMBOL) : NULL;
    if (!m) {
        err_set(err, "-vnc: %s", dlerror());
        return NULL;
    }
    if (!strcmp(m->version, HVM_DM_VERSION))
        return m;
    err_set(err, "-vnc: %s is of version %.32s, this is %s", path, m->version, HVM_DM_VERSION);
    return NULL;
}

const struct vnc_module *vnc_module_load(struct err *err)
{
    static const struct vnc_module *loaded;
    char path[PATH_MAX];
    if (!loaded && find(path, sizeof(path), err))
        loaded = load(path, err);
    return loaded;
}

#else

bool vnc_module_find(struct err *err)
{
    return err_set(err, "-vnc: this build has no VNC server (configure --disable-vnc); say -vnc "
                        "none");
}

const struct vnc_module *vnc_module_load(struct err *err)
{
    vnc_module_find(err);
    return NULL;
}

#endif
