/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at the display card, with its picture drawn: the input is a program of register
 * accesses by ports and by memory, accesses to the window and to BAR 0, whole modes, BLTs and their
 * data, steps of time, refreshes with a viewer and without, moves of BARs, stops and states from
 * elsewhere. Its first byte says which card, the standard VGA or the CL-GD5446.
 */
#include "hw/core/bus.h"
#include "hw/core/clock.h"
#include "hw/core/device.h"
#include "hw/pc/cirrus.h"
#include "hw/pc/pci.h"
#include "hw/pc/vga.h"
#include "tests/device/vga_modes.h"
#include "tests/fake/hypervisor.h"
#include "tests/fuzz/fuzz.h"
#include "ui/display.h"

#define DEVFN        PCI_DEVFN(3, 0)
#define LFB          0xE0000000u
#define MMIO         0xE4000000u
#define MAX_STEPS    2000
#define MAX_PICTURES 24 /* some take a while */
#define MAX_BLTS     64

struct fuzz {
    struct fuzz_input in;
    bool cirrus;
    unsigned pictures, blts;
    uint64_t now;
    struct clock clock;
    struct hypervisor *hv;
    struct bus *bus;
    struct pci_bus *pci;
    struct display *display;
    struct device_list devices;
    struct display_viewer viewer;
    uint32_t seen; /* of what the viewer was told */
};

static uint64_t clock_time(const struct clock *clock)
{
    return ((const struct fuzz *)(const void *)((const char *)clock - offsetof(struct fuzz, clock)))
        ->now;
}

static uint8_t take(struct fuzz *z)
{
    return (uint8_t)fuzz_take(&z->in, 1);
}

static void out(void *to, uint16_t port, uint8_t v)
{
    bus_port_write(((struct fuzz *)to)->bus, port, 1, v);
}

static uint8_t in(void *to, uint16_t port)
{
    return (uint8_t)bus_port_read(((struct fuzz *)to)->bus, port, 1);
}

/* A viewer reads all that it is told has changed. */
static void look(struct fuzz *z, const struct surface *s, const struct display_rect *r)
{
    fuzz_assert(r->x1 >= 0 && r->y1 >= 0 && r->x1 < r->x2 && r->y1 < r->y2 && r->x2 <= s->width &&
                r->y2 <= s->height);
    for (int y = r->y1; y < r->y2; y++)
        z->seen += s->pixels[(size_t)y * (size_t)s->width + (size_t)r->x1] +
                   s->pixels[(size_t)y * (size_t)s->width + (size_t)r->x2 - 1];
}

static void resized(void *opaque, const struct surface *surface)
{
    const struct display_rect all = {0, 0, surface->width, surface->height};
    look(opaque, surface, &all);
}

static void damaged(void *opaque, const struct surface *surface,
                    const struct display_damage *damage)
{
    for (unsigned i = 0; i < damage->count; i++)
        look(opaque, surface, &damage->rects[i]);
}

static void draw(struct fuzz *z)
{
    if (z->pictures++ < MAX_PICTURES)
        display_refresh_now(z->display);
}

static void step(struct fuzz *z, uint64_t ns)
{
    const uint64_t until = z->now + ns;
    for (unsigned budget = 50; clock_deadline(&z->clock) <= until && budget; budget--) {
        if (z->pictures++ >= MAX_PICTURES)
            display_viewer_wants(z->display, &z->viewer, false);
        if (clock_deadline(&z->clock) > z->now)
            z->now = clock_deadline(&z->clock);
        clock_run(&z->clock, z->now);
    }
    z->now = until;
}

static void indexed(struct fuzz *z, uint8_t op)
{
    static const uint16_t ports[] = {0x3C4, 0x3CE, 0x3D4, 0x3B4, 0x1CE};
    const uint16_t port = ports[(op >> 4) % 5];
    if (port == 0x1CE) {
        bus_port_write(z->bus, port, 2, take(z) & 15);
        bus_port_write(z->bus, 0x1CF, 2, (uint32_t)fuzz_take(&z->in, 2));
        return;
    }
    out(z, port, take(z));
    out(z, port + 1, take(z));
}

