/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_standin: the stand-in itself: what its libraries do for a device model (standin_dm.c, under
 * them), seen from the guest's side. The rest of our claims rests on this being what Xen does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

#include "dm.h"
#include "front.h"

#define WAIT_MS 20000

static struct xenstub *x;
static struct stub_shm *s;

static int setup(void **state)
{
    const struct xenstub_config config = {.domid = 7, .vcpus = 2, .ram_bytes = UINT64_C(8) << 20};
    (void)state;
    x = xenstub_new(&config);
    s = x ? xenstub_shm(x) : NULL;
    return x ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    xenstub_free(x);
    return 0;
}

static void begin(const char *act)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 16);
    path[n > 0 ? n : 0] = 0;
    strcpy(strrchr(path, '/') + 1, "standin-dm");
    const char *argv[] = {path, act, NULL};
    assert_true(xenstub_start(x, argv));
}

static void finish(void)
{
    int status = xenstub_end(x, 0, WAIT_MS);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        dm_show_log(x);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define BASE "/local/domain/0/standin/"

static void say(const char *name, uint32_t value)
{
    char path[64], text[16];
    snprintf(path, sizeof(path), BASE "%s", name);
    snprintf(text, sizeof(text), "%u", value);
    xenstub_xs_write(x, path, text);
}

static void await(const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), BASE "%s", name);
    if (xenstub_xs_wait(x, path, NULL, WAIT_MS))
        return;
    dm_show_log(x);
    fail_msg("%s is never said", name);
}

static void requests_go_to_the_server_that_claimed_them(void **state)
{
    (void)state;
    begin("servers");
    await("ready");
    assert_int_equal(vcpu_in(x, 0, 0x100, 4), 0x11111111);
    assert_int_equal(vcpu_in(x, 1, 0x10F, 1), 0x11);
    assert_int_equal(vcpu_in(x, 1, 0x20C, 4), 0x22222222);
    assert_int_equal(vcpu_in(x, 0, 0x104, 2), 0x2222); /* both claim it: Xen takes the newer */
    assert_int_equal(vcpu_in(x, 0, 0x106, 2), 0x1111);
    assert_true(vcpu_read(x, 0, 0xFEB00FF8, 8) == 0x2222222222222222);
    assert_int_equal(vcpu_pci_read(x, 1, 3 << 3, 0, 4), 0x11111111);
    vcpu_invalidate(x, 0); /* both get it */

    /* What is nobody's, or only in part somebody's, is answered by Xen. */
    uint64_t before = xenstub_unclaimed(x);
    assert_int_equal(vcpu_in(x, 0, 0x10F, 2), 0xFFFF);
    assert_int_equal(vcpu_in(x, 0, 0xFF, 1), 0xFF);
    assert_int_equal(vcpu_in(x, 1, 0x300, 4), 0xFFFFFFFF);
    vcpu_out(x, 1, 0x300, 4, 1);
    assert_true(vcpu_read(x, 0, 0xFEB00FFC, 8) == UINT64_MAX);
    assert_true(vcpu_read(x, 0, 0xFEB01000, 1) == 0xFF);
    assert_int_equal(vcpu_pci_read(x, 0, 3 << 3 | 1, 0, 4), 0xFFFFFFFF);
    vcpu_ins(x, 0, 0x300, 2, 3, 0x1000, true);
    uint16_t got[3];
    guest_read(x, 0x1000 - 4, got, sizeof(got));
    assert_int_equal(got[0] & got[1] & got[2], 0xFFFF);
    assert_int_equal(xenstub_unclaimed(x), before + 8);

    say("second-ends", 1);
    await("second-ended");
    assert_int_equal(vcpu_in(x, 1, 0x20C, 4), 0xFFFFFFFF);
    assert_int_equal(vcpu_in(x, 0, 0x104, 2), 0x1111);
    say("end", 1);
    assert_true(xenstub_xs_wait(x, BASE "served", "10", WAIT_MS));
    finish();
}

