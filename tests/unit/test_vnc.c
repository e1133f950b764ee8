/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc: a real server on a running loop, spoken to by libvncclient and by raw sockets, well-behaved
 * and hostile. Waiting is bounded by generous limits; nothing asserts that something was quick.
 */
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
#include <rfb/rfbclient.h>
#include <xkbcommon/xkbcommon-keysyms.h>

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
    struct keymap *keymap;
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
};

static uint32_t pixel_at(unsigned seed, int x, int y)
{
    /* Blocks of one colour, a gradient and noise: every encoding has something to do. */
    if (y < 100)
        return (((unsigned)x / 32 + (unsigned)y / 16 + seed) * 0x345678) & 0xFFFFFF;
    if (y < 200)
        return ((unsigned)x & 0xFF) << 16 | ((unsigned)y & 0xFF) << 8 | (seed & 0xFF);
    return ((unsigned)x * 2654435761u ^ (unsigned)y * 40503u ^ seed * 97u) & 0xFFFFFF;
}

static void paint(struct display *display, unsigned seed)
{
    pixman_image_t *surface = display_surface(display);
    int width = pixman_image_get_width(surface), height = pixman_image_get_height(surface);
    int stride = pixman_image_get_stride(surface) / 4;
    uint32_t *p = pixman_image_get_data(surface);

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++)
            p[y * stride + x] = pixel_at(seed, x, y);
    }
}

static void scene_refresh(void *opaque, struct display *display, bool full)
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

static void scene_watched(void *opaque, bool watched)
{
    struct scene *scene = opaque;

    scene->watched = watched;
}

static const struct display_source scene_source = {scene_refresh, scene_watched};

static void record_key(void *opaque, unsigned code, bool down)
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

static void record_move(void *opaque, int x, int y, int wheel, unsigned buttons)
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

static void *run_loop(void *opaque)
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

static void do_call(void *opaque)
{
    struct call *call = opaque;

    call->fn(call->arg);
    sem_post(&call->done);
}

static void on_loop(struct rig *rig, void (*fn)(void *arg), void *arg)
{
    struct call call = {.fn = fn, .arg = arg};

    sem_init(&call.done, 0, 0);
    deferred_init(&call.deferred, do_call, &call);
    loop_post(rig->loop, &call.deferred);
    while (sem_wait(&call.done) < 0)
        ;
    sem_destroy(&call.done);
}

static struct rig *rig_prepare(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct input_keyboard keyboard = {record_key, rig};
    struct input_pointer pointer = {true, record_move, rig};
    struct err err = {.text = ""};

    assert_non_null(rig);
    pthread_mutex_init(&rig->lock, NULL);
    rig->loop = loop_new(&err);
    assert_non_null(rig->loop);
    rig->display = display_new(loop_clock(rig->loop));
    rig->input = input_new();
    rig->keymap = keymap_load("en-us", &err);
    assert_non_null(rig->keymap);
    input_set_keyboard(rig->input, &keyboard);
    input_set_pointer(rig->input, &pointer);
    rig->scene = (struct scene){.width = 640, .height = 480, .seed = 1};
    display_set_source(rig->display, &scene_source, &rig->scene);
    rig->config = (struct config_vnc){
        .enabled = true, .host = "127.0.0.1", .display = 100, .to = 400, .lock_key_sync = true};
    return rig;
}

static void rig_open(struct rig *rig)
{
    struct err err = {.text = ""};

    rig->vnc =
        vnc_open(rig->loop, rig->display, rig->input, rig->keymap, &rig->config, "guest", &err);
    if (!rig->vnc)
        print_error("%s\n", err.text);
    assert_non_null(rig->vnc);
    rig->port = vnc_port(rig->vnc);
    assert_int_equal(pthread_create(&rig->thread, NULL, run_loop, rig->loop), 0);
}

static struct rig *rig_new(void)
{
    struct rig *rig = rig_prepare();

    rig_open(rig);
    return rig;
}

static void quit_loop(void *arg)
{
    struct rig *rig = arg;

    vnc_close(rig->vnc);
    loop_quit(rig->loop, 0);
}

static void rig_free(struct rig *rig)
{
    if (rig->vnc) {
        on_loop(rig, quit_loop, rig);
        pthread_join(rig->thread, NULL);
    }
    display_free(rig->display);
    input_free(rig->input);
    keymap_free(rig->keymap);
    loop_free(rig->loop);
    pthread_mutex_destroy(&rig->lock);
    free(rig);
}

static uint64_t now_ms(void)
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

static unsigned key_count(struct rig *rig)
{
    unsigned n;

    pthread_mutex_lock(&rig->lock);
    n = rig->key_count;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

static unsigned move_count(struct rig *rig)
{
    unsigned n;

    pthread_mutex_lock(&rig->lock);
    n = rig->move_count;
    pthread_mutex_unlock(&rig->lock);
    return n;
}

static void count_viewers(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    struct vnc_info *info = ((void **)arg)[1];

    vnc_get_info(rig->vnc, info);
}

static unsigned viewer_count(struct rig *rig)
{
    struct vnc_info info;
    void *arg[2] = {rig, &info};

    on_loop(rig, count_viewers, arg);
    return (unsigned)info.client_count;
}

static void count_connections(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    unsigned *n = ((void **)arg)[1];

    *n = 0;
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++)
        *n += rig->vnc->clients[i] != NULL;
}

static unsigned connection_count(struct rig *rig)
{
    unsigned n;
    void *arg[2] = {rig, &n};

    on_loop(rig, count_connections, arg);
    return n;
}

static void get_watched(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    *(bool *)((void **)arg)[1] = rig->scene.watched;
}

