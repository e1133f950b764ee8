/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xHCI as a driver uses it: rings in memory, slots, control and interrupt transfers, ports; and
 * what no driver does. Sections are those of xHCI 1.2. */
#include "tests/device/rig.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "hw/pc/usb_set.h"
#include "hw/pc/xhci.h"
#include "ui/input.h"

#define SLOT 5
#define MMIO UINT64_C(0xF1000000)

#define PORTS    4 /* of each protocol */
#define DCBAA    0x10000u
#define ERST     0x10800u
#define EVENTS   0x11000u
#define COMMANDS 0x12000u
#define CONTEXTS 0x14000u /* of slot n: n KiB further */
#define INPUT    0x13000u
#define RINGS    0x20000u /* of slot n, endpoint e: n * 0x8000 + e * 0x400 */
#define BUFFER   0x60000u

#define EVENT_COUNT 16u
#define RING_COUNT  16u

enum {
    OP = 0x40,
    CMD = OP,
    STS = OP + 4,
    CRCR = OP + 0x18,
    DCBAAP = OP + 0x30,
    CONFIG = OP + 0x38
};
enum { IMAN = 0x1020, ERSTSZ = 0x1028, ERSTBA = 0x1030, ERDP = 0x1038, DOORBELL = 0x2000 };
#define PORTSC(i) (0x440u + 0x10u * ((i)-1))

enum { NORMAL = 1, SETUP, DATA, STATUS, LINK = 6, EVENT_DATA, NOOP };
enum {
    ENABLE = 9,
    DISABLE,
    ADDRESS,
    CONFIGURE,
    EVALUATE,
    RESET_EP,
    STOP_EP,
    SET_DEQUEUE,
    RESET_DEV
};
#define TYPE(t)  ((uint32_t)(t) << 10)
#define IOC      0x20u
#define IDT      0x40u
#define CHAIN    0x10u
#define ISP      0x04u
#define DIR_IN   0x10000u
#define ON(s)    ((uint32_t)(s) << 24)
#define EP(dci)  ((uint32_t)(dci) << 16)
#define NO_EVENT 0xFFu

struct ring {
    uint32_t base, at, cycle;
};

static struct test {
    struct rig *rig;
    struct xhci *xhci;
    struct usb_set *set;
    struct input *input;
    struct ring commands, ring[17][4];
    uint32_t event_at, event_cycle;
    uint64_t parameter; /* of the last event */
    uint32_t status, control;
} t;

static void put32(uint32_t at, uint32_t v)
{
    memcpy(t.rig->hv->ram + at, &v, 4);
}

static uint32_t get32(uint32_t at)
{
    uint32_t v;
    memcpy(&v, t.rig->hv->ram + at, 4);
    return v;
}

static void out(uint32_t reg, uint32_t v)
{
    rig_mem_write(t.rig, MMIO + reg, 4, v);
}

static uint32_t in(uint32_t reg)
{
    return (uint32_t)rig_mem_read(t.rig, MMIO + reg, 4);
}

static int setup_with(bool nec)
{
    struct err err;
    memset(&t, 0, sizeof(t));
    t.rig = rig_new();
    t.input = input_new();
    t.set = usb_set_new(&t.rig->clock, t.input, &t.rig->devices);
    const struct xhci_config config = {
        .devfn = PCI_DEVFN(SLOT, 0), .nec = nec, .usb2 = PORTS, .usb3 = PORTS};
    t.xhci = xhci_realize(t.rig->pci, t.rig->dma, &t.rig->clock, &t.rig->devices, &config, &err);
    assert_non_null(t.xhci);
    struct usb_port *ports[PORTS];
    for (unsigned i = 0; i < PORTS; i++)
        ports[i] = xhci_port(t.xhci, i);
    assert_true(usb_set_add_bus(t.set, "usb.0", ports, PORTS, &err));
    devices_reset(&t.rig->devices);
    rig_pci_write(t.rig, SLOT, 0, 0x10, 4, (uint32_t)MMIO);
    rig_pci_write(t.rig, SLOT, 0, 0x04, 2, 6);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(false);
}

static int teardown(void **state)
{
    (void)state;
    usb_set_free(t.set);
    rig_free(t.rig);
    input_free(t.input);
    return 0;
}

