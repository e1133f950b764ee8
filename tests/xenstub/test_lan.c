/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_lan: the production binary's networks without a bridge, once it is confined: LANs of
 * sockets, of two and three guests or with the test as the other end, and the user-mode network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "nic.h"

#define RAM_MB   UINT64_C(32)
#define START_MS 10000
#define WAIT_S   15

#define FRAMES   48u
#define STATIONS 3u

struct station {
    struct xenstub *x;
    struct dm dm;
    const struct nic_model *model;
    struct nic nic;
    int qmp;
    char netdev[128], device[80], root[40];
    uint8_t mac[6];
};

static struct station station[STATIONS];

/* Starts its device model, and switches the card on. */
static bool run(struct station *s)
{
    if (!dm_start(&s->dm, s->x, START_MS) || !s->model->start(&s->nic) ||
        memcmp(s->nic.mac, s->mac, 6) != 0)
        return false;
    s->qmp = dm_qmp(&s->dm);
    return s->qmp >= 0;
}

/* A new domain with a card that is plugged into `netdev`. */
static bool prepare(struct station *s, const struct nic_model *model, const char *netdev)
{
    const unsigned domid = 7 + (unsigned)(s - station);
    struct xenstub_config config = {.domid = domid, .ram_bytes = RAM_MB << 20};
    s->model = model;
    s->x = xenstub_new(&config);
    s->nic = (struct nic){.x = s->x, .devfn = PC_DEVFN(5, 0)};
    if (!s->x || !dm_init(&s->dm, DM_OURS, s->x, RAM_MB) || !dm_make_image(&s->dm, 1 << 20))
        return false;
    memcpy(s->mac, "\x00\x16\x3E\x00\x00", 5);
    s->mac[5] = (uint8_t)domid;
    strcpy(s->root, "/tmp/hvm-dm-lan.XXXXXX");
    if (netdev != s->netdev)
        snprintf(s->netdev, sizeof(s->netdev), "%s", netdev);
    snprintf(s->device, sizeof(s->device), "%s,netdev=n0,addr=5,rombar=0,mac=00:16:3e:00:00:%02x",
             model->device, domid);
    const char *const more[] = {"-device",        s->device, "-netdev",     s->netdev, "-chroot",
                                mkdtemp(s->root), "-runas",  "65534:65534", NULL};
    dm_drop(&s->dm, "-net");
    dm_add(&s->dm, more);
    return true;
}

static bool start(struct station *s, const struct nic_model *model, const char *netdev)
{
    return prepare(s, model, netdev) && run(s);
}

/* The same card and network in a new domain, after `end`. */
static bool again(struct station *s)
{
    return start(s, s->model, s->netdev);
}

/* With SIGKILL; and the domain. */
static void end(struct station *s)
{
    if (s->qmp > 0)
        close(s->qmp);
    s->qmp = 0;
    xenstub_free(s->x);
    rmdir(s->root);
    s->x = NULL;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATIONS; i++)
        if (station[i].x)
            end(&station[i]);
    return 0;
}

