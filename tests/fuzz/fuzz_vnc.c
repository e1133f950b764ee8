/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vnc: hostile viewers against the whole VNC server: listening socket, sessions on their
 * threads, libvncserver, and the loop's side with screen and input. What viewers send is the input;
 * between its pieces the screen changes and is resized. All answers are taken at once: a peer that
 * takes none is a matter of time, and tests/unit/test_vnc_hostile.c's.
 *
 * u8 flags, u8 bytes of a piece / 8 (0: all at once), u8 what the screen does between pieces (two
 * bits each, over and over), then the bytes.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "tests/fuzz/fuzz.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/keymap.h"
#include "ui/vnc.h"
#include "ui/vnc_internal.h"
#include "ui/vnc_listen.h"

#define GREETED      0x01 /* the handshake is done for the viewer; the bytes are its messages */
#define PASSWORD     0x02
#define SHARE_IGNORE 0x04
#define SHARE_FORCE  0x08
#define TWO          0x10 /* two viewers, which get the pieces in turn */
#define NO_KEYMAP    0x20
#define HANG_UP      0x40 /* the connection is closed, not just half-closed, at the end */
#define EXCLUSIVE    0x80

static const char password[] = "secret";

struct viewer {
    int fd;
    struct loop *loop;
    struct loop_source source;
};

struct scene {
    int width, height;
    uint32_t shade;
};

/* --- what the server would ask of the host --- */

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);

/* The challenge: the same one each time, so that an answer can be right. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
    (void)flags;
    memset(buf, 'c', len);
    return (ssize_t)len;
}

/*
 * Sessions sleep in poll(), on their eventfd and, unless they wait for the loop, on their socket.
 * Who sleeps there with nothing to read has done all it could with what it was sent. By eventfd; 0:
 * runs, 1: sleeps, 2: sleeps and does not look at its socket.
 */
static atomic_int asleep[FD_SETSIZE];

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    bool session = n == 2 && timeout < 0 && fds[0].fd >= 0 && fds[0].fd < FD_SETSIZE;
    if (session)
        atomic_store(&asleep[fds[0].fd], fds[1].fd >= 0 ? 1 : 2);
    int result = __real_poll(fds, n, timeout);
    if (session)
        atomic_store(&asleep[fds[0].fd], 0);
    return result;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return __real_poll(&p, 1, 0) > 0;
}

static bool settled(const struct vnc *vnc)
{
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        const struct vnc_client *c = vnc->clients[i];
        if (!c)
            continue;
        if (atomic_load(&c->phase) == VNC_ENDED || atomic_load(&c->head) != atomic_load(&c->tail))
            return false;
        int how = atomic_load(&asleep[c->wake]);
        if (!how || readable(c->wake) || (how == 1 && readable(c->sock)) ||
            how != atomic_load(&asleep[c->wake]))
            return false;
    }
    return !readable(vnc->wake) && !readable(vnc->listeners[0].fd);
}

/* Lets sessions and loop do all that follows from what was sent. */
static void settle(struct vnc *vnc, struct loop *loop)
{
    do
        loop_turn(loop, settled(vnc) ? 0 : 20 * NS_PER_US);
    while (!settled(vnc));
}

/* --- the screen and the keyboard --- */

static void scene_refresh(void *opaque, struct display *display, bool full)
{
    const struct scene *scene = opaque;
    (void)full;
    display_resize(display, scene->width, scene->height);
    const struct surface *surface = display_surface(display);
    size_t n = (size_t)surface->width * (size_t)surface->height;
    for (size_t i = 0; i < n; i++)
        surface->pixels[i] = i % 7 < 4 ? scene->shade : (uint32_t)(i * scene->shade);
    display_damage(display, 0, 0, scene->width, scene->height);
}

static void scene_watched(void *opaque, bool watched)
{
    (void)opaque;
    (void)watched;
}

static const struct display_source scene_source = {scene_refresh, scene_watched};

static void key(void *opaque, unsigned code, bool down)
{
    (void)down;
    fuzz_assert(code > 0 && code < 0x300);
    ++*(unsigned *)opaque;
}

static void move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    fuzz_assert(x >= 0 && x <= 0x7FFF && y >= 0 && y <= 0x7FFF && wheel >= -1 && wheel <= 1);
    (void)buttons;
    ++*(unsigned *)opaque;
}

static void act(struct scene *scene, struct display *display, struct input *input, unsigned what)
{
    static const int sizes[][2] = {{64, 48}, {1, 1}, {200, 100}, {33, 17}, {320, 200}};
    if (!what)
        return;
    scene->shade = scene->shade * 2654435761u + 1;
    input_set_leds(input, scene->shade >> 8);
    if (what == 3) {
        unsigned i = (scene->shade >> 16) % (sizeof(sizes) / sizeof(sizes[0]));
        scene->width = sizes[i][0];
        scene->height = sizes[i][1];
    }
    display_refresh_now(display);
}

/* --- viewers --- */

/* At an address that the kernel chooses and that leaves no file behind. */
static void listen_somewhere(struct vnc_listen *l)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa_family_t)) || listen(fd, 4))
        abort();
    *l = (struct vnc_listen){.fds = {fd}, .count = 1};
    vnc_address_of(&sa, &l->address);
}

