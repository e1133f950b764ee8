/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_rig: see machine_rig.h. */
#include "tests/device/machine_rig.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fake/block.h"

static uint64_t rig_now(const struct clock *clock)
{
    const struct machine_rig *rig =
        (const void *)((const char *)clock - offsetof(struct machine_rig, clock));
    return rig->now;
}

static void power_off(void *opaque)
{
    ((struct machine_rig *)opaque)->power_offs++;
}

static void reset(void *opaque)
{
    ((struct machine_rig *)opaque)->resets++;
}

static void suspend(void *opaque)
{
    ((struct machine_rig *)opaque)->suspends++;
}

static void tray_moved(void *opaque, size_t index, bool open)
{
    (void)index;
    (void)open;
    ((struct machine_rig *)opaque)->tray_moves++;
}

struct machine_rig *machine_rig_new(void)
{
    return machine_rig_new_serial(NULL);
}

struct machine_rig *machine_rig_new_serial(struct chardev *com1)
{
    return machine_rig_new_lines(com1, NULL);
}

struct machine_rig *machine_rig_new_lines(struct chardev *com1, struct chardev *lpt1)
{
    return machine_rig_new_card(com1, lpt1, CONFIG_VGA_STD);
}

/* One card of each model, and an RTL8139C; ISA's own place is what it is, the others' are the last
 * slots. */
static void add_nics(struct machine_rig *rig)
{
    static const enum config_nic_model models[] = {
        CONFIG_NE2K_ISA, CONFIG_NE2K_PCI, CONFIG_PCNET,
        CONFIG_RTL8139,  CONFIG_E1000,    CONFIG_RTL8139,
    };
    const size_t last = sizeof(models) / sizeof(models[0]) - 1;
    for (size_t i = 0; i <= last; i++) {
        rig->nets[i] = net_new(NULL, "net");
        if (!rig->nets[i])
            abort();
        rig->config.nics[i] = (struct config_nic){
            .model = models[i],
            .mac = {0x00, 0x16, 0x3E, 0x00, 0x00, (uint8_t)i},
            .iobase = 0x300,
            .irq = 9,
            .placed = true,
            .devfn = PCI_DEVFN((unsigned)(0x10 + i), 0),
            .no_cplus = i == last,
        };
        rig->config.nic_count++;
    }
}

static struct machine_rig *build(struct chardev *com1, struct chardev *lpt1, enum config_vga card,
                                 bool nics)
{
    static struct err err;
    struct machine_rig *rig = calloc(1, sizeof(*rig));
    if (!rig)
        abort();
    rig->config = (struct config){
        .platform_pci = true,
        .ram_bytes = 4u << 20,
        .below_4g_end = 0xF0000000,
        .vcpus = 1,
        .max_vcpus = 1,
        .boot_order = "cd",
        .vga = card,
        .vga_mib = 8,
        .ahci = true,
        .drives = {{.ide_unit = 0},
                   {.ide_unit = 2, .cdrom = true},
                   {.ide_unit = 3, .cdrom = true},
                   {.ahci = true, .ahci_port = 0},
                   {.ahci = true, .ahci_port = 2, .cdrom = true}},
        .drive_count = 5,
        .usb = true,
        /* The mouse brings a hub into the last port, and is behind it with the keyboard. */
        .usb_devices = {{.kind = CONFIG_USB_TABLET},
                        {.kind = CONFIG_USB_MOUSE},
                        {.kind = CONFIG_USB_KEYBOARD}},
        .usb_device_count = 3,
        .usb_controllers = {{.host = CONFIG_XHCI,
                             .id = (char *)(uintptr_t) "usb3",
                             .placed = true,
                             .devfn = PCI_DEVFN(0x1D, 0)}},
        .usb_controller_count = 1,
        .serial_count = 1,
    };
    if (nics)
        add_nics(rig);
    rig->hv = fake_hypervisor_new((size_t)rig->config.ram_bytes);
    clock_init(&rig->clock, rig_now);
    rig->display = display_new(&rig->clock);
    rig->input = input_new();
    rig->disk = fake_block_new("disk", 64u << 20);
    rig->cd = fake_block_new("cd", 2u << 20);
    rig->cd->read_only = true;
    rig->sata = fake_block_new("sata", 64u << 20);
    struct machine_config config = {
        .config = &rig->config,
        .hv = rig->hv,
        .clock = &rig->clock,
        .display = rig->display,
        .input = rig->input,
        .blocks = {rig->disk, rig->cd, NULL, rig->sata, NULL},
        .serial = {com1},
        .parallel = lpt1,
        .power_off = power_off,
        .reset = reset,
        .suspend = suspend,
        .tray_moved = tray_moved,
        .opaque = rig,
    };
    memcpy(config.nets, rig->nets, sizeof(config.nets));
    rig->machine = machine_new(&config, &err);
    if (!rig->machine)
        abort();
    return rig;
}

struct machine_rig *machine_rig_new_card(struct chardev *com1, struct chardev *lpt1,
                                         enum config_vga card)
{
    return build(com1, lpt1, card, false);
}

struct machine_rig *machine_rig_new_nics(struct chardev *com1, struct chardev *lpt1,
                                         enum config_vga card)
{
    return build(com1, lpt1, card, true);
}

void machine_rig_free(struct machine_rig *rig)
{
    machine_free(rig->machine);
    for (size_t i = 0; i < rig->config.nic_count; i++)
        net_free(rig->nets[i]);
    fake_block_free(rig->disk);
    fake_block_free(rig->cd);
    fake_block_free(rig->sata);
    display_free(rig->display);
    input_free(rig->input);
    clock_destroy(&rig->clock);
    fake_hypervisor_free(rig->hv);
    free(rig);
}

void machine_rig_disks(struct machine_rig *rig)
{
    fake_block_run(rig->disk);
    fake_block_run(rig->cd);
    fake_block_run(rig->sata);
}

void machine_rig_step(struct machine_rig *rig, uint64_t ns)
{
    uint64_t until = rig->now + ns;
    for (unsigned budget = 100000; clock_deadline(&rig->clock) <= until && budget; budget--) {
        if (clock_deadline(&rig->clock) > rig->now)
            rig->now = clock_deadline(&rig->clock);
        clock_run(&rig->clock, rig->now);
    }
    rig->now = until;
}
