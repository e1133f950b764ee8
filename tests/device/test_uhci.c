/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UHCI: registers, ports, the schedule, time and sleep, hostile lists. */
#include "tests/device/usb_rig.h"

static struct usb_rig *t;

static int setup(void **state)
{
    (void)state;
    t = usb_rig_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    usb_rig_free(t);
    return 0;
}

static uint16_t status(void)
{
    return rig_inw(t->rig, USBSTS);
}

static uint16_t port(unsigned i)
{
    return rig_inw(t->rig, (uint16_t)(PORTSC + 2 * i));
}

static void set_port(unsigned i, uint16_t v)
{
    rig_outw(t->rig, (uint16_t)(PORTSC + 2 * i), v);
}

/* Whatever frames are owed are worked off; the next ones are, one by one. */
static void catch_up(void)
{
    set_port(1, 0);
    ms(t, 1);
}

/* --- registers --- */

static void registers_after_reset(void **state)
{
    (void)state;
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0, 4), 0x70208086);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 8, 4), 0x0C030001);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0x3D, 1), 4);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0x60, 1), 0x10);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0xC0, 2), 0x2000);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0);
    assert_int_equal(status(), 0x0020);
    assert_int_equal(rig_inw(t->rig, USBINTR), 0);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0);
    assert_int_equal(rig_inl(t->rig, FRBASEADD), 0);
    assert_int_equal(rig_inb(t->rig, SOFMOD), 0x40);
    assert_int_equal(port(0), 0x0080);
    assert_int_equal(port(1), 0x0080);
    assert_int_equal(port(2) & 0x80, 0); /* by which drivers count ports */
    assert_int_equal(rig_inl(t->rig, IO + 0x1C), 0xFF7FFF7F);
}

static void registers_keep_what_they_have_bits_for(void **state)
{
    (void)state;
    rig_outl(t->rig, FRBASEADD, 0xFFFFFFFF);
    assert_int_equal(rig_inl(t->rig, FRBASEADD), 0xFFFFF000);
    rig_outb(t->rig, FRBASEADD + 1, 0x12);
    assert_int_equal(rig_inl(t->rig, FRBASEADD), 0xFFFF1000);
    rig_outw(t->rig, FRNUM, 0xFFFF);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x07FF);
    rig_outb(t->rig, FRNUM + 1, 0x01);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x01FF);
    rig_outw(t->rig, USBINTR, 0xFFFF);
    assert_int_equal(rig_inw(t->rig, USBINTR), 0x000F);
    rig_outb(t->rig, SOFMOD, 0xFF);
    assert_int_equal(rig_inb(t->rig, SOFMOD), 0x7F);
    rig_outw(t->rig, USBCMD, 0xFFC0);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0x00C0);
    assert_int_equal(rig_inl(t->rig, USBCMD), 0x002000C0);
    /* Nothing is plugged in: no port gets enabled. */
    set_port(0, 0x0004);
    assert_int_equal(port(0), 0x0080);
    /* Host controller reset: all of it is forgotten. */
    rig_outw(t->rig, USBCMD, 0x0002);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0);
    assert_int_equal(rig_inl(t->rig, FRBASEADD), 0);
    assert_int_equal(rig_inb(t->rig, SOFMOD), 0x40);
}

static void legacy_register(void **state)
{
    (void)state;
    rig_pci_write(t->rig, SLOT, FN, 0xC0, 2, 0xFFFF);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0xC0, 2), 0x20BF);
    rig_pci_write(t->rig, SLOT, FN, 0xC0, 2, 0x8F00);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0xC0, 2), 0x0000);
    /* The interrupt is seen there, and reaches PIRQD only with bit 13. */
    start(t);
    put_td(t, TDS, END, IOC, PID_IN, 0, 0, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 3);
    assert_int_equal(status() & 1, 1);
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0xC0, 2), 0x1000);
    assert_false(irq_level(t));
    rig_pci_write(t->rig, SLOT, FN, 0xC0, 2, 0x2000);
    assert_true(irq_level(t));
    put32(t, CONTROL_QH + 4, END);
    rig_outw(t->rig, USBSTS, 1);
    assert_false(irq_level(t));
    assert_int_equal(rig_pci_read(t->rig, SLOT, FN, 0xC0, 2), 0x2000);
}

