/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ne2000_isa: Novell's NE2000 in an ISA slot; see ne2000.h. */
#include <stdlib.h>

#include "hw/pc/ne2000.h"

static const struct state_field fields[] = {
    STATE_STRUCT(struct ne2000_isa, chip, ne2000_state),
    STATE_FIELDS_END,
};

static void set_line(struct ne2000 *chip, bool level)
{
    struct ne2000_isa *d = (void *)((char *)chip - offsetof(struct ne2000_isa, chip));
    irq_set(&d->irq, level);
}

static void reset(struct device *device)
{
    struct ne2000_isa *d = (struct ne2000_isa *)device;
    ne2000_reset(&d->chip);
}

static bool loaded(struct device *device, struct err *err)
{
    struct ne2000_isa *d = (struct ne2000_isa *)device;
    if (!ne2000_loaded(&d->chip, err))
        return false;
    irq_push(&d->irq);
    return true;
}

static void destroy(struct device *device)
{
    struct ne2000_isa *d = (struct ne2000_isa *)device;
    ne2000_destroy(&d->chip);
    bus_unmap(d->bus, &d->ports);
    free(d);
}

static const struct device_class ne2000_isa_class = {
    .name = "ne2k_isa",
    .version = 1,
    .state = fields,
    .reset = reset,
    .post_load = loaded,
    .destroy = destroy,
};

struct ne2000_isa *ne2000_isa_realize(struct bus *bus, struct device_list *devices,
                                      const struct ne2000_isa_config *config, struct net *net,
                                      struct err *err)
{
    struct ne2000_isa *d = calloc(1, sizeof(*d));
    if (!d) {
        err_set(err, "ne2k_isa: out of memory");
        return NULL;
    }
    d->bus = bus;
    io_region_init(&d->ports, "ne2000", &ne2000_ops, &d->chip);
    if (!bus_map(bus, &d->ports, IO_PORT, config->iobase, NE2000_PORTS, err)) {
        free(d);
        return NULL;
    }
    ne2000_init(&d->chip, config->mac, false, net, set_line);
    device_add(devices, &d->device, &ne2000_isa_class, config->instance);
    return d;
}
