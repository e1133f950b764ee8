/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_xen: the hypervisor of hw/xen on a Xen of a few lines: handles, requests, events,
 * interrupts. */
#include "tests/unit/xen_rig.h"

/* The eventfd is readable while an unmasked port is pending. */
static void update_fd(void)
{
    uint64_t n = 1;
    (void)!read(xen.evtchn_fd, &n, sizeof(n));
    n = 1;
    for (unsigned p = 0; p < 512; p++)
        if (xen.pending[p] && !xen.masked[p]) {
            assert_int_equal(write(xen.evtchn_fd, &n, sizeof(n)), sizeof(n));
            return;
        }
}
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
    (void)h;
    for (unsigned p = 0; p < 512; p++)
        if (xen.pending[p] && !xen.masked[p]) {
            xen.pending[p] = false;
            xen.masked[p] = true;
            update_fd();
            return (int)p;
        }
    fail_msg("would block");
    return -1;
}
int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    assert_true(xen.masked[port]);
    xen.masked[port] = false;
    xen.unmasks++;
    update_fd();
    return 0;
}
static unsigned port_of(uint32_t remote)
{
    for (unsigned p = 0; p < 512; p++)
        if (xen.remote[p] == remote)
            return p;
    fail_msg("port %u is not bound", remote);
    return 0;
}
static void send_event(uint32_t remote)
{
    xen.pending[port_of(remote)] = true;
    update_fd();
}

static struct ioreq *slot(unsigned vcpu)
{
    return &((struct shared_iopage *)(void *)(xen.shared + XEN_PAGE))->vcpu_ioreq[vcpu];
}

static void make_request(unsigned vcpu, uint32_t dir, uint64_t data)
{
    struct ioreq *p = slot(vcpu);
    p->addr = 0x103;
    p->size = 1;
    p->count = 1;
    p->dir = dir & 1;
    p->data = data;
    p->data_is_ptr = 0;
    p->type = IOREQ_TYPE_PIO;
    p->state = STATE_IOREQ_READY;
}

static void request(unsigned vcpu, uint32_t dir, uint64_t data)
{
    make_request(vcpu, dir, data);
    send_event(REMOTE(vcpu));
}

static bool nothing_left(void)
{
    for (unsigned p = 0; p < 512; p++)
        if (xen.masked[p] || xen.pending[p])
            return false;
    return true;
}

/* Until the buffered ring was found empty, after its delay. */
static void settle(struct fixture *f)
{
    while (f->hv->posted_later || f->hv->work.queued)
        loop_turn(f->loop, CLOCK_NEVER);
}

/* --- tests --- */

static void test_open_and_close(void **state)
{
    struct fixture *f = *state;
    assert_true(xen.server);
    assert_false(xen.enabled);
    assert_int_equal(f->hv->rings.vcpus, VCPUS);
    for (unsigned v = 0; v < VCPUS; v++)
        port_of(REMOTE(v));
    port_of(BUFFERED);
    assert_ptr_equal(f->hv->rings.buffered, xen.shared);
    assert_ptr_equal(f->hv->rings.sync, xen.shared + XEN_PAGE);
}

