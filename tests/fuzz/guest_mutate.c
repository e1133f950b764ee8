/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_mutate: mutations that know what a program is: operations come, go, move and are repeated
 * as wholes, and their ports and addresses are such as somebody answers at. What there is to answer
 * is asked of a machine, so that a new device is found without a word here.
 */
#include "tests/device/vga_modes.h"
#include "tests/fuzz/guest.h"

#define MAX_OPS    512
#define MAX_CLAIMS FAKE_MAX_CLAIMS

struct randoms {
    uint64_t state;
};

/* xorshift64* (G. Marsaglia; S. Vigna): the same numbers for the same seed everywhere. */
static uint32_t any(struct randoms *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return (uint32_t)((r->state * UINT64_C(2685821657736338717)) >> 32);
}

static uint32_t below(struct randoms *r, uint32_t n)
{
    return n ? any(r) % n : 0;
}

static bool one_in(struct randoms *r, uint32_t n)
{
    return below(r, n) == 0;
}

/* --- what there is --- */

static struct fake_claim claims[MAX_CLAIMS];
static unsigned claim_count, ports, memories;

static void look_around(void)
{
    struct guest *g = guest_new();
    const struct hypervisor *hv = guest_rig(g)->hv;
    for (size_t i = 0; i < hv->claim_count; i++) {
        claims[claim_count++] = hv->claims[i];
        ports += hv->claims[i].kind == 'p';
        memories += hv->claims[i].kind == 'm';
    }
    /* Video memory is no claim: the guest reaches it without us, and a test may too. */
    guest_free(g);
}

static const struct fake_claim *claim_of(struct randoms *r, char kind)
{
    unsigned count = kind == 'p' ? ports : kind == 'm' ? memories : claim_count - ports - memories;
    unsigned n = below(r, count);
    for (unsigned i = 0; i < claim_count; i++)
        if (claims[i].kind == kind && !n--)
            return &claims[i];
    return NULL;
}

static const struct fake_claim *claim_at(char kind, uint64_t at)
{
    for (unsigned i = 0; i < claim_count; i++)
        if (claims[i].kind == kind && at >= claims[i].first && at <= claims[i].last)
            return &claims[i];
    return NULL;
}

/* Ports of one claim tell the same story: mostly stays near `before` (0: nowhere). */
static uint16_t some_port(struct randoms *r, uint16_t before)
{
    const struct fake_claim *c = before && !one_in(r, 4) ? claim_at('p', before) : NULL;
    if (one_in(r, 64))
        return (uint16_t)any(r);
    if (!c)
        c = claim_of(r, 'p');
    return c ? (uint16_t)(c->first + below(r, (uint32_t)(c->last - c->first + 1))) : 0;
}

static uint32_t some_ram(struct randoms *r)
{
    uint32_t at = below(r, 0x400000);
    switch (below(r, 4)) {
    case 0:
        return at & ~0xFFFu;
    case 1:
        return (at | 0xFFF) - below(r, 16); /* across a page's end */
    case 2:
        return 0x400000 - below(r, 0x1000); /* across the end of RAM */
    default:
        return at & ~3u;
    }
}

static uint32_t some_address(struct randoms *r)
{
    const struct fake_claim *c = claim_of(r, 'm');
    if (one_in(r, 64) || !c)
        return any(r);
    uint64_t span = c->last - c->first + 1;
    uint32_t offset = any(r);
    if (!one_in(r, 3)) /* registers stand at the start */
        span = span < 0x1000 ? span : 0x1000;
    if (one_in(r, 8))
        return (uint32_t)(c->last - below(r, 8));
    offset = (uint32_t)(offset % span);
    return (uint32_t)c->first + (one_in(r, 4) ? offset : offset & ~3u);
}

static uint32_t some_value(struct randoms *r)
{
    switch (below(r, 10)) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    case 2:
        return 1u << below(r, 32);
    case 3:
        return (1u << below(r, 32)) - 1;
    case 4:
        return some_ram(r);
    case 5:
        return below(r, 16);
    case 6:
    case 7:
        return below(r, 256);
    default:
        return any(r);
    }
}

/* --- building operations --- */

struct writer {
    uint8_t bytes[768];
    size_t len;
};

static void put(struct writer *w, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && w->len < sizeof(w->bytes); i++)
        w->bytes[w->len++] = (uint8_t)(v >> (8 * i));
}