static void send_frame(struct station *s, const uint8_t *frame, size_t len)
{
    if (s->model->send(&s->nic, frame, len))
        return;
    dm_show_log(s->x);
    fail_msg("a frame is not sent");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A frame of ours, waited for; others (of the hosts on a multicast group) are passed over. 0: none
 * has come. */
static size_t try_frame(struct station *s, unsigned type, uint8_t *frame, double seconds)
{
    for (double end = now() + seconds; now() < end;) {
        size_t len = s->model->receive(&s->nic, frame);
        assert_in_range(len, 0, 1514);
        if (len && (frame[12] << 8 | frame[13]) == (int)type)
            return len;
        if (!len)
            usleep(500);
    }
    return 0;
}

static size_t await_frame(struct station *s, unsigned type, uint8_t *frame)
{
    size_t len = try_frame(s, type, frame, WAIT_S);
    if (!len)
        dm_show_log(s->x);
    assert_int_not_equal(len, 0);
    return len;
}

static size_t make_frame(const struct station *from, const uint8_t *to, unsigned number,
                         uint8_t *frame)
{
    size_t len = 60 + number * 97 % 1455;
    memcpy(frame, to, 6);
    memcpy(frame + 6, from->mac, 6);
    frame[12] = 0x88; /* for local experiments */
    frame[13] = 0xB5;
    for (size_t i = 14; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + number);
    return len;
}

static unsigned free_port(int type)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

/* ---- Of two guests ---- */

/* What `info network` says of the one card; its text stays in `text`. */
struct counters {
    uint64_t packets, bytes, dropped, errors, waited;
};
static char text[8192];

static void count(struct station *s, struct counters *tx, struct counters *rx)
{
    static const char *const way[] = {"tx:", "rx:"};
    struct counters *c[] = {tx, rx};
    assert_true(dm_ask(s->qmp,
                       "{\"execute\":\"human-monitor-command\",\"arguments\":"
                       "{\"command-line\":\"info network\"}}",
                       text, sizeof(text)));
    for (unsigned i = 0; i < 2; i++) {
        const char *at = strstr(text, way[i]);
        if (!at ||
            sscanf(at + 3,
                   " packets=%" SCNu64 " bytes=%" SCNu64 " dropped=%" SCNu64 " errors=%" SCNu64
                   " %*4s=%" SCNu64,
                   &c[i]->packets, &c[i]->bytes, &c[i]->dropped, &c[i]->errors, &c[i]->waited) < 4)
            fail_msg("info network: %s", text);
    }
}

/* Waits until it says so. */
static void await_text(struct station *s, const char *words)
{
    struct counters tx, rx;
    for (double end = now() + WAIT_S; now() < end; usleep(5000)) {
        count(s, &tx, &rx);
        if (strstr(text, words))
            return;
    }
    fail_msg("'%s' is not in: %s", words, text);
}

/*
 * Both ways until a frame arrives: what comes while a receiver is being switched on may be thrown
 * away with what came before. When the last one that was sent has come, nothing is under way.
 */
static void meet(struct station *s, struct station *t)
{
    uint8_t hello[60] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, got[NIC_MAX_FRAME];
    struct station *way[2][2] = {{s, t}, {t, s}};
    for (unsigned i = 0; i < 2; i++) {
        bool met = false;
        memcpy(hello + 6, way[i][0]->mac, 6);
        memcpy(hello + 12, "\x88\xB6", 2);
        for (; !met && hello[14] < WAIT_S * 2; hello[14]++) {
            send_frame(way[i][0], hello, sizeof(hello));
            while (!met && try_frame(way[i][1], 0x88B6, got, 0.5))
                met = !memcmp(got, hello, sizeof(hello));
        }
        assert_true(met);
    }
}

/* Frames of all lengths, one at a time and eight, to its address, from `s` to `t`. */
static void pass(struct station *s, struct station *t)
{
    uint8_t sent[8][1514], got[NIC_MAX_FRAME];
    size_t len[8];
    for (unsigned i = 0, n; i < FRAMES; i += n) {
        n = i < FRAMES / 3 ? 1 : FRAMES - i < 8 ? FRAMES - i : 8;
        for (unsigned k = 0; k < n; k++) {
            len[k] = make_frame(s, t->mac, i + k, sent[k]);
            send_frame(s, sent[k], len[k]);
        }
        for (unsigned k = 0; k < n; k++) {
            assert_int_equal(await_frame(t, 0x88B5, got), len[k]);
            assert_memory_equal(got, sent[k], len[k]);
        }
    }
}

/* Both ways, and what either counts is what the other one counts. */
static void exchange(struct station *s, struct station *t)
{
    struct station *const of[] = {s, t};
    struct counters tx[2][2], rx[2][2];
    meet(s, t);
    for (unsigned i = 0; i < 2; i++)
        count(of[i], &tx[0][i], &rx[0][i]);
    pass(s, t);
    pass(t, s);
    for (unsigned i = 0; i < 2; i++) {
        count(of[i], &tx[1][i], &rx[1][i]);
        assert_int_equal(tx[1][i].packets - tx[0][i].packets, FRAMES);
        assert_int_equal(tx[1][i].errors - tx[0][i].errors, 0);
        assert_int_equal(tx[1][i].dropped - tx[0][i].dropped, 0);
        assert_int_equal(rx[1][i].dropped - rx[0][i].dropped, 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rx[1][i].packets - rx[0][i].packets, FRAMES);
        assert_int_equal(rx[1][i].bytes - rx[0][i].bytes, tx[1][!i].bytes - tx[0][!i].bytes);
    }
}

/* Ticks of a process and of its children, of those that have a tick each 10 ms. */
static unsigned long ticks_of(pid_t pid)
{
    char path[64], line[1024], *at;
    unsigned long user = 0, kernel = 0, sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    at = strrchr(line, ')');
    assert_int_equal(
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel), 2);
    sum = user + kernel;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = fopen(path, "r");
    for (int child; f && fscanf(f, "%d", &child) == 1;)
        sum += ticks_of(child);
    if (f)
        fclose(f);
    return sum;
}

