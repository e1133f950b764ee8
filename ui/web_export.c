/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web_export: the one symbol of the module (web_module.h). */
#include "ui/web_module.h"

__attribute__((visibility("default"))) const struct web_module hvm_dm_web = {
    .version = HVM_DM_VERSION,
    .open = web_open,
    .close = web_close,
};
