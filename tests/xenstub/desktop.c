/* SPDX-License-Identifier: GPL-2.0-or-later */
/* desktop: see desktop.h. */
#include "desktop.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAITS   500 /* of 20 ms */
#define WAIT_US 20000

#define MANAGER_WAIT_S 60u

bool desktop_has(const char *program)
{
    char command[64];
    snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
    return !system(command);
}

const char *desktop_missing(void)
{
    static const char *const tools[] = {"Xvfb", "xdotool", "import"};
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        if (!desktop_has(tools[i]))
            return tools[i];
    return NULL;
}

/* The output of a command; to be freed. */
static char *output(const char *command, size_t *len)
{
    FILE *f = popen(command, "r");
    char *text = NULL, *grown;
    size_t have = 0, n = 1;
    while (f && n) {
        grown = realloc(text, have + 65536 + 1);
        if (!grown)
            break;
        text = grown;
        n = fread(text + have, 1, 65536, f);
        have += n;
        text[have] = 0;
    }
    if (f)
        pclose(f);
    if (len)
        *len = have;
    return text;
}

static pid_t spawn(const char *const *argv, int keep)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    for (int fd = 3; fd < 64; fd++)
        if (fd != keep)
            close(fd);
    if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
        _exit(126);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static void set_resources(const char *resources)
{
    Display *x = XOpenDisplay(NULL);
    if (!x)
        return;
    XChangeProperty(x, DefaultRootWindow(x), XA_RESOURCE_MANAGER, XA_STRING, 8, PropModeReplace,
                    (const unsigned char *)resources, (int)strlen(resources));
    XCloseDisplay(x);
}

/* What a window's property holds, 32 bits each; to be freed with XFree. */
static unsigned long *longs(Display *x, Window window, const char *name, unsigned long *count)
{
    Atom type;
    int format;
    unsigned long left;
    unsigned char *data = NULL;
    *count = 0;
    XGetWindowProperty(x, window, XInternAtom(x, name, False), 0, 1024, False, AnyPropertyType,
                       &type, &format, count, &left, &data);
    if (format != 32)
        *count = 0;
    return (unsigned long *)data;
}

/* Extended Window Manager Hints, "Root Window Properties": a manager names a window of its own that
 * names itself, and says what it can do; full screen is what the tests need it for. */
static bool is_managed(Display *x)
{
    unsigned long count, can_count;
    unsigned long *own = longs(x, DefaultRootWindow(x), "_NET_SUPPORTING_WM_CHECK", &count);
    unsigned long *can = longs(x, DefaultRootWindow(x), "_NET_SUPPORTED", &can_count);
    Atom wanted = XInternAtom(x, "_NET_WM_STATE_FULLSCREEN", False);
    bool able = false;
    for (unsigned long i = 0; i < can_count; i++)
        able = able || can[i] == wanted;
    able = able && count == 1;
    if (own)
        XFree(own);
    if (can)
        XFree(can);
    return able;
}

/* Takes what the server has said out of the queue; true if a window was mapped. */
static bool drain(Display *x)
{
    bool mapped = false;
    while (XPending(x)) {
        XEvent e;
        XNextEvent(x, &e);
        mapped = mapped || e.type == MapNotify;
    }
    return mapped;
}

/*
 * Starts a window manager and waits until it manages: it has said that it is one, and then maps a
 * window of ours. Between the two it reads its fonts, for seconds on a machine that never did, and
 * openbox loses what it is asked to map meanwhile: so we go on asking. Not for as long as it takes
 * on a machine with nothing else to do: for as long as it lives, or a minute.
 */
static bool manage(struct desktop *d)
{
    static const char *const manager[] = {"openbox", "--sm-disable", NULL};
    Display *x = XOpenDisplay(NULL);
    bool mapped = false;
    if (!x) {
        fprintf(stderr, "the X server does not answer\n");
        return false;
    }
    Window window = XCreateSimpleWindow(x, DefaultRootWindow(x), 0, 0, 64, 64, 0, 0, 0);
    XSelectInput(x, window, StructureNotifyMask);
    d->manager = spawn(manager, -1);
    for (unsigned i = 0; i < MANAGER_WAIT_S * 10 && !mapped; i++) {
        struct pollfd p = {.fd = ConnectionNumber(x), .events = POLLIN};
        int status;
        if (waitpid(d->manager, &status, WNOHANG) == d->manager) {
            fprintf(stderr, "%s ended with status %#x\n", manager[0], (unsigned)status);
            d->manager = 0;
            break;
        }
        if (is_managed(x))
            XMapWindow(x, window);
        XFlush(x);
        poll(&p, 1, 100);
        mapped = drain(x);
    }
    if (!mapped && d->manager)
        fprintf(stderr, "%s maps no window for %u s\n", manager[0], MANAGER_WAIT_S);
    XCloseDisplay(x); /* the window goes with it */
    return mapped;
}

