/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_term: bytes that a guest prints on a text console, with keys and looks back in between,
 * drawn on a display. The input: two bytes of size, then printed bytes; a byte 1Eh (which means
 * nothing to a terminal) begins one of the other steps.
 */
#include "tests/fuzz/fuzz.h"

#include "hw/core/clock.h"
#include "ui/display.h"
#include "ui/font.h"
#include "ui/term.h"

static uint64_t no_time(const struct clock *clock)
{
    (void)clock;
    return 0;
}

static void refresh(void *opaque, struct display *display, bool full)
{
    term_draw(opaque, display, full);
}

static const struct display_source source = {.refresh = refresh};

static size_t answers;

static void on_output(void *opaque, const char *bytes, size_t len)
{
    (void)opaque;
    fuzz_assert(len > 0 && len <= 256);
    answers += (unsigned char)bytes[0] + (unsigned char)bytes[len - 1];
}

static void on_changed(void *opaque)
{
    (void)opaque;
}

static void look(struct display *display, struct term *term, int cols, int rows)
{
    char text[4 * TERM_MAX_COLS + 1];
    display_refresh_now(display);
    const struct surface *s = display_surface(display);
    fuzz_assert(s->width == cols * FONT_WIDTH && s->height == rows * FONT_HEIGHT);
    for (int row = 0; row < rows; row++)
        fuzz_assert(term_line(term, row, text, sizeof(text)) == strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct clock clock;
    const struct term_events events = {.output = on_output, .changed = on_changed};
    int cols = TERM_MIN_COLS + (int)(fuzz_take(&in, 1) % 80);
    int rows = TERM_MIN_ROWS + (int)(fuzz_take(&in, 1) % 30);
    clock_init(&clock, no_time);
    struct display *display = display_new(&clock);
    struct term *term = term_new(cols, rows, &events);
    fuzz_assert(display && term);
    display_show(display, &source, term);
    unsigned looks = 3; /* drawing takes most of a run */
    while (in.left) {
        const uint8_t *end = memchr(in.p, 0x1E, in.left);
        size_t len = end ? (size_t)(end - in.p) : in.left, got;
        term_write(term, fuzz_take_bytes(&in, len, &got), len);
        if (!end)
            break;
        fuzz_take(&in, 1);
        switch (fuzz_take(&in, 1) % 4) {
        case 0:
            term_key(term, (unsigned)fuzz_take(&in, 1), (unsigned)fuzz_take(&in, 1) % 8);
            break;
        case 1:
            term_character(term, (uint32_t)fuzz_take(&in, 3) % 0x110000, (unsigned)in.left % 8);
            break;
        case 2:
            term_scroll(term, (int8_t)fuzz_take(&in, 1));
            break;
        default:
            if (looks && looks--)
                look(display, term, cols, rows);
        }
    }
    look(display, term, cols, rows);
    term_free(term);
    display_free(display);
    clock_destroy(&clock);
    return 0;
}
