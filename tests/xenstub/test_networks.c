/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_networks: network cards of the production binary, confined as ever, with a socket where the
 * tap would be: frames both ways through an e1000, stops, cables, captures, PV drivers that take
 * over, and that nothing wakes up while there is nothing to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm.h"
#include "nic.h"

#define RAM_MB  UINT64_C(48)
#define WAIT_MS 10000

#define NIC_SLOT 4u
#define RING     E1000_RING

struct machine {
    struct xenstub *x;
    struct dm dm;
    int peer; /* the other end of the cable */
    int qmp;
    char netdev[64], dump[256], dump_file[200];
    struct nic nic;
};

static int start(void **state, const char *const *more)
{
    struct machine *m = calloc(1, sizeof(*m));
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    int pair[2];
    *state = m;
    m->x = xenstub_new(&config);
    m->nic = (struct nic){.x = m->x, .devfn = PC_DEVFN(NIC_SLOT, 0)};
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
        return -1;
    m->peer = pair[0];
    fcntl(m->peer, F_SETFD, FD_CLOEXEC);
    snprintf(m->netdev, sizeof(m->netdev), "tap,id=net0,fd=%d", pair[1]);
    snprintf(m->dump_file, sizeof(m->dump_file), "%s/dump", xenstub_dir(m->x));
    snprintf(m->dump, sizeof(m->dump), "filter-dump,id=d0,netdev=net0,file=%s", m->dump_file);
    const char *const nic[] = {
        "-device", "e1000,id=nic0,netdev=net0,mac=00:16:3e:00:00:07,rombar=0",
        "-netdev", m->netdev,
        "-object", m->dump,
        NULL};
    dm_drop(&m->dm, "-net");
    dm_add(&m->dm, nic);
    if (more)
        dm_add(&m->dm, more);
    if (!dm_start(&m->dm, m->x, WAIT_MS))
        return -1;
    close(pair[1]);
    m->qmp = dm_qmp(&m->dm);
    return m->qmp >= 0 ? 0 : -1;
}

static int setup(void **state)
{
    return start(state, NULL);
}

static int setup_restricted(void **state)
{
    static const char *const more[] = {"-xen-domid-restrict",
                                       "-sandbox",
                                       "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
                                       "resourcecontrol=deny",
                                       "-runas",
                                       "65534:65534",
                                       NULL};
    return start(state, more);
}

static int teardown(void **state)
{
    struct machine *m = *state;
    int status = xenstub_gone(m->x) ? 0 : xenstub_end(m->x, SIGHUP, WAIT_MS);
    if (status)
        dm_show_log(m->x);
    close(m->qmp);
    close(m->peer);
    xenstub_free(m->x);
    free(m);
    return status;
}

static void ask(struct machine *m, const char *command)
{
    char answer[8192];
    assert_true(dm_ask(m->qmp, command, answer, sizeof(answer)));
    if (!strstr(answer, "\"return\""))
        fail_msg("%s: %s", command, answer);
}

/* ---- The driver ---- */

static bool has_interrupt(struct xenstub *x, uint64_t level)
{
    return (xenstub_shm(x)->intx[NIC_SLOT][0] != 0) == level;
}

/* Waits for what the device model does to guest memory, which is no event of the stand-in's. */
static bool wait_memory(struct machine *m, bool (*cond)(struct xenstub *x, uint64_t arg),
                        uint64_t arg)
{
    for (unsigned i = 0; i < WAIT_MS && !xenstub_gone(m->x); i++) {
        if (cond(m->x, arg))
            return true;
        usleep(1000);
    }
    return false;
}

/* The next frame: its length. Its buffer is not given back. */
static unsigned receive(struct machine *m, uint8_t *frame)
{
    if (!wait_memory(m, e1000_rx_done, m->nic.rx_next)) {
        dm_show_log(m->x);
        fail_msg("no frame in descriptor %u", m->nic.rx_next);
    }
    unsigned len = e1000_take(&m->nic, frame);
    assert_int_not_equal(len, 0);
    return len;
}

static void fill(uint8_t *f, unsigned len, uint8_t mark)
{
    memset(f, 0xFF, 6);
    memset(f + 6, 2, 6);
    f[12] = 0x88;
    f[13] = 0xB5;
    for (unsigned i = 14; i < len; i++)
        f[i] = (uint8_t)(mark + i);
}

static void expect_frame(const uint8_t *f, unsigned got, unsigned len, uint8_t mark)
{
    uint8_t want[2048];
    fill(want, len, mark);
    assert_int_equal(got, len);
    assert_memory_equal(f, want, len);
}

static void peer_sends(struct machine *m, unsigned len, uint8_t mark)
{
    uint8_t f[2048];
    fill(f, len, mark);
    assert_int_equal(send(m->peer, f, len, MSG_DONTWAIT), len);
}