static void plug(enum config_usb_kind kind, const char *id, const char *port)
{
    struct err err;
    const struct config_usb_device what = {
        .kind = kind, .id = (char *)(uintptr_t)id, .port = (char *)(uintptr_t)port};
    assert_true(usb_set_plug(t.set, &what, &err));
}

/* Rings made, and running (4.2). */
static void start(void)
{
    put32(ERST, EVENTS);
    put32(ERST + 8, EVENT_COUNT);
    t.commands = (struct ring){COMMANDS, 0, 1};
    t.event_at = 0;
    t.event_cycle = 1;
    memset(t.rig->hv->ram + EVENTS, 0, EVENT_COUNT * 16);
    memset(t.rig->hv->ram + COMMANDS, 0, RING_COUNT * 16);
    out(CONFIG, 8);
    out(DCBAAP, DCBAA);
    out(CRCR, COMMANDS | 1);
    out(ERSTSZ, 1);
    out(ERDP, EVENTS);
    out(ERSTBA, ERST);
    out(IMAN, 2);
    out(CMD, 5);
    assert_int_equal(in(STS)&1, 0);
}

static void put_trb(struct ring *r, uint32_t low, uint32_t status, uint32_t control)
{
    const uint32_t at = r->base + r->at * 16;
    put32(at, low);
    put32(at + 4, 0);
    put32(at + 8, status);
    put32(at + 12, control | r->cycle);
    if (++r->at == RING_COUNT - 1) { /* and round */
        put32(r->base + r->at * 16, r->base);
        put32(r->base + r->at * 16 + 4, 0);
        put32(r->base + r->at * 16 + 8, 0);
        put32(r->base + r->at * 16 + 12, TYPE(LINK) | 2 | (control & CHAIN) | r->cycle);
        r->at = 0;
        r->cycle ^= 1;
    }
}

/* Takes the next event; its completion code, or NO_EVENT. */
static unsigned event(void)
{
    const uint32_t at = EVENTS + t.event_at * 16;
    if ((get32(at + 12) & 1) != t.event_cycle)
        return NO_EVENT;
    t.parameter = get32(at) | (uint64_t)get32(at + 4) << 32;
    t.status = get32(at + 8);
    t.control = get32(at + 12);
    if (++t.event_at == EVENT_COUNT) {
        t.event_at = 0;
        t.event_cycle ^= 1;
    }
    out(ERDP, (EVENTS + t.event_at * 16) | 8);
    return t.status >> 24;
}

static unsigned event_type(void)
{
    return t.control >> 10 & 0x3F;
}

static unsigned command(uint32_t low, uint32_t control)
{
    const uint32_t at = t.commands.base + t.commands.at * 16;
    put_trb(&t.commands, low, 0, control);
    out(DOORBELL, 0);
    unsigned code = event();
    while (code != NO_EVENT && event_type() != 33)
        code = event();
    if (code != NO_EVENT)
        assert_int_equal(t.parameter, at);
    return code;
}

static uint32_t context(unsigned slot, unsigned dci)
{
    return CONTEXTS + slot * 0x400 + dci * 32;
}

static struct ring *new_ring(unsigned slot, unsigned dci)
{
    struct ring *r = &t.ring[slot][dci];
    *r = (struct ring){RINGS + slot * 0x8000 + dci * 0x400, 0, 1};
    memset(t.rig->hv->ram + r->base, 0, RING_COUNT * 16);
    return r;
}

static void put_input(unsigned slot, unsigned port, uint32_t add, unsigned dci, unsigned type)
{
    memset(t.rig->hv->ram + INPUT, 0, 33 * 32);
    put32(INPUT + 4, add);
    put32(INPUT + 32, 1u << 27);
    put32(INPUT + 36, port << 16);
    put32(INPUT + 32 + dci * 32 + 4, 8u << 16 | type << 3 | 3 << 1);
    put32(INPUT + 32 + dci * 32 + 8, new_ring(slot, dci)->base | 1);
}

static void reset_port(unsigned port)
{
    out(PORTSC(port), 0x210);
    assert_int_equal(in(PORTSC(port)) & 0x2001F3, 0x200003);
    out(PORTSC(port), 0x200 | 0xFE0000);
    assert_int_equal(in(PORTSC(port)) & 0xFE0000, 0);
}

