/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_bridge: the production binary, confined, on taps and a bridge of the kernel's in a network
 * namespace of the test's own: libxl's way, where the hotplug script finds the tap that the device
 * model has made; br=; scripts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm.h"
#include "nic.h"

#define RAM_MB  UINT64_C(32)
#define WAIT_MS 10000
#define BRIDGE  "hvmbr"
#define FRAMES  40u

struct guest {
    struct xenstub *x;
    struct dm dm;
    const struct nic_model *model;
    struct nic nic;
    char device[96], netdev[300], root[40];
};

static struct guest guests[2];
static const char *no_bridge; /* why there is none to be had */

/* ---- The host ---- */

static void configure(unsigned long request, struct ifreq *r)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(ioctl(s, request, r), 0);
    close(s);
}

static void bring_up(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_UP};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    configure(SIOCSIFFLAGS, &r);
}

static bool is_up(const char *name)
{
    struct ifreq r = {0};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    configure(SIOCGIFFLAGS, &r);
    return r.ifr_flags & IFF_UP;
}

/* As a hotplug script does. */
static void put_on_bridge(const char *name)
{
    struct ifreq r = {.ifr_name = BRIDGE, .ifr_ifindex = (int)if_nametoindex(name)};
    configure(SIOCBRADDIF, &r);
    bring_up(name);
}

static int make_bridge(void **state)
{
    (void)state;
    unsigned long at_once[] = {8 /* BRCTL_SET_BRIDGE_FORWARD_DELAY */, 0, 0, 0};
    struct ifreq r = {.ifr_name = BRIDGE, .ifr_data = (char *)at_once};
    if (unshare(CLONE_NEWNET))
        no_bridge = "this user may have no network namespace";
    else if (access("/dev/net/tun", R_OK | W_OK))
        no_bridge = "/dev/net/tun is not there, or not for this user";
    if (no_bridge)
        return 0;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(s, SIOCBRADDBR, BRIDGE))
        no_bridge = "the kernel has no bridges";
    else if (ioctl(s, SIOCDEVPRIVATE, &r))
        return -1;
    close(s);
    if (!no_bridge)
        bring_up(BRIDGE);
    return 0;
}

#define NEED_BRIDGE()                              \
    do {                                           \
        if (no_bridge) {                           \
            printf("skip: taps: %s\n", no_bridge); \
            skip();                                \
        }                                          \
    } while (0)

/* ---- Guests ---- */

/* `tap`: what is behind "tap,id=net0,". True: it writes "running". */
static bool start(struct guest *g, const struct nic_model *model, const char *tap)
{
    const unsigned domid = 7 + (unsigned)(g - guests);
    struct xenstub_config config = {.domid = domid, .ram_bytes = RAM_MB << 20};
    g->model = model;
    g->x = xenstub_new(&config);
    g->nic = (struct nic){.x = g->x, .devfn = PC_DEVFN(4, 0)};
    assert_non_null(g->x);
    assert_true(dm_init(&g->dm, DM_OURS, g->x, RAM_MB) && dm_make_image(&g->dm, 1 << 20));
    strcpy(g->root, "/tmp/hvm-dm-bridge.XXXXXX");
    assert_non_null(mkdtemp(g->root));
    snprintf(g->device, sizeof(g->device), "%s,id=nic0,netdev=net0,mac=00:16:3e:00:00:%02x",
             model->device, domid);
    snprintf(g->netdev, sizeof(g->netdev), "type=tap,id=net0,%s", tap);
    const char *const more[] = {
        "-device", g->device, "-netdev", g->netdev,     "-xen-domid-restrict",
        "-chroot", g->root,   "-runas",  "65534:65534", NULL};
    dm_drop(&g->dm, "-net");
    dm_add(&g->dm, more);
    return dm_start(&g->dm, g->x, WAIT_MS);
}

/* Ends it as libxl does: its wait status. */
static int end(struct guest *g)
{
    int status = xenstub_end(g->x, SIGHUP, 2 * WAIT_MS);
    xenstub_free(g->x);
    rmdir(g->root);
    g->x = NULL;
    return status;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        if (guests[i].x)
            end(&guests[i]);
    return 0;
}

