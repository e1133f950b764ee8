/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of hw/xen/blkback_bus.c against a xenstore of our own, in the place of hw/xen/xenbus.c: the
 * toolstack's and the front-end's steps, and what neither should do. */
#include "tests/unit/block_rig.h"

#include "hw/xen/blkback_bus.h"
#include "tests/unit/xenstore_fake.h"

#define BACK  "backend/qdisk/7/51712"
#define FRONT "/local/domain/7/device/vbd/51712"

/* --- Xen --- */

static uint8_t pages[32][4096] __attribute__((aligned(4096))); /* granted as 100 + n */
static unsigned maps, unmaps, binds, unbinds, notified;

static void *door_map(void *opaque, const uint32_t *refs, unsigned count, bool writable)
{
    (void)opaque;
    (void)writable;
    if (refs[0] < 100 || refs[0] + count > 132) {
        errno = EINVAL;
        return NULL;
    }
    maps += count;
    return pages[refs[0] - 100];
}

static void door_unmap(void *opaque, void *where, unsigned count)
{
    (void)opaque;
    (void)where;
    unmaps += count;
}

static bool door_copy(void *opaque, const struct blkback_piece *p, unsigned count, bool to_guest)
{
    (void)opaque;
    for (unsigned i = 0; i < count; i++) {
        if (p[i].ref < 100 || p[i].ref >= 132)
            return false;
        uint8_t *page = pages[p[i].ref - 100] + p[i].offset;
        memcpy(to_guest ? page : p[i].local, to_guest ? p[i].local : page, p[i].bytes);
    }
    return true;
}

static void door_notify(void *opaque, uint32_t port)
{
    (void)opaque;
    assert_in_range(port, 1000, 1100);
    notified++;
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
    assert_in_range(local, 1000, 1100);
    unbinds++;
}

static const struct blkback_bus_doors doors = {
    .disk = {.map = door_map, .unmap = door_unmap, .copy = door_copy, .notify = door_notify},
    .bind = door_bind,
    .unbind = door_unbind,
};

/* --- a rig --- */

static struct blkback_bus *bus;
static struct block_rig *rig;

static int setup(void **state)
{
    forget_keys();
    memset(pages, 0, sizeof(pages));
    maps = unmaps = binds = unbinds = notified = 0;
    int rc = block_rig_setup(state);
    rig = *state;
    return rc;
}

static int teardown(void **state)
{
    blkback_bus_close(bus);
    bus = NULL;
    assert_int_equal(maps, unmaps);
    assert_int_equal(binds, unbinds);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(*watches[i], 0);
    return block_rig_teardown(state);
}

static void open_bus(uint32_t emulated)
{
    bus = blkback_bus_open(rig->loop, NULL, 7, emulated, &doors, &rig->err);
    assert_non_null(bus);
}

static void look(void)
{
    /* Told once; what comes while it looks it must find by itself. */
    assert_true(blkback_bus_look(bus));
    for (unsigned i = 0; i < 20; i++)
        loop_turn(rig->loop, 0);
    assert_int_equal(events, 0); /* it comes to rest */
}

/* libxl's keys. */
static void add_back(const char *type, const char *mode, const char *params)
{
    set_at(BACK, "frontend", FRONT);
    set_at(BACK, "params", params);
    set_at(BACK, "device-type", type);
    set_at(BACK, "mode", mode);
    set_at(BACK, "dev", "xvda");
    set_at(BACK, "online", "1");
    set_at(BACK, "discard-enable", "1");
    set_at(BACK, "direct-io-safe", "0");
    set_at(BACK, "state", "1");
    set_at(FRONT, "state", "1");
}

static void add_file(const char *type, const char *mode, size_t bytes)
{
    char params[600];
    snprintf(params, sizeof(params), "aio:%s", rig_image(rig, "pv", bytes, true));
    add_back(type, mode, params);
}