/* --- ports --- */

static void ports_tell_what_comes_and_goes(void **state)
{
    struct err err;
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, "a", "2"));
    assert_int_equal(port(0), 0x0080);
    assert_int_equal(port(1), 0x0093); /* full speed, connected, changed */
    set_port(1, 0x0002);
    assert_int_equal(port(1), 0x0091);
    set_port(1, 0x0200);
    assert_int_equal(port(1), 0x0281); /* both lines low */
    set_port(1, 0x0204);
    assert_int_equal(port(1), 0x0281); /* not enabled while in reset */
    set_port(1, 0x0000);
    set_port(1, 0x0004);
    assert_int_equal(port(1), 0x0095);
    assert_true(usb_set_unplug(t->set, "a", &err));
    assert_int_equal(port(1), 0x008A);
    set_port(1, 0x000A);
    assert_int_equal(port(1), 0x0080);
}

static void plugging_by_port(void **state)
{
    struct err err;
    struct usb_info info;
    const struct config_usb_device elsewhere = {.bus = (char *)(uintptr_t) "x.0"};
    (void)state;
    assert_false(usb_set_plug(t->set, &elsewhere, &err));
    assert_false(plug(t, CONFIG_USB_MOUSE, NULL, "3"));
    assert_false(plug(t, CONFIG_USB_MOUSE, NULL, "0"));
    assert_false(plug(t, CONFIG_USB_MOUSE, NULL, "1.1"));
    assert_false(plug(t, CONFIG_USB_MOUSE, NULL, ""));
    assert_false(plug(t, CONFIG_USB_MOUSE, NULL, "99999999999"));
    assert_true(plug(t, CONFIG_USB_MOUSE, "a", NULL));
    assert_false(plug(t, CONFIG_USB_MOUSE, "a", NULL)); /* the name is taken */
    assert_false(plug(t, CONFIG_USB_MOUSE, "b", "1"));  /* the port is */
    /* As in the stock model a hub takes the last port when something else would. */
    assert_true(plug(t, CONFIG_USB_TABLET, "b", NULL));
    assert_true(usb_set_info(t->set, 0, &info));
    assert_string_equal(info.id, "a");
    assert_string_equal(info.path, "1");
    assert_true(usb_set_info(t->set, 1, &info));
    assert_null(info.id);
    assert_string_equal(info.product, "QEMU USB Hub");
    assert_string_equal(info.path, "2");
    assert_true(usb_set_info(t->set, 2, &info));
    assert_string_equal(info.path, "2.1");
    assert_int_equal(info.address, 0);
    assert_false(info.low_speed);
    assert_false(usb_set_info(t->set, 3, &info));
    /* A hub on a hub, five of them and no more. */
    assert_true(plug(t, CONFIG_USB_HUB, "h2", "2.2"));
    assert_true(plug(t, CONFIG_USB_HUB, "h3", "2.2.1"));
    assert_true(plug(t, CONFIG_USB_HUB, "h4", "2.2.1.8"));
    assert_true(plug(t, CONFIG_USB_HUB, "h5", "2.2.1.8.1"));
    assert_false(plug(t, CONFIG_USB_HUB, "h6", "2.2.1.8.1.1"));
    assert_true(plug(t, CONFIG_USB_KEYBOARD, "deep", "2.2.1.8.1.8"));
    assert_false(plug(t, CONFIG_USB_KEYBOARD, NULL, "2.2.1.8.1.8.1"));
    /* What is behind a hub goes with it. */
    assert_true(usb_set_unplug(t->set, "h2", &err));
    assert_false(usb_set_unplug(t->set, "deep", &err));
    assert_false(usb_set_info(t->set, 3, &info));
    /* There is an end. */
    unsigned more = 0;
    while (plug(t, more & 1 ? CONFIG_USB_HUB : CONFIG_USB_MOUSE, NULL, NULL))
        assert_true(++more <= USB_MAX_DEVICES);
}

/* --- the schedule --- */

