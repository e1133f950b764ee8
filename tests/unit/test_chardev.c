/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_chardev: byte streams on real ptys, files and sockets; waits for events, never for times. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

#include "hw/core/loop.h"
#include "ui/chardev.h"

struct peer {
    size_t room;
    uint8_t got[1 << 16];
    size_t got_len;
    unsigned receives, writables, connects, disconnects;
};

static struct loop *loop;
static struct chardev *c;
static struct peer peer;
static char dir[] = "/tmp/chardevXXXXXX";
static char path[128];

static size_t peer_room(void *opaque)
{
    struct peer *p = opaque;
    return p->room;
}

static void peer_receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct peer *p = opaque;
    assert_true(len > 0 && len <= p->room && p->got_len + len <= sizeof(p->got));
    memcpy(p->got + p->got_len, buf, len);
    p->got_len += len;
    p->room -= len;
    p->receives++;
}

static void peer_writable(void *opaque)
{
    struct peer *p = opaque;
    p->writables++;
}

static void peer_event(void *opaque, bool connected)
{
    struct peer *p = opaque;
    if (connected)
        p->connects++;
    else
        p->disconnects++;
}

static const struct chardev_user user = {
    .room = peer_room,
    .receive = peer_receive,
    .writable = peer_writable,
    .event = peer_event,
};

static int group_setup(void **state)
{
    (void)state;
    signal(SIGALRM, SIG_DFL);
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
    memset(&peer, 0, sizeof(peer));
    peer.room = sizeof(peer.got);
    c = NULL;
    snprintf(path, sizeof(path), "%s/x", dir);
    unsetenv("XEN_QEMU_CONSOLE_LIMIT");
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    chardev_close(c);
    loop_free(loop);
    unlink(path);
    return 0;
}

static void open_as(const struct chardev_config *config)
{
    struct err err = {""};
    c = chardev_open(loop, "serial0", config, &err);
    if (!c)
        fail_msg("%s", err.text);
    chardev_set_user(c, &user, &peer);
}

static void refused(const struct chardev_config *config, const char *part)
{
    struct err err = {""};
    assert_null(chardev_open(loop, "serial7", config, &err));
    assert_non_null(strstr(err.text, "serial7"));
    assert_non_null(strstr(err.text, part));
}

/* Turns the loop until cond holds; the alarm ends a wait that never does. */
#define WAIT_FOR(cond)                       \
    do {                                     \
        while (!(cond))                      \
            loop_turn(loop, 20 * NS_PER_MS); \
    } while (0)

static size_t say(const char *text)
{
    return chardev_write(c, (const uint8_t *)text, strlen(text));
}

/* Reads exactly this from fd while the loop runs. */
static void hear(int fd, const char *text)
{
    char buf[256];
    size_t len = 0, want = strlen(text);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (len < want) {
        loop_turn(loop, 0);
        if (poll(&p, 1, 1) > 0) {
            ssize_t n = read(fd, buf + len, want - len);
            assert_true(n > 0);
            len += (size_t)n;
        }
    }
    assert_memory_equal(buf, text, want);
}

