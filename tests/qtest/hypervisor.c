/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypervisor: see tests/qtest/hypervisor.h. With it, the rest of hw/xen that the product calls:
 * xenstore and the companion, where nobody listens, and confinement, which a test program does not
 * want.
 */
#include "tests/qtest/hypervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/bus.h"
#include "hw/core/log.h"
#include "hw/xen/backend.h"
#include "hw/xen/companion.h"
#include "hw/xen/confine.h"
#include "hw/xen/xenstore.h"

#define PAGE        UINT64_C(4096)
#define GIB4        (UINT64_C(4) << 30)
#define MAX_CLAIMS  64
#define MAX_ROM     (16u << 20)
#define PAM_FIRST   0xC0000u
#define PAM_END     0x100000u
#define ROM_ALIAS   0x20000u /* of the firmware, below 1 MiB */
#define PAM_READ    1
#define PAM_WRITE   2
#define HOST_BRIDGE 0

struct claim {
    uint64_t first, last;
};

struct hypervisor {
    struct hv_config config;
    struct bus *bus;
    uint8_t *ram;
    uint64_t low_end; /* end of RAM below 4 GiB */
    uint8_t *vram;
    uint64_t vram_bytes, vram_where;
    uint8_t *rom;
    uint32_t rom_bytes;
    struct claim memory[MAX_CLAIMS];
    size_t memory_count;
    bool isa[HV_PINS], source[HV_SOURCES][HV_PINS], pin[HV_PINS];
    bool intx[32][4];
    uint8_t route[4];
    unsigned maps;
    bool running;
};

static struct hv_pins pins;
static unsigned leaked_maps;

void hv_set_pins(const struct hv_pins *p)
{
    pins = *p;
}

unsigned hv_leaked_maps(void)
{
    return leaked_maps;
}

uint64_t hv_ram_bytes(const struct hypervisor *hv)
{
    return hv->config.ram_bytes;
}

bool hv_running(const struct hypervisor *hv)
{
    return hv->running;
}

/* ---- Life ---- */

