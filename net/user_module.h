/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user_module: the user-mode network as a shared object beside the program (hw/core/module.h),
 * which only its process loads: libslirp and GLib are in no other.
 */
#ifndef NET_USER_MODULE_H
#define NET_USER_MODULE_H

#include "net/netdev.h"

struct user_slirp;

/* What the two processes tell each other beside frames (net/stream.h), in a length that is no
 * frame's. To the main process: so many frames found no room and were lost. */
#define USER_NOTE_LEN sizeof(uint64_t)

struct user_module {
    const char *version; /* HVM_DM_VERSION; first, whatever else changes */
    /* Opens what needs rights: sockets that listen. NULL and *err, which names the option. */
    struct user_slirp *(*open)(const struct netdev_config *config, struct err *err);
    /* Serves frames on `socket`, a stream (net/stream.h), until that is closed; an exit code. */
    int (*serve)(struct user_slirp *slirp, int socket);
};

/* Under this name the module has it. */
#define USER_MODULE_SYMBOL "hvm_dm_user"
extern const struct user_module hvm_dm_user;

/* As module_load (hw/core/module.h) has it. */
const struct user_module *user_module_load(struct err *err);

#endif
