/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call: stand-in for libxencall: the few raw hypercalls that a device model makes. */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/save.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sys/privcmd.h>
#include <xencall.h>

struct xencall_handle {
    Xentoolcore__Active_Handle active;
    struct stub_shm *shm;
    int fd, buf_fd;
    bool dead; /* restricted: nothing is possible any more */
};

static int restricted(Xentoolcore__Active_Handle *active, unsigned short domid)
{
    (void)domid;
    xencall_handle *h = CONTAINER_OF(active, xencall_handle, active);
    h->dead = true;
    return xentoolcore__restrict_by_dup2_null(h->fd);
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger, (void)open_flags;
    struct stub_shm *shm = xenstub_attach();
    xencall_handle *h = shm ? calloc(1, sizeof(*h)) : NULL;
    if (!h)
        return NULL;
    h->shm = shm;
    h->fd = xenstub_open_device();
    h->buf_fd = xenstub_open_device();
    h->active.restrict_callback = restricted;
    xentoolcore__register_active_handle(&h->active);
    return h;
}

int xencall_close(xencall_handle *h)
{
    if (!h)
        return 0;
    xentoolcore__deregister_active_handle(&h->active);
    close(h->fd);
    close(h->buf_fd);
    free(h);
    return 0;
}

int xencall_fd(xencall_handle *h)
{
    return h->fd;
}

/* Each buffer has its pages for itself, and a page before them that knows how many. */
void *xencall_alloc_buffer(xencall_handle *h, size_t size)
{
    (void)h;
    size_t bytes = (size + 2 * STUB_PAGE - 1) / STUB_PAGE * STUB_PAGE;
    size_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    *p = bytes;
    return (char *)p + STUB_PAGE;
}

void xencall_free_buffer(xencall_handle *h, void *p)
{
    (void)h;
    if (!p)
        return;
    size_t *head = (void *)((char *)p - STUB_PAGE);
    munmap(head, *head);
}

static long refuse(int why)
{
    errno = why;
    return -1;
}

static long populate(xencall_handle *h, const struct xen_memory_reservation *r)
{
    if (r->domid != h->shm->domid)
        return refuse(ESRCH);
    if (r->extent_order)
        return refuse(EOPNOTSUPP);
    const xen_pfn_t *gfns = r->extent_start.p;
    return (long)xenstub_populate(h->shm, gfns, r->nr_extents);
}

static long set_param(xencall_handle *h, const struct xen_hvm_param *p)
{
    if (p->domid != h->shm->domid || p->index >= STUB_PARAMS)
        return refuse(EINVAL);
    h->shm->hvm_param[p->index] = p->value;
    return 0;
}

long xencall2L(xencall_handle *h, unsigned op, uint64_t arg1, uint64_t arg2)
{
    if (h->dead)
        return refuse(ENOTTY);
    if (!xenstub_ioctl(h->fd, IOCTL_PRIVCMD_HYPERCALL))
        return -1;
    if (op == __HYPERVISOR_memory_op && arg1 == XENMEM_populate_physmap)
        return populate(h, (const void *)(uintptr_t)arg2);
    if (op == __HYPERVISOR_hvm_op && arg1 == HVMOP_set_param)
        return set_param(h, (const void *)(uintptr_t)arg2);
    return refuse(ENOSYS);
}

/* vCPU 0's state, of which only what pages its memory means anything. */
static int get_cpu(xencall_handle *h, const struct xen_domctl *c)
{
    const struct xen_domctl_hvmcontext_partial *p = &c->u.hvmcontext_partial;
    struct hvm_hw_cpu cpu = {
        .cr0 = h->shm->cr0, .cr3 = h->shm->cr3, .cr4 = h->shm->cr4, .msr_efer = h->shm->efer};
    if (c->domain != h->shm->domid || p->type != HVM_SAVE_CODE(CPU) || p->instance)
        return (int)refuse(EINVAL);
    if (p->bufsz < sizeof(cpu))
        return (int)refuse(ENOSPC);
    memcpy(p->buffer.p, &cpu, sizeof(cpu));
    return 0;
}

/* Another version's caller would be refused, as Xen does. */
int xencall1(xencall_handle *h, unsigned op, uint64_t arg)
{
    const struct xen_domctl *c = (const void *)(uintptr_t)arg;
    if (h->dead)
        return (int)refuse(ENOTTY);
    if (!xenstub_ioctl(h->fd, IOCTL_PRIVCMD_HYPERCALL))
        return -1;
    if (op != __HYPERVISOR_domctl ||
        (c->cmd != XEN_DOMCTL_sendtrigger && c->cmd != XEN_DOMCTL_gethvmcontext_partial))
        return (int)refuse(ENOSYS);
    if (c->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return (int)refuse(EACCES);
    if (c->cmd == XEN_DOMCTL_gethvmcontext_partial)
        return get_cpu(h, c);
    if (c->domain != h->shm->domid || c->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_POWER)
        return (int)refuse(EINVAL);
    __atomic_fetch_add(&h->shm->power_presses, 1, __ATOMIC_SEQ_CST);
    return 0;
}

int xencall2(xencall_handle *h, unsigned op, uint64_t arg1, uint64_t arg2)
{
    return (int)xencall2L(h, op, arg1, arg2);
}