static void *memory_new(uint64_t bytes)
{
    void *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct hypervisor *hv_open(const struct hv_config *config, struct loop *loop, struct err *err)
{
    (void)loop;
    struct hypervisor *hv = calloc(1, sizeof(*hv));
    if (hv) {
        hv->config = *config;
        hv->vram_where = HV_VRAM_PARKED;
        hv->low_end =
            config->ram_bytes < config->below_4g_end ? config->ram_bytes : config->below_4g_end;
        hv->ram = memory_new(config->ram_bytes);
        if (hv->ram)
            return hv;
        free(hv);
    }
    err_set(err, "out of memory");
    return NULL;
}

void hv_close(struct hypervisor *hv)
{
    if (!hv)
        return;
    leaked_maps += hv->maps;
    munmap(hv->ram, (size_t)hv->config.ram_bytes);
    if (hv->vram)
        munmap(hv->vram, (size_t)hv->vram_bytes);
    free(hv->rom);
    free(hv);
}

void hv_attach(struct hypervisor *hv, struct bus *bus, void (*time_offset)(void *opaque, int64_t s),
               void *opaque)
{
    (void)time_offset;
    (void)opaque;
    hv->bus = bus;
}

bool hv_run(struct hypervisor *hv, bool run, struct err *err)
{
    (void)err;
    hv->running = run;
    return true;
}

bool hv_load_firmware(struct hypervisor *hv, const char *file, struct err *err)
{
    struct stat st;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        err_set(err, "%s: %s", file, strerror(errno));
    else if (st.st_size <= 0 || st.st_size > MAX_ROM)
        err_set(err, "%s: firmware has at most 16 MiB", file);
    else if (!(hv->rom = malloc((size_t)st.st_size)))
        err_set(err, "out of memory");
    else if (read(fd, hv->rom, (size_t)st.st_size) != (ssize_t)st.st_size)
        err_set(err, "%s: cannot be read", file);
    else
        hv->rom_bytes = (uint32_t)st.st_size;
    if (fd >= 0)
        close(fd);
    return hv->rom_bytes != 0;
}

/* ---- Ranges ---- */

bool hv_claim_ports(struct hypervisor *hv, uint16_t first, uint16_t last, bool claim,
                    struct err *err)
{
    (void)hv, (void)first, (void)last, (void)claim, (void)err;
    return true; /* the bus has the same table */
}

bool hv_claim_pci(struct hypervisor *hv, uint8_t devfn, bool claim, struct err *err)
{
    (void)hv, (void)devfn, (void)claim, (void)err;
    return true;
}

bool hv_claim_memory(struct hypervisor *hv, uint64_t first, uint64_t last, bool claim,
                     struct err *err)
{
    if (claim) {
        if (hv->memory_count == MAX_CLAIMS)
            return err_set(err, "more than %d ranges of memory", MAX_CLAIMS);
        hv->memory[hv->memory_count++] = (struct claim){first, last};
        return true;
    }
    for (size_t i = 0; i < hv->memory_count; i++)
        if (hv->memory[i].first == first && hv->memory[i].last == last) {
            hv->memory[i] = hv->memory[--hv->memory_count];
            return true;
        }
    return err_set(err, "no such range is claimed");
}

/* ---- The address map ---- */

/* What is at an address, and for how many bytes at least (not past the page). */
struct span {
    uint8_t *host; /* memory, or NULL */
    bool registers;
    uint64_t len;
};

/* PAM of the 16 KiB (F0000h: 64 KiB) segment that addr is in. */
static unsigned pam(struct hypervisor *hv, uint64_t addr)
{
    if (!hv->bus)
        return PAM_READ | PAM_WRITE;
    if (addr >= 0xF0000)
        return bus_pci_read(hv->bus, HOST_BRIDGE, 0x59, 1) >> 4 & 3;
    unsigned n = (unsigned)(addr - PAM_FIRST) >> 14;
    return bus_pci_read(hv->bus, HOST_BRIDGE, 0x5A + n / 2, 1) >> (n & 1 ? 4 : 0) & 3;
}

/* Memory alone; `rom` gets the firmware where that is instead. */
static uint8_t *memory_at(struct hypervisor *hv, uint64_t addr, uint64_t *len)
{
    uint64_t end = 0, at = 0;
    uint8_t *host = NULL;
    if (hv->vram_where != HV_VRAM_PARKED && addr >= hv->vram_where &&
        addr - hv->vram_where < hv->vram_bytes) {
        host = hv->vram;
        at = addr - hv->vram_where;
        end = hv->vram_bytes;
    } else if (addr < hv->low_end) {
        host = hv->ram;
        at = addr;
        end = hv->low_end;
    } else if (addr >= GIB4 && addr - GIB4 < hv->config.ram_bytes - hv->low_end) {
        host = hv->ram;
        at = addr - GIB4 + hv->low_end;
        end = hv->config.ram_bytes;
    }
    if (!host)
        return NULL;
    if (*len > end - at)
        *len = end - at;
    return host + at;
}

static struct span registers_at(const struct hypervisor *hv, uint64_t addr)
{
    struct span s = {.len = PAGE - addr % PAGE};
    for (size_t i = 0; i < hv->memory_count; i++) {
        const struct claim *c = &hv->memory[i];
        uint64_t until = UINT64_MAX;
        if (addr >= c->first && addr <= c->last) {
            s.registers = true;
            until = c->last - addr + 1;
        } else if (c->first > addr) {
            until = c->first - addr;
        }
        if (until < s.len)
            s.len = until;
    }
    return s;
}

static struct span span_at(struct hypervisor *hv, uint64_t addr, bool write)
{
    struct span s = registers_at(hv, addr);
    if (s.registers)
        return s;
    if (addr >= PAM_FIRST && addr < PAM_END && !(pam(hv, addr) & (write ? PAM_WRITE : PAM_READ))) {
        uint32_t shown = hv->rom_bytes < ROM_ALIAS ? hv->rom_bytes : ROM_ALIAS;
        if (!write && PAM_END - addr <= shown)
            s.host = hv->rom + hv->rom_bytes - (PAM_END - addr);
        return s;
    }
    if (addr < GIB4 && GIB4 - addr <= hv->rom_bytes) {
        s.host = write ? NULL : hv->rom + hv->rom_bytes - (GIB4 - addr);
        if (s.len > GIB4 - addr)
            s.len = GIB4 - addr;
        return s;
    }
    s.host = memory_at(hv, addr, &s.len);
    return s;
}

uint64_t hv_cpu_load(struct hypervisor *hv, uint64_t addr, unsigned width)
{
    struct span s = span_at(hv, addr, false);
    if (s.registers && s.len >= width)
        return bus_mem_read(hv->bus, addr, width);
    uint64_t v = 0;
    hv_cpu_read(hv, addr, &v, width);
    return v;
}

void hv_cpu_store(struct hypervisor *hv, uint64_t addr, unsigned width, uint64_t value)
{
    struct span s = span_at(hv, addr, true);
    if (s.registers && s.len >= width)
        bus_mem_write(hv->bus, addr, width, value);
    else
        hv_cpu_write(hv, addr, &value, width);
}

/* The widest aligned access of at most four bytes. */
static unsigned step(uint64_t addr, uint64_t len)
{
    return addr % 4 == 0 && len >= 4 ? 4 : addr % 2 == 0 && len >= 2 ? 2 : 1;
}

void hv_cpu_read(struct hypervisor *hv, uint64_t addr, void *buf, size_t len)
{
    for (uint8_t *to = buf; len;) {
        struct span s = span_at(hv, addr, false);
        size_t n = s.len < len ? (size_t)s.len : len;
        if (s.registers) {
            n = step(addr, n);
            uint64_t v = bus_mem_read(hv->bus, addr, (unsigned)n);
            memcpy(to, &v, n);
        } else if (s.host) {
            memcpy(to, s.host, n);
        } else {
            memset(to, 0xFF, n);
        }
        addr += n, to += n, len -= n;
    }
}

void hv_cpu_write(struct hypervisor *hv, uint64_t addr, const void *buf, size_t len)
{
    for (const uint8_t *from = buf; len;) {
        struct span s = span_at(hv, addr, true);
        size_t n = s.len < len ? (size_t)s.len : len;
        if (s.registers) {
            n = step(addr, n);
            uint64_t v = 0;
            memcpy(&v, from, n);
            bus_mem_write(hv->bus, addr, (unsigned)n, v);
        } else if (s.host) {
            memcpy(s.host, from, n);
        }
        addr += n, from += n, len -= n;
    }
}

/* A device's DMA goes past PAM and ROM to what is RAM, as foreign mappings do. */
void *hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len)
{
    uint64_t have = *len;
    uint8_t *host = memory_at(hv, addr, &have);
    if (!host)
        return NULL;
    uint64_t clear = 0;
    while (clear < have) {
        struct span s = registers_at(hv, addr + clear);
        if (s.registers)
            break;
        clear += s.len;
    }
    if (!clear)
        return NULL;
    *len = (size_t)(clear < have ? clear : have);
    hv->maps++;
    return host;
}

