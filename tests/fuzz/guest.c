/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: see guest.h. */
#include "tests/fuzz/guest.h"

#include <errno.h>
#include <stdio.h>

#include "hw/core/bus.h"
#include "hw/core/device.h"
#include "hw/core/dma.h"
#include "hw/pc/piix3_ide.h"
#include "tests/fake/block.h"

#define MAX_OPS      4096
#define BUDGET       30000 /* of work: roughly accesses */
#define MAX_COUNT    8191  /* of a string operation */
#define MAX_PATTERNS 16
#define MAX_FILL     4096 /* bytes filled for one read */
#define MAX_TIMERS   2000 /* that run in one step of time */
#define CD_UNIT      2

struct pattern {
    uint8_t len, step;
    uint8_t bytes[64];
};

struct chardev { /* COM1's line: what ui/chardev.c is in the product */
    const struct chardev_user *user;
    void *opaque;
    bool slow, connected;
};

struct guest {
    struct machine_rig *rig;
    struct chardev line;
    struct display_viewer viewer;
    bool cd_out;
    struct pattern patterns[MAX_PATTERNS];
    unsigned pattern_count, next_pattern;
    int64_t budget;
    uint64_t seen; /* a hash of all that was read since the start, or since guest_park */
    bool tell;     /* as qtest lines */
};

/* Whose memory is filled: one guest acts at a time. */
static struct guest *acting;

/* --- memory, at the moment a device reads it --- */

bool __real_dma_read(struct dma *dma, uint64_t addr, void *buf, size_t len);
bool __wrap_dma_read(struct dma *dma, uint64_t addr, void *buf, size_t len);
size_t __real_dma_sg_add(struct dma_sg *sg, uint64_t addr, size_t len);
size_t __wrap_dma_sg_add(struct dma_sg *sg, uint64_t addr, size_t len);

static void tell_bytes(uint64_t addr, const uint8_t *bytes, size_t len)
{
    printf("write %#llx %zu 0x", (unsigned long long)addr, len);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static void fill(uint64_t addr, size_t len)
{
    struct guest *g = acting;
    if (!g || !g->pattern_count || addr >= g->rig->hv->ram_bytes)
        return;
    const struct pattern *p = &g->patterns[g->next_pattern++ % g->pattern_count];
    size_t room = g->rig->hv->ram_bytes - (size_t)addr;
    len = len < MAX_FILL ? len : MAX_FILL;
    len = len < room ? len : room;
    uint8_t *ram = g->rig->hv->ram + addr;
    for (size_t i = 0; i < len; i++)
        ram[i] = (uint8_t)(p->bytes[i % p->len] + (i % p->len ? 0 : i / p->len * p->step));
    g->budget -= (int64_t)len / 64;
    if (g->tell)
        tell_bytes(addr, ram, len);
}

bool __wrap_dma_read(struct dma *dma, uint64_t addr, void *buf, size_t len)
{
    fill(addr, len);
    return __real_dma_read(dma, addr, buf, len);
}

size_t __wrap_dma_sg_add(struct dma_sg *sg, uint64_t addr, size_t len)
{
    if (!sg->to_guest)
        fill(addr, len);
    return __real_dma_sg_add(sg, addr, len);
}

/* --- COM1's line --- */

void __wrap_chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque);
size_t __wrap_chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
void __wrap_chardev_accept_input(struct chardev *c);

void __wrap_chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    c->user = user;
    c->opaque = opaque;
}

size_t __wrap_chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    static volatile uint8_t sum;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + buf[i]);
    return c->slow ? 0 : len;
}

void __wrap_chardev_accept_input(struct chardev *c)
{
    (void)c;
}

static void line_receive(struct chardev *c, uint32_t v)
{
    uint8_t bytes[64];
    size_t room = c->user ? c->user->room(c->opaque) : 0, len = v & 63;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)((v >> 8) + i);
    if (len > room)
        len = room;
    if (len)
        c->user->receive(c->opaque, bytes, len);
}

static void line_event(struct chardev *c, uint32_t v)
{
    if (!c->user)
        return;
    bool was_slow = c->slow;
    c->slow = v & 2;
    c->connected = v & 1;
    if (c->user->event)
        c->user->event(c->opaque, v & 1);
    if (was_slow && !c->slow && c->user->writable)
        c->user->writable(c->opaque);
}

/* --- building it --- */

