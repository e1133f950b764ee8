/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vkbd: the PV keyboard and pointer of the production binary, with its processes and filters
 * as they are: what a VNC viewer does arrives in the driver's ring, or in the PS/2 mouse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/input-event-codes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
/* It needs the types of xen.h. */
#include <xen/io/kbdif.h>

#include "dm.h"
#include "front.h"
#include "pc.h"

#define RAM_MB  UINT64_C(48)
#define GFN     UINT64_C(0x1000)
#define WAIT_MS 10000
#define BACK    "/local/domain/0/backend/vkbd/7/0"
#define FRONT   "/local/domain/7/device/vkbd/0"

struct machine {
    struct xenstub *x;
    struct dm dm;
    char vnc[128];
    int viewer;
    unsigned width, height;
    uint64_t gfn;
    struct xenkbd_page *page;
    uint32_t channel, ref;
};

static void take(int fd, void *buf, size_t len)
{
    for (uint8_t *p = buf; len;) {
        ssize_t n = read(fd, p, len);
        assert_true(n > 0);
        p += n;
        len -= (size_t)n;
    }
}

static void give(int fd, const void *buf, size_t len)
{
    assert_int_equal(write(fd, buf, len), len);
}

/* RFC 6143, 7.1 to 7.3: no authentication. */
static void view(struct machine *m)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    uint8_t buf[64], types;
    uint32_t n;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/vnc", xenstub_dir(m->x));
    m->viewer = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(m->viewer, (struct sockaddr *)&a, sizeof(a)), 0);
    take(m->viewer, buf, 12);
    give(m->viewer, "RFB 003.008\n", 12);
    take(m->viewer, &types, 1);
    take(m->viewer, buf, types);
    give(m->viewer, "\1", 1);
    take(m->viewer, &n, 4);
    assert_int_equal(n, 0);
    give(m->viewer, "\1", 1);
    take(m->viewer, buf, 24);
    m->width = (unsigned)buf[0] << 8 | buf[1];
    m->height = (unsigned)buf[2] << 8 | buf[3];
    memcpy(&n, buf + 20, 4);
    for (n = ntohl(n); n; n--)
        take(m->viewer, buf, 1);
}

static void point(struct machine *m, unsigned x, unsigned y, uint8_t buttons)
{
    const uint8_t event[] = {5,          buttons,           (uint8_t)(x >> 8),
                             (uint8_t)x, (uint8_t)(y >> 8), (uint8_t)y};
    give(m->viewer, event, sizeof(event));
}

static void type(struct machine *m, uint32_t keysym, bool down)
{
    const uint8_t event[] = {4, down, 0, 0, 0, 0, (uint8_t)(keysym >> 8), (uint8_t)keysym};
    give(m->viewer, event, sizeof(event));
}

static int start(void **state, bool restricted)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .vcpus = 1, .ram_bytes = RAM_MB << 20};
    m->x = xenstub_new(&config);
    *state = m;
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return -1;
    snprintf(m->vnc, sizeof(m->vnc), "unix:%s/vnc", xenstub_dir(m->x));
    dm_set(&m->dm, "-vnc", m->vnc);
    if (restricted)
        dm_add(&m->dm, (const char *const[]){"-xen-domid-restrict", NULL});
    xenstub_xs_write(m->x, FRONT "/backend", BACK);
    xenstub_xs_write(m->x, FRONT "/state", "1");
    xenstub_xs_write(m->x, BACK "/frontend", FRONT);
    xenstub_xs_write(m->x, BACK "/frontend-id", "7");
    xenstub_xs_write(m->x, BACK "/online", "1");
    xenstub_xs_write(m->x, BACK "/state", "1");
    if (!dm_start(&m->dm, m->x, WAIT_MS))
        return -1;
    pc_setup(m->x, PC_DEVFN(DM_VGA_SLOT, 0));
    m->gfn = GFN;
    view(m);
    return 0;
}

static int setup(void **state)
{
    return start(state, false);
}

static int setup_restricted(void **state)
{
    return start(state, true);
}

static int teardown(void **state)
{
    struct machine *m = *state;
    int status = xenstub_gone(m->x) ? 0 : xenstub_end(m->x, SIGHUP, WAIT_MS);
    if (status)
        dm_show_log(m->x);
    close(m->viewer);
    xenstub_free(m->x);
    free(m);
    return status;
}

static void write_number(struct machine *m, const char *path, uint32_t n)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", n);
    xenstub_xs_write(m->x, path, text);
}

static void expect_back(struct machine *m, const char *state)
{
    if (xenstub_xs_wait(m->x, BACK "/state", state, WAIT_MS))
        return;
    dm_show_log(m->x);
    fail_msg("the back-end does not come to state %s", state);
}

static void connect_front(struct machine *m, bool raw)
{
    xenstub_xs_write(m->x, FRONT "/state", "1");
    expect_back(m, "2");
    m->page = guest_page(m->x, m->gfn);
    memset(m->page, 0, 4096);
    m->ref = front_grant(m->x, m->gfn++, false);
    m->channel = front_channel(m->x);
    xenstub_xs_write(m->x, FRONT "/request-abs-pointer", "1");
    xenstub_xs_write(m->x, FRONT "/request-raw-pointer", raw ? "1" : "0");
    write_number(m, FRONT "/page-gref", m->ref);
    write_number(m, FRONT "/event-channel", m->channel);
    xenstub_xs_write(m->x, FRONT "/state", "3");
    expect_back(m, "4");
    xenstub_xs_write(m->x, FRONT "/state", "4");
}

static void close_front(struct machine *m)
{
    xenstub_xs_write(m->x, FRONT "/state", "5");
    expect_back(m, "5");
    xenstub_xs_write(m->x, FRONT "/state", "6");
    expect_back(m, "6");
    assert_true(front_revoke(m->x, m->ref));
    front_close_channel(m->x, m->channel);
}

