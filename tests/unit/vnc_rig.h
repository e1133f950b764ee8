/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_rig: a VNC server with all it needs on a running loop, and viewers made of bare sockets.
 * Waiting is bounded by generous limits; nothing asserts that something was quick. */
#ifndef TESTS_UNIT_VNC_RIG_H
#define TESTS_UNIT_VNC_RIG_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "hw/core/loop.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/keymap.h"
#include "ui/vnc.h"
#include "ui/vnc_internal.h"

#define PATIENCE_MS 10000
#define MAX_EVENTS  65536

/* The server with all it needs, its loop running on a thread of its own. */

struct scene {
    int width, height;
    unsigned seed; /* of the picture */
    unsigned shown;
    bool animate;
    bool watched;
    unsigned refreshes;
};

struct rig {
    struct loop *loop;
    struct display *display;
    struct input *input;
    struct input_keyboard keyboard;
    struct input_pointer pointer;
    struct keymap *keymap;
    struct vnc_listen listen;
    struct vnc *vnc;
    struct config_vnc config;
    struct scene scene;
    pthread_t thread;
    unsigned port;
    char path[64];

    pthread_mutex_t lock; /* the records below */
    struct {
        unsigned code;
        bool down;
    } keys[MAX_EVENTS];
    unsigned key_count;
    unsigned key_total;
    struct {
        int x, y, wheel;
        unsigned buttons;
    } moves[MAX_EVENTS];
    unsigned move_count;
    unsigned changes[3]; /* by enum vnc_change; the loop's */
};

static inline void record_change(void *opaque, enum vnc_change change,
                                 const struct vnc_address *viewer)
{
    struct rig *rig = opaque;

    assert_non_null(viewer->family);
    rig->changes[change]++;
}

static inline uint32_t pixel_at(unsigned seed, int x, int y)
{
    /* Blocks of one colour, a gradient and noise: every encoding has something to do. */
    if (y < 100)
        return (((unsigned)x / 32 + (unsigned)y / 16 + seed) * 0x345678) & 0xFFFFFF;
    if (y < 200)
        return ((unsigned)x & 0xFF) << 16 | ((unsigned)y & 0xFF) << 8 | (seed & 0xFF);
    return ((unsigned)x * 2654435761u ^ (unsigned)y * 40503u ^ seed * 97u) & 0xFFFFFF;
}

static inline void paint(struct display *display, unsigned seed)
{
    const struct surface *s = display_surface(display);

    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < s->width; x++)
            s->pixels[y * s->width + x] = pixel_at(seed, x, y);
    }
}

static inline void scene_refresh(void *opaque, struct display *display, bool full)
{
    struct scene *scene = opaque;

    scene->refreshes++;
    display_resize(display, scene->width, scene->height);
    if (scene->animate)
        scene->seed++;
    if (full || scene->seed != scene->shown) {
        paint(display, scene->seed);
        scene->shown = scene->seed;
        display_damage(display, 0, 0, scene->width, scene->height);
    }
}

static inline void scene_watched(void *opaque, bool watched)
{
    struct scene *scene = opaque;

    scene->watched = watched;
}

static const struct display_source scene_source = {scene_refresh, scene_watched};

static inline void record_key(void *opaque, unsigned code, bool down)
{
    struct rig *rig = opaque;

    pthread_mutex_lock(&rig->lock);
    if (rig->key_count < MAX_EVENTS) {
        rig->keys[rig->key_count].code = code;
        rig->keys[rig->key_count++].down = down;
    }
    rig->key_total++;
    pthread_mutex_unlock(&rig->lock);
}

static inline void record_move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    struct rig *rig = opaque;

    pthread_mutex_lock(&rig->lock);
    if (rig->move_count < MAX_EVENTS) {
        rig->moves[rig->move_count].x = x;
        rig->moves[rig->move_count].y = y;
        rig->moves[rig->move_count].wheel = wheel;
        rig->moves[rig->move_count++].buttons = buttons;
    }
    pthread_mutex_unlock(&rig->lock);
}

static inline void *run_loop(void *opaque)
{
    loop_run(opaque);
    return NULL;
}