static bool is_watched(struct rig *rig)
{
    bool watched;
    void *arg[2] = {rig, &watched};

    on_loop(rig, get_watched, arg);
    return watched;
}

static void do_animate(void *arg)
{
    ((struct rig *)arg)->scene.animate = true;
}

static void set_password(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    assert_true(vnc_set_password(rig->vnc, ((void **)arg)[1], NULL));
}

static unsigned thread_count(void)
{
    DIR *dir = opendir("/proc/self/task");
    unsigned n = 0;

    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static long rss_kib(void)
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

static int connect_to(struct rig *rig)
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

static void put(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

#define PUT(fd, ...)                            \
    do {                                        \
        const uint8_t bytes_[] = {__VA_ARGS__}; \
        put(fd, bytes_, sizeof(bytes_));        \
    } while (0)

static void get(int fd, void *data, size_t size)
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

static uint32_t get_be32(int fd)
{
    uint8_t b[4];

    get(fd, b, 4);
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint16_t get_be16(int fd)
{
    uint8_t b[2];

    get(fd, b, 2);
    return (uint16_t)(b[0] << 8 | b[1]);
}

static uint8_t get_u8(int fd)
{
    uint8_t b;

    get(fd, &b, 1);
    return b;
}

/* The server closes the connection, whatever it sends before. */
static void expect_close(int fd)
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

static void skip_version(int fd)
{
    char version[13] = "";

    get(fd, version, 12);
    assert_string_equal(version, "RFB 003.008\n");
}

/* Up to and including ServerInit, without a password. */
static int raw_viewer_shared(struct rig *rig, uint8_t shared)
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

static void get_server_init(int fd, unsigned width, unsigned height)
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

static int raw_viewer(struct rig *rig)
{
    int fd = raw_viewer_shared(rig, 1);

    get_server_init(fd, 640, 480);
    return fd;
}

static void put_key(int fd, bool down, uint32_t keysym)
{
    PUT(fd, 4, down, 0, 0, (uint8_t)(keysym >> 24), (uint8_t)(keysym >> 16), (uint8_t)(keysym >> 8),
        (uint8_t)keysym);
}

static void put_stroke(int fd, uint32_t keysym)
{
    put_key(fd, true, keysym);
    put_key(fd, false, keysym);
}

static void put_request(int fd, bool incremental, unsigned width, unsigned height)
{
    PUT(fd, 3, incremental, 0, 0, 0, 0, (uint8_t)(width >> 8), (uint8_t)width,
        (uint8_t)(height >> 8), (uint8_t)height);
}

/* One update in raw encoding; returns how many pixels came. */
static size_t get_update(int fd, uint32_t *pixels, unsigned width, unsigned height)
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

static void assert_picture(const uint32_t *pixels, unsigned seed, int width, int height)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t seen = pixels[y * width + x] & 0xFFFFFF;

            if (seen != pixel_at(seed, x, y))
                fail_msg("pixel %d,%d is %06x, not %06x", x, y, seen, pixel_at(seed, x, y));
        }
    }
}

/* Opening */

static void test_listening(void **state)
{
    struct rig *rig = rig_new();
    struct rig *other = rig_prepare();
    struct config_vnc config = rig->config;
    struct err err = {.text = ""};
    struct vnc_info info;
    struct vnc *second;
    char expected[64];

    (void)state;
    vnc_get_info(rig->vnc, &info);
    assert_string_equal(info.address.host, "127.0.0.1");
    assert_string_equal(info.address.family, "ipv4");
    assert_string_equal(info.auth, "none");
    assert_int_equal(atoi(info.address.service), rig->port);
    assert_int_equal(info.client_count, 0);
    assert_in_range(rig->port, 6000, 6300);

    /* The same display again: taken; with to=, the next free one. */
    config.display = config.to = rig->port - 5900;
    assert_null(vnc_open(other->loop, other->display, other->input, NULL, &config, NULL, &err));
    snprintf(expected, sizeof(expected), "127.0.0.1:%u is taken", rig->port);
    assert_non_null(strstr(err.text, expected));
    config.to = config.display + 50;
    second = vnc_open(other->loop, other->display, other->input, NULL, &config, NULL, &err);
    assert_non_null(second);
    assert_true(vnc_port(second) > rig->port);
    vnc_close(second);

    config.host = "no-such-host.invalid";
    assert_null(vnc_open(other->loop, other->display, other->input, NULL, &config, NULL, &err));
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    config.host = "192.0.2.1"; /* not ours */
    assert_null(vnc_open(other->loop, other->display, other->input, NULL, &config, NULL, &err));
    assert_non_null(strstr(err.text, "192.0.2.1"));
    config.host = "127.0.0.1";
    config.display = 70000;
    assert_null(vnc_open(other->loop, other->display, other->input, NULL, &config, NULL, &err));
    assert_non_null(strstr(err.text, "out of range"));
    rig_free(other);
    rig_free(rig);
}

static void test_all_addresses_and_names(void **state)
{
    static const char *const hosts[] = {"", "localhost", "0.0.0.0"};

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct rig *rig = rig_prepare();

        rig->config.host = (char *)hosts[i];
        rig_open(rig);
        close(raw_viewer(rig));
        rig_free(rig);
    }
}