static void type(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void got(const char *text)
{
    WAIT_FOR(peer.got_len >= strlen(text));
    assert_int_equal(peer.got_len, strlen(text));
    assert_memory_equal(peer.got, text, peer.got_len);
    peer.got_len = 0;
}

static const char *slave_name(void)
{
    assert_int_equal(strncmp(chardev_filename(c), "pty:/dev/pts/", 13), 0);
    return chardev_filename(c) + 4;
}

static int open_slave(void)
{
    int fd = open(slave_name(), O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static const struct chardev_config pty = {.kind = CHARDEV_PTY, .fd = -1};

/* With nothing to do the loop sleeps through: among a few turns there is one that nobody ended. (A
 * descriptor that keeps reporting something would end each of them.) */
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

static void null_device(void **state)
{
    (void)state;
    const struct chardev_config config = {.kind = CHARDEV_NULL, .fd = -1};
    open_as(&config);
    assert_string_equal(chardev_label(c), "serial0");
    assert_string_equal(chardev_filename(c), "null");
    assert_true(chardev_connected(c));
    assert_int_equal(say("lost"), 4);
    chardev_accept_input(c);
    assert_idle();
}

static void pty_without_a_peer(void **state)
{
    (void)state;
    uint8_t chunk[1000] = {0};
    open_as(&pty);
    assert_false(chardev_connected(c));
    assert_idle(); /* no spinning on the hang-up */
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(chardev_write(c, chunk, sizeof(chunk)), sizeof(chunk));
    assert_idle();
    assert_int_equal(peer.writables, 0);
    /* What was lost stays lost. */
    int fd = open_slave();
    char buf[16];
    assert_int_equal(read(fd, buf, sizeof(buf)), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
    assert_idle();
}

static void pty_both_ways(void **state)
{
    (void)state;
    struct termios t;
    open_as(&pty);
    int fd = open_slave();
    assert_int_equal(tcgetattr(fd, &t), 0);
    assert_false(t.c_lflag & (ECHO | ICANON | ISIG));
    assert_false(t.c_oflag & OPOST);
    type(fd, "hello\r\003");
    got("hello\r\003");
    assert_true(chardev_connected(c));
    assert_int_equal(peer.connects, 1);
    say("one\n");
    say("two");
    hear(fd, "one\ntwo");
    for (const char *p = "character by character"; *p; p++)
        assert_int_equal(chardev_write(c, (const uint8_t *)p, 1), 1);
    hear(fd, "character by character");
    assert_idle();
    close(fd);
    WAIT_FOR(peer.disconnects == 1);
    assert_false(chardev_connected(c));
    assert_int_equal(say("lost"), 4);
    assert_idle();
}

static void pty_peer_that_only_listens(void **state)
{
    (void)state;
    open_as(&pty);
    for (int round = 0; round < 3; round++) {
        int fd = open_slave();
        char b;
        /* Nothing told us; the output finds it. */
        while (!chardev_connected(c)) {
            say("x");
            loop_turn(loop, NS_PER_MS);
        }
        hear(fd, "x");
        assert_int_equal(say("y"), 1);
        do
            hear(fd, ""), loop_turn(loop, NS_PER_MS);
        while (read(fd, &b, 1) != 1 || b != 'y');
        close(fd);
        WAIT_FOR(!chardev_connected(c));
    }
    assert_int_equal(peer.connects, 3);
    assert_int_equal(peer.disconnects, 3);
}

static void pty_input_waits_for_room(void **state)
{
    (void)state;
    open_as(&pty);
    int fd = open_slave();
    peer.room = 3;
    type(fd, "abcdefgh");
    got("abc");
    assert_idle();
    peer.room = 2;
    chardev_accept_input(c);
    got("de");
    close(fd); /* what was typed before the hang-up still comes */
    peer.room = 100;
    loop_turn(loop, NS_PER_MS);
    chardev_accept_input(c);
    got("fgh");
    WAIT_FOR(!chardev_connected(c));
    peer.room = 0;
    fd = open_slave();
    type(fd, "i");
    assert_idle();
    peer.room = 1;
    chardev_accept_input(c);
    got("i");
    close(fd);
}

static void pty_user_comes_later(void **state)
{
    (void)state;
    open_as(&pty);
    chardev_set_user(c, NULL, NULL);
    int fd = open_slave();
    type(fd, "early");
    assert_idle();
    chardev_set_user(c, &user, &peer);
    got("early");
    close(fd);
}

/* A reader that stops reading holds the writer up, then loses bytes; when it reads again, it gets
 * what was kept and what comes. */
static void stuck_reader(void **state)
{
    (void)state;
    uint8_t chunk[512];
    open_as(&pty);
    int fd = open_slave();
    type(fd, "x");
    got("x");
    memset(chunk, 'a', sizeof(chunk));
    size_t taken;
    unsigned chunks = 0;
    while ((taken = chardev_write(c, chunk, sizeof(chunk))) == sizeof(chunk)) {
        loop_turn(loop, 0);
        assert_true(chunks++ < 10000);
    }
    assert_true(chunks > 7);
    assert_int_equal(chardev_write(c, chunk, 1), 0);
    assert_int_equal(peer.writables, 0);

    /* It goes on when the reader does. */
    char buf[8192];
    while (!peer.writables) {
        ssize_t n = read(fd, buf, sizeof(buf));
        assert_true(n > 0 || errno == EAGAIN);
        loop_turn(loop, NS_PER_MS);
    }
    assert_true(chardev_write(c, chunk, 1) == 1);

    /* Stuck for good: the writer is let go after a while. */
    while (chardev_write(c, chunk, sizeof(chunk)) == sizeof(chunk))
        loop_turn(loop, 0);
    peer.writables = 0;
    WAIT_FOR(peer.writables);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(chardev_write(c, chunk, sizeof(chunk)), sizeof(chunk));
    assert_idle();

    size_t kept = 0;
    for (unsigned quiet = 0; quiet < 50;) {
        ssize_t n = read(fd, buf, sizeof(buf));
        kept += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        loop_turn(loop, NS_PER_MS);
    }
    assert_true(kept > 4096);
    chunk[0] = '!';
    assert_int_equal(chardev_write(c, chunk, 1), 1);
    hear(fd, "!");
    close(fd);
}

static void stuck_reader_leaves(void **state)
{
    (void)state;
    uint8_t chunk[512] = {0};
    open_as(&pty);
    int fd = open_slave();
    type(fd, "x");
    got("x");
    while (chardev_write(c, chunk, sizeof(chunk)) == sizeof(chunk))
        loop_turn(loop, 0);
    close(fd);
    WAIT_FOR(peer.writables == 1);
    assert_int_equal(chardev_write(c, chunk, sizeof(chunk)), sizeof(chunk));
    assert_idle();
}

static char *contents(size_t *len)
{
    static char buf[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, buf, sizeof(buf));
    close(fd);
    assert_true(n >= 0);
    *len = (size_t)n;
    return buf;
}

static size_t file_size(void)
{
    size_t len;
    contents(&len);
    return len;
}

static void assert_contents(const char *text)
{
    size_t len;
    const char *have = contents(&len);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(have, text, len);
}

static void file(void **state)
{
    (void)state;
    struct chardev_config config = {.kind = CHARDEV_FILE, .path = path, .fd = -1};
    open_as(&config);
    assert_string_equal(chardev_filename(c), "file");
    assert_true(chardev_connected(c));
    say("first ");
    say("second"); /* within the millisecond: gathered */
    chardev_close(c);
    assert_contents("first second");
    config.append = true;
    open_as(&config);
    say(" third");
    assert_idle();
    assert_contents("first second third");
    chardev_close(c);
    config.append = false;
    open_as(&config);
    assert_contents("");
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(say("0123456789"), 10);
    assert_idle();
    size_t len;
    contents(&len);
    assert_int_equal(len, 30000);
}

static void gathered_output_needs_no_further_writes(void **state)
{
    (void)state;
    struct chardev_config config = {.kind = CHARDEV_FILE, .path = path, .fd = -1};
    open_as(&config);
    say("a");
    say("b");
    while (file_size() < 2)
        loop_turn(loop, CLOCK_NEVER); /* its own timer is enough to wake the loop */
    assert_contents("ab");
}

static void file_limits(void **state)
{
    (void)state;
    struct chardev_config config = {.kind = CHARDEV_FILE, .path = path, .fd = -1};
    setenv("XEN_QEMU_CONSOLE_LIMIT", "10", 1);
    open_as(&config);
    say("0123456");
    say("789abc");
    say("def");
    assert_idle();
    assert_contents("0123456789");
    chardev_close(c);
    config.append = true; /* what is there counts */
    setenv("XEN_QEMU_CONSOLE_LIMIT", "12", 1);
    open_as(&config);
    say("ABCDEF");
    assert_idle();
    assert_contents("0123456789AB");
    chardev_close(c);
    unsetenv("XEN_QEMU_CONSOLE_LIMIT");

    /* libxl's dm_restrict sets a file size limit: it must not kill the process. */
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5;
    config.append = false;
    open_as(&config);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    say("0123456789");
    say("0123456789");
    assert_idle();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_contents("01234");
}

static void bad_files(void **state)
{
    (void)state;
    const struct chardev_config missing = {
        .kind = CHARDEV_FILE, .path = (char *)"/nonexistent/dir/file", .fd = -1};
    const struct chardev_config directory = {.kind = CHARDEV_FILE, .path = dir, .fd = -1};
    refused(&missing, "No such file");
    refused(&directory, "directory");
}

static int connect_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(sa.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static int listen_unix(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(sa.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void unix_server(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .fd = -1};
    char want[160];
    open_as(&config);
    snprintf(want, sizeof(want), "unix:%s,server=on", path);
    assert_string_equal(chardev_filename(c), want);
    assert_false(chardev_connected(c));
    assert_int_equal(say("lost"), 4);
    assert_idle();
    for (unsigned round = 1; round <= 3; round++) {
        int fd = connect_unix();
        WAIT_FOR(peer.connects == round);
        type(fd, "hello");
        got("hello");
        say("world");
        hear(fd, "world");
        assert_idle();
        type(fd, "last words");
        close(fd);
        got("last words");
        WAIT_FOR(peer.disconnects == round);
    }
    assert_idle();
}

static void unix_one_peer_at_a_time(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .fd = -1};
    open_as(&config);
    int first = connect_unix();
    WAIT_FOR(chardev_connected(c));
    int second = connect_unix(); /* queued by the kernel until the first has left */
    type(second, "second");
    assert_idle();
    assert_int_equal(peer.got_len, 0);
    close(first);
    got("second");
    assert_int_equal(peer.connects, 2);
    assert_int_equal(peer.disconnects, 1);
    close(second);
}

static void unix_peer_vanishes(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .fd = -1};
    uint8_t chunk[4096] = {0};
    open_as(&config);
    int fd = connect_unix();
    WAIT_FOR(chardev_connected(c));
    while (chardev_write(c, chunk, sizeof(chunk)) == sizeof(chunk))
        loop_turn(loop, 0);
    close(fd); /* with everything unread: a reset */
    WAIT_FOR(!chardev_connected(c));
    assert_int_equal(peer.writables, 1);
    assert_int_equal(peer.disconnects, 1);
    assert_int_equal(chardev_write(c, chunk, sizeof(chunk)), sizeof(chunk));
    fd = connect_unix();
    WAIT_FOR(chardev_connected(c));
    say("again");
    hear(fd, "again");
    /* A close with no room for input is noticed when there is room. */
    peer.room = 0;
    type(fd, "bye");
    close(fd);
    assert_idle();
    peer.room = 10;
    chardev_accept_input(c);
    got("bye");
    assert_false(chardev_connected(c));
}

static void unix_flood_is_bounded(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .fd = -1};
    static uint8_t flood[60000];
    open_as(&config);
    int fd = connect_unix();
    WAIT_FOR(chardev_connected(c));
    assert_int_equal(write(fd, flood, sizeof(flood)), sizeof(flood));
    WAIT_FOR(peer.got_len == sizeof(flood));
    assert_true(peer.receives >= sizeof(flood) / 4096);
    close(fd);
}

static void unix_given_listener(void **state)
{
    (void)state;
    struct chardev_config config = {.kind = CHARDEV_UNIX, .server = true, .fd = listen_unix()};
    open_as(&config);
    int fd = connect_unix();
    type(fd, "fd");
    got("fd");
    close(fd);
}

static void unix_stale_socket(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .fd = -1};
    close(listen_unix()); /* the file stays */
    open_as(&config);
    refused(&config, "in use"); /* a live one is not taken over */
    int fd = connect_unix();
    WAIT_FOR(chardev_connected(c));
    close(fd);
    chardev_close(c);
    c = NULL;
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600)); /* not a socket: not ours to remove */
    refused(&config, "in use");
}

