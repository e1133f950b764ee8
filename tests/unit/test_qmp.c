/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp: the QMP server as a toolstack, and as an enemy, meets it on its socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "toolstack/qmp.h"

/* ---- a machine that remembers what was asked of it ---- */

static struct {
    enum qmp_run_state state;
    bool floppy, read_only, retain; /* the removable drive is one; what its medium was said to be */
    int stops, conts, quits, resets, ejects, changes, saves;
    bool fail, force, live, dirty_log, vnc;
    char password[64];
    bool password_set;
    size_t index;
    char file[128];
    char contents[32];
    int medium_fd;
    uint64_t bytes;
    struct block_limits limits;
    char opaque[8];
} machine;

static struct loop *loop;
static struct qmp *qmp;
static struct qmp_target target;
static char dir[] = "/tmp/hvm-dm-test-qmp-XXXXXX";
static char path[2][64];

static bool outcome(struct err *err)
{
    return machine.fail ? err_set(err, "the machine\nrefuses") : true;
}

static enum qmp_run_state t_state(void *opaque)
{
    assert_ptr_equal(opaque, machine.opaque);
    return machine.state;
}

static bool t_stop(void *opaque, struct err *err)
{
    (void)opaque;
    machine.stops++;
    if (machine.state == QMP_RUNNING)
        qmp_event(qmp, "STOP");
    machine.state = QMP_PAUSED;
    return outcome(err);
}

static bool t_cont(void *opaque, struct err *err)
{
    (void)opaque;
    machine.conts++;
    machine.state = QMP_RUNNING;
    return outcome(err);
}

static void t_quit(void *opaque)
{
    (void)opaque;
    machine.quits++;
}

static bool t_reset(void *opaque, struct err *err)
{
    (void)opaque;
    machine.resets++;
    return outcome(err);
}

static bool t_save(void *opaque, int fd, bool live, struct err *err)
{
    (void)opaque;
    machine.saves++;
    machine.live = live;
    if (write(fd, "state", 5) != 5)
        return err_set(err, "write: %s", strerror(errno));
    return outcome(err);
}

static bool t_dirty_log(void *opaque, bool enable, struct err *err)
{
    (void)opaque;
    machine.dirty_log = enable;
    return outcome(err);
}

static bool t_chardev(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    (void)opaque;
    *info = (struct qmp_chardev_info){"serial0", "pty:/dev/pts/3", true};
    return index == 0;
}

static bool t_vnc(void *opaque, struct qmp_vnc_info *info)
{
    (void)opaque;
    *info = (struct qmp_vnc_info){.host = "127.0.0.1", .service = "5900", .password = true};
    return machine.vnc;
}

static bool t_password(void *opaque, const char *password, struct err *err)
{
    (void)opaque;
    machine.password_set = password;
    snprintf(machine.password, sizeof(machine.password), "%s", password ? password : "");
    return outcome(err);
}

static const struct block_stats disk_stats = {
    .rd_bytes = 1, .wr_bytes = 2, .rd_operations = 3, .wr_operations = 4, .flush_operations = 5};

static bool t_block(void *opaque, size_t index, struct qmp_block_info *info)
{
    (void)opaque;
    if (index == 0)
        *info = (struct qmp_block_info){.id = "ide0-hd0",
                                        .inserted = true,
                                        .file = "/guest/\xff.img",
                                        .cache = BLOCK_CACHE_WRITEBACK,
                                        .bytes = 1 << 20,
                                        .stats = &disk_stats,
                                        .io_status = BLOCK_IO_NOSPACE,
                                        .detect_zeroes = BLOCK_DETECT_ZEROES_ON,
                                        .limits = &machine.limits};
    else if (index == 1)
        *info = (struct qmp_block_info){.id = "ide-5632",
                                        .qdev = "ide-5632",
                                        .cdrom = !machine.floppy,
                                        .floppy = machine.floppy};
    return index < 2;
}

static bool t_eject(void *opaque, size_t index, bool force, struct err *err)
{
    (void)opaque;
    machine.ejects++;
    machine.index = index;
    machine.force = force;
    return outcome(err);
}

static bool t_change(void *opaque, size_t index, const struct qmp_medium *medium, struct err *err)
{
    (void)opaque;
    machine.changes++;
    machine.index = index;
    machine.medium_fd = medium->fd;
    snprintf(machine.file, sizeof(machine.file), "%s", medium->file);
    assert_true(medium->read_only || machine.floppy);
    machine.read_only = medium->read_only;
    machine.retain = medium->retain;
    memset(machine.contents, 0, sizeof(machine.contents));
    if (medium->fd >= 0) {
        assert_true(pread(medium->fd, machine.contents, sizeof(machine.contents) - 1, 0) >= 0);
        assert_int_equal(fcntl(medium->fd, F_GETFD), FD_CLOEXEC);
        close(medium->fd); /* taken over */
    }
    return outcome(err);
}

static bool t_resize(void *opaque, size_t index, uint64_t bytes, struct err *err)
{
    (void)opaque;
    machine.index = index;
    machine.bytes = bytes;
    return outcome(err);
}

static bool t_limits(void *opaque, size_t index, const struct block_limits *limits, struct err *err)
{
    (void)opaque;
    machine.index = index;
    machine.limits = *limits;
    return outcome(err);
}

static bool t_pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    (void)opaque;
    *info = (struct qmp_pci_info){.qdev_id = index ? "vga" : "",
                                  .slot = (unsigned)index * 2,
                                  .class_code = 0x030000,
                                  .vendor = 0x1234,
                                  .device = 0x1111,
                                  .irq_pin = 1,
                                  .irq = 11,
                                  .regions = {{.bar = 0, .address = 0xf0000000, .size = 0x1000000}},
                                  .region_count = 1};
    return index < 2;
}

/* ---- a client ---- */

static int setup(void **state)
{
    (void)state;
    struct err err;
    memset(&machine, 0, sizeof(machine));
    target = (struct qmp_target){.opaque = machine.opaque,
                                 .name = "guest",
                                 .vcpus = 2,
                                 .run_state = t_state,
                                 .stop = t_stop,
                                 .cont = t_cont,
                                 .quit = t_quit,
                                 .reset = t_reset,
                                 .save_state = t_save,
                                 .set_dirty_log = t_dirty_log,
                                 .chardev = t_chardev,
                                 .vnc = t_vnc,
                                 .set_vnc_password = t_password,
                                 .block = t_block,
                                 .eject = t_eject,
                                 .change_medium = t_change,
                                 .resize = t_resize,
                                 .set_limits = t_limits,
                                 .pci = t_pci};
    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    loop = loop_new(&err);
    assert_non_null(loop);
    qmp = qmp_new(loop, &target, &err);
    assert_non_null(qmp);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%d", dir, i);
        struct config_monitor m = {
            .chardev_id = (char *)(i ? "libxenstat-cmd" : "libxl-cmd"), .path = path[i], .fd = -1};
        assert_true(qmp_listen(qmp, &m, &err));
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    struct stat st;
    qmp_free(qmp);
    loop_free(loop);
    assert_int_equal(lstat(path[0], &st), -1); /* our sockets are gone */
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static void turns(int n)
{
    while (n-- > 0)
        loop_turn(loop, 0);
}

static int dial(int which)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path[which]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    turns(3);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EPIPE)) {
            if (errno == EPIPE)
                return;
            turns(1);
            continue;
        }
        assert_true(n > 0);
        bytes += n;
        len -= (size_t)n;
    }
    turns(3);
}

