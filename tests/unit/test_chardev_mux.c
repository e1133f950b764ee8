/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_chardev_mux: several users of one stream, and the escape character between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hw/core/clock.h"
#include "hw/core/loop.h"
#include "ui/chardev_end.h"
#include "ui/chardev_mux.h"

/* The stream: what is written to it, and how much it takes. */
static struct loop *loop;
static struct chardev *stream;
static struct chardev_mux *mux;
static char out[65536];
static size_t out_len, space;

static size_t stream_write(void *opaque, const uint8_t *buf, size_t len)
{
    size_t n = len < space ? len : space;
    (void)opaque;
    assert_true(out_len + n < sizeof(out));
    memcpy(out + out_len, buf, n);
    out_len += n;
    out[out_len] = '\0';
    space -= n;
    return n;
}

static unsigned asked_for_more;

static void stream_accept(void *opaque)
{
    (void)opaque;
    asked_for_more++;
}

static void stream_close(void *opaque)
{
    *(bool *)opaque = true;
}

static const struct chardev_end stream_end = {
    .write = stream_write, .accept_input = stream_accept, .close = stream_close};

struct user {
    char got[8192];
    size_t len, room;
    unsigned breaks, writables;
    int focus;
};

static struct user users[CHARDEV_MUX_MAX];
static struct chardev *branches[CHARDEV_MUX_MAX];
static bool closed;
static unsigned quits, commits;

static size_t user_room(void *opaque)
{
    return ((struct user *)opaque)->room;
}

static void user_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct user *u = opaque;
    assert_true(len > 0 && len <= u->room && u->len + len < sizeof(u->got));
    memcpy(u->got + u->len, buf, len);
    u->len += len;
    u->got[u->len] = '\0';
    u->room -= len;
}

static void user_writable(void *opaque)
{
    ((struct user *)opaque)->writables++;
}

static void user_break(void *opaque)
{
    ((struct user *)opaque)->breaks++;
}

static void user_focus(void *opaque, bool focus)
{
    ((struct user *)opaque)->focus += focus ? 1 : -1;
}

static const struct chardev_user user = {.room = user_room,
                                         .receive = user_receive,
                                         .writable = user_writable,
                                         .line_break = user_break,
                                         .focus = user_focus};

static void on_quit(void *opaque)
{
    (void)opaque;
    quits++;
}

static void on_commit(void *opaque)
{
    (void)opaque;
    commits++;
}

static void begin(unsigned char escape, const struct chardev_mux_actions *actions)
{
    struct err err;
    closed = false;
    out_len = quits = commits = asked_for_more = 0;
    space = SIZE_MAX;
    memset(users, 0, sizeof(users));
    stream = chardev_new(loop, "s", "test", &stream_end, &closed, &err);
    assert_non_null(stream);
    mux = chardev_mux_new(loop, stream, escape, actions, &err);
    assert_non_null(mux);
    for (unsigned i = 0; i < 3; i++) {
        branches[i] = chardev_mux_branch(mux, i ? "monitor" : "serial0", &err);
        assert_non_null(branches[i]);
        users[i].room = SIZE_MAX;
        chardev_set_user(branches[i], &user, &users[i]);
    }
    loop_turn(loop, 0);
}

static int setup(void **state)
{
    static const struct chardev_mux_actions actions = {.quit = on_quit, .commit = on_commit};
    struct err err;
    (void)state;
    loop = loop_new(&err);
    begin(CHARDEV_MUX_ESCAPE, &actions);
    return loop ? 0 : -1;
}

static void end(void)
{
    for (unsigned i = 0; i < CHARDEV_MUX_MAX; i++)
        chardev_close(branches[i]);
    memset(branches, 0, sizeof(branches));
    assert_false(closed);
    chardev_mux_free(mux);
    assert_true(closed);
}

static int teardown(void **state)
{
    (void)state;
    end();
    loop_free(loop);
    return 0;
}

/* As the stream does it: no more than there is room for. Returns how many bytes were taken. */
static size_t type(const char *text)
{
    size_t len = strlen(text), at = 0;
    while (at < len) {
        size_t room = chardev_room(stream);
        if (!room)
            break;
        size_t n = len - at < room ? len - at : room;
        chardev_deliver(stream, (const uint8_t *)text + at, n);
        at += n;
    }
    return at;
}

static void got(unsigned i, const char *text)
{
    assert_int_equal(users[i].len, strlen(text));
    assert_memory_equal(users[i].got, text, users[i].len);
    users[i].len = 0;
}

static void wrote(const char *text)
{
    assert_int_equal(out_len, strlen(text));
    assert_memory_equal(out, text, out_len);
    out_len = 0;
}

static size_t say(unsigned i, const char *text)
{
    return chardev_write(branches[i], (const uint8_t *)text, strlen(text));
}