static void cfg_write(struct guest *g, uint8_t devfn, unsigned reg, unsigned width, uint32_t value)
{
    if (g->tell)
        printf("outl 0xcf8 %#x\nout%c %#x %#x\n", 0x80000000u | (unsigned)devfn << 8 | (reg & 0xFC),
               "?bw?l"[width], 0xCFC + (reg & 3), value);
    bus_pci_write(machine_bus(g->rig->machine), devfn, reg, width, value);
}

/* A place for every BAR that depends on nothing but its owner, then decoding and bus mastering on.
 */
static void place_bars(struct guest *g)
{
    struct bus *bus = machine_bus(g->rig->machine);
    for (unsigned devfn = 0; devfn < 64; devfn++) {
        if (bus_pci_read(bus, (uint8_t)devfn, 0, 2) == 0xFFFF)
            continue;
        unsigned slot = devfn >> 3, function = devfn & 7;
        bool any = false;
        for (unsigned bar = 0; bar < 6; bar++) {
            unsigned reg = 0x10 + 4 * bar;
            cfg_write(g, (uint8_t)devfn, reg, 4, 0xFFFFFFFF);
            uint32_t mask = bus_pci_read(bus, (uint8_t)devfn, reg, 4), at = 0;
            if (mask & 1)
                at = 0xC000 + slot * 0x400 + function * 0x80 + bar * 0x10;
            else if (mask)
                at = 0xE0000000 + slot * 0x4000000 + function * 0x100000 + bar * 0x1000000;
            any = any || mask;
            cfg_write(g, (uint8_t)devfn, reg, 4, at);
        }
        if (any)
            cfg_write(g, (uint8_t)devfn, 4, 2, 7);
    }
    cfg_write(g, PCI_DEVFN(1, 1), 0x40, 4, 0x80008000); /* both IDE channels answer */
    cfg_write(g, PCI_DEVFN(1, 3), 0x40, 4, 0xB001);     /* power management registers */
    cfg_write(g, PCI_DEVFN(1, 3), 0x80, 1, 1);
}

static void resized(void *opaque, const struct surface *surface)
{
    (void)opaque;
    fuzz_assert(surface->width > 0);
}

static void damaged(void *opaque, const struct surface *surface,
                    const struct display_damage *damage)
{
    (void)opaque;
    for (unsigned i = 0; i < damage->count; i++) {
        const struct display_rect *r = &damage->rects[i];
        fuzz_assert(r->x1 >= 0 && r->x2 <= surface->width && r->y1 >= 0 &&
                    r->y2 <= surface->height);
        fuzz_assert(r->x1 < r->x2 && r->y1 < r->y2);
    }
}

struct guest *guest_new(void)
{
    struct guest *g = calloc(1, sizeof(*g));
    if (!g)
        abort();
    g->rig = machine_rig_new_serial(&g->line);
    g->viewer = (struct display_viewer){.resized = resized, .damaged = damaged};
    display_add_viewer(g->rig->display, &g->viewer);
    g->budget = BUDGET;
    g->tell = getenv("FUZZ_QTEST") != NULL;
    place_bars(g);
    return g;
}

struct machine_rig *guest_rig(struct guest *g)
{
    return g->rig;
}

void guest_free(struct guest *g)
{
    struct machine_rig *rig = g->rig;
    struct bus *bus = machine_bus(rig->machine);
    acting = g;
    machine_rig_disks(rig);
    machine_reset(rig->machine);
    machine_rig_disks(rig);
    acting = NULL;
    fuzz_assert(!(bus_port_read(bus, 0x1F7, 1) & 0x80) && !(bus_port_read(bus, 0x177, 1) & 0x80));
    fuzz_assert((bus_port_read(bus, 0x3FD, 1) & 0x60) == 0x60);
    fuzz_assert(bus_port_read(bus, 0x3F4, 1) & 0x80 || bus_port_read(bus, 0x3F4, 1) == 0);
    fuzz_assert(rig->hv->maps == 0); /* guest memory is given back */
    display_remove_viewer(rig->display, &g->viewer);
    machine_rig_free(rig);
    free(g);
}

/* --- moving it --- */

static void saw(struct guest *g, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++)
        g->seen = (g->seen ^ p[i]) * UINT64_C(0x100000001B3); /* FNV-1a */
    if (g->tell) {
        printf("# saw 0x");
        for (size_t i = 0; i < len && i < 16; i++)
            printf("%02x", p[i]);
        printf("%s\n", len > 16 ? "..." : "");
    }
}

void guest_say(const struct guest *g, const char *text)
{
    if (g->tell) {
        printf("# %s\n", text);
        fflush(stdout); /* what comes may be the end */
    }
}