static void say(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* The next line, without its CR LF; NULL if there is none. */
static char *line(int fd)
{
    static char buffer[1 << 20];
    size_t n = 0;
    for (int tries = 0; tries < 200; tries++) {
        ssize_t got = recv(fd, buffer + n, 1, 0);
        if (got == 0)
            return NULL;
        if (got < 0) {
            turns(1);
            continue;
        }
        n++;
        tries = 0;
        assert_true(n < sizeof(buffer));
        if (buffer[n - 1] == '\n') {
            assert_true(n >= 2 && buffer[n - 2] == '\r');
            buffer[n - 2] = '\0';
            return buffer;
        }
    }
    assert_int_equal(n, 0); /* no half lines */
    return NULL;
}

static json_t *answer(int fd)
{
    char *text = line(fd);
    if (!text)
        fail_msg("no answer");
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("not JSON: %s", text);
    return json;
}

/* Sends a command; the answer must have exactly this text. */
static void expect(int fd, const char *command, const char *wanted)
{
    say(fd, command);
    char *got = line(fd);
    if (!got)
        fail_msg("no answer to %s", command);
    assert_string_equal(got, wanted);
}

/* The same for an error: class, and words of the text separated by '|'. */
static void expect_error(int fd, const char *command, const char *class, const char *words)
{
    say(fd, command);
    json_t *json = answer(fd);
    json_t *error = json_object_get(json, "error");
    if (!error)
        fail_msg("no error: %s", command);
    assert_string_equal(json_string_value(json_object_get(error, "class")), class);
    const char *text = json_string_value(json_object_get(error, "desc"));
    char *copy = strdup(words), *rest = copy;
    for (char *w; (w = strsep(&rest, "|"));)
        if (!strstr(text, w))
            fail_msg("'%s' is not in: %s (%s)", w, text, command);
    free(copy);
    json_decref(json);
}

static json_t *query(int fd, const char *command)
{
    char text[256];
    snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\r\n", command);
    say(fd, text);
    json_t *json = answer(fd), *value = json_object_get(json, "return");
    if (!value)
        fail_msg("%s failed", command);
    json_incref(value);
    json_decref(json);
    return value;
}

static int client(int which)
{
    int fd = dial(which);
    json_decref(answer(fd));
    expect(fd, "{\"execute\":\"qmp_capabilities\"}\r\n", "{\"return\":{}}");
    return fd;
}

static void goodbye(int fd)
{
    close(fd);
    turns(3);
}

#define GENERIC "GenericError"

/* ---- the protocol ---- */

/* What libxl does for a plain `xl create`, byte for byte. */
static void test_libxl(void **state)
{
    (void)state;
    machine.state = QMP_RUNNING;
    machine.vnc = true;
    struct stat st;
    assert_int_equal(lstat(path[0], &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    int fd = dial(0);
    assert_string_equal(line(fd),
                        "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":0},"
                        "\"package\":\"hvm-dm " HVM_DM_VERSION "\"},\"capabilities\":[]}}");
    expect(fd, "{\"execute\":\"qmp_capabilities\",\"id\":2020372736}\r\n",
           "{\"return\":{},\"id\":2020372736}");
    say(fd, "{\"execute\":\"query-chardev\",\"id\":2020372737}\r\n");
    json_t *json = answer(fd);
    assert_int_equal(json_integer_value(json_object_get(json, "id")), 2020372737);
    json_t *serial = json_array_get(json_object_get(json, "return"), 2);
    assert_string_equal(json_string_value(json_object_get(serial, "filename")), "pty:/dev/pts/3");
    json_decref(json);
    expect(fd, "{\"execute\":\"query-vnc\",\"id\":2020372738}\r\n",
           "{\"return\":{\"enabled\":true,\"host\":\"127.0.0.1\",\"service\":\"5900\","
           "\"family\":\"ipv4\",\"auth\":\"vnc\"},\"id\":2020372738}");
    expect(fd,
           "{\"execute\":\"change-vnc-password\",\"id\":2020372739,\"arguments\":{\"password\":"
           "\"sekret\"}}\r\n",
           "{\"return\":{},\"id\":2020372739}");
    goodbye(fd);
    fd = client(0);
    expect(fd, "{\"execute\":\"cont\",\"id\":2020372737}\r\n", "{\"return\":{},\"id\":2020372737}");
    assert_int_equal(machine.conts, 1);
    goodbye(fd);
}

static void test_negotiation(void **state)
{
    (void)state;
    int fd = dial(0);
    json_t *greeting = answer(fd);
    json_t *version = json_object_get(json_object_get(greeting, "QMP"), "version");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(version, "qemu"), "major")),
                     CONFIG_QEMU_MAJOR);
    json_decref(greeting);
    expect_error(fd, "{\"execute\":\"query-status\"}\r\n", "CommandNotFound", "qmp_capabilities");
    expect_error(fd, "{\"execute\":\"quit\"}\r\n", "CommandNotFound", "qmp_capabilities");
    assert_int_equal(machine.quits, 0);
    qmp_event(qmp, "STOP"); /* not for those who have not negotiated */
    expect_error(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}",
                 GENERIC, "enable");
    expect(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}",
           "{\"return\":{}}");
    expect_error(fd, "{\"execute\":\"qmp_capabilities\"}", "CommandNotFound", "already");
    goodbye(fd);
    /* The next client starts afresh. */
    fd = dial(0);
    json_decref(answer(fd));
    expect_error(fd, "{\"execute\":\"query-status\"}\r\n", "CommandNotFound", "qmp_capabilities");
    goodbye(fd);
}

static void test_ids(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "0",    "-1",    "2020372736",     "9223372036854775807", "\"a b\"", "true",
        "null", "[1,2]", "{\"a\":[null]}", "\"\\u0001\\u00e9\"",  "1.5",
    };
    static const char *const echoes[] = {
        "0",    "-1",    "2020372736",     "9223372036854775807", "\"a b\"", "true",
        "null", "[1,2]", "{\"a\":[null]}", "\"\\u0001\xc3\xa9\"", "1.5",
    };
    int fd = client(0);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char command[128], wanted[128];
        snprintf(command, sizeof(command), "{\"id\":%s,\"execute\":\"cont\"}\r\n", ids[i]);
        snprintf(wanted, sizeof(wanted), "{\"return\":{},\"id\":%s}", echoes[i]);
        expect(fd, command, wanted);
        snprintf(command, sizeof(command), "{\"execute\":\"no\",\"id\":%s}\r\n", ids[i]);
        snprintf(wanted, sizeof(wanted),
                 "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"there is no command 'no'\"},"
                 "\"id\":%s}",
                 echoes[i]);
        expect(fd, command, wanted);
    }
    goodbye(fd);
}