static void test_older_kernel(void **state)
{
    struct fixture *f = *state;
    xen.resources = false;
    xen.vcpus = 0; /* and an older Xen */
    start(f);
    assert_int_equal(f->hv->rings.vcpus, VCPUS);
    assert_int_equal(xen.maps, 2);
    assert_true(xen_run(f->hv, true, &err));
    request(0, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(slot(0)->data, 0x43);
}

/* Every step of opening fails once: one line, and nothing is left behind (teardown looks). */
static void test_open_failures(void **state)
{
    struct fixture *f = *state;
    unsigned n = 1;
    for (unsigned old = 0; old < 2; old++) {
        xen.resources = !old;
        for (n = 1;; n++) {
            xen.fail = (int)n;
            err.text[0] = 0;
            struct hypervisor *hv = xen_open(&config, f->loop, &err);
            if (hv) {
                xen_close(hv);
                break;
            }
            assert_true(strlen(err.text) > 10);
            assert_int_equal(xen.open_handles, 0);
            assert_int_equal(xen.maps, 0);
            assert_false(xen.server);
        }
        xen.fail = 0;
        assert_true(n > 10);
    }
    struct hv_config bad = config;
    bad.domid = 0x7FF0;
    assert_null(xen_open(&bad, f->loop, &err));
    xen.vcpus = 129;
    assert_null(xen_open(&config, f->loop, &err));
    assert_non_null(strstr(err.text, "129"));
}

static void test_requests(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    assert_true(xen.enabled);
    request(1, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    assert_int_equal(slot(1)->data, 0x43);
    assert_int_equal(xen.notified[port_of(REMOTE(1))], 1);
    /* All vCPUs at once, and posted writes. */
    for (unsigned v = 0; v < VCPUS; v++)
        request(v, IOREQ_WRITE, v);
    post_write(0x77);
    send_event(BUFFERED);
    for (unsigned i = 0; i < 2 * VCPUS + 2; i++)
        loop_turn(f->loop, 0);
    assert_int_equal(f->writes, VCPUS + 1);
    settle(f);
    assert_true(nothing_left());
    assert_int_equal(f->writes, VCPUS + 1);
    /* TIMEOFFSET goes to whom it was attached. */
    make_request(0, IOREQ_WRITE, (uint64_t)-60);
    slot(0)->type = IOREQ_TYPE_TIMEOFFSET;
    send_event(REMOTE(0));
    loop_turn(f->loop, 0);
    assert_int_equal(f->offset, -60);
}

/* A request that the spin finds before its event: the late event is harmless. */
static void test_found_before_event(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    make_request(2, IOREQ_READ, 0);
    loop_turn(f->loop, 1);
    assert_int_equal(slot(2)->state, STATE_IORESP_READY);
    assert_int_equal(f->reads, 1);
    send_event(REMOTE(2));
    for (unsigned i = 0; i < 3; i++)
        loop_turn(f->loop, 1);
    assert_int_equal(f->reads, 1);
    assert_int_equal(xen.notified[port_of(REMOTE(2))], 1);
    assert_true(nothing_left());
}

static void again(void *opaque)
{
    struct fixture *f = opaque;
    if (f->busy)
        loop_defer(f->loop, &f->other);
}

/* While a guest keeps us at work its port stays masked, and the loop's other work gets its turns;
 * a loop that never comes to rest serves all vCPUs nevertheless. */
static void test_masked_while_busy(void **state)
{
    struct fixture *f = *state;
    f->busy = true;
    deferred_init(&f->other, again, f);
    loop_defer(f->loop, &f->other);
    assert_true(xen_run(f->hv, true, &err));
    request(0, IOREQ_READ, 0);
    loop_turn(f->loop, 0);
    unsigned unmasks = xen.unmasks;
    for (unsigned i = 0; i < 50; i++) {
        request(0, IOREQ_READ, 0);
        request(1, IOREQ_READ, 0);
        loop_turn(f->loop, CLOCK_NEVER); /* does not sleep: `again` is always due */
        loop_turn(f->loop, CLOCK_NEVER);
        assert_int_equal(slot(0)->state, STATE_IORESP_READY);
        assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    }
    assert_int_equal(f->reads, 101);
    assert_true(xen.unmasks - unmasks <= 100);
    f->busy = false;
    for (unsigned i = 0; i < 4 + SPIN_WINDOW_NS / SPIN_SLICE_NS; i++) /* a last spin in vain */
        loop_turn(f->loop, 0);
    assert_true(nothing_left());
}

/* vCPUs that ask again at once do not starve the others. */
static void test_fair_to_all_vcpus(void **state)
{
    struct fixture *f = *state;
    f->hv->rings.vcpus = 16;
    f->hv->running = true;
    unsigned served[16] = {0};
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned v = 0; v < 16; v++)
            if (slot(v)->state != STATE_IOREQ_READY) {
                served[v] += i > 0;
                make_request(v, IOREQ_READ, 0);
            }
        assert_int_equal(serve_all(f->hv, POLL_REQUESTS), POLL_REQUESTS);
    }
    for (unsigned v = 0; v < 16; v++)
        assert_in_range(served[v], 64 * POLL_REQUESTS / 16 - 2, 64 * POLL_REQUESTS / 16 + 1);
    f->hv->running = false;
    f->hv->rings.vcpus = VCPUS;
}

