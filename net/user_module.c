/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user_module: where the user-mode network is; see user_module.h. */
#include "net/user_module.h"

#include "hw/core/module.h"

const struct user_module *user_module_load(struct err *err)
{
    static const struct module user = {
        .file = "user.so",
        .symbol = USER_MODULE_SYMBOL,
        .option = "-netdev user",
#ifndef HVM_DM_SLIRP
        .absent = "this build has no user-mode network (configure --disable-slirp)",
#endif
        .hint = "a tap or a socket does without",
    };
    return module_load(&user, err);
}
