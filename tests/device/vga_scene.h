/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga_scene: a display card on the rig, what is done to it written down for vga_peer (VGA_TRACE),
 * and the checksum of its picture, compared with the table in STOCK_PICTURES (to be defined by who
 * includes this).
 */
#ifndef TESTS_DEVICE_VGA_SCENE_H
#define TESTS_DEVICE_VGA_SCENE_H

#include "tests/device/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "hw/pc/cirrus.h"
#include "hw/pc/vga.h"
#include "tests/device/vga_modes.h"
#include "ui/display.h"

#define SLOT 3
#define LFB  0xE0000000u
#define MMIO 0xE4000000u /* a Cirrus card's registers */

enum card { CARD_VGA, CARD_CIRRUS };

struct screen {
    enum card card;
    struct rig *rig;
    struct display *display;
    FILE *trace;
    unsigned wrong;
};

static struct screen scr;

static inline void open_card(enum card card, const char *scene)
{
    struct err err;
    const struct vga_config vga = {.devfn = PCI_DEVFN(SLOT, 0), .memory = 16u << 20};
    const struct cirrus_config cirrus = {.devfn = PCI_DEVFN(SLOT, 0)};
    struct rig *r = scr.rig = rig_new();
    scr.card = card;
    scr.display = display_new(&r->clock);
    assert_non_null(scr.display);
    if (card == CARD_VGA)
        assert_non_null(
            vga_realize(r->pci, r->bus, r->hv, &r->clock, scr.display, &r->devices, &vga, &err));
    else
        assert_non_null(cirrus_realize(r->pci, r->bus, r->hv, &r->clock, scr.display, &r->devices,
                                       &cirrus, &err));
    const char *file = getenv("VGA_TRACE");
    scr.trace = file ? fopen(file, "a") : NULL;
    if (scr.trace)
        fprintf(scr.trace, "scene %s %s\n", card == CARD_VGA ? "VGA" : "cirrus-vga", scene);
    rig_pci_write(scr.rig, SLOT, 0, 0x10, 4, LFB);
    rig_pci_write(scr.rig, SLOT, 0, 0x14, 4, MMIO);
    rig_pci_write(scr.rig, SLOT, 0, 0x04, 2, 3);
}

static inline void open_screen(const char *scene)
{
    open_card(CARD_VGA, scene);
}

static inline void close_screen(void)
{
    unsigned wrong = scr.trace ? 0 : scr.wrong; /* a trace is made before the table */
    if (scr.trace)
        fclose(scr.trace);
    devices_destroy(&scr.rig->devices);
    display_free(scr.display);
    rig_free(scr.rig);
    scr = (struct screen){0};
    assert_int_equal(wrong, 0);
}

static inline void outb(void *to, uint16_t port, uint8_t v)
{
    (void)to;
    rig_outb(scr.rig, port, v);
    if (scr.trace)
        fprintf(scr.trace, "outb %d %d\n", port, v);
}

static inline uint8_t inb(void *to, uint16_t port)
{
    (void)to;
    if (scr.trace)
        fprintf(scr.trace, "inb %d\n", port);
    return rig_inb(scr.rig, port);
}

static inline void trace_bytes(const char *word, uint32_t addr, const uint8_t *buf, size_t len)
{
    if (!scr.trace)
        return;
    fprintf(scr.trace, "%s %u ", word, addr);
    for (size_t i = 0; i < len; i++)
        fprintf(scr.trace, "%02x", buf[i]);
    fprintf(scr.trace, "\n");
}

static inline void index_out(uint16_t port, uint8_t index, uint8_t v)
{
    outb(NULL, port, index);
    outb(NULL, (uint16_t)(port + 1), v);
}

static inline void attr_out(uint8_t index, uint8_t v)
{
    inb(NULL, 0x3DA);
    outb(NULL, 0x3C0, index | 0x20);
    outb(NULL, 0x3C0, v);
}

static inline void vbe_out(uint16_t index, uint16_t v)
{
    rig_outw(scr.rig, 0x1CE, index);
    rig_outw(scr.rig, 0x1CF, v);
    if (scr.trace)
        fprintf(scr.trace, "outw 462 %d\noutw 463 %d\n", index, v);
}

static inline void write_window(uint32_t addr, const uint8_t *buf, size_t len)
{
    bus_mem_write_run(scr.rig->bus, addr, 1, buf, (uint32_t)len);
    trace_bytes("write", addr, buf, len);
}

static inline uint8_t read_window(uint32_t addr)
{
    if (scr.trace)
        fprintf(scr.trace, "read %u\n", addr);
    return (uint8_t)bus_mem_read(scr.rig->bus, addr, 1);
}

static inline void write_lfb(uint32_t offset, const uint8_t *buf, size_t len)
{
    memcpy(scr.rig->hv->vram + offset, buf, len);
    trace_bytes("write", LFB + offset, buf, len);
}

/* What the device answers itself, whether BAR 0 is memory or not. */
static inline void write_device(uint32_t addr, const uint8_t *buf, size_t len)
{
    bus_mem_write_run(scr.rig->bus, addr, 1, buf, (uint32_t)len);
    trace_bytes("device", addr, buf, len);
}

/* The same bytes everywhere. */
static inline void noise(uint8_t *buf, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        buf[i] = (uint8_t)(seed >> 24);
    }
}

static inline void set_dac(void)
{
    outb(NULL, 0x3C8, 0);
    for (unsigned i = 0; i < 256; i++) {
        outb(NULL, 0x3C9, (uint8_t)(i & 0x3F));
        outb(NULL, 0x3C9, (uint8_t)(i * 7 & 0x3F));
        outb(NULL, 0x3C9, (uint8_t)(i * 29 >> 2 & 0x3F));
    }
}

static inline void set_mode(const struct vga_mode *m)
{
    vga_set_mode(NULL, outb, inb, m);
    set_dac();
}

static inline uint32_t picture(int *width, int *height)
{
    const struct surface *s = display_surface(scr.display);
    *width = s->width;
    *height = s->height;
    uLong crc = crc32(0, NULL, 0);
    for (int i = 0; i < s->width * s->height; i++) {
        uint32_t v = s->pixels[i];
        uint8_t rgb[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        crc = crc32(crc, rgb, 3);
    }
    return (uint32_t)crc;
}

/* What the stock device model shows, and what we do. */
static const struct expected {
    const char *name;
    int width, height;
    uint32_t stock, ours;
    const char *why; /* they differ */
} expected_pictures[] = {
#include STOCK_PICTURES
};

static inline void expect_picture(const char *name)
{
    int w, h;
    display_refresh_now(scr.display);
    uint32_t is = picture(&w, &h);
    if (scr.trace)
        fprintf(scr.trace, "picture %d %d %08x %s\n", w, h, is, name);
    const struct expected *e = expected_pictures;
    const struct expected *end = e + sizeof(expected_pictures) / sizeof(*e);
    while (e < end && strcmp(e->name, name))
        e++;
    if (e < end && w == e->width && h == e->height && is == e->ours)
        return;
    scr.wrong++;
    print_error("%s: %dx%d 0x%08X\n", name, w, h, is);
}

static inline void differences_have_reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(expected_pictures) / sizeof(expected_pictures[0]); i++) {
        const struct expected *e = &expected_pictures[i];
        assert_int_equal(e->stock != e->ours, e->why && *e->why);
        for (size_t n = 0; n < i; n++)
            assert_string_not_equal(e->name, expected_pictures[n].name);
    }
}

#endif
