/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bus: see bus.h. Ports: one load from a 65,536-entry table; memory: the last hit, then a sorted
 * array. */
#include "hw/core/bus.h"

#include <stdlib.h>
#include <string.h>

#include "hw/xen/hypervisor.h"

#define MAX_PORT_REGIONS 255
#define MAX_MEM_REGIONS  64
#define PORTS            65536u

struct bus {
    struct hypervisor *hv;
    uint8_t port_index[PORTS]; /* 0: nobody; else ports[index] */
    struct io_region *ports[MAX_PORT_REGIONS + 1];
    struct io_region *mem[MAX_MEM_REGIONS]; /* sorted by first */
    unsigned mem_count;
    struct io_region *last;
    const struct io_ops *pci_ops;
    void *pci_opaque;
};

struct bus *bus_new(struct hypervisor *hv)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    if (bus)
        bus->hv = hv;
    return bus;
}

void bus_free(struct bus *bus)
{
    free(bus);
}

void io_region_init(struct io_region *region, const char *name, const struct io_ops *ops,
                    void *opaque)
{
    *region = (struct io_region){.name = name, .ops = ops, .opaque = opaque};
}

static bool overlaps(const struct io_region *r, uint64_t first, uint64_t last)
{
    return first <= r->first + (r->size - 1) && r->first <= last;
}

static bool map_ports(struct bus *bus, struct io_region *region, uint64_t first, uint64_t last,
                      struct err *err)
{
    if (last >= PORTS)
        return err_set(err, "%s: ports %#llx-%#llx are past 0xffff", region->name,
                       (unsigned long long)first, (unsigned long long)last);
    for (uint64_t p = first; p <= last; p++)
        if (bus->port_index[p])
            return err_set(err, "%s: port %#llx belongs to %s already", region->name,
                           (unsigned long long)p, bus->ports[bus->port_index[p]]->name);
    unsigned index = 1;
    while (index <= MAX_PORT_REGIONS && bus->ports[index])
        index++;
    if (index > MAX_PORT_REGIONS)
        return err_set(err, "%s: too many port ranges", region->name);
    if (bus->hv && !hv_claim_ports(bus->hv, (uint16_t)first, (uint16_t)last, true, err))
        return false;
    bus->ports[index] = region;
    region->port_index = (uint8_t)index;
    memset(&bus->port_index[first], (int)index, (size_t)(last - first + 1));
    return true;
}

static bool map_memory(struct bus *bus, struct io_region *region, uint64_t first, uint64_t last,
                       struct err *err)
{
    if (bus->mem_count == MAX_MEM_REGIONS)
        return err_set(err, "%s: too many memory ranges", region->name);
    unsigned at = 0;
    while (at < bus->mem_count && bus->mem[at]->first < first)
        at++;
    for (unsigned i = 0; i < bus->mem_count; i++)
        if (overlaps(bus->mem[i], first, last))
            return err_set(err, "%s: memory %#llx-%#llx overlaps %s", region->name,
                           (unsigned long long)first, (unsigned long long)last, bus->mem[i]->name);
    if (bus->hv && !hv_claim_memory(bus->hv, first, last, true, err))
        return false;
    memmove(&bus->mem[at + 1], &bus->mem[at], (bus->mem_count - at) * sizeof(struct io_region *));
    bus->mem[at] = region;
    bus->mem_count++;
    return true;
}

bool bus_map(struct bus *bus, struct io_region *region, enum io_space space, uint64_t first,
             uint64_t size, struct err *err)
{
    bus_unmap(bus, region);
    uint64_t last = first + (size - 1);
    if (!size || last < first)
        return err_set(err, "%s: bad range at %#llx", region->name, (unsigned long long)first);
    bool ok = space == IO_PORT ? map_ports(bus, region, first, last, err)
                               : map_memory(bus, region, first, last, err);
    if (!ok)
        return false;
    region->space = space;
    region->first = first;
    region->size = size;
    region->mapped = true;
    return true;
}

void bus_unmap(struct bus *bus, struct io_region *region)
{
    if (!region->mapped)
        return;
    uint64_t last = region->first + (region->size - 1);
    region->mapped = false;
    if (region->space == IO_PORT) {
        memset(&bus->port_index[region->first], 0, (size_t)region->size);
        bus->ports[region->port_index] = NULL;
        if (bus->hv)
            hv_claim_ports(bus->hv, (uint16_t)region->first, (uint16_t)last, false, NULL);
        return;
    }
    if (bus->last == region)
        bus->last = NULL;
    for (unsigned i = 0; i < bus->mem_count; i++) {
        if (bus->mem[i] != region)
            continue;
        bus->mem_count--;
        memmove(&bus->mem[i], &bus->mem[i + 1], (bus->mem_count - i) * sizeof(struct io_region *));
        break;
    }
    if (bus->hv)
        hv_claim_memory(bus->hv, region->first, last, false, NULL);
}