static void mode(struct fuzz *z)
{
    static const struct vga_mode *const modes[] = {&mode_01, &mode_03, &mode_04, &mode_06, &mode_07,
                                                   &mode_0d, &mode_0e, &mode_0f, &mode_10, &mode_11,
                                                   &mode_12, &mode_13, &mode_x};
    const uint8_t n = take(z);
    vga_set_mode(z, out, in, modes[n % 13]);
    if (!z->cirrus || n < 128)
        return;
    static const uint8_t depths[] = {0x11, 0x13, 0x15, 0x17, 0x19};
    bus_port_write(z->bus, 0x3C4, 2, 7u | (uint32_t)depths[n % 5] << 8);
    bus_port_write(z->bus, 0x3D4, 2, 0x13u | (uint32_t)take(z) << 8);
    bus_port_write(z->bus, 0x3D4, 2, 0x1Bu | (uint32_t)take(z) << 8);
}

/* Addresses: near the beginning, near the end, anywhere. */
static uint32_t place(struct fuzz *z, uint32_t size)
{
    const uint32_t v = (uint32_t)fuzz_take(&z->in, 3);
    return v & 1 ? (size - 1 - (v >> 1 & 0xFF)) % size : (v >> 1) % size;
}

static void blt(struct fuzz *z)
{
    static const uint8_t rops[] = {0x00, 0x05, 0x06, 0x09, 0x0B, 0x0D, 0x0E, 0x50, 0x59,
                                   0x6D, 0x90, 0x95, 0xAD, 0xD0, 0xD6, 0xDA, 0x77};
    if (z->blts++ >= MAX_BLTS)
        return;
    const uint32_t width = (uint32_t)fuzz_take(&z->in, 2), height = take(z);
    const uint32_t words[6] = {(width & 0x1FFF) | height << 16,
                               (uint32_t)fuzz_take(&z->in, 4),
                               place(z, CIRRUS_MEMORY),
                               place(z, CIRRUS_MEMORY) | (uint32_t)take(z) << 24,
                               take(z) | (uint32_t)rops[take(z) % 17] << 16 |
                                   (uint32_t)take(z) << 24,
                               (uint32_t)fuzz_take(&z->in, 2)};
    for (unsigned i = 0; i < 6; i++)
        bus_mem_write(z->bus, MMIO + 0x108 + 4 * i, 4, words[i]);
    bus_mem_write(z->bus, MMIO + 0x140, 1, 2);
}

static void memory(struct fuzz *z, uint8_t op)
{
    static uint8_t buf[8192];
    const unsigned width = 1u << (op >> 4 & 3);
    uint64_t at;
    switch (op >> 6) {
    case 0:
        at = 0xA0000 + place(z, 0x20000);
        break;
    case 1:
        at = LFB + place(z, 32u << 20);
        break;
    case 2:
        at = MMIO + place(z, 0x400);
        break;
    default:
        at = LFB + (16u << 20);
        break;
    }
    const uint8_t n = take(z);
    if (n < 8) {
        memset(buf, take(z), sizeof(buf));
        const uint32_t count = 1 + take(z) * 32u / width;
        if (n & 1)
            bus_mem_read_run(z->bus, at, width, buf, count < 1024 ? count : 1024);
        else
            bus_mem_write_run(z->bus, at, width, buf, count < 1024 ? count : 1024);
    } else if (n & 1) {
        bus_mem_read(z->bus, at, width);
    } else {
        bus_mem_write(z->bus, at, width, fuzz_take(&z->in, width));
    }
}

/* What the guest writes by itself, where BAR 0 is memory. */
static void scribble(struct fuzz *z)
{
    const uint32_t at = place(z, (uint32_t)z->hv->vram_bytes - 64);
    memset(z->hv->vram + at, take(z), 64);
    z->hv->vram_bitmap[at / 4096 / 64] |= 1ul << (at / 4096 % 64);
}

static void pci(struct fuzz *z)
{
    static const uint8_t regs[] = {0x04, 0x10, 0x14, 0x18, 0x30};
    const uint8_t op = take(z);
    bus_pci_write(z->bus, DEVFN, regs[op % 5], op & 0x80 ? 1 : 4, (uint32_t)fuzz_take(&z->in, 4));
    if (op & 0x40)
        return;
    bus_pci_write(z->bus, DEVFN, 0x10, 4, LFB);
    bus_pci_write(z->bus, DEVFN, z->cirrus ? 0x14 : 0x18, 4, MMIO);
    bus_pci_write(z->bus, DEVFN, 0x04, 2, 3);
}