/* A slot for what is at this port, addressed; the slot's number. */
static unsigned address(unsigned port)
{
    reset_port(port);
    assert_int_equal(command(0, TYPE(ENABLE)), 1);
    const unsigned slot = t.control >> 24;
    put32(DCBAA + slot * 8, CONTEXTS + slot * 0x400);
    memset(t.rig->hv->ram + context(slot, 0), 0, 0x400);
    put_input(slot, port, 3, 1, 4);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(slot)), 1);
    return slot;
}

/* A control transfer; completion code of its last event, bytes missing in t.status. */
static unsigned control(unsigned slot, uint8_t type, uint8_t request, unsigned value, unsigned len)
{
    struct ring *r = &t.ring[slot][1];
    const bool is_in = type & 0x80;
    const uint32_t at = r->base + r->at * 16;
    put_trb(r, type | (uint32_t)request << 8 | value << 16, 8, TYPE(SETUP) | IDT);
    put32(at + 4, len << 16);
    if (len)
        put_trb(r, BUFFER, len, TYPE(DATA) | (is_in ? DIR_IN | ISP : 0));
    put_trb(r, 0, 0, TYPE(STATUS) | IOC | (is_in && len ? 0 : DIR_IN));
    out(DOORBELL + slot * 4, 1);
    unsigned code = event(), last = code;
    uint32_t status = t.status;
    while (code != NO_EVENT) {
        assert_int_equal(event_type(), 32);
        assert_int_equal(t.control >> 24, slot);
        if (code == 13)
            status = t.status;
        last = code;
        code = event();
    }
    t.status = status;
    return last;
}

/* Configuration 1, with endpoint 1 IN. */
static unsigned configured(unsigned port)
{
    const unsigned slot = address(port);
    assert_int_equal(control(slot, 0x00, 9, 1, 0), 1);
    put_input(slot, port, 1 | 1u << 3, 3, 7);
    assert_int_equal(command(INPUT, TYPE(CONFIGURE) | ON(slot)), 1);
    assert_int_equal(get32(context(slot, 0) + 12), 3u << 27 | slot);
    assert_int_equal(get32(context(slot, 3)) & 7, 1);
    return slot;
}

/* ---- Registers ---- */

static void registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0, 4), 0x000D1B36);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 8, 4), 0x0C033001);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0x60, 1), 0x30);
    assert_int_equal(in(0x00), 0x01000040);
    assert_int_equal(rig_mem_read(t.rig, MMIO, 1), 0x40);
    assert_int_equal(rig_mem_read(t.rig, MMIO + 2, 2), 0x0100);
    assert_int_equal(in(0x04), 8u << 24 | 1 << 8 | 16);
    assert_int_equal(in(0x10) >> 16, 8);
    assert_int_equal(in(0x20), 0x02000402);
    assert_int_equal(in(0x28), 0x0401);
    assert_int_equal(in(0x30), 0x03000002);
    assert_int_equal(in(0x38), 0x0405);
    assert_int_equal(in(CMD), 0);
    assert_int_equal(in(STS), 1);
    assert_int_equal(in(OP + 8), 1);
    for (unsigned i = 1; i <= 8; i++)
        assert_int_equal(in(PORTSC(i)), 0x2A0);
    assert_int_equal(in(0x3FFC), 0);
    out(CONFIG, 0xFFFFFFFF);
    assert_int_equal(in(CONFIG), 16);
    out(DCBAAP, 0xFFFFFFFF);
    out(DCBAAP + 4, 0x12345678);
    assert_int_equal(in(DCBAAP), 0xFFFFFFC0);
    assert_int_equal(in(DCBAAP + 4), 0x12345678);
    rig_mem_write(t.rig, MMIO + DCBAAP, 1, 0); /* not whole: nothing */
    assert_int_equal(in(DCBAAP), 0xFFFFFFC0);
    out(CMD, 2);
    assert_int_equal(in(DCBAAP), 0);
    assert_int_equal(in(CONFIG), 0);
    teardown(NULL);
    setup_with(true);
    assert_int_equal(rig_pci_read(t.rig, SLOT, 0, 0, 4), 0x01941033);
}

static void the_frame_counter_runs(void **state)
{
    (void)state;
    start();
    const uint32_t before = in(0x1000);
    rig_step(t.rig, 10 * NS_PER_MS);
    assert_int_equal(in(0x1000), (before + 80) & 0x3FFF);
}