static void unix_client(void **state)
{
    (void)state;
    const struct chardev_config config = {.kind = CHARDEV_UNIX, .path = path, .fd = -1};
    char longest[200];
    refused(&config, path);
    int listener = listen_unix();
    open_as(&config);
    assert_true(chardev_connected(c));
    int fd = accept(listener, NULL, NULL);
    say("hi");
    hear(fd, "hi");
    type(fd, "ho");
    got("ho");
    close(fd);
    WAIT_FOR(!chardev_connected(c));
    assert_int_equal(say("lost"), 4);
    assert_idle();
    close(listener);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    const struct chardev_config too_long = {.kind = CHARDEV_UNIX, .path = longest, .fd = -1};
    const struct chardev_config none = {.kind = CHARDEV_UNIX, .fd = -1};
    refused(&too_long, "107 bytes");
    refused(&none, "107 bytes");
}

static void *late_client(void *opaque)
{
    int *fd = opaque;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    strcpy(sa.sun_path, path);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(*fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        usleep(1000);
    return NULL;
}

static void unix_server_waits(void **state)
{
    (void)state;
    const struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = path, .server = true, .wait = true, .fd = -1};
    pthread_t thread;
    int fd = -1;
    assert_int_equal(pthread_create(&thread, NULL, late_client, &fd), 0);
    open_as(&config);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(chardev_connected(c));
    say("go");
    hear(fd, "go");
    close(fd);
    WAIT_FOR(!chardev_connected(c));
    fd = connect_unix(); /* and from then on as any server */
    WAIT_FOR(chardev_connected(c));
    close(fd);
}