static void test_split_and_joined(void **state)
{
    (void)state;
    static const char command[] = "{\"execute\": \"human-monitor-command\", \"arguments\": "
                                  "{\"command-line\": \"in\\\"}{ fo \\\\\"}}\r\n";
    int fd = client(0);
    for (size_t i = 0; i < sizeof(command) - 1; i++) {
        send_all(fd, command + i, 1);
        if (i < sizeof(command) - 4)
            assert_int_equal(recv(fd, (char[1]){0}, 1, 0), -1);
    }
    json_t *json = answer(fd);
    assert_non_null(json_object_get(json, "return"));
    json_decref(json);
    /* No newline at all, white space everywhere, three in one. */
    expect(fd, "\n\t {\"execute\":\"cont\"}", "{\"return\":{}}");
    say(fd, "{\"execute\":\"cont\",\"id\":1}{\"execute\":\"cont\",\"id\":2}\n"
            "{\"execute\":\"cont\",\"id\":3}{\"exec");
    assert_string_equal(line(fd), "{\"return\":{},\"id\":1}");
    assert_string_equal(line(fd), "{\"return\":{},\"id\":2}");
    assert_string_equal(line(fd), "{\"return\":{},\"id\":3}");
    assert_null(line(fd));
    expect(fd, "ute\":\"cont\"}", "{\"return\":{}}");
    /* More at once than one turn takes. */
    char *many = malloc(200 * 32);
    size_t len = 0;
    for (int i = 0; i < 200; i++)
        len += (size_t)sprintf(many + len, "{\"execute\":\"cont\",\"id\":%d}", i);
    send_all(fd, many, len);
    for (int i = 0; i < 200; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "{\"return\":{},\"id\":%d}", i);
        assert_string_equal(line(fd), wanted);
    }
    free(many);
    /* Half-closed: what was asked is answered, then the end. */
    say(fd, "{\"execute\":\"cont\",\"id\":7}");
    shutdown(fd, SHUT_WR);
    turns(3);
    assert_string_equal(line(fd), "{\"return\":{},\"id\":7}");
    assert_null(line(fd));
    assert_int_equal(recv(fd, (char[1]){0}, 1, 0), 0);
    goodbye(fd);
}

static void test_garbage(void **state)
{
    (void)state;
    int fd = client(0);
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "\"execute\"\n",
        "}\n",
        "]\n",
        "12\n",
        "\xff\xfe\n",
        "[]\r\n",
        "[{\"execute\":\"cont\"}]\r\n",
        "{}\r\n",
        "{\"execute\"}\r\n",
        "{\"execute\":}\r\n",
        "{\"execute\":1}\r\n",
        "{\"execute\":null}\r\n",
        "{\"execute\":\"cont\",\"execute\":\"cont\"}\r\n",
        "{\"execute\":\"cont\",\"arguments\":[]}\r\n",
        "{\"execute\":\"cont\",\"arguments\":1}\r\n",
        "{\"execute\":\"cont\",\"extra\":1}\r\n",
        "{\"exec-oob\":\"cont\"}\r\n",
        "{\"execute\":\"cont\",}\r\n",
        "{\"execute\":\"co\\u0000nt\"}\r\n",
        "{\"execute\":\"\xc3\x28\"}\r\n",
        "{\"execute\":\"cont\",\"id\":18446744073709551616}\r\n",
        "{\"execute\":\"cont\",\"id\":1e999}\r\n",
        "{\"execute\":\"\\ud800\"}\r\n",
        "{]\r\n",
        "{\"execute\":\"cont\r\n",
        "{'execute':'cont'}\r\n",
        "{\"execute\":\"cont\"]\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        machine.conts = 0;
        expect_error(fd, bad[i], GENERIC, "");
        assert_int_equal(machine.conts, 0);
        expect(fd, "{\"execute\":\"cont\",\"id\":1}\r\n", "{\"return\":{},\"id\":1}");
    }
    send_all(fd, "\0\0{\n", 4); /* a NUL is garbage; its line is skipped */
    json_t *json = answer(fd);
    assert_non_null(json_object_get(json, "error"));
    json_decref(json);
    expect(fd, "{\"execute\":\"cont\"}\r\n", "{\"return\":{}}");
    goodbye(fd);
}

static void test_bounds(void **state)
{
    (void)state;
    int fd = client(0);
    char *big = malloc(1 << 20);
    assert_non_null(big);
    /* Depth: 32 is taken apart (and is no known request), 33 is not looked at. */
    for (int depth = 32; depth <= 33; depth++) {
        char text[256] = "{\"execute\":\"cont\",\"id\":";
        for (int i = 1; i < depth; i++)
            strcat(text, "[");
        for (int i = 1; i < depth; i++)
            strcat(text, "]");
        strcat(text, "}\n");
        if (depth == 32) {
            say(fd, text);
            json_t *json = answer(fd);
            assert_non_null(json_object_get(json, "return"));
            json_decref(json);
        } else
            expect_error(fd, text, GENERIC, "deep");
    }
    memset(big, '[', 100000);
    big[100000] = '\n';
    send_all(fd, big, 100001);
    json_t *json = answer(fd);
    assert_non_null(json_object_get(json, "error"));
    json_decref(json);
    assert_null(line(fd)); /* one answer, not 100,000 */
    expect(fd, "{\"execute\":\"cont\"}", "{\"return\":{}}");

    /* Length: one that just fits, one that does not. */
    for (int over = 0; over < 2; over++) {
        size_t len = 65536 + (size_t)over;
        int n = sprintf(big, "{\"execute\":\"cont\",\"id\":\"");
        memset(big + n, 'x', len - (size_t)n);
        memcpy(big + len - 2, "\"}", 2);
        big[len] = '\n';
        send_all(fd, big, len + 1);
        json = answer(fd);
        assert_non_null(json_object_get(json, over ? "error" : "return"));
        json_decref(json);
        expect(fd, "{\"execute\":\"cont\"}\n", "{\"return\":{}}");
    }
    /* White space is no message, however long. */
    memset(big, ' ', 1 << 20);
    send_all(fd, big, 1 << 20);
    expect(fd, "{\"execute\":\"cont\"}\n", "{\"return\":{}}");

    /* Whoever does not read is not listened to, and does not cost more and more memory. */
    machine.conts = 0;
    int n = 0;
    size_t one = (size_t)sprintf(big, "{\"execute\":\"query-commands\"}");
    for (int quiet = 0; quiet < 50;) {
        if (send(fd, big, one, MSG_NOSIGNAL) == (ssize_t)one) {
            n++;
            quiet = 0;
        } else
            quiet++;
        assert_true(n < 100000);
        turns(1);
    }
    for (int i = 0; i < 20000; i++)
        qmp_event(qmp, "STOP"); /* beyond 1 MiB unread it is dropped */
    turns(5);
    size_t got = 0;
    for (ssize_t r; (r = recv(fd, big, 1 << 20, 0)) > 0;)
        got += (size_t)r;
    assert_true(got > 0);
    assert_int_equal(recv(fd, big, 1, 0), 0);
    goodbye(fd);
    fd = client(0);
    expect(fd, "{\"execute\":\"cont\"}\n", "{\"return\":{}}");
    goodbye(fd);
    free(big);
}

/* A slow reader gets everything, once it reads. */
static void test_slow_reader(void **state)
{
    (void)state;
    int fd = client(0);
    const char command[] = "{\"execute\":\"query-commands\"}";
    int sent = 0, got = 0;
    for (int quiet = 0; quiet < 50 && sent < 5000;) {
        if (send(fd, command, sizeof(command) - 1, MSG_NOSIGNAL) > 0) {
            sent++;
            quiet = 0;
        } else
            quiet++;
        turns(1);
    }
    assert_true(sent > 100);
    while (line(fd))
        got++;
    assert_int_equal(got, sent);
    goodbye(fd);
}

static void test_clients(void **state)
{
    (void)state;
    int first = client(0), second = dial(0), other = client(1);
    assert_null(line(second)); /* waits for its turn */
    say(second, "{\"execute\":\"qmp_capabilities\"}");
    expect(first, "{\"execute\":\"cont\"}", "{\"return\":{}}");
    expect(other, "{\"execute\":\"cont\"}", "{\"return\":{}}");
    /* Gone in the middle of a message. */
    say(first, "{\"execute\":\"qu");
    goodbye(first);
    json_t *greeting = answer(second);
    assert_non_null(json_object_get(greeting, "QMP"));
    json_decref(greeting);
    assert_string_equal(line(second), "{\"return\":{}}");
    /* Gone with an answer under way. */
    say(second, "{\"execute\":\"query-block\"}");
    goodbye(second);
    for (int i = 0; i < 20; i++) {
        int fd = client(0);
        goodbye(fd);
    }
    goodbye(other);
    assert_int_equal(machine.quits, 0);
}

