/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_nic: network cards of the argument line: models, addresses, places. qemu(1), "-device". */
#include "toolstack/libxl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hw/core/log.h"

/* What the models are called; the first name of each is the one we use. */
static const struct {
    const char *driver;
    enum config_nic_model model;
} models[] = {
    {"rtl8139", CONFIG_RTL8139},     {"e1000", CONFIG_E1000},
    {"e1000-82540em", CONFIG_E1000}, {"e1000-82545em", CONFIG_E1000_82545EM},
    {"pcnet", CONFIG_PCNET},         {"ne2k_pci", CONFIG_NE2K_PCI},
    {"ne2k_isa", CONFIG_NE2K_ISA},
};
#define MODELS (sizeof(models) / sizeof(models[0]))

/* Where an ISA card is looked for by its drivers, and which lines it can have beside what else a PC
 * has on them. */
static const uint16_t isa_ports[] = {0x300, 0x320, 0x340, 0x360, 0x280, 0x2A0, 0x240, 0x220};
static const uint8_t isa_lines[] = {9, 10, 11, 3, 5, 4, 7, 12, 15};
#define ISA_PORTS (sizeof(isa_ports) / sizeof(isa_ports[0]))
#define ISA_LINES (sizeof(isa_lines) / sizeof(isa_lines[0]))

bool config_nic_model(const char *driver, enum config_nic_model *model)
{
    for (size_t i = 0; i < MODELS; i++)
        if (!strcmp(driver, models[i].driver)) {
            *model = models[i].model;
            return true;
        }
    return false;
}

const char *config_nic_name(enum config_nic_model model)
{
    size_t i = 0;
    while (i + 1 < MODELS && models[i].model != model)
        i++;
    return models[i].driver;
}

struct config_nic *libxl_nic_new(struct libxl *p, const char *option, struct err *err)
{
    struct config *c = p->config;
    if (c->nic_count == CONFIG_MAX_NICS) {
        err_set(err, "%s: there are at most %d network cards", option, CONFIG_MAX_NICS);
        return NULL;
    }
    p->nics[c->nic_count] = (struct libxl_nic){.vlan = LIBXL_NOT_SAID};
    struct config_nic *nic = &c->nics[c->nic_count++];
    *nic = (struct config_nic){
        .model = p->nic_ne2000 ? CONFIG_NE2K_ISA : CONFIG_RTL8139,
        .netdev = CONFIG_NO_NETDEV,
        .order = p->cards++,
        .bootindex = -1,
    };
    return nic;
}

bool libxl_nic_model(struct optstr *o, struct config_nic *nic, struct err *err)
{
    const char *name = optstr_take(o, "model");
    if (!name || config_nic_model(name, &nic->model))
        return true;
    return err_set(err, "%s: model=%s: " LIBXL_NO_SUCH_NIC, o->option, name);
}

/* Six bytes in hexadecimal, of two digits each, with ':' or '-' between them. */
static bool parse_mac(const char *text, uint8_t mac[6])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    if (strlen(text) != 17)
        return false;
    for (unsigned i = 0; i < 17; i++) {
        if (i % 3 == 2) {
            if (text[i] != text[2] || (text[i] != ':' && text[i] != '-'))
                return false;
            continue;
        }
        const char *digit = strchr(digits, text[i]);
        if (!digit)
            return false;
        mac[i / 3] = (uint8_t)(mac[i / 3] << 4 | ((digit - digits) & 15));
    }
    return true;
}

bool libxl_nic_mac(struct optstr *o, const char *key, struct config_nic *nic, struct err *err)
{
    static const uint8_t none[6];
    const char *text = optstr_take(o, key);
    if (!text)
        return true;
    if (!parse_mac(text, nic->mac))
        return err_set(err, "%s: %s=%s is not an address such as 00:16:3e:00:00:01", o->option, key,
                       text);
    if (nic->mac[0] & 1)
        return err_set(err,
                       "%s: %s=%s is a multicast address (the first byte is odd): no card has one",
                       o->option, key, text);
    if (!memcmp(nic->mac, none, sizeof(none)))
        return err_set(err, "%s: %s=%s is no address; without %s= one is chosen", o->option, key,
                       text, key);
    return true;
}

/* The option ROM: its file, or none of it. */
static bool rom_keys(struct optstr *o, struct config_nic *nic, struct err *err)
{
    const char *file = optstr_take(o, "romfile");
    uint64_t shown = 1;
    if (!optstr_number(o, "rombar", 0, 1, &shown, err))
        return false;
    if (file && strlen(file) >= PATH_MAX)
        return err_set(err, "%s: romfile=: the name is too long", o->option);
    if (file && *file)
        nic->romfile = xstrdup(file);
    nic->no_rom = !shown || (file && !*file);
    return true;
}