void guest_park(struct guest *g)
{
    display_viewer_wants(g->rig->display, &g->viewer, false);
    input_release_all(g->rig->input);
    input_pointer_at(g->rig->input, 0, 0, 1024, 768, 0, 0);
    devices_quiesce(machine_devices(g->rig->machine));
}

/* What is not zero; the rest was never touched and need not be now. */
static void copy_memory(uint8_t *to, const uint8_t *from, size_t bytes)
{
    static const uint8_t zero[4096];
    for (size_t at = 0; at + sizeof(zero) <= bytes; at += sizeof(zero))
        if (memcmp(from + at, zero, sizeof(zero)))
            memcpy(to + at, from + at, sizeof(zero));
}

struct guest *guest_twin(const struct guest *g)
{
    struct guest *t = guest_new();
    struct hypervisor *from = g->rig->hv, *to = t->rig->hv;
    copy_memory(to->ram, from->ram, from->ram_bytes);
    copy_memory(to->vram, from->vram, (size_t)from->vram_bytes);
    to->vram_known = from->vram_known;
    fake_block_copy(t->rig->disk, g->rig->disk);
    fake_block_copy(t->rig->cd, g->rig->cd);
    fake_block_copy(t->rig->sata, g->rig->sata);
    if (g->cd_out) {
        ide_drive_set_medium(machine_ide(t->rig->machine), CD_UNIT, NULL);
        t->cd_out = true;
    }
    line_event(&t->line, (g->line.connected ? 1u : 0) | (g->line.slow ? 2u : 0));
    guest_park(t);
    t->rig->now = g->rig->now; /* the screen's retrace follows it, and is no state */
    memcpy(t->patterns, g->patterns, sizeof(t->patterns));
    t->pattern_count = g->pattern_count;
    t->next_pattern = g->next_pattern;
    t->budget = g->budget;
    t->seen = g->seen;
    return t;
}

bool guest_same(const struct guest *a, const struct guest *b)
{
    const struct hypervisor *x = a->rig->hv, *y = b->rig->hv;
    static struct err err;
    uint8_t *state[2];
    size_t len[2];
    fuzz_assert(devices_save(machine_devices(a->rig->machine), &state[0], &len[0], &err) &&
                devices_save(machine_devices(b->rig->machine), &state[1], &len[1], &err));
    bool same = len[0] == len[1] && !memcmp(state[0], state[1], len[0]);
    if (!same && a->tell) {
        devices_print(machine_devices(a->rig->machine), stdout);
        devices_print(machine_devices(b->rig->machine), stdout);
        fflush(stdout);
    }
    free(state[0]);
    free(state[1]);
    return same && a->seen == b->seen && !memcmp(x->isa, y->isa, sizeof(x->isa)) &&
           !memcmp(x->intx, y->intx, sizeof(x->intx)) &&
           !memcmp(x->link_route, y->link_route, sizeof(x->link_route)) &&
           !memcmp(x->ram, y->ram, x->ram_bytes) &&
           !memcmp(x->vram, y->vram, (size_t)x->vram_bytes) &&
           fake_block_same(a->rig->disk, b->rig->disk) &&
           fake_block_same(a->rig->sata, b->rig->sata);
}

/* --- the operations --- */

static unsigned width_of(uint8_t header)
{
    return 1u << (header >> 4 & 3);
}

/* Ports and configuration space take no quadwords. */
static unsigned narrow(unsigned width)
{
    return width == 8 ? 1 : width;
}

size_t guest_op_size(const uint8_t *p, size_t left)
{
    unsigned width = width_of(p[0]);
    size_t n = 1;
    switch (p[0] & 15) {
    case GUEST_OUT:
    case GUEST_CFG_WRITE:
        n += 2 + narrow(width);
        break;
    case GUEST_IN:
    case GUEST_CFG_READ:
    case GUEST_TIME:
        n += 2;
        break;
    case GUEST_STORE:
        n += 4 + width;
        break;
    case GUEST_LOAD:
    case GUEST_INS:
        n += 4;
        break;
    case GUEST_OUTS:
        n += 8;
        break;
    case GUEST_STORES:
        n += 10;
        break;
    case GUEST_LOADS:
        n += 6;
        break;
    case GUEST_DMA:
        n += 2 + (left > 1 ? (p[1] & 63) + 1u : 0);
        break;
    case GUEST_RAM:
        n += 5 + (left > 5 ? (p[5] & 63) + 1u : 0);
        break;
    case GUEST_DISK:
    case GUEST_SCREEN:
        n += 1;
        break;
    default:
        n += 5;
        break;
    }
    return n < left ? n : left;
}

