/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_module: where the VNC server is; see vnc_module.h. */
#include "ui/vnc_module.h"

#include "hw/core/module.h"

static const struct module vnc = {
    .file = "vnc.so",
    .symbol = VNC_MODULE_SYMBOL,
    .option = "-vnc",
#ifndef HVM_DM_VNC
    .absent = "this build has no VNC server (configure --disable-vnc)",
#endif
    .hint = "-vnc none does without",
};

bool vnc_module_find(struct err *err)
{
    return module_find(&vnc, err);
}

const struct vnc_module *vnc_module_load(struct err *err)
{
    return module_load(&vnc, err);
}