static void test_unix_socket(void **state)
{
    struct rig *rig = rig_prepare(), *other = rig_prepare();
    struct err err = {.text = ""};
    struct vnc_info info;
    char path[200];
    int fd;

    (void)state;
    snprintf(rig->path, sizeof(rig->path), "/tmp/hvm-dm-test-vnc.%d", (int)getpid());
    rig->config.unix_path = rig->path;
    /* What a dead server left behind is no obstacle. */
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    strcpy(sa.sun_path, rig->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    rig_open(rig);
    assert_int_equal(rig->port, 0);
    vnc_get_info(rig->vnc, &info);
    assert_string_equal(info.address.host, rig->path);
    assert_string_equal(info.address.family, "unix");
    close(raw_viewer(rig));
    assert_null(
        vnc_open(other->loop, other->display, other->input, NULL, &rig->config, NULL, &err));
    assert_non_null(strstr(err.text, "is taken"));
    strcpy(path, rig->path);
    rig_free(rig);
    assert_int_equal(access(path, F_OK), -1);

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    other->config.unix_path = path;
    assert_null(
        vnc_open(other->loop, other->display, other->input, NULL, &other->config, NULL, &err));
    assert_non_null(strstr(err.text, "longer"));
    rig_free(other);
}

/* Handshake and password */

static void test_versions(void **state)
{
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    fd = connect_to(rig); /* 3.3: the server decides */
    skip_version(fd);
    put(fd, "RFB 003.003\n", 12);
    assert_int_equal(get_be32(fd), 1);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);
    close(fd);

    fd = connect_to(rig); /* 3.7: no result for None */
    skip_version(fd);
    put(fd, "RFB 003.007\n", 12);
    assert_int_equal(get_be16(fd), 0x0101);
    PUT(fd, 1, 1);
    get_server_init(fd, 640, 480);
    close(fd);

    fd = connect_to(rig); /* a type that was not offered */
    skip_version(fd);
    put(fd, "RFB 003.008\n", 12);
    assert_int_equal(get_be16(fd), 0x0101);
    PUT(fd, 2);
    expect_close(fd);
    rig_free(rig);
}

static void test_strangers(void **state)
{
    static const char *const openings[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\x01\x01\xFC\x03\x03\x01\x01\x01\x01\x01",
        "RFB 004.000\n",
        "RFB 003.0x8\n",
        "RFB 003.008 ",
        "SSH-2.0-OpenSSH_9.2\r\n",
    };
    struct rig *rig = rig_new();
    static char header[1 << 20];

    (void)state;
    for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
        int fd = connect_to(rig);

        put(fd, openings[i], strlen(openings[i]));
        expect_close(fd);
    }
    memset(header, 'A', sizeof(header));
    memcpy(header, "GET /", 5);
    int fd = connect_to(rig); /* CVE-2015-1779: a header without end */
    for (int i = 0; i < 10; i++) {
        if (send(fd, header, sizeof(header), MSG_NOSIGNAL) < 0)
            break;
    }
    expect_close(fd);
    close(raw_viewer(rig));
    rig_free(rig);
}

/* Answers the challenge. Returns the result the server gives. */
static uint32_t try_password(struct rig *rig, const char *password, const char *version, int *fd)
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

static void test_password(void **state)
{
    struct rig *rig = rig_prepare();
    struct vnc_info info;
    uint32_t length;
    char reason[64];
    int fd;

    (void)state;
    rig->config.password = true;
    rig_open(rig);
    vnc_get_info(rig->vnc, &info);
    assert_string_equal(info.auth, "vnc");

    /* None set: nobody gets in, least of all with the empty one, or with the challenge sent back
     * (what DES makes of it when libgcrypt refuses the all-zero key). */
    assert_int_equal(try_password(rig, "", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "secret", "RFB 003.003\n", &fd), 1);
    expect_close(fd);

    on_loop(rig, set_password, (void *[]){rig, "sekret12 and more"});
    assert_int_equal(try_password(rig, "wrong", "RFB 003.008\n", &fd), 1);
    length = get_be32(fd);
    assert_in_range(length, 1, 63);
    get(fd, reason, length);
    assert_memory_equal(reason, "password", 8);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "sekret1", "RFB 003.007\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(viewer_count(rig), 0);

    assert_int_equal(try_password(rig, "sekret12", "RFB 003.008\n", &fd), 0);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);
    assert_int_equal(viewer_count(rig), 1);
    close(fd);
    assert_int_equal(try_password(rig, "sekret12", "RFB 003.003\n", &fd), 0);
    PUT(fd, 1);
    get_server_init(fd, 640, 480);

    /* Those that are in stay; the next one needs the new one. */
    on_loop(rig, set_password, (void *[]){rig, "other"});
    put_key(fd, true, 'q');
    eventually(key_count(rig) == 1);
    close(fd);
    assert_int_equal(try_password(rig, "sekret12", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, "other", "RFB 003.008\n", &fd), 0);
    close(fd);

    on_loop(rig, set_password, (void *[]){rig, ""});
    assert_int_equal(try_password(rig, "", "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    assert_int_equal(try_password(rig, NULL, "RFB 003.008\n", &fd), 1);
    expect_close(fd);
    on_loop(rig, set_password, (void *[]){rig, NULL});
    assert_int_equal(try_password(rig, "other", "RFB 003.008\n", &fd), 1);
    expect_close(fd);

    fd = connect_to(rig); /* asking for "no security" */
    skip_version(fd);
    put(fd, "RFB 003.008\n", 12);
    assert_int_equal(get_be16(fd), 0x0102);
    PUT(fd, 1, 1);
    expect_close(fd);
    rig_free(rig);
}

static void test_password_not_asked_for(void **state)
{
    struct rig *rig = rig_new();
    struct err err = {.text = ""};

    (void)state;
    assert_false(vnc_set_password(rig->vnc, "x", &err));
    assert_non_null(strstr(err.text, "password"));
    rig_free(rig);
}

/* Pictures */

static rfbBool viewer_resized(rfbClient *client)
{
    free(client->frameBuffer);
    client->frameBuffer = calloc((size_t)client->width * (size_t)client->height, 4);
    return client->frameBuffer != NULL;
}

static bool viewer_shows(rfbClient *client, unsigned seed, int width, int height)
{
    const uint32_t *p = (const void *)client->frameBuffer;

    if (client->width != width || client->height != height)
        return false;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            if ((p[y * width + x] & 0xFFFFFF) != pixel_at(seed, x, y))
                return false;
        }
    }
    return true;
}

