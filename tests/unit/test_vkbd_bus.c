/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of hw/xen/vkbd_bus.c: the toolstack's and the front-end's steps, and what neither should
 * do. */
#include "tests/unit/xenstore_fake.h"

#include <linux/input-event-codes.h>
#include <xen/xen.h>
/* It needs the types of xen.h. */
#include <xen/io/kbdif.h>

#include "hw/core/loop.h"
#include "hw/xen/vkbd_bus.h"

#define BACK  "backend/vkbd/7/0"
#define FRONT "/local/domain/7/device/vkbd/0"

static union {
    struct xenkbd_page page;
    uint8_t bytes[4096];
} shared[4] __attribute__((aligned(4096))); /* granted as 100 + n */

static struct loop *loop;
static struct vkbd_bus *bus;
static unsigned maps, unmaps, binds, unbinds, notified, takes, told;

static void *door_map(void *opaque, const uint32_t *refs, unsigned count, bool writable)
{
    (void)opaque;
    assert_int_equal(count, 1);
    assert_true(writable);
    errno = EINVAL;
    if (refs[0] < 100 || refs[0] >= 104)
        return NULL;
    maps++;
    return &shared[refs[0] - 100];
}

static void door_unmap(void *opaque, void *where, unsigned count)
{
    (void)opaque;
    assert_non_null(where);
    unmaps += count;
}

static int door_bind(void *opaque, uint32_t remote)
{
    (void)opaque;
    if (remote > 50)
        return -1;
    binds++;
    return (int)(1000 + remote);
}

static void door_unbind(void *opaque, uint32_t local)
{
    (void)opaque;
    assert_in_range(local, 1000, 1050);
    unbinds++;
}

static void door_notify(void *opaque, uint32_t local)
{
    (void)opaque;
    assert_in_range(local, 1000, 1050);
    notified++;
}

static void door_taken(void *opaque, unsigned what)
{
    (void)opaque;
    assert_int_not_equal(what, takes);
    takes = what;
    told++;
}

static int setup(void **state)
{
    static const struct vkbd_doors doors = {
        .map = door_map,
        .unmap = door_unmap,
        .bind = door_bind,
        .unbind = door_unbind,
        .notify = door_notify,
        .taken = door_taken,
    };
    struct err err;
    (void)state;
    forget_keys();
    memset(shared, 0, sizeof(shared));
    maps = unmaps = binds = unbinds = notified = takes = told = 0;
    loop = loop_new(&err);
    bus = loop ? vkbd_bus_open(loop, NULL, 7, &doors, &err) : NULL;
    return bus ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    vkbd_bus_close(bus);
    loop_free(loop);
    assert_int_equal(maps, unmaps);
    assert_int_equal(binds, unbinds);
    for (unsigned i = 2; i < 8; i++) /* the two roots stay watched */
        assert_int_equal(*watches[i], 0);
    return 0;
}

static void look(void)
{
    assert_true(vkbd_bus_look(bus));
    for (unsigned i = 0; i < 20; i++)
        loop_turn(loop, 0);
    assert_int_equal(events, 0); /* it comes to rest */
}

/* libxl's keys. */
static void add(const char *back, const char *front)
{
    set_at(back, "frontend", front);
    set_at(back, "frontend-id", "7");
    set_at(back, "online", "1");
    set_at(front, "state", "1");
    set_at(back, "state", "1");
    look();
}

