/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usb_rig: a UHCI controller with devices on the rig, and a driver's steps on it. For the USB tests
 * only. */
#ifndef TESTS_DEVICE_USB_RIG_H
#define TESTS_DEVICE_USB_RIG_H

#include <stdlib.h>
#include <string.h>

#include "tests/device/rig.h"

#include "hw/pc/uhci.h"
#include "hw/pc/usb_set.h"
#include "ui/input.h"

#define SLOT 1
#define FN   2
#define IO   0xC000

enum {
    USBCMD = IO,
    USBSTS = IO + 2,
    USBINTR = IO + 4,
    FRNUM = IO + 6,
    FRBASEADD = IO + 8,
    SOFMOD = IO + 0xC,
    PORTSC = IO + 0x10,
};

/* Guest memory: the frame list, one queue for control transfers, one for interrupt transfers behind
 * it, transfer descriptors, data. */
#define LIST       0x10000u
#define CONTROL_QH 0x20000u
#define INTR_QH    0x20010u
#define TDS        0x21000u
#define INTR_TD    0x22000u
#define SETUP_DATA 0x23000u
#define DATA       0x24000u
#define INTR_DATA  0x25000u
#define END        1u
#define QUEUE      2u
#define DEPTH      4u

#define PID_SETUP 0x2Du
#define PID_IN    0x69u
#define PID_OUT   0xE1u

#define ACTIVE  (1u << 23)
#define STALLED (1u << 22)
#define BABBLE  (1u << 20)
#define NAKED   (1u << 19)
#define TIMEOUT (1u << 18)
#define IOC     (1u << 24)
#define SPD     (1u << 29)
#define ERRORS3 (3u << 27)

struct usb_rig {
    struct rig *rig;
    struct uhci *uhci;
    struct usb_set *set;
    struct input *input;
};

static inline void put32(struct usb_rig *t, uint32_t at, uint32_t v)
{
    memcpy(t->rig->hv->ram + at, &v, 4);
}

static inline uint32_t get32(struct usb_rig *t, uint32_t at)
{
    uint32_t v;
    memcpy(&v, t->rig->hv->ram + at, 4);
    return v;
}

static inline uint8_t *ram(struct usb_rig *t, uint32_t at)
{
    return t->rig->hv->ram + at;
}

static inline void put_td(struct usb_rig *t, uint32_t at, uint32_t link, uint32_t status,
                          uint32_t pid, unsigned address, unsigned endpoint, unsigned len,
                          uint32_t buffer)
{
    put32(t, at, link);
    put32(t, at + 4, status);
    put32(t, at + 8, pid | address << 8 | endpoint << 15 | ((len - 1) & 0x7FF) << 21);
    put32(t, at + 12, buffer);
}

/* The controller with nothing plugged in; its BAR placed, on, a bus master. */
static inline struct usb_rig *usb_rig_new(void)
{
    struct usb_rig *t = calloc(1, sizeof(*t));
    struct err err;
    assert_non_null(t);
    t->rig = rig_new();
    t->input = input_new();
    t->set = usb_set_new(&t->rig->clock, t->input, &t->rig->devices);
    t->uhci = uhci_realize(t->rig->pci, t->rig->dma, &t->rig->clock, &t->rig->devices,
                           PCI_DEVFN(SLOT, FN), 0, &err);
    assert_non_null(t->uhci);
    struct usb_port *ports[] = {uhci_port(t->uhci, 0), uhci_port(t->uhci, 1)};
    assert_true(usb_set_add_bus(t->set, "usb-bus.0", ports, 2, &err));
    devices_reset(&t->rig->devices);
    rig_pci_write(t->rig, SLOT, FN, 0x20, 4, IO);
    rig_pci_write(t->rig, SLOT, FN, 0x04, 2, 0x0005);
    return t;
}

static inline void usb_rig_free(struct usb_rig *t)
{
    usb_set_free(t->set);
    rig_free(t->rig);
    assert_null(input_pointer_nth(t->input, 0));
    input_free(t->input);
    free(t);
}

static inline bool plug(struct usb_rig *t, enum config_usb_kind kind, const char *id,
                        const char *port)
{
    struct err err;
    const struct config_usb_device what = {
        .kind = kind, .id = (char *)(uintptr_t)id, .port = (char *)(uintptr_t)port};
    return usb_set_plug(t->set, &what, &err);
}

/* An empty schedule: every frame leads to the control queue, that to the interrupt queue. */
static inline void make_schedule(struct usb_rig *t)
{
    for (unsigned i = 0; i < 1024; i++)
        put32(t, LIST + i * 4, CONTROL_QH | QUEUE);
    put32(t, CONTROL_QH, INTR_QH | QUEUE);
    put32(t, CONTROL_QH + 4, END);
    put32(t, INTR_QH, END);
    put32(t, INTR_QH + 4, END);
}