/* Whether an rtl8139 is one with the C+ mode. */
static bool cplus_key(struct libxl *p, struct optstr *o, struct config_nic *nic, struct err *err)
{
    bool on = true, off = false; /* each what it begins as where nothing is said */
    if (nic->model != CONFIG_RTL8139)
        return !optstr_take(o, "cplus") || err_set(err, "%s %s: cplus= is of rtl8139 only",
                                                   o->option, config_nic_name(nic->model));
    if (!optstr_bool(o, "cplus", &on, err) || !optstr_bool(o, "cplus", &off, err))
        return false;
    nic->no_cplus = !on;
    p->nics[nic - p->config->nics].cplus_said = on == off;
    return true;
}

bool libxl_global(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    static const char key[] = "rtl8139.cplus";
    struct optstr o;
    bool on = true;
    if (strncmp(arg, key, sizeof(key) - 1) != 0 || arg[sizeof(key) - 1] != '=')
        return err_set(err,
                       "%s %.64s: only %s=on|off is taken; name other properties at their "
                       "-device",
                       option, arg, key);
    if (!optstr_parse(&o, option, arg, NULL, err))
        return false;
    const bool ok = optstr_bool(&o, key, &on, err) && optstr_finish(&o, err);
    optstr_free(&o);
    p->global_no_cplus = !on;
    return ok;
}

/* Where an ISA card is. */
static bool isa_keys(struct libxl *p, struct optstr *o, struct config_nic *nic, struct err *err)
{
    struct libxl_nic *said = &p->nics[nic - p->config->nics];
    uint64_t port = 0, line = 0;
    if (!optstr_number(o, "iobase", 0x200, 0x3E0, &port, err) ||
        !optstr_number(o, "irq", 3, 15, &line, err) || !optstr_only(o, "bus", "isa.0", err))
        return false;
    if (port % 0x20)
        return err_set(err, "%s: iobase=0x%x is not a multiple of 0x20: the card has 32 ports",
                       o->option, (unsigned)port);
    said->place_said = port != 0;
    said->irq_said = line != 0;
    nic->iobase = (unsigned)port;
    nic->irq = (unsigned)line;
    if (line && !memchr(isa_lines, (int)line, ISA_LINES))
        return err_set(err, "%s: irq=%u is taken by the PC itself; free ones are 3, 5, 9, 10, 11",
                       o->option, (unsigned)line);
    return optstr_refuse(o, "addr", "an ISA card has iobase= and irq=", err) &&
           optstr_refuse(o, "romfile", "an ISA card has no option ROM here; use ne2k_pci", err) &&
           optstr_refuse(o, "bootindex", "an ISA card has no option ROM here; use ne2k_pci", err);
}

static bool pci_keys(struct optstr *o, struct config_nic *nic, struct err *err)
{
    uint64_t index = UINT64_MAX;
    if (!optstr_only(o, "bus", "pci.0 pci", err) ||
        !libxl_pci_place(o, &nic->placed, &nic->devfn, err) ||
        !optstr_only(o, "multifunction", "off", err) || !rom_keys(o, nic, err) ||
        !optstr_number(o, "bootindex", 0, INT_MAX, &index, err))
        return false;
    if (index != UINT64_MAX)
        nic->bootindex = (int)index;
    return true;
}

bool libxl_nic_keys(struct libxl *p, struct optstr *o, enum config_nic_model model, struct err *err)
{
    struct config_nic *nic = libxl_nic_new(p, o->option, err);
    if (!nic)
        return false;
    nic->model = model;
    return libxl_take_id(o, &nic->id, err) &&
           optstr_string(o, "netdev", &p->nics[nic - p->config->nics].netdev_id, err) &&
           libxl_nic_mac(o, "mac", nic, err) && cplus_key(p, o, nic, err) &&
           (model == CONFIG_NE2K_ISA ? isa_keys(p, o, nic, err) : pci_keys(o, nic, err)) &&
           optstr_finish(o, err);
}

/* ---- when all are known ---- */

/* Whether one of the first `count` cards has the address of another one, `nic`. */
static bool same_mac(const struct config *c, size_t count, size_t nic)
{
    for (size_t i = 0; i < count; i++)
        if (i != nic && !memcmp(c->nics[i].mac, c->nics[nic].mac, 6))
            return true;
    return false;
}

/* Xen's vendor prefix with three bytes by chance, of which xl leaves the first bit 0 as well. */
static bool choose_mac(struct config *c, size_t nic, struct err *err)
{
    uint8_t *mac = c->nics[nic].mac;
    do {
        mac[0] = 0x00;
        mac[1] = 0x16;
        mac[2] = 0x3E;
        if (getrandom(mac + 3, 3, 0) != 3)
            return err_set(err, "-device: there is no random address for a card; say mac=");
        mac[3] &= 0x7F;
    } while (same_mac(c, c->nic_count, nic));
    return true;
}