static void put_out(struct writer *w, uint16_t port, unsigned log2, uint32_t value)
{
    put(w, GUEST_OUT | (uint64_t)log2 << 4, 1);
    put(w, port, 2);
    put(w, value, 1u << log2);
}

/* Descriptors: an address, a length, flags, in every order that hardware has thought of. */
static void put_pattern(struct writer *w, struct randoms *r, bool only)
{
    unsigned words = one_in(r, 2) ? 2 : 1 + below(r, 15);
    put(w, GUEST_DMA | (only ? 0x40 : 0), 1);
    put(w, words * 4 - 1, 1);
    put(w, one_in(r, 4) ? any(r) : 0, 1);
    for (unsigned i = 0; i < words; i++)
        put(w, i % 2 ? some_value(r) : one_in(r, 4) ? some_value(r) : some_ram(r), 4);
}

static void put_any(struct writer *w, struct randoms *r, uint16_t near)
{
    static const uint8_t kinds[] = {
        GUEST_OUT,    GUEST_OUT,   GUEST_OUT,   GUEST_OUT,   GUEST_OUT,       GUEST_OUT,
        GUEST_IN,     GUEST_IN,    GUEST_IN,    GUEST_STORE, GUEST_STORE,     GUEST_STORE,
        GUEST_LOAD,   GUEST_DISK,  GUEST_DISK,  GUEST_TIME,  GUEST_CFG_WRITE, GUEST_CFG_READ,
        GUEST_OUTS,   GUEST_INS,   GUEST_DMA,   GUEST_DMA,   GUEST_RAM,       GUEST_SCREEN,
        GUEST_STORES, GUEST_EVENT, GUEST_LOADS, GUEST_EVENT,
    };
    uint8_t kind = kinds[below(r, sizeof(kinds))];
    unsigned log2 = one_in(r, 3) ? below(r, 4) : one_in(r, 2) ? 2 : 0;
    const struct fake_claim *c;
    if (kind == GUEST_DMA) {
        put_pattern(w, r, one_in(r, 3));
        return;
    }
    put(w, kind | log2 << 4 | (uint64_t)below(r, 4) << 6, 1);
    switch (kind) {
    case GUEST_OUT:
    case GUEST_IN:
    case GUEST_OUTS:
    case GUEST_INS:
        put(w, some_port(r, near), 2);
        break;
    case GUEST_CFG_WRITE:
    case GUEST_CFG_READ:
        c = claim_of(r, 'c');
        put(w, c ? c->first : 0, 1);
        put(w, below(r, one_in(r, 4) ? 256 : 0x60), 1);
        break;
    case GUEST_RAM:
        put(w, some_ram(r), 4);
        put(w, 15, 1);
        put(w, some_ram(r), 4);
        put(w, some_value(r), 4);
        break;
    case GUEST_TIME:
        put(w, below(r, 2000), 2);
        break;
    case GUEST_DISK:
    case GUEST_SCREEN:
        put(w, any(r), 1);
        break;
    case GUEST_EVENT:
        put(w, any(r), 1);
        break;
    default:
        put(w, some_address(r), 4);
    }
    if (kind == GUEST_OUTS || kind == GUEST_INS || kind == GUEST_STORES || kind == GUEST_LOADS)
        put(w, one_in(r, 16) ? any(r) : below(r, 300), 2);
    put(w, some_value(r), 4);
    put(w, some_value(r), 4);
    w->len = guest_op_size(w->bytes, w->len); /* no more than it takes */
}