static uint8_t strings[(MAX_COUNT + 1) * 8];

static void prepare_string(uint32_t value)
{
    for (size_t i = 0; i < sizeof(strings); i += 4)
        memcpy(strings + i, &value, 4);
}

static char unit_letter(unsigned width)
{
    return "?bw?l???q"[width];
}

static void port_op(struct guest *g, unsigned kind, unsigned width, struct fuzz_input *in)
{
    struct bus *bus = machine_bus(g->rig->machine);
    uint16_t port = (uint16_t)fuzz_take(in, 2);
    uint32_t value, count;
    char c = unit_letter(width);
    switch (kind) {
    case GUEST_OUT:
        value = (uint32_t)fuzz_take(in, width);
        bus_port_write(bus, port, width, value);
        if (g->tell)
            printf("out%c %#x %#x\n", c, port, value);
        break;
    case GUEST_IN:
        value = bus_port_read(bus, port, width);
        fuzz_assert(width == 4 || value >> (8 * width) == 0);
        if (g->tell)
            printf("in%c %#x\n", c, port);
        saw(g, &value, width);
        break;
    case GUEST_OUTS:
        count = fuzz_take(in, 2) & MAX_COUNT;
        value = (uint32_t)fuzz_take(in, 4);
        prepare_string(value);
        bus_port_write_run(bus, port, width, strings, count);
        g->budget -= count;
        if (g->tell && count)
            printf("outs%c %#x %u 0x%08x\n", c, port, count, __builtin_bswap32(value));
        break;
    default:
        count = fuzz_take(in, 2) & MAX_COUNT;
        bus_port_read_run(bus, port, width, strings, count);
        g->budget -= count;
        if (g->tell && count)
            printf("ins%c %#x %u\n", c, port, count);
        saw(g, strings, (size_t)count * width);
    }
}

static void memory_op(struct guest *g, unsigned kind, unsigned width, struct fuzz_input *in)
{
    struct bus *bus = machine_bus(g->rig->machine);
    uint32_t addr = (uint32_t)fuzz_take(in, 4), count;
    uint64_t value;
    char c = unit_letter(width);
    switch (kind) {
    case GUEST_STORE:
        value = fuzz_take(in, width);
        bus_mem_write(bus, addr, width, value);
        if (g->tell)
            printf("write%c %#x %#llx\n", c, addr, (unsigned long long)value);
        break;
    case GUEST_LOAD:
        value = bus_mem_read(bus, addr, width);
        fuzz_assert(width == 8 || value >> (8 * width) == 0);
        if (g->tell)
            printf("read%c %#x\n", c, addr);
        saw(g, &value, width);
        break;
    case GUEST_STORES:
        count = fuzz_take(in, 2) & MAX_COUNT;
        prepare_string((uint32_t)fuzz_take(in, 4));
        bus_mem_write_run(bus, addr, width, strings, count);
        g->budget -= count;
        if (g->tell && count)
            tell_bytes(addr, strings, (size_t)count * width);
        break;
    default:
        count = fuzz_take(in, 2) & MAX_COUNT;
        bus_mem_read_run(bus, addr, width, strings, count);
        g->budget -= count;
        if (g->tell && count)
            printf("read %#x %zu\n", addr, (size_t)count * width);
        saw(g, strings, (size_t)count * width);
    }
}

static void config_op(struct guest *g, unsigned kind, unsigned width, struct fuzz_input *in)
{
    uint8_t devfn = (uint8_t)fuzz_take(in, 1);
    uint8_t reg = (uint8_t)fuzz_take(in, 1);
    if (kind == GUEST_CFG_WRITE) {
        cfg_write(g, devfn, reg, width, (uint32_t)fuzz_take(in, width));
    } else {
        uint32_t value = bus_pci_read(machine_bus(g->rig->machine), devfn, reg, width);
        if (g->tell)
            printf("outl 0xcf8 %#x\nin%c %#x\n", 0x80000000u | (unsigned)devfn << 8 | (reg & 0xFC),
                   unit_letter(width), 0xCFC + (reg & 3));
        saw(g, &value, width);
    }
}

