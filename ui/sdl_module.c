/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdl_module: where the SDL window is; see sdl_module.h. */
#include "ui/sdl_module.h"

#include "hw/core/module.h"

const struct sdl_module *sdl_module_load(struct err *err)
{
    static const struct module sdl = {
        .file = "sdl.so",
        .symbol = SDL_MODULE_SYMBOL,
        .option = "-display sdl",
#ifndef HVM_DM_SDL
        .absent = "this build has no SDL window (configure --disable-sdl)",
#endif
        .hint = "-display none does without",
    };
    return module_load(&sdl, err);
}
