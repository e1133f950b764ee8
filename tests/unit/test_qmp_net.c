/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_qmp_net: network cards over QMP and in the monitor for people. */
#include "tests/unit/qmp_rig.h"

#include "toolstack/hmp.h"

#define OK                      "{\"return\":{}}"
#define RUN(command, arguments) "{\"execute\":\"" command "\",\"arguments\":{" arguments "}}"

static struct {
    bool link[4], unplugged;
    unsigned links;
    struct qmp_announce announced;
    unsigned announces;
    char capture[128];
    int captures, ended;
} wires;

/* Two cards with a back-end, one without, and a back-end without a card. */
static bool t_net(void *opaque, size_t index, struct qmp_net_info *info)
{
    static const struct {
        const char *nic, *netdev;
    } all[] = {{"nic0", "net0"}, {"rtl8139.0", "net1"}, {"bare", NULL}, {NULL, "lone"}};
    assert_ptr_equal(opaque, machine.opaque);
    if (index >= 4)
        return false;
    *info = (struct qmp_net_info){.nic = all[index].nic,
                                  .model = index ? "rtl8139" : "e1000",
                                  .mac = {0x00, 0x16, 0x3E, 0, 0, (uint8_t)index},
                                  .netdev = all[index].netdev,
                                  .unplugged = index == 1 && wires.unplugged,
                                  .link = wires.link[index]};
    if (info->netdev)
        snprintf(info->backend, sizeof(info->backend), "tap,ifname=vif1.%zu-emu", index);
    if (!index)
        info->stats = (struct net_stats){.tx_frames = 1,
                                         .tx_bytes = 60,
                                         .tx_dropped = 2,
                                         .tx_errors = 3,
                                         .tx_full = 4,
                                         .rx_frames = 5,
                                         .rx_bytes = 600,
                                         .rx_dropped = 6,
                                         .rx_errors = 7,
                                         .rx_held = 8,
                                         .rx_stale = 9,
                                         .rx_waiting = true};
    return true;
}

static void t_set_link(void *opaque, size_t index, bool up)
{
    assert_ptr_equal(opaque, machine.opaque);
    assert_true(index < 4);
    wires.link[index] = up;
    wires.links++;
}

static void t_announce(void *opaque, const struct qmp_announce *how)
{
    (void)opaque;
    wires.announced = *how;
    wires.announces++;
}