static void test_events(void **state)
{
    (void)state;
    int a = client(0), b = client(1);
    machine.state = QMP_RUNNING;
    say(a, "{\"execute\":\"stop\",\"id\":1}");
    for (int i = 0; i < 2; i++) {
        json_t *event = answer(i ? b : a);
        assert_string_equal(json_string_value(json_object_get(event, "event")), "STOP");
        json_t *time = json_object_get(event, "timestamp");
        assert_true(json_integer_value(json_object_get(time, "seconds")) > 1500000000);
        json_int_t us = json_integer_value(json_object_get(time, "microseconds"));
        assert_true(us >= 0 && us < 1000000);
        json_decref(event);
    }
    assert_string_equal(line(a), "{\"return\":{},\"id\":1}");
    qmp_event_shutdown(qmp, true, "guest-shutdown");
    qmp_event_reset(qmp, false, "host-qmp-system-reset");
    qmp_event_tray(qmp, "ide-5632", NULL, true);
    const struct block_failure full = {BLOCK_DISCARD, ENOSPC, BLOCK_ACTION_STOP};
    qmp_event_block_error(qmp, 3, "ide1-hd1", NULL, &full);
    static const char *const wanted[] = {
        "\"event\":\"SHUTDOWN\"",
        "\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}",
        "\"event\":\"RESET\"",
        "\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}",
        "\"event\":\"DEVICE_TRAY_MOVED\"",
        "\"data\":{\"device\":\"ide-5632\",\"id\":\"\",\"tray-open\":true}",
        "\"event\":\"BLOCK_IO_ERROR\"",
        ("\"data\":{\"device\":\"ide1-hd1\",\"node-name\":\"#block003\",\"operation\":\"write\","
         "\"action\":\"stop\",\"nospace\":true,\"reason\":\"No space left on device\"}")};
    for (int i = 0; i < 8; i += 2) {
        char *text = line(b);
        assert_non_null(text);
        assert_non_null(strstr(text, wanted[i]));
        assert_non_null(strstr(text, wanted[i + 1]));
    }
    goodbye(a);
    goodbye(b);
    qmp_event(qmp, "RESUME"); /* to nobody */
}

/* ---- commands ---- */

static void test_status(void **state)
{
    (void)state;
    static const char *const names[] = {"prelaunch", "inmigrate", "paused",     "running",
                                        "io-error",  "shutdown",  "postmigrate"};
    int fd = client(0);
    for (int s = QMP_PRELAUNCH; s <= QMP_POSTMIGRATE; s++) {
        char wanted[128];
        machine.state = (enum qmp_run_state)s;
        snprintf(wanted, sizeof(wanted),
                 "{\"return\":{\"running\":%s,\"singlestep\":false,\"status\":\"%s\"}}",
                 s == QMP_RUNNING ? "true" : "false", names[s]);
        expect(fd, "{\"execute\":\"query-status\"}", wanted);
    }
    expect(fd, "{\"execute\":\"stop\"}", "{\"return\":{}}");
    expect(fd, "{\"execute\":\"cont\"}", "{\"return\":{}}");
    expect(fd, "{\"execute\":\"system_reset\",\"arguments\":{}}", "{\"return\":{}}");
    assert_int_equal(machine.stops, 1);
    assert_int_equal(machine.conts, 1);
    assert_int_equal(machine.resets, 1);
    machine.fail = true;
    machine.state = QMP_PAUSED; /* no event */
    expect_error(fd, "{\"execute\":\"stop\"}", GENERIC, "the machine?refuses");
    expect_error(fd, "{\"execute\":\"cont\"}", GENERIC, "refuses");
    expect_error(fd, "{\"execute\":\"system_reset\"}", GENERIC, "refuses");
    expect_error(fd, "{\"execute\":\"system_powerdown\"}", GENERIC, "xl trigger guest power");
    target.name = NULL;
    expect_error(fd, "{\"execute\":\"system_powerdown\"}", GENERIC, "xl trigger NAME power");
    expect(fd, "{\"execute\":\"query-name\"}", "{\"return\":{}}");
    goodbye(fd);
}

static void test_quit(void **state)
{
    (void)state;
    int fd = client(0);
    say(fd, "{\"execute\":\"quit\",\"id\":9}{\"execute\":\"system_reset\"}");
    assert_string_equal(line(fd), "{\"return\":{},\"id\":9}");
    assert_null(line(fd));
    assert_int_equal(machine.quits, 1);
    assert_int_equal(machine.resets, 0); /* nothing behind it is done */
    goodbye(fd);
    assert_int_equal(machine.quits, 1);
    /* Also when nobody waits for the answer. */
    fd = client(0);
    send(fd, "{\"execute\":\"quit\"}", 18, MSG_NOSIGNAL);
    close(fd);
    turns(5);
    assert_int_equal(machine.quits, 2);
}

static void test_arguments(void **state)
{
    (void)state;
    int fd = client(0);
    expect_error(fd, "{\"execute\":\"xen-set-global-dirty-log\"}", GENERIC, "'enable'|missing");
    expect_error(fd, "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":1}}",
                 GENERIC, "'enable'|true or false");
    expect_error(fd,
                 "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true,"
                 "\"more\":1}}",
                 GENERIC, "no argument 'more'");
    expect_error(fd, "{\"execute\":\"query-status\",\"arguments\":{\"x\":null}}", GENERIC, "'x'");
    expect_error(fd, "{\"execute\":\"change-vnc-password\",\"arguments\":{\"password\":null}}",
                 GENERIC, "'password'|a string");
    expect_error(fd, "{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":1.0}}", GENERIC,
                 "'fdset-id'|an integer");
    expect_error(fd, "{\"execute\":\"qmp_capabilities\"}", "CommandNotFound", "already");
    expect_error(fd, "{\"execute\":\"device_add\"}", "CommandNotFound", "device_add");
    expect_error(fd, "{\"execute\":\"\"}", "CommandNotFound", "");
    expect(fd, "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true}}",
           "{\"return\":{}}");
    assert_true(machine.dirty_log);
    expect(fd, "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":false}}",
           "{\"return\":{}}");
    assert_false(machine.dirty_log);
    goodbye(fd);
}