void hv_mem_unmap(struct hypervisor *hv, void *host, size_t len)
{
    (void)host;
    (void)len;
    hv->maps--;
}

void hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len)
{
    (void)hv, (void)addr, (void)len;
}

void hv_log_dirty(struct hypervisor *hv, bool on)
{
    (void)hv, (void)on;
}

void *hv_vram_create(struct hypervisor *hv, uint64_t bytes, struct err *err)
{
    hv->vram = memory_new(bytes);
    if (hv->vram)
        hv->vram_bytes = bytes;
    else
        err_set(err, "out of memory");
    return hv->vram;
}

bool hv_vram_whole(struct hypervisor *hv)
{
    (void)hv;
    return true;
}

uint64_t hv_vram_where(const struct hypervisor *hv)
{
    return hv->vram_where;
}

bool hv_vram_move(struct hypervisor *hv, uint64_t addr)
{
    hv->vram_where = addr;
    return true;
}

bool hv_vram_dirty(struct hypervisor *hv, uint32_t pages, unsigned long *bitmap)
{
    (void)hv, (void)pages, (void)bitmap;
    return false;
}

void hv_vram_untrack(struct hypervisor *hv)
{
    (void)hv;
}

/* ---- Interrupts ---- */

static void tell(enum hv_pin_kind kind, unsigned n, bool level)
{
    if (pins.changed)
        pins.changed(pins.opaque, kind, n, level);
}

