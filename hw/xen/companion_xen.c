/* SPDX-License-Identifier: GPL-2.0-or-later */
/* companion_xen: what the companion does on Xen. Its handles are its own: one that was inherited
 * must not be used (xencall.h). */
#include <errno.h>
#include <stdlib.h>
#include <xencall.h>

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include <xen/xen.h>
/* They need the types of xen.h. */
#include <xen/domctl.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

#include "hw/xen/companion.h"
#include "hw/xen/xenstore.h"

struct handles {
    xencall_handle *call;
    xen_hvm_param_t *sleep; /* visible to Xen; never changes, made while memory can be locked */
    struct xen_domctl *power, *context;
    struct hvm_hw_cpu *cpu; /* where Xen puts it */
    struct xenstore *xenstore;
};

static bool open_all(struct handles *h, unsigned domid)
{
    h->call = xencall_open(NULL, 0);
    if (h->call)
        h->sleep = xencall_alloc_buffer(h->call, sizeof(*h->sleep));
    if (h->sleep)
        h->power = xencall_alloc_buffer(h->call, sizeof(*h->power));
    if (h->power)
        h->context = xencall_alloc_buffer(h->call, sizeof(*h->context));
    if (h->context)
        h->cpu = xencall_alloc_buffer(h->call, sizeof(*h->cpu));
    if (!h->cpu)
        return false;
    *h->sleep = (xen_hvm_param_t){.domid = (domid_t)domid, .index = HVM_PARAM_ACPI_S_STATE};
    *h->power = (struct xen_domctl){
        .cmd = XEN_DOMCTL_sendtrigger,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .domain = (domid_t)domid,
        .u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_POWER,
    };
    *h->context = (struct xen_domctl){
        .cmd = XEN_DOMCTL_gethvmcontext_partial,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .domain = (domid_t)domid,
    };
    h->xenstore = xenstore_open(domid, NULL);
    return h->xenstore != NULL;
}

static void *open_handles(unsigned domid)
{
    struct handles *h = calloc(1, sizeof(*h));
    if (h && open_all(h, domid))
        return h;
    free(h); /* what it holds goes with the process, which now ends */
    return NULL;
}

/* There is no device-model operation for it. */
static int set_s_state(struct handles *h, uint64_t value)
{
    h->sleep->value = value;
    int rc = xencall2(h->call, __HYPERVISOR_hvm_op, HVMOP_set_param, (uintptr_t)h->sleep);
    return rc < 0 ? errno : 0;
}

static int sleep_s3(void *opaque)
{
    return set_s_state(opaque, 3);
}

/* As libxl does it for device models that cannot. */
static int wake_s3(void *opaque)
{
    return set_s_state(opaque, 0);
}

/* One of two uses of an interface that changes with Xen: there is no other way to PM1a's status.
 * Xen compares the version and refuses another one's (EACCES). */
static int press_power(void *opaque)
{
    struct handles *h = opaque;
    int rc = xencall1(h->call, __HYPERVISOR_domctl, (uintptr_t)h->power);
    return rc < 0 ? errno : 0;
}

/* The other one: Xen stops the domain for as long as that takes. */
static int get_paging(void *opaque, struct hv_paging *paging)
{
    struct handles *h = opaque;
    struct xen_domctl_hvmcontext_partial *c = &h->context->u.hvmcontext_partial;
    *c = (struct xen_domctl_hvmcontext_partial){
        .type = HVM_SAVE_CODE(CPU), .instance = 0, .bufsz = sizeof(*h->cpu)};
    set_xen_guest_handle_raw(c->buffer, (uint8_t *)h->cpu);
    int rc = xencall1(h->call, __HYPERVISOR_domctl, (uintptr_t)h->context);
    if (rc < 0)
        return errno;
    *paging = (struct hv_paging){
        .cr0 = h->cpu->cr0, .cr3 = h->cpu->cr3, .cr4 = h->cpu->cr4, .efer = h->cpu->msr_efer};
    return 0;
}

static int add_time_offset(void *opaque, int64_t seconds)
{
    struct handles *h = opaque;
    errno = 0;
    if (xenstore_add_time_offset(h->xenstore, seconds, NULL))
        return 0;
    return errno ? errno : EINVAL; /* what is there is no path or no number */
}

const struct companion_ops companion_xen = {
    .open = open_handles,
    .sleep_s3 = sleep_s3,
    .add_time_offset = add_time_offset,
    .wake_s3 = wake_s3,
    .press_power = press_power,
    .get_paging = get_paging,
};
