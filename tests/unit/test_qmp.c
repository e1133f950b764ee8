/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp: the protocol: negotiation, bounds, rubbish, clients, events, sockets. */
#include "tests/unit/qmp_rig.h"

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
           "\"family\":\"ipv4\",\"auth\":\"vnc\",\"clients\":[]},\"id\":2020372738}");
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
    const struct qmp_vnc_info screen = {
        .host = "::1", .service = "5901", .ipv6 = true, .password = true};
    const struct vnc_address viewer = {.host = "192.0.2.1", .service = "7", .family = "ipv4"};
    qmp_event_vnc(qmp, VNC_CONNECTED, &screen, &viewer);
    qmp_event_vnc(qmp, VNC_INITIALIZED, &screen, &viewer);
    qmp_event_vnc(qmp, VNC_DISCONNECTED, &screen, &viewer);
    static const char *const wanted[] = {
        "\"event\":\"SHUTDOWN\"",
        "\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}",
        "\"event\":\"RESET\"",
        "\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}",
        "\"event\":\"DEVICE_TRAY_MOVED\"",
        "\"data\":{\"device\":\"ide-5632\",\"id\":\"\",\"tray-open\":true}",
        "\"event\":\"BLOCK_IO_ERROR\"",
        ("\"data\":{\"device\":\"ide1-hd1\",\"node-name\":\"#block003\",\"operation\":\"write\","
         "\"action\":\"stop\",\"nospace\":true,\"reason\":\"No space left on device\"}"),
        "\"event\":\"VNC_CONNECTED\"",
        ("\"data\":{\"server\":{\"host\":\"::1\",\"service\":\"5901\",\"family\":\"ipv6\","
         "\"websocket\":false,\"auth\":\"vnc\"},\"client\":{\"host\":\"192.0.2.1\",\"service\":"
         "\"7\","
         "\"family\":\"ipv4\",\"websocket\":false}}"),
        "\"event\":\"VNC_INITIALIZED\"",
        "\"client\":{\"host\":\"192.0.2.1\",",
        "\"event\":\"VNC_DISCONNECTED\"",
        "\"client\":{\"host\":\"192.0.2.1\","};
    for (int i = 0; i < 14; i += 2) {
        char *text = line(b);
        assert_non_null(text);
        assert_non_null(strstr(text, wanted[i]));
        assert_non_null(strstr(text, wanted[i + 1]));
    }
    goodbye(a);
    goodbye(b);
    qmp_event(qmp, "RESUME"); /* to nobody */
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_libxl),   T(test_negotiation), T(test_ids),         T(test_split_and_joined),
        T(test_garbage), T(test_bounds),      T(test_slow_reader), T(test_clients),
        T(test_events),  T(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
