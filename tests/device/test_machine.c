/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PC as a whole: who is where, shared interrupt lines, saved state of everything, and a guest
 * that writes everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/bus.h"
#include "hw/pc/ahci.h"
#include "hw/pc/piix3_ide.h"
#include "hw/pc/usb_set.h"
#include "tests/device/machine_rig.h"

static struct machine_rig *rig;
static struct bus *bus;

static int setup(void **state)
{
    (void)state;
    rig = machine_rig_new();
    bus = machine_bus(rig->machine);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_rig_free(rig);
    return 0;
}

static void functions_are_where_guests_know_them(void **state)
{
    (void)state;
    const struct {
        unsigned slot, fn;
        uint32_t id;
    } functions[] = {
        {0, 0, 0x12378086}, {1, 0, 0x70008086}, {1, 1, 0x70108086},
        {1, 2, 0x70208086}, {1, 3, 0x71138086}, {2, 0, 0x00015853},
        {3, 0, 0x11111234}, {4, 0, 0x29228086}, {0x1D, 0, 0x000D1B36},
    };
    unsigned found = 0;
    for (unsigned devfn = 0; devfn < 256; devfn++)
        found += bus_pci_read(bus, (uint8_t)devfn, 0, 4) != 0xFFFFFFFF;
    assert_int_equal(found, 9);
    for (unsigned i = 0; i < 9; i++) {
        uint8_t devfn = PCI_DEVFN(functions[i].slot, functions[i].fn);
        assert_int_equal(bus_pci_read(bus, devfn, 0, 4), functions[i].id);
        assert_int_equal(bus_pci_read(bus, devfn, 0x2C, 4), 0x00015853);
    }
}

static bool add_usb(const char *id, enum config_usb_host host, struct err *err)
{
    const struct config_usb_controller what = {.host = host, .id = (char *)(uintptr_t)id};
    return machine_add_usb_host(rig->machine, &what, err);
}

static void a_usb_controller_comes_before_the_guest(void **state)
{
    struct err err;
    struct usb_info info;
    const struct config_usb_device kbd = {.kind = CONFIG_USB_KEYBOARD,
                                          .id = (char *)(uintptr_t) "k",
                                          .bus = (char *)(uintptr_t) "xenusb-0.0"};
    (void)state;
    assert_false(usb_set_plug(machine_usb(rig->machine), &kbd, &err));
    assert_true(add_usb("xenusb-0", CONFIG_UHCI, &err));
    assert_int_equal(bus_pci_read(bus, PCI_DEVFN(5, 0), 0, 4), 0x70208086);
    assert_false(add_usb("xenusb-0", CONFIG_UHCI, &err)); /* the name is taken */
    assert_int_equal(bus_pci_read(bus, PCI_DEVFN(6, 0), 0, 4), 0xFFFFFFFF);
    assert_true(usb_set_plug(machine_usb(rig->machine), &kbd, &err));
    assert_true(usb_set_info(machine_usb(rig->machine), 4, &info));
    assert_string_equal(info.id, "k");
    assert_int_equal(info.bus, 2);
    assert_true(add_usb("xenusb-3", CONFIG_XHCI_NEC, &err));
    assert_int_equal(bus_pci_read(bus, PCI_DEVFN(6, 0), 0, 4), 0x01941033);
    bus_pci_write(bus, PCI_DEVFN(5, 0), 4, 2, 5);
    assert_false(add_usb("xenusb-1", CONFIG_UHCI, &err));
    assert_non_null(strstr(err.text, "before the guest starts"));
}

static void resets_and_power_reach_the_domain(void **state)
{
    (void)state;
    bus_port_write(bus, 0xCF9, 1, 0x06);
    assert_int_equal(rig->resets, 1);
    bus_port_write(bus, 0x64, 1, 0xFE);
    assert_int_equal(rig->resets, 2);
    bus_port_write(bus, 0x92, 1, 0x01);
    assert_int_equal(rig->resets, 3);
    bus_pci_write(bus, PCI_DEVFN(1, 3), 0x40, 4, 0xB001);
    bus_pci_write(bus, PCI_DEVFN(1, 3), 0x80, 1, 1);
    bus_port_write(bus, 0xB004, 2, 0x2000);
    assert_int_equal(rig->power_offs, 1);
    bus_port_write(bus, 0xB004, 2, 0x2400);
    assert_int_equal(rig->suspends, 1);
}

static void keys_interrupt(void **state)
{
    (void)state;
    /* Interrupts on, translation on: as firmware leaves the controller. */
    bus_port_write(bus, 0x64, 1, 0x60);
    bus_port_write(bus, 0x60, 1, 0x45);
    bus_port_write(bus, 0x60, 1, 0xF4); /* keyboard: start scanning */
    machine_rig_step(rig, NS_PER_S);
    for (unsigned i = 0; i < 8 && bus_port_read(bus, 0x64, 1) & 1; i++)
        bus_port_read(bus, 0x60, 1);
    unsigned before = rig->hv->isa_raised[1];
    input_key(rig->input, 30, true); /* KEY_A */
    machine_rig_step(rig, NS_PER_S);
    assert_int_equal(rig->hv->isa_raised[1], before + 1);
    assert_int_equal(bus_port_read(bus, 0x60, 1), 0x1E);
    assert_false(rig->hv->isa[1]);
}