const struct io_region *bus_region(const struct bus *bus, size_t index)
{
    for (unsigned i = 1; i <= MAX_PORT_REGIONS; i++)
        if (bus->ports[i] && !index--)
            return bus->ports[i];
    return index < bus->mem_count ? bus->mem[index] : NULL;
}

void bus_set_pci_config(struct bus *bus, const struct io_ops *ops, void *opaque)
{
    bus->pci_ops = ops;
    bus->pci_opaque = opaque;
}

bool bus_claim_pci(struct bus *bus, uint8_t devfn, bool claim, struct err *err)
{
    return !bus->hv || hv_claim_pci(bus->hv, devfn, claim, err);
}

static uint64_t ones(unsigned width)
{
    return width >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width)) - 1;
}

static bool valid_width(unsigned width, unsigned max)
{
    return width && width <= max && !(width & (width - 1)) && width <= 8;
}

/* A read of `width` bytes that lies inside the region and may need splitting or widening. */
static uint64_t region_read(const struct io_region *r, uint64_t offset, unsigned width)
{
    const struct io_ops *ops = r->ops;
    if (!ops->read)
        return ones(width);
    if (ops->widths & width)
        return ops->read(r->opaque, offset, width) & ones(width);
    unsigned w = width;
    while (w > 1 && !(ops->widths & w))
        w /= 2;
    if (ops->widths & w) {
        uint64_t value = 0;
        for (unsigned done = 0; done < width; done += w)
            value |= (ops->read(r->opaque, offset + done, w) & ones(w)) << (8 * done);
        return value;
    }
    w = width;
    while (w < 8 && !(ops->widths & w))
        w *= 2;
    uint64_t aligned = offset & ~(uint64_t)(w - 1);
    if (!(ops->widths & w) || offset + width > aligned + w)
        return ones(width);
    return ops->read(r->opaque, aligned, w) >> (8 * (offset - aligned)) & ones(width);
}

static void region_write(const struct io_region *r, uint64_t offset, unsigned width, uint64_t value)
{
    const struct io_ops *ops = r->ops;
    if (!ops->write)
        return;
    unsigned w = width;
    while (w > 1 && !(ops->widths & w))
        w /= 2;
    if (!(ops->widths & w))
        return;
    for (unsigned done = 0; done < width; done += w)
        ops->write(r->opaque, offset + done, w, value >> (8 * done) & ones(w));
}

static const struct io_region *find_port(const struct bus *bus, uint32_t port)
{
    return port < PORTS ? bus->ports[bus->port_index[port]] : NULL;
}

static const struct io_region *find_mem(struct bus *bus, uint64_t addr)
{
    const struct io_region *r = bus->last;
    if (r && addr - r->first < r->size)
        return r;
    unsigned low = 0, high = bus->mem_count;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        struct io_region *m = bus->mem[mid];
        if (addr < m->first) {
            high = mid;
        } else if (addr - m->first >= m->size) {
            low = mid + 1;
        } else {
            bus->last = m;
            return m;
        }
    }
    return NULL;
}

static const struct io_region *find(struct bus *bus, enum io_space space, uint64_t addr)
{
    return space == IO_PORT ? find_port(bus, addr < PORTS ? (uint32_t)addr : PORTS)
                            : find_mem(bus, addr);
}

/* The common way: the access lies in one region. Else byte by byte, each to whom it belongs. */
static uint64_t space_read(struct bus *bus, enum io_space space, uint64_t addr, unsigned width)
{
    const struct io_region *r = find(bus, space, addr);
    if (r && addr - r->first + width <= r->size)
        return region_read(r, addr - r->first, width);
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        r = addr + i < addr ? NULL : find(bus, space, addr + i);
        uint64_t byte = r ? region_read(r, addr + i - r->first, 1) : 0xFF;
        value |= byte << (8 * i);
    }
    return value;
}

static void space_write(struct bus *bus, enum io_space space, uint64_t addr, unsigned width,
                        uint64_t value)
{
    const struct io_region *r = find(bus, space, addr);
    if (r && addr - r->first + width <= r->size) {
        region_write(r, addr - r->first, width, value);
        return;
    }
    for (unsigned i = 0; i < width; i++) {
        /* Looked up anew each time: the write before may have moved a BAR. */
        r = addr + i < addr ? NULL : find(bus, space, addr + i);
        if (r)
            region_write(r, addr + i - r->first, 1, value >> (8 * i) & 0xFF);
    }
}

