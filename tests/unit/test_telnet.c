/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_telnet: characters in and out of RFC 854's envelope, however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ui/telnet.h"

static struct telnet t;
static uint8_t data[256], replies[256];
static size_t data_len, replies_len;
static unsigned breaks, data_before_break;

static int setup(void **state)
{
    const uint8_t *hello;
    size_t len;
    (void)state;
    memset(&t, 0xFF, sizeof(t));
    telnet_start(&t, &hello, &len);
    assert_int_equal(len, 15);
    assert_memory_equal(hello, "\xFF\xFB\x01", 3); /* WILL ECHO */
    data_len = replies_len = breaks = 0;
    return 0;
}

/* Feeds `len` bytes in pieces of `step`. */
static void feed(const char *bytes, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        uint8_t *buf = malloc(n), *p = buf;
        assert_non_null(buf);
        memcpy(buf, bytes + at, n);
        while (n) {
            struct telnet_input in = telnet_decode(&t, p, n);
            assert_true(in.used > 0 && in.used <= n && in.data <= in.used);
            memcpy(data + data_len, p, in.data);
            data_len += in.data;
            if (in.event == TELNET_BREAK) {
                breaks++;
                data_before_break = (unsigned)data_len;
            }
            if (in.event == TELNET_REPLY) {
                memcpy(replies + replies_len, in.reply, sizeof(in.reply));
                replies_len += sizeof(in.reply);
            }
            p += in.used;
            n -= in.used;
        }
        free(buf);
    }
}

#define FEED(literal, step) feed(literal, sizeof(literal) - 1, step)
#define GOT(literal)                                     \
    do {                                                 \
        assert_int_equal(data_len, sizeof(literal) - 1); \
        assert_memory_equal(data, literal, data_len);    \
        data_len = 0;                                    \
    } while (0)
#define REPLIED(literal)                                    \
    do {                                                    \
        assert_int_equal(replies_len, sizeof(literal) - 1); \
        assert_memory_equal(replies, literal, replies_len); \
        replies_len = 0;                                    \
    } while (0)

static void characters(void **state)
{
    (void)state;
    for (size_t step = 1; step < 20; step++) {
        setup(NULL);
        FEED("plain", step);
        GOT("plain");
        FEED("a\r\0b\r\nc\rd\0", step); /* CR NUL and CR LF are one key, a lone NUL is one */
        GOT("a\rb\rc\rd\0");
        FEED("x\xFF\xFFy", step);
        GOT("x\xFFy");
        FEED("\xFF\xFB\x00", step); /* WILL BINARY */
        FEED("a\r\0b\r\n\xFF\xFF", step);
        GOT("a\r\0b\r\n\xFF");
        FEED("\xFF\xFC\x00", step); /* WONT BINARY */
        FEED("\r\0", step);
        GOT("\r");
        REPLIED("");
    }
}

static void options(void **state)
{
    (void)state;
    for (size_t step = 1; step < 8; step++) {
        setup(NULL);
        /* What we said ourselves is not answered again, nor is a refusal. */
        FEED("\xFF\xFD\x01\xFF\xFD\x03\xFF\xFB\x03\xFF\xFD\x00\xFF\xFC\x03\xFF\xFE\x01", step);
        REPLIED("");
        /* The rest is refused: DO NAWS, WILL LINEMODE, WILL ECHO (we echo). */
        FEED("\xFF\xFD\x1Fq\xFF\xFB\x22\xFF\xFB\x01", step);
        REPLIED("\xFF\xFC\x1F\xFF\xFE\x22\xFF\xFE\x01");
        GOT("q");
        /* Subnegotiations of whatever length are skipped, with a doubled IAC in them. */
        FEED("a\xFF\xFA\x55stuff\xFF\xFFstuff\r\xFF\xF0z", step);
        GOT("az");
        REPLIED("");
        FEED("\xFF\xF1", step); /* NOP; and others without meaning here */
        FEED("\xFF\xF6\xFF\xF9.", step);
        GOT(".");
    }
}

static void breaks_in_order(void **state)
{
    (void)state;
    FEED("ab\xFF\xF3h", 99);
    GOT("abh");
    assert_int_equal(breaks, 1);
    assert_int_equal(data_before_break, 2);
}

static void output(void **state)
{
    uint8_t out[4];
    size_t n;
    (void)state;
    assert_int_equal(telnet_encode((const uint8_t *)"a\xFF\r\n", 4, out, 4, &n), 3);
    assert_int_equal(n, 4);
    assert_memory_equal(out, "a\xFF\xFF\r", 4);
    assert_int_equal(telnet_encode((const uint8_t *)"abc\xFF", 4, out, 4, &n), 3);
    assert_int_equal(n, 3);
    assert_int_equal(telnet_encode((const uint8_t *)"\xFF", 1, out, 1, &n), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(characters, setup),
        cmocka_unit_test_setup(options, setup),
        cmocka_unit_test_setup(breaks_in_order, setup),
        cmocka_unit_test_setup(output, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