static void a_transfer_ends_with_an_interrupt(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    reset_port(t, 0);
    static const uint8_t packet[8] = {0x80, 6, 0, 1, 0, 0, 8, 0};
    memcpy(ram(t, SETUP_DATA), packet, 8);
    put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE | ERRORS3, PID_SETUP, 0, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, END, ACTIVE | IOC, PID_IN, 0, 0, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 2);
    assert_int_equal(get32(t, TDS + 4), ERRORS3 | 7);
    assert_int_equal(get32(t, TDS + 16 + 4), IOC | 7);
    assert_int_equal(get32(t, CONTROL_QH + 4), END);
    assert_int_equal(ram(t, DATA)[0], 18);
    assert_int_equal(status(), 0x0001);
    assert_true(irq_level(t));
    rig_outw(t->rig, USBINTR, 0x000B); /* all but IOC */
    assert_false(irq_level(t));
    rig_outw(t->rig, USBINTR, 0x000F);
    assert_true(irq_level(t));
    rig_outw(t->rig, USBSTS, 0xFFFF);
    assert_int_equal(status(), 0);
    assert_false(irq_level(t));
}

/* Without the depth bit each frame does one of a queue. */
static void breadth_first(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    reset_port(t, 0);
    static const uint8_t packet[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
    memcpy(ram(t, SETUP_DATA), packet, 8);
    put_td(t, TDS, TDS + 16, ACTIVE, PID_SETUP, 0, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, TDS + 32, ACTIVE, PID_IN, 0, 0, 8, DATA);
    put_td(t, TDS + 32, END, ACTIVE, PID_IN, 0, 0, 8, DATA + 8);
    catch_up();
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 1);
    assert_int_equal(get32(t, CONTROL_QH + 4), TDS + 16);
    ms(t, 1);
    assert_int_equal(get32(t, CONTROL_QH + 4), TDS + 32);
    ms(t, 1);
    assert_int_equal(get32(t, CONTROL_QH + 4), END);
}

static void short_packets(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 3);
    static const uint8_t packet[8] = {0x80, 6, 0, 1, 0, 0, 64, 0};
    memcpy(ram(t, SETUP_DATA), packet, 8);
    for (unsigned spd = 0; spd < 2; spd++) {
        put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE, PID_SETUP, 3, 0, 8, SETUP_DATA);
        for (unsigned i = 1; i < 4; i++)
            put_td(t, TDS + 16 * i, (TDS + 16 * (i + 1)) | DEPTH, ACTIVE | (spd ? SPD : 0), PID_IN,
                   3, 0, 8, DATA + 8 * (i - 1));
        put_td(t, TDS + 64, END, ACTIVE, PID_OUT, 3, 0, 0, 0);
        put32(t, CONTROL_QH + 4, TDS);
        ms(t, 150);
        assert_int_equal(get32(t, TDS + 48 + 4) & (ACTIVE | 0x7FF), 1); /* 2 bytes */
        if (spd) { /* told, and the queue waits for the driver */
            assert_int_equal(get32(t, CONTROL_QH + 4), (TDS + 48) | DEPTH);
            assert_int_equal(status(), 0x0001);
            assert_true(irq_level(t));
            rig_outw(t->rig, USBINTR, 0x0007);
            assert_false(irq_level(t));
        } else {
            assert_int_equal(get32(t, CONTROL_QH + 4), END);
            assert_int_equal(status(), 0);
        }
    }
}

static void errors_are_counted(void **state)
{
    (void)state;
    start(t);
    /* Nobody there: three tries, a frame each. */
    put_td(t, TDS, END, ACTIVE | ERRORS3, PID_IN, 9, 0, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 1);
    assert_int_equal(get32(t, TDS + 4), ACTIVE | TIMEOUT | 2u << 27);
    ms(t, 1);
    assert_int_equal(status(), 0);
    ms(t, 1);
    assert_int_equal(get32(t, TDS + 4), STALLED | TIMEOUT);
    assert_int_equal(get32(t, CONTROL_QH + 4), TDS);
    assert_int_equal(status(), 0x0002);
    assert_true(irq_level(t));
    rig_outw(t->rig, USBSTS, 2);
    assert_false(irq_level(t));
    /* C_ERR 0: for ever, and it costs no more than waiting does. */
    put_td(t, TDS, END, ACTIVE, PID_IN, 9, 0, 8, DATA);
    ms(t, 1000);
    assert_int_equal(get32(t, TDS + 4), ACTIVE | TIMEOUT);
    assert_int_equal(status(), 0);
    const uint64_t looks = uhci_looks(t->uhci);
    ms(t, 10240);
    assert_int_equal(uhci_looks(t->uhci) - looks, 80);
}