static void add_pattern(struct guest *g, bool only, struct fuzz_input *in)
{
    size_t len = (fuzz_take(in, 1) & 63) + 1;
    uint8_t step = (uint8_t)fuzz_take(in, 1);
    const uint8_t *bytes = fuzz_take_bytes(in, len, &len);
    if (only)
        g->pattern_count = g->next_pattern = 0;
    if (!len || g->pattern_count == MAX_PATTERNS)
        return;
    struct pattern *p = &g->patterns[g->pattern_count++];
    *p = (struct pattern){.len = (uint8_t)len, .step = step};
    memcpy(p->bytes, bytes, len);
}

static void put_ram(struct guest *g, struct fuzz_input *in)
{
    uint32_t addr = (uint32_t)fuzz_take(in, 4);
    size_t len = (fuzz_take(in, 1) & 63) + 1;
    const uint8_t *bytes = fuzz_take_bytes(in, len, &len);
    addr %= (uint32_t)(g->rig->hv->ram_bytes - 64);
    memcpy(g->rig->hv->ram + addr, bytes, len);
    if (g->tell && len)
        tell_bytes(addr, bytes, len);
}

void guest_wait(struct guest *g, uint64_t ns)
{
    struct machine_rig *rig = g->rig;
    if (g->viewer.wants_updates) { /* a few frames, each drawn */
        ns = ns < 100 * NS_PER_MS ? ns : 100 * NS_PER_MS;
        g->budget -= 100 + (int64_t)(ns / NS_PER_MS) * 100;
    }
    uint64_t until = rig->now + ns;
    for (unsigned n = 0; clock_deadline(&rig->clock) <= until && n < MAX_TIMERS; n++) {
        if (clock_deadline(&rig->clock) > rig->now)
            rig->now = clock_deadline(&rig->clock);
        clock_run(&rig->clock, rig->now);
    }
    g->budget -= 20; /* whatever runs: the budget is the program's */
    rig->now = until;
    if (g->tell)
        printf("clock_step %llu\n", (unsigned long long)ns);
}

static void disk_op(struct guest *g, unsigned what)
{
    struct block *disk = g->rig->disk, *cd = g->rig->cd, *sata = g->rig->sata;
    switch (what % GUEST_DISKS) {
    case GUEST_DISK_STEP:
        fake_block_step(disk);
        fake_block_step(sata);
        break;
    case GUEST_DISK_RUN:
        machine_rig_disks(g->rig);
        break;
    case GUEST_CD_STEP:
        fake_block_step(cd);
        break;
    case GUEST_DISK_FAIL_READ:
        fake_block_heal(disk);
        fake_block_fail(disk, BLOCK_READ, 0, 1u << 30, EIO, 1);
        fake_block_heal(sata);
        fake_block_fail(sata, BLOCK_READ, 0, 1u << 30, EIO, 1);
        break;
    case GUEST_DISK_FAIL_WRITE:
        fake_block_heal(disk);
        fake_block_fail(disk, BLOCK_WRITE, 0, 1u << 30, ENOSPC, 1);
        fake_block_heal(sata);
        fake_block_fail(sata, BLOCK_WRITE, 0, 1u << 30, ENOSPC, 1);
        break;
    case GUEST_DISK_FAIL_FLUSH:
        fake_block_heal(disk);
        fake_block_fail(disk, BLOCK_FLUSH, 0, 1, EIO, 1);
        break;
    case GUEST_CD_FAIL_READ:
        fake_block_heal(cd);
        fake_block_fail(cd, BLOCK_READ, 0, 1u << 30, EIO, 1);
        break;
    default:
        fake_block_heal(disk);
        fake_block_heal(sata);
        fake_block_heal(cd);
    }
}

static void screen_op(struct guest *g, unsigned what)
{
    switch (what % GUEST_SCREENS) {
    case GUEST_SCREEN_LOOK:
        display_refresh_now(g->rig->display);
        g->budget -= 5000;
        if (g->tell)
            printf("screen\n");
        break;
    case GUEST_SCREEN_WATCH:
    case GUEST_SCREEN_LEAVE:
        display_viewer_wants(g->rig->display, &g->viewer,
                             what % GUEST_SCREENS == GUEST_SCREEN_WATCH);
        g->budget -= 5000;
        break;
    default:
        g->rig->hv->vram_known = !g->rig->hv->vram_known;
        if (g->rig->hv->vram_bitmap)
            memset(g->rig->hv->vram_bitmap, 0x5A, (size_t)(g->rig->hv->vram_bytes / 4096 / 8));
    }
}