static void front_connects(void)
{
    set_at(FRONT, "ring-ref", "100");
    set_at(FRONT, "event-channel", "5");
    set_at(FRONT, "protocol", "x86_64-abi");
    set_at(FRONT, "state", "3");
}

static const char *back(const char *name)
{
    char path[XENBUS_PATH_MAX];
    snprintf(path, sizeof(path), BACK "/%s", name);
    char *value = key(path);
    return value ? value : "(none)";
}

/* One read of a sector through the ring at pages[0]. */
static void read_sector(uint32_t index, uint64_t sector)
{
    uint8_t *e = pages[0] + 64 + (index % 32) * 112, expected[512];
    uint32_t ref = 120, next = index + 1;
    memset(e, 0, 112);
    e[1] = 1;
    memcpy(e + 16, &sector, 8);
    memcpy(e + 24, &ref, 4);
    memcpy(pages[0] + 12, &next, 4);
    memcpy(pages[0], &next, 4);
    blkback_bus_notified(bus, 1005);
    uint32_t done = 0;
    while (done != next) {
        loop_turn(rig->loop, NS_PER_S);
        memcpy(&done, pages[0] + 8, 4);
    }
    rig_fill(expected, sector * 512, 512);
    assert_memory_equal(pages[20], expected, 512);
}

static void test_life(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    look();
    assert_string_equal(back("state"), "2");
    assert_string_equal(back("feature-flush-cache"), "1");
    assert_string_equal(back("feature-persistent"), "1");
    assert_string_equal(back("feature-max-indirect-segments"), "256");
    assert_string_equal(back("max-ring-page-order"), "4");
    assert_string_equal(back("multi-queue-max-queues"), "4");
    assert_string_equal(back("feature-discard"), "1");
    front_connects();
    look();
    assert_string_equal(back("state"), "4");
    assert_string_equal(back("sectors"), "2048");
    assert_string_equal(back("sector-size"), "512");
    assert_string_equal(back("info"), "0");
    set_at(FRONT, "state", "4");
    look();
    read_sector(0, 3);
    read_sector(1, 2047);
    assert_true(notified > 0);

    /* The guest's driver goes and comes again (kexec, module). */
    set_at(FRONT, "state", "5");
    look();
    assert_string_equal(back("state"), "5");
    set_at(FRONT, "state", "6");
    look();
    assert_string_equal(back("state"), "6");
    assert_int_equal(maps, unmaps);
    set_at(FRONT, "state", "1");
    look();
    assert_string_equal(back("state"), "2");
    memset(pages[0], 0, 4096);
    front_connects();
    look();
    assert_string_equal(back("state"), "4");
    read_sector(0, 77);

    /* block-detach. */
    set_at(BACK, "online", "0");
    set_at(BACK, "state", "5");
    look();
    assert_string_equal(back("state"), "5");
    set_at(FRONT, "state", "5");
    look();
    set_at(FRONT, "state", "6");
    look();
    assert_string_equal(back("state"), "6");
    remove_all(BACK);
    look();
}

static void test_detach_without_driver(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    look();
    set_at(BACK, "online", "0");
    set_at(BACK, "state", "5");
    look();
    assert_string_equal(back("state"), "6");
}

/* The front-end was quicker. */
static void test_front_first(void **state)
{
    (void)state;
    add_file("disk", "w", 1 << 20);
    front_connects();
    open_bus(0);
    look();
    assert_string_equal(back("state"), "4");
    read_sector(0, 1);
}

static void test_removed_while_connected(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    front_connects();
    look();
    remove_all(BACK);
    look();
    assert_int_equal(maps, unmaps);
}

static void test_waits_for_unplug(void **state)
{
    (void)state;
    open_bus(1 << 0);
    add_file("disk", "w", 1 << 20);
    look();
    front_connects();
    look();
    assert_string_equal(back("state"), "2");
    assert_int_equal(maps, 0);
    blkback_bus_released(bus, 1 << 1);
    assert_string_equal(back("state"), "2");
    blkback_bus_released(bus, 1 << 0);
    assert_string_equal(back("state"), "4");
    look();
    read_sector(0, 5);
}

