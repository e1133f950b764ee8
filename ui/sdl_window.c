/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl_window: the window's thread: opens the window, waits for the X server and for the loop, and
 * ends, alone, when the X server does.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>
#include <SDL.h>
#include <SDL_syswm.h>

#include "ui/sdl_window.h"

/* SDL believes a change of focus only when it has lasted for 200 ms: it must be let look. */
#define SETTLE_MS    250
#define SETTLE_LOOKS 2
#define DPI          96
#define MAX_ZOOM     4
#define FIRST_WIDTH  640 /* until the guest's size is known */
#define FIRST_HEIGHT 480

/*
 * Xlib's way to say that the connection is lost is a call that must not return: else it ends the
 * process. So this one leaves Xlib for good, and nothing of it is called again. Xlib gives the
 * function nothing to know us by, but calls it on the thread that was at work.
 */
static _Thread_local jmp_buf *lost;

static int connection_lost(Display *display)
{
    (void)display;
    if (lost)
        longjmp(*lost, 1);
    return 0;
}

/* A request failed (a window that a window manager has just destroyed …): nothing follows. */
static int request_failed(Display *display, XErrorEvent *event)
{
    (void)display, (void)event;
    return 0;
}

/* SDL would go looking for message buses and input methods, which cannot be reached later, and for
 * signals, which are the loop's. */
static void prepare(void)
{
    static const struct {
        const char *name, *value;
    } hints[] = {
        {SDL_HINT_VIDEODRIVER, "x11"}, /* Wayland's needs OpenGL: new code, devices */
        {SDL_HINT_FRAMEBUFFER_ACCELERATION, "0"},
        {SDL_HINT_NO_SIGNAL_HANDLERS, "1"},
        {SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1"},
        {SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0"},
        {SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0"},
        {SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0"},
        {SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1"},
    };

    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        SDL_SetHintWithPriority(hints[i].name, hints[i].value, SDL_HINT_OVERRIDE);
    setenv("XMODIFIERS", "@im=none", 1);
    setenv("SDL_IM_MODULE", "none", 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    XSetErrorHandler(request_failed);
    XSetIOErrorHandler(connection_lost);
}

/* How much larger things are on this desktop than on one of 96 dots an inch. */
static int desktop_zoom(Display *display)
{
    const char *dpi = XGetDefault(display, "Xft", "dpi");
    int zoom = dpi ? (atoi(dpi) + DPI / 2) / DPI : 1;

    return SDL_clamp(zoom, 1, MAX_ZOOM);
}

static bool open_window(struct window *w, struct err *err)
{
    const Uint32 flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;
    const char *display = getenv("DISPLAY");
    SDL_SysWMinfo info;

    prepare();
    if (SDL_InitSubSystem(SDL_INIT_VIDEO))
        return err_set(err, "-display sdl: no X server shows it (DISPLAY=%.64s): %s",
                       display ? display : "", SDL_GetError());
    w->window = SDL_CreateWindow(w->sdl->title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
                                 FIRST_WIDTH, FIRST_HEIGHT, flags);
    SDL_VERSION(&info.version);
    if (!w->window || !SDL_GetWindowWMInfo(w->window, &info) || info.subsystem != SDL_SYSWM_X11 ||
        !SDL_GetWindowSurface(w->window))
        return err_set(err, "-display sdl: the window: %s", SDL_GetError());
    w->sdl->connection = ConnectionNumber(info.info.x11.display);
    w->zoom = desktop_zoom(info.info.x11.display);
    w->asked_width = FIRST_WIDTH;
    w->asked_height = FIRST_HEIGHT;
    SDL_StopTextInput();
    if (w->options->full_screen)
        window_set_full_screen(w, true);
    return !w->sdl->config.opened || w->sdl->config.opened(w->sdl->config.opaque, err);
}

/* Sleeps until the X server or the loop has something. */
static void sleep_for(struct window *w, int milliseconds)
{
    struct pollfd fds[2] = {
        {.fd = w->sdl->wake, .events = POLLIN},
        {.fd = w->sdl->connection, .events = POLLIN},
    };
    uint64_t count;

    if (poll(fds, 2, milliseconds) > 0 && fds[0].revents) {
        ssize_t n = read(w->sdl->wake, &count, sizeof(count));
        (void)n;
    }
}

static bool confine(struct sdl *sdl)
{
    struct err err;

    if (!atomic_exchange(&sdl->confine, false) || !sdl->config.confine)
        return true;
    return sdl->config.confine(sdl->config.opaque, &err);
}

/* What ended it; NULL: the loop wanted it. */
static const char *run(struct window *w)
{
    unsigned looks = 0;
    SDL_Event event;

    while (!atomic_load(&w->sdl->closing)) {
        bool busy = false, ok = true;

        if (!confine(w->sdl))
            return "its thread cannot be confined";
        while (SDL_PollEvent(&event)) {
            window_event(w, &event);
            busy = true;
        }
        window_follow_guest(w);
        busy = window_draw(w, &ok) || busy;
        if (!ok)
            return "there is nothing to draw on";
        /* Nothing came in and nothing went out since: no event hides in a library's queue. */
        if (busy)
            looks = SETTLE_LOOKS;
        else
            sleep_for(w, looks ? SETTLE_MS : -1);
        if (!busy && looks)
            looks--;
    }
    return NULL;
}

static void tell_gone(struct sdl *sdl, const char *why)
{
    const struct window_event gone = {.kind = WINDOW_GONE};

    sdl->why = why;
    sdl_push(sdl, &gone);
}

/* Apart from the function that is jumped back to: what is on this one's stack may be anything. */
static void show(struct sdl *sdl)
{
    struct window w = {.sdl = sdl, .options = sdl->config.options, .redraw = true};
    const char *why;

    sdl->ok = open_window(&w, &sdl->err);
    if (sdl->ok) {
        sem_post(&sdl->opened);
        why = run(&w);
        if (why)
            tell_gone(sdl, why);
    }
    SDL_FreeSurface(w.picture);
    if (w.window)
        SDL_DestroyWindow(w.window);
    SDL_Quit();
    SDL_TLSCleanup(); /* what SDL keeps for a thread that it did not make */
    if (!sdl->ok)
        sem_post(&sdl->opened);
}

void *sdl_window(void *opaque)
{
    struct sdl *sdl = opaque;
    jmp_buf back;

    pthread_setname_np(pthread_self(), "sdl");
    if (setjmp(back)) {
        lost = NULL;
        if (sdl->ok) {
            tell_gone(sdl, "the X server is gone");
        } else {
            err_set(&sdl->err, "-display sdl: the X server hung up");
            sem_post(&sdl->opened);
        }
        return NULL;
    }
    lost = &back;
    show(sdl);
    lost = NULL;
    return NULL;
}
