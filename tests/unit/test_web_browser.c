/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * web: a real browser. Chromium without a window opens the page that the web port gives (noVNC),
 * and is asked through its DevTools protocol (a pipe each way, JSON between NULs) what its canvas
 * shows. Skipped where there is no chromium or no novnc.
 */
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/web_rig.h"

#define BROWSER_MS 60000 /* a cold start on a busy machine */

struct browser {
    pid_t pid;
    int to, from;
    char folder[64];
    char *session;
    int id;
    char in[1 << 20];
    size_t have;
};

/* Few colours: JPEG is then not used, and what is shown can be compared. */
static uint32_t tile_at(unsigned seed, int x, int y)
{
    static const uint32_t colours[] = {0x000000, 0xFFFFFF, 0xFF0000, 0x00FF00,
                                       0x0000FF, 0x808000, 0x123456};

    return colours[((unsigned)x / 32 * 3 + (unsigned)y / 16 + seed) % 7];
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

/* ---- the browser ---- */

static void browser_start(struct browser *b)
{
    int down[2], up[2];
    char profile[96];

    memset(b, 0, sizeof(*b));
    strcpy(b->folder, "/tmp/hvm-dm-test-chromium.XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(profile, sizeof(profile), "--user-data-dir=%s", b->folder);
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    b->pid = fork();
    if (b->pid == 0) {
        /* Chromium's own: it reads 3 and writes 4. */
        int in = fcntl(down[0], F_DUPFD, 10), out = fcntl(up[1], F_DUPFD, 10);
        int null = open("/dev/null", O_RDWR);
        dup2(in, 3);
        dup2(out, 4);
        dup2(null, 1);
        dup2(null, 2);
        close(in);
        close(out);
        setsid();
        setenv("HOME", b->folder, 1);
        execlp("chromium", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
               "--disable-dev-shm-usage", "--no-first-run", "--window-size=1280,900",
               "--disable-extensions", "--disable-background-networking",
               "--disable-component-update", "--ignore-certificate-errors",
               "--remote-debugging-pipe", profile, "about:blank", NULL);
        _exit(127);
    }
    assert_true(b->pid > 0);
    close(down[0]);
    close(up[1]);
    b->to = down[1];
    b->from = up[0];
}

static void browser_end(struct browser *b)
{
    char command[128];

    kill(-b->pid, SIGKILL); /* the session of its own, with all its processes */
    waitpid(b->pid, NULL, 0);
    close(b->to);
    close(b->from);
    free(b->session);
    snprintf(command, sizeof(command), "rm -rf '%s'", b->folder);
    assert_int_equal(system(command), 0);
}

/* One message of the browser's; NULL: none came in time. */
static json_t *browser_read(struct browser *b, uint64_t until)
{
    for (;;) {
        char *end = memchr(b->in, 0, b->have);

        if (end) {
            json_t *message = json_loads(b->in, 0, NULL);

            b->have -= (size_t)(end + 1 - b->in);
            memmove(b->in, end + 1, b->have);
            return message;
        }
        struct pollfd p = {.fd = b->from, .events = POLLIN};
        uint64_t now = now_ms();

        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0 || b->have == sizeof(b->in))
            return NULL;
        ssize_t n = read(b->from, b->in + b->have, sizeof(b->in) - b->have);
        if (n <= 0)
            return NULL;
        b->have += (size_t)n;
    }
}

/* Calls a method (takes `params`) and returns its result, which is the caller's. */
static json_t *browser_call(struct browser *b, const char *method, json_t *params)
{
    json_t *message = json_pack("{s:i,s:s,s:o}", "id", ++b->id, "method", method, "params", params);
    uint64_t until = now_ms() + BROWSER_MS;
    char *text;

    if (b->session)
        json_object_set_new(message, "sessionId", json_string(b->session));
    text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    assert_int_equal(write(b->to, text, strlen(text) + 1), strlen(text) + 1);
    free(text);
    while ((message = browser_read(b, until))) {
        if (json_integer_value(json_object_get(message, "id")) == b->id) {
            json_t *result = json_incref(json_object_get(message, "result"));

            if (!result)
                fail_msg("%s: %s", method, json_dumps(message, 0));
            json_decref(message);
            return result;
        }
        json_decref(message); /* an event */
    }
    fail_msg("the browser does not answer %s", method);
    return NULL;
}

static void browser_open(struct browser *b, const char *url)
{
    json_t *r;
    char *target;

    free(b->session);
    b->session = NULL;
    r = browser_call(b, "Target.createTarget", json_pack("{s:s}", "url", url));
    target = strdup(json_string_value(json_object_get(r, "targetId")));
    json_decref(r);
    r = browser_call(b, "Target.attachToTarget",
                     json_pack("{s:s,s:b}", "targetId", target, "flatten", 1));
    b->session = strdup(json_string_value(json_object_get(r, "sessionId")));
    json_decref(r);
    free(target);
}

/* The value of an expression as text. */
static void browser_eval(struct browser *b, const char *expression, char *text, size_t size)
{
    json_t *r = browser_call(b, "Runtime.evaluate",
                             json_pack("{s:s,s:b}", "expression", expression, "returnByValue", 1));
    const char *value = json_string_value(json_object_get(json_object_get(r, "result"), "value"));

    snprintf(text, size, "%s", value ? value : "");
    json_decref(r);
}

static const char sum_of_canvas[] =
    "(() => { const c = document.querySelector('#noVNC_container canvas');"
    " if (!c || !c.width || !c.height) return 'no canvas';"
    " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
    " let h = 2166136261;"
    " for (let i = 0; i < d.length; i += 4)"
    "  for (let k = 0; k < 3; k++) h = Math.imul(h ^ d[i + k], 16777619) >>> 0;"
    " return c.width + 'x' + c.height + ' ' + h; })()";

/* Every pixel of the canvas is the guest's. */
static void await_picture(struct browser *b, unsigned seed, int width, int height)
{
    uint64_t until = now_ms() + BROWSER_MS;
    char wanted[64], seen[128];
    uint32_t h = 2166136261u;

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int shift = 16; shift >= 0; shift -= 8)
                h = (h ^ (tile_at(seed, x, y) >> shift & 0xFF)) * 16777619u;
        }
    }
    snprintf(wanted, sizeof(wanted), "%dx%d %u", width, height, h);
    do {
        browser_eval(b, sum_of_canvas, seen, sizeof(seen));
        if (!strcmp(seen, wanted))
            return;
        usleep(50000);
    } while (now_ms() < until);
    browser_eval(b, "document.body.innerText.slice(0, 100)", wanted, sizeof(wanted));
    fail_msg("the browser shows %s, not picture %u of %dx%d (%s)", seen, seed, width, height,
             wanted);
}

