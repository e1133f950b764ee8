/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_term: what is printed, drawn, typed and looked back at; and what a guest must not do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "hw/core/clock.h"
#include "ui/display.h"
#include "ui/font.h"
#include "ui/term.h"
#include "ui/term_filter.h"

#define COLS 40
#define ROWS 8

static struct term *t;
static char sent[65536];
static size_t sent_len;
static unsigned changes;

static void on_output(void *opaque, const char *bytes, size_t len)
{
    (void)opaque;
    assert_true(sent_len + len < sizeof(sent));
    memcpy(sent + sent_len, bytes, len);
    sent_len += len;
    sent[sent_len] = '\0';
}

static void on_changed(void *opaque)
{
    (void)opaque;
    changes++;
}

/* The display as the console has it: what is drawn is looked at on its surface. */
static struct clock test_clock;
static struct display *display;

static uint64_t no_time(const struct clock *c)
{
    (void)c;
    return 0;
}

static void refresh(void *opaque, struct display *d, bool full)
{
    (void)opaque;
    term_draw(t, d, full);
}

static const struct display_source source = {.refresh = refresh};
static struct display_damage damage;

static void on_damaged(void *opaque, const struct surface *s, const struct display_damage *d)
{
    (void)opaque, (void)s;
    damage = *d;
}

static void on_resized(void *opaque, const struct surface *s)
{
    (void)opaque, (void)s;
}

static struct display_viewer viewer = {.resized = on_resized, .damaged = on_damaged};

static int setup(void **state)
{
    const struct term_events events = {.output = on_output, .changed = on_changed};
    (void)state;
    t = term_new(COLS, ROWS, &events);
    clock_init(&test_clock, no_time);
    display = display_new(&test_clock);
    sent_len = changes = 0;
    sent[0] = '\0';
    display_show(display, &source, NULL);
    display_add_viewer(display, &viewer);
    display_viewer_wants(display, &viewer, true);
    return t && display ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    display_remove_viewer(display, &viewer);
    display_free(display);
    clock_destroy(&test_clock);
    term_free(t);
    return 0;
}

static void print_bytes(const void *bytes, size_t len)
{
    term_write(t, bytes, len);
}

static void print(const char *text)
{
    print_bytes(text, strlen(text));
}

static void line_is(int row, const char *text)
{
    char have[COLS * 4 + 1];
    size_t len = term_line(t, row, have, sizeof(have));
    assert_int_equal(len, strlen(have));
    assert_string_equal(have, text);
}

static void was_sent(const char *text)
{
    assert_string_equal(sent, text);
    sent_len = 0;
    sent[0] = '\0';
}

static uint32_t pixel(int x, int y)
{
    const struct surface *s = display_surface(display);
    assert_true(x < s->width && y < s->height);
    return s->pixels[y * s->width + x] & 0xFFFFFF;
}

/* Does the cell show that character in these colours? */
static bool shows(int row, int col, uint32_t c, uint32_t fg, uint32_t bg)
{
    const uint8_t *glyph = font_glyph(c);
    assert_non_null(glyph);
    for (int y = 0; y < FONT_HEIGHT; y++)
        for (int x = 0; x < FONT_WIDTH; x++)
            if (pixel(col * FONT_WIDTH + x, row * FONT_HEIGHT + y) !=
                (glyph[y] >> (7 - x) & 1 ? fg : bg))
                return false;
    return true;
}

static void draw(void)
{
    damage.count = 0;
    display_refresh_now(display);
}

static void font(void **state)
{
    (void)state;
    for (uint32_t c = 0x21; c < 0x7F; c++)
        assert_non_null(font_glyph(c));
    assert_non_null(font_glyph(0x2588)); /* full block */
    assert_non_null(font_glyph(0x0416)); /* Cyrillic */
    assert_non_null(font_glyph(0xFFFD));
    assert_null(font_glyph(0));
    assert_null(font_glyph(0x4E2D)); /* two cells wide */
    assert_null(font_glyph(0x10000));
    assert_null(font_glyph(0x10041)); /* no wrap to 41h */
    assert_null(font_glyph(UINT32_MAX));
    for (int y = 0; y < FONT_HEIGHT; y++)
        assert_int_equal(font_glyph(0x2588)[y], 0xFF);
}

