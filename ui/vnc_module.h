/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_module: the VNC server as a shared object beside the program. libvncserver brings two dozen
 * libraries along, which are half of a start's time and most of its mappings; a guest without
 * screen never has them.
 */
#ifndef UI_VNC_MODULE_H
#define UI_VNC_MODULE_H

#include <stdbool.h>

#include "hw/core/err.h"
#include "ui/keymap.h"
#include "ui/vnc.h"

/* The functions of ui/vnc.h and ui/keymap.h that the program calls. */
struct vnc_module {
    const char *version; /* HVM_DM_VERSION; first, whatever else changes */
    struct keymap *(*keymap_load)(const char *name, struct err *err);
    void (*keymap_free)(struct keymap *keymap);
    struct vnc *(*open)(const struct vnc_config *config, struct err *err);
    void (*close)(struct vnc *vnc);
    bool (*set_password)(struct vnc *vnc, const char *password, bool view_only, struct err *err);
    bool (*expire_password)(struct vnc *vnc, time_t when, struct err *err);
    void (*adopt)(struct vnc *vnc, int sock, const struct vnc_address *peer);
    size_t (*clients)(const struct vnc *vnc, struct vnc_address list[VNC_MAX_CLIENTS]);
};

/* Under this name the module has it. */
#define VNC_MODULE_SYMBOL "hvm_dm_vnc"
extern const struct vnc_module hvm_dm_vnc;

/* As module_find and module_load (hw/core/module.h) have it. */
bool vnc_module_find(struct err *err);
const struct vnc_module *vnc_module_load(struct err *err);

#endif