/* The whole of what a driver does for one command; the rest of the chips are single registers. */
static void put_ata(struct writer *w, struct randoms *r)
{
    uint16_t base = one_in(r, 2) ? 0x170 : 0x1F0, bm = base == 0x1F0 ? 0xC4C0 : 0xC4C8;
    static const uint8_t likely[] = {0xEC, 0xA1, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35,
                                     0x39, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xE7, 0xEA, 0xEF,
                                     0xF8, 0x27, 0x37, 0xF9, 0x06, 0x10, 0x40, 0x42, 0x90,
                                     0x91, 0xB0, 0xE0, 0xE1, 0xA0, 0xA0};
    uint8_t command = one_in(r, 8) ? (uint8_t)any(r) : likely[below(r, sizeof(likely))];
    if (one_in(r, 2)) { /* bus master: table address, direction */
        put_pattern(w, r, true);
        put_out(w, (uint16_t)(bm + 4), 2, some_ram(r));
        put_out(w, bm, 0, below(r, 2) << 3 | (one_in(r, 2) ? 1 : 0));
    }
    put_out(w, (uint16_t)(base + 6), 0,
            0xA0 | below(r, 8) << 4 | (one_in(r, 4) ? below(r, 16) : 0));
    for (uint16_t i = 1; i < 6; i++)
        if (!one_in(r, 3))
            put_out(w, (uint16_t)(base + i), 0, one_in(r, 2) ? below(r, 4) : some_value(r));
    if (command == 0xB0 || command == 0xF9 ||
        command == 0xB1) { /* SMART's key, host protected area */
        put_out(w, (uint16_t)(base + 1), 0, one_in(r, 8) ? any(r) : 0xD0 + below(r, 11));
        put_out(w, (uint16_t)(base + 3), 0, below(r, 16));
        put_out(w, (uint16_t)(base + 4), 0, 0x4F);
        put_out(w, (uint16_t)(base + 5), 0, 0xC2);
    }
    put_out(w, (uint16_t)(base + 7), 0, command);
    if (command == 0xA0) { /* a packet follows */
        static const uint8_t packets[] = {0x00, 0x03, 0x12, 0x1A, 0x1B, 0x1E, 0x25, 0x28, 0x2B,
                                          0x42, 0x43, 0x44, 0x46, 0x4A, 0x51, 0x52, 0x55, 0x5A,
                                          0xA8, 0xAD, 0xBB, 0xBD, 0xBE, 0xB9, 0x23, 0xAC};
        uint8_t packet = one_in(r, 8) ? (uint8_t)any(r) : packets[below(r, sizeof(packets))];
        /* Page codes, formats and lengths that are defined, here and there. */
        static const uint8_t parts[] = {1,    2,    0x01, 0x2A, 0x3F, 0x80,
                                        0x83, 0x10, 8,    36,   0xF8, 0xFF};
        uint8_t cdb[12] = {packet};
        for (unsigned i = 1; i < sizeof(cdb); i++)
            cdb[i] = one_in(r, 2)    ? 0
                     : one_in(r, 16) ? (uint8_t)any(r)
                                     : parts[below(r, sizeof(parts))];
        for (unsigned i = 0; i < sizeof(cdb); i += 4)
            put_out(w, base, 2,
                    cdb[i] | cdb[i + 1] << 8 | cdb[i + 2] << 16 | (uint32_t)cdb[i + 3] << 24);
        if (one_in(r, 4)) { /* a parameter list */
            put(w, GUEST_OUTS | 1 << 4, 1);
            put(w, base, 2);
            put(w, below(r, 40), 2);
            put(w, one_in(r, 2) ? 0 : 0x2A120100 >> 8 * below(r, 4), 4);
        }
    }
    if (one_in(r, 2))
        put_out(w, bm, 0, below(r, 2) << 3 | 1);
    put(w, GUEST_DISK, 1);
    put(w, GUEST_DISK_RUN, 1);
    put(w, GUEST_INS | 1 << 4, 1);
    put(w, base, 2);
    put(w, below(r, 600), 2);
}

static void put_store(struct writer *w, uint32_t at, uint32_t value)
{
    put(w, GUEST_STORE | 2 << 4, 1);
    put(w, at, 4);
    put(w, value, 4);
}

/* One command at an AHCI port, with what the controller will find in memory: header, FIS and
 * packet, regions. */
