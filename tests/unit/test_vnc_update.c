/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc_update: how rectangles are cut up for Tight, and that a viewer sees the same picture. */
#include <rfb/rfbclient.h>

#include "tests/unit/vnc_rig.h"

#include "ui/vnc_update.h"

#define WIDTH  320
#define HEIGHT 240

static uint32_t pixels[WIDTH * HEIGHT];
static const struct picture picture = {.pixels = pixels, .width = WIDTH, .height = HEIGHT};

static void fill(struct display_rect r, uint32_t one, uint32_t two)
{
    for (int y = r.y1; y < r.y2; y++)
        for (int x = r.x1; x < r.x2; x++)
            pixels[y * WIDTH + x] = (x * 7 + y * 3) % 5 ? one : two;
}

static void fill_with_many(struct display_rect r)
{
    for (int y = r.y1; y < r.y2; y++)
        for (int x = r.x1; x < r.x2; x++)
            pixels[y * WIDTH + x] = (uint32_t)(x * 65536 + y * 257);
}

static unsigned cut(struct display_rect r, struct display_rect pieces[VNC_PIECES])
{
    static unsigned char seen[WIDTH * HEIGHT];
    unsigned n = vnc_cut(&picture, &r, pieces);

    /* Each pixel of the rectangle is in one piece, and no other is in any. */
    assert_in_range(n, 1, VNC_PIECES);
    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < n; i++) {
        assert_true(pieces[i].x1 < pieces[i].x2 && pieces[i].y1 < pieces[i].y2);
        for (int y = pieces[i].y1; y < pieces[i].y2; y++)
            for (int x = pieces[i].x1; x < pieces[i].x2; x++)
                seen[y * WIDTH + x]++;
    }
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            assert_int_equal(seen[y * WIDTH + x], x >= r.x1 && x < r.x2 && y >= r.y1 && y < r.y2);
    return n;
}

static void assert_rect(const struct display_rect *r, int x1, int y1, int x2, int y2)
{
    assert_int_equal(r->x1, x1);
    assert_int_equal(r->y1, y1);
    assert_int_equal(r->x2, x2);
    assert_int_equal(r->y2, y2);
}

/* One or two colours, or many everywhere: there is nothing to cut. */
static void test_nothing_to_cut(void **state)
{
    const struct display_rect all = {0, 0, WIDTH, HEIGHT}, odd = {3, 5, 318, 239};
    struct display_rect pieces[VNC_PIECES];

    (void)state;
    fill(all, 0xFFFFFF, 0xFFFFFF);
    assert_int_equal(cut(all, pieces), 1);
    fill(all, 0, 0xFFFFFF);
    assert_int_equal(cut(odd, pieces), 1);
    fill_with_many(all);
    assert_int_equal(cut(odd, pieces), 1);
    assert_rect(&pieces[0], 3, 5, 318, 239);
}

/* The ground at the sides of a window and its title are other pieces than its text. */
static void test_heart(void **state)
{
    const struct display_rect all = {0, 0, WIDTH, HEIGHT}, text = {40, 32, 280, 224};
    struct display_rect pieces[VNC_PIECES];
    unsigned n;

    (void)state;
    fill_with_many(all);
    fill(text, 0, 0xF0F0F0);
    n = cut(all, pieces);
    assert_int_equal(n, 5);
    /* Grown in steps from the middle: it ends less than a step from what has more colours. */
    assert_in_range(pieces[2].x1, 40, 47);
    assert_in_range(pieces[2].y1, 32, 39);
    assert_in_range(pieces[2].x2, 273, 280);
    assert_in_range(pieces[2].y2, 217, 224);
    /* A strip at one side only */
    n = cut((struct display_rect){20, 40, 280, 200}, pieces);
    assert_int_equal(n, 2);
    assert_rect(&pieces[1], pieces[0].x2, 40, 280, 200);
    assert_int_equal(pieces[0].x1, 20);
    assert_in_range(pieces[0].x2, 40, 47);
    /* The third colour is beyond the middle's two: the middle counts, if it is most of it. */
    fill((struct display_rect){0, 0, WIDTH, 60}, 0xFF0000, 0xFF0000);
    fill((struct display_rect){0, 60, WIDTH, HEIGHT}, 0, 0xFF00);
    n = cut(all, pieces);
    assert_int_equal(n, 2);
    assert_in_range(pieces[1].y1, 60, 67);
}