/* All that are left have nothing to do, and do nothing: who spins takes 200 ticks, or on a host
 * with a dozen others at work 20. */
static void expect_rest(void)
{
    unsigned long before[STATIONS] = {0};
    usleep(100000);
    for (unsigned after = 0; after < 2; after++) {
        for (unsigned i = 0; i < STATIONS; i++) {
            if (!station[i].x || xenstub_gone(station[i].x))
                continue;
            unsigned long ticks = ticks_of(xenstub_pid(station[i].x));
            if (after)
                assert_in_range(ticks - before[i], 0, 5);
            before[i] = ticks;
        }
        if (!after)
            sleep(2);
    }
}

static void a_lan_of_two_guests_over_tcp(void **state)
{
    char listen[64], connect[64], log[4096];
    struct counters tx[2], rx[2];
    uint8_t frame[1514];
    struct station *a = &station[0], *b = &station[1], *c = &station[2];
    unsigned port = free_port(SOCK_STREAM);
    (void)state;
    snprintf(listen, sizeof(listen), "socket,id=n0,listen=127.0.0.1:%u", port);
    snprintf(connect, sizeof(connect), "socket,id=n0,connect=127.0.0.1:%u", port);
    assert_true(start(a, &nic_rtl8139, listen));
    assert_true(start(b, &nic_e1000, connect));
    exchange(a, b);

    /* The one that connected is gone, and comes again. */
    await_text(a, "peer=127.0.0.1:");
    end(b);
    await_text(a, "peer=none");
    expect_rest();
    assert_true(again(b));
    exchange(b, a);

    /* A third one waits until there is room. */
    assert_true(start(c, &nic_rtl8139, connect));
    send_frame(c, frame, make_frame(c, a->mac, 5, frame));
    assert_int_equal(try_frame(a, 0x88B5, frame, 0.2), 0);
    end(b);
    exchange(a, c);

    /* The one that listens is gone: frames are errors, and it isn't called again. */
    end(a);
    await_text(c, "peer=none");
    count(c, &tx[0], &rx[0]);
    for (unsigned i = 0; i < 5; i++)
        send_frame(c, frame, make_frame(c, a->mac, i, frame));
    count(c, &tx[1], &rx[1]);
    assert_int_equal(tx[1].errors - tx[0].errors, 5);
    assert_int_equal(tx[1].packets - tx[0].packets, 0);
    expect_rest();

    /* Nobody is there to connect to. */
    assert_true(prepare(b, b->model, connect) && xenstub_start(b->x, b->dm.argv));
    int status = xenstub_end(b->x, 0, WAIT_S * 1000);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    dm_log(b->x, log, sizeof(log));
    assert_non_null(strstr(log, "-netdev n0: "));
    assert_non_null(strstr(log, "Connection refused"));
    end(b);

    assert_true(again(a));
    await_text(a, "peer=none");
    await_text(c, "peer=none");
    assert_true(again(b));
    exchange(a, b);
}

static void a_lan_of_two_guests_over_udp(void **state)
{
    char netdev[128];
    struct counters tx[2], rx[2];
    uint8_t frame[1514];
    struct station *a = &station[0], *b = &station[1];
    unsigned port[] = {free_port(SOCK_DGRAM), free_port(SOCK_DGRAM)};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(netdev, sizeof(netdev), "socket,id=n0,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u",
                 port[!i], port[i]);
        assert_true(start(&station[i], i ? &nic_rtl8139 : &nic_e1000, netdev));
    }
    exchange(a, b);
    /* Whether anybody is there does not matter. */
    end(b);
    count(a, &tx[0], &rx[0]);
    for (unsigned i = 0; i < 20; i++)
        send_frame(a, frame, make_frame(a, b->mac, i, frame));
    count(a, &tx[1], &rx[1]);
    assert_int_equal(tx[1].packets - tx[0].packets + tx[1].errors - tx[0].errors, 20);
    expect_rest();
    assert_true(again(b));
    exchange(b, a);
}

