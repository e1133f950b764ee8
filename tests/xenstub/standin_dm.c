/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * standin_dm: the device model's side of test_standin: a process that calls Xen's libraries, as
 * argv[1] says, and checks what they answer. Steps are told through xenstore. Ends with 0, or with
 * 1 and a line for the check that failed.
 */
#define __XEN_TOOLS__ 1
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/ioreq.h>
#include <xen/memory.h>
#include <xencall.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xentoolcore.h>

#define PAGE    4096u
#define BASE    "/local/domain/0/standin/"
#define SERVERS 2
#define VCPUS   2

static xendevicemodel_handle *dm;
static xenforeignmemory_handle *memory;
static xenevtchn_handle *evtchn;
static xengnttab_handle *gnttab;
static struct xs_handle *xs;
static domid_t domid;

#define CHECK(what)                                                      \
    do {                                                                 \
        if (!(what)) {                                                   \
            fprintf(stderr, "standin-dm:%d: %s: %m\n", __LINE__, #what); \
            exit(1);                                                     \
        }                                                                \
    } while (0)
#define FAILS(why, what)                 \
    do {                                 \
        errno = 0;                       \
        CHECK((what) && errno == (why)); \
    } while (0)

/* --- steps --- */

static void say(const char *name, uint32_t value)
{
    char path[64], text[16];
    snprintf(path, sizeof(path), BASE "%s", name);
    snprintf(text, sizeof(text), "%u", value);
    CHECK(xs_write(xs, XBT_NULL, path, text, (unsigned)strlen(text)));
}

static bool heard(const char *name, uint32_t *value)
{
    char path[64];
    unsigned len;
    snprintf(path, sizeof(path), BASE "%s", name);
    char *text = xs_read(xs, XBT_NULL, path, &len);
    if (text)
        *value = (uint32_t)strtoul(text, NULL, 10);
    free(text);
    return text;
}

static uint32_t await(const char *name)
{
    uint32_t value;
    for (unsigned i = 0; i < 20000; i++, usleep(1000))
        if (heard(name, &value))
            return value;
    CHECK(!"the other side is silent");
    return 0;
}

/* --- ioreq servers --- */

struct server {
    ioservid_t id;
    struct ioreq *requests;
    int port[VCPUS];
};

static void open_server(struct server *s)
{
    void *pages = NULL;
    CHECK(!xendevicemodel_create_ioreq_server(dm, domid, HVM_IOREQSRV_BUFIOREQ_ATOMIC, &s->id));
    CHECK(xenforeignmemory_map_resource(memory, domid, XENMEM_resource_ioreq_server, s->id, 0, 2,
                                        &pages, PROT_READ | PROT_WRITE, 0));
    s->requests = (void *)((char *)pages + PAGE);
    CHECK(!xendevicemodel_set_ioreq_server_state(dm, domid, s->id, 1));
    for (unsigned v = 0; v < VCPUS; v++) {
        s->port[v] = xenevtchn_bind_interdomain(evtchn, domid, s->requests[v].vp_eport);
        CHECK(s->port[v] > 0);
    }
}

static int ports(const struct server *s, uint64_t first, uint64_t last)
{
    return xendevicemodel_map_io_range_to_ioreq_server(dm, domid, s->id, 0, first, last);
}

/* Answers reads with 0x11, 0x22 … by server, until `stop` is said; how many requests there were. */
static uint32_t serve(struct server *server, const char *stop)
{
    uint32_t served = 0, value;
    while (!heard(stop, &value)) {
        struct pollfd p = {.fd = xenevtchn_fd(evtchn), .events = POLLIN};
        if (poll(&p, 1, 5) <= 0)
            continue;
        int port = xenevtchn_pending(evtchn);
        CHECK(port > 0 && !xenevtchn_unmask(evtchn, (evtchn_port_t)port));
        for (unsigned n = 0; n < SERVERS * VCPUS; n++) {
            struct server *s = &server[n / VCPUS];
            struct ioreq *req = &s->requests[n % VCPUS];
            uint8_t *state = (uint8_t *)req + 30, now = __atomic_load_n(state, __ATOMIC_ACQUIRE);
            if (s->port[n % VCPUS] != port || (now & 15) != STATE_IOREQ_READY)
                continue;
            served++;
            req->data = 0x1111111111111111 * (n / VCPUS + 1);
            __atomic_store_n(state, (uint8_t)((now & ~15) | STATE_IORESP_READY), __ATOMIC_RELEASE);
            CHECK(!xenevtchn_notify(evtchn, (evtchn_port_t)port));
        }
    }
    return served;
}

static void servers(void)
{
    struct server s[SERVERS];
    open_server(&s[0]);
    open_server(&s[1]);
    CHECK(s[0].id != s[1].id);
    CHECK(!ports(&s[0], 0x100, 0x10F));
    CHECK(!ports(&s[1], 0x200, 0x20F));
    CHECK(!ports(&s[1], 0x104, 0x105)); /* Xen checks overlap within a server only */
    CHECK(!xendevicemodel_map_io_range_to_ioreq_server(dm, domid, s[1].id, 1, 0xFEB00000,
                                                       0xFEB00FFF));
    CHECK(!xendevicemodel_map_pcidev_to_ioreq_server(dm, domid, s[0].id, 0, 0, 3, 0));
    say("ready", 1);
    uint32_t served = serve(s, "second-ends");
    CHECK(!xendevicemodel_destroy_ioreq_server(dm, domid, s[1].id));
    FAILS(ENOENT, ports(&s[1], 0x300, 0x300) == -1);
    say("second-ended", 1);
    say("served", served + serve(s, "end"));
}

static void ranges(void)
{
    struct server s;
    open_server(&s);
    CHECK(!ports(&s, 0x100, 0x10F));
    FAILS(EEXIST, ports(&s, 0x10F, 0x110) == -1);
    FAILS(EINVAL, ports(&s, 0x200, 0x1FF) == -1);
    CHECK(!ports(&s, 0x110, 0x11F)); /* joins the one before */
    CHECK(!xendevicemodel_unmap_io_range_from_ioreq_server(dm, domid, s.id, 0, 0x108, 0x117));
    FAILS(ENOENT,
          xendevicemodel_unmap_io_range_from_ioreq_server(dm, domid, s.id, 0, 0x107, 0x108) == -1);
    for (uint64_t i = 2; i < 256; i++) /* of which there are two already */
        CHECK(!ports(&s, 0x1000 + 2 * i, 0x1000 + 2 * i));
    FAILS(ENOMEM, ports(&s, 0x2000, 0x2000) == -1);
    CHECK(!ports(&s, 0x1005, 0x1005)); /* joins two */
    CHECK(!ports(&s, 0x2000, 0x2000));
    FAILS(EINVAL, xendevicemodel_map_pcidev_to_ioreq_server(dm, domid, s.id, 0, 0, 32, 0) == -1);
    CHECK(!xendevicemodel_map_pcidev_to_ioreq_server(dm, domid, s.id, 0, 0, 31, 7));
    FAILS(EEXIST, xendevicemodel_map_pcidev_to_ioreq_server(dm, domid, s.id, 0, 0, 31, 7) == -1);
    CHECK(!xendevicemodel_unmap_pcidev_from_ioreq_server(dm, domid, s.id, 0, 0, 31, 7));
    FAILS(ESRCH, xendevicemodel_create_ioreq_server(dm, domid + 1, 0, &s.id) == -1);
}

/* --- interrupts --- */

static void interrupts(void)
{
    CHECK(!xendevicemodel_set_isa_irq_level(dm, domid, 14, 1));
    CHECK(!xendevicemodel_set_isa_irq_level(dm, domid, 3, 1));
    CHECK(!xendevicemodel_set_isa_irq_level(dm, domid, 3, 0));
    FAILS(EINVAL, xendevicemodel_set_isa_irq_level(dm, domid, 16, 1) == -1);
    CHECK(!xendevicemodel_set_pci_intx_level(dm, domid, 0, 0, 5, 1, 1));
    FAILS(EINVAL, xendevicemodel_set_pci_intx_level(dm, domid, 0, 1, 5, 1, 1) == -1);
    CHECK(!xendevicemodel_set_pci_link_route(dm, domid, 2, 11));
    FAILS(EINVAL, xendevicemodel_set_pci_link_route(dm, domid, 4, 11) == -1);
    for (uint32_t i = 0; i < 70; i++) /* more than are kept */
        CHECK(!xendevicemodel_inject_msi(dm, domid, 0xFEE00000 + (i << 12), 0x4000 + i));
}

/* --- memory --- */

static uint8_t *map(uint64_t gfn, size_t count, int *err)
{
    xen_pfn_t gfns[8];
    for (size_t i = 0; i < count; i++)
        gfns[i] = gfn + i;
    return xenforeignmemory_map(memory, domid, PROT_READ | PROT_WRITE, count, gfns, err);
}

static void populate(uint64_t gfn, unsigned count)
{
    xencall_handle *call = xencall_open(NULL, 0);
    CHECK(call);
    struct xen_memory_reservation *r = xencall_alloc_buffer(call, sizeof(*r));
    xen_pfn_t *gfns = xencall_alloc_buffer(call, count * sizeof(*gfns));
    CHECK(r && gfns);
    for (unsigned i = 0; i < count; i++)
        gfns[i] = gfn + i;
    *r = (struct xen_memory_reservation){.nr_extents = count, .domid = domid};
    set_xen_guest_handle_raw(r->extent_start, gfns);
    CHECK(xencall2L(call, __HYPERVISOR_memory_op, XENMEM_populate_physmap, (uintptr_t)r) ==
          (long)count);
    CHECK(!xencall2L(call, __HYPERVISOR_memory_op, XENMEM_populate_physmap, (uintptr_t)r));
    xencall_free_buffer(call, gfns);
    xencall_free_buffer(call, r);
    xencall_close(call);
}

static void pages(void)
{
    const uint64_t first = 0x100000, moved = 0xE0000; /* 4 GiB; below it */
    int err[8] = {0};
    FAILS(ENOENT, !map(first, 1, NULL));
    populate(first, 4);
    uint8_t *p = map(first, 4, NULL);
    CHECK(p);
    p[0] = 0xA5;
    p[3 * PAGE] = 0x5A;
    say("populated", 1);
    await("looked");
    CHECK(p[2 * PAGE] == 0x77); /* what the guest wrote */
    CHECK(!xendevicemodel_relocate_memory(dm, domid, 4, first, moved));
    p[PAGE] = 0x33; /* the mapping is of pages, not of addresses */
    FAILS(EINVAL, xendevicemodel_relocate_memory(dm, domid, 1, first, moved + 8) == -1);
    CHECK(map(first - 1, 3, err) && err[0] == -ENOENT && err[1] == -ENOENT && err[2] == -ENOENT);
    CHECK(map(moved + 2, 4, err) && !err[0] && !err[1] && err[2] == -ENOENT);
    CHECK(!xendevicemodel_pin_memory_cacheattr(dm, domid, moved, moved + 3, 0));
    FAILS(ESRCH, !xenforeignmemory_map(memory, domid + 1U, PROT_READ, 1, &(xen_pfn_t){1}, NULL));
    say("moved", 1);
}

static void dirty(void)
{
    const uint64_t first = 0x100;
    unsigned long bits[2] = {0};
    CHECK(!xendevicemodel_track_dirty_vram(dm, domid, first, 70, bits));
    CHECK(bits[0] == ~0ul && bits[1] == 63); /* at first, all of it */
    CHECK(!xendevicemodel_track_dirty_vram(dm, domid, first, 70, bits));
    CHECK(!bits[0] && !bits[1]);
    say("tracked", 1);
    await("written"); /* pages 3 and 69, and one outside */
    CHECK(!xendevicemodel_track_dirty_vram(dm, domid, first, 70, bits));
    CHECK(bits[0] == 8 && bits[1] == 32);
    CHECK(!xendevicemodel_track_dirty_vram(dm, domid, first, 70, bits));
    CHECK(!bits[0] && !bits[1]);
    CHECK(!xendevicemodel_track_dirty_vram(dm, domid, first, 0, NULL));
    say("untracked", 1);
    await("logged");
    FAILS(EINVAL, xendevicemodel_track_dirty_vram(dm, domid, first, 70, bits) == -1);
    CHECK(!xendevicemodel_modified_memory(dm, domid, first + 8, 3));
    CHECK(!xendevicemodel_modified_memory(dm, domid, 0xF0000, 1)); /* no page: nothing */
}

/* --- PV: grants, channels --- */

static int copy1(uint32_t ref, uint16_t offset, uint16_t len, void *local, bool to_guest)
{
    xengnttab_grant_copy_segment_t seg = {.len = len};
    union xengnttab_copy_ptr here = {.virt = local},
                             there = {.foreign = {.ref = ref, .offset = offset, .domid = domid}};
    seg.flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
    seg.source = to_guest ? here : there;
    seg.dest = to_guest ? there : here;
    return xengnttab_grant_copy(gnttab, 1, &seg) ? -errno : seg.status;
}

static void grants(void)
{
    uint32_t refs[3] = {await("writable"), await("read-only"), await("last")};
    uint8_t buf[PAGE];
    CHECK(!xengnttab_set_max_grants(gnttab, 32));
    uint8_t *p = xengnttab_map_grant_ref(gnttab, domid, refs[0], PROT_READ | PROT_WRITE);
    CHECK(p && p[0] == 0x10);
    p[1] = 0x99;
    CHECK(!xengnttab_map_grant_ref(gnttab, domid, refs[1], PROT_READ | PROT_WRITE));
    CHECK(!xengnttab_map_grant_ref(gnttab, domid, 8000, PROT_READ));
    CHECK(!xengnttab_map_grant_ref(gnttab, domid + 1U, refs[1], PROT_READ));
    /* One that cannot be had, and none is. */
    CHECK(!xengnttab_map_domain_grant_refs(gnttab, 3, domid, refs, PROT_READ | PROT_WRITE));
    uint8_t *all = xengnttab_map_domain_grant_refs(gnttab, 3, domid, refs, PROT_READ);
    CHECK(all && all[1] == 0x99 && all[PAGE] == 0x20 && all[2 * PAGE] == 0x30);
    say("mapped", 1);
    await("not-revoked");
    FAILS(EINVAL, xengnttab_unmap(gnttab, all, 2) == -1);
    FAILS(EINVAL, xengnttab_unmap(gnttab, all + PAGE, 1) == -1);
    CHECK(!xengnttab_unmap(gnttab, all, 3));
    CHECK(!xengnttab_unmap(gnttab, p, 1));

    memset(buf, 0x42, sizeof(buf));
    CHECK(copy1(refs[0], 100, 3996, buf, true) == GNTST_okay);
    CHECK(copy1(refs[1], 0, 4, buf, false) == GNTST_okay && buf[0] == 0x20);
    CHECK(copy1(refs[1], 0, 4, buf, true) == GNTST_permission_denied);
    CHECK(copy1(7000, 0, 4, buf, false) == GNTST_bad_gntref);
    CHECK(copy1(refs[0], 4090, 7, buf, false) == -EINVAL); /* across a page */
    xengnttab_grant_copy_segment_t seg = {
        .source.foreign = {.ref = refs[0], .offset = 96, .domid = domid},
        .dest.foreign = {.ref = refs[2], .offset = 0, .domid = domid},
        .len = 8,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    CHECK(!xengnttab_grant_copy(gnttab, 1, &seg) && seg.status == GNTST_okay);
    seg.flags = 0;
    FAILS(EINVAL, xengnttab_grant_copy(gnttab, 1, &seg) == -1);
    say("copied", 1);
    await("revoked");
    CHECK(!xengnttab_map_grant_ref(gnttab, domid, refs[0], PROT_READ));
    CHECK(copy1(refs[0], 0, 4, buf, false) == GNTST_bad_gntref);
    CHECK(xengnttab_map_grant_ref(gnttab, domid, refs[2], PROT_READ | PROT_WRITE));
    /* This one is left to the end of the process. */
}

static void channels(void)
{
    uint32_t remote = await("channel");
    FAILS(EINVAL, xenevtchn_bind_interdomain(evtchn, domid, 400) == -1);
    FAILS(ESRCH, xenevtchn_bind_interdomain(evtchn, domid + 1U, remote) == -1);
    int port = xenevtchn_bind_interdomain(evtchn, domid, remote);
    CHECK(port > 0);
    FAILS(EINVAL, xenevtchn_bind_interdomain(evtchn, domid, remote) == -1);
    CHECK(xenevtchn_pending(evtchn) == port); /* binding fires once */
    say("bound", 1);
    await("sent"); /* while masked: kept, not told */
    struct pollfd p = {.fd = xenevtchn_fd(evtchn), .events = POLLIN};
    CHECK(!poll(&p, 1, 0));
    CHECK(!xenevtchn_unmask(evtchn, (evtchn_port_t)port));
    CHECK(xenevtchn_pending(evtchn) == port && !poll(&p, 1, 0));
    CHECK(!xenevtchn_unmask(evtchn, (evtchn_port_t)port) && !poll(&p, 1, 0));
    CHECK(!xenevtchn_notify(evtchn, (evtchn_port_t)port));
    await("got");
    CHECK(!xenevtchn_unbind(evtchn, (evtchn_port_t)port));
    FAILS(ENOTCONN, xenevtchn_notify(evtchn, (evtchn_port_t)port) == -1);
    say("unbound", 1);
}

/* --- xenstore --- */

static bool put(struct xs_handle *h, xs_transaction_t t, const char *name, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), BASE "t/%s", name);
    return xs_write(h, t, path, value, (unsigned)strlen(value));
}

