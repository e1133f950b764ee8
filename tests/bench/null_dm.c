/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * null_dm: a device model without devices: answers every request at once, with zero. What it needs
 * for that, any device model needs: the limit in the bench's table. It sleeps in read(2) itself,
 * and spins never.
 */
#define __XEN_TOOLS__ 1
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/xen.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#define MAX_VCPUS 128
#define MAX_PORTS 4096

static int die(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    domid_t domid = 0;
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "-xen-domid"))
            domid = (domid_t)atoi(argv[i + 1]);

    xendevicemodel_handle *dm = xendevicemodel_open(NULL, 0);
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    struct xs_handle *xs = xs_open(0);
    ioservid_t id;
    unsigned vcpus = 1;
    if (!dm || !memory || !evtchn || !xs ||
        xendevicemodel_create_ioreq_server(dm, domid, HVM_IOREQSRV_BUFIOREQ_OFF, &id) ||
        xendevicemodel_nr_vcpus(dm, domid, &vcpus) || vcpus > MAX_VCPUS)
        return die("open");
    void *pages = NULL;
    if (!xenforeignmemory_map_resource(memory, domid, XENMEM_resource_ioreq_server, id, 0, 2,
                                       &pages, PROT_READ | PROT_WRITE, 0))
        return die("map");
    struct ioreq *requests = (void *)((char *)pages + 4096);
    xendevicemodel_map_io_range_to_ioreq_server(dm, domid, id, 0, 0, 0xFFFF);
    xendevicemodel_map_io_range_to_ioreq_server(dm, domid, id, 1, 0xA0000, 0xBFFFF);
    for (uint8_t slot = 0; slot < 32; slot++)
        xendevicemodel_map_pcidev_to_ioreq_server(dm, domid, id, 0, 0, slot, 0);
    if (xendevicemodel_set_ioreq_server_state(dm, domid, id, 1))
        return die("enable");
    static uint8_t vcpu_of[MAX_PORTS];
    for (unsigned v = 0; v < vcpus; v++) {
        int port = xenevtchn_bind_interdomain(evtchn, domid, requests[v].vp_eport);
        if (port < 0 || port >= MAX_PORTS)
            return die("bind");
        vcpu_of[port] = (uint8_t)v;
    }
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/state", domid);
    xs_write(xs, XBT_NULL, path, "running", 7);

    for (;;) {
        int port = xenevtchn_pending(evtchn);
        if (port < 0)
            return die("pending");
        xenevtchn_unmask(evtchn, (evtchn_port_t)port);
        struct ioreq *req = &requests[vcpu_of[port % MAX_PORTS]];
        uint8_t *state = (uint8_t *)req + 30;
        uint8_t now = __atomic_load_n(state, __ATOMIC_ACQUIRE);
        if ((now & 15) != STATE_IOREQ_READY)
            continue;
        if (req->dir == IOREQ_READ && !req->data_is_ptr)
            req->data = 0;
        __atomic_store_n(state, (uint8_t)((now & ~15) | STATE_IORESP_READY), __ATOMIC_RELEASE);
        xenevtchn_notify(evtchn, (evtchn_port_t)port);
    }
}