/* Runs fn(arg) on the loop's thread, and waits until it is done. */
struct call {
    struct deferred deferred;
    void (*fn)(void *arg);
    void *arg;
    sem_t done;
};

static inline void do_call(void *opaque)
{
    struct call *call = opaque;

    call->fn(call->arg);
    sem_post(&call->done);
}

static inline void on_loop(struct rig *rig, void (*fn)(void *arg), void *arg)
{
    struct call call = {.fn = fn, .arg = arg};

    sem_init(&call.done, 0, 0);
    deferred_init(&call.deferred, do_call, &call);
    loop_post(rig->loop, &call.deferred);
    while (sem_wait(&call.done) < 0)
        ;
    sem_destroy(&call.done);
}

static inline struct rig *rig_prepare(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {.text = ""};

    assert_non_null(rig);
    pthread_mutex_init(&rig->lock, NULL);
    rig->loop = loop_new(&err);
    assert_non_null(rig->loop);
    rig->display = display_new(loop_clock(rig->loop));
    rig->input = input_new();
    rig->keymap = keymap_load("en-us", &err);
    assert_non_null(rig->keymap);
    rig->keyboard = (struct input_keyboard){.key = record_key, .opaque = rig};
    rig->pointer = (struct input_pointer){.absolute = true, .move = record_move, .opaque = rig};
    input_set_keyboard(rig->input, &rig->keyboard);
    input_set_pointer(rig->input, &rig->pointer);
    rig->scene = (struct scene){.width = 640, .height = 480, .seed = 1};
    display_set_source(rig->display, &scene_source, &rig->scene);
    rig->config = (struct config_vnc){
        .enabled = true, .host = "127.0.0.1", .display = 100, .to = 400, .lock_key_sync = true};
    return rig;
}

static inline struct vnc *open_server(struct rig *rig, struct err *err)
{
    const struct vnc_config config = {
        .loop = rig->loop,
        .display = rig->display,
        .input = rig->input,
        .keymap = rig->keymap,
        .listen = &rig->listen,
        .options = &rig->config,
        .name = "guest",
        .event = record_change,
        .opaque = rig,
    };

    return vnc_listen_open(&rig->listen, &rig->config, err) ? vnc_open(&config, err) : NULL;
}

static inline void rig_open(struct rig *rig)
{
    struct err err = {.text = ""};

    rig->vnc = open_server(rig, &err);
    if (!rig->vnc)
        print_error("%s\n", err.text);
    assert_non_null(rig->vnc);
    rig->port = rig->listen.port;
    assert_int_equal(pthread_create(&rig->thread, NULL, run_loop, rig->loop), 0);
}

static inline struct rig *rig_new(void)
{
    struct rig *rig = rig_prepare();

    rig_open(rig);
    return rig;
}

static inline void quit_loop(void *arg)
{
    struct rig *rig = arg;

    vnc_close(rig->vnc);
    loop_quit(rig->loop, 0);
}

static inline void rig_free(struct rig *rig)
{
    if (rig->vnc) {
        on_loop(rig, quit_loop, rig);
        pthread_join(rig->thread, NULL);
    }
    vnc_listen_close(&rig->listen);
    display_free(rig->display);
    input_free(rig->input);
    keymap_free(rig->keymap);
    loop_free(rig->loop);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
}