static bool has(struct xs_handle *h, xs_transaction_t t, const char *name, const char *value)
{
    char path[64];
    unsigned len;
    snprintf(path, sizeof(path), BASE "t/%s", name);
    char *text = xs_read(h, t, path, &len);
    bool ok = value ? text && !strcmp(text, value) : !text && errno == ENOENT;
    free(text);
    return ok;
}

static void store(void)
{
    struct xs_handle *other = xs_open(0);
    CHECK(other && put(xs, XBT_NULL, "a", "1"));
    CHECK(xs_watch(other, BASE "t", "token"));
    unsigned n;
    char **event = xs_read_watch(other, &n); /* a new watch fires */
    CHECK(event && !strcmp(event[XS_WATCH_TOKEN], "token"));
    free(event);

    /* Nobody sees what is not committed; then all of it at once. */
    xs_transaction_t t = xs_transaction_start(xs), u;
    CHECK(t && put(xs, t, "a", "2") && put(xs, t, "b", "3"));
    CHECK(has(xs, t, "a", "2") && has(other, XBT_NULL, "a", "1") &&
          has(other, XBT_NULL, "b", NULL));
    CHECK(!xs_check_watch(other));
    CHECK(xs_transaction_end(xs, t, false));
    CHECK(has(other, XBT_NULL, "a", "2") && has(other, XBT_NULL, "b", "3"));
    for (unsigned i = 0; i < 2; i++) { /* one for each */
        event = xs_read_watch(other, &n);
        CHECK(event && !strncmp(event[XS_WATCH_PATH], BASE "t/", sizeof(BASE "t/") - 1));
        free(event);
    }

    /* An abort leaves nothing. */
    CHECK((t = xs_transaction_start(xs)) && put(xs, t, "c", "4"));
    CHECK(xs_rm(xs, t, BASE "t/a") && has(xs, t, "a", NULL));
    CHECK(xs_transaction_end(xs, t, true));
    CHECK(has(xs, XBT_NULL, "c", NULL) && has(xs, XBT_NULL, "a", "2"));

    /* Of two that collide the second is told to repeat; several may be open at once. */
    CHECK((t = xs_transaction_start(xs)) && (u = xs_transaction_start(xs)) && t != u);
    CHECK(has(xs, t, "a", "2") && put(xs, t, "a", "5") && put(xs, u, "a", "6"));
    CHECK(xs_transaction_end(xs, u, false));
    FAILS(EAGAIN, !xs_transaction_end(xs, t, false));
    CHECK(has(xs, XBT_NULL, "a", "6"));
    FAILS(ENOENT, !put(xs, t, "a", "7"));
    xs_transaction_t many[10];
    for (unsigned i = 0; i < 10; i++)
        CHECK((many[i] = xs_transaction_start(xs)));
    FAILS(ENOSPC, !xs_transaction_start(xs));
    for (unsigned i = 0; i < 10; i++)
        CHECK(xs_transaction_end(xs, many[i], true));

    char **names = xs_directory(xs, XBT_NULL, BASE "t", &n);
    CHECK(names && n == 2 && !strcmp(names[0], "a") && !strcmp(names[1], "b"));
    free(names);
    while ((event = xs_check_watch(other)))
        free(event);
    CHECK(xs_unwatch(other, BASE "t", "token") && put(xs, XBT_NULL, "a", "8"));
    CHECK(!xs_check_watch(other));
    xs_close(other);
}

