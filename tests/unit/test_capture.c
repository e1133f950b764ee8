/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Captures: what is in the file, how much of each frame, disks that are slow, full or limited,
 * FIFOs that nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "net/capture.h"
#include "net/net.h"
#include "net/netdev.h"

static struct loop *loop;
static struct net *net;
static struct err err;
static char folder[] = "/tmp/test_capture.XXXXXX";
static char path[64];
static uint8_t file[8u << 20];

static enum net_taken receive(void *opaque, const uint8_t *frame, size_t len)
{
    (void)opaque;
    (void)frame;
    (void)len;
    return NET_TAKEN;
}

static bool transmit(void *opaque)
{
    (void)opaque;
    return false;
}

static const struct net_nic nic = {.receive = receive, .transmit = transmit};

static int setup(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new(&err);
    net = loop ? net_new(loop, "net0") : NULL;
    if (!net)
        return -1;
    assert_true(netdev_open(&(struct netdev_config){.kind = NETDEV_NULL}, loop, net, &err));
    net_attach_nic(net, &nic, NULL);
    net_receiving(net, true);
    loop_turn(loop, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    net_free(net);
    loop_free(loop);
    unlink(path);
    return 0;
}

static struct capture *open_capture(uint32_t maxlen)
{
    int fd = capture_create("dump0", path, &err);
    assert_true(fd >= 0);
    struct capture *c = capture_new(loop, net, "dump0", fd, path, maxlen, &err);
    assert_non_null(c);
    return c;
}

static size_t read_file(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, file + len, sizeof(file) - len)) > 0)
        len += (size_t)n;
    assert_int_equal(n, 0);
    close(fd);
    return len;
}

static uint32_t word(size_t at)
{
    uint32_t v;
    memcpy(&v, file + at, sizeof(v));
    return v;
}

static void frame_out(size_t len, uint8_t mark)
{
    static uint8_t f[NET_MAX_FRAME];
    memset(f, mark, len);
    net_send(net, f, len, NULL); /* false: a turn is over */
    loop_turn(loop, 0);
}

static void frame_in(size_t len, uint8_t mark)
{
    static uint8_t f[NET_MAX_FRAME];
    memset(f, mark, len);
    assert_true(net_deliver(net, f, len, NULL));
}

static bool have_tcpdump(void)
{
    return !system("command -v tcpdump >/dev/null 2>&1");
}

static void frames_of_both_ways_are_in_the_file(void **state)
{
    (void)state;
    struct capture *c = open_capture(65536);
    assert_string_equal(capture_id(c), "dump0");
    frame_out(60, 1);
    frame_in(1514, 2);
    frame_out(14, 3);
    capture_free(c);
    frame_out(60, 4); /* is not in it */
    assert_int_equal(read_file(), 24 + 3 * 16 + 60 + 1514 + 14);
    assert_int_equal(word(0), 0xA1B2C3D4);
    assert_int_equal(word(4), 2 | 4 << 16);
    assert_int_equal(word(8) | word(12), 0);
    assert_int_equal(word(20), 1); /* Ethernet */
    assert_int_equal(word(24 + 8), 60);
    assert_int_equal(word(24 + 12), 60);
    assert_in_range(word(24 + 4), 0, 999999);
    assert_int_equal(file[40], 1);
    assert_int_equal(word(100 + 8), 1514);
    assert_int_equal(file[116], 2);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    if (!have_tcpdump()) {
        printf("skip: tcpdump on captures: it is not installed\n");
        return;
    }
    char command[200];
    snprintf(command, sizeof(command),
             "tcpdump -r - --count <%s 2>/dev/null | grep -q '^3 packets'", path);
    assert_int_equal(system(command), 0);
}

static void so_much_of_each_frame(void **state)
{
    (void)state;
    struct capture *c = open_capture(20);
    frame_out(60, 1);
    frame_out(14, 2);
    capture_free(c);
    assert_int_equal(read_file(), 24 + 16 + 20 + 16 + 14);
    assert_int_equal(word(16), 20);
    assert_int_equal(word(32), 20);
    assert_int_equal(word(36), 60);
    assert_int_equal(file[24 + 16 + 20 + 16], 2);
}

/* It gets there while the capture goes on, and then the loop sleeps. */
static void frames_are_written_soon(void **state)
{
    (void)state;
    struct capture *c = open_capture(65536);
    frame_out(60, 1);
    for (unsigned i = 0; i < 200 && read_file() < 24 + 76; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    assert_int_equal(read_file(), 24 + 76);
    for (unsigned i = 0; i < 20; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    assert_int_equal(clock_deadline(loop_clock(loop)), CLOCK_NEVER);
    capture_free(c);
}

static void many_frames_are_all_there(void **state)
{
    (void)state;
    struct capture *c = open_capture(65536);
    uint64_t frames = 3000;
    for (uint64_t i = 0; i < frames; i++)
        frame_out(1500, (uint8_t)i);
    uint64_t missed = capture_missed(c);
    capture_free(c);
    assert_int_equal(read_file(), 24 + (frames - missed) * 1516);
    assert_int_equal(file[40], 0);
}

static void a_limit_ends_it_after_a_whole_frame(void **state)
{
    (void)state;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct capture *c = open_capture(65536);
    limit = before;
    limit.rlim_cur = 100000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned i = 0; i < 1000; i++)
        frame_out(1500, 1);
    for (unsigned i = 0; i < 200 && clock_deadline(loop_clock(loop)) != CLOCK_NEVER; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    frame_out(1500, 1);
    assert_int_equal(clock_deadline(loop_clock(loop)), CLOCK_NEVER); /* it has ended */
    capture_free(c);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    size_t len = read_file();
    assert_in_range(len, 24 + 1516, 100000);
    assert_int_equal((len - 24) % 1516, 0);
}

static void a_full_disk_ends_it(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_null(capture_new(loop, net, "dump0", fd, "/dev/full", 65536, &err));
    assert_non_null(strstr(err.text, "/dev/full: No space left"));
    frame_out(60, 1);
}

static void a_reader_that_leaves_ends_it(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    struct capture *c = capture_new(loop, net, "dump0", pair[1], "pipe", 65536, &err);
    assert_non_null(c);
    close(pair[0]);
    frame_out(60, 1);
    for (unsigned i = 0; i < 200 && clock_deadline(loop_clock(loop)) != CLOCK_NEVER; i++)
        loop_turn(loop, 50 * NS_PER_MS);
    capture_free(c);
}

/* The wire doesn't wait, and neither does the end. */
static void a_reader_that_stalls_misses_frames(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    struct capture *c = capture_new(loop, net, "dump0", pair[1], "pipe", 65536, &err);
    assert_non_null(c);
    for (unsigned i = 0; i < 8000; i++)
        frame_out(1500, 1);
    assert_in_range(capture_missed(c), 1, 8000);
    capture_free(c);
    close(pair[0]);
}

static void files_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(capture_create("dump0", "/nowhere/file", &err), -1);
    assert_non_null(strstr(err.text, "capture dump0: file=/nowhere/file: No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(capture_create("dump0", path, &err), -1);
    assert_non_null(strstr(err.text, "nobody reads"));
}

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/dump", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(frames_of_both_ways_are_in_the_file),
        T(so_much_of_each_frame),
        T(frames_are_written_soon),
        T(many_frames_are_all_there),
        T(a_limit_ends_it_after_a_whole_frame),
        T(a_full_disk_ends_it),
        T(a_reader_that_leaves_ends_it),
        T(a_reader_that_stalls_misses_frames),
        T(files_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