static void stall_and_babble(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 3);
    static const uint8_t bad[8] = {0xC0, 0x55, 0, 0, 0, 0, 8, 0};
    memcpy(ram(t, SETUP_DATA), bad, 8);
    put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE | ERRORS3, PID_SETUP, 3, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, END, ACTIVE | ERRORS3 | IOC, PID_IN, 3, 0, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 150);
    assert_int_equal(get32(t, TDS + 16 + 4) & (ACTIVE | STALLED | BABBLE), STALLED);
    assert_int_equal(status(), 0x0003);
    rig_outw(t->rig, USBSTS, 3);
    /* The report has 6 bytes; 4 are asked for. */
    ask(t, 3, 4);
    input_pointer_at(t->input, 1, 1, 2, 2, 0, 0);
    ms(t, 2);
    assert_int_equal(get32(t, INTR_TD + 4) & (ACTIVE | STALLED | BABBLE), STALLED | BABBLE);
    assert_int_equal(status() & 2, 2);
    /* OUT to an IN endpoint: nobody answers. */
    put_td(t, TDS, END, ACTIVE | 1u << 27, PID_OUT, 3, 1, 8, DATA);
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 150);
    assert_int_equal(get32(t, TDS + 4) & (ACTIVE | STALLED | TIMEOUT), STALLED | TIMEOUT);
}

static void nonsense_halts(void **state)
{
    (void)state;
    static const struct {
        uint32_t pid;
        unsigned len;
    } bad[] = {{0x00, 8}, {0xA5, 8}, {PID_IN, 1281}, {PID_OUT, 0x7FF}};
    for (unsigned i = 0; i < 4; i++) {
        start(t);
        put_td(t, TDS, END, ACTIVE, bad[i].pid, 1, 0, bad[i].len, DATA);
        put32(t, CONTROL_QH + 4, TDS);
        rig_outw(t->rig, USBINTR, 0); /* cannot be masked */
        ms(t, 2);
        assert_int_equal(status(), 0x0030);
        assert_int_equal(rig_inw(t->rig, USBCMD) & 1, 0);
        assert_true(irq_level(t));
        rig_outw(t->rig, USBSTS, 0x10);
        assert_false(irq_level(t));
    }
    /* Lists, queues and buffers that are no memory */
    for (unsigned i = 0; i < 5; i++) {
        start(t);
        if (i == 4)
            assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
        if (i == 0)
            rig_outl(t->rig, FRBASEADD, 0xFFFFF000);
        else if (i == 1)
            for (unsigned n = 0; n < 1024; n++)
                put32(t, LIST + 4 * n, 0xE0000000 | QUEUE);
        else if (i == 2)
            put32(t, CONTROL_QH + 4, 0xE0000000);
        else if (i == 3)
            put32(t, CONTROL_QH, 0xFFFFFFF0 | QUEUE);
        else {
            reset_port(t, 0);
            put_td(t, TDS, END, ACTIVE, PID_SETUP, 0, 0, 8, 0xFFFFFFFC);
            put32(t, CONTROL_QH + 4, TDS);
        }
        ms(t, 2);
        assert_int_equal(status(), 0x0028);
        assert_true(irq_level(t));
        rig_outw(t->rig, USBSTS, 0x08);
    }
}

/* Whatever the lists are, a frame has an end. */
static void circles_end(void **state)
{
    (void)state;
    start(t);
    put32(t, CONTROL_QH, CONTROL_QH | QUEUE); /* a queue that leads to itself */
    ms(t, 200);
    put32(t, CONTROL_QH, END);
    put32(t, CONTROL_QH + 4, CONTROL_QH | QUEUE); /* its element does */
    ms(t, 200);
    put_td(t, TDS, TDS, 0, PID_IN, 0, 0, 8, DATA); /* a descriptor that does */
    for (unsigned i = 0; i < 1024; i++)
        put32(t, LIST + i * 4, TDS);
    ms(t, 200);
    put_td(t, TDS, TDS | DEPTH, ACTIVE, PID_IN, 9, 0, 0, DATA);
    ms(t, 200);
    for (unsigned i = 0; i < 1024; i++) /* the frame list as a queue head */
        put32(t, LIST + i * 4, (LIST + (i & ~3u) * 4) | QUEUE);
    ms(t, 200);
    for (unsigned i = 0; i < 2048; i++) { /* a long line of queues */
        put32(t, 0x100000 + i * 16, (0x100000 + (i + 1) * 16) | QUEUE);
        put32(t, 0x100000 + i * 16 + 4, END);
    }
    put32(t, LIST, 0x100000 | QUEUE);
    ms(t, 2000);
    assert_int_equal(status(), 0);
    /* A schedule in order works at once. */
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    make_schedule(t);
    enumerate(t, 0, 1);
}