static int tcp_listener(char port[8])
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    snprintf(port, 8, "%u", ntohs(sa.sin_port));
    return fd;
}

static void tcp(void **state)
{
    (void)state;
    char port[8], want[64];
    struct chardev_config config = {
        .kind = CHARDEV_TCP, .host = (char *)"127.0.0.1", .port = port, .nodelay = true, .fd = -1};
    int listener = tcp_listener(port);
    open_as(&config);
    snprintf(want, sizeof(want), "tcp:127.0.0.1:%s", port);
    assert_string_equal(chardev_filename(c), want);
    int fd = accept(listener, NULL, NULL);
    say("ping");
    hear(fd, "ping");
    type(fd, "pong");
    got("pong");
    close(fd);
    WAIT_FOR(!chardev_connected(c));
    chardev_close(c);
    c = NULL;

    config.server = true;
    refused(&config, "in use");
    close(listener);
    close(tcp_listener(port)); /* a port that was never used is free at once */
    open_as(&config);
    snprintf(want, sizeof(want), "tcp:127.0.0.1:%s,server=on", port);
    assert_string_equal(chardev_filename(c), want);
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)atoi(port))};
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    type(fd, "served");
    got("served");
    close(fd);
    WAIT_FOR(!chardev_connected(c));
    chardev_close(c);
    c = NULL;
    config.server = false;
    refused(&config, "refused");
    config.port = (char *)"no such service";
    refused(&config, "no such service");
}