/* block_resize: a connected front-end is told, one that is not finds the new size. */
static void test_resize(void **state)
{
    (void)state;
    open_bus(1 << 1);
    assert_false(blkback_bus_resize(bus, 0, "", 2 << 20, &rig->err));
    assert_non_null(strstr(rig->err.text, "no PV disk"));
    add_file("disk", "w", 1 << 20);
    look();
    assert_true(blkback_bus_resize(bus, -1, "xvda", 2 << 20, &rig->err));
    assert_string_equal(back("sectors"), "(none)");
    front_connects();
    look();
    assert_string_equal(back("sectors"), "4096");
    set_at(FRONT, "state", "4");
    look();
    read_sector(0, 2047);
    unsigned unmapped = unmaps;
    set_at(BACK, "state", "9"); /* is it written anew? */
    assert_true(blkback_bus_resize(bus, 0, "", 3 << 20, &rig->err));
    assert_string_equal(back("sectors"), "6144");
    assert_string_equal(back("state"), "4");
    look();
    assert_int_equal(unmaps, unmapped); /* its rings go on where they are */
    read_sector(1, 77);
    assert_false(blkback_bus_resize(bus, 0, "", 1 << 20, &rig->err));
    assert_non_null(strstr(rig->err.text, "shorter"));
    assert_string_equal(back("sectors"), "6144");
    assert_false(blkback_bus_resize(bus, -1, "xvdb", 3 << 20, &rig->err));
    assert_non_null(strstr(rig->err.text, "xvdb"));
}

static void test_cd(void **state)
{
    char params[600];
    (void)state;
    open_bus(1 << 0); /* a CD may be there twice: nobody writes to it */
    add_file("cdrom", "r", 1 << 20);
    front_connects();
    look();
    assert_string_equal(back("info"), "7");
    assert_string_equal(back("feature-discard"), "(none)");
    read_sector(0, 9);
    /* xl cd-insert */
    snprintf(params, sizeof(params), "aio:%s", rig_image(rig, "second", 1 << 19, true));
    set_at(BACK, "params", params);
    look();
    assert_string_equal(back("state"), "4");
    assert_string_equal(back("sectors"), "1024");
    read_sector(1, 1023);
    /* taken out */
    set_at(BACK, "params", "");
    look();
    assert_string_equal(back("state"), "5");
}

static void test_empty_cd(void **state)
{
    (void)state;
    open_bus(0);
    add_back("cdrom", "r", "");
    front_connects();
    look();
    assert_string_equal(back("state"), "2");
}

static void test_read_only(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "r", 1 << 20);
    front_connects();
    look();
    assert_string_equal(back("info"), "4");
    assert_string_equal(back("state"), "4");
}

static void test_queues_and_pages(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    look();
    set_at(FRONT, "multi-queue-num-queues", "2");
    set_at(FRONT, "ring-page-order", "1");
    set_at(FRONT, "queue-0/ring-ref0", "100");
    set_at(FRONT, "queue-0/ring-ref1", "101");
    set_at(FRONT, "queue-0/event-channel", "5");
    set_at(FRONT, "queue-1/ring-ref0", "102");
    set_at(FRONT, "queue-1/ring-ref1", "103");
    set_at(FRONT, "queue-1/event-channel", "6");
    set_at(FRONT, "state", "3");
    look();
    assert_string_equal(back("state"), "4");
    assert_int_equal(maps, 4);
    assert_int_equal(binds, 2);
}

