/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front: see front.h. Interfaces: xen/grant_table.h (version 1), xen/event_channel.h. */
#include "front.h"

#include <xen/xen.h>
#include <xen/grant_table.h>

#define RESERVED 8u /* the toolstack's entries */

uint32_t front_grant(struct xenstub *x, uint64_t gfn, bool read_only)
{
    struct stub_shm *s = xenstub_shm(x);
    uint32_t ref = 0;
    stub_lock(s);
    for (uint32_t i = RESERVED; !ref && i < STUB_GRANTS; i++)
        if (!s->grant[i].flags)
            ref = i;
    if (ref) {
        s->grant[ref].frame = (uint32_t)gfn;
        s->grant[ref].domid = 0;
        __atomic_store_n(&s->grant[ref].flags, GTF_permit_access | (read_only ? GTF_readonly : 0),
                         __ATOMIC_RELEASE);
    }
    stub_unlock(s);
    return ref;
}

unsigned front_mapped(struct xenstub *x, uint32_t ref)
{
    struct stub_shm *s = xenstub_shm(x);
    stub_lock(s);
    unsigned n = s->grant_use[ref].readers;
    stub_unlock(s);
    return n;
}

bool front_revoke(struct xenstub *x, uint32_t ref)
{
    uint16_t *flags = &xenstub_shm(x)->grant[ref].flags;
    uint16_t was = __atomic_load_n(flags, __ATOMIC_ACQUIRE);
    do {
        if (was & (GTF_reading | GTF_writing))
            return false;
    } while (
        !__atomic_compare_exchange_n(flags, &was, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return true;
}

uint32_t front_channel(struct xenstub *x)
{
    struct stub_shm *s = xenstub_shm(x);
    uint32_t port = 0;
    stub_lock(s);
    for (uint32_t i = 1; !port && i < STUB_PORTS; i++)
        if (s->remote[i].kind == STUB_REMOTE_NONE)
            port = i;
    if (port)
        s->remote[port] = (struct stub_remote){.kind = STUB_REMOTE_GUEST};
    stub_unlock(s);
    return port;
}

void front_close_channel(struct xenstub *x, uint32_t port)
{
    struct stub_shm *s = xenstub_shm(x);
    stub_lock(s);
    if (s->remote[port].kind == STUB_REMOTE_GUEST)
        s->remote[port] = (struct stub_remote){0};
    stub_unlock(s);
}

bool front_bound(struct xenstub *x, uint32_t port)
{
    return __atomic_load_n(&xenstub_shm(x)->remote[port].local, __ATOMIC_ACQUIRE);
}

void front_notify(struct xenstub *x, uint32_t port)
{
    xenstub_signal(x, port);
}

static bool notified(struct xenstub *x, uint64_t port)
{
    return __atomic_exchange_n(&xenstub_shm(x)->remote[port].pending, 0, __ATOMIC_SEQ_CST);
}

bool front_wait(struct xenstub *x, uint32_t port, unsigned timeout_ms)
{
    return xenstub_wait(x, notified, port, timeout_ms);
}