/* However fast it posts: once a ring full per look, and no look without a pause. */
static void test_flood_leaves_room_for_others(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 0);
    for (unsigned i = 0; i < IOREQ_BUFFER_SLOT_NUM; i++)
        post_write(i);
    send_event(BUFFERED);
    f->flood = true; /* each write makes the guest post another */
    for (unsigned i = 1; i <= 3; i++) {
        loop_turn(f->loop, CLOCK_NEVER); /* the event, then the delay */
        assert_int_equal(f->writes, i * IOREQ_BUFFER_SLOT_NUM);
        assert_true(f->hv->posted_later);
        assert_false(f->hv->work.queued);
    }
    /* A request has them served first (here the delay never ends by itself meanwhile). */
    const struct itimerspec never = {0};
    timerfd_settime(f->hv->posted_timer, 0, &never, NULL);
    request(0, IOREQ_WRITE, 0x99);
    loop_turn(f->loop, 0);
    assert_int_equal(f->writes, 4 * IOREQ_BUFFER_SLOT_NUM + 1);
    assert_int_equal(f->last_write, 0x99);
    f->flood = false;
    look_later(f->hv);
    settle(f);
    assert_true(nothing_left());
}

/* Writes that come one by one cost no event each: the port stays masked for a while. */
static void test_posted_writes_are_gathered(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 0);
    unsigned unmasks = xen.unmasks;
    for (unsigned i = 1; i <= 100; i++) {
        post_write(i);
        send_event(BUFFERED);
        if (i == 1)
            loop_turn(f->loop, 0);
    }
    assert_int_equal(f->writes, 1);
    loop_turn(f->loop, CLOCK_NEVER);
    assert_int_equal(f->writes, 100);
    assert_int_equal(f->last_write, 100);
    assert_int_equal(xen.unmasks, unmasks); /* there was something: again later */
    settle(f);
    assert_int_equal(f->writes, 100);
    settle(f); /* the event that was pending, and the look after it */
    loop_turn(f->loop, 0);
    settle(f);
    assert_true(nothing_left());
    /* Then nothing runs any more. */
    struct itimerspec left;
    assert_int_equal(timerfd_gettime(f->hv->posted_timer, &left), 0);
    assert_int_equal(left.it_value.tv_nsec, 0);
    /* Stopped while waiting: the rest is served at once, the port is not forgotten. */
    post_write(7);
    send_event(BUFFERED);
    loop_turn(f->loop, 0);
    assert_true(f->hv->posted_later);
    post_write(8);
    assert_true(xen_run(f->hv, false, &err));
    assert_int_equal(f->last_write, 8);
    settle(f);
    assert_true(nothing_left());
}

static void test_stop_drains(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_run(f->hv, true, &err));
    assert_true(xen_run(f->hv, true, &err)); /* idempotent */
    post_write(5);
    post_write(6);
    make_request(1, IOREQ_WRITE, 9);
    assert_true(xen_run(f->hv, false, &err));
    assert_false(xen.enabled);
    assert_int_equal(f->writes, 3);
    assert_int_equal(f->last_write, 9);
    assert_int_equal(slot(1)->state, STATE_IORESP_READY);
    assert_true(xen_run(f->hv, false, &err));
    /* Stopped: devices are left alone, and nothing spins or stays masked. */
    request(0, IOREQ_WRITE, 1);
    loop_turn(f->loop, 0);
    loop_turn(f->loop, 1);
    assert_int_equal(f->writes, 3);
    assert_true(nothing_left());
    /* Running again it is served, though its event is gone. */
    assert_true(xen_run(f->hv, true, &err));
    loop_turn(f->loop, 1);
    assert_int_equal(f->writes, 4);
    xen.fail = 1;
    assert_false(xen_run(f->hv, false, &err));
    assert_true(xen_run(f->hv, false, &err));
}

static void test_ranges(void **state)
{
    struct fixture *f = *state;
    assert_true(xen_claim_ports(f->hv, 0x1F0, 0x1F7, true, &err));
    assert_string_equal(xen.last_range, "+port 1f0-1f7");
    assert_true(xen_claim_ports(f->hv, 0x1F0, 0x1F7, false, &err));
    assert_string_equal(xen.last_range, "-port 1f0-1f7");
    assert_true(xen_claim_memory(f->hv, 0xA0000, 0xBFFFF, true, &err));
    assert_string_equal(xen.last_range, "+mem a0000-bffff");
    assert_true(xen_claim_pci(f->hv, 0x0B, true, &err)); /* 00:01.3 */
    assert_string_equal(xen.last_range, "+pci 0-13");
    assert_true(xen_claim_pci(f->hv, 0x0B, false, &err));
    xen.refuse_ranges = true;
    assert_false(xen_claim_ports(f->hv, 1, 2, true, &err));
    assert_non_null(strstr(err.text, "ports 0x1-0x2"));
    assert_false(xen_claim_memory(f->hv, 1, 2, true, &err));
    assert_false(xen_claim_pci(f->hv, 8, true, &err));
    assert_non_null(strstr(err.text, "01.0"));
}