static inline void start(struct usb_rig *t)
{
    make_schedule(t);
    rig_outl(t->rig, FRBASEADD, LIST);
    rig_outw(t->rig, USBINTR, 0x000F);
    rig_outw(t->rig, USBCMD, 0x00C1); /* run, configured, 64 byte packets */
}

static inline void ms(struct usb_rig *t, unsigned n)
{
    rig_step(t->rig, n * NS_PER_MS);
}

static inline bool irq_level(struct usb_rig *t)
{
    return t->rig->hv->intx[SLOT][3];
}

/* As every driver: reset for 50 ms, then enable; the change bits cleared. */
static inline void reset_port(struct usb_rig *t, unsigned port)
{
    const uint16_t reg = (uint16_t)(PORTSC + 2 * port);
    rig_outw(t->rig, reg, 0x0200);
    ms(t, 50);
    rig_outw(t->rig, reg, 0x0000);
    rig_outw(t->rig, reg, 0x0004);
    rig_outw(t->rig, reg, 0x000E);
    assert_int_equal(rig_inw(t->rig, reg) & 0x020F, 0x0005);
}

/*
 * A control transfer as a chain of transfer descriptors in the control queue; the data stage in
 * packets of 8. Returns the bytes moved, or -1 when it was stalled; fails the test when it does not
 * end within 200 ms (a schedule that was left alone is looked at every 128).
 */
static inline int control(struct usb_rig *t, unsigned address, uint8_t type, uint8_t request,
                          unsigned value, unsigned index, unsigned len)
{
    const uint8_t setup[8] = {type,           request,
                              (uint8_t)value, (uint8_t)(value >> 8),
                              (uint8_t)index, (uint8_t)(index >> 8),
                              (uint8_t)len,   (uint8_t)(len >> 8)};
    const bool in = type & 0x80;
    uint32_t td = TDS;
    memcpy(ram(t, SETUP_DATA), setup, 8);
    put_td(t, td, (td + 16) | DEPTH, ACTIVE | ERRORS3, PID_SETUP, address, 0, 8, SETUP_DATA);
    td += 16;
    for (unsigned at = 0; at < len; at += 8, td += 16)
        put_td(t, td, (td + 16) | DEPTH, ACTIVE | ERRORS3 | (in ? SPD : 0), in ? PID_IN : PID_OUT,
               address, 0, len - at < 8 ? len - at : 8, DATA + at);
    put_td(t, td, END, ACTIVE | ERRORS3 | IOC, in && len ? PID_OUT : PID_IN, address, 0, 0, 0);
    put32(t, CONTROL_QH + 4, TDS);
    for (unsigned i = 0; i < 200; i++) {
        ms(t, 1);
        rig_outw(t->rig, USBSTS, 0x001F);
        uint32_t at = get32(t, CONTROL_QH + 4);
        if (at & END)
            break;
        uint32_t status = get32(t, (at & ~15u) + 4);
        if (status & STALLED) {
            put32(t, CONTROL_QH + 4, END);
            return -1;
        }
        if (!(status & ACTIVE)) /* short: the driver goes on to the status stage */
            put32(t, CONTROL_QH + 4, td);
    }
    assert_true(get32(t, CONTROL_QH + 4) & END);
    int moved = 0;
    for (uint32_t i = TDS + 16; i < td; i += 16) {
        uint32_t status = get32(t, i + 4);
        if (!(status & ACTIVE))
            moved += (int)((status + 1) & 0x7FF);
    }
    return moved;
}

/* Port reset, address, configuration 1. */
static inline void enumerate(struct usb_rig *t, unsigned port, unsigned address)
{
    reset_port(t, port);
    assert_int_equal(control(t, 0, 0x80, 6, 0x0100, 0, 8), 8);
    assert_int_equal(control(t, 0, 0x00, 5, address, 0, 0), 0);
    assert_int_equal(control(t, address, 0x00, 9, 1, 0, 0), 0);
}

/* Asks endpoint 1 for at most len bytes. */
static inline void ask(struct usb_rig *t, unsigned address, unsigned len)
{
    put_td(t, INTR_TD, END, ACTIVE | ERRORS3 | IOC | SPD, PID_IN, address, 1, len, INTR_DATA);
    put32(t, INTR_QH + 4, INTR_TD);
}

/* Bytes that came, or -1: it is still asked. */
static inline int answer(struct usb_rig *t)
{
    uint32_t status = get32(t, INTR_TD + 4);
    assert_int_equal(status & (STALLED | BABBLE | TIMEOUT), 0);
    return status & ACTIVE ? -1 : (int)((status + 1) & 0x7FF);
}

/* Asks, waits up to 100 ms, clears the interrupt. */
static inline int report(struct usb_rig *t, unsigned address, unsigned len)
{
    ask(t, address, len);
    for (unsigned i = 0; i < 100 && answer(t) < 0; i++)
        ms(t, 1);
    rig_outw(t->rig, USBSTS, 0x001F);
    return answer(t);
}

#endif
