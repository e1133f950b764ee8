/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lineedit: keys, history, completion, hostile bytes, and that two editors know nothing of
 * each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ui/lineedit.h"

struct person {
    struct lineedit *le;
    char out[65536];
    size_t out_len;
    char lines[8][LINEEDIT_MAX_LINE + 1];
    unsigned line_count;
};

static void take_output(void *opaque, const char *buf, size_t len)
{
    struct person *p = opaque;
    if (len > sizeof(p->out) - 1 - p->out_len)
        p->out_len = 0;
    assert_true(len < sizeof(p->out));
    memcpy(p->out + p->out_len, buf, len);
    p->out_len += len;
    p->out[p->out_len] = '\0';
}

static void take_line(void *opaque, const char *line)
{
    struct person *p = opaque;
    assert_true(strlen(line) <= LINEEDIT_MAX_LINE);
    snprintf(p->lines[p->line_count++ % 8], sizeof(p->lines[0]), "%s", line);
}

static void take_complete(void *opaque, const char *line, struct lineedit_words *words)
{
    const char *last = strrchr(line, ' ');
    size_t start = last ? (size_t)(last + 1 - line) : 0;
    (void)opaque;
    lineedit_offer(words, start, "info", true);
    lineedit_offer(words, start, "inside", true);
    lineedit_offer(words, start, "quit", true);
    lineedit_offer(words, start + 5000, "far", true);
}

static const struct lineedit_user user = {take_output, take_line, take_complete};

static struct person *person_new(void)
{
    struct person *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->le = lineedit_new("(test) ", &user, p);
    assert_non_null(p->le);
    return p;
}

static void person_free(struct person *p)
{
    lineedit_free(p->le);
    free(p);
}

static void type(struct person *p, const char *keys)
{
    lineedit_feed(p->le, (const uint8_t *)keys, strlen(keys));
}

static const char *last_line(const struct person *p)
{
    assert_int_not_equal(p->line_count, 0);
    return p->lines[(p->line_count - 1) % 8];
}

static void test_keys(void **state)
{
    (void)state;
    struct person *p = person_new();
    lineedit_show(p->le);
    assert_non_null(strstr(p->out, "(test) "));
    type(p, "help\r");
    assert_string_equal(last_line(p), "help");
    type(p, "nfo\001i\n");
    assert_string_equal(last_line(p), "info");
    type(p, "abcd\033[D\033[D\033[3~\177\r");
    assert_string_equal(last_line(p), "ad");
    type(p, "one two\027three\025four\r");
    assert_string_equal(last_line(p), "four");
    /* An arrow key that comes in three pieces. */
    type(p, "xz\033");
    type(p, "[");
    type(p, "Dy\r");
    assert_string_equal(last_line(p), "xyz");
    type(p, "\r");
    assert_string_equal(last_line(p), "");
    assert_int_equal(p->line_count, 6);
    person_free(p);
}

static void test_history(void **state)
{
    (void)state;
    struct person *a = person_new(), *b = person_new();
    type(a, "first\rsecond\r\033[A\033[A\r");
    assert_string_equal(last_line(a), "first");
    type(b, "\033[A\r");
    assert_string_equal(last_line(b), "");
    type(a, "half a li");
    type(b, "whole\r");
    assert_string_equal(last_line(b), "whole");
    type(a, "ne\r");
    assert_string_equal(last_line(a), "half a line");
    /* The next person sees none of it. */
    type(a, "secret");
    lineedit_clear(a->le);
    type(a, "\033[A\r");
    assert_string_equal(last_line(a), "");
    for (int i = 0; i < 1000; i++)
        type(a, "many lines that are remembered for a while\r");
    person_free(a);
    person_free(b);
}

static void test_completion(void **state)
{
    (void)state;
    struct person *p = person_new();
    type(p, "q\t\r");
    assert_string_equal(last_line(p), "quit ");
    type(p, "i\tf\t\r"); /* to the common part, then to the word */
    assert_string_equal(last_line(p), "info ");
    p->out_len = 0;
    type(p, "in\t\025");
    assert_non_null(strstr(p->out, "inside"));
    type(p, "z\t~root/\t/etc/pas\t*\t\r"); /* nothing of the host's */
    assert_null(strstr(p->out, "passwd"));
    person_free(p);
}

/* Whatever comes, each byte's work and output are bounded, and the editor goes on. */
static void test_hostile(void **state)
{
    (void)state;
    struct person *p = person_new();
    uint8_t bytes[4096];
    uint32_t x = 1;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(x >> 24);
            if (round % 2 && bytes[i] >= 128)
                bytes[i] = "\033[ABCD\t\001\005\r~3\031\013\010"[bytes[i] % 16];
        }
        lineedit_feed(p->le, bytes, sizeof(bytes));
    }
    /* Repetition counts would be loops of any length. */
    type(p, "a\r\0339999999\033[A\r\0332bcd\r\2719999999\033[A\r\033\n99999999x\r\x1a\x1c\r");
    type(p, "\r\025sane\r");
    assert_string_equal(last_line(p), "sane");
    /* A line without end: no more is kept than a line. */
    memset(bytes, 'a', sizeof(bytes));
    lineedit_feed(p->le, bytes, sizeof(bytes));
    type(p, "\r");
    assert_true(strlen(last_line(p)) <= LINEEDIT_MAX_LINE);
    lineedit_feed(p->le, (const uint8_t *)"nul\0nul\r", 8);
    person_free(p);
}

int main(void)
{
    struct err err;
    if (!lineedit_available(&err)) {
        printf("[  SKIPPED ] test_lineedit\n%s\n", err.text);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