static void take_answers(void *opaque, uint32_t events)
{
    struct viewer *v = opaque;
    char buf[16384];
    ssize_t n;
    (void)events;
    while ((n = recv(v->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        ;
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        loop_unwatch(v->loop, &v->source); /* the server has hung up */
}

static bool anybody(const struct vnc *vnc)
{
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++)
        if (vnc->clients[i])
            return true;
    return false;
}

static void greet(struct viewer *v, unsigned flags)
{
    uint8_t response[CHALLENGESIZE];
    uint8_t hello[12 + 1 + CHALLENGESIZE + 1] = "RFB 003.008\n";
    size_t len = 12;
    hello[len++] = flags & PASSWORD ? 2 : 1;
    if (flags & PASSWORD) {
        memset(response, 'c', sizeof(response));
        rfbEncryptBytes(response, (char *)password);
        memcpy(hello + len, response, sizeof(response));
        len += sizeof(response);
    }
    hello[len++] = !(flags & EXCLUSIVE);
    if (send(v->fd, hello, len, MSG_NOSIGNAL) != (ssize_t)len)
        abort();
}

static void connect_viewer(struct viewer *v, struct vnc *vnc, struct loop *loop, unsigned flags)
{
    struct sockaddr_un sa;
    socklen_t len = sizeof(sa);
    struct err err;
    v->loop = loop;
    v->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (getsockname(vnc->listeners[0].fd, (struct sockaddr *)&sa, &len) || v->fd < 0 ||
        connect(v->fd, (struct sockaddr *)&sa, len) ||
        !loop_watch(loop, &v->source, v->fd, EPOLLIN, take_answers, v, &err))
        abort();
    if (flags & GREETED)
        greet(v, flags);
    settle(vnc, loop);
}

static void send_all(struct viewer *v, const uint8_t *p, size_t len)
{
    while (len) {
        ssize_t n = send(v->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            return; /* hung up on */
        } else {
            loop_turn(v->loop, NS_PER_MS);
        }
    }
}

static void run(struct vnc *vnc, struct loop *loop, struct display *display, struct input *input,
                struct scene *scene, struct fuzz_input *in, unsigned flags)
{
    struct viewer viewers[2];
    unsigned count = flags & TWO ? 2 : 1;
    size_t piece = fuzz_take(in, 1) * 8;
    unsigned show = (unsigned)fuzz_take(in, 1);
    for (unsigned i = 0; i < count; i++)
        connect_viewer(&viewers[i], vnc, loop, flags);
    for (unsigned n = 0; in->left; n++) {
        size_t len;
        const uint8_t *p = fuzz_take_bytes(in, piece ? piece : in->left, &len);
        send_all(&viewers[n % count], p, len);
        settle(vnc, loop);
        act(scene, display, input, show >> n % 4 * 2 & 3);
        settle(vnc, loop);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!(flags & HANG_UP)) {
            shutdown(viewers[i].fd, SHUT_WR);
            continue;
        }
        loop_unwatch(loop, &viewers[i].source);
        close(viewers[i].fd);
    }
    /* They come in through the listening socket's queue; then each session sees the end and goes.
     */
    loop_turn(loop, 0);
    while (anybody(vnc))
        loop_turn(loop, 100 * NS_PER_MS);
    for (unsigned i = 0; i < count && !(flags & HANG_UP); i++) {
        loop_unwatch(loop, &viewers[i].source);
        close(viewers[i].fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keymap *keymap; /* never changes */
    struct err err;
    if (size < 4)
        return 0;
    if (!keymap) {
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, NULL); /* as main.c does */
        keymap = keymap_load("en-us", &err);
        if (!keymap)
            abort();
    }
    struct fuzz_input in = {.p = data, .left = size};
    unsigned flags = (unsigned)fuzz_take(&in, 1), keys = 0, moves = 0;
    struct loop *loop = loop_new(&err);
    struct display *display = loop ? display_new(loop_clock(loop)) : NULL;
    struct input *input = input_new();
    struct scene scene = {.width = 64, .height = 48, .shade = 1};
    if (!display || !input)
        abort();
    display_set_source(display, &scene_source, &scene);
    display_refresh_now(display);
    input_set_keyboard(input, &(struct input_keyboard){.key = key, .opaque = &keys});
    input_set_pointer(input,
                      &(struct input_pointer){.absolute = true, .move = move, .opaque = &moves});
    struct config_vnc options = {
        .enabled = true,
        .password = flags & PASSWORD,
        .share_ignore = flags & SHARE_IGNORE,
        .share_force = flags & SHARE_FORCE,
        .lock_key_sync = !(flags & TWO),
    };
    struct vnc_listen l;
    listen_somewhere(&l);
    struct vnc_config config = {
        .loop = loop,
        .display = display,
        .input = input,
        .keymap = flags & NO_KEYMAP ? NULL : keymap,
        .listen = &l,
        .options = &options,
        .name = "guest",
    };
    struct vnc *vnc = vnc_open(&config, &err);
    if (!vnc || (flags & PASSWORD && !vnc_set_password(vnc, password, false, &err)))
        abort();
    run(vnc, loop, display, input, &scene, &in, flags);
    for (unsigned code = 1; code < 0x300; code++)
        fuzz_assert(!input_key_is_down(input, code)); /* who has left holds nothing */
    vnc_close(vnc);
    vnc_listen_close(&l);
    display_free(display);
    input_free(input);
    loop_free(loop);
    return 0;
}
