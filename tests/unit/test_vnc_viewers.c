/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc: viewers as Debian has them, each on an X server without a screen (Xvfb): what they show is
 * compared pixel by pixel with what the guest drew, before and after it changed its mode. Each is
 * skipped where it, or Xvfb, is not installed. (libvncclient, remmina's: test_vnc.c. noVNC:
 * test_web_browser.c.)
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/vnc_rig.h"

#define X_WIDTH   1280
#define X_HEIGHT  1024
#define VIEWER_MS 60000 /* a cold start on a busy machine */

static pid_t x_server;
static char display_name[16];

static bool installed(const char *program)
{
    char command[128];

    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    if (system(command) == 0)
        return true;
    print_message("skip: %s is not installed\n", program);
    return false;
}

static pid_t run_quietly(char *const argv[], int keep)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (keep >= 0)
            dup2(keep, 3); /* loses close-on-exec */
        setsid();
        execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool start_x(void)
{
    char size[32], number[8] = "";
    char *const argv[] = {"Xvfb", "-displayfd", "3",   "-screen",  "0",
                          size,   "-nolisten",  "tcp", "-noreset", NULL};
    struct pollfd p;
    int tell[2];
    ssize_t n = 0;

    if (!installed("Xvfb") || !installed("xwd"))
        return false;
    snprintf(size, sizeof(size), "%dx%dx24", X_WIDTH, X_HEIGHT);
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    x_server = run_quietly(argv, tell[1]);
    close(tell[1]);
    p = (struct pollfd){.fd = tell[0], .events = POLLIN};
    /* To the end of the line: the server writes that by itself, and dies if nobody is there. */
    do
        n = poll(&p, 1, VIEWER_MS) > 0
                ? read(tell[0], number + strlen(number), sizeof(number) - 1 - strlen(number))
                : 0;
    while (n > 0 && !strchr(number, '\n'));
    close(tell[0]);
    if (n <= 0) {
        print_message("skip: Xvfb does not start\n");
        end(x_server);
        x_server = 0;
        return false;
    }
    snprintf(display_name, sizeof(display_name), ":%d", atoi(number));
    setenv("DISPLAY", display_name, 1);
    return true;
}