static void viewer_await(rfbClient *client, unsigned seed, int width, int height)
{
    uint64_t until = now_ms() + PATIENCE_MS;

    while (!viewer_shows(client, seed, width, height)) {
        if (now_ms() > until)
            fail_msg("the viewer (%d x %d) never showed picture %u of %d x %d", client->width,
                     client->height, seed, width, height);
        int n = WaitForMessage(client, 10000);
        assert_true(n >= 0);
        if (n > 0)
            assert_true(HandleRFBServerMessage(client));
    }
}

static rfbClient *viewer_new(struct rig *rig, const char *encodings)
{
    rfbClient *client = rfbGetClient(8, 3, 4);

    assert_non_null(client);
    client->MallocFrameBuffer = viewer_resized;
    client->canHandleNewFBSize = TRUE;
    client->appData.encodingsString = encodings;
    client->appData.enableJPEG = FALSE;
    client->format.redShift = 16;
    client->format.greenShift = 8;
    client->format.blueShift = 0;
    client->serverHost = strdup("127.0.0.1");
    client->serverPort = (int)rig->port;
    assert_true(rfbInitClient(client, NULL, NULL));
    return client;
}

static void viewer_free(rfbClient *client)
{
    free(client->frameBuffer);
    client->frameBuffer = NULL;
    rfbClientCleanup(client);
}

static void change_scene(void *arg)
{
    struct rig *rig = ((void **)arg)[0];
    const struct scene *to = ((void **)arg)[1];

    rig->scene.width = to->width;
    rig->scene.height = to->height;
    rig->scene.seed = to->seed;
}

static void show(struct rig *rig, unsigned seed, int width, int height)
{
    struct scene to = {.width = width, .height = height, .seed = seed};

    on_loop(rig, change_scene, (void *[]){rig, &to});
}

static void test_pictures(void **state)
{
    static const char *const encodings[] = {"raw", "hextile", "zlib", "tight", "zrle", "rre raw"};
    struct rig *rig = rig_new();
    unsigned seed = 1;

    (void)state;
    rfbEnableClientLogging = FALSE;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        rfbClient *client = viewer_new(rig, encodings[i]);

        viewer_await(client, seed, 640, 480);
        show(rig, ++seed, 640, 480);
        viewer_await(client, seed, 640, 480);
        show(rig, ++seed, 1024, 768);
        viewer_await(client, seed, 1024, 768);
        show(rig, ++seed, 721, 401); /* not a multiple of anything: CVE-2015-5225 */
        viewer_await(client, seed, 721, 401);
        show(rig, ++seed, 640, 480);
        viewer_await(client, seed, 640, 480);
        viewer_free(client);
    }
    rig_free(rig);
}

static void test_two_viewers(void **state)
{
    struct rig *rig = rig_new();
    rfbClient *a = viewer_new(rig, "tight"), *b = viewer_new(rig, "hextile");
    struct vnc_info info;

    (void)state;
    viewer_await(a, 1, 640, 480);
    viewer_await(b, 1, 640, 480);
    for (unsigned seed = 2; seed < 6; seed++) {
        show(rig, seed, 640, 480);
        viewer_await(a, seed, 640, 480);
        viewer_await(b, seed, 640, 480);
    }
    on_loop(rig, count_viewers, (void *[]){rig, &info});
    assert_int_equal(info.client_count, 2);
    assert_string_equal(info.clients[0].host, "127.0.0.1");
    assert_string_equal(info.clients[1].family, "ipv4");
    viewer_free(a);
    show(rig, 6, 640, 480);
    viewer_await(b, 6, 640, 480);
    viewer_free(b);
    rig_free(rig);
}

static void dot(void *arg)
{
    struct rig *rig = arg;
    pixman_image_t *surface = display_surface(rig->display);
    uint32_t *p = pixman_image_get_data(surface);

    p[10 * pixman_image_get_stride(surface) / 4 + 20] = 0xABCDEF;
    display_damage(rig->display, 20, 10, 1, 1);
}

/* An unchanged screen is sent again when asked for in full, and a change sends no more than itself.
 */
static void test_requests(void **state)
{
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(640 * 480, 4);
    int fd = raw_viewer(rig);
    size_t n;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(pixels, 0, 640 * 480 * 4);
        put_request(fd, false, 640, 480);
        assert_int_equal(get_update(fd, pixels, 640, 480), 640 * 480);
        assert_picture(pixels, 1, 640, 480);
    }
    put_request(fd, true, 640, 480); /* nothing has changed: no answer, until … */
    put_request(fd, false, 16, 8);   /* … a part is wanted anyway */
    n = get_update(fd, pixels, 640, 480);
    assert_true(n >= 16 * 8 && n < 640 * 480);
    put_request(fd, true, 640, 480);
    eventually(is_watched(rig));
    on_loop(rig, dot, rig);
    n = get_update(fd, pixels, 640, 480);
    assert_int_equal(pixels[10 * 640 + 20] & 0xFFFFFF, 0xABCDEF);
    assert_true(n < 640 * 480 / 4);
    close(fd);
    free(pixels);
    rig_free(rig);
}

