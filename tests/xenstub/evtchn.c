/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * evtchn: stand-in for libxenevtchn, as Linux' /dev/xen/evtchn behaves: a port that is delivered is
 * masked and can be read once; writing it unmasks it. The descriptor is an eventfd that counts the
 * ports to be read, so reading, unmasking and notifying cost a system call each, as on Xen.
 */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xenevtchn.h>

struct xenevtchn_handle {
    Xentoolcore__Active_Handle active;
    struct stub_shm *shm;
    uint32_t index;
    int fd;
    int domid;
};

static int fail(int why)
{
    errno = why;
    return -1;
}

static int restricted(Xentoolcore__Active_Handle *active, unsigned short domid)
{
    CONTAINER_OF(active, xenevtchn_handle, active)->domid = domid;
    return 0;
}

/* What the device's last user had not read is gone with it. */
static void empty(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t one;
    while (poll(&p, 1, 0) > 0 && read(fd, &one, sizeof(one)) == sizeof(one))
        ;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    struct stub_shm *shm = xenstub_attach();
    xenevtchn_handle *h = shm && xenstub_own_fds(shm) ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->shm = shm;
    h->domid = -1;
    stub_lock(shm);
    while (h->index < STUB_HANDLES && shm->handle[h->index].used)
        h->index++;
    if (h->index < STUB_HANDLES) {
        shm->handle[h->index] = (struct stub_handle){.used = 1};
        empty(STUB_FD_PORTS + (int)h->index);
    }
    stub_unlock(shm);
    if (h->index == STUB_HANDLES) {
        free(h);
        errno = EMFILE;
        return NULL;
    }
    h->fd = fcntl(STUB_FD_PORTS + (int)h->index,
                  flags & XENEVTCHN_NO_CLOEXEC ? F_DUPFD : F_DUPFD_CLOEXEC, 0);
    h->active.restrict_callback = restricted;
    xentoolcore__register_active_handle(&h->active);
    return h;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned flags)
{
    (void)logger, (void)fd, (void)flags;
    errno = EOPNOTSUPP;
    return NULL;
}

int xenevtchn_close(xenevtchn_handle *h)
{
    if (!h)
        return 0;
    xentoolcore__deregister_active_handle(&h->active);
    stub_lock(h->shm);
    for (uint32_t i = 1; i < STUB_PORTS; i++) {
        struct stub_port *p = &h->shm->port[i];
        if (!p->remote || p->handle != h->index)
            continue;
        h->shm->remote[p->remote].local = 0;
        *p = (struct stub_port){0};
    }
    h->shm->handle[h->index].used = 0;
    stub_unlock(h->shm);
    int rc = close(h->fd);
    free(h);
    return rc;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
    return h->fd;
}

int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
    h->domid = domid;
    return 0;
}

/* The port if it is bound by this handle. */
static struct stub_port *own_port(xenevtchn_handle *h, evtchn_port_t port)
{
    if (port && port < STUB_PORTS && h->shm->port[port].remote &&
        h->shm->port[port].handle == h->index)
        return &h->shm->port[port];
    errno = ENOTCONN;
    return NULL;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
    struct stub_port *p = own_port(h, port);
    if (!p)
        return -1;
    struct stub_remote *r = &h->shm->remote[p->remote];
    __atomic_fetch_add(&h->shm->counts.notifies, 1, __ATOMIC_RELAXED);
    uint64_t one = 1;
    int fd = r->kind == STUB_REMOTE_VCPU ? STUB_FD_VCPU + r->vcpu : STUB_FD_KICK;
    __atomic_store_n(&r->pending, 1, __ATOMIC_SEQ_CST);
    return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    struct stub_shm *s = h->shm;
    if (h->domid >= 0 && (int)domid != h->domid)
        return fail(EPERM);
    if (domid != s->domid)
        return fail(ESRCH);
    stub_lock(s);
    uint32_t port = 0;
    if (remote_port && remote_port < STUB_PORTS && s->remote[remote_port].kind &&
        !s->remote[remote_port].local) {
        port = 1;
        while (port < STUB_PORTS && s->port[port].remote)
            port++;
    }
    bool ok = port && port < STUB_PORTS;
    if (ok) {
        s->port[port] = (struct stub_port){.remote = remote_port, .handle = h->index};
        s->remote[remote_port].local = port;
    }
    stub_unlock(s);
    if (!ok)
        return fail(EINVAL);
    /* A channel that is bound fires once, for what was sent before (EVTCHNOP_bind_interdomain). */
    int handle = stub_send(s, port);
    uint64_t one = 1;
    if (handle >= 0 && write(h->fd, &one, sizeof(one)) < 0)
        return -1;
    return (int)port;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h, uint32_t domid)
{
    (void)h, (void)domid;
    return fail(EOPNOTSUPP);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *h, unsigned virq)
{
    (void)h, (void)virq;
    return fail(EOPNOTSUPP);
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
    struct stub_port *p = own_port(h, port);
    if (!p)
        return -1;
    stub_lock(h->shm);
    h->shm->remote[p->remote].local = 0;
    *p = (struct stub_port){0};
    stub_unlock(h->shm);
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    uint64_t one; /* the eventfd is a semaphore: one port per read */
    for (;;) {
        if (read(h->fd, &one, sizeof(one)) != sizeof(one))
            return -1;
        struct stub_handle *ring = &h->shm->handle[h->index];
        uint32_t *slot = &ring->ring[ring->tail++ % STUB_PORTS], port;
        while (!(port = __atomic_exchange_n(slot, 0, __ATOMIC_ACQUIRE)))
            __builtin_ia32_pause(); /* it is being entered */
        if (own_port(h, port))      /* else it was closed meanwhile */
            return (int)port;
    }
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
    struct stub_port *p = own_port(h, port);
    if (!p)
        return -1;
    __atomic_fetch_and(&p->state, ~STUB_MASKED, __ATOMIC_ACQ_REL);
    uint64_t one = 1;
    if (stub_deliver(h->shm, port) >= 0) /* the write that unmasks makes it readable again */
        return write(h->fd, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
    /* The write alone: an eventfd refuses four bytes. */
    return write(h->fd, &port, sizeof(port)) < 0 && errno != EINVAL ? -1 : 0;
}
