/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_screen: see vga_screen.h. */
#include "hw/pc/vga_screen.h"

#include <stdlib.h>
#include <string.h>

#include "hw/xen/hypervisor.h"
#include "ui/display.h"

#define PAGE         4096
#define LONG_BITS    (8 * sizeof(unsigned long))
#define BLANK_WIDTH  640
#define BLANK_HEIGHT 480

bool vga_screen_init(struct vga_screen *screen, struct vga_core *core, struct hypervisor *hv,
                     struct clock *clock, uint32_t vram_bytes,
                     void (*frame)(void *opaque, const struct vga_frame *blank,
                                   struct vga_frame *frame, struct vga_overlay *overlay),
                     void *opaque, struct err *err)
{
    uint8_t *vram = hv_vram_create(hv, vram_bytes, err);
    if (!vram)
        return false;
    screen->core = core;
    screen->frame = frame;
    screen->opaque = opaque;
    screen->dirty = calloc(vram_bytes / PAGE / 8 + sizeof(*screen->dirty), 1);
    return (screen->dirty && vga_core_init(core, hv, clock, vram, vram_bytes) &&
            vga_painter_init(&screen->painter)) ||
           err_set(err, "out of memory");
}

static void stop_tracking(struct vga_screen *s)
{
    if (s->tracking)
        hv_vram_untrack(s->core->hv);
    s->tracking = false;
}

/* What the guest wrote through the BAR and through the window since the last refresh. False: not
 * known. */
static bool collect_dirty(struct vga_screen *s, uint64_t extent)
{
    uint32_t pages = (uint32_t)((extent + PAGE - 1) / PAGE);
    size_t words = (pages + LONG_BITS - 1) / LONG_BITS;
    bool known = false;
    if (s->core->watched) {
        memset(s->dirty, 0, words * sizeof(*s->dirty));
        known = hv_vram_dirty(s->core->hv, pages, s->dirty);
        s->tracking = true;
    }
    for (size_t i = 0; i < words; i++)
        s->dirty[i] |= s->core->written[i];
    memset(s->core->written, 0, words * sizeof(*s->core->written));
    return known;
}

static void refresh(void *opaque, struct display *display, bool full)
{
    struct vga_screen *s = opaque;
    struct vga_core *core = s->core;
    struct vga_frame frame, last = {.width = BLANK_WIDTH, .height = BLANK_HEIGHT};
    if (s->painter.valid)
        last = s->painter.last;
    s->painter.overlay.size = 0;
    s->frame(s->opaque, &last, &frame, &s->painter.overlay);
    uint64_t extent = vga_frame_extent(&frame);
    /* Dirty bits are taken before the memory is looked at, so that no write is lost between. */
    bool known = extent && extent <= core->vram_bytes && collect_dirty(s, extent);
    if (!extent)
        stop_tracking(s);
    bool redraw = full || !core->watched || (frame.kind == VGA_TEXT && core->fonts_changed);
    core->fonts_changed = false;
    display_set_blinking(display, frame.kind == VGA_TEXT);
    vga_draw(&s->painter, &frame, core->vram, core->vram_reach, known ? s->dirty : NULL, redraw,
             display);
}

static void watched(void *opaque, bool on)
{
    struct vga_screen *s = opaque;
    s->core->watched = on;
    if (!on)
        stop_tracking(s);
}

static const struct display_source source = {.refresh = refresh, .watched = watched};

void vga_screen_connect(struct vga_screen *screen, struct display *display)
{
    screen->display = display;
    if (display)
        display_set_source(display, &source, screen);
}

void vga_screen_destroy(struct vga_screen *screen)
{
    if (screen->display)
        display_set_source(screen->display, NULL, NULL);
    screen->display = NULL;
    stop_tracking(screen);
    vga_painter_destroy(&screen->painter);
    free(screen->dirty);
    screen->dirty = NULL;
}

void vga_screen_forget(struct vga_screen *screen)
{
    screen->core->fonts_changed = true;
    screen->painter.valid = false;
}

void vga_screen_touched(struct vga_screen *screen)
{
    if (screen->core->watched)
        display_touched(screen->display);
}