static void test_queries(void **state)
{
    (void)state;
    int fd = client(0);
    char wanted[512];
    snprintf(wanted, sizeof(wanted),
             "{\"return\":[{\"label\":\"libxl-cmd\",\"filename\":\"unix:%s,server=on\","
             "\"frontend-open\":true},{\"label\":\"libxenstat-cmd\",\"filename\":\"unix:%s,"
             "server=on\",\"frontend-open\":true},{\"label\":\"serial0\",\"filename\":\"pty:/dev/"
             "pts/3\",\"frontend-open\":true}]}",
             path[0], path[1]);
    expect(fd, "{\"execute\":\"query-chardev\"}", wanted);
    expect(fd, "{\"execute\":\"query-vnc\"}", "{\"return\":{\"enabled\":false}}");
    machine.vnc = true;
    expect(fd, "{\"execute\":\"query-vnc\"}",
           "{\"return\":{\"enabled\":true,\"host\":\"127.0.0.1\",\"service\":\"5900\","
           "\"family\":\"ipv4\",\"auth\":\"vnc\"}}");
    expect(fd, "{\"execute\":\"query-hotpluggable-cpus\"}", "{\"return\":[]}");
    expect(fd, "{\"execute\":\"query-name\"}", "{\"return\":{\"name\":\"guest\"}}");

    json_t *json = query(fd, "query-version");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "qemu"), "minor")),
                     CONFIG_QEMU_MINOR);
    json_decref(json);

    json = query(fd, "query-cpus-fast");
    assert_int_equal(json_array_size(json), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json, 1), "cpu-index")), 1);
    json_decref(json);

    json = query(fd, "query-pci");
    assert_int_equal(json_array_size(json), 1);
    json_t *devices = json_object_get(json_array_get(json, 0), "devices");
    assert_int_equal(json_array_size(devices), 2);
    json_t *device = json_array_get(devices, 1);
    assert_string_equal(json_string_value(json_object_get(device, "qdev_id")), "vga");
    assert_int_equal(json_integer_value(json_object_get(device, "slot")), 2);
    assert_int_equal(json_integer_value(json_object_get(device, "function")), 0);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(device, "class_info"), "class")), 0x300);
    assert_int_equal(json_array_size(json_object_get(device, "regions")), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(devices, 0), "qdev_id")),
                        "");
    json_decref(json);

    json = query(fd, "query-block");
    assert_int_equal(json_array_size(json), 2);
    json_t *disk = json_array_get(json, 0), *cd = json_array_get(json, 1);
    assert_string_equal(json_string_value(json_object_get(disk, "io-status")), "nospace");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(disk, "inserted"), "detect_zeroes")),
        "on");
    assert_string_equal(json_string_value(json_object_get(disk, "device")), "ide0-hd0");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(disk, "inserted"), "file")),
        "/guest/?.img"); /* not UTF-8, and still an answer */
    assert_null(json_object_get(cd, "inserted"));
    assert_string_equal(json_string_value(json_object_get(cd, "qdev")), "ide-5632");
    assert_true(json_is_true(json_object_get(cd, "removable")));
    json_decref(json);

    json = query(fd, "query-blockstats");
    json_t *stats = json_object_get(json_array_get(json, 0), "stats");
    static const char *const names[] = {"rd_bytes", "wr_bytes", "rd_operations", "wr_operations",
                                        "flush_operations"};
    for (int i = 0; i < 5; i++)
        assert_int_equal(json_integer_value(json_object_get(stats, names[i])), i + 1);
    json_decref(json);

    /* Every command that is named can be called. */
    json = query(fd, "query-commands");
    size_t i;
    json_t *command;
    assert_true(json_array_size(json) > 25);
    json_array_foreach(json, i, command)
    {
        const char *name = json_string_value(json_object_get(command, "name"));
        char text[128];
        if (!strcmp(name, "quit"))
            continue;
        snprintf(text, sizeof(text), "{\"execute\":\"%s\"}", name);
        say(fd, text);
        json_t *reply = answer(fd);
        const char *class =
            json_string_value(json_object_get(json_object_get(reply, "error"), "class"));
        if (class && strcmp(name, "qmp_capabilities"))
            assert_string_equal(class, GENERIC);
        json_decref(reply);
        while (line(fd))
            ; /* events */
    }
    json_decref(json);

    say(fd, "{\"execute\":\"query-command-line-options\"}");
    json = answer(fd);
    bool chroot_there = false, user_there = false;
    json_array_foreach(json_object_get(json, "return"), i, command)
    {
        size_t n;
        json_t *parameter;
        if (strcmp(json_string_value(json_object_get(command, "option")), "run-with"))
            continue;
        json_array_foreach(json_object_get(command, "parameters"), n, parameter)
        {
            const char *name = json_string_value(json_object_get(parameter, "name"));
            chroot_there |= !strcmp(name, "chroot");
            user_there |= !strcmp(name, "user");
        }
    }
    assert_true(chroot_there && user_there);
    json_decref(json);
    expect_error(fd,
                 "{\"execute\":\"query-command-line-options\",\"arguments\":{\"option\":\"x\"}}",
                 GENERIC, "'x'");
    goodbye(fd);
}

static void test_vnc_password(void **state)
{
    (void)state;
    int fd = client(0);
#define SET(password) \
    "{\"execute\":\"change-vnc-password\",\"arguments\":{\"password\":\"" password "\"}}"
    expect(fd, SET("sekret"), "{\"return\":{}}");
    assert_true(machine.password_set);
    assert_string_equal(machine.password, "sekret");
    expect(fd, SET(""), "{\"return\":{}}");
    assert_false(machine.password_set);
    expect(fd,
           "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":\"a\","
           "\"connected\":\"keep\"}}",
           "{\"return\":{}}");
    assert_string_equal(machine.password, "a");
    expect(fd,
           "{\"execute\":\"change\",\"arguments\":{\"device\":\"vnc\",\"target\":\"password\","
           "\"arg\":\"b\"}}",
           "{\"return\":{}}");
    assert_string_equal(machine.password, "b");
    expect_error(fd,
                 "{\"execute\":\"change\",\"arguments\":{\"device\":\"vnc\",\"target\":\":1\"}}",
                 GENERIC, "address");
    expect_error(fd,
                 "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"spice\","
                 "\"password\":\"a\"}}",
                 GENERIC, "spice|vnc");
    expect_error(fd,
                 "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":"
                 "\"a\",\"connected\":\"fail\"}}",
                 GENERIC, "connected|keep");
#define EXPIRE(time) \
    "{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\",\"time\":\"" time "\"}}"
    expect(fd, EXPIRE("+86400"), "{\"return\":{}}");
    assert_true(clock_deadline(loop_clock(loop)) != CLOCK_NEVER);
    assert_true(machine.password_set);
    expect(fd, EXPIRE("never"), "{\"return\":{}}");
    assert_true(clock_deadline(loop_clock(loop)) == CLOCK_NEVER);
    expect(fd, EXPIRE("+3600"), "{\"return\":{}}");
    clock_run(loop_clock(loop), clock_deadline(loop_clock(loop)));
    assert_false(machine.password_set);
    expect(fd, SET("again"), "{\"return\":{}}");
    expect(fd, EXPIRE("4102444800"), "{\"return\":{}}"); /* the year 2100 */
    assert_true(clock_deadline(loop_clock(loop)) == CLOCK_NEVER);
    expect(fd, EXPIRE("+99999999999999999"), "{\"return\":{}}");
    assert_true(machine.password_set);
    expect(fd, EXPIRE("1000"), "{\"return\":{}}"); /* long past */
    assert_false(machine.password_set);
    expect(fd, SET("again"), "{\"return\":{}}");
    expect(fd, EXPIRE("now"), "{\"return\":{}}");
    assert_false(machine.password_set);
    expect_error(fd, EXPIRE("soon"), GENERIC, "soon");
    expect_error(fd, EXPIRE("-1"), GENERIC, "-1");
    /* A new password ends the old one's term. */
    expect(fd, EXPIRE("+3600"), "{\"return\":{}}");
    expect(fd, SET("fresh"), "{\"return\":{}}");
    assert_true(clock_deadline(loop_clock(loop)) == CLOCK_NEVER);
    machine.fail = true;
    expect_error(fd, SET("x"), GENERIC, "refuses");
    goodbye(fd);
}

/* ---- descriptors ---- */

static void send_fds(int sock, const char *text, const int *fds, size_t count)
{
    char control[CMSG_SPACE(64 * sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
    turns(3);
}

static int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int scratch(const char *contents)
{
    char name[80];
    snprintf(name, sizeof(name), "%s/file", dir);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, contents, strlen(contents)), strlen(contents));
    return fd;
}

