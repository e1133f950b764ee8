/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_monitor: the production binary's monitors for people, once it is confined: on sockets, one
 * of them privileged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
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
    char picture[128], root[40]; /* the chroot: entered when "running" has been told */
    int fd[2];                   /* of the monitors: any, privileged */
    bool overlay;                /* ide0-hd1 is one, of base (qemu-img is there) */
    int base;
    char text[65536];
};

static int dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    return connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -1 : fd;
}

static void make_overlay(struct machine *m)
{
    char command[1024], path[160];
    snprintf(
        command, sizeof(command),
        "cd %s && { qemu-img create -f raw base 8M && qemu-io -f raw -c 'write -P 1 0 2M' base "
        "&& qemu-img create -f qcow2 -F raw -b base overlay && qemu-io -f qcow2 "
        "-c 'write -P 4 1000k 64k' -c 'write -P 5 8191k 1k' overlay; } >/dev/null 2>&1",
        xenstub_dir(m->x));
    snprintf(path, sizeof(path), "%s/base", xenstub_dir(m->x));
    m->overlay = system(command) == 0;
    m->base = open(path, O_RDWR);
}

static int start(void **state, bool restricted)
{
    static char words[5][192];
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct machine *m = calloc(1, sizeof(*m));
    *state = m;
    strcpy(m->root, "/tmp/hvm-dm-monitor.XXXXXX");
    m->x = xenstub_new(&config);
    if (!m->x || !dm_init(&m->dm, DM_OURS, m->x, RAM_MB) || !dm_make_image(&m->dm, 1 << 20))
        return -1;
    snprintf(words[0], sizeof(words[0]), "unix:%s/a,server=on,wait=off", xenstub_dir(m->x));
    snprintf(words[1], sizeof(words[1]), "socket,id=b,path=%s/b,server=on,wait=off",
             xenstub_dir(m->x));
    snprintf(m->picture, sizeof(m->picture), "%s/picture", xenstub_dir(m->x));
    int fd = open(m->picture, O_RDWR | O_CREAT, 0600);
    snprintf(words[2], sizeof(words[2]), "fd=%d,set=4", fd);
    make_overlay(m);
    snprintf(words[3], sizeof(words[3]), "fd=%d,set=5", m->overlay ? m->base : fd);
    snprintf(words[4], sizeof(words[4]), "file=%s/overlay,if=ide,index=1,media=disk,format=qcow2",
             xenstub_dir(m->x));
    const char *const more[] = {"-monitor",
                                words[0],
                                "-chardev",
                                words[1],
                                "-mon",
                                "chardev=b,privileged=on",
                                "-add-fd",
                                words[2],
                                "-device",
                                "rtl8139,id=nic0,netdev=net0,mac=00:16:3e:00:00:07,romfile=",
                                "-netdev",
                                "null,id=net0",
                                "-device",
                                "pcnet,mac=00:16:3e:00:00:08,addr=9,romfile=",
                                "-chroot",
                                mkdtemp(m->root),
                                "-runas",
                                "65534:65534",
                                "-add-fd",
                                words[3],
                                m->overlay ? "-drive" : "-nodefaults",
                                m->overlay ? words[4] : "-nodefaults",
                                restricted ? "-xen-domid-restrict" : NULL,
                                NULL};
    dm_add(&m->dm, more);
    bool ok = fd >= 0 && dm_start(&m->dm, m->x, START_MS);
    close(fd);
    if (!ok)
        return -1;
    pc_setup(m->x, VGA);
    for (int i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof(path), "%s/%c", xenstub_dir(m->x), 'a' + i);
        m->fd[i] = dial(path);
        if (m->fd[i] < 0)
            return -1;
    }
    return 0;
}

static int setup(void **state)
{
    return start(state, false);
}

static int setup_restricted(void **state)
{
    return start(state, true);
}

static int teardown(void **state)
{
    struct machine *m = *state;
    close(m->fd[0]);
    close(m->fd[1]);
    if (m->base >= 0)
        close(m->base);
    unlink(m->picture);
    xenstub_free(m->x);
    rmdir(m->root);
    free(m);
    return 0;
}

