/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_chardev_backends: FIFOs, Telnet on sockets, bounded files; waits for events, never for
 * times.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "hw/core/loop.h"
#include "ui/chardev.h"
#include "ui/chardev_connect.h"

static struct loop *loop;
static struct chardev *c;
static char dir[] = "/tmp/chardevXXXXXX";
static char path[64], path_in[80], path_out[80];
static char got[65536];
static size_t got_len, room;
static unsigned breaks, breaks_at, connects, disconnects;

static size_t peer_room(void *opaque)
{
    (void)opaque;
    return room;
}

static void peer_receive(void *opaque, const uint8_t *buf, size_t len)
{
    (void)opaque;
    assert_true(len <= room && got_len + len < sizeof(got));
    memcpy(got + got_len, buf, len);
    got_len += len;
}

static void peer_break(void *opaque)
{
    (void)opaque;
    breaks++;
    breaks_at = (unsigned)got_len;
}

static void peer_event(void *opaque, bool connected)
{
    (void)opaque;
    connects += connected;
    disconnects += !connected;
}

static const struct chardev_user user = {
    .room = peer_room, .receive = peer_receive, .line_break = peer_break, .event = peer_event};

static int group_setup(void **state)
{
    (void)state;
    alarm(120); /* a hang is a failure */
    return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int setup(void **state)
{
    struct err err;
    (void)state;
    loop = loop_new(&err);
    snprintf(path, sizeof(path), "%s/x", dir);
    snprintf(path_in, sizeof(path_in), "%s.in", path);
    snprintf(path_out, sizeof(path_out), "%s.out", path);
    unsetenv("XEN_QEMU_CONSOLE_LIMIT");
    c = NULL;
    room = 1000;
    got_len = breaks = connects = disconnects = 0;
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    chardev_close(c);
    loop_free(loop);
    unlink(path);
    unlink(path_in);
    unlink(path_out);
    return 0;
}

static void open_as(const struct chardev_config *config)
{
    struct err err = {""};
    c = chardev_open(loop, "serial0", config, &err);
    if (!c)
        fail_msg("%s", err.text);
    chardev_set_user(c, &user, NULL);
}

static void refused(const struct chardev_config *config, const char *part)
{
    struct err err = {""};
    assert_null(chardev_open(loop, "serial7", config, &err));
    assert_non_null(strstr(err.text, "serial7"));
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in: %s", part, err.text);
}

static void say(const char *bytes, size_t len)
{
    assert_int_equal(chardev_write(c, (const uint8_t *)bytes, len), len);
}

static void hear(int fd, const char *bytes, size_t want)
{
    char buf[256];
    size_t len = 0;
    while (len < want) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        loop_turn(loop, 0);
        if (poll(&p, 1, 1) > 0) {
            ssize_t n = read(fd, buf + len, want - len);
            assert_true(n > 0);
            len += (size_t)n;
        }
    }
    assert_memory_equal(buf, bytes, want);
}

static void received(const char *text)
{
    while (got_len < strlen(text))
        loop_turn(loop, 20 * NS_PER_MS);
    assert_int_equal(got_len, strlen(text));
    assert_memory_equal(got, text, got_len);
    got_len = 0;
}

static void assert_idle(void)
{
    for (int turns = 0; turns < 50; turns++) {
        uint64_t before = clock_now(loop_clock(loop));
        loop_turn(loop, 20 * NS_PER_MS);
        if (clock_now(loop_clock(loop)) - before >= 20 * NS_PER_MS)
            return;
    }
    fail_msg("the loop never sleeps");
}

static void fifos(void **state)
{
    (void)state;
    const struct chardev_config config = {.kind = CHARDEV_PIPE, .path = path, .fd = -1};
    refused(&config, "No such file");
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(&config, "No such file"); /* one for both ways would echo */
    assert_int_equal(mkfifo(path_in, 0600), 0);
    refused(&config, "No such file");
    assert_int_equal(close(open(path_out, O_CREAT | O_WRONLY, 0600)), 0);
    refused(&config, "FIFO");
    unlink(path_out);
    assert_int_equal(mkfifo(path_out, 0600), 0);
    open_as(&config);
    assert_string_equal(chardev_filename(c), "pipe");
    assert_idle(); /* nobody at either end, and nobody is waited for */
    for (unsigned round = 0; round < 3; round++) {
        int in = open(path_in, O_WRONLY | O_NONBLOCK), out = open(path_out, O_RDONLY | O_NONBLOCK);
        assert_true(in >= 0 && out >= 0);
        assert_int_equal(write(in, "typed", 5), 5);
        received("typed");
        say("printed", 7);
        hear(out, "printed", 7);
        close(in);
        close(out);
        assert_idle();
    }
}

static int connect_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static const char hello[] = "\xFF\xFB\x01\xFF\xFB\x03\xFF\xFD\x03\xFF\xFB\x00\xFF\xFD\x00";