static void text_and_colours(void **state)
{
    (void)state;
    print("Hello \033[31mred\033[0m \033[7minv\033[0m\r\nnext \033[1;32mbright\033[0m");
    assert_int_equal(changes, 1);
    line_is(0, "Hello red inv");
    line_is(1, "next bright");
    line_is(2, "");
    draw();
    assert_int_equal(display_surface(display)->width, COLS * FONT_WIDTH);
    assert_int_equal(display_surface(display)->height, ROWS * FONT_HEIGHT);
    assert_true(shows(0, 0, 'H', 0xAAAAAA, 0));
    assert_true(shows(0, 6, 'r', 0xAA0000, 0));
    assert_true(shows(0, 10, 'i', 0, 0xAAAAAA));
    assert_false(shows(0, 11, 'i', 0, 0xAAAAAA));
    assert_int_equal(pixel(5 * FONT_WIDTH, 2 * FONT_HEIGHT - 1), 0);
    assert_true(shows(1, 11, ' ', 0, 0xAAAAAA)); /* the cursor */
    print("\033[?25l");
    draw();
    assert_true(shows(1, 11, ' ', 0xAAAAAA, 0));
    assert_int_equal(damage.count, 1);
    assert_int_equal(damage.rects[0].y1, FONT_HEIGHT);
    assert_int_equal(damage.rects[0].y2, 2 * FONT_HEIGHT);
    /* 256 colours and true ones, underlined and struck out. */
    print("\033[H\033[38;5;196;48;2;1;2;3mX\033[0;4mU\033[0;9mS");
    draw();
    assert_true(shows(0, 0, 'X', 0xFF0000, 0x010203));
    assert_int_equal(pixel(FONT_WIDTH, FONT_HEIGHT - 2), 0xAAAAAA);
    assert_int_equal(pixel(2 * FONT_WIDTH, FONT_HEIGHT / 2), 0xAAAAAA);
    changes = 0;
    draw();
    assert_int_equal(damage.count, 0);
    assert_int_equal(changes, 0);
}

static void utf8(void **state)
{
    (void)state;
    const char *text = "\xC3\xA4\xD0\x96\xE2\x82\xAC|\xE4\xB8\xAD|";
    for (size_t i = 0; i < strlen(text); i++) /* a guest prints a byte at a time */
        print_bytes(text + i, 1);
    line_is(0, text);
    draw();
    assert_true(shows(0, 0, 0xE4, 0xAAAAAA, 0));
    assert_true(shows(0, 1, 0x416, 0xAAAAAA, 0));
    assert_true(shows(0, 6, '|', 0xAAAAAA, 0));               /* behind two cells */
    assert_int_equal(pixel(4 * FONT_WIDTH + 1, 2), 0xAAAAAA); /* which are a box */
    assert_int_equal(pixel(6 * FONT_WIDTH - 2, 13), 0xAAAAAA);
    /* Overlong, halves of surrogates, too high, cut, lone, C1, never valid. */
    print("\r\n\xC0\x80|\xED\xA0\x80|\xF4\x90\x80\x80|\xE2\x82|\x80|\xC2\x85|\xFF\xC3");
    print("\r\nx");
    line_is(1, "\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD|"
               "\xEF\xBF\xBD\xEF\xBF\xBD");
    line_is(2, "x");
    /* Marks join the letter before; too many of them do not. */
    print("\r\ne\xCC\x81z");
    line_is(3, "ez");
    print("\r\n");
    for (unsigned i = 0; i < 100000; i++)
        print("\xCC\x81");
    print("\033[2J\033[Hgoes on");
    line_is(0, "goes on");
}