uint32_t bus_port_read(struct bus *bus, uint32_t port, unsigned width)
{
    if (!valid_width(width, 4))
        return UINT32_MAX;
    return (uint32_t)space_read(bus, IO_PORT, port, width);
}

void bus_port_write(struct bus *bus, uint32_t port, unsigned width, uint32_t value)
{
    if (valid_width(width, 4))
        space_write(bus, IO_PORT, port, width, value);
}

uint64_t bus_mem_read(struct bus *bus, uint64_t addr, unsigned width)
{
    return valid_width(width, 8) ? space_read(bus, IO_MEMORY, addr, width) : UINT64_MAX;
}

void bus_mem_write(struct bus *bus, uint64_t addr, unsigned width, uint64_t value)
{
    if (valid_width(width, 8))
        space_write(bus, IO_MEMORY, addr, width, value);
}

uint32_t bus_pci_read(struct bus *bus, uint8_t devfn, unsigned reg, unsigned width)
{
    if (!bus->pci_ops || !valid_width(width, 4) || reg > 256 - width)
        return UINT32_MAX;
    return (uint32_t)bus->pci_ops->read(bus->pci_opaque, (uint64_t)devfn << 8 | reg, width);
}

void bus_pci_write(struct bus *bus, uint8_t devfn, unsigned reg, unsigned width, uint32_t value)
{
    if (bus->pci_ops && valid_width(width, 4) && reg <= 256 - width)
        bus->pci_ops->write(bus->pci_opaque, (uint64_t)devfn << 8 | reg, width,
                            value & (uint32_t)ones(width));
}

static uint64_t load_unit(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static void store_unit(uint8_t *p, unsigned width, uint64_t v)
{
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* How many units of a run from addr the region can take in its run handler. */
static uint32_t units_inside(const struct io_region *r, enum io_space space, uint64_t addr,
                             unsigned width, uint32_t count)
{
    uint64_t room = r->size - (addr - r->first);
    if (!(r->ops->widths & width) || room < width)
        return 0;
    if (space == IO_MEMORY && room / width < count)
        return (uint32_t)(room / width);
    return count;
}

static void read_run(struct bus *bus, enum io_space space, uint64_t addr, unsigned width,
                     uint8_t *buf, uint32_t count)
{
    uint64_t step = space == IO_MEMORY ? width : 0;
    while (count) {
        const struct io_region *r = find(bus, space, addr);
        uint32_t done = 0;
        if (r && r->ops->read_run) {
            uint32_t n = units_inside(r, space, addr, width, count);
            if (n)
                done = r->ops->read_run(r->opaque, addr - r->first, width, buf, n);
            if (done > n)
                done = n;
        }
        if (!done) {
            store_unit(buf, width, space_read(bus, space, addr, width));
            done = 1;
        }
        buf += (size_t)done * width;
        addr += done * step;
        count -= done;
    }
}

static void write_run(struct bus *bus, enum io_space space, uint64_t addr, unsigned width,
                      const uint8_t *buf, uint32_t count)
{
    uint64_t step = space == IO_MEMORY ? width : 0;
    while (count) {
        const struct io_region *r = find(bus, space, addr);
        uint32_t done = 0;
        if (r && r->ops->write_run) {
            uint32_t n = units_inside(r, space, addr, width, count);
            if (n)
                done = r->ops->write_run(r->opaque, addr - r->first, width, buf, n);
            if (done > n)
                done = n;
        }
        if (!done) {
            space_write(bus, space, addr, width, load_unit(buf, width));
            done = 1;
        }
        buf += (size_t)done * width;
        addr += done * step;
        count -= done;
    }
}

void bus_port_read_run(struct bus *bus, uint32_t port, unsigned width, void *buf, uint32_t count)
{
    if (valid_width(width, 4))
        read_run(bus, IO_PORT, port, width, buf, count);
    else
        memset(buf, 0xFF, (size_t)width * count);
}

void bus_port_write_run(struct bus *bus, uint32_t port, unsigned width, const void *buf,
                        uint32_t count)
{
    if (valid_width(width, 4))
        write_run(bus, IO_PORT, port, width, buf, count);
}

void bus_mem_read_run(struct bus *bus, uint64_t addr, unsigned width, void *buf, uint32_t count)
{
    if (valid_width(width, 8))
        read_run(bus, IO_MEMORY, addr, width, buf, count);
    else
        memset(buf, 0xFF, (size_t)width * count);
}

void bus_mem_write_run(struct bus *bus, uint64_t addr, unsigned width, const void *buf,
                       uint32_t count)
{
    if (valid_width(width, 8))
        write_run(bus, IO_MEMORY, addr, width, buf, count);
}
