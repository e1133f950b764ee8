/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user_export: the one symbol of the module (user_module.h). */
#include "net/user_slirp.h"

__attribute__((visibility("default"))) const struct user_module hvm_dm_user = {
    .version = HVM_DM_VERSION,
    .open = user_slirp_open,
    .serve = user_slirp_serve,
};