/* Bandwidth reclamation: the last queue leads back to the first; it goes round while there is
 * anything to do. */
static void reclamation_goes_round(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    reset_port(t, 0);
    put32(t, INTR_QH, CONTROL_QH | QUEUE);
    static const uint8_t packet[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
    memcpy(ram(t, SETUP_DATA), packet, 8);
    put_td(t, TDS, TDS + 16, ACTIVE, PID_SETUP, 0, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, TDS + 32, ACTIVE, PID_IN, 0, 0, 8, DATA);
    put_td(t, TDS + 32, END, ACTIVE, PID_IN, 0, 0, 8, DATA + 8);
    catch_up();
    put32(t, CONTROL_QH + 4, TDS);
    ms(t, 1);
    assert_int_equal(get32(t, CONTROL_QH + 4), END);
    catch_up();
    /* No more than a frame's bandwidth, though: 5 transactions of 321 bytes and no sixth. */
    for (unsigned i = 0; i < 8; i++)
        put_td(t, TDS + 16 * i, TDS + 16 * (i + 1), ACTIVE | ERRORS3, PID_OUT, 0, 0, 308, DATA);
    put32(t, TDS + 16 * 7, END);
    for (unsigned i = 0; i < 1024; i++)
        put32(t, LIST + 4 * i, TDS);
    ms(t, 1);
    unsigned done = 0;
    for (unsigned i = 0; i < 8; i++)
        done += !(get32(t, TDS + 16 * i + 4) & ACTIVE);
    assert_int_equal(done, 5);
}

static void debug_mode_steps(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    reset_port(t, 0);
    rig_outw(t->rig, USBCMD, 0x00C0);
    memset(ram(t, SETUP_DATA), 0, 8);
    ram(t, SETUP_DATA)[1] = 9;
    put_td(t, TDS, (TDS + 16) | DEPTH, ACTIVE, PID_SETUP, 0, 0, 8, SETUP_DATA);
    put_td(t, TDS + 16, END, ACTIVE, PID_IN, 0, 0, 0, 0);
    put32(t, CONTROL_QH + 4, TDS);
    for (unsigned i = 0; i < 2; i++) {
        rig_outw(t->rig, USBCMD, 0x00E1);
        ms(t, 5);
        assert_int_equal(rig_inw(t->rig, USBCMD), 0x00E0);
        assert_int_equal(status(), 0x0020);
        assert_int_equal(get32(t, TDS + 4) & ACTIVE, 0);
        assert_int_equal(get32(t, TDS + 16 + 4) & ACTIVE, i ? 0 : ACTIVE);
    }
}

/* --- time --- */

static void frames_are_counted(void **state)
{
    (void)state;
    rig_outw(t->rig, FRNUM, 0x07F0);
    start(t);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x07F0);
    ms(t, 15);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x07FF);
    ms(t, 1);
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x0000);
    rig_outw(t->rig, FRNUM, 0x0100); /* only while stopped */
    assert_int_equal(rig_inw(t->rig, FRNUM), 0x0000);
    ms(t, 5000);
    assert_int_equal(rig_inw(t->rig, FRNUM), 5000 & 0x7FF);
    rig_outw(t->rig, USBCMD, 0);
    assert_int_equal(status(), 0x0020);
    ms(t, 100);
    assert_int_equal(rig_inw(t->rig, FRNUM), 5000 & 0x7FF);
    /* A descriptor is worked off in its own frame's turn. */
    rig_outw(t->rig, FRNUM, 0);
    put_td(t, TDS, CONTROL_QH | QUEUE, ACTIVE | 1u << 27, PID_IN, 9, 0, 8, DATA);
    put32(t, LIST + 4 * 7, TDS);
    rig_outw(t->rig, USBCMD, 1);
    ms(t, 7);
    assert_int_equal(get32(t, TDS + 4) & ACTIVE, ACTIVE);
    ms(t, 1);
    assert_int_equal(get32(t, TDS + 4) & ACTIVE, 0);
}