static void put_ahci(struct writer *w, struct randoms *r)
{
    static const uint8_t likely[] = {0x60, 0x61, 0x60, 0x61, 0xEC, 0xA1, 0x24, 0x25,
                                     0x29, 0x34, 0x35, 0x39, 0x3D, 0xC8, 0xCA, 0x06,
                                     0x2F, 0xB0, 0xEF, 0xEA, 0xA0, 0xA0};
    static const uint8_t packets[] = {0x03, 0x12, 0x28, 0x43, 0x46, 0x4A,
                                      0x51, 0x55, 0x5A, 0xA8, 0xBE};
    uint32_t port = 0xF5000100 + 0x80 * (one_in(r, 8) ? below(r, 6) : 2 * below(r, 2));
    uint8_t command = one_in(r, 8) ? (uint8_t)any(r) : likely[below(r, sizeof(likely))];
    unsigned slot = below(r, 4);
    if (one_in(r, 6)) { /* COMRESET */
        put_store(w, port + 0x2C, 1);
        put_store(w, port + 0x2C, 0);
    }
    if (!one_in(r, 3)) {
        put_store(w, port + 0x00, some_ram(r));
        put_store(w, port + 0x08, some_ram(r));
        put_store(w, port + 0x18, 0x10);
        put_store(w, port + 0x18, 0x11);
        put_store(w, port + 0x14, any(r));
    }
    put(w, GUEST_DMA | 0x40, 1); /* the command header */
    put(w, 15, 1);
    put(w, 0, 1);
    put(w,
        (one_in(r, 16) ? any(r) & 0xFFFF : 5 | below(r, 2) << 5) |
            (one_in(r, 4) ? some_value(r) : 8) << 16,
        4);
    put(w, 0, 4);
    put(w, some_ram(r), 4);
    put(w, one_in(r, 16) ? any(r) : 0, 4);
    put(w, GUEST_DMA, 1); /* the FIS; the packet is the same again, with another first byte */
    put(w, 63, 1);
    put(w, packets[below(r, sizeof(packets))] - 0x27u, 1);
    put(w, 0x27 | (one_in(r, 16) ? 0 : 0x80) << 8 | (uint32_t)command << 16 | below(r, 9) << 24, 4);
    put(w, below(r, one_in(r, 4) ? UINT32_MAX : 0x10000) | 0x40000000, 4);
    put(w, one_in(r, 8) ? any(r) : 0, 4);
    put(w, one_in(r, 4) ? any(r) : slot << 3, 4);
    for (unsigned i = 0; i < 12; i++)
        put(w, i ? 0 : some_value(r), 4);
    put(w, GUEST_DMA, 1); /* regions */
    put(w, 15, 1);
    put(w, 0, 1);
    put(w, some_ram(r), 4);
    put(w, one_in(r, 16) ? any(r) : 0, 4);
    put(w, 0, 4);
    put(w, one_in(r, 2) ? 0xFFF : some_value(r), 4);
    put_store(w, port + 0x34, command == 0x60 || command == 0x61 ? 1u << slot : 0);
    put_store(w, port + 0x38, one_in(r, 8) ? any(r) : 1u << slot);
    put(w, GUEST_DISK, 1);
    put(w, one_in(r, 3) ? below(r, GUEST_DISKS) : GUEST_DISK_RUN, 1);
    put_store(w, port + 0x10, UINT32_MAX);
}

static void put_dma(struct writer *w, bool only, const uint32_t *words, unsigned count)
{
    put(w, GUEST_DMA | (only ? 0x40 : 0), 1);
    put(w, count * 4 - 1, 1);
    put(w, 0, 1);
    for (unsigned i = 0; i < count; i++)
        put(w, words[i], 4);
}

/* A transaction at a USB device: what the controller finds in memory in turn, frame list, queue,
 * transfer descriptor, data; then it runs for a while. */
