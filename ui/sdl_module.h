/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl_module: the SDL window as a shared object beside the program (hw/core/module.h). SDL brings
 * X, Wayland and sound libraries along; a guest without a window never has them.
 */
#ifndef UI_SDL_MODULE_H
#define UI_SDL_MODULE_H

#include "ui/sdl.h"

/* The functions of ui/sdl.h. */
struct sdl_module {
    const char *version; /* HVM_DM_VERSION; first, whatever else changes */
    struct sdl *(*open)(const struct sdl_config *config, struct err *err);
    void (*confine)(struct sdl *sdl);
    void (*close)(struct sdl *sdl);
};

/* Under this name the module has it. */
#define SDL_MODULE_SYMBOL "hvm_dm_sdl"
extern const struct sdl_module hvm_dm_sdl;

/* As module_load (hw/core/module.h) has it. */
const struct sdl_module *sdl_module_load(struct err *err);

#endif