/* The clock interrupt of drivers: an inactive descriptor with IOC, in one frame of 1024. */
static void an_inactive_descriptor_interrupts(void **state)
{
    (void)state;
    start(t);
    ms(t, 2000);
    put_td(t, TDS, CONTROL_QH | QUEUE, IOC, PID_IN, 0, 0, 8, DATA);
    put32(t, LIST + 4 * 100, TDS);
    unsigned interrupts = 0;
    for (unsigned i = 0; i < 4096; i++) {
        ms(t, 1);
        if (irq_level(t)) {
            interrupts++;
            rig_outw(t->rig, USBSTS, 1);
        }
    }
    assert_int_equal(interrupts, 4);
}

/* A tablet that nobody moves: eight looks a second, and none when it or the bus sleeps. What moves
 * it is seen at once. */
static void an_idle_tablet_costs_little(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 2);
    /* Asked every 8 ms, as drivers do. */
    for (unsigned i = 0; i < 1024; i++)
        put32(t, LIST + i * 4, i % 8 == 3 ? INTR_QH | QUEUE : CONTROL_QH | QUEUE);
    put32(t, INTR_QH, CONTROL_QH | QUEUE);
    put32(t, CONTROL_QH, END);
    ask(t, 2, 8);
    ms(t, 1000);
    uint64_t looks = uhci_looks(t->uhci);
    ms(t, 10240);
    assert_int_equal(uhci_looks(t->uhci) - looks, 80);
    assert_int_equal(get32(t, INTR_TD + 4) & NAKED, NAKED);
    /* Moved 60 times a second for 10 s: there when it would have been asked, and few looks a move.
     */
    looks = uhci_looks(t->uhci);
    for (int i = 0; i < 600; i++) {
        unsigned waited = 0;
        input_pointer_at(t->input, (i + 1) % 100, i / 100, 100, 100, 0, 0);
        for (; answer(t) < 0; waited++)
            ms(t, 1);
        assert_in_range(waited, 0, 9);
        assert_true(irq_level(t));
        rig_outw(t->rig, USBSTS, 1);
        ask(t, 2, 8);
        ms(t, 16 - waited);
    }
    assert_in_range(uhci_looks(t->uhci) - looks, 600, 1800);
    /* The driver stops the bus. */
    rig_outw(t->rig, USBCMD, 0x00C0);
    looks = uhci_looks(t->uhci);
    ms(t, 60000);
    assert_int_equal(uhci_looks(t->uhci), looks);
    assert_int_equal(clock_deadline(&t->rig->clock), CLOCK_NEVER);
}

/* --- sleep --- */

static void a_device_wakes_its_port(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 2);
    set_port(0, 0x1004); /* suspend */
    input_pointer_at(t->input, 1, 1, 2, 2, 0, 0);
    assert_int_equal(port(0) & 0x1040, 0x1000); /* it may not */
    set_port(0, 0x0004);
    assert_int_equal(control(t, 2, 0x00, 3, 1, 0, 0), 0);
    assert_int_equal(report(t, 2, 8), 6); /* it kept the movement */
    set_port(0, 0x1004);
    ms(t, 500);
    input_pointer_at(t->input, 0, 0, 2, 2, 0, 0);
    assert_int_equal(port(0) & 0x1040, 0x1040);
    assert_int_equal(status() & 4, 4);
    assert_true(irq_level(t));
    rig_outw(t->rig, USBSTS, 4);
    ms(t, 20);
    set_port(0, 0x0004);
    assert_int_equal(port(0) & 0x1040, 0);
    ask(t, 2, 8);
    ms(t, 2);
    assert_int_equal(answer(t), 6);
}

