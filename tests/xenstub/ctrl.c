/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctrl: stand-in for libxenctrl as far as the stock device model calls it. */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xen/sys/privcmd.h>

struct xc_interface_core {
    struct stub_shm *shm;
    int fd[7]; /* libxencall 2, libxenforeignmemory 1, libxendevicemodel 3, its own 1 */
};

static int fail(int why)
{
    errno = why;
    return -1;
}

static int call(xc_interface *xch, uint32_t domid)
{
    if (!xenstub_ioctl(xch->fd[0], IOCTL_PRIVCMD_HYPERCALL))
        return -1;
    return domid == xch->shm->domid ? 0 : fail(ESRCH);
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
                                unsigned open_flags)
{
    (void)logger, (void)dombuild_logger, (void)open_flags;
    struct stub_shm *shm = xenstub_attach();
    xc_interface *xch = shm ? calloc(1, sizeof(*xch)) : NULL;
    if (!xch)
        return NULL;
    xch->shm = shm;
    for (unsigned i = 0; i < 6; i++)
        xch->fd[i] = xenstub_open_device();
    xch->fd[6] = -1;
    return xch;
}

int xc_interface_close(xc_interface *xch)
{
    for (unsigned i = 0; i < 6; i++)
        close(xch->fd[i]);
    free(xch);
    return 0;
}

int xc_get_hvm_param(xc_interface *xch, uint32_t dom, int param, unsigned long *value)
{
    if (call(xch, dom))
        return -1;
    if (param < 0 || param >= STUB_PARAMS)
        return fail(EINVAL);
    *value = xch->shm->hvm_param[param];
    return 0;
}

int xc_set_hvm_param(xc_interface *xch, uint32_t dom, int param, unsigned long value)
{
    if (call(xch, dom))
        return -1;
    if (param < 0 || param >= STUB_PARAMS)
        return fail(EINVAL);
    xch->shm->hvm_param[param] = value;
    return 0;
}

int xc_domain_populate_physmap_exact(xc_interface *xch, uint32_t domid, unsigned long nr_extents,
                                     unsigned extent_order, unsigned mem_flags,
                                     xen_pfn_t *extent_start)
{
    (void)mem_flags;
    if (call(xch, domid))
        return -1;
    if (extent_order)
        return fail(EOPNOTSUPP);
    return xenstub_populate(xch->shm, extent_start, nr_extents) == nr_extents ? 0 : fail(EBUSY);
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
    if (call(xch, domid))
        return -1;
    xch->shm->shutdown = (uint32_t)reason + 1;
    uint64_t one = 1;
    return write(STUB_FD_KICK, &one, sizeof(one)) == sizeof(one) ? 0 : -1;
}

/* Pass-through: there are no devices to pass. */
#define REFUSED(name, ...)                                   \
    int name(xc_interface *xch, uint32_t domid, __VA_ARGS__) \
    {                                                        \
        return call(xch, domid) ? -1 : fail(EOPNOTSUPP);     \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
REFUSED(xc_domain_bind_pt_pci_irq, uint8_t irq, uint8_t bus, uint8_t device, uint8_t intx)
REFUSED(xc_domain_unbind_msi_irq, uint32_t gvec, uint32_t pirq, uint32_t gflags)
REFUSED(xc_domain_unbind_pt_irq, uint8_t irq, uint8_t type, uint8_t bus, uint8_t device,
        uint8_t intx, uint8_t isa_irq)
REFUSED(xc_domain_update_msi_irq, uint32_t gvec, uint32_t pirq, uint32_t gflags, uint64_t gtable)
REFUSED(xc_physdev_map_pirq, int index, int *pirq)
REFUSED(xc_physdev_map_pirq_msi, int index, int *pirq, int devfn, int bus, int entry_nr,
        uint64_t table_base)
REFUSED(xc_physdev_unmap_pirq, int pirq)
REFUSED(xc_domain_iomem_permission, unsigned long first, unsigned long nr, uint8_t allow)
REFUSED(xc_domain_ioport_mapping, uint32_t guest, uint32_t machine, uint32_t nr, uint32_t add)
REFUSED(xc_domain_memory_mapping, unsigned long guest, unsigned long machine, unsigned long nr,
        uint32_t add)
