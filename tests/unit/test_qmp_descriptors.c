/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp_descriptors: descriptors that come by the socket or were inherited, saved state into
 * them. */
#include "tests/unit/qmp_rig.h"

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
        T(test_save),
        T(test_descriptors),
        T(test_inherited_sets),
        T(test_descriptors_used_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