/* ---- Ports ---- */

static void ports_tell_by_events(void **state)
{
    struct err err;
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "2");
    start(); /* what was there before is told */
    assert_int_equal(event(), 1);
    assert_int_equal(event_type(), 34);
    assert_int_equal(t.parameter, 2u << 24);
    assert_int_equal(in(STS)&0x10, 0x10);
    assert_int_equal(event(), NO_EVENT);
    assert_int_equal(in(PORTSC(2)) & 0x203FF, 0x202E1); /* connected, not enabled, polling */
    out(PORTSC(2), 0x20200);
    assert_int_equal(in(PORTSC(2)) & 0x20000, 0);
    reset_port(2);
    assert_int_equal(event(), 1);
    assert_int_equal(t.parameter, 2u << 24);
    assert_true(usb_set_unplug(t.set, "k", &err));
    assert_int_equal(event(), 1);
    assert_int_equal(in(PORTSC(2)), 0x202A0);
    out(PORTSC(2), 0x20200);
    plug(CONFIG_USB_TABLET, "t", "4");
    assert_int_equal(event(), 1);
    assert_int_equal(t.parameter, 4u << 24);
    /* Disabled, and asleep and awake. */
    reset_port(4);
    out(PORTSC(4), 0x10000 | 3 << 5 | 0x200);
    assert_int_equal(in(PORTSC(4)) >> 5 & 0xF, 3);
    out(PORTSC(4), 0x10000 | 15 << 5 | 0x200);
    out(PORTSC(4), 0x10000 | 0 << 5 | 0x200);
    assert_int_equal(in(PORTSC(4)) & 0x4001E0, 0x400000);
    out(PORTSC(4), 0x202);
    assert_int_equal(in(PORTSC(4)) & 2, 0);
    /* A port of the other protocol is empty for good. */
    out(PORTSC(8), 0x210);
    assert_int_equal(in(PORTSC(8)), 0x2A0);
}

/* ---- Commands ---- */

static void slots_are_given_and_taken_back(void **state)
{
    (void)state;
    start();
    for (unsigned i = 1; i <= 8; i++) {
        assert_int_equal(command(0, TYPE(ENABLE)), 1);
        assert_int_equal(t.control >> 24, i);
    }
    assert_int_equal(command(0, TYPE(ENABLE)), 9); /* CONFIG says 8 */
    assert_int_equal(command(0, TYPE(DISABLE) | ON(3)), 1);
    assert_int_equal(command(0, TYPE(DISABLE) | ON(3)), 11);
    assert_int_equal(command(0, TYPE(DISABLE) | ON(200)), 11);
    assert_int_equal(command(0, TYPE(ENABLE)), 1);
    assert_int_equal(t.control >> 24, 3);
    assert_int_equal(command(0, TYPE(23)), 1); /* no op: the rings have gone round by now */
    assert_int_equal(command(0, TYPE(60)), 5);
    assert_int_equal(command(0, TYPE(STOP_EP) | ON(3) | EP(1)), 19);
    assert_int_equal(command(INPUT, TYPE(CONFIGURE) | ON(3)), 19);
    assert_int_equal(command(0, TYPE(RESET_DEV) | ON(3)), 19);
    /* Stop of the ring (4.6.1.1): an event, and it stands. */
    assert_int_equal(in(CRCR), 8);
    out(CRCR, 2);
    assert_int_equal(event(), 24);
    assert_int_equal(in(CRCR), 0);
}

