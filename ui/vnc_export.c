/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_export: the one symbol of the module (vnc_module.h). */
#include "ui/vnc_module.h"

__attribute__((visibility("default"))) const struct vnc_module hvm_dm_vnc = {
    .version = HVM_DM_VERSION,
    .keymap_load = keymap_load,
    .keymap_free = keymap_free,
    .open = vnc_open,
    .close = vnc_close,
    .set_password = vnc_set_password,
    .expire_password = vnc_expire_password,
    .adopt = vnc_adopt,
    .clients = vnc_clients,
};