static void test_pixel_formats(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    uint32_t p;

    (void)state;
    /* 16 bpp 5-6-5, little endian */
    PUT(fd, 0, 0, 0, 0, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0);
    put_request(fd, false, 1, 1);
    assert_int_equal(get_be32(fd), 0x00000001); /* an update of one rectangle … */
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal(get_be32(fd), 0x00010001); /* … of one pixel … */
    assert_int_equal(get_be32(fd), 0);          /* … in raw encoding */
    p = pixel_at(1, 0, 0);
    assert_int_equal(get_u8(fd) | get_u8(fd) << 8, ((p >> 16 & 0xFF) * 31 + 127) / 255 << 11 |
                                                       ((p >> 8 & 0xFF) * 63 + 127) / 255 << 5 |
                                                       ((p & 0xFF) * 31 + 127) / 255);
    /* 8 bpp with a colour map: the map comes, then pixels */
    PUT(fd, 0, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put_request(fd, false, 1, 1);
    assert_int_equal(get_u8(fd), 1);
    get_u8(fd);
    assert_int_equal(get_be16(fd), 0);
    assert_int_equal(get_be16(fd), 256);
    for (int i = 0; i < 256 * 3; i++)
        get_be16(fd);
    assert_int_equal(get_be32(fd), 0x00000001);
    close(fd);
    rig_free(rig);
}

/* Keys and pointer */

static void assert_keys(struct rig *rig, unsigned from, const int *keys, unsigned count)
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

static void test_keys(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    unsigned n;

    (void)state;
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    /* A person's Shift: let go before the key, whose keysym is then another one. */
    put_key(fd, true, XKB_KEY_Shift_L);
    put_key(fd, true, '!');
    put_key(fd, false, XKB_KEY_Shift_L);
    put_key(fd, false, '1');
    KEYS(rig, 2, KEY_LEFTSHIFT, KEY_1, -KEY_LEFTSHIFT, -KEY_1);
    /* A program that leaves Shift out. */
    put_stroke(fd, '!');
    KEYS(rig, 6, KEY_LEFTSHIFT, KEY_1, -KEY_LEFTSHIFT, -KEY_1);
    put_key(fd, true, XKB_KEY_Shift_R);
    put_stroke(fd, 'Q');
    put_key(fd, false, XKB_KEY_Shift_R);
    KEYS(rig, 10, KEY_RIGHTSHIFT, KEY_Q, -KEY_Q, -KEY_RIGHTSHIFT);
    put_stroke(fd, XKB_KEY_Return);
    put_stroke(fd, XKB_KEY_Pause);
    put_stroke(fd, XKB_KEY_Print);
    put_stroke(fd, XKB_KEY_F13);
    put_stroke(fd, XKB_KEY_Hangul);
    KEYS(rig, 14, KEY_ENTER, -KEY_ENTER, KEY_PAUSE, -KEY_PAUSE, KEY_SYSRQ, -KEY_SYSRQ, KEY_F13,
         -KEY_F13, KEY_HANGEUL, -KEY_HANGEUL);
    /* Repetition, and a release without a press. */
    put_key(fd, true, 'x');
    put_key(fd, true, 'x');
    put_key(fd, false, 'x');
    put_key(fd, false, 'x');
    put_key(fd, false, 'y');
    KEYS(rig, 24, KEY_X, KEY_X, -KEY_X);
    /* Nonsense, which must not become scan code 0. */
    put_stroke(fd, 0);
    put_stroke(fd, 0xFFFFFFFF);
    put_stroke(fd, 0x01FFFFFF);
    put_stroke(fd, 'b');
    KEYS(rig, 27, KEY_B, -KEY_B);
    /* The monitor's old key combination is only keys (XSA-19). */
    put_key(fd, true, XKB_KEY_Control_L);
    put_key(fd, true, XKB_KEY_Alt_L);
    put_stroke(fd, '2');
    n = 29;
    KEYS(rig, n, KEY_LEFTCTRL, KEY_LEFTALT, KEY_2, -KEY_2);
    /* A viewer that leaves, holding two keys. */
    close(fd);
    eventually(key_count(rig) >= n + 6);
    assert_false(input_key_is_down(rig->input, KEY_LEFTCTRL));
    assert_false(input_key_is_down(rig->input, KEY_LEFTALT));
    for (unsigned i = 0; i < key_count(rig); i++)
        assert_int_not_equal(rig->keys[i].code, 0);
    rig_free(rig);
}

static void set_leds(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    input_set_leds(rig->input, *(unsigned *)((void **)arg)[1]);
}

static void test_lock_keys(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    unsigned leds = 0x04;

    (void)state;
    /* The viewer's Caps Lock is on and the guest's is not: it is pressed once, though the guest's
     * LED comes later. */
    put_stroke(fd, 'H');
    put_stroke(fd, 'I');
    KEYS(rig, 0, KEY_CAPSLOCK, -KEY_CAPSLOCK, KEY_H, -KEY_H, KEY_I, -KEY_I);
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    put_stroke(fd, 'J');
    KEYS(rig, 6, KEY_J, -KEY_J);
    put_stroke(fd, 'k');
    KEYS(rig, 8, KEY_CAPSLOCK, -KEY_CAPSLOCK, KEY_K, -KEY_K);
    /* The guest turned it on by itself meanwhile. */
    leds = 0;
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    put_stroke(fd, 'l');
    leds = 0x06;
    on_loop(rig, set_leds, (void *[]){rig, &leds});
    KEYS(rig, 12, KEY_L, -KEY_L);
    put_stroke(fd, XKB_KEY_KP_7);
    KEYS(rig, 14, KEY_KP7, -KEY_KP7);
    put_stroke(fd, XKB_KEY_KP_Home);
    KEYS(rig, 16, KEY_NUMLOCK, -KEY_NUMLOCK, KEY_KP7, -KEY_KP7);
    put_stroke(fd, XKB_KEY_KP_8);
    KEYS(rig, 20, KEY_NUMLOCK, -KEY_NUMLOCK, KEY_KP8, -KEY_KP8);
    put_stroke(fd, XKB_KEY_Up); /* the other arrow keys don't care */
    KEYS(rig, 24, KEY_UP, -KEY_UP);
    close(fd);
    rig_free(rig);

    /* lock-key-sync=off: keysyms are positions and nothing else. */
    rig = rig_prepare();
    rig->config.lock_key_sync = false;
    rig_open(rig);
    fd = raw_viewer(rig);
    put_stroke(fd, 'H');
    put_stroke(fd, '!');
    put_stroke(fd, XKB_KEY_KP_7);
    KEYS(rig, 0, KEY_H, -KEY_H, KEY_1, -KEY_1, KEY_KP7, -KEY_KP7);
    close(fd);
    rig_free(rig);
}

static void put_scancode(int fd, bool down, uint32_t keysym, uint32_t code)
{
    PUT(fd, 255, 0, 0, down, (uint8_t)(keysym >> 24), (uint8_t)(keysym >> 16),
        (uint8_t)(keysym >> 8), (uint8_t)keysym, (uint8_t)(code >> 24), (uint8_t)(code >> 16),
        (uint8_t)(code >> 8), (uint8_t)code);
}

static void test_scancodes(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);

    (void)state;
    /* SetEncodings: raw, and the extension, which is answered by an empty rectangle of it. */
    PUT(fd, 2, 0, 0, 2, 0, 0, 0, 0, 0xFF, 0xFF, 0xFE, 0xFE);
    assert_int_equal(get_be32(fd), 0x00000001);
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal(get_be32(fd), 0);
    assert_int_equal((int32_t)get_be32(fd), -258);
    /* On a German keyboard the key right of T says z; a US layout's z is elsewhere. */
    put_scancode(fd, true, 'z', 0x15);
    put_scancode(fd, false, 'z', 0x15);
    put_scancode(fd, true, XKB_KEY_ISO_Level3_Shift, 0xB8);
    put_scancode(fd, true, '@', 0x10);
    put_scancode(fd, false, 'q', 0x10);
    put_scancode(fd, false, XKB_KEY_ISO_Level3_Shift, 0xB8);
    KEYS(rig, 0, KEY_Y, -KEY_Y, KEY_RIGHTALT, KEY_Q, -KEY_Q, -KEY_RIGHTALT);
    /* A scan code nobody knows: the keysym helps. Neither: nothing happens. */
    put_scancode(fd, true, 'a', 0xFFFF);
    put_scancode(fd, false, 'a', 0xFFFF);
    put_scancode(fd, true, 0, 0);
    put_scancode(fd, false, 0, 0);
    put_scancode(fd, true, 0, 0xC6);
    put_scancode(fd, false, 0, 0xC6);
    KEYS(rig, 6, KEY_A, -KEY_A, KEY_PAUSE, -KEY_PAUSE);
    /* Another submessage was not agreed on. */
    PUT(fd, 255, 1, 0, 0);
    expect_close(fd);

    fd = raw_viewer(rig); /* nor was this one, without SetEncodings */
    put_scancode(fd, true, 'a', 0x1E);
    expect_close(fd);
    rig_free(rig);
}