static void telnet(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .telnet = true, .fd = -1};
    open_as(&config);
    for (unsigned round = 0; round < 2; round++) {
        int fd = connect_unix();
        while (connects <= round)
            loop_turn(loop, 20 * NS_PER_MS);
        hear(fd, hello, sizeof(hello) - 1);
        assert_int_equal(write(fd, "a\r\0b\xFF\xFF\xFF\xF3z\xFF\xFD\x18", 12), 12);
        while (got_len < 5)
            loop_turn(loop, 20 * NS_PER_MS);
        received("a\rb\xFFz");
        assert_int_equal(breaks, round + 1);
        assert_int_equal(breaks_at, 4); /* between the two it came between */
        hear(fd, "\xFF\xFC\x18", 3);
        say("x\xFF\r\n", 4);
        hear(fd, "x\xFF\xFF\r\n", 5);
        /* Cut in the middle of a command; the next connection knows nothing of it. */
        assert_int_equal(write(fd, "\xFF", 1), 1);
        close(fd);
        while (disconnects <= round)
            loop_turn(loop, 20 * NS_PER_MS);
    }
    assert_idle();
}

/* A peer that asks and never reads: what it is owed does not grow, and what it types arrives. */
static void telnet_flood(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .telnet = true, .fd = -1};
    static uint8_t asks[60000];
    open_as(&config);
    int fd = connect_unix();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i + 2 < sizeof(asks); i += 3)
        memcpy(asks + i, "\xFF\xFD\x18", 3);
    for (unsigned i = 0; i < 50; i++) {
        size_t sent = 0;
        while (sent < sizeof(asks)) {
            ssize_t n = write(fd, asks + sent, sizeof(asks) - sent);
            assert_true(n > 0 || errno == EAGAIN);
            sent += n > 0 ? (size_t)n : 0;
            loop_turn(loop, 0);
        }
    }
    assert_int_equal(write(fd, "still here", 10), 10);
    received("still here");
    close(fd);
    while (!disconnects)
        loop_turn(loop, 20 * NS_PER_MS);
}

static int listen_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

struct service {
    int socket;
    struct chardev_target targets[2];
};

static void *serve(void *opaque)
{
    const struct service *s = opaque;
    chardev_connect_serve(s->socket, s->targets, 2);
    close(s->socket);
    return NULL;
}

/* A client that keeps trying: nobody there yet, somebody, gone, somebody else. */
static void reconnecting(void **state)
{
    (void)state;
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .reconnect = 1, .target = 1, .fd = -1};
    struct err err;
    struct service service;
    pthread_t thread;
    int pair[2];
    refused(&config, "reconnect=");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    service.socket = pair[1];
    service.targets[0] = (struct chardev_target){0};
    assert_true(chardev_resolve("serial0", &config, &service.targets[1], &err));
    assert_int_equal(pthread_create(&thread, NULL, serve, &service), 0);
    config.connector = chardev_connector_new(loop, pair[0], &err);
    assert_non_null(config.connector);
    open_as(&config);
    assert_false(chardev_connected(c));
    say("lost", 4);
    for (unsigned round = 0; round < 2; round++) {
        if (round == 0) /* a try or two find nobody */
            for (unsigned i = 0; i < 20; i++)
                loop_turn(loop, 5 * NS_PER_MS);
        int listener = listen_unix();
        while (connects <= round)
            loop_turn(loop, 100 * NS_PER_MS);
        int fd = accept(listener, NULL, NULL);
        say("hello", 5);
        hear(fd, "hello", 5);
        assert_int_equal(write(fd, "you", 3), 3);
        received("you");
        close(listener);
        close(fd);
        unlink(path);
        while (disconnects <= round)
            loop_turn(loop, 100 * NS_PER_MS);
    }
    /* Requests of no target, or cut, are answered by nothing; closing ends the service. */
    uint32_t bad = 77;
    assert_int_equal(send(pair[0], &bad, sizeof(bad), 0), sizeof(bad));
    assert_int_equal(send(pair[0], &bad, 1, 0), 1);
    chardev_close(c);
    c = NULL;
    chardev_connector_free(config.connector);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void addresses(void **state)
{
    (void)state;
    struct chardev_target target;
    struct err err;
    const struct chardev_config tcp = {
        .kind = CHARDEV_TCP, .host = (char *)"127.0.0.1", .port = (char *)"99", .fd = -1};
    const struct chardev_config bad = {
        .kind = CHARDEV_TCP, .host = (char *)"127.0.0.1", .port = (char *)"no such", .fd = -1};
    assert_true(chardev_resolve("x", &tcp, &target, &err));
    assert_int_equal(target.count, 1);
    assert_int_equal(target.list[0].address.ss_family, AF_INET);
    assert_false(chardev_resolve("x", &bad, &target, &err));
    assert_non_null(strstr(err.text, "no such"));
}