static void put_uhci(struct writer *w, struct randoms *r)
{
    static const uint8_t pids[] = {0x2D, 0x69, 0x69, 0xE1};
    static const uint32_t setups[][2] = {
        {0x01000680, 0x00120000},
        {0x00050500, 0},
        {0x00010900, 0},
        {0x22000681, 0x00FF0000},
        {0x000A21, 0},
        {0x00080323, 1},
        {0x00040323, 1},
        {0x02000921, 0x00010000},
        {0x00010300, 0},
        {0x0000A3, 0x00040001},
        {0x01000680, 0xFFFF0000},
    };
    const uint16_t io = 0xC540;
    const uint16_t port = (uint16_t)(io + 0x10 + 2 * below(r, 2));
    const bool queued = !one_in(r, 4);
    if (one_in(r, 2)) {
        put_out(w, port, 1, 0x0200);
        put_out(w, port, 1, 0);
        put_out(w, port, 1, 4);
    }
    if (one_in(r, 2))
        put_out(w, (uint16_t)(io + 8), 2, some_ram(r));
    if (one_in(r, 8))
        put_out(w, (uint16_t)(io + below(r, 20)), 1, any(r));
    const uint32_t entry = (some_ram(r) & ~0xFu) | (queued ? 2 : 0);
    const uint32_t head[2] = {one_in(r, 4) ? some_ram(r) | 2 : 1, some_ram(r) & ~0xFu};
    const uint32_t td[4] = {
        one_in(r, 2) ? 1 : some_ram(r) | below(r, 8),
        one_in(r, 8) ? any(r)
                     : 0x00800000 | below(r, 4) << 27 | below(r, 2) << 29 | below(r, 2) << 24,
        (one_in(r, 16) ? any(r) & 0xFF : pids[below(r, 4)]) | below(r, 6) << 8 |
            (one_in(r, 3) ? 1u << 15 : 0) | (one_in(r, 8) ? below(r, 2048) : 7) << 21,
        some_ram(r),
    };
    const unsigned setup = below(r, sizeof(setups) / sizeof(setups[0]));
    const uint32_t odd[2] = {any(r), any(r)};
    put_dma(w, true, &entry, 1);
    if (queued)
        put_dma(w, false, head, 2);
    put_dma(w, false, td, 4);
    put_dma(w, false, one_in(r, 4) ? odd : setups[setup], 2);
    put_out(w, io, 1, one_in(r, 16) ? any(r) : 0xC1);
    put(w, GUEST_TIME | 1 << 6, 1);
    put(w, below(r, 1000), 2);
    if (one_in(r, 4)) {
        put(w, GUEST_EVENT, 1);
        put(w, below(r, 2), 1); /* a key, or the pointer */
        put(w, any(r), 4);
    }
}

/* Ports that come in pairs, an index and its data. */
static void put_pair(struct writer *w, struct randoms *r)
{
    static const uint16_t pairs[] = {0x3C4, 0x3CE, 0x3D4, 0x70, 0x72, 0x1CE, 0x3C0, 0x3B4};
    uint16_t port = pairs[below(r, sizeof(pairs) / sizeof(pairs[0]))];
    unsigned log2 = port == 0x1CE;
    put_out(w, port, log2, below(r, one_in(r, 8) ? 256 : 32));
    put_out(w, port == 0x3C0 ? port : (uint16_t)(port + 1), log2, some_value(r));
}

/* A standard VGA mode, one register perhaps another one, and a look at the screen. */
static void put_vga_mode(struct writer *w, struct randoms *r)
{
    static const struct vga_mode *const modes[] = {&mode_03, &mode_01, &mode_04, &mode_06,
                                                   &mode_0d, &mode_12, &mode_13};
    struct vga_mode m = *modes[below(r, sizeof(modes) / sizeof(modes[0]))];
    if (one_in(r, 2))
        m.crtc[below(r, 25)] = (uint8_t)any(r);
    if (one_in(r, 3))
        m.gfx[below(r, 9)] ^= (uint8_t)(1u << below(r, 8));
    if (one_in(r, 3))
        m.seq[below(r, 5)] ^= (uint8_t)(1u << below(r, 8));
    if (one_in(r, 3))
        m.attr[0x10 + below(r, 5)] ^= (uint8_t)(1u << below(r, 8));
    put_out(w, 0x3C2, 0, m.misc);
    for (unsigned i = 0; i < 5; i++)
        put_out(w, 0x3C4, 1, i | (uint32_t)m.seq[i] << 8);
    put_out(w, 0x3D4, 1, 0x11); /* unlocks the first eight */
    for (unsigned i = 0; i < 25; i++)
        put_out(w, 0x3D4, 1, i | (uint32_t)m.crtc[i] << 8);
    for (unsigned i = 0; i < 9; i++)
        put_out(w, 0x3CE, 1, i | (uint32_t)m.gfx[i] << 8);
    put(w, GUEST_IN, 1);
    put(w, 0x3DA, 2);
    for (unsigned i = 0x10; i < 0x15; i++) {
        put_out(w, 0x3C0, 0, i);
        put_out(w, 0x3C0, 0, m.attr[i]);
    }
    put_out(w, 0x3C0, 0, 0x20);
}