/* Types a line, and reads up to `words`. */
static void say(struct machine *m, int who, const char *line, const char *words)
{
    size_t len = 0;
    assert_int_equal(write(m->fd[who], line, strlen(line)), strlen(line));
    m->text[0] = '\0';
    while (!strstr(m->text, words)) {
        struct pollfd p = {.fd = m->fd[who], .events = POLLIN};
        if (poll(&p, 1, WAIT_MS) != 1)
            fail_msg("'%s' does not come: %s", words, m->text);
        ssize_t n = read(m->fd[who], m->text + len, sizeof(m->text) - 1 - len);
        if (n <= 0)
            dm_show_log(m->x);
        assert_true(n > 0);
        len += (size_t)n;
        m->text[len] = '\0';
    }
}

static void lines_are_answered(void **state)
{
    struct machine *m = *state;
    static const uint8_t bytes[] = {0xDE, 0xAD, 0xBE, 0xEF};
    say(m, 0, "", "(qemu) ");
    say(m, 0, "info sta\t\r", "VM status: running");
    assert_true(guest_write(m->x, 0x5000, bytes, sizeof(bytes)));
    say(m, 0, "xp/4xb 0x5000\r", "0xde 0xad 0xbe 0xef");
    say(m, 0, "xp 0xfee00000\r", "no memory here");
    /* Without paging the two are the same; then one page, mapped elsewhere, by large pages. */
    say(m, 0, "x/4xb 0x5000\r", "0xde 0xad 0xbe 0xef");
    static const uint32_t directory[2] = {0, 0x400000 | 0x83};
    assert_true(guest_write(m->x, 0x6000, directory, sizeof(directory)));
    assert_true(guest_write(m->x, 0x405000, bytes, sizeof(bytes)));
    xenstub_set_paging(m->x, UINT64_C(1) << 31 | 1, 0x6000, 1 << 4, 0);
    say(m, 0, "x/4xb 0x405000\r", "0xde 0xad 0xbe 0xef");
    say(m, 0, "x/4xb 0x5000\r", "not mapped");
    say(m, 0, "info ioreq\r", "PCI configuration");
    say(m, 0, "info mtree\r", "ide0-control");
    say(m, 0, "info mice\r", "mouse");
    say(m, 0, "sendkey ctrl-alt-delete\rmouse_move 1 1\rinfo name\r", "stub\r\n");
    say(m, 0, "\033[A\033[D\033[D\033[D\005\025stop\rinfo status\r", "VM status: paused");
    say(m, 1, "cont\rinfo status\r", "VM status: running");
    say(m, 0, "system_powerdown\rinfo name\r", "stub\r\n");
    assert_true(xenstub_wait_power(m->x, 1, WAIT_MS));
}

static void files_are_for_the_privileged(void **state)
{
    struct machine *m = *state;
    struct stat st;
    say(m, 0, "screendump /dev/fdset/4\r", "declared privileged");
    say(m, 0, "change ide-5632 /etc/passwd\r", "declared privileged");
    say(m, 1, "screendump /tmp/hvm-dm-picture\r", "confined process has no files");
    say(m, 1, "screendump /dev/fdset/4 -f png\rinfo name\r", "info name");
    say(m, 1, "info status\r", "VM status");
    assert_int_equal(stat(m->picture, &st), 0);
    assert_true(st.st_size > 100);
    say(m, 1, "commit all\r", "open for reading only");
    say(m, 1, "system_wakeup\rinfo status\r", "VM status: running");
    close(m->fd[1]);
    char path[160];
    snprintf(path, sizeof(path), "%s/b", xenstub_dir(m->x));
    m->fd[1] = dial(path);
    say(m, 1, "info status\r", "VM status");
}

/* `commit`: the image below comes from the toolstack, and the guest stands still. */
static void overlays_are_committed(void **state)
{
    struct machine *m = *state;
    uint8_t byte = 0;
    if (!m->overlay)
        skip();
    say(m, 0, "commit ide0-hd1 /dev/fdset/5\r", "declared privileged");
    say(m, 1, "commit ide0-hd1\r", "open for reading only: give it");
    say(m, 1, "commit ide0-hd1 /dev/fdset/5\r", "must stand still");
    say(m, 1, "stop\rcommit ide0-hd1 /dev/fdset/4\r", "not the image on which");
    say(m, 1, "commit ide0-hd0 /dev/fdset/5\r", "lies on no other image");
    say(m, 1, "commit ide0-hd1 /dev/fdset/5\rinfo status\r", "VM status: paused");
    assert_null(strstr(m->text, "Error"));
    for (int tries = WAIT_MS / 10; byte != 5 && tries--; usleep(10000))
        assert_int_equal(pread(m->base, &byte, 1, (8 << 20) - 1), 1);
    assert_int_equal(byte, 5);
    assert_int_equal(pread(m->base, &byte, 1, (1000 << 10) + 5), 1);
    assert_int_equal(byte, 4);
    say(m, 1, "cont\rinfo status\r", "VM status: running");
    assert_null(strstr(m->text, "Error"));
    assert_int_equal(pread(m->base, &byte, 1, 5), 1);
    assert_int_equal(byte, 1);
}