static void expect(const char *back, const char *name, const char *value)
{
    char path[XENBUS_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", back, name);
    assert_non_null(key(path));
    assert_string_equal(key(path), value);
}

/* As Linux does since 4.13: everything at once, then the states. */
static void connect_front(const char *ref, const char *raw)
{
    set_at(FRONT, "request-abs-pointer", "1");
    if (raw)
        set_at(FRONT, "request-raw-pointer", raw);
    set_at(FRONT, "page-ref", "12345");
    set_at(FRONT, "page-gref", ref);
    set_at(FRONT, "event-channel", "9");
    set_at(FRONT, "state", "3");
    look();
    set_at(FRONT, "state", "4");
    look();
}

static uint32_t produced(unsigned page)
{
    return shared[page].page.in_prod;
}

static void linux_driver(void **state)
{
    (void)state;
    add(BACK, FRONT);
    expect(BACK, "state", "2");
    expect(BACK, "feature-abs-pointer", "1");
    expect(BACK, "feature-raw-pointer", "1");
    expect(BACK, "feature-multi-touch", "0");
    expect(BACK, "width", "32767");
    expect(BACK, "height", "32767");
    vkbd_bus_point(bus, 1, 1, 0, 0); /* nobody there */
    connect_front("100", NULL);
    expect(BACK, "state", "4");
    assert_int_equal(takes, VKBD_POINTER);
    vkbd_bus_point(bus, 5, 6, 0, 1);
    assert_int_equal(produced(0), 2);
    assert_int_equal(notified, 1);
    union xenkbd_in_event *e = XENKBD_IN_RING(&shared[0]);
    assert_int_equal(e[0].pos.abs_x, 5);
    assert_int_equal(e[1].key.keycode, BTN_LEFT);
    vkbd_bus_key(bus, KEY_A, true); /* PS/2's */
    assert_int_equal(produced(0), 2);
    vkbd_bus_release(bus);
    assert_int_equal(produced(0), 3);

    /* The module goes, and comes again. */
    set_at(FRONT, "state", "5");
    look();
    expect(BACK, "state", "5");
    assert_int_equal(takes, 0);
    assert_int_equal(maps, unmaps);
    set_at(FRONT, "state", "6");
    look();
    expect(BACK, "state", "6");
    set_at(FRONT, "state", "1");
    look();
    expect(BACK, "state", "2");
    connect_front("101", NULL);
    assert_int_equal(takes, VKBD_POINTER);
    vkbd_bus_point(bus, 9, 9, 0, 0);
    assert_int_equal(produced(1), 1);
    assert_int_equal(told, 3);
}

/* Before 4.13: the wish comes after the back-end's Connected. */
static void old_linux_driver(void **state)
{
    (void)state;
    add(BACK, FRONT);
    set_at(FRONT, "page-gref", "100");
    set_at(FRONT, "event-channel", "9");
    set_at(FRONT, "state", "3");
    look();
    expect(BACK, "state", "4");
    assert_int_equal(takes, 0);
    set_at(FRONT, "request-abs-pointer", "1");
    set_at(FRONT, "state", "4");
    look();
    assert_int_equal(takes, VKBD_POINTER);
}

static void driver_that_takes_all(void **state)
{
    (void)state;
    add(BACK, FRONT);
    connect_front("100", "1");
    assert_int_equal(takes, VKBD_POINTER | VKBD_KEYS);
    vkbd_bus_key(bus, KEY_A, true);
    assert_int_equal(produced(0), 1);
    /* The driver has looked. */
    vkbd_bus_notified(bus, 1009);
    vkbd_bus_notified(bus, 4711);
    assert_int_equal(produced(0), 1);
}

/* Positions were not asked for: such a driver gets nothing, and PS/2 goes on. */
static void relative_driver(void **state)
{
    (void)state;
    add(BACK, FRONT);
    set_at(FRONT, "page-gref", "100");
    set_at(FRONT, "event-channel", "9");
    set_at(FRONT, "request-raw-pointer", "1");
    set_at(FRONT, "state", "4");
    look();
    expect(BACK, "state", "4");
    assert_int_equal(told, 0);
    vkbd_bus_key(bus, KEY_A, true);
    vkbd_bus_point(bus, 1, 1, 0, 0);
    assert_int_equal(produced(0), 0);
}

/* What libxl may say of the device. */
static void toolstack_wishes(void **state)
{
    (void)state;
    set_at(BACK, "feature-disable-keyboard", "1");
    set_at(BACK, "width", "799");
    set_at(BACK, "height", "599");
    add(BACK, FRONT);
    expect(BACK, "feature-raw-pointer", "0");
    expect(BACK, "width", "799");
    connect_front("100", "1");
    assert_int_equal(takes, VKBD_POINTER);
    vkbd_bus_point(bus, 0x7FFF, 0x7FFF, 0, 0);
    assert_int_equal(XENKBD_IN_RING(&shared[0])[0].pos.abs_x, 799);
    assert_int_equal(XENKBD_IN_RING(&shared[0])[0].pos.abs_y, 599);

    /* A second one without a pointer; one that is the kernel's. */
    set_at("backend/vkbd/7/1", "feature-disable-pointer", "1");
    add("backend/vkbd/7/1", "/local/domain/7/device/vkbd/1");
    expect("backend/vkbd/7/1", "feature-abs-pointer", "0");
    set_at("backend/vkbd/7/2", "backend-type", "linux");
    add("backend/vkbd/7/2", "/local/domain/7/device/vkbd/2");
    expect("backend/vkbd/7/2", "state", "1");
}

static void refused(const char *name, const char *value)
{
    set_at(FRONT, name, value);
    set_at(FRONT, "state", "3");
    look();
    expect(BACK, "state", "5");
    assert_int_equal(maps, unmaps);
    assert_int_equal(binds, unbinds);
    set_at(FRONT, "state", "6");
    look();
    expect(BACK, "state", "6");
    set_at(FRONT, "state", "1");
    look();
    expect(BACK, "state", "2");
}

static void bad_front_ends(void **state)
{
    (void)state;
    add(BACK, FRONT);
    set_at(FRONT, "page-gref", "100");
    refused("event-channel", "-1");
    refused("event-channel", "51"); /* cannot be bound */
    refused("event-channel", "x");
    refused("event-channel", "99999999999999999999");
    set_at(FRONT, "event-channel", "9");
    refused("page-gref", "");
    refused("page-gref", "4294967295");
    refused("page-gref", "104"); /* is not granted */
    shared[2].page.in_prod = 9999;
    refused("page-gref", "102");
    connect_front("100", NULL); /* and one that is right */
    expect(BACK, "state", "4");
    assert_int_equal(takes, VKBD_POINTER);
    /* A ring that lies later on. */
    shared[0].page.in_cons = 4;
    vkbd_bus_point(bus, 1, 1, 0, 0);
    expect(BACK, "state", "5");
    assert_int_equal(takes, 0);
    assert_int_equal(maps, unmaps);
    look();
    expect(BACK, "state", "5"); /* until the driver starts anew */
    vkbd_bus_point(bus, 2, 1, 0, 0);
}

/* States that make no sense, in any order, bring nothing down. */
static void any_states(void **state)
{
    uint32_t seed = 1;
    char text[8];
    (void)state;
    add(BACK, FRONT);
    set_at(FRONT, "page-gref", "100");
    set_at(FRONT, "event-channel", "9");
    for (unsigned i = 0; i < 2000; i++) {
        seed = seed * 1103515245 + 12345;
        snprintf(text, sizeof(text), "%u", (seed >> 16) % 11);
        set_at(FRONT, seed & 0x800 ? "state" : "request-abs-pointer", text);
        memset(shared, 0, sizeof(shared));
        look();
        vkbd_bus_point(bus, (int)(seed & 0x7FFF), 1, 0, seed & 7);
        assert_in_range(maps - unmaps, 0, 1);
        assert_int_equal(maps - unmaps, binds - unbinds);
    }
}

static void toolstack_takes_it_away(void **state)
{
    (void)state;
    add(BACK, FRONT);
    connect_front("100", NULL);
    set_at(BACK, "online", "0");
    set_at(BACK, "state", "5");
    look();
    assert_int_equal(takes, 0);
    set_at(FRONT, "state", "5");
    look();
    set_at(FRONT, "state", "6");
    look();
    expect(BACK, "state", "6");
    remove_all(BACK);
    look();
    add(BACK, FRONT);
    expect(BACK, "state", "2");
}

/* Another domain's paths are not looked at; a second keyboard waits its turn. */
static void others(void **state)
{
    (void)state;
    add(BACK, "/local/domain/8/device/vkbd/0");
    expect(BACK, "state", "1");
    add("backend/vkbd/7/1", "/local/domain/7/device/vkbd/1/../../../../8");
    set_at("backend/vkbd/7/nonsense", "state", "1");
    look();
    remove_all(BACK);
    look();
    add(BACK, FRONT);
    connect_front("100", NULL);
    assert_int_equal(takes, VKBD_POINTER);
}

static void screens_are_closed(void **state)
{
    (void)state;
    set_at("backend/vfb/7/0", "frontend", "/local/domain/7/device/vfb/0");
    set_at("backend/vfb/7/0", "state", "1");
    look();
    expect("backend/vfb/7/0", "state", "6");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(linux_driver),       TEST(old_linux_driver),        TEST(driver_that_takes_all),
        TEST(relative_driver),    TEST(toolstack_wishes),        TEST(bad_front_ends),
        TEST(any_states),         TEST(toolstack_takes_it_away), TEST(others),
        TEST(screens_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