/* A VBE mode (Bochs' registers), with an offset, a virtual width, a bank. */
static void put_vbe_mode(struct writer *w, struct randoms *r)
{
    static const uint8_t depths[] = {4, 8, 15, 16, 24, 32};
    static const uint16_t widths[] = {320, 640, 800, 1024, 1, 1600, 4096};
    uint32_t registers[][2] = {
        {4, 0},
        {1, widths[below(r, 7)]},
        {2, one_in(r, 2) ? 200 : some_value(r)},
        {3, depths[below(r, sizeof(depths))]},
        {4, 1u | below(r, 2) << 6 | below(r, 2) << 7 | below(r, 2) << 5},
        {6, one_in(r, 2) ? widths[below(r, 7)] : some_value(r)},
        {8, some_value(r)},
        {9, some_value(r)},
        {5, some_value(r)},
    };
    unsigned count = one_in(r, 2) ? 5 : 9;
    for (unsigned i = 0; i < count; i++) {
        put_out(w, 0x1CE, 1, registers[i][0]);
        put_out(w, 0x1CF, 1, registers[i][1]);
    }
}

static void put_screen(struct writer *w, struct randoms *r)
{
    if (one_in(r, 2))
        put_vga_mode(w, r);
    else
        put_vbe_mode(w, r);
    if (one_in(r, 2)) { /* something to see, through the window */
        put(w, GUEST_STORES | below(r, 3) << 4, 1);
        put(w, (one_in(r, 2) ? 0xB8000 : 0xA0000) + below(r, 0x8000), 4);
        put(w, below(r, 500), 2);
        put(w, any(r), 4);
    }
    put(w, GUEST_SCREEN, 1);
    put(w, below(r, GUEST_SCREENS), 1);
    put(w, GUEST_SCREEN, 1);
    put(w, GUEST_SCREEN_LOOK, 1);
}

/* A command for keyboard or mouse, its parameters, something typed, and what comes of it. */
static void put_ps2(struct writer *w, struct randoms *r)
{
    static const uint8_t commands[] = {0xED, 0xEE, 0xF0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7,
                                       0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF, 0xE6,
                                       0xE7, 0xE8, 0xE9, 0xEA, 0xEB, 0xEC, 0xEE};
    bool mouse = one_in(r, 2);
    for (unsigned n = 1 + below(r, 4); n; n--) {
        if (mouse)
            put_out(w, 0x64, 0, 0xD4);
        put_out(w, 0x60, 0, one_in(r, 3) ? below(r, 256) : commands[below(r, sizeof(commands))]);
        if (one_in(r, 2)) {
            if (mouse)
                put_out(w, 0x64, 0, 0xD4);
            put_out(w, 0x60, 0, below(r, 201));
        }
        for (unsigned i = below(r, 5); i; i--) {
            put(w, GUEST_IN, 1);
            put(w, 0x60, 2);
        }
    }
    put(w, GUEST_EVENT, 1);
    put(w, mouse ? GUEST_POINTER : GUEST_KEY, 1);
    put(w, mouse ? any(r) : below(r, 256) | below(r, 2) << 16, 4);
    put(w, GUEST_TIME, 1);
    put(w, 20000, 2);
}

/* Bytes into one port one after the other: command and parameters. */
static void put_series(struct writer *w, struct randoms *r)
{
    static const uint16_t doors[] = {0x3F5, 0x60, 0x64, 0x3C9, 0x3C0, 0x3F8, 0x00, 0xC0};
    uint16_t port = one_in(r, 4) ? some_port(r, 0) : doors[below(r, sizeof(doors) / 2)];
    for (unsigned i = 1 + below(r, 9); i; i--)
        put_out(w, port, 0, one_in(r, 2) ? below(r, 32) : some_value(r));
}

/* Registers of one memory BAR, next to each other. */
static void put_registers(struct writer *w, struct randoms *r)
{
    uint32_t at = some_address(r) & ~3u;
    for (unsigned i = 1 + below(r, 6); i; i--, at += 4) {
        put(w, GUEST_STORE | 2 << 4, 1);
        put(w, at, 4);
        put(w, some_value(r), 4);
    }
}

/* --- changing programs --- */

struct program {
    uint8_t *data;
    size_t size, max_size;
    size_t at[MAX_OPS + 1]; /* where operations begin; at[count] is the end */
    unsigned count;
};

static void parse(struct program *p)
{
    size_t at = 0;
    for (p->count = 0; at < p->size && p->count < MAX_OPS; p->count++) {
        p->at[p->count] = at;
        at += guest_op_size(p->data + at, p->size - at);
    }
    p->at[p->count] = at;
}