static void test_pointer(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);

    (void)state;
    PUT(fd, 5, 1, 0, 0, 0, 0);
    PUT(fd, 5, 4, 0x02, 0x7F, 0x01, 0xDF); /* 639, 479 */
    PUT(fd, 5, 0, 0xFF, 0xFF, 0xFF, 0xFF);
    eventually(move_count(rig) >= 3);
    assert_int_equal(rig->moves[0].x, 0);
    assert_int_equal(rig->moves[0].buttons, INPUT_BUTTON_LEFT);
    assert_int_equal(rig->moves[1].x, 0x7FFF);
    assert_int_equal(rig->moves[1].y, 0x7FFF);
    assert_int_equal(rig->moves[1].buttons, INPUT_BUTTON_RIGHT);
    assert_int_equal(rig->moves[2].x, 0x7FFF);
    assert_int_equal(rig->moves[2].buttons, 0);
    /* Two notches up, one down */
    PUT(fd, 5, 8, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 5, 8, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0);
    PUT(fd, 5, 16, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0);
    eventually(move_count(rig) >= 9);
    int wheel[6];
    for (int i = 0; i < 6; i++)
        wheel[i] = rig->moves[3 + i].wheel;
    assert_memory_equal(wheel, ((int[]){1, 0, 1, 0, -1, 0}), sizeof(wheel));
    /* A viewer that leaves with a button down */
    PUT(fd, 5, 1, 0, 5, 0, 5);
    eventually(move_count(rig) >= 10);
    close(fd);
    eventually(move_count(rig) >= 11);
    assert_int_equal(rig->moves[10].buttons, 0);
    rig_free(rig);
}

/* Hostile viewers */