/* Gives an ISA card what its driver looks for first and no other card has. */
static bool place_isa(struct libxl *p, struct config_nic *nic, struct err *err)
{
    const struct config *c = p->config;
    const struct libxl_nic *said = &p->nics[nic - c->nics];
    for (size_t port = 0; !nic->iobase && port < ISA_PORTS; port++) {
        bool taken = false;
        for (size_t i = 0; i < c->nic_count; i++)
            taken = taken ||
                    (c->nics[i].model == CONFIG_NE2K_ISA && c->nics[i].iobase == isa_ports[port]);
        if (!taken)
            nic->iobase = isa_ports[port];
    }
    for (size_t line = 0; !nic->irq && line < ISA_LINES; line++) {
        bool taken = false;
        for (size_t i = 0; i < c->nic_count; i++)
            taken =
                taken || (c->nics[i].model == CONFIG_NE2K_ISA && c->nics[i].irq == isa_lines[line]);
        if (!taken)
            nic->irq = isa_lines[line];
    }
    for (const struct config_nic *n = c->nics; n < nic; n++) {
        if (n->model != CONFIG_NE2K_ISA)
            continue;
        if (said->place_said && n->iobase == nic->iobase)
            return err_set(err, "-device ne2k_isa: iobase=0x%x has two cards", nic->iobase);
        if (said->irq_said && n->irq == nic->irq)
            return err_set(err, "-device ne2k_isa: irq=%u has two cards", nic->irq);
    }
    return true;
}

/* A card's id is no other device's, its slot and its turn in booting no other card's. */
static bool check_against(const struct config *c, const struct config_nic *nic, struct err *err)
{
    const char *driver = config_nic_name(nic->model);
    for (size_t i = 0; i < c->usb_controller_count; i++) {
        const struct config_usb_controller *u = &c->usb_controllers[i];
        if (nic->id && u->id && !strcmp(nic->id, u->id))
            return err_set(err, "-device %s: id=%s is there twice", driver, nic->id);
        if (nic->placed && u->placed && nic->devfn == u->devfn)
            return err_set(err, "-device %s: addr=%x has two cards", driver, nic->devfn >> 3);
    }
    for (size_t i = 0; nic->id && i < c->usb_device_count; i++)
        if (c->usb_devices[i].id && !strcmp(nic->id, c->usb_devices[i].id))
            return err_set(err, "-device %s: id=%s is there twice", driver, nic->id);
    for (size_t i = 0; nic->id && i < c->drive_count; i++)
        if (c->drives[i].qdev && !strcmp(nic->id, c->drives[i].qdev))
            return err_set(err, "-device %s: id=%s is there twice", driver, nic->id);
    for (const struct config_nic *n = c->nics; n < nic; n++) {
        if (nic->id && n->id && !strcmp(nic->id, n->id))
            return err_set(err, "-device %s: id=%s is there twice", driver, nic->id);
        if (nic->placed && n->placed && nic->devfn == n->devfn)
            return err_set(err, "-device %s: addr=%x has two cards", driver, nic->devfn >> 3);
        if (nic->bootindex >= 0 && nic->bootindex == n->bootindex)
            return err_set(err, "-device %s: bootindex=%d is said twice", driver, nic->bootindex);
    }
    return true;
}

/*
 * bootindex= puts network cards before the disks, unless -boot says what is first; the firmware
 * then takes the cards in the order of their PCI slots, and an order against that can't be had.
 */
static bool boot(struct libxl *p, struct err *err)
{
    struct config *c = p->config;
    bool any = false;
    for (const struct config_nic *a = c->nics; a < c->nics + c->nic_count; a++) {
        any = any || a->bootindex >= 0;
        for (const struct config_nic *b = c->nics; b < c->nics + c->nic_count; b++)
            if (a->bootindex >= 0 && b->bootindex > a->bootindex && a->placed == b->placed &&
                (a->placed ? a->devfn > b->devfn : a > b))
                return err_set(err,
                               "-device %s: bootindex=%d is before %d, but the firmware starts "
                               "from network cards in the order of their PCI slots: change the "
                               "order, or addr=",
                               config_nic_name(a->model), a->bootindex, b->bootindex);
    }
    if (any && !p->have_boot)
        strcpy(c->boot_order, "ncad");
    else if (any && !strchr(c->boot_order, 'n'))
        log_warn("-device: bootindex= of a network card: -boot order=%s has no n, and is followed",
                 c->boot_order);
    return true;
}

bool libxl_nics_finish(struct libxl *p, struct err *err)
{
    static const uint8_t none[6];
    struct config *c = p->config;
    for (size_t i = 0; i < c->nic_count; i++) {
        struct config_nic *nic = &c->nics[i];
        if (!memcmp(nic->mac, none, sizeof(none))) {
            if (!choose_mac(c, i, err))
                return false;
        } else if (same_mac(c, i, i))
            log_warn("-device %s: another network card has the same mac=",
                     config_nic_name(nic->model));
        if (nic->model == CONFIG_NE2K_ISA) {
            if (!place_isa(p, nic, err))
                return false;
            nic->no_rom = true;
        }
        if (nic->model == CONFIG_RTL8139 && !p->nics[i].cplus_said)
            nic->no_cplus = p->global_no_cplus;
        if (!check_against(c, nic, err))
            return false;
    }
    return boot(p, err);
}