static void network_cards(void **state)
{
    struct machine *m = *state;
    say(m, 0, "", "(qemu) ");
    say(m, 0, "info network\r",
        "nic0: type=nic,model=rtl8139,macaddr=00:16:3e:00:00:07,link=on\r\n \\ net0: "
        "type=null\r\n");
    say(m, 0, "info network\r",
        "pcnet.0: type=nic,model=pcnet,macaddr=00:16:3e:00:00:08,no cable\r\n");
    say(m, 0, "set_link net0 off\rinfo network\r", "00:16:3e:00:00:07,link=off");
    say(m, 0, "set_link nic\t on\rinfo network\r", "00:16:3e:00:00:07,link=on");
    say(m, 0, "set_link pcnet.0 on\r", "nothing is behind 'pcnet.0'");
    say(m, 0, "announce_self\rinfo pci\r", "PCI device 10ec:8139");
    say(m, 0, "info pci\r", "id \"nic0\"");
    say(m, 0, "info pci\r", "device   9, function 0");
    say(m, 0, "object_add filter-dump,id=f,netdev=net0,file=/x\r", "declared privileged");
    say(m, 1, "object_add filter-dump,id=f,netdev=net0,file=/x\r", "confined process has no files");

    /* Into a descriptor that the toolstack gave: a header, then what the card announces. */
    struct stat st;
    say(m, 1, "object_add filter-dump,id=f,netdev=net0,file=/dev/fdset/4\rinfo name\r", "stub\r\n");
    say(m, 1, "object_add filter-dump,id=f,netdev=net0,file=/dev/fdset/4\r",
        "Error: attempt to add duplicate");
    say(m, 1, "announce_self nic0\robject_del f\rinfo name\r", "stub\r\n");
    assert_null(strstr(m->text, "Error"));
    assert_int_equal(stat(m->picture, &st), 0);
    assert_true(st.st_size >= 24 + 16 + 60);
    say(m, 1, "object_del f\r", "not found");
}

/* Whoever sees the guest's screen would have the host's files. */
static void a_console_is_never_privileged(void **state)
{
    struct xenstub_config config = {.domid = 7, .ram_bytes = RAM_MB << 20};
    struct xenstub *x = xenstub_new(&config);
    struct dm dm;
    char log[1024];
    (void)state;
    assert_non_null(x);
    assert_true(dm_init(&dm, DM_OURS, x, RAM_MB) && dm_make_image(&dm, 1 << 20));
    static const char *const more[] = {"-chardev", "vc,id=c", "-mon", "chardev=c,privileged=on",
                                       NULL};
    dm_add(&dm, more);
    assert_true(xenstub_start(x, dm.argv));
    while (!xenstub_gone(x))
        usleep(10000);
    dm_log(x, log, sizeof(log));
    assert_non_null(strstr(log, "-mon: privileged=on: not for a monitor on the guest's screen"));
    xenstub_free(x);
}

static void quit_ends_the_process(void **state)
{
    struct machine *m = *state;
    char byte;
    say(m, 0, "", "(qemu) ");
    assert_int_equal(write(m->fd[0], "quit\r", 5), 5);
    while (read(m->fd[0], &byte, 1) > 0)
        ;
    int status = xenstub_end(m->x, 0, WAIT_MS);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_answered, setup_restricted, teardown),
        cmocka_unit_test_setup_teardown(files_are_for_the_privileged, setup, teardown),
        cmocka_unit_test_setup_teardown(overlays_are_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(overlays_are_committed, setup_restricted, teardown),
        cmocka_unit_test_setup_teardown(network_cards, setup, teardown),
        cmocka_unit_test_setup_teardown(network_cards, setup_restricted, teardown),
        cmocka_unit_test(a_console_is_never_privileged),
        cmocka_unit_test_setup_teardown(quit_ends_the_process, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