static void passes(struct guest *from, struct guest *to)
{
    uint8_t sent[1514], got[NIC_MAX_FRAME];
    for (unsigned n = 0; n < FRAMES; n++) {
        size_t len = 60 + n * 97 % 1455, came = 0;
        memcpy(sent, to->nic.mac, 6);
        memcpy(sent + 6, from->nic.mac, 6);
        for (size_t i = 12; i < len; i++)
            sent[i] = (uint8_t)(i * 7 + n);
        sent[12] = 0x88; /* for local experiments */
        sent[13] = 0xB5;
        assert_true(from->model->send(&from->nic, sent, len));
        for (unsigned i = 0; i < 2 * WAIT_MS; i++) {
            came = to->model->receive(&to->nic, got);
            if (came && got[12] == 0x88 && got[13] == 0xB5) /* else the host's own chatter */
                break;
            if (!came)
                usleep(500);
        }
        assert_int_equal(came, len);
        assert_memory_equal(got, sent, len);
    }
}

/* One as libxl puts it, the other by br=. Frames of all sizes, both ways. */
static void two_guests_on_a_bridge(void **state)
{
    (void)state;
    NEED_BRIDGE();
    assert_true(
        start(&guests[0], &nic_rtl8139, "ifname=vif7.0-emu,br=" BRIDGE ",script=no,downscript=no"));
    assert_int_not_equal(if_nametoindex("vif7.0-emu"), 0); /* before "running" */
    assert_false(is_up("vif7.0-emu"));
    put_on_bridge("vif7.0-emu");
    assert_true(start(&guests[1], &nic_e1000, "ifname=tap8,br=" BRIDGE));
    assert_true(is_up("tap8"));
    for (unsigned i = 0; i < 2; i++)
        assert_true(guests[i].model->start(&guests[i].nic));
    /* The receivers begin to read behind the access that put them on: once a frame got out. */
    uint8_t first[60] = {0};
    memcpy(first, "\xFF\xFF\xFF\xFF\xFF\xFF\x02\x00\x00\x00\x00\x01\x88\xB6", 14);
    for (unsigned i = 0; i < 2; i++)
        assert_true(guests[i].model->send(&guests[i].nic, first, sizeof(first)));
    passes(&guests[0], &guests[1]);
    passes(&guests[1], &guests[0]);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(end(&guests[i]), 0);
    assert_int_equal(if_nametoindex("vif7.0-emu"), 0);
}

/* ---- Scripts ---- */

static void write_script(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    assert_int_equal(chmod(path, 0755), 0);
}

static void expect_file(const char *path, const char *text)
{
    char got[256] = "";
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    size_t n = fread(got, 1, sizeof(got) - 1, f);
    got[n] = 0;
    fclose(f);
    assert_string_equal(got, text);
}

/* The first has ended before "running"; the second runs although the device model could start
 * nothing any more, and finds the interface. */
static void scripts_of_a_confined_process(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_bridge.XXXXXX", up[64], down[64], said[64], tap[280], text[300];
    NEED_BRIDGE();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    snprintf(up, sizeof(up), "%s/up", folder);
    snprintf(down, sizeof(down), "%s/down", folder);
    snprintf(said, sizeof(said), "%s/said", folder);
    snprintf(text, sizeof(text), "sleep 0.3; echo up $1 $2 >>%s", said);
    write_script(up, text);
    snprintf(text, sizeof(text), "echo down $1 $2 $(grep -c $1: /proc/net/dev) >>%s", said);
    write_script(down, text);
    snprintf(tap, sizeof(tap), "ifname=tap9,br=any,script=%s,downscript=%s", up, down);
    assert_true(start(&guests[0], &nic_e1000, tap));
    expect_file(said, "up tap9 any\n");
    assert_int_equal(end(&guests[0]), 0);
    expect_file(said, "up tap9 any\ndown tap9 any 1\n");
    unlink(said);

    /* Also after an end that leaves no time for anything. */
    assert_true(start(&guests[0], &nic_e1000, tap));
    xenstub_end(guests[0].x, SIGKILL, WAIT_MS);
    struct stat st = {0};
    for (unsigned i = 0; i < WAIT_MS && st.st_size < 28; i++) {
        usleep(1000);
        if (stat(said, &st))
            st.st_size = 0;
    }
    assert_int_equal(st.st_size, 28); /* the same lines, but the interface may have gone */
    unlink(said);
    unlink(up);
    unlink(down);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
    const struct CMUnitTest tests[] = {
        T(two_guests_on_a_bridge),
        T(scripts_of_a_confined_process),
    };
    return cmocka_run_group_tests(tests, make_bridge, NULL);
}