/* Drives by their index in the configuration, at whichever controller. */
static void media_at_both_controllers(void **state)
{
    (void)state;
    assert_non_null(machine_ahci(rig->machine));
    for (unsigned index = 1; index < 5; index += 3) { /* the CDs at IDE and at AHCI */
        assert_false(machine_tray_locked(rig->machine, index));
        assert_true(machine_tray_eject(rig->machine, index, false));
        struct block *old = machine_set_medium(rig->machine, index, NULL);
        assert_ptr_equal(old, index == 1 ? rig->cd : NULL);
        assert_true(machine_tray_open(rig->machine, index));
        assert_null(machine_set_medium(rig->machine, index, rig->cd));
        assert_false(machine_tray_open(rig->machine, index));
        assert_ptr_equal(machine_set_medium(rig->machine, index, NULL), rig->cd);
    }
    assert_ptr_equal(ide_drive_block(machine_ide(rig->machine), 0), rig->disk);
    assert_ptr_equal(ahci_drive_block(machine_ahci(rig->machine), 0), rig->sata);
    machine_unplug_disks(rig->machine);
    assert_null(ide_drive_block(machine_ide(rig->machine), 0));
    assert_null(ahci_drive_block(machine_ahci(rig->machine), 0));
}

static void whole_state_goes_round(void **state)
{
    (void)state;
    struct err err;
    uint8_t *stream, *again;
    size_t len, again_len;
    bus_port_write(bus, 0x3FB, 1, 0x03);
    bus_pci_write(bus, PCI_DEVFN(1, 0), 0x60, 4, 0x0B0B0A05);
    bus_pci_write(bus, PCI_DEVFN(3, 0), 0x10, 4, 0xF0000000);
    bus_pci_write(bus, PCI_DEVFN(3, 0), 0x04, 2, 3);
    assert_true(devices_save(machine_devices(rig->machine), &stream, &len, &err));

    struct machine_rig *other = machine_rig_new();
    assert_true(devices_load(machine_devices(other->machine), stream, len, &err));
    assert_int_equal(bus_port_read(machine_bus(other->machine), 0x3FB, 1), 0x03);
    assert_int_equal(other->hv->link_route[0], 5);
    assert_true(other->hv->vram_where == 0xF0000000);
    assert_true(other->hv->isa_calls[14] > 0); /* lines are pushed whatever their level */
    assert_true(devices_save(machine_devices(other->machine), &again, &again_len, &err));
    assert_int_equal(len, again_len);
    assert_memory_equal(stream, again, len);
    machine_rig_free(other);
    free(again);
    free(stream);
}

static void reset_is_power_on(void **state)
{
    (void)state;
    struct err err;
    uint8_t *fresh, *after;
    size_t len, after_len;
    assert_true(devices_save(machine_devices(rig->machine), &fresh, &len, &err));
    bus_port_write(bus, 0x3FB, 1, 0x83);
    bus_port_write(bus, 0x1F6, 1, 0x50);
    bus_port_write(bus, 0x21C, 1, 0x50);
    bus_port_write(bus, 0x3C4, 2, 0x0F02);
    bus_pci_write(bus, PCI_DEVFN(2, 0), 0x04, 2, 0);
    machine_reset(rig->machine);
    assert_true(devices_save(machine_devices(rig->machine), &after, &after_len, &err));
    assert_int_equal(len, after_len);
    assert_memory_equal(fresh, after, len);
    free(fresh);
    free(after);
}

/* Every port, written and read in every width with rubbish: nothing falls over, and all still
 * answers after a reset. */
static void every_port_survives_rubbish(void **state)
{
    (void)state;
    srand(7);
    display_refresh_now(rig->display);
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t port = 0; port < 0x10000; port++) {
            unsigned width = 1u << (rand() % 3);
            if (port == 0x3F6 || port == 0x376) /* leave the disks out of reset now and then */
                bus_port_write(bus, port, 1, (uint32_t)rand() & ~4u);
            else
                bus_port_write(bus, port, width, (uint32_t)rand());
            bus_port_read(bus, port, width);
            if (port % 64 == 0) {
                machine_rig_disks(rig);
                machine_rig_step(rig, NS_PER_MS);
            }
        }
        for (unsigned devfn = 0; devfn < 256; devfn++)
            for (unsigned reg = 0; reg < 256; reg += 1 + (unsigned)rand() % 4)
                bus_pci_write(bus, (uint8_t)devfn, reg, 1u << (rand() % 3), (uint32_t)rand());
        for (uint64_t addr = 0xA0000; addr < 0xC0000; addr += 1 + (unsigned)rand() % 97)
            bus_mem_write(bus, addr, 1u << (rand() % 4), (uint64_t)rand());
        display_refresh_now(rig->display);
    }
    machine_rig_disks(rig);
    machine_reset(rig->machine);
    machine_rig_disks(rig);
    functions_are_where_guests_know_them(NULL);
    assert_int_equal(bus_port_read(bus, 0x3FD, 1) & 0x60, 0x60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(functions_are_where_guests_know_them, setup, teardown),
        cmocka_unit_test_setup_teardown(a_usb_controller_comes_before_the_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(resets_and_power_reach_the_domain, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(media_at_both_controllers, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_state_goes_round, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_is_power_on, setup, teardown),
        cmocka_unit_test_setup_teardown(every_port_survives_rubbish, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