/* Recomputes input n of the I/O APIC from all that is wired to it. */
static void update_pin(struct hypervisor *hv, unsigned n)
{
    bool level = hv->isa[n];
    for (unsigned i = 0; i < HV_SOURCES; i++)
        level = level || hv->source[i][n];
    /* PIIX3 links: where device and pin meet is Xen's rule (xen/include/asm-x86/hvm/irq.h,
     * hvm_pci_intx_link). */
    for (unsigned slot = 0; n && slot < 32; slot++)
        for (unsigned i = 0; i < 4; i++)
            level = level || (hv->intx[slot][i] && hv->route[(slot + i) & 3] == n);
    if (level == hv->pin[n])
        return;
    hv->pin[n] = level;
    tell(HV_PIN_IOAPIC, n, level);
}

void hv_isa_irq(struct hypervisor *hv, uint8_t irq, bool level)
{
    irq &= HV_PINS - 1;
    if (hv->isa[irq] == level)
        return;
    hv->isa[irq] = level;
    tell(HV_PIN_ISA, irq, level);
    update_pin(hv, irq);
}

void hv_drive_pin(struct hypervisor *hv, enum hv_source source, unsigned n, bool level)
{
    hv->source[source][n & (HV_PINS - 1)] = level;
    update_pin(hv, n & (HV_PINS - 1));
}

static void update_pins(struct hypervisor *hv)
{
    for (unsigned n = 1; n < HV_PINS; n++)
        update_pin(hv, n);
}

void hv_pci_intx(struct hypervisor *hv, uint8_t slot, uint8_t intx, bool level)
{
    slot &= 31;
    intx &= 3;
    if (hv->intx[slot][intx] == level)
        return;
    hv->intx[slot][intx] = level;
    tell(HV_PIN_INTX, slot * 4u + intx, level);
    update_pins(hv);
}

void hv_pci_link_route(struct hypervisor *hv, uint8_t link, uint8_t irq)
{
    hv->route[link & 3] = irq & (HV_PINS - 1);
    update_pins(hv);
}

void hv_msi(struct hypervisor *hv, uint64_t addr, uint32_t data)
{
    (void)hv, (void)addr, (void)data;
}

/* ---- The domain ---- */

void hv_shutdown(struct hypervisor *hv, enum hv_shutdown reason)
{
    (void)hv;
    if (pins.shutdown)
        pins.shutdown(pins.opaque, reason);
}