static bool t_capture(void *opaque, const struct qmp_capture *what, struct err *err)
{
    (void)opaque;
    struct stat st;
    assert_int_equal(fstat(what->fd, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_size, 0);
    close(what->fd);
    snprintf(wires.capture, sizeof(wires.capture), "%s %s %u", what->id, what->netdev,
             (unsigned)what->maxlen);
    wires.captures++;
    return outcome(err);
}

static bool t_capturing(void *opaque, const char *id)
{
    (void)opaque;
    return !strcmp(id, "busy");
}

static bool t_end_capture(void *opaque, const char *id)
{
    (void)opaque;
    wires.ended += !strcmp(id, "f0");
    return !strcmp(id, "f0");
}

static int net_setup(void **state)
{
    memset(&wires, 0, sizeof(wires));
    int result = setup(state);
    target.net = t_net;
    target.set_link = t_set_link;
    target.announce = t_announce;
    target.capturing = t_capturing;
    target.capture = t_capture;
    target.end_capture = t_end_capture;
    return result;
}

/* A line of the monitor, and what it answers. */
static const char *monitor(bool privileged, const char *line_)
{
    static char answer_[4096];
    FILE *out = fmemopen(answer_, sizeof(answer_), "w");
    assert_non_null(out);
    hmp_line(qmp, privileged, line_, out);
    fputc('\0', out);
    fclose(out);
    return answer_;
}
#define SAYS(privileged, line, words)                                       \
    do {                                                                    \
        const char *said = monitor(privileged, line);                       \
        if (!strstr(said, words))                                           \
            fail_msg("'%s' answers '%s', without '%s'", line, said, words); \
    } while (0)
#define SILENT(privileged, line) assert_string_equal(monitor(privileged, line), "")

static void test_link(void **state)
{
    (void)state;
    int fd = client(0);
    expect(fd, RUN("set_link", "\"name\":\"nic0\",\"up\":true"), OK);
    assert_true(wires.link[0]);
    expect(fd, RUN("set_link", "\"name\":\"net0\",\"up\":false"), OK);
    assert_false(wires.link[0]);
    expect(fd, RUN("set_link", "\"name\":\"rtl8139.0\",\"up\":true"), OK);
    assert_true(wires.link[1]);
    expect(fd, RUN("set_link", "\"name\":\"lone\",\"up\":true"), OK);
    assert_true(wires.link[3]);
    expect_error(fd, RUN("set_link", "\"name\":\"nic9\",\"up\":true"), "DeviceNotFound", "nic9");
    expect_error(fd, RUN("set_link", "\"name\":\"bare\",\"up\":true"), GENERIC, "bare|plugged in");
    expect_error(fd, RUN("set_link", "\"name\":\"nic0\",\"up\":\"on\""), GENERIC, "'up'");
    expect_error(fd, RUN("set_link", "\"name\":\"nic0\""), GENERIC, "'up'");
    assert_int_equal(wires.links, 4);
    SILENT(false, "set_link nic0 on");
    assert_true(wires.link[0]);
    SILENT(false, "set_link net1 off");
    assert_false(wires.link[1]);
    SAYS(false, "set_link nic9 on", "not found");
    SAYS(false, "set_link nic0", "set_link NAME on|off");
    target.set_link = NULL;
    expect_error(fd, RUN("set_link", "\"name\":\"nic0\",\"up\":true"), GENERIC, "not available");
    goodbye(fd);
}

static void test_filters_and_announcements(void **state)
{
    (void)state;
    int fd = client(0);
    expect(fd, RUN("query-rx-filter", ""), "{\"return\":[]}");
    expect_error(fd, RUN("query-rx-filter", "\"name\":\"nic0\""), GENERIC, "nic0|support");
    expect_error(fd, RUN("query-rx-filter", "\"name\":\"x\""), GENERIC, "x|invalid");

#define TIMES "\"initial\":50,\"max\":550,\"rounds\":5,\"step\":100"
    expect(fd, RUN("announce-self", TIMES), OK);
    assert_int_equal(wires.announced.initial_ms, 50);
    assert_int_equal(wires.announced.max_ms, 550);
    assert_int_equal(wires.announced.rounds, 5);
    assert_int_equal(wires.announced.step_ms, 100);
    assert_int_equal(wires.announced.nics, UINT32_MAX);
    expect(fd, RUN("announce-self", TIMES ",\"interfaces\":[\"rtl8139.0\",\"bare\"],\"id\":\"a\""),
           OK);
    assert_int_equal(wires.announced.nics, 6);
    expect_error(fd, RUN("announce-self", TIMES ",\"interfaces\":[\"lone\"]"), GENERIC, "lone");
    expect_error(fd, RUN("announce-self", TIMES ",\"interfaces\":[1]"), GENERIC, "network card");
    expect_error(fd, RUN("announce-self", "\"initial\":50,\"max\":550,\"rounds\":0,\"step\":100"),
                 GENERIC, "'rounds'|1 to 1000");
    expect_error(fd, RUN("announce-self", "\"initial\":50"), GENERIC, "'max'");
    assert_int_equal(wires.announces, 2);
    SILENT(false, "announce_self");
    assert_int_equal(wires.announced.rounds, 5);
    SILENT(false, "announce_self nic0,bare");
    assert_int_equal(wires.announced.nics, 5);
    SAYS(false, "announce_self nic0,x", "no network card 'x'");
    goodbye(fd);
}

/* What is opened before the confinement stays as it is. */
static void test_hotplug(void **state)
{
    (void)state;
    int fd = client(0);
    expect_error(fd,
                 RUN("netdev_add", "\"type\":\"tap\",\"id\":\"x\",\"ifname\":\"t\",\"fds\":[1]"),
                 GENERIC, "vif=|-netdev");
    expect_error(fd, RUN("netdev_add", "\"type\":\"tap\""), GENERIC, "'id'");
    expect_error(fd, RUN("netdev_del", "\"id\":\"net0\""), GENERIC, "set_link 'net0'");
    expect_error(fd, RUN("netdev_del", "\"id\":\"x\""), "DeviceNotFound", "x");
    expect_error(fd,
                 RUN("device_add", "\"driver\":\"e1000\",\"id\":\"x\",\"netdev\":\"n\","
                                   "\"mac\":\"00:16:3e:00:00:01\""),
                 GENERIC, "e1000|vif=|network-attach");
    expect_error(fd, RUN("device_del", "\"id\":\"nic0\""), GENERIC, "nic0|set_link");
    expect_error(fd, RUN("device_del", "\"id\":\"net0\""), "DeviceNotFound", "net0");

    qmp_event_deleted(qmp, "nic0"); /* its PV driver has taken over */
    json_t *event = answer(fd), *data = json_object_get(event, "data");
    assert_string_equal(json_string_value(json_object_get(event, "event")), "DEVICE_DELETED");
    assert_string_equal(json_string_value(json_object_get(data, "device")), "nic0");
    assert_string_equal(json_string_value(json_object_get(data, "path")),
                        "/machine/peripheral/nic0");
    json_decref(event);
    goodbye(fd);
}

static void test_info(void **state)
{
    (void)state;
    wires.link[0] = wires.unplugged = true;
    SAYS(true, "info network",
         "nic0: type=nic,model=e1000,macaddr=00:16:3e:00:00:00,link=on\r\n"
         " \\ net0: type=tap,ifname=vif1.0-emu\r\n");
    SAYS(true, "info network", "tx:   packets=1 bytes=60 dropped=2 errors=3 full=4\r\n");
    SAYS(true, "info network",
         "rx:   packets=5 bytes=600 dropped=6 errors=7 held=8, one waits now\r\n");
    SAYS(true, "info network", "receiver was off: 9\r\n");
    SAYS(true, "info network", "macaddr=00:16:3e:00:00:01,link=off,unplugged by the guest's PV");
    SAYS(true, "info network",
         "bare: type=nic,model=rtl8139,macaddr=00:16:3e:00:00:02,no cable\r\n"
         " (no card) lone: type=tap,ifname=vif1.3-emu\r\n");
    SAYS(false, "info network", " \\ net0: type=tap\r\n"); /* names of the host's */
    assert_null(strstr(monitor(false, "info network"), "ifname"));
    target.net = NULL;
    SAYS(false, "info network", "no emulated network cards");
}

static void test_captures(void **state)
{
    (void)state;
    char command[512], file[128];
    int fd = client(0);
    snprintf(file, sizeof(file), "%s/pcap", dir);
    snprintf(command, sizeof(command),
             RUN("object-add", "\"qom-type\":\"filter-dump\",\"id\":\"f0\",\"netdev\":\"net0\","
                               "\"file\":\"%s\""),
             file);
    expect(fd, command, OK);
    assert_string_equal(wires.capture, "f0 net0 65536");
    snprintf(command, sizeof(command),
             RUN("object-add", "\"qom-type\":\"filter-dump\",\"id\":\"f1\",\"netdev\":\"lone\","
                               "\"maxlen\":96,\"queue\":\"all\",\"file\":\"%s\""),
             file);
    expect(fd, command, OK);
    assert_string_equal(wires.capture, "f1 lone 96");
    machine.fail = true;
    expect_error(fd, command, GENERIC, "refuses");
    machine.fail = false;
    assert_int_equal(wires.captures, 3);

    static const struct {
        const char *arguments, *words;
    } refusals[] = {
        {"\"qom-type\":\"iothread\",\"id\":\"a\"", "iothread|filter-dump"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"1\",\"netdev\":\"net0\",\"file\":\"/x\"", "'id'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"file\":\"/x\"", "'netdev'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"busy\",\"netdev\":\"net0\",\"file\":\"/\"",
         "duplicate|busy"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\"", "'file'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\",\"file\":\"\"", "'file'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"nic0\",\"file\":\"/x\"", "nic0"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"x\",\"file\":\"/x\"", "'x'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\",\"file\":\"/x\","
         "\"maxlen\":0",
         "'maxlen'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\",\"file\":\"/x\","
         "\"queue\":\"rx\"",
         "'queue'"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\",\"file\":\"/\"", "/"},
        {"\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":\"net0\","
         "\"file\":\"/dev/fdset/7\"",
         "7"},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        snprintf(command, sizeof(command), RUN("object-add", "%s"), refusals[i].arguments);
        expect_error(fd, command, GENERIC, refusals[i].words);
    }
    assert_int_equal(wires.captures, 3);
    expect(fd, RUN("object-del", "\"id\":\"f0\""), OK);
    expect_error(fd, RUN("object-del", "\"id\":\"f9\""), GENERIC, "f9|not found");
    assert_int_equal(wires.ended, 1);

    /* In the monitor, where it names the host's files. */
    snprintf(command, sizeof(command), "object_add filter-dump,id=m,netdev=net1,file=%s,maxlen=64",
             file);
    SAYS(false, command, "privileged");
    SILENT(true, command);
    assert_string_equal(wires.capture, "m net1 64");
    SAYS(false, "object_del f0", "privileged");
    SILENT(true, "object_del f0");
    SAYS(true, "object_del f9", "Error: object 'f9' not found");
    SAYS(true, "object_add filter-dump,id=m,netdev=net1", "Error: ");
    SAYS(true, "object_add filter-dump,netdev=net1,file=/x", "argument 'id' is missing");
    SAYS(true, "object_add filter-dump,id=m,foo=1", "foo= is not known");
    SAYS(true, "object_add filter-dump,id=m,id=m", "twice");
    SAYS(true, "object_add filter-dump,id=m,maxlen=x", "maxlen");
    target.capture = NULL;
    expect_error(fd,
                 RUN("object-add", "\"qom-type\":\"filter-dump\",\"id\":\"a\",\"netdev\":"
                                   "\"net0\",\"file\":\"/x\""),
                 GENERIC, "not available");
    assert_int_equal(unlink(file), 0);
    goodbye(fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, net_setup, teardown)
    const struct CMUnitTest tests[] = {T(test_link), T(test_filters_and_announcements),
                                       T(test_hotplug), T(test_info), T(test_captures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