static void test_bad_messages(void **state)
{
    static const struct {
        unsigned size;
        uint8_t bytes[24];
    } messages[] = {
        {1, {1}},                                   /* FixColourMapEntries */
        {4, {7, 0, 0, 0}},                          /* file transfer */
        {4, {8, 0, 0, 0}},                          /* SetScale 0 */
        {4, {15, 0, 0, 0}},                         /* PalmVNC SetScale 0 */
        {4, {10, 0, 0, 0}},                         /* UltraVNC SetSW */
        {8, {11, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF}}, /* text chat */
        {4, {250, 0, 1, 2}},                        /* xvp */
        {8, {251, 0, 0, 1, 0, 1, 255, 0}},          /* SetDesktopSize */
        {4, {2, 0, 0xFF, 0xFF}},                    /* 65,535 encodings */
        {8, {6, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}},  /* cut text of 4 GiB - 1, or -1 */
        {8, {6, 0, 0, 0, 0x80, 0x00, 0x00, 0x00}},  /* CVE-2022-3165: extended, too short */
        {8, {6, 0, 0, 0, 0x00, 0x10, 0x00, 0x01}},  /* 1 MiB + 1 */
        {20, {0, 0, 0, 0, 24, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 0, 0, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 25}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 254, 0, 8, 16}},
        {20, {0, 0, 0, 0, 32, 24, 0, 1, 0, 0, 0, 255, 0, 255, 0, 8, 16}},
        {20, {0, 0, 0, 0, 8, 8, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 255, 255, 255}},
        {20, {0, 0, 0, 0, 32, 24, 0, 0, 0, 255, 0, 255, 0, 255, 0, 8, 16}},
    };
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        fd = raw_viewer(rig);
        put(fd, messages[i].bytes, messages[i].size);
        expect_close(fd);
    }
    /* Requests outside the screen are only of no use. */
    fd = raw_viewer(rig);
    PUT(fd, 3, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF);
    PUT(fd, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    PUT(fd, 3, 1, 0x02, 0x7F, 0x01, 0xDF, 0xFF, 0xFF, 0xFF, 0xFF);
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(fd);
    rig_free(rig);
}