/* The X server's screen, from xwd's output: big-endian words, X11's XWDFile.h. */
static bool screenshot(uint32_t *pixels)
{
    FILE *f = popen("xwd -root -silent 2>/dev/null", "r");
    uint8_t word[4];
    static uint8_t line[X_WIDTH * 4];
    uint32_t header[25];
    bool ok = f;

    for (int i = 0; ok && i < 25; i++) {
        ok = fread(word, 4, 1, f) == 1;
        header[i] =
            (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
    }
    /* 0 header's size, 4 width, 5 height, 7 byte order, 11 bits per pixel (24 where windows differ
     * in their visuals), 12 bytes a line, 19 colours of 12 bytes */
    size_t bytes = ok ? header[11] / 8 : 0;
    ok = ok && header[4] == X_WIDTH && header[5] == X_HEIGHT && header[7] == 0 &&
         (bytes == 3 || bytes == 4) && header[12] >= X_WIDTH * bytes &&
         header[12] <= sizeof(line) && header[0] >= 100 && header[0] < 4096 && header[19] <= 256;
    for (uint32_t skip = ok ? header[0] - 100 + header[19] * 12 : 0; ok && skip; skip--)
        ok = fgetc(f) != EOF;
    for (size_t y = 0; ok && y < X_HEIGHT; y++) {
        ok = fread(line, header[12], 1, f) == 1;
        for (size_t x = 0; x < X_WIDTH; x++)
            pixels[y * X_WIDTH + x] = line[x * bytes] | (uint32_t)line[x * bytes + 1] << 8 |
                                      (uint32_t)line[x * bytes + 2] << 16;
    }
    if (f)
        pclose(f);
    return ok;
}

/* Few colours, so that no viewer's settings make it a photograph; no two places look alike. */
static uint32_t tile_at(unsigned seed, int x, int y)
{
    static const uint32_t colours[] = {0x000000, 0xFFFFFF, 0xFF0000, 0x00FF00,
                                       0x0000FF, 0x808000, 0x123456};
    unsigned hash = ((unsigned)x / 8 * 40503u ^ (unsigned)y / 8 * 2654435761u) + seed;

    return colours[(hash ^ hash >> 15) % 7];
}

static void tiles_refresh(void *opaque, struct display *display, bool full)
{
    struct scene *scene = opaque;

    display_resize(display, scene->width, scene->height);
    if (!full && scene->seed == scene->shown)
        return;
    const struct surface *s = display_surface(display);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            s->pixels[y * s->width + x] = tile_at(scene->seed, x, y);
    scene->shown = scene->seed;
    display_damage(display, 0, 0, s->width, s->height);
}

static void use_tiles(void *arg)
{
    static const struct display_source source = {tiles_refresh, NULL};
    struct rig *rig = arg;

    display_set_source(rig->display, &source, &rig->scene);
}

static void change_scene(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    rig->scene = *(const struct scene *)((void **)arg)[1];
}

static bool is_at(const uint32_t *shot, int left, int top, unsigned seed, int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if ((shot[(top + y) * X_WIDTH + left + x] & 0xFFFFFF) != tile_at(seed, x, y))
                return false;
    return true;
}

/* Whether the whole picture is somewhere on the screen: viewers have bars and borders. */
static bool is_shown(const uint32_t *shot, unsigned seed, int width, int height)
{
    for (int top = 0; top + height <= X_HEIGHT; top++)
        for (int left = 0; left + width <= X_WIDTH; left++)
            if (is_at(shot, left, top, seed, width, 1) &&
                is_at(shot, left, top, seed, width, height))
                return true;
    return false;
}

static void await(const char *viewer, uint32_t *shot, unsigned seed, int width, int height)
{
    uint64_t until = now_ms() + VIEWER_MS;

    while (!screenshot(shot) || !is_shown(shot, seed, width, height)) {
        if (now_ms() > until)
            fail_msg("%s never showed picture %u of %dx%d", viewer, seed, width, height);
        usleep(100000);
    }
}

/* follows: the viewer knows what to do when the guest changes its mode. */
static void see(const char *program, char *const argv[], unsigned port, bool follows)
{
    struct scene first = {.width = 640, .height = 480, .seed = 1},
                 second = {.width = follows ? 800 : 640, .height = follows ? 600 : 480, .seed = 5};
    uint32_t *shot;
    struct rig *rig;
    pid_t viewer;

    if (!installed(program) || !x_server)
        skip();
    rig = rig_prepare();
    rig->scene = first;
    rig->config.display = rig->config.to = port - 5900;
    rig_open(rig);
    on_loop(rig, use_tiles, rig);
    shot = malloc((size_t)X_WIDTH * X_HEIGHT * 4);
    viewer = run_quietly(argv, -1);
    await(program, shot, 1, 640, 480);
    assert_int_equal(viewer_count(rig), 1);
    on_loop(rig, change_scene, (void *[]){rig, &second});
    await(program, shot, 5, second.width, second.height);
    end(viewer); /* by kill: its place is free again */
    eventually(viewer_count(rig) == 0);
    free(shot);
    rig_free(rig);
}

/* Ports of its own for each test program that runs at once. */
static unsigned free_port(void)
{
    return 7000 + (unsigned)getpid() % 2000;
}

static void test_tigervnc(void **state)
{
    char where[32];
    char *const argv[] = {"xtigervncviewer",
                          "-RemoteResize=0",
                          "-AutoSelect=0",
                          "-PreferredEncoding=ZRLE",
                          "-MenuKey=",
                          where,
                          NULL};

    (void)state;
    snprintf(where, sizeof(where), "127.0.0.1::%u", free_port());
    see(argv[0], argv, free_port(), true);
}

static void test_tigervnc_tight(void **state)
{
    char where[32];
    char *const argv[] = {"xtigervncviewer",
                          "-RemoteResize=0",
                          "-AutoSelect=0",
                          "-PreferredEncoding=Tight",
                          "-NoJPEG=1",
                          where,
                          NULL};

    (void)state;
    snprintf(where, sizeof(where), "127.0.0.1::%u", free_port());
    see(argv[0], argv, free_port(), true);
}

/* The one of X11's age: of a new size it wants to hear nothing. */
static void test_tightvnc(void **state)
{
    char where[32];
    char *const argv[] = {"xtightvncviewer",        "-nojpeg", "-encodings",
                          "tight copyrect hextile", where,     NULL};

    (void)state;
    snprintf(where, sizeof(where), "127.0.0.1::%u", free_port());
    see(argv[0], argv, free_port(), false);
}

/* Its window stays as large as it is, and the picture is scaled into it: no pixels to compare. */
static void test_gtk_vnc(void **state)
{
    char where[32];
    char *const argv[] = {"gvncviewer", where, NULL};

    (void)state;
    snprintf(where, sizeof(where), "127.0.0.1:%u", free_port() - 5900);
    see(argv[0], argv, free_port(), false);
}

static int open_x(void **state)
{
    (void)state;
    setenv("HOME", "/tmp", 0);
    /* GTK would wait for buses that nobody serves here. */
    setenv("NO_AT_BRIDGE", "1", 1);
    setenv("GSETTINGS_BACKEND", "memory", 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    start_x();
    return 0;
}

/* Not by SIGKILL: it has a socket to take away, or the next one on its number is not found. */
static int close_x(void **state)
{
    (void)state;
    if (x_server) {
        kill(x_server, SIGTERM);
        waitpid(x_server, NULL, 0);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tigervnc),
        cmocka_unit_test(test_tigervnc_tight),
        cmocka_unit_test(test_tightvnc),
        cmocka_unit_test(test_gtk_vnc),
    };

    return cmocka_run_group_tests(tests, open_x, close_x);
}