static void sequences(void **state)
{
    (void)state;
    print("\033[3;5Hhere\033[2;1Habc\033[1Dx\0337\033[8;1Hdown\0338y");
    line_is(2, "    here");
    line_is(1, "abxy");
    line_is(7, "down");
    print("\033[s\033[1;1Htop\033[uz"); /* the ANSI form keeps the place too */
    line_is(0, "top");
    line_is(1, "abxyz");
    /* Strings are skipped, however they are cut, with all that looks like something in them. */
    static const char strings[] = "\033[H\033]0;title \033[2J\007"
                                  "A\033P$q\"p\033\\B\033_apc\r\n\033\\C\033^pm\033\\D"
                                  "\033X\033\033[31mE\033]2;\xC3\xA4\x18"
                                  "F";
    for (size_t i = 0; i < sizeof(strings) - 1; i++)
        print_bytes(strings + i, 1);
    print("\033[K");
    assert_int_equal(sent_len, 0);
    char have[200];
    term_line(t, 0, have, sizeof(have));
    assert_non_null(strchr(have, 'A'));
    assert_non_null(strchr(have, 'B'));
    assert_non_null(strchr(have, 'C'));
    assert_non_null(strchr(have, 'D'));
    assert_non_null(strchr(have, 'F'));
    assert_null(strstr(have, "title"));
    assert_null(strstr(have, "apc"));
    /* Questions are answered. */
    print("\033[3;7H\033[6n");
    was_sent("\033[3;7R");
    print("\033[5n");
    was_sent("\033[0n");
    /* The alternate screen, and back. */
    print("\033[H\033[2Jmain\033[?1049h\033[2J\033[Hother");
    line_is(0, "other");
    print("\033[?1049l");
    line_is(0, "main");
    /* DEC's line drawing. */
    print("\033[2J\033[H\033(0qx\033(Bqx");
    line_is(0, "\xE2\x94\x80\xE2\x94\x82qx");
}

/* XSA-17 and its like: numbers and lengths as large as one likes. */
static void hostile_sequences(void **state)
{
    (void)state;
    static const char finals[] = "@ABCDEFGHIJKLMPSTXZ`acdefghijklmnopqrstuvwxyz{|}~'\"";
    char text[400];
    for (const char *f = finals; *f; f++) {
        snprintf(text, sizeof(text), "\033[999999999999999999999999;99999999999999999999%c", *f);
        print(text);
        print("x");
        snprintf(text, sizeof(text), "\033[2147483647;2147483647%c\033[-1;-1%c\033[?2147483647%c",
                 *f, *f, *f);
        print(text);
        print("\xE4\xB8\xAD");
    }
    print("\033[?69h\033[1;40s\033[40;40s\033[41s\n\n\n\033[9999C\xE4\xB8\xAD");
    print("\033[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m");
    for (unsigned i = 0; i < 5000; i++)
        print_bytes(";", 1);
    print("\033[");
    for (unsigned i = 0; i < 5000; i++)
        print_bytes(i % 3 ? ";" : "9", 1);
    print("m\033");
    for (unsigned i = 0; i < 5000; i++)
        print_bytes("(", 1);
    print("B\033]");
    for (unsigned i = 0; i < 70000; i++)
        print_bytes("t", 1);
    print("\033\\\033#3\033#6\033c\033[2J\033[Halive");
    draw();
    line_is(0, "alive");
}

static void history(void **state)
{
    (void)state;
    char text[64];
    for (unsigned i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "line %u\r\n", i);
        print(text);
    }
    line_is(0, "line 23");
    draw();
    assert_true(shows(0, 5, '2', 0xAAAAAA, 0));
    assert_true(shows(0, 6, '3', 0xAAAAAA, 0));
    assert_true(term_key(t, KEY_PAGEUP, TERM_SHIFT)); /* four lines */
    draw();
    assert_true(shows(0, 5, '1', 0xAAAAAA, 0) && shows(0, 6, '9', 0xAAAAAA, 0));
    assert_true(shows(4, 5, '2', 0xAAAAAA, 0) && shows(4, 6, '3', 0xAAAAAA, 0));
    /* What is printed now does not move what is looked at. */
    print("new\r\n");
    draw();
    assert_true(shows(0, 5, '1', 0xAAAAAA, 0) && shows(0, 6, '9', 0xAAAAAA, 0));
    term_scroll(t, 1000000);
    draw();
    assert_true(shows(0, 5, '0', 0xAAAAAA, 0) && shows(0, 6, ' ', 0xAAAAAA, 0));
    assert_true(term_key(t, KEY_DOWN, TERM_CTRL));
    draw();
    assert_true(shows(0, 5, '1', 0xAAAAAA, 0) && shows(0, 6, ' ', 0xAAAAAA, 0));
    was_sent("");
    term_character(t, 'q', 0); /* the present again */
    was_sent("q");
    draw();
    assert_true(shows(0, 6, '4', 0xAAAAAA, 0));
    /* No more than so many are kept. */
    for (unsigned i = 0; i < 3 * TERM_HISTORY; i++) {
        snprintf(text, sizeof(text), "%u\r\n", i);
        print(text);
    }
    term_scroll(t, 5);
    for (unsigned i = 0; i < 3 * TERM_HISTORY; i++)
        print("z\r\n"); /* even who looks back loses it at last */
    draw();
    assert_true(shows(0, 0, 'z', 0xAAAAAA, 0));
    term_scroll(t, 10 * TERM_HISTORY);
    term_scroll(t, 1);
    draw();
    term_scroll(t, -10 * TERM_HISTORY);
    draw();
    line_is(0, "z");
}

