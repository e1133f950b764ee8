/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_lan: the production binary's networks without a bridge, once it is confined: a LAN of
 * sockets, of which the test is the other end, and the user-mode network. The card is an RTL8139,
 * driven as its data sheet says (RTL8139D(L), 5 and 6).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"
#include "pc.h"

#define RAM_MB   UINT64_C(32)
#define START_MS 10000
#define WAIT_S   15

#define NIC    PC_DEVFN(5, 0)
#define IO     0xC100 /* BAR 0 */
#define TSD0   0x10
#define TSAD0  0x20
#define RBSTRT 0x30
#define CR     0x37
#define CAPR   0x38
#define RCR    0x44
#define BUFE   0x01
#define TE     0x04
#define RE     0x08
#define RST    0x10
#define TOK    0x8000
#define RING   UINT64_C(0x200000)
#define BUFFER UINT64_C(0x300000)

struct station {
    struct xenstub *x;
    struct dm dm;
    char netdev[128], device[64], root[40];
    uint8_t mac[6];
    unsigned next; /* in the ring */
    unsigned sent;
};

static struct station a;

static void out(struct station *s, unsigned reg, unsigned size, uint32_t value)
{
    vcpu_out(s->x, 0, (uint16_t)(IO + reg), size, value);
}

static uint32_t in(struct station *s, unsigned reg, unsigned size)
{
    return vcpu_in(s->x, 0, (uint16_t)(IO + reg), size);
}

static void start_card(struct station *s)
{
    vcpu_pci_write(s->x, 0, NIC, 0x10, 4, IO);
    vcpu_pci_write(s->x, 0, NIC, 4, 2, 5);
    out(s, CR, 1, RST);
    for (unsigned i = 0; in(s, CR, 1) & RST; i++)
        assert_true(i < 1000);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(in(s, i, 1), s->mac[i]);
    out(s, RBSTRT, 4, RING);
    out(s, CR, 1, RE | TE);
    out(s, RCR, 4, 0x0A); /* our address and broadcasts; a ring of 8 KiB */
    s->next = s->sent = 0;
}

static bool start(struct station *s, unsigned domid, const char *netdev)
{
    struct xenstub_config config = {.domid = domid, .ram_bytes = RAM_MB << 20};
    memset(s, 0, sizeof(*s));
    s->x = xenstub_new(&config);
    if (!s->x || !dm_init(&s->dm, DM_OURS, s->x, RAM_MB) || !dm_make_image(&s->dm, 1 << 20))
        return false;
    memcpy(s->mac, "\x00\x16\x3E\x00\x00", 5);
    s->mac[5] = (uint8_t)domid;
    strcpy(s->root, "/tmp/hvm-dm-lan.XXXXXX");
    snprintf(s->netdev, sizeof(s->netdev), "%s", netdev);
    snprintf(s->device, sizeof(s->device), "rtl8139,netdev=n0,addr=5,mac=00:16:3e:00:00:%02x",
             domid);
    const char *const more[] = {"-device", s->device,        "-netdev", s->netdev,
                                "-chroot", mkdtemp(s->root), "-runas",  "65534:65534"};
    size_t n = 0, kept = 0;
    for (; s->dm.argv[n]; n++) /* not "-net none" */
        if (!strcmp(s->dm.argv[n], "-net"))
            n++;
        else
            s->dm.argv[kept++] = s->dm.argv[n];
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        s->dm.argv[kept++] = more[i];
    s->dm.argv[kept] = NULL;
    if (!dm_start(&s->dm, s->x, START_MS))
        return false;
    start_card(s);
    return true;
}

static int teardown(void **state)
{
    (void)state;
    if (!a.x)
        return 0;
    xenstub_free(a.x);
    rmdir(a.root);
    a.x = NULL;
    return 0;
}

static void send_frame(struct station *s, const uint8_t *frame, size_t len)
{
    unsigned i = s->sent++ % 4;
    guest_write(s->x, BUFFER, frame, len);
    out(s, TSAD0 + 4 * i, 4, BUFFER);
    out(s, TSD0 + 4 * i, 4, (uint32_t)len);
    for (unsigned tries = 0; !(in(s, TSD0 + 4 * i, 4) & TOK); tries++) {
        assert_true(tries < 10000);
        usleep(500);
    }
}

/* The next frame, without its check sequence; 0: none is here. */
static size_t receive_frame(struct station *s, uint8_t *frame)
{
    uint8_t ring[8192 + 2048], header[4];
    if (in(s, CR, 1) & BUFE)
        return 0;
    guest_read(s->x, RING, ring, 8192);
    for (unsigned i = 0; i < 4; i++)
        header[i] = ring[(s->next + i) % 8192];
    size_t len = (size_t)header[2] | (size_t)header[3] << 8;
    assert_true(header[0] & 1 && len >= 64 && len <= 1518);
    for (size_t i = 0; i < len - 4; i++)
        frame[i] = ring[(s->next + 4 + i) % 8192];
    s->next = (unsigned)((s->next + 4 + len + 3) & ~3u) % 8192;
    out(s, CAPR, 2, (s->next - 16) & 0xFFFF);
    return len - 4;
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
        size_t len = receive_frame(s, frame);
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
    uint8_t sent[4 + 1514], got[2048];
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
    char netdev[128];
    uint8_t hello[4 + 60] = {0, 0, 0, 60}, got[2048];
    unsigned port = free_port(SOCK_STREAM);
    (void)state;
    snprintf(netdev, sizeof(netdev), "socket,id=n0,listen=127.0.0.1:%u", port);
    assert_true(start(&a, 7, netdev));
    memset(hello + 4, 0xFF, 6);
    memcpy(hello + 16, "\x88\xB6", 2);
    for (unsigned round = 0; round < 3; round++) {
        int peer = connect_to(port);
        size_t len = 0;
        /* It knows of this one. What comes while a receiver is being switched on may be thrown away
         * with what came before. */
        for (unsigned tries = 0; !len && tries < WAIT_S; tries++) {
            move(peer, hello, sizeof(hello), true);
            len = try_frame(&a, 0x88B6, got, 1);
        }
        assert_int_equal(len, 60);
        cross(&a, peer);
        close(peer);
    }
}

/* Its process is there, confined, and answers for the host. */
static void the_user_mode_network(void **state)
{
    uint8_t arp[60] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, got[2048];
    (void)state;
    assert_true(start(&a, 7, "user,id=n0"));
    memcpy(arp + 6, a.mac, 6);
    memcpy(arp + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
    memcpy(arp + 22, a.mac, 6);
    memcpy(arp + 28, "\x0A\x00\x02\x0F", 4);
    memcpy(arp + 38, "\x0A\x00\x02\x02", 4);
    send_frame(&a, arp, sizeof(arp));
    assert_true(await_frame(&a, 0x0806, got) >= 42);
    assert_int_equal(got[21], 2);
    assert_memory_equal(got + 28, "\x0A\x00\x02\x02", 4);
    assert_memory_equal(got + 32, a.mac, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lan_over_tcp, teardown),
        cmocka_unit_test_teardown(the_user_mode_network, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
