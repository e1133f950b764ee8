/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with a tap when it is opened and closed: scripts, bridges. */
#include "tests/unit/tap_rig.h"

static char *write_script(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", text);
    fclose(f);
    assert_int_equal(chmod(path, 0755), 0);
    return strdup(path);
}

static void expect_file(const char *name, const char *text)
{
    char path[128], got[256] = "";
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(got, 1, sizeof(got) - 1, f);
    got[n] = 0;
    fclose(f);
    unlink(path);
    assert_string_equal(got, text);
}

static void scripts_are_run_with_interface_and_bridge(void **state)
{
    (void)state;
    char text[200];
    NEED_TAPS();
    snprintf(text, sizeof(text), "echo up $# $1 $2 >%s/up; test -e /sys/class/net/$1 || true",
             folder);
    config.script = write_script("ifup", text);
    snprintf(text, sizeof(text), "echo down $# $1 $2 >%s/down", folder);
    config.downscript = write_script("ifdown", text);
    config.bridge = (char *)(uintptr_t) "br7"; /* it is the script's business whether it exists */
    open_tap("tapk");
    expect_file("up", "up 2 tapk br7\n");
    teardown(NULL);
    expect_file("down", "down 2 tapk br7\n");
    free(config.downscript);

    char *script = config.script;
    setup(NULL);
    config.script = script;
    open_tap("tapk");
    expect_file("up", "up 1 tapk\n");
    free(script);
}

static void scripts_that_fail(void **state)
{
    (void)state;
    NEED_TAPS();
    config.script = write_script("fails", "exit 3");
    expect_refused("exit status 3");
    assert_int_equal(if_nametoindex("tap0"), 0); /* nothing is left */
    free(config.script);
    config.script = write_script("dies", "kill -9 $$");
    expect_refused("signal 9");
    chmod(config.script, 0644);
    expect_refused("cannot be run");
    free(config.script);
    config.script = (char *)(uintptr_t) "/nowhere/ifup";
    expect_refused("/nowhere/ifup cannot be run: No such file");
}

/* Whoever has the FIFO open for writing has ended, and there was somebody. */
static void expect_gone(int fifo)
{
    struct pollfd p = {.fd = fifo, .events = POLLIN};
    char c[8];
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(fifo, c, sizeof(c)), 2); /* its word and the line's end */
    do
        assert_int_equal(poll(&p, 1, 10000), 1);
    while (!(p.revents & POLLHUP));
    assert_int_equal(read(fifo, c, sizeof(c)), 0);
}

/* They are ended, with what they started. */
static void scripts_that_hang(void **state)
{
    (void)state;
    char path[64], text[200];
    NEED_TAPS();
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fifo >= 0);
    snprintf(text, sizeof(text), "exec 9>%s; echo x >&9; sleep 1000; exit 0", path);
    config.script_ms = 300;
    config.script = write_script("hangs", text);
    expect_refused("has not ended within 0.3 s");
    assert_int_equal(if_nametoindex("tap0"), 0);
    expect_gone(fifo);

    config.downscript = config.script;
    config.script = NULL;
    assert_true(open_it());
    teardown(NULL);
    expect_gone(fifo);
    free(config.downscript);
    close(fifo);
    setup(NULL);
}

/* What was downscript's to do is in the log, and is nobody else's failure. The way to the main
 * process is not the script's. */
static void a_downscript_that_fails(void **state)
{
    (void)state;
    char text[200], line[256] = "";
    NEED_TAPS();
    snprintf(text, sizeof(text),
             "test -e /proc/self/fd/3 && echo 3 >%s/fds || echo none >%s/fds; exit 5", folder,
             folder);
    config.downscript = write_script("ifdown", text);
    int pipes[2], usual = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    open_tap("tapm");
    teardown(NULL);
    dup2(usual, STDERR_FILENO);
    close(usual);
    close(pipes[1]);
    assert_true(read(pipes[0], line, sizeof(line) - 1) > 0);
    close(pipes[0]);
    if (!strstr(line, "-netdev net0: downscript=") || !strstr(line, "tapm failed (exit status 5)"))
        fail_msg("%s", line);
    expect_file("fds", "none\n");
    free(config.downscript);
    setup(NULL);
}

static void the_bridge_is_joined(void **state)
{
    (void)state;
    NEED_TAPS();
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    config.bridge = (char *)(uintptr_t) "nobr";
    expect_refused("no such bridge");
    if (ioctl(s, SIOCBRADDBR, "testbr")) {
        close(s);
        printf("skip: taps on a bridge: the kernel has no bridges\n");
        skip();
    }
    config.bridge = (char *)(uintptr_t) "lo";
    expect_refused("no bridge of the kernel's");
    config.bridge = (char *)(uintptr_t) "testbr";
    config.ifname = (char *)(uintptr_t) "tapl";
    assert_true(open_it());
    int port[16] = {0};
    struct ifreq r = {.ifr_name = "testbr"};
    unsigned long args[] = {7 /* BRCTL_GET_PORT_LIST */, (unsigned long)(uintptr_t)port, 16, 0};
    r.ifr_data = (char *)args;
    assert_true(ioctl(s, SIOCDEVPRIVATE, &r) >= 0);
    assert_int_equal(port[1], if_nametoindex("tapl"));
    struct ifreq up = {.ifr_name = "tapl"};
    assert_int_equal(ioctl(s, SIOCGIFFLAGS, &up), 0);
    assert_true(up.ifr_flags & IFF_UP);
    teardown(NULL);
    setup(NULL);
    /* One that is there already, and one that is elsewhere. */
    close(make_tap("tapq", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true));
    struct ifreq add = {.ifr_name = "testbr", .ifr_ifindex = (int)if_nametoindex("tapq")};
    assert_int_equal(ioctl(s, SIOCBRADDIF, &add), 0);
    config.bridge = (char *)(uintptr_t) "testbr";
    config.ifname = (char *)(uintptr_t) "tapq";
    assert_true(open_it());
    teardown(NULL);
    setup(NULL);
    assert_int_equal(ioctl(s, SIOCBRADDBR, "testbr2"), 0);
    config.bridge = (char *)(uintptr_t) "testbr2";
    config.ifname = (char *)(uintptr_t) "tapq";
    expect_refused("on another bridge");
    /* script=no: whoever said it knows where the tap belongs. */
    config.bridge = (char *)(uintptr_t) "nobr";
    config.no_script = true;
    assert_true(open_it());
    close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(scripts_are_run_with_interface_and_bridge),
        T(scripts_that_fail),
        T(scripts_that_hang),
        T(a_downscript_that_fails),
        T(the_bridge_is_joined),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