static void a_device_wakes_the_bus(void **state)
{
    struct err err;
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, "a", NULL));
    start(t);
    enumerate(t, 0, 2);
    assert_int_equal(control(t, 2, 0x00, 3, 1, 0, 0), 0);
    ask(t, 2, 8);
    rig_outw(t->rig, USBCMD, 0x00C0);
    rig_outw(t->rig, USBCMD, 0x00C8); /* global suspend */
    ms(t, 1000);
    input_pointer_at(t->input, 1, 1, 2, 2, 0, 0);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0x00D8); /* it resumes */
    assert_int_equal(status(), 0x0024);
    assert_true(irq_level(t));
    rig_outw(t->rig, USBSTS, 4);
    ms(t, 20);
    rig_outw(t->rig, USBCMD, 0x00C0);
    rig_outw(t->rig, USBCMD, 0x00C1);
    ms(t, 40);
    assert_int_equal(answer(t), 6);
    /* So does what comes and goes. */
    rig_outw(t->rig, USBCMD, 0x00C8);
    assert_true(usb_set_unplug(t->set, "a", &err));
    assert_int_equal(rig_inw(t->rig, USBCMD), 0x00D8);
    rig_outw(t->rig, USBSTS, 4);
    rig_outw(t->rig, USBCMD, 0x00C8);
    assert_true(plug(t, CONFIG_USB_TABLET, "a", NULL));
    assert_int_equal(status() & 4, 4);
}

static void resets(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 2);
    assert_non_null(input_current_pointer(t->input));
    /* Of the controller: the device knows nothing of it. */
    rig_outw(t->rig, USBCMD, 0x0002);
    assert_int_equal(port(0), 0x0093);
    assert_non_null(input_current_pointer(t->input));
    /* Of the bus: it is new. */
    rig_outw(t->rig, USBCMD, 0x0004);
    assert_int_equal(rig_inw(t->rig, USBCMD), 0x0004);
    assert_null(input_current_pointer(t->input));
    rig_outw(t->rig, USBCMD, 0x0005); /* nothing runs meanwhile */
    assert_int_equal(status(), 0x0020);
    rig_outw(t->rig, USBCMD, 0x0000);
    start(t);
    enumerate(t, 0, 2);
}

/* A controller that is no bus master reads nothing. */
static void without_bus_mastering(void **state)
{
    (void)state;
    rig_pci_write(t->rig, SLOT, FN, 0x04, 2, 0x0001);
    start(t);
    rig_outl(t->rig, FRBASEADD, 0xFFFFF000);
    ms(t, 1000);
    assert_int_equal(status(), 0);
    rig_pci_write(t->rig, SLOT, FN, 0x04, 2, 0x0005);
    ms(t, 2);
    assert_int_equal(status(), 0x0028);
}

static void standard_tests(void **state)
{
    (void)state;
    assert_true(plug(t, CONFIG_USB_TABLET, NULL, NULL));
    start(t);
    enumerate(t, 0, 2);
    struct device *d = t->rig->devices.first;
    devices_quiesce(&t->rig->devices);
    rig_standard_tests(t->rig, d);
}

static void impossible_states_are_refused(void **state)
{
    struct err err;
    (void)state;
    struct device *d = t->rig->devices.first;
    const size_t len = state_size(d->class->state, d->class->version), regs = 257;
    uint8_t *record = malloc(len);
    assert_non_null(record);
    state_save(d->class->state, d, d->class->version, record);
    record[regs] = 1; /* runs, and is halted */
    assert_false(device_load(d, d->class->version, record, len, &err));
    record[regs] = 0;
    record[regs + 14] = 0x04; /* a port enabled with nothing in it */
    assert_false(device_load(d, d->class->version, record, len, &err));
    free(record);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(registers_after_reset),
        TEST(registers_keep_what_they_have_bits_for),
        TEST(legacy_register),
        TEST(ports_tell_what_comes_and_goes),
        TEST(plugging_by_port),
        TEST(a_transfer_ends_with_an_interrupt),
        TEST(breadth_first),
        TEST(short_packets),
        TEST(errors_are_counted),
        TEST(stall_and_babble),
        TEST(nonsense_halts),
        TEST(circles_end),
        TEST(reclamation_goes_round),
        TEST(debug_mode_steps),
        TEST(frames_are_counted),
        TEST(an_inactive_descriptor_interrupts),
        TEST(an_idle_tablet_costs_little),
        TEST(a_device_wakes_its_port),
        TEST(a_device_wakes_the_bus),
        TEST(resets),
        TEST(without_bus_mastering),
        TEST(standard_tests),
        TEST(impossible_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