static void peer_receives(struct machine *m, unsigned len, uint8_t mark)
{
    uint8_t f[2048];
    struct pollfd p = {.fd = m->peer, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    ssize_t n = recv(m->peer, f, sizeof(f), 0);
    assert_true(n > 0);
    expect_frame(f, (unsigned)n, len, mark);
}

static long switches(struct machine *m)
{
    char path[64], line[128];
    long n = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)xenstub_pid(m->x));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
            break;
    fclose(f);
    assert_true(n >= 0);
    return n;
}

static void settle(struct machine *m)
{
    long before;
    unsigned tries = 0;
    do {
        before = switches(m);
        usleep(300000);
    } while (switches(m) != before && tries++ < 20);
}

static void frames_both_ways(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    e1000_drive(&m->nic, RING - 1);
    /* The receiver begins to read behind the access that put it on: once a frame got out, it does.
     */
    static const unsigned sizes[] = {60, 64, 65, 128, 590, 1514};
    for (unsigned i = 0; i < 6; i++) {
        fill(f, sizes[i], (uint8_t)i);
        e1000_transmit(&m->nic, f, sizes[i]);
        peer_receives(m, sizes[i], (uint8_t)i);
        assert_true(wait_memory(m, e1000_tx_done, i));
    }
    for (unsigned i = 0; i < 6; i++)
        peer_sends(m, sizes[i], (uint8_t)(10 + i));
    for (unsigned i = 0; i < 6; i++)
        expect_frame(f, receive(m, f), sizes[i], (uint8_t)(10 + i));
    assert_true(xenstub_wait(m->x, has_interrupt, true, WAIT_MS));
    assert_int_not_equal(e1000_reg(&m->nic, E1000_ICR), 0);
    assert_true(xenstub_wait(m->x, has_interrupt, false, WAIT_MS));
}

/* Frames wait in the socket for buffers, and none is lost or out of order. */
static void a_slow_guest(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    e1000_drive(&m->nic, 4);
    settle(m);
    for (unsigned i = 0; i < 40; i++)
        peer_sends(m, 200, (uint8_t)i);
    for (unsigned i = 0; i < 40; i++) {
        expect_frame(f, receive(m, f), 200, (uint8_t)i);
        e1000_give_back(&m->nic, 1);
    }
}

/* Many in one doorbell, to a peer that reads none of them at first. */
static void a_slow_peer(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    unsigned sent = 0, done = 0;
    e1000_drive(&m->nic, RING - 1);
    while (sent < 400) {
        fill(f, 1514, (uint8_t)sent);
        while (sent - done >= RING - 1) { /* the ring is full: the peer reads */
            peer_receives(m, 1514, (uint8_t)done);
            done++;
            assert_true(wait_memory(m, e1000_tx_done, (done - 1) % RING));
        }
        e1000_transmit(&m->nic, f, 1514);
        sent++;
    }
    while (done < sent) {
        peer_receives(m, 1514, (uint8_t)done);
        done++;
    }
    assert_true(wait_memory(m, e1000_tx_done, (sent - 1) % RING));
}

static void stop_and_go_on(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    e1000_drive(&m->nic, RING - 1);
    settle(m);
    peer_sends(m, 100, 1);
    expect_frame(f, receive(m, f), 100, 1);
    ask(m, "{\"execute\":\"stop\"}");
    for (unsigned i = 0; i < 5; i++)
        peer_sends(m, 100, (uint8_t)(2 + i));
    ask(m, "{\"execute\":\"query-status\"}");
    usleep(100000);
    assert_false(e1000_rx_done(m->x, m->nic.rx_next));
    ask(m, "{\"execute\":\"cont\"}");
    for (unsigned i = 0; i < 5; i++)
        expect_frame(f, receive(m, f), 100, (uint8_t)(2 + i));
}

static void the_cable_is_pulled_out(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    e1000_drive(&m->nic, RING - 1);
    assert_true(e1000_reg(&m->nic, E1000_STATUS) & 2);
    ask(m, "{\"execute\":\"set_link\",\"arguments\":{\"name\":\"nic0\",\"up\":false}}");
    assert_false(e1000_reg(&m->nic, E1000_STATUS) & 2);
    peer_sends(m, 100, 1);
    ask(m, "{\"execute\":\"set_link\",\"arguments\":{\"name\":\"nic0\",\"up\":true}}");
    for (unsigned k = 0; k < WAIT_MS && !(e1000_reg(&m->nic, E1000_STATUS) & 2);
         k++) /* it negotiates anew */
        usleep(1000);
    assert_true(e1000_reg(&m->nic, E1000_STATUS) & 2);
    peer_sends(m, 100, 2);
    expect_frame(f, receive(m, f), 100, 2); /* the first found nobody */
}

/* No wake-up without a frame; and none for frames that nobody wants, but one that finds it out. */
static void idle_costs_nothing(void **state)
{
    struct machine *m = *state;
    e1000_drive(&m->nic, RING - 1);
    settle(m);
    long before = switches(m);
    usleep(1000000);
    assert_int_equal(switches(m), before);

    e1000_set_reg(&m->nic, E1000_RCTL, 0);
    settle(m);
    before = switches(m);
    for (unsigned i = 0; i < 50; i++) {
        peer_sends(m, 100, 1);
        usleep(2000);
    }
    usleep(300000);
    assert_in_range(switches(m) - before, 0, 1);
}