static void stop_and_move(struct fuzz *z, bool other)
{
    static struct err err;
    uint8_t *stream, *again;
    size_t len, again_len;
    devices_quiesce(&z->devices);
    fuzz_assert(devices_save(&z->devices, &stream, &len, &err));
    if (other)
        devices_reset(&z->devices);
    fuzz_assert(devices_load(&z->devices, stream, len, &err)); /* what was saved is taken back */
    fuzz_assert(devices_save(&z->devices, &again, &again_len, &err));
    fuzz_assert(len == again_len && !memcmp(stream, again, len));
    free(again);
    free(stream);
    devices_resume(&z->devices);
}

/* A state from elsewhere: refused, or taken and survived. */
static void hostile_state(struct fuzz *z)
{
    static struct err err;
    struct device *d = z->devices.first;
    const size_t len = state_size(d->class->state, d->class->version);
    uint8_t *record = malloc(len);
    fuzz_assert(record);
    devices_quiesce(&z->devices);
    state_save(d->class->state, d, d->class->version, record);
    for (unsigned n = take(z) & 7; n; n--) {
        const size_t at = (size_t)fuzz_take(&z->in, 2); /* both ends; long arrays lie between */
        record[(at & 1 ? at : len - 1 - at % len) % len] = take(z);
    }
    device_load(d, d->class->version, record, len, &err);
    free(record);
    devices_resume(&z->devices);
}

static void one(struct fuzz *z)
{
    const uint8_t op = take(z);
    switch (op & 15) {
    case 0:
    case 1:
    case 2:
        indexed(z, op);
        break;
    case 3:
        out(z, 0x3B0 + take(z) % 48, take(z));
        break;
    case 4:
        in(z, 0x3B0 + take(z) % 48);
        break;
    case 5:
        for (unsigned i = op >> 4; i; i--)
            in(z, 0x3C6);
        break;
    case 6:
        mode(z);
        break;
    case 7:
    case 8:
        memory(z, take(z));
        break;
    case 9:
    case 10:
        if (z->cirrus)
            blt(z);
        break;
    case 11:
        draw(z);
        break;
    case 12:
        if (op & 0x80)
            step(z, take(z) * NS_PER_MS);
        else
            display_viewer_wants(z->display, &z->viewer,
                                 (op & 0x40) && z->pictures++ < MAX_PICTURES);
        z->hv->vram_known = op & 0x20;
        break;
    case 13:
        scribble(z);
        break;
    case 14:
        if (op & 0x10)
            stop_and_move(z, op & 0x20);
        else
            pci(z);
        break;
    default:
        if (op & 0x80)
            hostile_state(z);
        else if (op & 0x40)
            devices_reset(&z->devices);
        else
            z->hv->vram_refused = op & 0x10;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct err err;
    struct fuzz z = {.in = {input, size}};
    z.hv = fake_hypervisor_new(4096);
    z.bus = bus_new(z.hv);
    z.pci = pci_bus_new(z.bus, z.hv);
    clock_init(&z.clock, clock_time);
    z.display = display_new(&z.clock);
    z.cirrus = take(&z) & 1;
    const struct vga_config vga = {.devfn = DEVFN, .memory = VGA_MIN_MEMORY};
    const struct cirrus_config cirrus = {.devfn = DEVFN};
    if (z.cirrus)
        fuzz_assert(
            cirrus_realize(z.pci, z.bus, z.hv, &z.clock, z.display, &z.devices, &cirrus, &err));
    else
        fuzz_assert(vga_realize(z.pci, z.bus, z.hv, &z.clock, z.display, &z.devices, &vga, &err));
    z.viewer = (struct display_viewer){.resized = resized, .damaged = damaged, .opaque = &z};
    display_add_viewer(z.display, &z.viewer);
    bus_pci_write(z.bus, DEVFN, 0x10, 4, LFB);
    bus_pci_write(z.bus, DEVFN, z.cirrus ? 0x14 : 0x18, 4, MMIO);
    bus_pci_write(z.bus, DEVFN, 0x04, 2, 3);
    for (unsigned steps = 0; z.in.left && steps < MAX_STEPS; steps++)
        one(&z);
    /* Whatever it did: after a reset a mode is set and shown as ever. */
    z.hv->vram_refused = false;
    devices_reset(&z.devices);
    vga_set_mode(&z, out, in, &mode_12);
    display_refresh_now(z.display);
    fuzz_assert(display_surface(z.display)->width == 640);
    fuzz_assert(display_surface(z.display)->height == 480);
    display_remove_viewer(z.display, &z.viewer);
    devices_destroy(&z.devices);
    display_free(z.display);
    pci_bus_free(z.pci);
    bus_free(z.bus);
    clock_destroy(&z.clock);
    fake_hypervisor_free(z.hv);
    return 0;
}