/* xl cd-insert: add-fd, eject, blockdev-change-medium. */
#define COMMAND(name, args) "{\"execute\":\"" name "\",\"arguments\":{" args "}}"
#define NO_LIMIT            "\"bps\":0,\"bps_rd\":0,\"bps_wr\":0,\"iops\":0,\"iops_rd\":0,\"iops_wr\":0"

static void test_disks(void **state)
{
    (void)state;
    int fd = client(0);
    expect(fd, COMMAND("block_resize", "\"device\":\"ide0-hd0\",\"size\":1073741824"),
           "{\"return\":{}}");
    assert_int_equal(machine.bytes, 1 << 30);
    assert_int_equal(machine.index, 0);
    expect(fd, COMMAND("block_resize", "\"node-name\":\"#block000\",\"size\":512"),
           "{\"return\":{}}");
    assert_int_equal(machine.bytes, 512);
    expect_error(fd, COMMAND("block_resize", "\"size\":512"), GENERIC, "names the drive");
    expect_error(fd, COMMAND("block_resize", "\"device\":\"ide0-hd0\",\"size\":-1"), GENERIC,
                 "size");
    expect_error(fd, COMMAND("block_resize", "\"device\":\"x\",\"size\":512"), "DeviceNotFound",
                 "'x'");
    expect_error(fd, COMMAND("block_resize", "\"node-name\":\"#block001\",\"size\":512"),
                 "DeviceNotFound", "#block001");
    expect_error(fd, COMMAND("block_resize", "\"device\":\"ide-5632\",\"size\":512"), GENERIC,
                 "no medium");

    expect(fd,
           COMMAND("block_set_io_throttle",
                   "\"id\":\"ide0-hd0\",\"bps\":0,\"bps_rd\":1000,\"bps_wr\":2000,\"iops\":30,"
                   "\"iops_rd\":0,\"iops_wr\":0,\"bps_wr_max\":4000,\"bps_wr_max_length\":7,"
                   "\"iops_size\":4096"),
           "{\"return\":{}}");
    assert_int_equal(machine.limits.of[BLOCK_LIMIT_BPS_READ].avg, 1000);
    assert_int_equal(machine.limits.of[BLOCK_LIMIT_BPS_WRITE].avg, 2000);
    assert_int_equal(machine.limits.of[BLOCK_LIMIT_BPS_WRITE].max, 4000);
    assert_int_equal(machine.limits.of[BLOCK_LIMIT_BPS_WRITE].length, 7);
    assert_int_equal(machine.limits.of[BLOCK_LIMIT_IOPS].avg, 30);
    assert_int_equal(machine.limits.iops_size, 4096);
    json_t *json = query(fd, "query-named-block-nodes");
    assert_int_equal(json_array_size(json), 1); /* the CD has no medium */
    json_t *node = json_array_get(json, 0);
    assert_string_equal(json_string_value(json_object_get(node, "node-name")), "#block000");
    assert_string_equal(json_string_value(json_object_get(node, "drv")), "raw");
    assert_int_equal(json_integer_value(json_object_get(node, "bps_wr")), 2000);
    assert_int_equal(json_integer_value(json_object_get(node, "bps_wr_max_length")), 7);
    assert_null(json_object_get(node, "bps_rd_max"));
    assert_int_equal(json_integer_value(json_object_get(node, "iops_size")), 4096);
    json_decref(json);
    expect_error(fd, COMMAND("block_set_io_throttle", "\"device\":\"ide0-hd0\",\"bps\":1"), GENERIC,
                 "'bps_rd' is missing");
    expect_error(
        fd,
        COMMAND("block_set_io_throttle", "\"device\":\"ide0-hd0\"," NO_LIMIT ",\"iops_max\":-3"),
        GENERIC, "iops_max");
    expect_error(
        fd,
        COMMAND("block_set_io_throttle", "\"device\":\"ide0-hd0\"," NO_LIMIT ",\"group\":\"g\""),
        GENERIC, "group");
    machine.fail = true;
    expect_error(fd, COMMAND("block_set_io_throttle", "\"device\":\"ide0-hd0\"," NO_LIMIT), GENERIC,
                 "refuses");
    goodbye(fd);
}

static void test_cd(void **state)
{
    (void)state;
    int fd = client(0), file = scratch("iso"), before = open_files();
    send_fds(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"opaque\":\"raw:/guest/b.iso\"}}", &file,
             1);
    json_t *json = answer(fd);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(json, "return"), "fdset-id")), 0);
    json_int_t number = json_integer_value(json_object_get(json_object_get(json, "return"), "fd"));
    assert_int_equal(fcntl((int)number, F_GETFD), FD_CLOEXEC);
    json_decref(json);
    char wanted[160];
    snprintf(
        wanted, sizeof(wanted),
        "{\"return\":[{\"fdset-id\":0,\"fds\":[{\"fd\":%d,\"opaque\":\"raw:/guest/b.iso\"}]}]}",
        (int)number);
    expect(fd, "{\"execute\":\"query-fdsets\"}", wanted);
    expect(fd, "{\"execute\":\"eject\",\"arguments\":{\"id\":\"ide-5632\"}}", "{\"return\":{}}");
    assert_int_equal(machine.ejects, 1);
    assert_int_equal(machine.index, 1);
    assert_false(machine.force);
#define CHANGE(file)                                                                         \
    "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"ide-5632\",\"format\":" \
    "\"raw\",\"filename\":\"" file "\"}}"
    expect(fd, CHANGE("/dev/fdset/0"), "{\"return\":{}}");
    assert_string_equal(machine.contents, "iso");
    assert_int_equal(machine.index, 1);
    assert_int_not_equal(machine.medium_fd, number); /* a copy */
    expect(fd, "{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":0}}", "{\"return\":{}}");
    expect(fd, "{\"execute\":\"query-fdsets\"}", "{\"return\":[]}");
    assert_int_equal(open_files(), before);

    expect_error(fd, CHANGE("/dev/fdset/0"), GENERIC, "/dev/fdset/0");
    expect_error(fd, CHANGE("/dev/fdset/x"), GENERIC, "/dev/fdset/x");
    expect_error(fd, CHANGE(""), GENERIC, "empty");
    expect(fd, CHANGE("/guest/b.iso"), "{\"return\":{}}");
    assert_int_equal(machine.medium_fd, -1);
    assert_string_equal(machine.file, "/guest/b.iso");
    expect(fd,
           "{\"execute\":\"change\",\"arguments\":{\"device\":\"ide-5632\",\"target\":\"/c.iso\","
           "\"arg\":\"raw\"}}",
           "{\"return\":{}}");
    assert_string_equal(machine.file, "/c.iso");
    close(file);
    goodbye(fd);
}

static void test_cd_errors(void **state)
{
    (void)state;
    int fd = client(0);
#define EJECT(args) "{\"execute\":\"eject\",\"arguments\":{" args "}}"
    expect(fd, EJECT("\"device\":\"ide-5632\",\"force\":true"), "{\"return\":{}}");
    assert_true(machine.force);
    expect_error(fd, EJECT(""), GENERIC, "'id'");
    expect_error(fd, EJECT("\"id\":\"ide-9\""), "DeviceNotFound", "ide-9");
    expect_error(fd, EJECT("\"id\":\"\""), "DeviceNotFound", "");
    expect_error(fd, EJECT("\"id\":\"ide0-hd0\""), GENERIC, "ide0-hd0");
    expect_error(fd,
                 "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"ide-5632\","
                 "\"filename\":\"/a\",\"format\":\"qed\"}}",
                 GENERIC, "qed|raw");
    expect_error(fd,
                 "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"ide-5632\","
                 "\"filename\":\"/a\",\"read-only-mode\":\"read-write\"}}",
                 GENERIC, "read-only");
    expect_error(fd,
                 "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"ide0-hd0\","
                 "\"filename\":\"/a\"}}",
                 GENERIC, "ide0-hd0");
    assert_int_equal(machine.changes, 0);
    machine.fail = true;
    expect_error(fd, EJECT("\"id\":\"ide-5632\""), GENERIC, "refuses");
    expect_error(fd, CHANGE("/a"), GENERIC, "refuses");
    goodbye(fd);
}

