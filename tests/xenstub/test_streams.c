/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_streams: the production binary's streams once it is confined: a connection that is made
 * again and again, and a Telnet server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dm.h"
#include "pc.h"

#define VGA      PC_DEVFN(DM_VGA_SLOT, 0)
#define RAM_MB   UINT64_C(48)
#define START_MS 10000
#define WAIT_MS  10000

struct machine {
    struct xenstub *x;
    struct dm dm;
    char root[40]; /* the chroot: entered when "running" has been told */
    struct sockaddr_un client, server;
};

static struct sockaddr_un address(struct machine *m, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", xenstub_dir(m->x), name);
    return a;
}

static int setup(void **state)
{
    static char words[2][192];
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct machine *m = calloc(1, sizeof(*m));
    *state = m;
    strcpy(m->root, "/tmp/hvm-dm-streams.XXXXXX");
    m->x = xenstub_new(&config);
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return -1;
    m->client = address(m, "c");
    m->server = address(m, "t");
    snprintf(words[0], sizeof(words[0]), "unix:%.100s,reconnect=1", m->client.sun_path);
    snprintf(words[1], sizeof(words[1]), "unix:%.100s,server=on,wait=off,telnet=on",
             m->server.sun_path);
    const char *const more[] = {"-serial", words[0],      "-serial", "none",
                                "-serial", words[1],      "-chroot", mkdtemp(m->root),
                                "-runas",  "65534:65534", NULL};
    dm_drop(&m->dm, "-serial"); /* its own makes room */
    dm_add(&m->dm, more);
    if (!dm_start(&m->dm, m->x, START_MS))
        return -1;
    pc_setup(m->x, VGA);
    return 0;
}

static int teardown(void **state)
{
    struct machine *m = *state;
    unlink(m->client.sun_path);
    xenstub_free(m->x);
    rmdir(m->root);
    free(m);
    return 0;
}

static void await(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static void hear(int fd, const char *bytes, size_t want)
{
    char buf[64];
    for (size_t len = 0; len < want;) {
        await(fd);
        ssize_t n = read(fd, buf + len, want - len);
        assert_true(n > 0);
        len += (size_t)n;
        assert_memory_equal(buf, bytes, len);
    }
}

/* The guest prints a character, again until it is heard (what nobody is there for is lost, and the
 * device model learns of a peer a moment after the peer does), and gets one. */
static void talk(struct machine *m, int fd, uint16_t com)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (unsigned i = 0; i == 0 || poll(&p, 1, 100) == 0; i++) {
        assert_true(i < WAIT_MS / 100);
        vcpu_out(m->x, 0, com, 1, 'g');
    }
    hear(fd, "g", 1);
    assert_int_equal(write(fd, "h", 1), 1);
    for (unsigned i = 0; !(vcpu_in(m->x, 0, (uint16_t)(com + 5), 1) & 1); i++) {
        assert_true(i < WAIT_MS);
        usleep(1000);
    }
    assert_int_equal(vcpu_in(m->x, 0, com, 1), 'h');
}

/* Nobody there at the start; after the confinement somebody, twice. */
static void connected_anew(void **state)
{
    struct machine *m = *state;
    for (unsigned round = 0; round < 2; round++) {
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(listener, (struct sockaddr *)&m->client, sizeof(m->client)), 0);
        assert_int_equal(listen(listener, 1), 0);
        await(listener);
        int fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        talk(m, fd, 0x3F8);
        close(listener);
        close(fd);
        unlink(m->client.sun_path);
    }
}

static void telnet_server(void **state)
{
    struct machine *m = *state;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&m->server, sizeof(m->server)), 0);
    hear(fd, "\xFF\xFB\x01\xFF\xFB\x03\xFF\xFD\x03\xFF\xFB\x00\xFF\xFD\x00", 15);
    talk(m, fd, 0x3E8);
    assert_int_equal(write(fd, "\xFF\xF3", 2), 2); /* a break */
    uint32_t status = 0;
    for (unsigned i = 0; !(status & 0x10); i++) {
        assert_true(i < WAIT_MS);
        usleep(1000);
        status = vcpu_in(m->x, 0, 0x3E8 + 5, 1);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connected_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(telnet_server, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