static void addressing_asks_for_much(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    event();
    assert_int_equal(command(0, TYPE(ENABLE)), 1);
    put32(DCBAA + 8, CONTEXTS + 0x400);
    put_input(1, 1, 3, 1, 4);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 4); /* the port is off */
    reset_port(1);
    put32(INPUT + 4, 1);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 17); /* no endpoint 0 */
    put_input(1, 9, 3, 1, 4);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 17); /* no such port */
    put_input(1, 0, 3, 1, 4);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 17);
    put_input(1, 1, 3, 1, 4);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1) | 0x200), 1); /* BSR: default */
    assert_int_equal(get32(context(1, 0) + 12), 1u << 27);
    assert_int_equal(control(1, 0x80, 6, 0x0100, 8), 1);
    assert_int_equal(get32(BUFFER) & 0xFFFF, 0x0112);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 1);
    assert_int_equal(get32(context(1, 0) + 12), 2u << 27 | 1);
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(1)), 19); /* it has one */
    /* Another packet size for endpoint 0. */
    put_input(1, 1, 2, 1, 4);
    put32(INPUT + 64 + 4, 64u << 16);
    assert_int_equal(command(INPUT, TYPE(EVALUATE) | ON(1)), 1);
    assert_int_equal(get32(context(1, 1) + 4) >> 16, 64);
    put_input(1, 1, 4, 1, 4);
    assert_int_equal(command(INPUT, TYPE(EVALUATE) | ON(1)), 17);
}

/* ---- Transfers ---- */

static void descriptors_are_read(void **state)
{
    (void)state;
    plug(CONFIG_USB_TABLET, "t", "3");
    start();
    event();
    const unsigned slot = address(3);
    assert_int_equal(control(slot, 0x80, 6, 0x0100, 18), 1);
    assert_int_equal(t.rig->hv->ram[BUFFER], 18);
    assert_int_equal(t.rig->hv->ram[BUFFER + 1], 1);
    /* More than there is: the status stage follows, and what is missing is said. */
    memset(t.rig->hv->ram + BUFFER, 0xEE, 64);
    assert_int_equal(control(slot, 0x80, 6, 0x0100, 40), 1);
    assert_int_equal(t.status & 0xFFFFFF, 40 - 18);
    assert_int_equal(t.rig->hv->ram[BUFFER + 17], 1);
    assert_int_equal(t.rig->hv->ram[BUFFER + 18], 0xEE);
    /* What is not served is stalled; the endpoint halts, and comes back. */
    assert_int_equal(control(slot, 0x80, 6, 0x7700, 8), 6);
    assert_int_equal(get32(context(slot, 1)) & 7, 2);
    assert_int_equal(control(slot, 0x80, 6, 0x0100, 8), NO_EVENT);
    assert_int_equal(command(0, TYPE(RESET_EP) | ON(slot) | EP(1)), 1);
    assert_int_equal(get32(context(slot, 1)) & 7, 3);
    const uint32_t base = new_ring(slot, 1)->base;
    assert_int_equal(command(base | 1, TYPE(SET_DEQUEUE) | ON(slot) | EP(1)), 1);
    assert_int_equal(control(slot, 0x80, 6, 0x0100, 18), 1);
    assert_int_equal(command(base | 1, TYPE(SET_DEQUEUE) | ON(slot) | EP(1)), 19); /* it runs */
    assert_int_equal(command(0, TYPE(RESET_EP) | ON(slot) | EP(1)), 19);
    assert_int_equal(command(0, TYPE(STOP_EP) | ON(slot) | EP(2)), 12);
    /* Many, so that the rings go round. */
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(control(slot, 0x80, 6, 0x0100, 18), 1);
}

static void a_data_stage_may_come_in_pieces(void **state)
{
    (void)state;
    plug(CONFIG_USB_TABLET, "t", "3");
    start();
    event();
    const unsigned slot = address(3);
    struct ring *r = &t.ring[slot][1];
    const uint32_t at = r->base + r->at * 16;
    put_trb(r, 0x01000680, 8, TYPE(SETUP) | IDT);
    put32(at + 4, 18u << 16);
    put_trb(r, BUFFER, 8, TYPE(DATA) | DIR_IN | CHAIN);
    put_trb(r, BUFFER + 0x100, 10, TYPE(NORMAL) | CHAIN);
    put_trb(r, 0x1234560, 0, TYPE(EVENT_DATA) | IOC);
    put_trb(r, 0, 0, TYPE(STATUS) | IOC);
    out(DOORBELL + slot * 4, 1);
    assert_int_equal(event(), 1);
    assert_int_equal(t.parameter, 0x1234560);
    assert_int_equal(t.control & 4, 4);        /* event data */
    assert_int_equal(t.status & 0xFFFFFF, 18); /* what moved */
    assert_int_equal(event(), 1);
    assert_int_equal(t.rig->hv->ram[BUFFER], 18);
    assert_int_equal(t.rig->hv->ram[BUFFER + 0x100 + 9], 1); /* one configuration */
}

