/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdl_export: the one symbol of the module (sdl_module.h). */
#include "ui/sdl_module.h"

__attribute__((visibility("default"))) const struct sdl_module hvm_dm_sdl = {
    .version = HVM_DM_VERSION,
    .open = sdl_open,
    .confine = sdl_confine,
    .close = sdl_close,
};