static inline uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Waits for a condition that another thread brings about. */
#define eventually(condition)                                                 \
    do {                                                                      \
        uint64_t until_ = now_ms() + PATIENCE_MS;                             \
        while (!(condition)) {                                                \
            if (now_ms() > until_)                                            \
                fail_msg("%s:%d: never: %s", __FILE__, __LINE__, #condition); \
            usleep(1000);                                                     \
        }                                                                     \
    } while (0)

static inline unsigned key_count(struct rig *rig)
{
    unsigned n;

    pthread_mutex_lock(&rig->lock);
    n = rig->key_count;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

static inline unsigned key_total(struct rig *rig)
{
    unsigned n;

    pthread_mutex_lock(&rig->lock);
    n = rig->key_total;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

static inline unsigned move_count(struct rig *rig)
{
    unsigned n;

    pthread_mutex_lock(&rig->lock);
    n = rig->move_count;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

struct viewers {
    size_t count;
    struct vnc_address list[VNC_MAX_CLIENTS];
};

static inline void list_viewers(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    struct viewers *viewers = ((void **)arg)[1];

    viewers->count = vnc_clients(rig->vnc, viewers->list);
}

static inline unsigned viewer_count(struct rig *rig)
{
    struct viewers viewers;
    void *arg[2] = {rig, &viewers};

    on_loop(rig, list_viewers, arg);
    return (unsigned)viewers.count;
}

static inline void count_connections(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    unsigned *n = ((void **)arg)[1];

    *n = 0;
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++)
        *n += rig->vnc->clients[i] != NULL;
}

static inline unsigned connection_count(struct rig *rig)
{
    unsigned n;
    void *arg[2] = {rig, &n};

    on_loop(rig, count_connections, arg);
    return n;
}

static inline void get_watched(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    *(bool *)((void **)arg)[1] = rig->scene.watched;
}

static inline bool is_watched(struct rig *rig)
{
    bool watched;
    void *arg[2] = {rig, &watched};

    on_loop(rig, get_watched, arg);
    return watched;
}

static inline void do_animate(void *arg)
{
    ((struct rig *)arg)->scene.animate = true;
}

static inline void set_view_password(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    assert_true(vnc_set_password(rig->vnc, ((void **)arg)[1], true, NULL));
}

static inline void expire_password(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    assert_true(vnc_expire_password(rig->vnc, *(time_t *)((void **)arg)[1], NULL));
}

static inline void set_password(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    assert_true(vnc_set_password(rig->vnc, ((void **)arg)[1], false, NULL));
}

static inline unsigned thread_count(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static inline long rss_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "RssAnon: %ld", &kib) == 1)
            break;
    }
    fclose(f);
    return kib;
}

/* A viewer made of a bare socket. */