void guest_reload(struct guest *g)
{
    static struct err err;
    struct device_list *devices = machine_devices(g->rig->machine);
    uint8_t *state, *again;
    size_t len, len_again;
    devices_quiesce(devices);
    devices_quiesce(devices); /* twice is once */
    fuzz_assert(g->rig->hv->maps == 0);
    fuzz_assert(devices_save(devices, &state, &len, &err));
    fuzz_assert(devices_load(devices, state, len, &err));
    fuzz_assert(devices_save(devices, &again, &len_again, &err));
    fuzz_assert(len == len_again && !memcmp(state, again, len));
    free(state);
    free(again);
    devices_resume(devices);
    g->budget -= 2000;
    if (g->tell)
        printf("reload\n");
}

static void set_medium(struct guest *g, bool in)
{
    struct block *old =
        ide_drive_set_medium(machine_ide(g->rig->machine), CD_UNIT, in ? g->rig->cd : NULL);
    fuzz_assert(old == (g->cd_out ? NULL : g->rig->cd));
    g->cd_out = !in;
}

static void event_op(struct guest *g, struct fuzz_input *in)
{
    unsigned what = (unsigned)fuzz_take(in, 1) % GUEST_EVENTS;
    uint32_t v = (uint32_t)fuzz_take(in, 4);
    switch (what) {
    case GUEST_KEY:
        input_key(g->rig->input, v & 0x3FF, v >> 16 & 1);
        if (g->tell)
            printf("key %u %u\n", v & 0x3FF, v >> 16 & 1);
        break;
    case GUEST_POINTER:
        input_pointer_at(g->rig->input, v & 0x3FF, v >> 10 & 0x3FF, 1024, 768,
                         (int)(v >> 25 & 3) - 1, v >> 20 & 31);
        if (g->tell)
            printf("pointer %u %u %u\n", v & 0x3FF, v >> 10 & 0x3FF, v >> 20 & 31);
        break;
    case GUEST_RELOAD:
        guest_reload(g);
        break;
    case GUEST_RESET:
        machine_reset(g->rig->machine);
        g->budget -= 500;
        if (g->tell)
            printf("reset\n");
        break;
    case GUEST_EJECT:
        ide_tray_eject(machine_ide(g->rig->machine), CD_UNIT, v & 1);
        break;
    case GUEST_MEDIUM:
        set_medium(g, v & 1);
        break;
    case GUEST_SERIAL:
        line_receive(&g->line, v);
        break;
    default:
        line_event(&g->line, v);
    }
}

static void run_op(struct guest *g, const uint8_t *p, size_t len)
{
    struct fuzz_input in = {.p = p, .left = len};
    uint8_t header = (uint8_t)fuzz_take(&in, 1);
    unsigned width = width_of(header), kind = header & 15;
    g->budget--;
    switch (kind) {
    case GUEST_OUT:
    case GUEST_IN:
    case GUEST_OUTS:
    case GUEST_INS:
        port_op(g, kind, narrow(width), &in);
        break;
    case GUEST_STORE:
    case GUEST_LOAD:
    case GUEST_STORES:
    case GUEST_LOADS:
        memory_op(g, kind, width, &in);
        break;
    case GUEST_CFG_WRITE:
    case GUEST_CFG_READ:
        config_op(g, kind, narrow(width), &in);
        break;
    case GUEST_DMA:
        add_pattern(g, header >> 6 & 1, &in);
        break;
    case GUEST_RAM:
        put_ram(g, &in);
        break;
    case GUEST_TIME:
        guest_wait(g, (fuzz_take(&in, 2) * NS_PER_US) << (4 * (header >> 6)));
        break;
    case GUEST_DISK:
        disk_op(g, (unsigned)fuzz_take(&in, 1));
        break;
    case GUEST_SCREEN:
        screen_op(g, (unsigned)fuzz_take(&in, 1));
        break;
    default:
        event_op(g, &in);
    }
}

void guest_run(struct guest *g, struct fuzz_input *in)
{
    const uint8_t *last = NULL;
    size_t last_len = 0;
    acting = g;
    for (unsigned n = 0; in->left && n < MAX_OPS && g->budget > 0; n++) {
        const uint8_t *p = in->p;
        size_t len = guest_op_size(p, in->left);
        in->p += len;
        in->left -= len;
        if ((p[0] & 15) == GUEST_EVENT && len > 3 && p[1] % GUEST_EVENTS == GUEST_REPEAT) {
            for (unsigned i = (p[2] | p[3] << 8) & 0x3FF; i && last && g->budget > 0; i--)
                run_op(g, last, last_len);
            continue;
        }
        run_op(g, p, len);
        last = p;
        last_len = len;
    }
    acting = NULL;
}