/* --- after the last rights are given up --- */

static void restricted(void)
{
    struct server s;
    uint32_t ref = await("writable"), remote = await("channel");
    xencall_handle *call = xencall_open(NULL, 0);
    open_server(&s);
    CHECK(!xentoolcore_restrict_all(domid));
    CHECK(!xendevicemodel_set_isa_irq_level(dm, domid, 5, 1));
    FAILS(EPERM, xendevicemodel_set_isa_irq_level(dm, domid + 1, 5, 1) == -1);
    CHECK(!ports(&s, 0x100, 0x10F));
    CHECK(map(0x100, 1, NULL));
    FAILS(ESRCH, !xenforeignmemory_map(memory, domid + 1U, PROT_READ, 1, &(xen_pfn_t){1}, NULL));
    CHECK(xenevtchn_bind_interdomain(evtchn, domid, remote) > 0);
    FAILS(EPERM, xenevtchn_bind_interdomain(evtchn, domid + 1U, remote) == -1);
    CHECK(!xengnttab_map_grant_ref(gnttab, domid, ref, PROT_READ));
    CHECK(xencall2L(call, __HYPERVISOR_memory_op, XENMEM_populate_physmap, 0) == -1);
    CHECK(!xs_write(xs, XBT_NULL, BASE "late", "1", 1));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } acts[] = {{"servers", servers},   {"ranges", ranges}, {"interrupts", interrupts},
                {"pages", pages},       {"dirty", dirty},   {"grants", grants},
                {"channels", channels}, {"store", store},   {"restricted", restricted}};
    const char *id = getenv("XEN_DOMAIN_ID");
    CHECK(argc == 2 && id);
    domid = (domid_t)atoi(id);
    dm = xendevicemodel_open(NULL, 0);
    memory = xenforeignmemory_open(NULL, 0);
    evtchn = xenevtchn_open(NULL, 0);
    gnttab = xengnttab_open(NULL, 0);
    xs = xs_open(0);
    CHECK(dm && memory && evtchn && gnttab && xs);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (!strcmp(acts[i].name, argv[1])) {
            acts[i].run();
            return 0;
        }
    CHECK(!"there is such an act");
}