static inline int connect_to(struct rig *rig)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int fd;

    if (rig->path[0]) {
        struct sockaddr_un sa = {.sun_family = AF_UNIX};

        strcpy(sa.sun_path, rig->path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    } else {
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)rig->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

static inline void put(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

#define PUT(fd, ...)                            \
    do {                                        \
        const uint8_t bytes_[] = {__VA_ARGS__}; \
        put(fd, bytes_, sizeof(bytes_));        \
    } while (0)

static inline void get(int fd, void *data, size_t size)
{
    uint8_t *p = data;

    while (size) {
        ssize_t n = recv(fd, p, size, 0);

        if (n <= 0)
            fail_msg("the server sent %zu bytes too few (%s)", size,
                     n ? strerror(errno) : "closed");
        p += n;
        size -= (size_t)n;
    }
}

static inline uint32_t get_be32(int fd)
{
    uint8_t b[4];

    get(fd, b, 4);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint16_t get_be16(int fd)
{
    uint8_t b[2];

    get(fd, b, 2);
    return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint8_t get_u8(int fd)
{
    uint8_t b;

    get(fd, &b, 1);
    return b;
}

/* The server closes the connection, whatever it sends before. */
static inline void expect_close(int fd)
{
    char buf[4096];
    ssize_t n;

    do {
        n = recv(fd, buf, sizeof(buf), 0);
    } while (n > 0);
    if (n < 0 && errno != ECONNRESET && errno != EPIPE)
        fail_msg("the server did not close the connection: %s", strerror(errno));
    close(fd);
}

static inline void skip_version(int fd)
{
    char version[13] = "";

    get(fd, version, 12);
    assert_string_equal(version, "RFB 003.008\n");
}

/* Up to and including ServerInit, without a password. */
static inline int raw_viewer_shared(struct rig *rig, uint8_t shared)
{
    int fd = connect_to(rig);

    skip_version(fd);
    put(fd, "RFB 003.008\n", 12);
    assert_int_equal(get_u8(fd), 1);
    assert_int_equal(get_u8(fd), 1);
    PUT(fd, 1);
    assert_int_equal(get_be32(fd), 0);
    PUT(fd, shared);
    return fd;
}

static inline void get_server_init(int fd, unsigned width, unsigned height)
{
    uint8_t format[16];
    char name[64] = "";
    uint32_t length;

    assert_int_equal(get_be16(fd), width);
    assert_int_equal(get_be16(fd), height);
    get(fd, format, 16);
    assert_int_equal(format[0], 32);
    assert_int_equal(format[1], 24);
    assert_int_not_equal(format[3], 0); /* true colour */
    assert_int_equal(format[10], 16);   /* x8r8g8b8 */
    assert_int_equal(format[11], 8);
    assert_int_equal(format[12], 0);
    length = get_be32(fd);
    assert_in_range(length, 1, 63);
    get(fd, name, length);
    assert_string_equal(name, "hvm-dm (guest)");
}

static inline int raw_viewer(struct rig *rig)
{
    int fd = raw_viewer_shared(rig, 1);

    get_server_init(fd, 640, 480);
    return fd;
}

/* Answers the challenge. Returns the result the server gives. */
static inline uint32_t try_password(struct rig *rig, const char *password, const char *version,
                                    int *fd)
{
    uint8_t challenge[16];
    static uint8_t last[16];

    *fd = connect_to(rig);
    skip_version(*fd);
    put(*fd, version, 12);
    if (strcmp(version, "RFB 003.003\n") == 0) {
        assert_int_equal(get_be32(*fd), 2);
    } else {
        assert_int_equal(get_be16(*fd), 0x0102);
        PUT(*fd, 2);
    }
    get(*fd, challenge, 16);
    assert_memory_not_equal(challenge, last, 16); /* never the same again */
    memcpy(last, challenge, 16);
    if (password)
        rfbEncryptBytes(challenge, (char *)password);
    put(*fd, challenge, 16);
    return get_be32(*fd);
}

static inline void put_key(int fd, bool down, uint32_t keysym)
{
    PUT(fd, 4, down, 0, 0, (uint8_t)(keysym >> 24), (uint8_t)(keysym >> 16), (uint8_t)(keysym >> 8),
        (uint8_t)keysym);
}

static inline void put_stroke(int fd, uint32_t keysym)
{
    put_key(fd, true, keysym);
    put_key(fd, false, keysym);
}

static inline void put_request(int fd, bool incremental, unsigned width, unsigned height)
{
    PUT(fd, 3, incremental, 0, 0, 0, 0, (uint8_t)(width >> 8), (uint8_t)width,
        (uint8_t)(height >> 8), (uint8_t)height);
}

/* One update in raw encoding; returns how many pixels came. */
static inline size_t get_update(int fd, uint32_t *pixels, unsigned width, unsigned height)
{
    size_t total = 0;
    unsigned rects;

    assert_int_equal(get_u8(fd), 0);
    get_u8(fd);
    rects = get_be16(fd);
    for (unsigned i = 0; i < rects; i++) {
        unsigned x = get_be16(fd), y = get_be16(fd), w = get_be16(fd), h = get_be16(fd);

        assert_int_equal(get_be32(fd), 0);
        assert_true(x + w <= width && y + h <= height);
        for (unsigned row = 0; row < h; row++)
            get(fd, pixels + (size_t)(y + row) * width + x, (size_t)w * 4);
        total += (size_t)w * h;
    }
    return total;
}

static inline void assert_picture(const uint32_t *pixels, unsigned seed, int width, int height)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t seen = pixels[y * width + x] & 0xFFFFFF;

            if (seen != pixel_at(seed, x, y))
                fail_msg("pixel %d,%d is %06x, not %06x", x, y, seen, pixel_at(seed, x, y));
        }
    }
}

static inline void assert_keys(struct rig *rig, unsigned from, const int *keys, unsigned count)
{
    eventually(key_count(rig) >= from + count);
    for (unsigned i = 0; i < count; i++) {
        int seen = (int)rig->keys[from + i].code * (rig->keys[from + i].down ? 1 : -1);

        if (seen != keys[i])
            fail_msg("key event %u is %d, not %d", from + i, seen, keys[i]);
    }
    assert_int_equal(key_count(rig), from + count);
}

#define KEYS(rig, from, ...)                                             \
    do {                                                                 \
        const int keys_[] = {__VA_ARGS__};                               \
        assert_keys(rig, from, keys_, sizeof(keys_) / sizeof(keys_[0])); \
    } while (0)

#endif