/* A floppy drive: writable or not as is said, and nothing locks it. */
static void test_floppy(void **state)
{
    (void)state;
    int fd = client(0);
    machine.floppy = true;
#define FLOPPY(mode)                                                                           \
    "{\"execute\":\"blockdev-change-medium\",\"arguments\":{\"id\":\"ide-5632\",\"filename\":" \
    "\"/a\"" mode "}}"
    expect(fd, FLOPPY(""), "{\"return\":{}}");
    assert_true(machine.retain && !machine.read_only);
    expect(fd, FLOPPY(",\"read-only-mode\":\"retain\""), "{\"return\":{}}");
    assert_true(machine.retain);
    expect(fd, FLOPPY(",\"read-only-mode\":\"read-only\""), "{\"return\":{}}");
    assert_true(!machine.retain && machine.read_only);
    expect(fd, FLOPPY(",\"read-only-mode\":\"read-write\""), "{\"return\":{}}");
    assert_true(!machine.retain && !machine.read_only);
    expect_error(fd, FLOPPY(",\"read-only-mode\":\"maybe\""), GENERIC, "maybe");
    expect(fd, EJECT("\"id\":\"ide-5632\""), "{\"return\":{}}");
    assert_int_equal(machine.ejects, 1);
    say(fd, "{\"execute\":\"query-block\"}\r\n");
    json_t *json = answer(fd);
    const json_t *drive = json_array_get(json_object_get(json, "return"), 1);
    assert_true(json_is_true(json_object_get(drive, "removable")));
    assert_null(json_object_get(drive, "tray_open"));
    json_decref(json);
    goodbye(fd);
}

static void test_save(void **state)
{
    (void)state;
    int fd = client(0), file = scratch("");
    char text[160], contents[8] = "";
    send_fds(fd, "{\"execute\":\"add-fd\"}\r\n", &file, 1);
    json_decref(answer(fd));
    expect(fd,
           "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"/dev/fdset/0\","
           "\"live\":false}}\r\n",
           "{\"return\":{}}");
    assert_false(machine.live);
    assert_int_equal(pread(file, contents, 7, 0), 5);
    assert_string_equal(contents, "state");
    snprintf(text, sizeof(text),
             "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"%s/save\"}}",
             dir);
    expect(fd, text, "{\"return\":{}}");
    assert_true(machine.live); /* the default */
    snprintf(text, sizeof(text), "%s/save", dir);
    struct stat st;
    assert_int_equal(stat(text, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(st.st_mode & 077, 0);
    unlink(text);
    expect_error(fd,
                 "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"/no/x\"}}",
                 GENERIC, "/no/x|No such file");
    expect_error(fd,
                 "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":"
                 "\"/dev/full\"}}",
                 GENERIC, "No space");
    /* A set that cannot be written to. */
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    send_fds(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":7}}", &zero, 1);
    json_decref(answer(fd));
    expect_error(fd,
                 "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":"
                 "\"/dev/fdset/7\"}}",
                 GENERIC, "/dev/fdset/7|writing");
    machine.fail = true;
    expect_error(fd,
                 "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":"
                 "\"/dev/fdset/0\"}}",
                 GENERIC, "refuses");
    close(file);
    close(zero);
    goodbye(fd);
}

static void test_descriptors(void **state)
{
    (void)state;
    int file = scratch("x"), many[40], before = open_files();
    for (int i = 0; i < 40; i++)
        many[i] = file;
    int fd = client(0);
    expect_error(fd, "{\"execute\":\"add-fd\"}", GENERIC, "no descriptor");
    /* Nobody takes them. */
    send_fds(fd, "{\"execute\":\"cont\"}\r\n", many, 3);
    assert_string_equal(line(fd), "{\"return\":{}}");
    send_fds(fd, "garbage\n", many, 40);
    json_decref(answer(fd));
    send_fds(fd, "\r\n", many, 1);
    turns(3);
    expect_error(fd, "{\"execute\":\"add-fd\"}", GENERIC, "no descriptor");
    assert_int_equal(open_files(), before + 2); /* the two ends of the connection */
    /* In the middle of a message; then it never ends. */
    send_fds(fd, "{\"execute\":", many, 5);
    send_fds(fd, "\"add-fd\",", many, 5);
    send_fds(fd, "\"id\":1", many, 5);
    assert_int_equal(open_files(), before + 2 + 8);
    goodbye(fd);
    assert_int_equal(open_files(), before);

    /* Several with one message are one command's each, in order. */
    fd = client(0);
    send_fds(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":3}}{\"execute\":\"add-fd\"}",
             many, 2);
    for (int i = 0; i < 2; i++) {
        json_t *json = answer(fd);
        assert_int_equal(
            json_integer_value(json_object_get(json_object_get(json, "return"), "fdset-id")),
            i ? 0 : 3);
        json_decref(json);
    }
    for (int i = 0; i < 30; i++) {
        send_fds(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":3}}", many, 1);
        json_decref(answer(fd));
    }
    send_fds(fd, "{\"execute\":\"add-fd\"}", many, 1);
    expect_error(fd, "", GENERIC, "32 descriptors");
    assert_int_equal(open_files(), before + 2 + 32);
    json_t *sets = query(fd, "query-fdsets");
    assert_int_equal(json_array_size(sets), 2);
    assert_int_equal(json_array_size(json_object_get(json_array_get(sets, 0), "fds")), 31);
    json_decref(sets);
#define REMOVE(args) "{\"execute\":\"remove-fd\",\"arguments\":{" args "}}"
    expect_error(fd, REMOVE("\"fdset-id\":9"), GENERIC, "9");
    expect_error(fd, REMOVE("\"fdset-id\":-1"), GENERIC, "");
    expect_error(fd, REMOVE("\"fdset-id\":4294967296"), GENERIC, "");
    expect_error(fd, REMOVE("\"fdset-id\":3,\"fd\":0"), GENERIC, "fd 0");
    expect_error(fd, REMOVE("\"fdset-id\":3,\"fd\":-2"), GENERIC, "");
    expect(fd, REMOVE("\"fdset-id\":3"), "{\"return\":{}}");
    assert_int_equal(open_files(), before + 2 + 1);
    expect_error(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":-1}}", GENERIC,
                 "negative");
    send_fds(fd, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":2147483648}}", many, 1);
    expect_error(fd, "", GENERIC, "range");
    /* Sets outlive a client as long as another is there (xenopsd dials anew for each command). */
    int other = client(1);
    goodbye(fd);
    sets = query(other, "query-fdsets");
    assert_int_equal(json_array_size(sets), 1);
    json_decref(sets);
    goodbye(other);
    assert_int_equal(open_files(), before);
    close(file);
}

/* -add-fd's stay. */
static void test_inherited_sets(void **state)
{
    (void)state;
    int copy = scratch("x");
    struct config_fd fds[] = {{.set = 1, .fd = copy, .opaque = (char *)"save"}};
    struct err err;
    assert_true(qmp_add_fds(qmp, fds, 1, &err));
    goodbye(client(0));
    int fd = client(0);
    json_t *sets = query(fd, "query-fdsets");
    assert_int_equal(json_array_size(sets), 1);
    json_decref(sets);
    goodbye(fd);
}

/* ---- the rest ---- */

static void test_human(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"info block", "ide0-hd0|/guest/?.img|ide-5632: [not inserted]"},
        {"  info   status ", "VM status: paused (prelaunch)"},
        {"info version", "7.2.0 (hvm-dm"},
        {"info vnc", "Server: disabled"},
        {"info pci", "1234:1111|IRQ 11, pin A|BAR0"},
        {"info chardev", "libxl-cmd|serial0: filename=pty:/dev/pts/3"},
        {"info cpus", "CPU #1"},
        {"info blockstats", "ide0-hd0: rd_bytes=1"},
        {"info name", "guest"},
        {"info nothing", "unknown command: 'info nothing'"},
        {"nothing", "unknown command: 'nothing'"},
        {"help", "info block"},
        {"info", "info block"},
        {"", ""},
        {"%s%n \\u001b[2J", "unknown command: '%s%n'"},
    };
    int fd = client(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}",
                 cases[i].line);
        say(fd, text);
        json_t *json = answer(fd);
        const char *got = json_string_value(json_object_get(json, "return"));
        assert_non_null(got);
        char *copy = strdup(cases[i].words), *rest = copy;
        for (char *w; (w = strsep(&rest, "|"));)
            if (!strstr(got, w))
                fail_msg("'%s' is not in: %s", w, got);
        free(copy);
        json_decref(json);
    }
    goodbye(fd);
}