static void test_cut_text_is_skipped(void **state)
{
    struct rig *rig = rig_new();
    int fd = raw_viewer(rig);
    char *text = calloc(1 << 20, 1);
    uint8_t half[] = {4, 1, 0, 0, 0, 0, 0, 'b'};

    (void)state;
    memset(text, 4, 1 << 20); /* looks like key events */
    PUT(fd, 6, 0, 0, 0, 0x00, 0x10, 0x00, 0x00);
    put(fd, text, 1 << 20);
    PUT(fd, 6, 0, 0, 0, 0, 0, 0, 0);
    put_stroke(fd, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    /* A message that comes byte by byte */
    for (size_t i = 0; i < sizeof(half); i++) {
        put(fd, half + i, 1);
        usleep(2000);
    }
    KEYS(rig, 2, KEY_B);
    close(fd);
    free(text);
    rig_free(rig);
}

static void test_leaving_at_any_point(void **state)
{
    static const uint8_t script[] = {
        'R', 'F', 'B', ' ', '0', '0', '3', '.', '0', '0', '8', '\n', 1, 1,
        /* SetPixelFormat */
        0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0,
        /* SetEncodings, FramebufferUpdateRequest, KeyEvent, ClientCutText */
        2, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 2, 0x80, 1, 0xE0, 4, 1, 0, 0, 0, 0, 0,
        'a', 6, 0, 0, 0, 0, 0, 0, 4, 'x'};
    struct rig *rig = rig_new();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    (void)state;
    for (size_t n = 0; n <= sizeof(script); n += 3) {
        int fd = connect_to(rig);

        put(fd, script, n);
        if (n % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        if (n % 24 == 0)
            eventually(connection_count(rig) == 0);
    }
    eventually(connection_count(rig) == 0);
    eventually(!input_key_is_down(rig->input, KEY_A));
    close(raw_viewer(rig));
    rig_free(rig);
}

/* Strangers that never finish hold nobody up, and make room when all places are taken. */
static void test_slow_strangers(void **state)
{
    struct rig *rig = rig_new();
    int fds[VNC_MAX_CLIENTS + 4];
    unsigned n = 0;
    int fd;

    (void)state;
    for (; n < 8; n++) {
        fds[n] = connect_to(rig);
        if (n % 2)
            put(fds[n], "R", 1);
    }
    fd = raw_viewer(rig);
    put(fd, "\x04", 1); /* the beginning of a message */
    rfbClient *good = viewer_new(rig, "tight");
    viewer_await(good, 1, 640, 480);
    show(rig, 2, 640, 480);
    viewer_await(good, 2, 640, 480);
    for (; n < VNC_MAX_CLIENTS + 4; n++)
        fds[n] = connect_to(rig);
    expect_close(fds[0]); /* the oldest had to go */
    close(raw_viewer(rig));
    show(rig, 3, 640, 480);
    viewer_await(good, 3, 640, 480);
    viewer_free(good);
    for (unsigned i = 1; i < n; i++)
        close(fds[i]);
    close(fd);
    rig_free(rig);
}

static void end_handshakes(void *arg)
{
    struct rig *rig = arg;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (rig->vnc->clients[i])
            rig->vnc->clients[i]->deadline = 0;
    }
}

static void test_handshake_has_a_deadline(void **state)
{
    struct rig *rig = rig_new();
    int stranger = connect_to(rig), viewer = raw_viewer(rig);

    (void)state;
    eventually(connection_count(rig) == 2);
    on_loop(rig, end_handshakes, rig);
    expect_close(stranger);
    put_stroke(viewer, 'a'); /* the one that is in has none */
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(viewer);
    rig_free(rig);
}

/* CVE-2017-15124, -15268: a viewer that asks and never reads, while the screen moves. */
static void test_stalled_viewer(void **state)
{
    struct rig *rig = rig_new();
    uint32_t *pixels = calloc(640 * 480, 4);
    int small = 4096, stalled, good;
    uint64_t before, slowest = 0;
    long rss;

    (void)state;
    stalled = connect_to(rig);
    setsockopt(stalled, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    close(stalled);
    stalled = raw_viewer(rig);
    setsockopt(stalled, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    good = raw_viewer(rig);
    for (int i = 0; i < 500; i++)
        put_request(stalled, false, 640, 480);
    on_loop(rig, do_animate, rig);
    for (int i = 0; i < 3; i++) {
        put_request(good, true, 640, 480);
        get_update(good, pixels, 640, 480);
    }
    rss = rss_kib();
    for (int i = 0; i < 60; i++) { /* two seconds of film: 70 MB for each */
        before = now_ms();
        put_request(good, true, 640, 480);
        assert_true(get_update(good, pixels, 640, 480) > 0);
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
    }
    print_message("slowest update beside a stalled viewer: %u ms\n", (unsigned)slowest);
    assert_true(slowest < 5000); /* libvncserver alone would wait that long for the stalled one */
    assert_true(rss_kib() - rss < 16 * 1024);
    put_stroke(good, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(good);
    free(pixels);
    before = now_ms();
    rig_free(rig); /* does not wait for it either */
    assert_true(now_ms() - before < 5000);
    close(stalled);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* CVE-2017-8379: events without end. The viewer is made to wait, in its own connection. */
static void test_flood(void **state)
{
    struct rig *rig = rig_prepare();
    static uint8_t burst[8 * 4096];
    uint64_t sent = 0, until, slowest = 0;
    long rss;
    int flood, good;

    (void)state;
    snprintf(rig->path, sizeof(rig->path), "/tmp/hvm-dm-test-flood.%d", (int)getpid());
    rig->config.unix_path = rig->path;
    rig_open(rig);
    flood = raw_viewer(rig);
    good = raw_viewer(rig);
    for (size_t i = 0; i < sizeof(burst); i += 8)
        memcpy(burst + i, (const uint8_t[]){4, i / 8 % 2 == 0, 0, 0, 0, 0, 0, 'f'}, 8);
    rss = rss_kib();
    until = now_ms() + 1500;
    for (unsigned i = 0; now_ms() < until; i++) {
        ssize_t n = send(flood, burst, sizeof(burst), MSG_DONTWAIT | MSG_NOSIGNAL);
        uint64_t before = now_ms();

        if (n > 0) {
            sent += (uint64_t)n;
            assert_int_equal(n % 8, 0);
        } else {
            assert_int_equal(errno, EAGAIN);
        }
        on_loop(rig, nothing, NULL); /* the loop has time for others */
        if (now_ms() - before > slowest)
            slowest = now_ms() - before;
        usleep(200);
    }
    put_stroke(good, 'g');
    eventually(({
        bool found = false;
        unsigned count = key_count(rig);
        for (unsigned i = 0; i < count && !found; i++)
            found = rig->keys[i].code == KEY_G && !rig->keys[i].down;
        found || count == MAX_EVENTS;
    }));
    print_message("flood: %u events taken in 1.5 s, slowest turn of the loop %u ms\n",
                  rig->key_total, (unsigned)slowest);
    assert_true(rig->key_total > 100);
    assert_true(slowest < 1000);
    assert_true(rss_kib() - rss < 4 * 1024);
    close(flood);
    close(good);
    rig_free(rig);
}

/* Sharing, RFB 7.3.1 */

static void test_sharing(void **state)
{
    struct rig *rig = rig_new();
    int a, b;

    (void)state;
    a = raw_viewer(rig);
    b = raw_viewer_shared(rig, 0); /* wants it alone: the other one has to go */
    get_server_init(b, 640, 480);
    expect_close(a);
    a = raw_viewer_shared(rig, 1); /* not while one has it alone */
    expect_close(a);
    close(b);
    eventually(connection_count(rig) == 0);
    close(raw_viewer(rig));
    rig_free(rig);

    rig = rig_prepare();
    rig->config.share_force = true;
    rig_open(rig);
    a = raw_viewer(rig);
    b = raw_viewer_shared(rig, 0);
    expect_close(b);
    put_stroke(a, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(a);
    rig_free(rig);

    rig = rig_prepare();
    rig->config.share_ignore = true;
    rig_open(rig);
    a = raw_viewer_shared(rig, 0);
    get_server_init(a, 640, 480);
    b = raw_viewer_shared(rig, 0);
    get_server_init(b, 640, 480);
    put_stroke(a, 'a');
    KEYS(rig, 0, KEY_A, -KEY_A);
    close(a);
    close(b);
    rig_free(rig);
}

static void get_refreshes(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    *(unsigned *)((void **)arg)[1] = rig->scene.refreshes;
}

/* Without a viewer there is no thread, no timer and no drawing. */
static void test_idle(void **state)
{
    unsigned before = thread_count(), first, second;
    struct rig *rig = rig_new();
    int fd;

    (void)state;
    assert_int_equal(thread_count(), before + 1); /* the test's own loop */
    assert_false(is_watched(rig));
    fd = connect_to(rig); /* a stranger is no reason to draw */
    skip_version(fd);
    assert_false(is_watched(rig));
    close(fd);
    fd = raw_viewer(rig);
    assert_int_equal(thread_count(), before + 2);
    eventually(is_watched(rig));
    eventually(!is_watched(rig)); /* it never asks for a picture */
    put_request(fd, true, 640, 480);
    eventually(is_watched(rig));
    close(fd);
    eventually(!is_watched(rig));
    eventually(connection_count(rig) == 0);
    eventually(thread_count() == before + 1);
    on_loop(rig, get_refreshes, (void *[]){rig, &first});
    usleep(200000);
    on_loop(rig, get_refreshes, (void *[]){rig, &second});
    assert_int_equal(first, second);
    assert_false(timer_armed(&rig->vnc->drain_timer));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_all_addresses_and_names),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_password_not_asked_for),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_two_viewers),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_pixel_formats),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_lock_keys),
        cmocka_unit_test(test_scancodes),
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_cut_text_is_skipped),
        cmocka_unit_test(test_leaving_at_any_point),
        cmocka_unit_test(test_slow_strangers),
        cmocka_unit_test(test_handshake_has_a_deadline),
        cmocka_unit_test(test_stalled_viewer),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_idle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
