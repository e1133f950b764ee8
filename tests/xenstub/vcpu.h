/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu: the other side of the stand-in: makes a domain, starts a device model for it, and plays
 * what the guest's CPUs and the toolstack do. Each vCPU may be used by one thread at a time.
 */
#ifndef TESTS_XENSTUB_VCPU_H
#define TESTS_XENSTUB_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm.h"

struct xenstub;

struct xenstub_config {
    unsigned domid;        /* 0: 1 */
    unsigned vcpus;        /* 0: 1 */
    uint64_t ram_bytes;    /* 0: 64 MiB; the legacy VGA window below 1 MiB has no RAM */
    uint64_t below_4g_end; /* 0: 0xF0000000 */
};

/* Up to STUB_DOMAINS at once. NULL with errno. free ends the device model too. */
struct xenstub *xenstub_new(const struct xenstub_config *config);
void xenstub_free(struct xenstub *x);

/* A directory of its own, removed by xenstub_free: for sockets, images, logs. */
const char *xenstub_dir(const struct xenstub *x);
struct stub_shm *xenstub_shm(struct xenstub *x);

/*
 * Starts a device model: argv as a toolstack would give it, without the first part that names the
 * domain, which the caller writes too. Its output goes to <dir>/log. The stand-in's libraries are
 * those beside the running program (<its directory>/lib), or in XENSTUB_LIBS. False with errno.
 */
bool xenstub_start(struct xenstub *x, const char *const argv[]);
pid_t xenstub_pid(const struct xenstub *x);
bool xenstub_gone(struct xenstub *x); /* it has ended */

/* Sends the signal (0: none) and waits for the end, at last with SIGKILL: the wait status, or -1.
 */
int xenstub_end(struct xenstub *x, int signo, unsigned timeout_ms);

/* xenstore. read: to be freed, or NULL. */
char *xenstub_xs_read(struct xenstub *x, const char *path);
void xenstub_xs_write(struct xenstub *x, const char *path, const char *value);
void xenstub_xs_remove(struct xenstub *x, const char *path); /* and what is below */
bool xenstub_xs_wait(struct xenstub *x, const char *path, const char *value, unsigned timeout_ms);

/* Waits for `state` in device-model/<domid>/state; "running": until accesses are taken as well.
 * False: too late, or it ended. */
bool xenstub_wait_state(struct xenstub *x, const char *state, unsigned timeout_ms);

/* --- guest memory, as the guest's CPUs see it: what they write is dirty --- */

bool guest_read(struct xenstub *x, uint64_t addr, void *buf, size_t len);
bool guest_write(struct xenstub *x, uint64_t addr, const void *buf, size_t len);
void guest_fill(struct xenstub *x, uint64_t addr, int byte, size_t len);
/* The page itself, as long as it is not ballooned away; NULL: there is none. For rings that a
 * front-end shares; what is written is not marked. */
void *guest_page(struct xenstub *x, uint64_t gfn);

/* Takes pages away, or gives fresh ones (ballooning). The device model must be told:
 * vcpu_invalidate. */
void guest_balloon(struct xenstub *x, uint64_t gfn, uint32_t pages, bool out);

/* Log-dirty mode on or off; whether a page was written since the last clean, and clean it. */
void guest_log_dirty(struct xenstub *x, bool on);
bool guest_clean(struct xenstub *x, uint64_t gfn);

/* --- accesses: what nobody has claimed never reaches the device model: it reads as ones --- */

/* Ports, of 1, 2 or 4 bytes. 0xCF8 and 0xCFC are translated as Xen does it. */
uint32_t vcpu_in(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size);
void vcpu_out(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t value);

/* Memory, of 1, 2, 4 or 8 bytes: of devices, not of RAM. */
uint64_t vcpu_read(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size);
void vcpu_write(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size, uint64_t value);

/* Configuration space of bus 0, of 1, 2 or 4 bytes, as one request. */
uint32_t vcpu_pci_read(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg,
                       unsigned size);
void vcpu_pci_write(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg, unsigned size,
                    uint32_t value);

/* String instructions: `count` units between a port and guest memory at addr, which with df is that
 * of the first and highest unit. As Xen does, at most 4,096 units go into one request. */
void vcpu_ins(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t count,
              uint64_t addr, bool df);
void vcpu_outs(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t count,
               uint64_t addr, bool df);

/* movs between device memory and guest memory; to_guest: from the device. */
void vcpu_movs(struct xenstub *x, unsigned vcpu, uint64_t device, unsigned size, uint32_t count,
               uint64_t addr, bool to_guest, bool df);
/* stos to device memory. */
void vcpu_stos(struct xenstub *x, unsigned vcpu, uint64_t device, unsigned size, uint32_t count,
               uint64_t value, bool df);

/* A posted write to device memory below 1 MiB (Xen does this for the VGA window). False: the ring
 * is full, or the server has none. */
bool vcpu_post(struct xenstub *x, uint64_t addr, unsigned size, uint64_t value);

/* To every server, as Xen sends it. */
void vcpu_invalidate(struct xenstub *x, unsigned vcpu);
void vcpu_time_offset(struct xenstub *x, unsigned vcpu, int64_t seconds);

/* Any request, as it is: type, fields and all; what comes back is in it. Only `state` is set here.
 * The server of the first range that holds port 0x1F0.. need not be asked: it is server 0. */
struct ioreq;
bool vcpu_raw(struct xenstub *x, unsigned vcpu, struct ioreq *req);

/* Sends an event through a channel of the guest's: what is bound to it. */
void xenstub_signal(struct xenstub *x, uint32_t remote);

/* Accesses that nobody had claimed. */
uint64_t xenstub_unclaimed(const struct xenstub *x);

/* --- waiting for what the device model does; false: too late, or it ended --- */

bool xenstub_wait(struct xenstub *x, bool (*cond)(struct xenstub *x, uint64_t arg), uint64_t arg,
                  unsigned timeout_ms);
bool xenstub_wait_isa(struct xenstub *x, unsigned irq, bool level, unsigned timeout_ms);
/* vCPU 0's control registers, as the device model may ask for them. */
void xenstub_set_paging(struct xenstub *x, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer);

/* Waits until the domain's power button has been pressed so often. */
bool xenstub_wait_power(struct xenstub *x, unsigned count, unsigned timeout_ms);
bool xenstub_wait_shutdown(struct xenstub *x, unsigned reason, unsigned timeout_ms);

#endif