static void keys_come_when_they_are_pressed(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    event();
    const unsigned slot = configured(1);
    struct ring *r = &t.ring[slot][3];
    put_trb(r, BUFFER, 8, TYPE(NORMAL) | IOC | ISP);
    put_trb(r, BUFFER + 8, 8, TYPE(NORMAL) | IOC | ISP);
    out(DOORBELL + slot * 4, 3);
    rig_step(t.rig, 100 * NS_PER_MS);
    assert_int_equal(event(), NO_EVENT);
    input_key(t.input, KEY_A, true);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 1);
    assert_int_equal(t.control >> 16 & 0x1F, 3);
    assert_int_equal(t.parameter, r->base);
    assert_int_equal(t.rig->hv->ram[BUFFER + 2], 0x04);
    input_key(t.input, KEY_A, false);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 1);
    assert_int_equal(t.rig->hv->ram[BUFFER + 10], 0);
    /* A buffer that is no multiple of the packets overflows. */
    put_trb(r, BUFFER, 4, TYPE(NORMAL) | IOC);
    out(DOORBELL + slot * 4, 3);
    input_key(t.input, KEY_B, true);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 3);
    assert_int_equal(get32(context(slot, 3)) & 7, 2);
}

/* A short packet ends the transfer; the rest of its TD is skipped, and told (4.10.1.1). */
static void short_packets_end_a_transfer(void **state)
{
    (void)state;
    plug(CONFIG_USB_TABLET, "t", "1");
    start();
    event();
    const unsigned slot = configured(1);
    struct ring *r = &t.ring[slot][3];
    put_trb(r, BUFFER, 24, TYPE(NORMAL) | CHAIN | ISP);
    put_trb(r, BUFFER + 24, 16, TYPE(NORMAL) | CHAIN | IOC);
    put_trb(r, 0x7777770, 0, TYPE(EVENT_DATA) | IOC);
    put_trb(r, BUFFER + 64, 8, TYPE(NORMAL) | IOC);
    out(DOORBELL + slot * 4, 3);
    input_pointer_at(t.input, 639, 0, 640, 480, 0, 0);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 13);
    assert_int_equal(t.parameter, r->base);
    assert_int_equal(t.status & 0xFFFFFF, 24 - 6);
    assert_int_equal(event(), 13);
    assert_int_equal(t.status & 0xFFFFFF, 16);
    assert_int_equal(event(), 13);
    assert_int_equal(t.parameter, 0x7777770);
    assert_int_equal(t.status & 0xFFFFFF, 6);
    assert_int_equal(event(), NO_EVENT);
    assert_int_equal(t.rig->hv->ram[BUFFER + 1] | t.rig->hv->ram[BUFFER + 2] << 8, 0x7FFF);
    input_pointer_at(t.input, 0, 479, 640, 480, 0, 0);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 13);
    assert_int_equal(t.parameter, r->base + 48);
}

/* Stop, what it was at, another place, go on (4.6.9, 4.6.10). */
static void endpoints_stop_and_go_on(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    event();
    const unsigned slot = configured(1);
    struct ring *r = &t.ring[slot][3];
    put_trb(r, BUFFER, 8, TYPE(NORMAL) | IOC);
    out(DOORBELL + slot * 4, 3);
    const uint32_t at = t.commands.base + t.commands.at * 16;
    put_trb(&t.commands, 0, 0, TYPE(STOP_EP) | ON(slot) | EP(3));
    out(DOORBELL, 0);
    assert_int_equal(event(), 26); /* stopped, nothing moved */
    assert_int_equal(t.parameter, r->base);
    assert_int_equal(t.status & 0xFFFFFF, 8);
    assert_int_equal(event(), 1);
    assert_int_equal(t.parameter, at);
    assert_int_equal(get32(context(slot, 3)) & 7, 3);
    assert_int_equal(get32(context(slot, 3) + 8), r->base | 1);
    input_key(t.input, KEY_A, true);
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), NO_EVENT);
    out(DOORBELL + slot * 4, 3); /* a stopped one runs again */
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 1);
    /* The device goes: what waits fails. */
    struct err err;
    put_trb(r, BUFFER, 8, TYPE(NORMAL) | IOC);
    out(DOORBELL + slot * 4, 3);
    assert_true(usb_set_unplug(t.set, "k", &err));
    rig_step(t.rig, 5 * NS_PER_MS);
    assert_int_equal(event(), 1); /* the port */
    assert_int_equal(event(), 4);
    assert_int_equal(get32(context(slot, 3)) & 7, 2);
    /* Deconfigured, reset, given back. */
    assert_int_equal(command(0, TYPE(CONFIGURE) | ON(slot) | 0x200), 1);
    assert_int_equal(get32(context(slot, 0) + 12) >> 27, 2);
    assert_int_equal(command(0, TYPE(RESET_DEV) | ON(slot)), 1);
    assert_int_equal(get32(context(slot, 0) + 12) >> 27, 1);
    assert_int_equal(command(0, TYPE(DISABLE) | ON(slot)), 1);
    assert_int_equal(get32(context(slot, 0) + 12), 0);
}

