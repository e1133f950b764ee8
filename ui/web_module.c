/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_module: where the web server is; see web_module.h. */
#include "ui/web_module.h"

#include "hw/core/module.h"

static const struct module web = {
    .file = "web.so",
    .symbol = WEB_MODULE_SYMBOL,
    .option = "-vnc websocket=",
#ifndef HVM_DM_WEB
    .absent = "this build has no web server (configure --disable-web)",
#endif
    .hint = "leave websocket= out, or use a proxy (websockify)",
};

const struct web_module *web_module_load(struct err *err)
{
    return module_load(&web, err);
}
