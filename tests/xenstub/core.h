/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core: what the stand-in libraries share: finding the shared memory, and the system calls that
 * stand for those of the real libraries. */
#ifndef TESTS_XENSTUB_CORE_H
#define TESTS_XENSTUB_CORE_H

#include <stddef.h>
#include <sys/ioctl.h>

#include "shm.h"

/* The shared memory; NULL with errno if the process does not run under the stand-in. */
struct stub_shm *xenstub_attach(void);

/* Sees to it that the descriptors from STUB_FD_KICK on are open in this process. */
bool xenstub_own_fds(const struct stub_shm *s);

/* What opening /dev/xen/privcmd and its like costs: one descriptor. -1 with errno. Of the pages:
 * one by which they can be mapped. */
int xenstub_open_device(void);
int xenstub_open_pages(void);

/*
 * A hypercall: one ioctl with the real number on a descriptor that knows none. False with errno if
 * the process may not do that (a system-call filter), or the handle is restricted away (fd < 0).
 */
bool xenstub_ioctl(int fd, unsigned long request);

/* The same for a hypercall by which Xen would wake a vCPU: wakes a test that waits for a change. */
bool xenstub_ioctl_kick(int fd, unsigned long request);

/* Pages that the domain gets at these addresses: how many of them succeeded. */
uint64_t xenstub_populate(struct stub_shm *s, const uint64_t *gfns, uint64_t count);

/* libxentoolcore's list of handles to be restricted (its interface to the other libraries). */
typedef struct Xentoolcore__Active_Handle {
    int (*restrict_callback)(struct Xentoolcore__Active_Handle *, unsigned short domid);
    void *link[2];
} Xentoolcore__Active_Handle;
void xentoolcore__register_active_handle(Xentoolcore__Active_Handle *);
void xentoolcore__deregister_active_handle(Xentoolcore__Active_Handle *);
int xentoolcore__restrict_by_dup2_null(int fd);

#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

#endif
