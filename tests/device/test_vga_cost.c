/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What looking costs: with no viewer no account is kept of what the guest writes, with one a
 * refresh touches what changed. VGA_COST=1 prints how long things take (docs/performance.md).
 */
#define STOCK_PICTURES "tests/device/vga_stock.inc"
#include "tests/device/cirrus_driver.h"

#include <time.h>

#include "hw/pc/vga_core.h"

#define ROUNDS 400u

struct watcher {
    struct display_viewer viewer;
    uint64_t pixels;
};

static void resized(void *opaque, const struct surface *surface)
{
    ((struct watcher *)opaque)->pixels += (uint64_t)surface->width * (uint64_t)surface->height;
}

static void damaged(void *opaque, const struct surface *surface,
                    const struct display_damage *damage)
{
    struct watcher *w = opaque;
    (void)surface;
    for (unsigned i = 0; i < damage->count; i++)
        w->pixels += (uint64_t)(damage->rects[i].x2 - damage->rects[i].x1) *
                     (uint64_t)(damage->rects[i].y2 - damage->rects[i].y1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(const char *mode, const char *what, uint64_t since, unsigned rounds)
{
    if (getenv("VGA_COST"))
        print_message("%-24s %-44s %9.2f us\n", mode, what,
                      (double)(now_ns() - since) / 1000 / rounds);
}

static void mark(uint32_t page)
{
    scr.rig->hv->vram_bitmap[page / 64] |= 1ul << page % 64;
}

/* A mode is set. `pages`: what its picture covers; `line`: pixels that share a page. */
static void costs(const char *mode, uint32_t pages, uint64_t line, uint64_t all)
{
    struct hypervisor *hv = scr.rig->hv;
    struct watcher w = {.viewer = {.resized = resized, .damaged = damaged, .opaque = &w}};
    uint64_t at = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        bus_mem_write(scr.rig->bus, 0xA0000 + i % 1000, 1, i);
    say(mode, "write to the window, nobody looks", at, ROUNDS);
    assert_false(hv->vram_tracked);
    assert_int_equal(clock_deadline(&scr.rig->clock), CLOCK_NEVER);

    hv->vram_known = true;
    w.viewer.wants_updates = true;
    display_add_viewer(scr.display, &w.viewer);
    display_refresh_now(scr.display);
    assert_true(hv->vram_tracked);
    at = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        bus_mem_write(scr.rig->bus, 0xA0000 + i % 1000, 1, i);
    say(mode, "write to the window, a viewer looks", at, ROUNDS);
    display_refresh_now(scr.display);

    w.pixels = 0;
    at = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        display_refresh_now(scr.display);
    say(mode, "refresh, nothing has changed", at, ROUNDS);
    assert_int_equal(w.pixels, 0);

    at = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        mark(pages / 2);
        display_refresh_now(scr.display);
    }
    say(mode, "refresh, one page has", at, ROUNDS);
    assert_int_equal(w.pixels, ROUNDS * line);

    w.pixels = 0;
    at = now_ns();
    for (unsigned i = 0; i < ROUNDS / 20; i++) {
        for (uint32_t p = 0; p < pages; p++)
            mark(p);
        display_refresh_now(scr.display);
    }
    say(mode, "refresh, all has", at, ROUNDS / 20);
    assert_int_equal(w.pixels, ROUNDS / 20 * all);
    display_remove_viewer(scr.display, &w.viewer);
    assert_false(hv->vram_tracked);
    assert_int_equal(clock_deadline(&scr.rig->clock), CLOCK_NEVER);
}

static void test_vbe(void **state)
{
    (void)state;
    open_card(CARD_VGA, "cost");
    set_mode(&mode_13);
    vbe_out(4, 0);
    vbe_out(1, 1024);
    vbe_out(2, 768);
    vbe_out(3, 32);
    vbe_out(4, 0x41);
    costs("VBE 1024x768x32", 768, 1024, 1024 * 768);
    close_screen();
}

static void test_cirrus(void **state)
{
    (void)state;
    open_card(CARD_CIRRUS, "cost");
    cirrus_mode(1024, 768, 16);
    costs("Cirrus 1024x768x16", 384, 2048, 1024 * 768);
    cursor_at(100, 100, true);
    costs("… and its cursor", 384, 2048, 1024 * 768);
    close_screen();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vbe), cmocka_unit_test(test_cirrus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