/* The probe run has no machine: everything has an answer, quit works. */
static void test_probe(void **state)
{
    (void)state;
    target = (struct qmp_target){.opaque = machine.opaque, .quit = t_quit};
    int fd = client(0);
    expect(fd, "{\"execute\":\"query-status\"}",
           "{\"return\":{\"running\":false,\"singlestep\":false,\"status\":\"prelaunch\"}}");
    json_t *json = query(fd, "query-commands"), *command;
    size_t i;
    json_array_foreach(json, i, command)
    {
        char text[160];
        const char *name = json_string_value(json_object_get(command, "name"));
        if (strcmp(name, "quit")) {
            snprintf(text, sizeof(text), "{\"execute\":\"%s\"}", name);
            say(fd, text);
            json_decref(answer(fd));
        }
    }
    json_decref(json);
    static const char *const unavailable[] = {
        "{\"execute\":\"stop\"}",
        "{\"execute\":\"cont\"}",
        "{\"execute\":\"system_reset\"}",
        "{\"execute\":\"xen-save-devices-state\",\"arguments\":{\"filename\":\"/a\"}}",
        "{\"execute\":\"xen-set-global-dirty-log\",\"arguments\":{\"enable\":true}}",
        SET("a"),
        EXPIRE("now"),
        EXPIRE("+5"),
    };
    for (i = 0; i < sizeof(unavailable) / sizeof(unavailable[0]); i++)
        expect_error(fd, unavailable[i], GENERIC, "not available");
    expect_error(fd, EJECT("\"id\":\"a\""), "DeviceNotFound", "a");
    static const char *const lines[] = {"block", "blockstats", "chardev", "cpus", "name",
                                        "pci",   "status",     "version", "vnc"};
    for (i = 0; i < 9; i++) {
        char text[160];
        snprintf(text, sizeof(text),
                 "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info "
                 "%s\"}}",
                 lines[i]);
        say(fd, text);
        json = answer(fd);
        assert_non_null(json_object_get(json, "return"));
        json_decref(json);
    }
    expect(fd, "{\"execute\":\"quit\"}", "{\"return\":{}}");
    assert_int_equal(machine.quits, 1);
    goodbye(fd);
}

static int listening_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_sockets(void **state)
{
    (void)state;
    struct err err;
    char name[160];
    snprintf(name, sizeof(name), "%s/x", dir);
    /* One that libxl bound, passed by number. */
    struct config_monitor m = {.chardev_id = (char *)"third", .fd = listening_socket(name)};
    assert_true(qmp_listen(qmp, &m, &err));
    assert_int_equal(fcntl(m.fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(m.fd, F_GETFL) & O_NONBLOCK);
    char saved[64];
    strcpy(saved, path[0]);
    strcpy(path[0], name);
    int fd = client(0);
    expect(fd, "{\"execute\":\"cont\"}", "{\"return\":{}}");
    goodbye(fd);
    strcpy(path[0], saved);
    unlink(name);

    /* What is not one. */
    int null = open("/dev/null", O_RDWR), plain = socket(AF_UNIX, SOCK_STREAM, 0);
    m.fd = null;
    assert_false(qmp_listen(qmp, &m, &err));
    assert_non_null(strstr(err.text, "third"));
    m.fd = plain;
    assert_false(qmp_listen(qmp, &m, &err));
    assert_non_null(strstr(err.text, "listening"));
    close(plain);
    close(null);
    m.fd = 999;
    assert_false(qmp_listen(qmp, &m, &err));

    /* A dead socket gives way, a file does not. */
    close(listening_socket(name));
    m = (struct config_monitor){.chardev_id = (char *)"fourth", .path = name, .fd = -1};
    assert_true(qmp_listen(qmp, &m, &err));
    char file[160];
    snprintf(file, sizeof(file), "%s/plain", dir);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    m.path = file;
    assert_false(qmp_listen(qmp, &m, &err));
    assert_non_null(strstr(err.text, "plain"));
    unlink(file);
    snprintf(file, sizeof(file), "%s/%0130d", dir, 1);
    assert_false(qmp_listen(qmp, &m, &err));
    assert_non_null(strstr(err.text, "too long"));
    m.path = (char *)"/no/such/dir/x";
    assert_false(qmp_listen(qmp, &m, &err));
    assert_non_null(strstr(err.text, "No such file"));

    /* Somebody else's socket in our place is left alone at the end. */
    unlink(path[1]);
    int theirs = listening_socket(path[1]);
    qmp_free(qmp);
    struct stat st;
    assert_int_equal(lstat(name, &st), -1);
    assert_int_equal(lstat(path[1], &st), 0);
    close(theirs);
    unlink(path[1]);

    /* And a confined process leaves all of them. */
    qmp = qmp_new(loop, &target, &err);
    m.path = name;
    assert_true(qmp_listen(qmp, &m, &err));
    qmp_forget_paths(qmp);
    qmp_free(qmp);
    assert_int_equal(lstat(name, &st), 0);
    unlink(name);
    qmp = NULL; /* and none is fine */
}

/* No descriptor is free: it waits, without spinning, and then goes on. */
static void test_descriptors_used_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turns(3);
    assert_true(clock_deadline(loop_clock(loop)) != CLOCK_NEVER);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    turns(3);
    assert_int_equal(recv(fd, (char[1]){0}, 1, 0), -1); /* parked */
    clock_run(loop_clock(loop), clock_deadline(loop_clock(loop)));
    turns(3);
    json_t *greeting = answer(fd);
    assert_non_null(json_object_get(greeting, "QMP"));
    json_decref(greeting);
    goodbye(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_libxl),
        T(test_negotiation),
        T(test_ids),
        T(test_split_and_joined),
        T(test_garbage),
        T(test_bounds),
        T(test_slow_reader),
        T(test_clients),
        T(test_events),
        T(test_status),
        T(test_quit),
        T(test_arguments),
        T(test_queries),
        T(test_vnc_password),
        T(test_disks),
        T(test_cd),
        T(test_cd_errors),
        T(test_floppy),
        T(test_save),
        T(test_descriptors),
        T(test_inherited_sets),
        T(test_human),
        T(test_probe),
        T(test_sockets),
        T(test_descriptors_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
