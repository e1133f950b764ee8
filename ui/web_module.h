/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_module: the web server as a shared object beside the program (hw/core/module.h):
 * libwebsockets and OpenSSL are there only when websocket= asks for them. */
#ifndef UI_WEB_MODULE_H
#define UI_WEB_MODULE_H

#include "ui/web.h"

/* The functions of ui/web.h. */
struct web_module {
    const char *version; /* HVM_DM_VERSION; first, whatever else changes */
    struct web *(*open)(const struct web_config *config, struct err *err);
    void (*close)(struct web *web);
};

/* Under this name the module has it. */
#define WEB_MODULE_SYMBOL "hvm_dm_web"
extern const struct web_module hvm_dm_web;

/* See module_load (hw/core/module.h). */
const struct web_module *web_module_load(struct err *err);

#endif
