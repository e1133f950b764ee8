/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hypervisor: all that the rest of the process may ask of a hypervisor. hw/xen/xen.c and its
 * neighbours implement it on Xen; tests/fake/hypervisor.c implements it in a page of C. No Xen
 * header is needed to use it. All calls belong to the loop's thread.
 */
#ifndef HW_XEN_HYPERVISOR_H
#define HW_XEN_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct hypervisor;
struct companion;
struct loop;
struct bus;

struct hv_config {
    unsigned domid;
    unsigned vcpus;     /* the most the domain can have; 1..128 */
    uint64_t ram_bytes; /* guest RAM (-m): only for choosing an address above it */
    uint64_t
        below_4g_end; /* end of RAM below 4 GiB: 0xF0000000 unless max-ram-below-4g says less */
    bool incoming;    /* restoring: memory, VRAM included, came with the domain */
    struct companion *companion; /* outlives the hypervisor; NULL: hv_sleep_s3 fails */
};

/* Connects to the hypervisor and creates the (still disabled) ioreq server. NULL and *err on
 * failure. */
struct hypervisor *hv_open(const struct hv_config *config, struct loop *loop, struct err *err);

/* The bus that gets the guest's accesses, and what to do when the guest's RTC offset changes
 * (seconds; may be NULL). To be called once, before hv_run. */
void hv_attach(struct hypervisor *hv, struct bus *bus, void (*time_offset)(void *opaque, int64_t s),
               void *opaque);

/* Starts or stops taking the guest's accesses. Stopping drains the buffered ring first. */
bool hv_run(struct hypervisor *hv, bool run, struct err *err);

/* Destroys the ioreq server and closes everything; hv may be NULL. */
void hv_close(struct hypervisor *hv);

/* What the guest asked of us. A request of several units (`rep`) counts once. */
enum hv_ioreq_kind {
    HV_IOREQ_PORT_READ,
    HV_IOREQ_PORT_WRITE,
    HV_IOREQ_MEMORY_READ,
    HV_IOREQ_MEMORY_WRITE,
    HV_IOREQ_PCI_CONFIG,
    HV_IOREQ_OTHER,
    HV_IOREQ_KINDS
};
#define HV_IOREQ_BUCKETS      16
#define HV_IOREQ_SAMPLE       64u /* one request in so many is timed */
#define HV_IOREQ_BUCKET_NS(i) (UINT64_C(256) << (i))
struct hv_ioreq_stats {
    uint64_t count[HV_IOREQ_KINDS];
    uint64_t posted; /* of them, those that waited for no answer */
    /* Of timed requests, from their being seen to their answer: [i] took less than
     * HV_IOREQ_BUCKET_NS(i) (and not less than the one before); the last: longer. */
    uint64_t latency[HV_IOREQ_BUCKETS];
};
void hv_ioreq_stats(const struct hypervisor *hv, struct hv_ioreq_stats *stats);

/* Ranges whose accesses come to us (inclusive ends). False with *err when the hypervisor refuses.
 */
bool hv_claim_ports(struct hypervisor *hv, uint16_t first, uint16_t last, bool claim,
                    struct err *err);
bool hv_claim_memory(struct hypervisor *hv, uint64_t first, uint64_t last, bool claim,
                     struct err *err);
bool hv_claim_pci(struct hypervisor *hv, uint8_t devfn, bool claim, struct err *err);

/* Interrupts. irq 0..15; slot = PCI device number 0..31, intx 0..3 = A..D; link 0..3 = PIRQA..D,
 * irq 0 = not routed. */
void hv_isa_irq(struct hypervisor *hv, uint8_t irq, bool level);
void hv_pci_intx(struct hypervisor *hv, uint8_t slot, uint8_t intx, bool level);
void hv_pci_link_route(struct hypervisor *hv, uint8_t link, uint8_t irq);
void hv_msi(struct hypervisor *hv, uint64_t addr, uint32_t data);

/*
 * A pointer to guest memory at addr, readable and writable, valid until hv_mem_unmap. *len is in:
 * bytes wanted, out: bytes contiguous from there (at least to the end of the page). NULL if addr is
 * not RAM. Reference-counted; cheap when the area was used recently.
 */
void *hv_mem_map(struct hypervisor *hv, uint64_t addr, size_t *len);
void hv_mem_unmap(struct hypervisor *hv, void *host, size_t len);

/* Log-dirty: reports pages written by devices; does nothing (and is cheap) unless log-dirty is on.
 */
void hv_mem_dirty(struct hypervisor *hv, uint64_t addr, size_t len);
void hv_log_dirty(struct hypervisor *hv, bool on);

/*
 * Video memory: `bytes` (a multiple of 4096) of guest memory that stays mapped here. On a fresh
 * start it is populated at an address above RAM, on a restore it is where it was (hv_vram_move
 * tells). Returns the host pointer; NULL and *err. Only the first HV_VRAM_FIRST bytes may be
 * touched there before hv_vram_whole has returned true (false: it cannot be mapped, which is in the
 * log): a start need not wait for thousands of pages that many a guest's screen never reaches.
 * hv_vram_move makes it appear at guest-physical
 * addr; false if the hypervisor refuses (it then stays where it was). hv_vram_dirty fills one bit
 * per page of the first `pages` pages: written by the guest since the last call; false: not known,
 * take all as dirty. It is expensive: only while somebody watches. hv_vram_untrack ends the
 * tracking.
 */
#define HV_VRAM_PARKED UINT64_MAX
#define HV_VRAM_FIRST  UINT64_C(0x44000) /* the VGA's four planes and the end of a last glyph */
void *hv_vram_create(struct hypervisor *hv, uint64_t bytes, struct err *err);
bool hv_vram_whole(struct hypervisor *hv);
uint64_t hv_vram_where(const struct hypervisor *hv);
bool hv_vram_move(struct hypervisor *hv, uint64_t addr);
bool hv_vram_dirty(struct hypervisor *hv, uint32_t pages, unsigned long *bitmap);
void hv_vram_untrack(struct hypervisor *hv);

/* Ends the domain: the toolstack acts on the reason. To be asked before the access that caused it
 * is answered. */
enum hv_shutdown { HV_SHUTDOWN_POWEROFF, HV_SHUTDOWN_REBOOT, HV_SHUTDOWN_CRASH };
void hv_shutdown(struct hypervisor *hv, enum hv_shutdown reason);

/* Suspends the domain to RAM (ACPI S3), to be asked before the access that caused it is answered;
 * the toolstack's s3resume wakes it. The companion process does it. */
bool hv_sleep_s3(struct hypervisor *hv, struct err *err);

/* Wakes it, as the toolstack's s3resume does; harmless if it is not asleep. */
bool hv_wake_s3(struct hypervisor *hv, struct err *err);

/* Presses the ACPI power button; the companion process does it. */
bool hv_press_power(struct hypervisor *hv, struct err *err);

/* What tells where vCPU 0's virtual addresses lie; the companion process asks Xen. Waits for 100 ms
 * at most. */
struct hv_paging {
    uint64_t cr0, cr3, cr4, efer;
};
bool hv_get_paging(struct hypervisor *hv, struct hv_paging *paging, struct err *err);

/* Limits all handles to this domain (xentoolcore_restrict_all); nothing that needs more may follow.
 */
bool hv_restrict(struct hypervisor *hv, struct err *err);

#endif
