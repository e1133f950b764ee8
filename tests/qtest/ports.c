/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: what Xen would answer and a test needs: configuration mechanism 1, the clock in front of
 * the product's CMOS RAM, and fw_cfg, by which the field's tests learn the RAM size. All else goes
 * to the product.
 */
#include "hw/pc/machine.h"
#include "tests/qtest/door.h"

#define CONFIG_ADDRESS 0xCF8
#define CONFIG_DATA    0xCFC
#define CONFIG_ENABLE  0x80000000u
#define CMOS_INDEX     0x70
#define CMOS_DATA      0x71
#define FW_SELECT      0x510
#define FW_DATA        0x511

/* docs/specs/fw_cfg of QEMU: items of the legacy interface. */
enum { FW_SIGNATURE = 0, FW_ID = 1, FW_RAM_SIZE = 3, FW_CPUS = 5, FW_MAX_CPUS = 15 };

static uint8_t fw_next(struct door *d)
{
    const struct config *c = &d->args.config;
    uint64_t value = 0;
    unsigned len = 0;
    switch (d->fw_key) {
    case FW_SIGNATURE:
        value = 0x554D4551; /* "QEMU" */
        len = 4;
        break;
    case FW_ID:
        value = 1; /* the traditional interface alone */
        len = 4;
        break;
    case FW_RAM_SIZE:
        value = c->ram_bytes;
        len = 8;
        break;
    case FW_CPUS:
        value = c->vcpus;
        len = 2;
        break;
    case FW_MAX_CPUS:
        value = c->max_vcpus;
        len = 2;
        break;
    }
    if (d->fw_at >= len)
        return 0;
    return (uint8_t)(value >> (8 * d->fw_at++));
}

/* libqos puts the byte offset into CF8 and always accesses CFC, where hardware takes a dword's
 * address and the port's low bits: or-ed, both work. */
static bool config_cycle(const struct door *d, uint16_t port, uint8_t *devfn, unsigned *reg)
{
    *devfn = (uint8_t)(d->config_address >> 8);
    *reg = (d->config_address & 0xFF) | (port & 3u);
    return (d->config_address & CONFIG_ENABLE) && !(d->config_address >> 16 & 0xFF);
}

static bool is_config_data(uint16_t port, unsigned width)
{
    return port >= CONFIG_DATA && port + width <= CONFIG_DATA + 4u;
}

static bool is_ours(uint32_t port)
{
    return port == CMOS_INDEX || port == CMOS_DATA || port == FW_SELECT || port == FW_DATA ||
           (port & ~3u) == CONFIG_DATA;
}

static bool touches_ours(uint16_t port, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        if (is_ours((uint32_t)port + i))
            return true;
    return false;
}

uint32_t door_in(struct door *d, uint16_t port, unsigned width)
{
    uint8_t devfn;
    unsigned reg;
    if (!d->bus)
        return UINT32_MAX;
    if (is_config_data(port, width))
        return config_cycle(d, port, &devfn, &reg) ? bus_pci_read(d->bus, devfn, reg, width)
                                                   : UINT32_MAX;
    if (width == 1 && port == CMOS_DATA && d->cmos_index < RTC_REGISTERS)
        return rtc_read(&d->rtc, d->cmos_index);
    if (width == 1 && port == FW_DATA)
        return fw_next(d);
    if (width == 1 || !touches_ours(port, width))
        return bus_port_read(d->bus, port, width);
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (door_in(d, (uint16_t)(port + i), 1) & 0xFF) << (8 * i);
    return value;
}

void door_out(struct door *d, uint16_t port, unsigned width, uint32_t value)
{
    uint8_t devfn;
    unsigned reg;
    if (!d->bus)
        return;
    if (port == FW_SELECT && width == 2) {
        d->fw_key = (uint16_t)value;
        d->fw_at = 0;
    } else if (is_config_data(port, width)) {
        if (config_cycle(d, port, &devfn, &reg))
            bus_pci_write(d->bus, devfn, reg, width, value);
    } else if (width == 1 && port == CMOS_DATA && d->cmos_index < RTC_REGISTERS) {
        rtc_write(&d->rtc, d->cmos_index, (uint8_t)value);
    } else if (width == 1 || !touches_ours(port, width)) {
        if (port == CONFIG_ADDRESS && width == 4)
            d->config_address = value;
        if (port == CMOS_INDEX)
            d->cmos_index = value & 0x7F;
        bus_port_write(d->bus, port, width, value);
    } else {
        for (unsigned i = 0; i < width; i++)
            door_out(d, (uint16_t)(port + i), 1, value >> (8 * i) & 0xFF);
    }
}
