/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypervisor: hw/xen/hypervisor.h for the qtest door: RAM and video memory that are this process's
 * own, the guest-physical address map as its CPU would see it, and interrupt pins that can be
 * watched.
 */
#ifndef TESTS_QTEST_HYPERVISOR_H
#define TESTS_QTEST_HYPERVISOR_H

#include "hw/xen/hypervisor.h"

/* Which interrupt wires. */
enum hv_pin_kind {
    HV_PIN_IOAPIC, /* inputs 0..15 of the I/O APIC: ISA lines and the PCI links routed to them */
    HV_PIN_ISA,    /* outputs of the ISA devices, 0..15 */
    HV_PIN_INTX,   /* outputs of the PCI devices: slot * 4 + 0..3 for INTA..INTD */
};

#define HV_PINS 16

/* Who gets the changes of level, and what a guest's reset request becomes. Set before hv_open. */
struct hv_pins {
    void (*changed)(void *opaque, enum hv_pin_kind kind, unsigned n, bool level);
    void (*shutdown)(void *opaque, enum hv_shutdown reason);
    void *opaque;
};
void hv_set_pins(const struct hv_pins *pins);

/* Sources of a pin that are no device of ours. */
enum hv_source { HV_SOURCE_RTC, HV_SOURCE_TEST, HV_SOURCES };
void hv_drive_pin(struct hypervisor *hv, enum hv_source source, unsigned n, bool level);

/* The guest's CPU: registers by access, memory by copy. Nobody there reads as ones. Where PAM
 * (82441FX, 3.2.18) does not let it see RAM from C0000h to FFFFFh it sees the firmware's ROM. */
uint64_t hv_cpu_load(struct hypervisor *hv, uint64_t addr, unsigned width);
void hv_cpu_store(struct hypervisor *hv, uint64_t addr, unsigned width, uint64_t value);
void hv_cpu_read(struct hypervisor *hv, uint64_t addr, void *buf, size_t len);
void hv_cpu_write(struct hypervisor *hv, uint64_t addr, const void *buf, size_t len);

/* Firmware whose last byte is at 4 GiB - 1, and of which the last 128 KiB are below 1 MiB too; at
 * most 16 MiB. */
bool hv_load_firmware(struct hypervisor *hv, const char *file, struct err *err);

uint64_t hv_ram_bytes(const struct hypervisor *hv);
bool hv_running(const struct hypervisor *hv);

/* Mappings that nobody gave back when hypervisors were closed: 0, or the product has a leak. */
unsigned hv_leaked_maps(void);

#endif