/* The next event for the driver. False: none. */
static bool next(struct machine *m, union xenkbd_in_event *e, unsigned timeout_ms)
{
    while (__atomic_load_n(&m->page->in_prod, __ATOMIC_ACQUIRE) == m->page->in_cons)
        if (!front_wait(m->x, m->channel, timeout_ms))
            return false;
    *e = XENKBD_IN_RING_REF(m->page, m->page->in_cons);
    __atomic_store_n(&m->page->in_cons, m->page->in_cons + 1, __ATOMIC_RELEASE);
    return true;
}

static void expect_position(struct machine *m, int32_t x, int32_t y, int32_t z)
{
    union xenkbd_in_event e;
    assert_true(next(m, &e, WAIT_MS));
    assert_int_equal(e.type, XENKBD_TYPE_POS);
    assert_int_equal(e.pos.abs_x, x);
    assert_int_equal(e.pos.abs_y, y);
    assert_int_equal(e.pos.rel_z, z);
}

static void expect_key(struct machine *m, uint32_t code, bool down)
{
    union xenkbd_in_event e;
    assert_true(next(m, &e, WAIT_MS));
    assert_int_equal(e.type, XENKBD_TYPE_KEY);
    assert_int_equal(e.key.keycode, code);
    assert_int_equal(e.key.pressed, down);
}

/* The next byte of the 8042 from the keyboard or the mouse; -1: none in that time. */
static int ps2_byte(struct machine *m, bool mouse, unsigned timeout_ms)
{
    for (unsigned i = 0; i <= timeout_ms; i++) {
        uint64_t status = vcpu_in(m->x, 0, 0x64, 1);
        if ((status & 0x21) == (mouse ? 0x21u : 0x01u))
            return (int)vcpu_in(m->x, 0, 0x60, 1);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return -1;
}

/*
 * The main process hears of the driver a moment after the back-end has said Connected. What is
 * moved before that goes to the mouse; a position that is told again and again arrives at last.
 */
static void until_taken(struct machine *m)
{
    union xenkbd_in_event e;
    for (unsigned i = 0; i < 500; i++) {
        point(m, 1 + i % 2, 0, 0);
        if (next(m, &e, 20))
            break;
    }
    point(m, 0, 0, 0);
    do {
        assert_true(next(m, &e, WAIT_MS));
    } while (e.pos.abs_x);
}

static void positions_and_buttons(struct machine *m)
{
    point(m, m->width - 1, m->height - 1, 0);
    expect_position(m, 0x7FFF, 0x7FFF, 0);
    point(m, m->width - 1, 0, 1);
    expect_position(m, 0x7FFF, 0, 0);
    expect_key(m, BTN_LEFT, true);
    point(m, m->width - 1, 0, 4);
    expect_key(m, BTN_LEFT, false);
    expect_key(m, BTN_RIGHT, true);
    point(m, m->width - 1, 0, 8); /* the wheel, away */
    expect_position(m, 0x7FFF, 0, -1);
    expect_key(m, BTN_RIGHT, false);
}

/* Linux: positions are PV, keys PS/2; no event comes twice. The module goes and comes again. */
static void pointer_is_taken(void **state)
{
    struct machine *m = *state;
    union xenkbd_in_event e;
    for (unsigned round = 0; round < 2; round++) {
        connect_front(m, false);
        until_taken(m);
        positions_and_buttons(m);
        type(m, 'a', true);
        type(m, 'a', false);
        assert_int_equal(ps2_byte(m, false, WAIT_MS), 0x1C); /* set 2, as after power-on */
        assert_int_equal(ps2_byte(m, false, WAIT_MS), 0xF0);
        assert_int_equal(ps2_byte(m, false, WAIT_MS), 0x1C);
        assert_false(next(m, &e, 50));
        close_front(m);
    }
    type(m, 'b', true);
    assert_int_equal(ps2_byte(m, false, WAIT_MS), 0x32);
}

static void keys_are_taken(void **state)
{
    struct machine *m = *state;
    connect_front(m, true);
    until_taken(m);
    type(m, 'a', true);
    expect_key(m, KEY_A, true);
    type(m, 'a', false);
    expect_key(m, KEY_A, false);
    assert_int_equal(ps2_byte(m, false, 20), -1);
    /* A key that is held when the viewer goes. */
    type(m, 'x', true);
    expect_key(m, KEY_X, true);
    close(m->viewer);
    expect_key(m, KEY_X, false);
}

/* A driver that takes nothing, then lies: it is cut off, and PS/2 has the keys again. */
static void hostile_ring(void **state)
{
    struct machine *m = *state;
    connect_front(m, true);
    until_taken(m);
    for (unsigned i = 0; i < 300; i++)
        point(m, i, i, i & 1);
    type(m, 'q', true);
    type(m, 'q', false);
    m->page->in_cons += 1000;
    front_notify(m->x, m->channel);
    expect_back(m, "5");
    xenstub_xs_write(m->x, FRONT "/state", "6");
    expect_back(m, "6");
    assert_true(front_revoke(m->x, m->ref));
    int byte;
    do {
        type(m, 'a', true);
        type(m, 'a', false);
        byte = ps2_byte(m, false, 100);
    } while (byte < 0);
    while (byte >= 0)
        byte = ps2_byte(m, false, 20);
    connect_front(m, false);
    until_taken(m);
    positions_and_buttons(m);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(pointer_is_taken),
        RIG(keys_are_taken),
        RIG(hostile_ring),
        cmocka_unit_test_setup_teardown(pointer_is_taken, setup_restricted, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