bool hv_sleep_s3(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

bool hv_wake_s3(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

bool hv_get_paging(struct hypervisor *hv, struct hv_paging *paging, struct err *err)
{
    (void)hv, (void)err;
    *paging = (struct hv_paging){0}; /* there is no CPU */
    return true;
}

bool hv_press_power(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

void hv_ioreq_stats(const struct hypervisor *hv, struct hv_ioreq_stats *stats)
{
    (void)hv;
    *stats = (struct hv_ioreq_stats){.count = {[HV_IOREQ_PORT_READ] = 1}};
}

bool hv_restrict(struct hypervisor *hv, struct err *err)
{
    (void)hv, (void)err;
    return true;
}

bool confine_connector(bool filter, struct err *err)
{
    (void)filter, (void)err;
    return true;
}

bool confine(const struct confine_config *config, struct hypervisor *hv, struct err *err)
{
    (void)config, (void)hv, (void)err;
    return true;
}

bool confine_network(const struct confine_network_config *config, struct err *err)
{
    (void)config, (void)err;
    return true;
}

bool confine_window_open(struct err *err)
{
    (void)err;
    return true;
}

bool confine_window(struct err *err)
{
    (void)err;
    return true;
}

struct xenstore {
    unsigned domid;
};

struct xenstore *xenstore_open(unsigned domid, struct err *err)
{
    struct xenstore *xs = calloc(1, sizeof(*xs));
    if (!xs)
        err_set(err, "out of memory");
    else
        xs->domid = domid;
    return xs;
}

void xenstore_close(struct xenstore *xs)
{
    free(xs);
}

bool xenstore_set_state(struct xenstore *xs, const char *state, struct err *err)
{
    (void)xs, (void)state, (void)err;
    return true;
}

bool xenstore_set_serial_tty(struct xenstore *xs, unsigned n, const char *tty, struct err *err)
{
    (void)xs, (void)n, (void)tty, (void)err;
    return true;
}

bool xenstore_set_vnc(struct xenstore *xs, const char *listen, unsigned port, struct err *err)
{
    (void)xs, (void)listen, (void)port, (void)err;
    return true;
}

bool xenstore_add_time_offset(struct xenstore *xs, int64_t seconds, struct err *err)
{
    (void)xs, (void)seconds, (void)err;
    return true;
}

struct companion {
    unsigned domid;
};

bool xenstore_offer_backend(struct xenstore *xs, const char *type, struct err *err)
{
    (void)xs, (void)type, (void)err;
    return true;
}

bool xenstore_has_devices(struct xenstore *xs, const char *type)
{
    (void)xs, (void)type;
    return false;
}

/* PV disks: nobody plays their front-end here. */
struct backend *backend_open(const struct backend_config *config, struct err *err)
{
    static char nothing;
    (void)config, (void)err;
    return (struct backend *)(void *)&nothing;
}

bool backend_ready(struct backend *b, struct loop *loop, void (*taken)(void *opaque, unsigned what),
                   void *opaque, struct err *err)
{
    (void)b, (void)loop, (void)taken, (void)opaque, (void)err;
    return true;
}

void backend_key(struct backend *b, unsigned code, bool down)
{
    (void)b, (void)code, (void)down;
}

void backend_point(struct backend *b, int x, int y, int wheel, unsigned buttons)
{
    (void)b, (void)x, (void)y, (void)wheel, (void)buttons;
}

bool backend_resize(struct backend *b, int disk, const char *name, uint64_t bytes, struct err *err)
{
    (void)b, (void)disk, (void)name, (void)bytes;
    return err_set(err, "no PV disk");
}

bool backend_release(struct backend *b, uint32_t disks, struct err *err)
{
    (void)b, (void)disks, (void)err;
    return true;
}

void backend_close(struct backend *b)
{
    (void)b;
}

const struct companion_ops companion_xen = {0};

struct companion *companion_open(const struct companion_ops *ops, unsigned domid, bool filter,
                                 struct loop *loop, struct err *err)
{
    (void)ops, (void)filter, (void)loop;
    struct companion *c = calloc(1, sizeof(*c));
    if (!c)
        err_set(err, "out of memory");
    else
        c->domid = domid;
    return c;
}

bool companion_ready(struct companion *c, struct err *err)
{
    (void)c, (void)err;
    return true;
}

bool companion_sleep_s3(struct companion *c, struct err *err)
{
    (void)c, (void)err;
    return true;
}

bool companion_press_power(struct companion *c, struct err *err)
{
    (void)c, (void)err;
    return true;
}

bool companion_get_paging(struct companion *c, struct hv_paging *paging, struct err *err)
{
    (void)c, (void)err;
    *paging = (struct hv_paging){0};
    return true;
}

bool companion_wake_s3(struct companion *c, struct err *err)
{
    (void)c, (void)err;
    return true;
}

void companion_add_time_offset(struct companion *c, int64_t seconds)
{
    (void)c, (void)seconds;
}

void companion_close(struct companion *c)
{
    free(c);
}