static void ranges_are_kept_as_xen_keeps_them(void **state)
{
    (void)state;
    begin("ranges");
    finish();
}

static void interrupts_are_recorded(void **state)
{
    (void)state;
    begin("interrupts");
    finish();
    assert_int_equal(s->isa[14], 1);
    assert_int_equal(s->isa[3], 0);
    assert_int_equal(s->isa_raised[3], 1);
    assert_int_equal(s->intx[5][1], 1);
    assert_int_equal(s->link[2], 11);
    assert_int_equal(s->msi_count, 70);
    for (uint32_t i = 70 - STUB_MSIS; i < 70; i++) {
        assert_true(s->msi[i % STUB_MSIS].addr == 0xFEE00000 + (i << 12));
        assert_int_equal(s->msi[i % STUB_MSIS].data, 0x4000 + i);
    }
}

static void pages_are_populated_and_move(void **state)
{
    const uint64_t first = UINT64_C(1) << 32, moved = 0xE0000000;
    uint8_t byte = 0;
    (void)state;
    begin("pages");
    await("populated");
    assert_true(guest_read(x, first, &byte, 1));
    assert_int_equal(byte, 0xA5);
    assert_true(guest_read(x, first + 3 * 4096, &byte, 1));
    assert_int_equal(byte, 0x5A);
    byte = 0x77;
    assert_true(guest_write(x, first + 2 * 4096, &byte, 1));
    say("looked", 1);
    await("moved");
    finish();
    assert_false(guest_read(x, first, &byte, 1));
    assert_true(guest_read(x, moved, &byte, 1));
    assert_int_equal(byte, 0xA5);
    assert_true(guest_read(x, moved + 4096, &byte, 1));
    assert_int_equal(byte, 0x33);
    assert_int_equal(s->counts.relocated, 4);
}

static void what_is_written_is_dirty(void **state)
{
    const uint64_t first = 0x100;
    uint8_t byte = 1;
    (void)state;
    begin("dirty");
    await("tracked");
    guest_write(x, (first + 3) * 4096 + 5, &byte, 1);
    guest_write(x, (first + 69) * 4096, &byte, 1);
    guest_write(x, (first + 70) * 4096, &byte, 1);
    say("written", 1);
    await("untracked");
    guest_log_dirty(x, true);
    say("logged", 1);
    finish();
    assert_false(guest_clean(x, first + 7));
    for (unsigned i = 8; i < 11; i++)
        assert_true(guest_clean(x, first + i));
    assert_false(guest_clean(x, first + 8)); /* it was, and is no more */
    assert_false(guest_clean(x, first + 11));
    guest_write(x, (first + 20) * 4096, &byte, 1);
    assert_true(guest_clean(x, first + 20));
}