static void test_hostile_front(void **state)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"protocol", "x86_64-abi; rm -rf"},
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "5"},
        {"multi-queue-num-queues", "4294967296"},
        {"ring-page-order", "5"},
        {"ring-page-order", "4294967295"},
        {"ring-page-order", "1"},
        {"ring-ref", "-1"},
        {"ring-ref", "99"},
        {"ring-ref", "18446744073709551616"},
        {"ring-ref", ""},
        {"event-channel", "51"},
        {"event-channel", "x"},
    };
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    look();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        remove_all(FRONT);
        front_connects();
        set_at(FRONT, cases[i].name, cases[i].value);
        look();
        if (strcmp(back("state"), "5"))
            fail_msg("%s=%s: state %s", cases[i].name, cases[i].value, back("state"));
        assert_int_equal(maps, unmaps);
        assert_int_equal(binds, unbinds);
        set_at(FRONT, "state", "6");
        look();
        set_at(FRONT, "state", "1");
        look();
        assert_string_equal(back("state"), "2");
    }
    /* States that are none. */
    static const char *const states[] = {"9", "-1", "4294967300", "", "x"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        set_at(FRONT, "state", states[i]);
        look();
        assert_string_equal(back("state"), "2");
    }
}

static void test_broken_ring(void **state)
{
    (void)state;
    open_bus(0);
    add_file("disk", "w", 1 << 20);
    front_connects();
    look();
    uint32_t bad = 0x12345678;
    memcpy(pages[0], &bad, 4);
    blkback_bus_notified(bus, 1005);
    look();
    assert_string_equal(back("state"), "5");
    blkback_bus_notified(bus, 1005);
    blkback_bus_notified(bus, 77);
}

static void test_refused_images(void **state)
{
    static const char *const params[] = {"aio:/nonexistent/image", "qed:/x", "vmdk:/y", "nothing",
                                         "aio:"};
    (void)state;
    open_bus(0);
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        add_back("disk", "w", params[i]);
        look();
        assert_string_equal(back("state"), "6");
        set_at(FRONT, "state", "3");
        look();
        assert_string_equal(back("state"), "6");
        remove_all(BACK);
        look();
    }
}

/* Only our own domain's front-ends are looked at. */
static void test_others_front(void **state)
{
    static const char *const fronts[] = {"/local/domain/8/device/vbd/51712", "/local/domain/77/x",
                                         "", "/vm", "/local/domain/7//x"};
    (void)state;
    open_bus(0);
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        add_file("disk", "w", 1 << 20);
        set_at(BACK, "frontend", fronts[i]);
        look();
        assert_string_equal(back("state"), "1");
        remove_all(BACK);
        look();
    }
}

static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(blkback_disk_number(768), 0);    /* hda */
    assert_int_equal(blkback_disk_number(832), 1);    /* hdb */
    assert_int_equal(blkback_disk_number(5632), 2);   /* hdc */
    assert_int_equal(blkback_disk_number(5696), 3);   /* hdd */
    assert_int_equal(blkback_disk_number(51712), 0);  /* xvda */
    assert_int_equal(blkback_disk_number(51728), 1);  /* xvdb */
    assert_int_equal(blkback_disk_number(51952), 15); /* xvdp */
    assert_int_equal(blkback_disk_number(51713), -1); /* xvda1 */
    assert_int_equal(blkback_disk_number(769), -1);   /* hda1 */
    assert_int_equal(blkback_disk_number(2048), -1);  /* sda */
    assert_int_equal(blkback_disk_number(268439552), 16);
    assert_int_equal(blkback_disk_number(268439553), -1);
    assert_int_equal(blkback_disk_number(0), -1);
    assert_int_equal(blkback_disk_number(UINT32_MAX), -1);
}

int main(void)
{
#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG(test_life),
        RIG(test_detach_without_driver),
        RIG(test_front_first),
        RIG(test_removed_while_connected),
        RIG(test_waits_for_unplug),
        RIG(test_resize),
        RIG(test_cd),
        RIG(test_empty_cd),
        RIG(test_read_only),
        RIG(test_queues_and_pages),
        RIG(test_hostile_front),
        RIG(test_broken_ring),
        RIG(test_refused_images),
        RIG(test_others_front),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