static void a_capture_of_it(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048], head[24 + 16];
    struct stat st;
    e1000_drive(&m->nic, RING - 1);
    fill(f, 77, 1);
    e1000_transmit(&m->nic, f, 77);
    peer_receives(m, 77, 1);
    peer_sends(m, 99, 2);
    expect_frame(f, receive(m, f), 99, 2);
    ask(m, "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"d0\"}}");
    assert_int_equal(stat(m->dump_file, &st), 0);
    assert_int_equal(st.st_size, 24 + 16 + 77 + 16 + 99);
    int fd = open(m->dump_file, O_RDONLY);
    assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
    close(fd);
    assert_memory_equal(head, "\xD4\xC3\xB2\xA1", 4);
    assert_int_equal(head[32], 77);
}

/* A file for a process that can open none: "add-fd", then its number. */
static int hand_over(struct machine *m, int fd)
{
    static const char command[] = "{\"execute\":\"add-fd\"}";
    struct iovec iov = {(void *)(uintptr_t)command, sizeof(command) - 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    char answer[512];
    int set = -1;
    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    assert_int_equal(sendmsg(m->qmp, &msg, 0), sizeof(command) - 1);
    ssize_t n = recv(m->qmp, answer, sizeof(answer) - 1, 0);
    assert_true(n > 0);
    answer[n] = 0;
    const char *id = strstr(answer, "\"fdset-id\"");
    if (!id || sscanf(id, "\"fdset-id\":%d", &set) != 1)
        fail_msg("add-fd: %s", answer);
    return set;
}

/* The same, asked for while it runs. */
static void a_capture_in_between(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    char file[240], command[256];
    struct stat st;
    e1000_drive(&m->nic, RING - 1);
    fill(f, 77, 1);
    e1000_transmit(&m->nic, f, 77);
    peer_receives(m, 77, 1);
    snprintf(file, sizeof(file), "%s/later", xenstub_dir(m->x));
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    snprintf(command, sizeof(command),
             "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":"
             "\"object_add filter-dump,id=d1,netdev=net0,file=/dev/fdset/%d,maxlen=64\"}}",
             hand_over(m, fd));
    ask(m, command);
    peer_sends(m, 99, 2);
    expect_frame(f, receive(m, f), 99, 2);
    fill(f, 60, 3);
    e1000_transmit(&m->nic, f, 60);
    peer_receives(m, 60, 3);
    ask(m, "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"d1\"}}");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 24 + 16 + 64 + 16 + 60);
    close(fd);
}

/* As Linux' platform driver does: NICs by bit 1. */
static void pv_drivers_take_over(void **state)
{
    struct machine *m = *state;
    e1000_drive(&m->nic, RING - 1);
    assert_int_equal(vcpu_pci_read(m->x, 0, m->nic.devfn, 0, 4), 0x100E8086);
    assert_int_equal(vcpu_in(m->x, 0, 0x10, 2), 0x49D2);
    vcpu_out(m->x, 0, 0x10, 2, 2);
    assert_int_equal(vcpu_pci_read(m->x, 0, m->nic.devfn, 0, 4), 0xFFFFFFFF);
    assert_int_equal(e1000_reg(&m->nic, E1000_STATUS), 0xFFFFFFFF);
    assert_true(xenstub_wait(m->x, has_interrupt, false, WAIT_MS));
    peer_sends(m, 100, 1);
    vcpu_out(m->x, 0, 0x10, 2, 2); /* and again */
    ask(m, "{\"execute\":\"query-status\"}");
    usleep(50000);
    assert_false(e1000_rx_done(m->x, m->nic.rx_next));
    ask(m, "{\"execute\":\"stop\"}");
    ask(m, "{\"execute\":\"cont\"}");
}

static void a_peer_that_goes(void **state)
{
    struct machine *m = *state;
    uint8_t f[2048];
    e1000_drive(&m->nic, RING - 1);
    fill(f, 100, 1);
    shutdown(m->peer, SHUT_RDWR);
    for (unsigned i = 0; i < 10; i++) {
        e1000_transmit(&m->nic, f, 100);
        assert_true(wait_memory(m, e1000_tx_done, i)); /* into the void */
    }
    settle(m);
    long before = switches(m);
    usleep(500000);
    assert_int_equal(switches(m), before);
    assert_false(xenstub_gone(m->x));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(frames_both_ways),
        T(a_slow_guest),
        T(a_slow_peer),
        T(stop_and_go_on),
        T(the_cable_is_pulled_out),
        T(idle_costs_nothing),
        T(a_capture_of_it),
        T(a_capture_in_between),
        T(pv_drivers_take_over),
        T(a_peer_that_goes),
        {"frames_both_ways_restricted", frames_both_ways, setup_restricted, teardown, NULL},
        {"a_capture_of_it_restricted", a_capture_of_it, setup_restricted, teardown, NULL},
        {"a_capture_in_between_restricted", a_capture_in_between, setup_restricted, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