static void focus_goes_round(void **state)
{
    (void)state;
    assert_string_equal(chardev_label(branches[0]), "serial0");
    assert_string_equal(chardev_filename(branches[0]), "test");
    assert_int_equal(users[0].focus, 1);
    type("first");
    got(0, "first");
    type("\001ca\001cb\001cc");
    got(1, "a");
    got(2, "b");
    got(0, "c");
    assert_int_equal(users[1].focus, 0);
    type("\001");
    type("c");
    type("x");
    got(1, "x");
    assert_int_equal(users[1].focus, 1);
    assert_int_equal(users[0].focus,
                     0); /* got it at the start without being told, and lost and won it */
    type("\001\001");    /* the character itself */
    got(1, "\001");
    type("\001z."); /* nothing: swallowed */
    got(1, ".");
    say(0, "zero ");
    say(2, "two");
    wrote("zero two");
}

static void actions(void **state)
{
    (void)state;
    type("\001b");
    assert_int_equal(users[0].breaks, 1);
    chardev_line_break(stream); /* one of the stream's own */
    assert_int_equal(users[0].breaks, 2);
    type("\001s");
    assert_int_equal(commits, 1);
    out_len = 0;
    type("\001h");
    assert_non_null(strstr(out, "Ctrl+A x"));
    out_len = 0;
    type("\001x");
    assert_int_equal(quits, 1);
    end();
    begin(20, NULL);
    type("\024h");
    assert_non_null(strstr(out, "Ctrl+T x"));
    type("\024x\024s\001");
    got(0, "\001");
    end();
    begin(0, NULL);
    type("\001c\000x");
    got(0, "\001c");
}

static void time_stamps(void **state)
{
    (void)state;
    say(0, "plain\nhalf");
    type("\001t");
    say(0, " more\nnext\n");
    say(1, "last");
    say(1, " one\n\nz");
    unsigned stamps = 0;
    for (const char *p = out; (p = strstr(p, "] ")); p++)
        stamps++;
    assert_int_equal(stamps, 4); /* next, last, the empty line, z */
    assert_memory_equal(out, "plain\nhalf more\n[00:00:0", 23);
    type("\001t");
    out_len = 0;
    say(0, "\nno\n");
    wrote("\nno\n");
    /* A stream without room: nothing is lost, nothing comes twice. */
    type("\001t");
    space = 0;
    assert_int_equal(say(0, "wait\n"), 0);
    space = 3;
    say(0, "");
    space = SIZE_MAX;
    assert_int_equal(say(0, "wait\n"), 5);
    assert_non_null(strstr(out, "] wait\n"));
}

static void what_is_full(void **state)
{
    (void)state;
    char text[3000];
    /* A device that takes nothing: what is typed waits, then the stream does; the escape character
     * is seen as long as something can be read. */
    users[0].room = 2;
    type("abc");
    got(0, "ab");
    type("\001cto the monitor\001c\001c");
    got(1, "to the monitor");
    users[0].room = 5;
    chardev_accept_input(branches[0]);
    got(0, "c");
    users[0].room = 0;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    size_t taken = type(text);
    assert_in_range(taken, 512, 2048);
    assert_int_equal(chardev_room(stream), 0);
    users[0].room = 10;
    asked_for_more = 0;
    chardev_accept_input(branches[0]);
    assert_int_equal(users[0].len, 10);
    assert_int_equal(asked_for_more, 1);
    assert_int_equal(chardev_room(stream), 10);
    users[0].room = SIZE_MAX;
    chardev_accept_input(branches[0]);
    assert_int_equal(users[0].len, taken);
    users[0].len = 0;
    /* A stream that takes nothing: who was refused is told, and nobody else. */
    space = 3;
    assert_int_equal(say(0, "abcdef"), 3);
    assert_int_equal(say(2, "x"), 0);
    chardev_writable(stream);
    assert_int_equal(users[0].writables, 1);
    assert_int_equal(users[1].writables, 0);
    assert_int_equal(users[2].writables, 1);
    chardev_writable(stream);
    assert_int_equal(users[0].writables, 1);
}

static void branches_come_and_go(void **state)
{
    (void)state;
    struct err err;
    branches[3] = chardev_mux_branch(mux, "four", &err);
    assert_non_null(branches[3]);
    assert_null(chardev_mux_branch(mux, "five", &err));
    assert_non_null(strstr(err.text, "five"));
    type("for branch 3, which has no user\001c");
    chardev_close(branches[0]);
    branches[0] = NULL;
    type("a");
    got(1, "a");
    chardev_close(branches[1]); /* which has the focus */
    branches[1] = NULL;
    type("b");
    got(2, "b");
    assert_int_equal(users[2].focus, 1);
    chardev_close(branches[2]);
    chardev_close(branches[3]);
    branches[2] = branches[3] = NULL;
    type("nobody\001c\001b\001h");
    branches[0] = chardev_mux_branch(mux, "again", &err);
    chardev_set_user(branches[0], &user, &users[0]);
    users[0].len = 0;
    loop_turn(loop, 0);
    type("c");
    assert_int_equal(users[0].got[users[0].len - 1], 'c');
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(focus_goes_round),     TEST(actions), TEST(time_stamps), TEST(what_is_full),
        TEST(branches_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