static void grants_are_mapped_and_copied(void **state)
{
    static const uint64_t gfn[3] = {0x200, 0x210, 0x205};
    uint32_t ref[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        guest_fill(x, gfn[i] * 4096, (int)(0x10 * (i + 1)), 4096);
        ref[i] = front_grant(x, gfn[i], i == 1);
        assert_true(ref[i]);
    }
    guest_log_dirty(x, true);
    begin("grants");
    say("writable", ref[0]);
    say("read-only", ref[1]);
    say("last", ref[2]);
    await("mapped");
    uint8_t *page = guest_page(x, gfn[0]);
    assert_int_equal(page[1], 0x99);
    assert_int_equal(front_mapped(x, ref[0]), 2);
    assert_int_equal(front_mapped(x, ref[2]), 1);
    assert_int_equal(s->grant[ref[0]].flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(s->grant[ref[1]].flags, GTF_permit_access | GTF_readonly | GTF_reading);
    for (unsigned i = 0; i < 3; i++)
        assert_false(front_revoke(x, ref[i]));
    say("not-revoked", 1);
    await("copied");
    assert_int_equal(page[99], 0x10);
    for (unsigned i = 100; i < 4096; i++)
        assert_int_equal(page[i], 0x42);
    static const uint8_t mixed[9] = {0x10, 0x10, 0x10, 0x10, 0x42, 0x42, 0x42, 0x42, 0x30};
    assert_memory_equal(guest_page(x, gfn[2]), mixed, 9);
    assert_true(guest_clean(x, gfn[0])); /* writable mappings and copies are dirty */
    assert_true(guest_clean(x, gfn[2]));
    assert_false(guest_clean(x, gfn[1]));
    assert_int_equal(front_mapped(x, ref[0]), 0);
    assert_true(front_revoke(x, ref[0]));
    say("revoked", 1);
    finish();
    /* What the process had mapped at its end is unmapped. */
    assert_int_equal(front_mapped(x, ref[2]), 0);
    assert_true(guest_clean(x, gfn[2]));
    assert_true(front_revoke(x, ref[2]));
    assert_true(front_revoke(x, ref[1]));
    assert_int_equal(front_grant(x, 1, false), ref[0]); /* the table's first free one */
}

static void channels_carry_events_both_ways(void **state)
{
    (void)state;
    uint32_t port = front_channel(x), other = front_channel(x);
    assert_true(port && other && port != other);
    front_notify(x, other); /* nobody is there */
    begin("channels");
    say("channel", port);
    await("bound");
    assert_true(front_bound(x, port));
    front_notify(x, port);
    front_notify(x, port);
    say("sent", 1);
    assert_true(front_wait(x, port, WAIT_MS));
    assert_false(front_wait(x, port, 0));
    say("got", 1);
    await("unbound");
    assert_false(front_bound(x, port));
    finish();
    front_close_channel(x, port);
    assert_int_equal(front_channel(x), port);
}

static void transactions_are_whole_or_repeated(void **state)
{
    (void)state;
    begin("store");
    finish();
    assert_true(xenstub_xs_wait(x, BASE "t/a", "8", 0));
    xenstub_xs_remove(x, BASE "t");
    assert_null(xenstub_xs_read(x, BASE "t/a"));
}

static void rights_given_up_are_gone(void **state)
{
    (void)state;
    say("writable", front_grant(x, 0x200, false));
    say("channel", front_channel(x));
    begin("restricted");
    finish();
    assert_int_equal(s->isa[5], 1);
    assert_null(xenstub_xs_read(x, BASE "late"));
}

/* Two device models, asked in turn. */
static void domains_are_apart(void **state)
{
    const struct xenstub_config config = {.domid = 8, .vcpus = 2, .ram_bytes = UINT64_C(8) << 20};
    struct xenstub *domain[2] = {x, xenstub_new(&config)};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        x = domain[i];
        assert_non_null(x);
        begin("servers");
        await("ready");
    }
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(vcpu_in(domain[i % 2], i % 3 == 0, 0x100, 4), 0x11111111);
    for (unsigned i = 0; i < 2; i++) {
        x = domain[i];
        say("second-ends", 1);
        await("second-ended");
        say("end", 1);
        assert_true(xenstub_xs_wait(x, BASE "served", "50", WAIT_MS));
        finish();
    }
    xenstub_free(domain[1]);
    x = domain[0];
}

/* An event that one had not read when it was killed is not the next one's. */
static void a_killed_one_leaves_nothing(void **state)
{
    begin("servers");
    await("ready");
    assert_int_equal(vcpu_in(x, 0, 0x100, 4), 0x11111111);
    kill(xenstub_pid(x), SIGSTOP);
    xenstub_signal(x, s->server[0].vcpu_remote[0]);
    xenstub_end(x, SIGKILL, WAIT_MS);
    channels_carry_events_both_ways(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_go_to_the_server_that_claimed_them),
        TEST(ranges_are_kept_as_xen_keeps_them),
        TEST(interrupts_are_recorded),
        TEST(pages_are_populated_and_move),
        TEST(what_is_written_is_dirty),
        TEST(grants_are_mapped_and_copied),
        TEST(channels_carry_events_both_ways),
        TEST(transactions_are_whole_or_repeated),
        TEST(rights_given_up_are_gone),
        TEST(domains_are_apart),
        TEST(a_killed_one_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