static void a_device_behind_a_hub(void **state)
{
    (void)state;
    plug(CONFIG_USB_HUB, "h", "1");
    plug(CONFIG_USB_TABLET, "t", "1.2");
    start();
    event();
    const unsigned hub = configured(1);
    /* Power, reset and enable of the hub's port 2, as its driver does (USB 2.0, 11.24). */
    struct ring *r = &t.ring[hub][1];
    for (unsigned feature = 8; feature >= 4; feature -= 4) {
        const uint32_t at = r->base + r->at * 16;
        put_trb(r, 0x23u | 3u << 8 | feature << 16, 8, TYPE(SETUP) | IDT);
        put32(at + 4, 2);
        put_trb(r, 0, 0, TYPE(STATUS) | IOC | DIR_IN);
        out(DOORBELL + hub * 4, 1);
        assert_int_equal(event(), 1);
        rig_step(t.rig, 100 * NS_PER_MS);
    }
    while (event() != NO_EVENT)
        ;
    assert_int_equal(command(0, TYPE(ENABLE)), 1);
    const unsigned slot = t.control >> 24;
    put32(DCBAA + slot * 8, CONTEXTS + slot * 0x400);
    put_input(slot, 1, 3, 1, 4);
    put32(INPUT + 32, 1u << 27 | 2); /* route: port 2 */
    assert_int_equal(command(INPUT, TYPE(ADDRESS) | ON(slot)), 1);
    assert_int_equal(control(slot, 0x80, 6, 0x0100, 18), 1);
    assert_int_equal(t.rig->hv->ram[BUFFER + 4], 0); /* a tablet, not the hub */
}

/* ---- Interrupt ---- */

static void interrupts_by_pin_and_by_message(void **state)
{
    (void)state;
    start();
    assert_int_equal(t.rig->hv->intx[SLOT][0], 0);
    put_trb(&t.commands, 0, 0, TYPE(23));
    out(DOORBELL, 0);
    assert_int_equal(t.rig->hv->intx[SLOT][0], 1);
    assert_int_equal(in(IMAN), 3);
    assert_int_equal(in(STS)&8, 8);
    out(STS, 8);
    out(IMAN, 3);
    assert_int_equal(t.rig->hv->intx[SLOT][0], 0);
    assert_int_equal(event(), 1);
    assert_int_equal(t.rig->hv->intx[SLOT][0], 0);
    /* The handler is not through: no other interrupt till then (4.17.2). */
    put_trb(&t.commands, 0, 0, TYPE(23));
    out(DOORBELL, 0);
    out(IMAN, 3);
    put_trb(&t.commands, 0, 0, TYPE(23));
    out(DOORBELL, 0);
    assert_int_equal(t.rig->hv->intx[SLOT][0], 0);
    assert_int_equal(event(), 1); /* one of two: the write of ERDP finds the other */
    assert_int_equal(t.rig->hv->intx[SLOT][0], 1);
    out(IMAN, 3);
    assert_int_equal(event(), 1);
    /* By message; the pending bit goes with it. */
    rig_pci_write(t.rig, SLOT, 0, 0x74, 4, 0xFEE00000);
    rig_pci_write(t.rig, SLOT, 0, 0x7C, 2, 0x4031);
    rig_pci_write(t.rig, SLOT, 0, 0x72, 2, 1);
    const unsigned before = t.rig->hv->msi_count;
    assert_int_equal(command(0, TYPE(23)), 1);
    assert_int_equal(t.rig->hv->msi_count - before, 1);
    assert_int_equal(in(IMAN), 2);
    assert_int_equal(t.rig->hv->intx[SLOT][0], 0);
}