/* What would gain nothing is left whole. */
static void test_too_small(void **state)
{
    const struct display_rect all = {0, 0, WIDTH, HEIGHT};
    struct display_rect pieces[VNC_PIECES];

    (void)state;
    fill_with_many(all);
    fill((struct display_rect){100, 80, 220, 160}, 0, 1); /* an eighth */
    assert_int_equal(cut(all, pieces), 1);
    fill((struct display_rect){0, 0, 40, 40}, 0, 1);
    assert_int_equal(cut((struct display_rect){0, 0, 45, 45}, pieces), 1);
    assert_int_equal(cut((struct display_rect){0, 0, 1, 1}, pieces), 1);
    assert_int_equal(cut((struct display_rect){WIDTH - 1, 0, WIDTH, HEIGHT}, pieces), 1);
}

/* A viewer that has Tight with LastRect: a window is dragged over a ground of many colours, and
 * what it shows is what the guest drew. */

static int window_at, window_seen;

static uint32_t window_pixel(int x, int y, int at)
{
    if (x >= at && x < at + 300 && y >= 100 && y < 300)
        return y < 120 ? 0x2040A0 : (x - at) / 7 * (y / 14) % 3 ? 0xF0F0F0 : 0;
    return (uint32_t)(x / 3 * 70000 + y * 130) & 0xFFFFFF;
}

static void window_refresh(void *opaque, struct display *display, bool full)
{
    const struct surface *s;

    (void)opaque;
    display_resize(display, 640, 480);
    s = display_surface(display);
    if (!full && window_seen == window_at)
        return;
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            s->pixels[y * s->width + x] = window_pixel(x, y, window_at);
    window_seen = window_at;
    display_damage(display, 0, full ? 0 : 100, 640, full ? 480 : 200);
}

static const struct display_source window_source = {window_refresh, NULL};

static void show_window(void *rig)
{
    display_set_source(((struct rig *)rig)->display, &window_source, NULL);
}

static void drag(void *rig)
{
    window_at += 8;
    display_touched(((struct rig *)rig)->display);
}

static bool same(const rfbClient *viewer)
{
    const uint32_t *p = (const uint32_t *)(const void *)viewer->frameBuffer;

    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++)
            if ((p[y * 640 + x] & 0xFFFFFF) != window_pixel(x, y, window_at))
                return false;
    return true;
}

static void test_dragged_window(void **state)
{
    struct rig *rig = rig_new();
    rfbClient *viewer = rfbGetClient(8, 3, 4);

    (void)state;
    rfbEnableClientLogging = FALSE;
    window_at = 40;
    on_loop(rig, show_window, rig);
    assert_non_null(viewer);
    viewer->appData.encodingsString = "tight";
    viewer->appData.enableJPEG = FALSE;
    viewer->format.redShift = 16;
    viewer->format.greenShift = 8;
    viewer->format.blueShift = 0;
    free(viewer->serverHost);
    viewer->serverHost = strdup("127.0.0.1");
    viewer->serverPort = (int)rig->port;
    assert_true(rfbInitClient(viewer, NULL, NULL));
    for (unsigned i = 0; i < 12; i++) {
        uint64_t until = now_ms() + PATIENCE_MS;

        while (!same(viewer)) {
            if (WaitForMessage(viewer, 100000) > 0)
                assert_true(HandleRFBServerMessage(viewer));
            if (now_ms() > until)
                fail_msg("the picture is not the guest's (%u)", i);
        }
        on_loop(rig, drag, rig);
    }
    free(viewer->frameBuffer);
    viewer->frameBuffer = NULL;
    rfbClientCleanup(viewer);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_cut),
        cmocka_unit_test(test_heart),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_dragged_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
