/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gnttab: stand-in for libxengnttab: opens, and knows no grants (no PV front-end plays here). */
#define __XEN_TOOLS__ 1
#include "core.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xengnttab.h>

struct xengntdev_handle {
    int fd;
};

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger, (void)open_flags;
    xengnttab_handle *h = xenstub_attach() ? calloc(1, sizeof(*h)) : NULL;
    if (h)
        h->fd = xenstub_open_device();
    return h;
}

int xengnttab_close(xengnttab_handle *h)
{
    if (h)
        close(h->fd);
    free(h);
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *h, uint32_t nr_grants)
{
    (void)h, (void)nr_grants;
    return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
                                      uint32_t *refs, int prot)
{
    (void)h, (void)count, (void)domid, (void)refs, (void)prot;
    errno = EINVAL;
    return NULL;
}

int xengnttab_unmap(xengnttab_handle *h, void *start_address, uint32_t count)
{
    (void)h, (void)start_address, (void)count;
    errno = EINVAL;
    return -1;
}

int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count, xengnttab_grant_copy_segment_t *segs)
{
    (void)h, (void)count, (void)segs;
    errno = EINVAL;
    return -1;
}