/* A full event ring holds up what would make events, and loses none. */
static void a_full_event_ring_waits(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 14; i++) {
        put_trb(&t.commands, 0, 0, TYPE(23));
        out(DOORBELL, 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        put_trb(&t.commands, 0, 0, TYPE(23));
        out(DOORBELL, 0);
    }
    unsigned seen = 0;
    while (event() == 1)
        seen++;
    assert_int_equal(seen, 24);
}

/* ---- What no driver does ---- */

static void rings_that_are_none(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    out(CRCR, 0xFFFFFFC1); /* there is no memory: it stops, for good until a reset */
    out(DOORBELL, 0);
    assert_int_equal(in(STS)&5, 5);
    out(CMD, 5);
    assert_int_equal(in(STS)&5, 5);
    out(CMD, 2);
    assert_int_equal(in(STS)&5, 1);
    start();
    event();
    const unsigned slot = configured(1);
    /* A link to itself: an end, if no doorbell comes. */
    struct ring *r = &t.ring[slot][3];
    put32(r->base, r->base);
    put32(r->base + 4, 0);
    put32(r->base + 12, TYPE(LINK) | 1);
    out(DOORBELL + slot * 4, 3);
    rig_step(t.rig, 50 * NS_PER_MS);
    assert_int_equal(event(), NO_EVENT);
    put32(COMMANDS + t.commands.at * 16, COMMANDS + t.commands.at * 16);
    put32(COMMANDS + t.commands.at * 16 + 12, TYPE(LINK) | t.commands.cycle);
    out(DOORBELL, 0);
    assert_int_equal(in(STS)&5, 0);
    /* A TRB of no type that belongs there. */
    put32(r->base + 8, 8);
    put32(r->base + 12, TYPE(SETUP) | 1);
    out(DOORBELL + slot * 4, 3);
    assert_int_equal(event(), 5);
    assert_int_equal(get32(context(slot, 3)) & 7, 4);
    /* Doorbells of nothing. */
    out(DOORBELL + 8 * 4, 1);
    out(DOORBELL + slot * 4, 0);
    out(DOORBELL + slot * 4, 0xFFFFFFFF);
    out(DOORBELL + 16 * 4, 31);
    out(ERSTSZ, 0xFFFF);
    out(ERSTBA, 0xFFFFFFC0);
    out(PORTSC(1), 0xFFFFFFFF);
    rig_step(t.rig, 50 * NS_PER_MS);
    assert_int_equal(in(STS)&1, 1); /* the event ring is nowhere */
}

/* An idle keyboard costs no wake-up. */
static void nothing_runs_when_nothing_happens(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    event();
    const unsigned slot = configured(1);
    assert_int_equal(control(slot, 0x21, 0x0A, 0, 0), 1); /* SET_IDLE: only what changes */
    put_trb(&t.ring[slot][3], BUFFER, 8, TYPE(NORMAL) | IOC);
    out(DOORBELL + slot * 4, 3);
    rig_step(t.rig, 10 * NS_PER_MS);
    assert_true(clock_deadline(&t.rig->clock) == CLOCK_NEVER);
}

static void standard(void **state)
{
    (void)state;
    plug(CONFIG_USB_KEYBOARD, "k", "1");
    start();
    event();
    configured(1);
    for (struct device *d = t.rig->devices.first; d; d = d->next)
        rig_standard_tests(t.rig, d);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(registers_after_reset),
        TEST(the_frame_counter_runs),
        TEST(ports_tell_by_events),
        TEST(slots_are_given_and_taken_back),
        TEST(addressing_asks_for_much),
        TEST(descriptors_are_read),
        TEST(a_data_stage_may_come_in_pieces),
        TEST(keys_come_when_they_are_pressed),
        TEST(short_packets_end_a_transfer),
        TEST(endpoints_stop_and_go_on),
        TEST(a_device_behind_a_hub),
        TEST(interrupts_by_pin_and_by_message),
        TEST(a_full_event_ring_waits),
        TEST(rings_that_are_none),
        TEST(nothing_runs_when_nothing_happens),
        TEST(standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