static void a_lan_of_three_guests_by_multicast(void **state)
{
    char netdev[128];
    uint8_t frame[1514], got[NIC_MAX_FRAME];
    struct station *a = &station[0], *b = &station[1], *c = &station[2];
    (void)state;
    snprintf(netdev, sizeof(netdev), "socket,id=n0,mcast=239.192.77.1:%u,localaddr=127.0.0.1",
             free_port(SOCK_DGRAM));
    for (unsigned i = 0; i < STATIONS; i++)
        assert_true(start(&station[i], i == 1 ? &nic_rtl8139 : &nic_e1000, netdev));
    meet(a, b);
    meet(b, c);
    exchange(a, c);
    exchange(c, b);

    /* To all: each other one has it, and who sent it has not. */
    while (try_frame(a, 0x88B5, got, 0.05) || try_frame(b, 0x88B5, got, 0.05) ||
           try_frame(c, 0x88B5, got, 0.05))
        ;
    size_t len = make_frame(c, (const uint8_t[]){255, 255, 255, 255, 255, 255}, 9, frame);
    send_frame(c, frame, len);
    assert_int_equal(await_frame(a, 0x88B5, got), len);
    assert_memory_equal(got, frame, len);
    assert_int_equal(await_frame(b, 0x88B5, got), len);
    assert_memory_equal(got, frame, len);
    assert_int_equal(try_frame(c, 0x88B5, got, 0.3), 0);
    expect_rest();

    end(b);
    exchange(a, c);
    assert_true(again(b));
    exchange(b, a);
}

/* ---- Of a guest and the test ---- */

/* Everything that is to be read, or sent, and no less. */
static void move(int fd, uint8_t *bytes, size_t len, bool sending)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = sending ? send(fd, bytes + at, len - at, MSG_NOSIGNAL)
                            : recv(fd, bytes + at, len - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* The other end of the stream: each frame after its length. */
static void cross(struct station *s, int peer)
{
    uint8_t sent[4 + 1514], got[NIC_MAX_FRAME];
    for (unsigned i = 0; i < 50; i++) {
        size_t len = make_frame(s, s->mac, i, sent + 4);
        memcpy(sent, (const uint8_t[]){0, 0, (uint8_t)(len >> 8), (uint8_t)len}, 4);
        send_frame(s, sent + 4, len);
        move(peer, got, 4 + len, false);
        assert_memory_equal(got, sent, 4 + len);
        move(peer, sent, 4 + len, true);
        assert_int_equal(await_frame(s, 0x88B5, got), len);
        assert_memory_equal(got, sent + 4, len);
    }
}

static int connect_to(unsigned port)
{
    const struct sockaddr_in sa = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

/* Peers that come, and the next ones, after the confinement. */
static void a_lan_over_tcp(void **state)
{
    struct station *a = &station[0];
    char netdev[128];
    uint8_t hello[4 + 60] = {0, 0, 0, 60}, got[2048];
    unsigned port = free_port(SOCK_STREAM);
    (void)state;
    snprintf(netdev, sizeof(netdev), "socket,id=n0,listen=127.0.0.1:%u", port);
    assert_true(start(a, &nic_rtl8139, netdev));
    memset(hello + 4, 0xFF, 6);
    memcpy(hello + 16, "\x88\xB6", 2);
    for (unsigned round = 0; round < 3; round++) {
        int peer = connect_to(port);
        size_t len = 0;
        /* It knows of this one. What comes while a receiver is being switched on may be thrown away
         * with what came before. */
        for (unsigned tries = 0; !len && tries < WAIT_S; tries++) {
            move(peer, hello, sizeof(hello), true);
            len = try_frame(a, 0x88B6, got, 1);
        }
        assert_int_equal(len, 60);
        cross(a, peer);
        close(peer);
    }
}

/* Its process is there, confined, and answers for the host. */
static void the_user_mode_network(void **state)
{
    struct station *a = &station[0];
    uint8_t arp[60] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, got[2048];
    (void)state;
    assert_true(start(a, &nic_rtl8139, "user,id=n0"));
    memcpy(arp + 6, a->mac, 6);
    memcpy(arp + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
    memcpy(arp + 22, a->mac, 6);
    memcpy(arp + 28, "\x0A\x00\x02\x0F", 4);
    memcpy(arp + 38, "\x0A\x00\x02\x02", 4);
    send_frame(a, arp, sizeof(arp));
    assert_true(await_frame(a, 0x0806, got) >= 42);
    assert_int_equal(got[21], 2);
    assert_memory_equal(got + 28, "\x0A\x00\x02\x02", 4);
    assert_memory_equal(got + 32, a->mac, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lan_over_tcp, teardown),
        cmocka_unit_test_teardown(a_lan_of_two_guests_over_tcp, teardown),
        cmocka_unit_test_teardown(a_lan_of_two_guests_over_udp, teardown),
        cmocka_unit_test_teardown(a_lan_of_three_guests_by_multicast, teardown),
        cmocka_unit_test_teardown(the_user_mode_network, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