static void insert(struct program *p, size_t at, const uint8_t *bytes, size_t len)
{
    if (len > p->max_size - p->size)
        return;
    memmove(p->data + at + len, p->data + at, p->size - at);
    memcpy(p->data + at, bytes, len);
    p->size += len;
    parse(p);
}

static void cut(struct program *p, size_t at, size_t len)
{
    memmove(p->data + at, p->data + at + len, p->size - at - len);
    p->size -= len;
    parse(p);
}

static uint16_t port_near(const struct program *p, unsigned op)
{
    for (unsigned i = op; i-- && op - i < 4;) {
        const uint8_t *b = p->data + p->at[i];
        unsigned kind = b[0] & 15;
        if (p->at[i + 1] - p->at[i] >= 3 &&
            (kind <= GUEST_IN || kind == GUEST_OUTS || kind == GUEST_INS))
            return (uint16_t)(b[1] | b[2] << 8);
    }
    return 0;
}

static void add(struct program *p, struct randoms *r)
{
    struct writer w = {.len = 0};
    unsigned op = one_in(r, 2) ? p->count : below(r, p->count + 1);
    switch (below(r, 15)) {
    case 13:
    case 14:
        put_uhci(&w, r);
        break;
    case 0:
    case 1:
        put_ata(&w, r);
        break;
    case 7:
    case 8:
        put_ahci(&w, r);
        break;
    case 5:
        put_ps2(&w, r);
        break;
    case 6:
        put_screen(&w, r);
        break;
    case 2:
        put_pair(&w, r);
        break;
    case 3:
        put_series(&w, r);
        break;
    case 4:
        put_registers(&w, r);
        break;
    default:
        put_any(&w, r, port_near(p, op));
    }
    insert(p, p->at[op], w.bytes, w.len);
}

/* Up to 8 operations from `op` on. */
static size_t stretch(const struct program *p, struct randoms *r, unsigned op)
{
    unsigned n = 1 + below(r, 8);
    return p->at[op + n < p->count ? op + n : p->count] - p->at[op];
}

static void again(struct program *p, struct randoms *r)
{
    uint8_t copy[1024];
    unsigned from = below(r, p->count);
    size_t len = stretch(p, r, from);
    if (len > sizeof(copy))
        return;
    memcpy(copy, p->data + p->at[from], len);
    insert(p, p->at[below(r, p->count + 1)], copy, len);
}

/* Another place, another value, or bytes as libFuzzer likes them, within one operation. */
static void change(struct program *p, struct randoms *r)
{
    unsigned op = below(r, p->count);
    uint8_t *b = p->data + p->at[op];
    size_t len = p->at[op + 1] - p->at[op];
    unsigned kind = b[0] & 15;
    bool port = kind <= GUEST_IN || kind == GUEST_OUTS || kind == GUEST_INS;
    bool memory =
        kind == GUEST_STORE || kind == GUEST_LOAD || kind == GUEST_STORES || kind == GUEST_LOADS;
    uint32_t v = some_value(r);
    if (port && len >= 3 && one_in(r, 3)) {
        uint16_t to = some_port(r, (uint16_t)(b[1] | b[2] << 8));
        memcpy(b + 1, &to, 2);
    } else if (memory && len >= 5 && one_in(r, 3)) {
        uint32_t to = some_address(r);
        memcpy(b + 1, &to, 4);
    } else if (one_in(r, 3)) {
        size_t n = len < 4 ? len : 4;
        memcpy(b + len - n, &v, n);
    } else {
        LLVMFuzzerMutate(b + (len > 1), len - (len > 1), len - (len > 1));
    }
    parse(p);
}

size_t guest_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct randoms r = {.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    static struct program p;
    if (!claim_count)
        look_around();
    p.data = data;
    p.size = size;
    p.max_size = max_size;
    parse(&p);
    for (unsigned n = 1 + below(&r, 4); n; n--) {
        unsigned way = below(&r, 16);
        if (p.count == 0 || way < 7) {
            add(&p, &r);
        } else if (way < 9) {
            unsigned op = below(&r, p.count);
            cut(&p, p.at[op], stretch(&p, &r, op));
        } else if (way < 11) {
            again(&p, &r);
        } else if (way < 15) {
            change(&p, &r);
        } else {
            p.size = LLVMFuzzerMutate(p.data, p.size, p.max_size);
            parse(&p);
        }
    }
    return p.size;
}