bool desktop_open(struct desktop *d, bool manager, const char *resources)
{
    int ends[2];
    char fd[16], number[16] = "", display[24];
    const char *const server[] = {"Xvfb",         "-displayfd", fd,    "-screen",  "0",
                                  "1280x1024x24", "-nolisten",  "tcp", "-noreset", NULL};
    *d = (struct desktop){0};
    if (pipe(ends))
        return false;
    snprintf(fd, sizeof(fd), "%d", ends[1]);
    d->server = spawn(server, ends[1]);
    close(ends[1]);
    /* The number and its line end may come apart. */
    size_t have = 0;
    while (have < sizeof(number) - 1 && !strchr(number, '\n')) {
        ssize_t n = read(ends[0], number + have, sizeof(number) - 1 - have);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    close(ends[0]);
    if (!strchr(number, '\n'))
        return false;
    number[strcspn(number, "\n")] = 0;
    snprintf(display, sizeof(display), ":%s", number);
    setenv("DISPLAY", display, 1);
    if (resources)
        set_resources(resources);
    return !manager || manage(d);
}

static void end(pid_t *pid, int signo)
{
    if (*pid <= 0)
        return;
    kill(*pid, signo);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

void desktop_kill(struct desktop *d)
{
    const char *display = getenv("DISPLAY");
    char path[64];

    end(&d->server, SIGKILL);
    /* What it would have taken away itself, and what the next server on its number trips over. */
    if (!display || display[0] != ':')
        return;
    snprintf(path, sizeof(path), "/tmp/.X11-unix/X%.20s", display + 1);
    unlink(path);
    snprintf(path, sizeof(path), "/tmp/.X%.20s-lock", display + 1);
    unlink(path);
}

void desktop_close(struct desktop *d)
{
    end(&d->manager, SIGTERM);
    end(&d->server, SIGTERM);
    unsetenv("DISPLAY");
}

void desktop_do(struct desktop *d, const char *format, ...)
{
    char words[512], command[600];
    va_list args;
    (void)d;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(command, sizeof(command), "xdotool %s 2>/dev/null", words);
    if (system(command))
        fprintf(stderr, "failed: %s\n", command);
}

bool desktop_find(struct desktop *d, const char *title)
{
    char command[256];
    snprintf(command, sizeof(command), "xdotool search --onlyvisible --name '%s' 2>/dev/null",
             title);
    for (unsigned i = 0; i < WAITS; i++, usleep(WAIT_US)) {
        char *text = output(command, NULL);
        bool found = text && *text;
        if (found)
            snprintf(d->window, sizeof(d->window), "%.*s", (int)strcspn(text, "\n"), text);
        free(text);
        if (found)
            return true;
    }
    return false;
}

char *desktop_title(struct desktop *d)
{
    char command[128];
    snprintf(command, sizeof(command), "xdotool getwindowname %s", d->window);
    char *text = output(command, NULL);
    if (text)
        text[strcspn(text, "\n")] = 0;
    return text;
}

void desktop_measure(struct desktop *d)
{
    char command[128];
    snprintf(command, sizeof(command), "xdotool getwindowgeometry --shell %s 2>/dev/null",
             d->window);
    char *text = output(command, NULL);
    const char *w = text ? strstr(text, "WIDTH=") : NULL,
               *h = text ? strstr(text, "HEIGHT=") : NULL;
    d->width = w ? atoi(w + strlen("WIDTH=")) : 0;
    d->height = h ? atoi(h + strlen("HEIGHT=")) : 0;
    free(text);
}

bool desktop_wait_size(struct desktop *d, int width, int height)
{
    for (unsigned i = 0; i < WAITS; i++, usleep(WAIT_US)) {
        desktop_measure(d);
        if (d->width == width && d->height == height)
            return true;
    }
    fprintf(stderr, "the window is %dx%d\n", d->width, d->height);
    return false;
}

uint8_t *desktop_picture(struct desktop *d)
{
    char command[128];
    size_t len;
    desktop_measure(d);
    snprintf(command, sizeof(command), "import -silent -window %s -depth 8 rgb:- 2>/dev/null",
             d->window);
    char *pixels = output(command, &len);
    if (pixels && len == (size_t)d->width * (size_t)d->height * 3)
        return (uint8_t *)pixels;
    free(pixels);
    return NULL;
}

void desktop_close_window(struct desktop *d)
{
    Display *x = XOpenDisplay(NULL);
    if (!x)
        return;
    XEvent e = {.xclient = {.type = ClientMessage,
                            .window = strtoul(d->window, NULL, 10),
                            .message_type = XInternAtom(x, "WM_PROTOCOLS", False),
                            .format = 32}};
    e.xclient.data.l[0] = (long)XInternAtom(x, "WM_DELETE_WINDOW", False);
    e.xclient.data.l[1] = CurrentTime;
    XSendEvent(x, e.xclient.window, False, NoEventMask, &e);
    XCloseDisplay(x);
}

void desktop_focus_nothing(struct desktop *d)
{
    Display *x = XOpenDisplay(NULL);
    (void)d;
    if (!x)
        return;
    XSetInputFocus(x, PointerRoot, RevertToNone, CurrentTime);
    XWarpPointer(x, None, DefaultRootWindow(x), 0, 0, 0, 0, 1279, 1023);
    XCloseDisplay(x);
}

void desktop_map_key(struct desktop *d, unsigned keycode, unsigned long keysym)
{
    Display *x = XOpenDisplay(NULL);
    (void)d;
    if (!x)
        return;
    KeySym symbols[] = {keysym};
    XChangeKeyboardMapping(x, (int)keycode, 1, symbols, 1);
    XCloseDisplay(x);
}
