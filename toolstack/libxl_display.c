/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_display: -display, -sdl, -full-screen: the window on the host's desktop. */
#include <string.h>

#include "toolstack/libxl.h"

static bool grab_of(const char *option, const char *mod, enum config_grab *grab, struct err *err)
{
    if (!mod)
        return true;
    if (!strcmp(mod, "lshift-lctrl-lalt"))
        *grab = CONFIG_GRAB_SHIFT;
    else if (!strcmp(mod, "rctrl"))
        *grab = CONFIG_GRAB_RIGHT_CTRL;
    else
        return err_set(err,
                       "%s: grab-mod= is lshift-lctrl-lalt or rctrl, not '%s' (without it: Ctrl "
                       "and Alt)",
                       option, mod);
    return true;
}

static bool sdl_keys(struct optstr *o, struct config_sdl *sdl, struct err *err)
{
    bool alt = false, ctrl = false, close = true;
    /* Whatever is wished: the window is drawn without OpenGL (docs/sdl.md). */
    if (!optstr_only(o, "gl", "on off core es", err) ||
        !grab_of(o->option, optstr_take(o, "grab-mod"), &sdl->grab, err) ||
        !optstr_bool(o, "alt_grab", &alt, err) || !optstr_bool(o, "ctrl_grab", &ctrl, err) ||
        !optstr_bool(o, "window-close", &close, err) ||
        !optstr_bool(o, "window_close", &close, err) ||
        !optstr_bool(o, "show-cursor", &sdl->show_cursor, err) ||
        !optstr_bool(o, "full-screen", &sdl->full_screen, err))
        return false;
    if (alt)
        sdl->grab = CONFIG_GRAB_SHIFT;
    if (ctrl)
        sdl->grab = CONFIG_GRAB_RIGHT_CTRL;
    sdl->ignore_close = !close;
    sdl->enabled = true;
    return true;
}

static bool display_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    const char *type = optstr_need(o, "type", err);
    if (!type)
        return false;
    /* libxl says "none" before it says "sdl". */
    if (!strcmp(type, "none"))
        return optstr_finish(o, err);
    if (strcmp(type, "sdl"))
        return err_set(err, "%s %s: not part of this version; use -vnc or -display sdl", o->option,
                       type);
    return sdl_keys(o, &p->config->sdl, err) && optstr_finish(o, err);
}

bool libxl_display(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "type", err))
        return false;
    bool ok = display_keys(p, &o, err);
    optstr_free(&o);
    return ok;
}

bool libxl_sdl(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->sdl.enabled = true;
    return true;
}

bool libxl_full_screen(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->config->sdl.full_screen = true;
    return true;
}