static void test_interrupts_and_power(void **state)
{
    struct fixture *f = *state;
    xen_isa_irq(f->hv, 14, true);
    assert_int_equal(xen.isa, 14 << 4 | 1);
    xen_pci_intx(f->hv, 5, 2, true);
    assert_int_equal(xen.intx, 5 << 8 | 2 << 4 | 1);
    xen_pci_link_route(f->hv, 3, 11);
    assert_int_equal(xen.link, 3 << 8 | 11);
    xen_msi(f->hv, 0xFEE00000, 0x41);
    assert_int_equal(xen.msi, 0xFEE00041);
    xen.fail = 1;
    xen_msi(f->hv, 0, 0);
    xen.fail = 1;
    xen_isa_irq(f->hv, 1, true); /* said once, and goes on */
    assert_true(f->hv->irq_failed);
    xen_shutdown(f->hv, HV_SHUTDOWN_POWEROFF);
    assert_int_equal(xen.shutdown_reason, 0);
    xen_shutdown(f->hv, HV_SHUTDOWN_REBOOT);
    assert_int_equal(xen.shutdown_reason, 1);
    xen_shutdown(f->hv, HV_SHUTDOWN_CRASH);
    assert_int_equal(xen.shutdown_reason, 3);
    assert_false(xen_sleep_s3(f->hv, &err)); /* without a companion */
    assert_false(xen_press_power(f->hv, &err));
    struct hv_paging paging;
    assert_false(xen_get_paging(f->hv, &paging, &err));
    f->hv->config.companion = (void *)&xen;
    assert_true(xen_sleep_s3(f->hv, &err));
    assert_int_equal(xen.sleeps, 1);
    assert_true(xen_press_power(f->hv, &err));
    assert_true(xen_get_paging(f->hv, &paging, &err));
    assert_int_equal(paging.cr3, 0x1000);
    xen.fail = 1;
    assert_false(xen_sleep_s3(f->hv, &err));
    xen.fail = 1;
    assert_false(xen_press_power(f->hv, &err));
}

static void test_memory(void **state)
{
    struct fixture *f = *state;
    size_t len = 100;
    uint8_t *p = xen_mem_map(f->hv, 0x5010, &len);
    assert_non_null(p);
    assert_int_equal(len, 100);
    p[0] = 0x5A;
    xen_mem_unmap(f->hv, p, len);
    xen_mem_dirty(f->hv, 0x5010, 100);
    assert_int_equal(xen.dirtied, 0);
    xen_log_dirty(f->hv, true);
    xen_mem_dirty(f->hv, 0x5FFF, 2);
    assert_int_equal(xen.dirtied, 5 << 8 | 2);
    xen.dirtied = 0;
    xen_mem_dirty(f->hv, 0x5FFF, 0);
    assert_int_equal(xen.dirtied, 0);
    len = 1;
    assert_null(xen_mem_map(f->hv, 0x80000000, &len));
    /* The guest gives a page away; Xen tells. */
    take_page(5);
    assert_true(xen_run(f->hv, true, &err));
    *slot(0) = (struct ioreq){
        .type = IOREQ_TYPE_INVALIDATE, .size = 4, .data = ~0ull, .state = STATE_IOREQ_READY};
    send_event(REMOTE(0));
    loop_turn(f->loop, 0);
    assert_int_equal(slot(0)->state, STATE_IORESP_READY);
    len = 1;
    assert_null(xen_mem_map(f->hv, 0x5010, &len));
}

static void test_restrict(void **state)
{
    struct fixture *f = *state;
    xen.fail = 1;
    assert_false(xen_restrict(f->hv, &err));
    assert_true(xen_restrict(f->hv, &err));
    assert_true(xen.restricted);
    assert_true(xen_run(f->hv, true, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_open_and_close, setup_open),
        T(test_older_kernel, setup),
        T(test_open_failures, setup),
        T(test_requests, setup_open),
        T(test_found_before_event, setup_open),
        T(test_masked_while_busy, setup_open),
        T(test_fair_to_all_vcpus, setup_open),
        T(test_flood_leaves_room_for_others, setup_open),
        T(test_posted_writes_are_gathered, setup_open),
        T(test_stop_drains, setup_open),
        T(test_ranges, setup_open),
        T(test_interrupts_and_power, setup_open),
        T(test_memory, setup_open),
        T(test_restrict, setup_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