static void keys(void **state)
{
    (void)state;
    static const struct {
        unsigned code, modifiers;
        const char *sent;
    } table[] = {
        {KEY_ENTER, 0, "\r"},
        {KEY_KPENTER, TERM_CTRL, "\r"},
        {KEY_BACKSPACE, 0, "\x7F"},
        {KEY_BACKSPACE, TERM_ALT, "\033\x7F"},
        {KEY_TAB, 0, "\t"},
        {KEY_TAB, TERM_SHIFT, "\033[Z"},
        {KEY_ESC, 0, "\033"},
        {KEY_UP, 0, "\033[A"},
        {KEY_LEFT, TERM_CTRL, "\033[1;5D"},
        {KEY_UP, TERM_SHIFT, "\033[1;2A"},
        {KEY_HOME, 0, "\033[H"},
        {KEY_DELETE, 0, "\033[3~"},
        {KEY_PAGEUP, 0, "\033[5~"},
        {KEY_F1, 0, "\033OP"},
        {KEY_F5, 0, "\033[15~"},
        {KEY_F10, 0, "\033[21~"},
        {KEY_F11, 0, "\033[23~"},
        {KEY_F12, 0, "\033[24~"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_true(term_key(t, table[i].code, table[i].modifiers));
        was_sent(table[i].sent);
    }
    assert_false(term_key(t, KEY_A, 0));
    assert_false(term_key(t, KEY_LEFTCTRL, 0));
    assert_false(term_key(t, 0x2FF, 0));
    was_sent("");
    print("\033[?1h"); /* cursor keys for applications */
    term_key(t, KEY_UP, 0);
    was_sent("\033OA");
}

static void characters(void **state)
{
    (void)state;
    term_character(t, 'a', 0);
    term_character(t, 0xE4, 0);
    term_character(t, 0x20AC, TERM_SHIFT);
    term_character(t, 0x1F600, 0);
    was_sent("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    term_character(t, 'c', TERM_CTRL);
    term_character(t, 'C', TERM_CTRL | TERM_SHIFT);
    term_character(t, 'i', TERM_CTRL);
    term_character(t, '[', TERM_CTRL);
    term_character(t, 'x', TERM_ALT);
    term_character(t, '1', TERM_CTRL);
    was_sent("\003\003\t\033\033x1");
    term_character(t, ' ', TERM_CTRL);
    assert_int_equal(sent_len, 1);
    assert_int_equal(sent[0], 0);
}

/* The smallest one, and the largest. */
static void sizes(void **state)
{
    (void)state;
    static const int all[][2] = {{TERM_MIN_COLS, TERM_MIN_ROWS}, {TERM_MAX_COLS, TERM_MAX_ROWS}};
    const struct term_events events = {.output = on_output, .changed = on_changed};
    for (unsigned i = 0; i < 2; i++) {
        term_free(t);
        t = term_new(all[i][0], all[i][1], &events);
        assert_non_null(t);
        for (unsigned n = 0; n < 20000; n++)
            print("\xE4\xB8\xAD.");
        print("\033[H\033#8\033[999;999Hz");
        draw();
        assert_int_equal(display_surface(display)->width, all[i][0] * FONT_WIDTH);
        assert_true(shows(0, all[i][0] - 1, 'E', 0xAAAAAA, 0));
        assert_true(shows(all[i][1] - 1, all[i][0] - 1, 'z', 0, 0xAAAAAA));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(font),      TEST(text_and_colours),  TEST(utf8),
        TEST(sequences), TEST(hostile_sequences), TEST(history),
        TEST(keys),      TEST(characters),        TEST(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
