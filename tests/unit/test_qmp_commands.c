/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp_commands: what each command asks of the machine, and what it answers. */
#include "tests/unit/qmp_rig.h"

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
    expect_error(fd, "{\"execute\":\"system_powerdown\"}", GENERIC, "refuses");
    machine.fail = false;
    expect(fd, "{\"execute\":\"system_powerdown\"}", "{\"return\":{}}");
    assert_int_equal(machine.presses, 2);
    target.press_power = NULL;
    expect_error(fd, "{\"execute\":\"system_powerdown\"}", GENERIC, "not available");
    target.name = NULL;
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
    expect_error(fd, "{\"execute\":\"getfd\"}", "CommandNotFound", "getfd");
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
           "\"family\":\"ipv4\",\"auth\":\"vnc\",\"clients\":[]}}");
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
    time_t now = time(NULL);
    expect(fd, EXPIRE("+86400"), "{\"return\":{}}");
    assert_in_range(machine.expires, now + 86400, now + 86400 + 60);
    expect(fd, SET("again"), "{\"return\":{}}"); /* the term stays */
    assert_in_range(machine.expires, now + 86400, now + 86400 + 60);
    expect(fd, EXPIRE("never"), "{\"return\":{}}");
    assert_true(machine.expires == VNC_NEVER);
    expect(fd, EXPIRE("4102444800"), "{\"return\":{}}"); /* the year 2100 */
    assert_int_equal(machine.expires, 4102444800);
    expect(fd, EXPIRE("18446744073709551615"), "{\"return\":{}}");
    assert_true(machine.expires == VNC_NEVER);
    expect(fd, EXPIRE("+18446744073709551615"), "{\"return\":{}}");
    assert_true(machine.expires == VNC_NEVER);
    expect(fd, EXPIRE("1000"), "{\"return\":{}}"); /* long past */
    assert_int_equal(machine.expires, 1000);
    expect(fd, EXPIRE("now"), "{\"return\":{}}");
    assert_int_equal(machine.expires, 0);
    expect_error(fd, EXPIRE("soon"), GENERIC, "soon");
    expect_error(fd, EXPIRE("-1"), GENERIC, "-1");
    expect_error(fd, EXPIRE("+"), GENERIC, "+");
    expect_error(fd,
                 "{\"execute\":\"expire_password\",\"arguments\":{\"protocol\":\"vnc\",\"time\":"
                 "\"now\",\"display\":\"other\"}}",
                 GENERIC, "other");
    assert_false(machine.view_only);
    expect(fd,
           "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":\"v\","
           "\"display\":\"default\",\"view-only\":true}}",
           "{\"return\":{}}");
    assert_true(machine.view_only);
    machine.fail = true;
    expect_error(fd, SET("x"), GENERIC, "refuses");
    goodbye(fd);
}

static void test_vnc_servers(void **state)
{
    (void)state;
    int fd = client(0);
#define VIEWERS                                                                                   \
    "\"clients\":[{\"host\":\"192.0.2.1\",\"service\":\"1234\",\"family\":\"ipv4\",\"websocket\"" \
    ":true},{\"host\":\"\",\"service\":\"\",\"family\":\"unix\",\"websocket\":false}]"
    expect(fd, "{\"execute\":\"query-vnc-servers\"}", "{\"return\":[]}");
    machine.vnc = machine.web = machine.viewers = true;
    expect(
        fd, "{\"execute\":\"query-vnc-servers\"}",
        "{\"return\":[{\"id\":\"default\",\"server\":[{\"host\":\"127.0.0.1\",\"service\":\"5900\","
        "\"family\":\"ipv4\",\"websocket\":false,\"auth\":\"vnc\"},{\"host\":\"::1\",\"service\":"
        "\"5700\",\"family\":\"ipv6\",\"websocket\":true,\"auth\":\"vnc\"}]," VIEWERS
        ",\"auth\":\"vnc\"}]}");
    expect(fd, "{\"execute\":\"query-vnc\"}",
           "{\"return\":{\"enabled\":true,\"host\":\"127.0.0.1\",\"service\":\"5900\",\"family\":"
           "\"ipv4\",\"auth\":\"vnc\"," VIEWERS "}}");
    goodbye(fd);
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
    expect(fd, COMMAND("block_resize", "\"device\":\"xvdf\",\"size\":4096"), "{\"return\":{}}");
    assert_string_equal(machine.pv_name, "xvdf");
    assert_int_equal(machine.index, (size_t)-1);
    machine.unplugged = true;
    expect(fd, COMMAND("block_resize", "\"device\":\"ide0-hd0\",\"size\":8192"), "{\"return\":{}}");
    assert_string_equal(machine.pv_name, "ide0-hd0");
    assert_int_equal(machine.index, 0);
    machine.unplugged = false;

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
        {"help", "info [SUBJECT]|sendkey"},
        {"help info", "info block"},
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_status),       T(test_quit),        T(test_arguments), T(test_queries),
        T(test_vnc_password), T(test_vnc_servers), T(test_disks),     T(test_cd),
        T(test_cd_errors),    T(test_floppy),      T(test_human),     T(test_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