static off_t size_of(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void bounded_file(void **state)
{
    (void)state;
    struct chardev_config config = {.kind = CHARDEV_FILE, .path = path, .limit = 10, .fd = -1};
    open_as(&config);
    say("0123456", 7);
    say("789abc", 6);
    assert_idle();
    assert_int_equal(size_of(), 10);
    chardev_close(c);
    /* The smaller one of the two counts; what is in the file counts too. */
    setenv("XEN_QEMU_CONSOLE_LIMIT", "12", 1);
    config.append = true;
    config.limit = 1000;
    open_as(&config);
    say("ABCDEF", 6);
    assert_idle();
    assert_int_equal(size_of(), 12);
    chardev_close(c);
    config.limit = 11;
    open_as(&config);
    say("x", 1);
    assert_idle();
    assert_int_equal(size_of(), 12);
}

/* A free UDP port of the loopback, bound by *fd. */
static void bind_udp(int *fd, char port[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &len), 0);
    snprintf(port, 8, "%u", ntohs(address.sin_port));
}

static void datagrams(void **state)
{
    (void)state;
    int fd;
    char port[8], text[32], big[3000];
    bind_udp(&fd, port);
    struct chardev_config config = {
        .kind = CHARDEV_UDP, .host = (char *)"127.0.0.1", .port = port, .fd = -1};
    open_as(&config);
    assert_true(chardev_connected(c));
    snprintf(text, sizeof(text), "udp:127.0.0.1:%s@:0", port);
    assert_string_equal(chardev_filename(c), text);
    say("hello", 5);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    while (recvfrom(fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&from, &len) != 5)
        loop_turn(loop, 5 * NS_PER_MS);
    assert_memory_equal(text, "hello", 5);

    /* A datagram is taken in the pieces that the device has room for; an empty one is no end. */
    room = 2;
    assert_int_equal(sendto(fd, "", 0, 0, (struct sockaddr *)&from, len), 0);
    assert_int_equal(sendto(fd, "abcdefg", 7, 0, (struct sockaddr *)&from, len), 7);
    received("abcdefg");
    room = 0;
    memset(big, 'x', sizeof(big));
    assert_int_equal(sendto(fd, big, sizeof(big), 0, (struct sockaddr *)&from, len), sizeof(big));
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 0);
    assert_int_equal(got_len, 0);
    room = 1000;
    chardev_accept_input(c);
    while (got_len < sizeof(big))
        loop_turn(loop, 5 * NS_PER_MS);
    assert_memory_equal(got, big, sizeof(big));
    got_len = 0;

    /* Nobody is there for a while: what is sent is lost, the line is not. */
    struct sockaddr_in here;
    len = sizeof(here);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    close(fd);
    for (int i = 0; i < 5; i++) {
        say("lost", 4);
        assert_idle();
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(sendto(fd, "back", 4, 0, (struct sockaddr *)&from, sizeof(from)), 4);
    received("back");
    assert_int_equal(disconnects, 0);
    close(fd);

    config.local_port = (char *)"no such";
    refused(&config, "no such");
}

static const char *logged(void)
{
    static char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    assert_true(fd >= 0 && n >= 0);
    close(fd);
    text[n] = '\0';
    return text;
}

static void logs(void **state)
{
    (void)state;
    static char big[6000];
    struct err err;
    const struct chardev_config config = {.kind = CHARDEV_NULL, .fd = -1};
    open_as(&config);
    assert_false(chardev_set_log(c, "/no/such/file", false, &err));
    assert_non_null(strstr(err.text, "serial0: logfile=/no/such/file"));
    assert_true(chardev_set_log(c, path, false, &err));
    say("one", 3); /* nobody else gets it */
    say("two", 3);
    assert_idle();
    assert_string_equal(logged(), "onetwo");
    say("three", 5);
    chardev_close(c); /* what waited is written */
    assert_string_equal(logged(), "onetwothree");

    open_as(&config);
    assert_true(chardev_set_log(c, path, true, &err));
    say("+", 1);
    assert_idle();
    assert_string_equal(logged(), "onetwothree+");
    chardev_close(c);
    open_as(&config);
    assert_true(chardev_set_log(c, path, false, &err));
    assert_int_equal(size_of(), 0);
    memset(big, 'x', sizeof(big));
    say(big, sizeof(big));
    assert_idle();
    assert_int_equal(size_of(), sizeof(big));
    chardev_close(c);

    setenv("XEN_QEMU_CONSOLE_LIMIT", "10", 1);
    open_as(&config);
    assert_true(chardev_set_log(c, path, false, &err));
    say("0123456", 7);
    assert_idle();
    say("789abc", 6);
    say(big, sizeof(big));
    assert_idle();
    assert_string_equal(logged(), "0123456789");
    chardev_close(c);
    open_as(&config);
    setenv("XEN_QEMU_CONSOLE_LIMIT", "5", 1);
    assert_true(chardev_set_log(c, path, true, &err)); /* too long already */
    say("x", 1);
    assert_idle();
    assert_string_equal(logged(), "0123456789");
    unsetenv("XEN_QEMU_CONSOLE_LIMIT");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fifos),        TEST(telnet),    TEST(telnet_flood), TEST(bounded_file),
        TEST(reconnecting), TEST(addresses), TEST(datagrams),    TEST(logs),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