/* In a child with pipes as its standard descriptors. */
static void stdio(void **state)
{
    (void)state;
    int in[2], out[2], status;
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct chardev_config config = {.kind = CHARDEV_STDIO, .fd = -1};
        struct err err;
        alarm(60);
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        struct loop *l = loop_new(&err);
        struct chardev *s = l ? chardev_open(l, "serial0", &config, &err) : NULL;
        if (!s || strcmp(chardev_filename(s), "stdio") != 0)
            _exit(1);
        if (fcntl(1, F_GETFL) & O_NONBLOCK) /* not on what others share */
            _exit(2);
        chardev_set_user(s, &user, &peer);
        while (peer.got_len < 4)
            loop_turn(l, NS_PER_S);
        if (memcmp(peer.got, "ping", 4) != 0)
            _exit(3);
        chardev_write(s, (const uint8_t *)"pong", 4);
        chardev_close(s);
        loop_free(l);
        _exit(0);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(write(in[1], "ping", 4), 4);
    char buf[8];
    size_t len = 0;
    ssize_t n;
    while ((n = read(out[0], buf + len, sizeof(buf) - len)) > 0)
        len += (size_t)n;
    assert_int_equal(len, 4);
    assert_memory_equal(buf, "pong", 4);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(in[1]);
    close(out[0]);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(null_device),
        T(pty_without_a_peer),
        T(pty_both_ways),
        T(pty_peer_that_only_listens),
        T(pty_input_waits_for_room),
        T(pty_user_comes_later),
        T(stuck_reader),
        T(stuck_reader_leaves),
        T(file),
        T(gathered_output_needs_no_further_writes),
        T(file_limits),
        T(bad_files),
        T(unix_server),
        T(unix_one_peer_at_a_time),
        T(unix_peer_vanishes),
        T(unix_flood_is_bounded),
        T(unix_given_listener),
        T(unix_stale_socket),
        T(unix_client),
        T(unix_server_waits),
        T(tcp),
        T(stdio),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