static void press(struct browser *b, const char *key, const char *code, int modifiers)
{
    static const char *const steps[] = {"keyDown", "keyUp"};

    for (int i = 0; i < 2; i++)
        json_decref(browser_call(b, "Input.dispatchKeyEvent",
                                 json_pack("{s:s,s:s,s:s,s:i}", "type", steps[i], "key", key,
                                           "code", code, "modifiers", modifiers)));
}

static void change_scene(void *arg)
{
    struct rig *rig = ((void **)arg)[0];

    rig->scene = *(const struct scene *)((void **)arg)[1];
}

/* ---- tests ---- */

static void see_and_type(struct web_rig *w, const char *scheme)
{
    struct rig *rig = w->rig;
    struct browser *b = malloc(sizeof(*b));
    char url[64], text[64];
    struct scene next = {.width = 800, .height = 600, .seed = 5};
    unsigned moves;

    on_loop(rig, use_tiles, rig);
    browser_start(b);
    snprintf(url, sizeof(url), "%s://%s/", scheme, w->host);
    browser_open(b, url);
    await_picture(b, 1, 640, 480);
    assert_int_equal(viewer_count(rig), 1);
    /* Keys go where the person's go, by their places. */
    browser_eval(b, "document.querySelector('#noVNC_container canvas').focus(); 'done'", text,
                 sizeof(text));
    press(b, "a", "KeyA", 0);
    press(b, "F5", "F5", 0);
    KEYS(rig, 0, KEY_A, -KEY_A, KEY_F5, -KEY_F5);
    moves = move_count(rig);
    json_decref(browser_call(b, "Input.dispatchMouseEvent",
                             json_pack("{s:s,s:i,s:i}", "type", "mouseMoved", "x", 640, "y", 450)));
    eventually(move_count(rig) > moves);
    /* The guest changes its mode: the page follows. */
    on_loop(rig, change_scene, (void *[]){rig, &next});
    press(b, "b", "KeyB", 0);
    await_picture(b, 5, 800, 600);
    browser_end(b);
    eventually(viewer_count(rig) == 0);
    free(b);
}

static bool missing(const char *what, bool is_there)
{
    if (!is_there)
        print_message("skip: %s is not installed\n", what);
    return !is_there;
}

static void test_browser(void **state)
{
    struct rig *rig;
    struct web_rig w;

    (void)state;
    if (missing("chromium", system("command -v chromium >/dev/null 2>&1") == 0) ||
        missing("novnc", access(HVM_DM_NOVNC "/vnc.html", R_OK) == 0))
        skip();
    rig = rig_new();
    web_rig_open(&w, rig, HVM_DM_NOVNC, NULL);
    see_and_type(&w, "http");
    web_rig_close(&w);
    rig_free(rig);
}

static void test_browser_tls(void **state)
{
    char folder[] = "/tmp/hvm-dm-test-tls.XXXXXX", command[512];
    struct rig *rig;
    struct web_rig w;

    (void)state;
    if (missing("chromium", system("command -v chromium >/dev/null 2>&1") == 0) ||
        missing("novnc", access(HVM_DM_NOVNC "/vnc.html", R_OK) == 0) ||
        missing("openssl", system("command -v openssl >/dev/null 2>&1") == 0))
        skip();
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
             "-subj /CN=127.0.0.1 -keyout %s/server-key.pem -out %s/server-cert.pem 2>/dev/null",
             folder, folder);
    assert_int_equal(system(command), 0);
    rig = rig_new();
    web_rig_open(&w, rig, HVM_DM_NOVNC, folder);
    see_and_type(&w, "https");
    web_rig_close(&w);
    rig_free(rig);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_browser),
        cmocka_unit_test(test_browser_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
