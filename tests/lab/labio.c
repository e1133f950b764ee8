/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lab's guest, dom0 and host do with disks, and a little more, in one
 * static program: a shell would spend more time starting processes than doing
 * I/O. Every 512-byte sector of the pattern is a function of its own number
 * and a seed, so that a sector in the wrong place, a stale one and a torn one
 * are all told from the right one, and nobody has to carry 64 MiB about.
 *
 *   labio write  FILE START BYTES SEED SIZES   pattern to the file, O_DIRECT, block sizes in turn
 *   labio verify FILE START BYTES SEED SIZES   compare; SIZES 0: buffered
 *   labio flushed FILE START BYTES SEED SIZE   pattern, flushed: "FLUSHED <name> <bytes>"
 *   labio time   FILE read|write START BYTES SIZE   milliseconds, O_DIRECT
 *   labio random FILE COUNT SIZE SPAN          milliseconds for random O_DIRECT reads
 *   labio pci                                  all configuration spaces
 *   labio pointer NAME COUNT                   positions of the absolute pointer of that name
 *   labio button                               waits for the ACPI power button
 *   labio tty TTY                              the guest's serial port, both ways
 *   labio unprivileged COMMAND...              runs a command that file permissions bind, though
 * root
 *
 * SIZES is a list "512,4096,...": blocks of these sizes are used in turn.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/capability.h>
#include <linux/input.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SECTOR    512
#define MAX_BLOCK (4u << 20)
#define MAX_SIZES 32

static _Noreturn void die(const char *what)
{
    printf("labio: %s: %s\n", what, errno ? strerror(errno) : "bad");
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void pattern(uint8_t *buf, uint64_t offset, size_t len, uint64_t seed)
{
    uint64_t *word = (uint64_t *)(void *)buf;

    for (size_t i = 0; i < len / 8; i++)
        word[i] = mix((seed << 48) ^ (offset / 8 + i));
}

/*
 * A buffer whose start moves by a sector now and then: the pages and physical
 * regions of a request then begin in the middle of a page too.
 */
static uint8_t *buffer(unsigned int turn)
{
    static uint8_t *base;

    if (!base && posix_memalign((void **)&base, 4096, MAX_BLOCK + 4096))
        die("memory");
    return base + (turn % 3 == 2 ? SECTOR : 0);
}

static int parse_sizes(char *list, size_t *sizes)
{
    int n = 0;

    for (char *s = strtok(list, ","); s && n < MAX_SIZES; s = strtok(NULL, ",")) {
        sizes[n] = strtoul(s, NULL, 0);
        if (sizes[n] > MAX_BLOCK || sizes[n] % SECTOR)
            die("block size");
        n++;
    }
    return n;
}

static long milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

static void compare(const uint8_t *got, uint64_t offset, size_t len, uint64_t seed)
{
    static uint8_t want[MAX_BLOCK];

    pattern(want, offset, len, seed);
    if (!memcmp(got, want, len))
        return;
    for (size_t i = 0; i < len; i++)
        if (got[i] != want[i]) {
            printf("DIFFERS at byte %llu: %02x, not %02x (block of %zu at %llu)\n",
                   (unsigned long long)(offset + i), got[i], want[i], len,
                   (unsigned long long)offset);
            exit(1);
        }
}

static int pattern_io(char **argv, int writing)
{
    size_t sizes[MAX_SIZES];
    uint64_t start = strtoull(argv[1], NULL, 0), end, at, seed;
    int count = parse_sizes(argv[4], sizes);
    int direct = sizes[0] != 0, fd;
    long begin = milliseconds();

    if (!direct)
        sizes[0] = 1 << 20;
    end = start + strtoull(argv[2], NULL, 0);
    seed = strtoull(argv[3], NULL, 0);
    fd = open(argv[0], (writing ? O_RDWR : O_RDONLY) | (direct ? O_DIRECT : 0));
    if (fd < 0)
        die(argv[0]);
    at = start;
    for (unsigned int turn = 0; at < end; turn++) {
        size_t len = sizes[turn % (unsigned int)count];
        uint8_t *buf = buffer(turn);
        ssize_t done;

        if (len > end - at)
            len = (size_t)(end - at);
        if (writing) {
            pattern(buf, at, len, seed);
            done = pwrite(fd, buf, len, (off_t)at);
        } else {
            memset(buf, 0x5a, len);
            done = pread(fd, buf, len, (off_t)at);
        }
        if (done != (ssize_t)len)
            die(writing ? "write" : "read");
        if (!writing)
            compare(buf, at, len, seed);
        at += len;
    }
    if (writing && fsync(fd))
        die("flush");
    printf("%s %llu bytes, %ld ms\n", writing ? "WROTE" : "SAME", (unsigned long long)(end - start),
           milliseconds() - begin);
    return 0;
}

static int write_flushed(char **argv)
{
    uint64_t start = strtoull(argv[1], NULL, 0), bytes = strtoull(argv[2], NULL, 0);
    uint64_t seed = strtoull(argv[3], NULL, 0);
    size_t size = strtoul(argv[4], NULL, 0);
    const char *name = strrchr(argv[0], '/');
    int fd = open(argv[0], O_RDWR | O_DIRECT);

    if (fd < 0 || !size || size > MAX_BLOCK || size % SECTOR)
        die(argv[0]);
    for (uint64_t done = 0; done < bytes;) {
        pattern(buffer(0), start + done, size, seed);
        if (pwrite(fd, buffer(0), size, (off_t)(start + done)) != (ssize_t)size || fdatasync(fd))
            die("write");
        done += size;
        printf("FLUSHED %s %llu\n", name ? name + 1 : argv[0], (unsigned long long)done);
        fflush(stdout);
    }
    return 0;
}

static int time_sequential(char **argv)
{
    int writing = !strcmp(argv[1], "write");
    uint64_t at = strtoull(argv[2], NULL, 0), end = at + strtoull(argv[3], NULL, 0);
    size_t size = strtoul(argv[4], NULL, 0);
    int fd = open(argv[0], (writing ? O_RDWR : O_RDONLY) | O_DIRECT);
    uint8_t *buf = buffer(0);
    long begin;

    if (fd < 0 || size > MAX_BLOCK)
        die(argv[0]);
    memset(buf, 0xa5, size);
    begin = milliseconds();
    for (; at < end; at += size)
        if ((writing ? pwrite(fd, buf, size, (off_t)at) : pread(fd, buf, size, (off_t)at)) !=
            (ssize_t)size)
            die(argv[1]);
    printf("TIME %s %ld ms\n", argv[1], milliseconds() - begin);
    return 0;
}

static int time_random(char **argv)
{
    long count = strtol(argv[1], NULL, 0), begin;
    size_t size = strtoul(argv[2], NULL, 0);
    uint64_t places = strtoull(argv[3], NULL, 0) / size;
    int fd = open(argv[0], O_RDONLY | O_DIRECT);

    if (fd < 0 || size > MAX_BLOCK || !places)
        die(argv[0]);
    begin = milliseconds();
    for (long i = 0; i < count; i++)
        if (pread(fd, buffer(0), size, (off_t)(mix((uint64_t)i) % places * size)) != (ssize_t)size)
            die("read");
    printf("TIME random %ld ms\n", milliseconds() - begin);
    return 0;
}

static int dump_pci(void)
{
    glob_t found;

    if (glob("/sys/bus/pci/devices/*", 0, NULL, &found))
        die("no PCI devices");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char path[300];
        uint8_t bytes[256];
        int fd;

        snprintf(path, sizeof(path), "%s/config", found.gl_pathv[i]);
        fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, bytes, sizeof(bytes)) != sizeof(bytes))
            die(path);
        close(fd);
        printf("PCI %s ", strrchr(found.gl_pathv[i], '/') + 6);
        for (size_t b = 0; b < sizeof(bytes); b++)
            printf("%02x", bytes[b]);
        printf("\n");
    }
    return 0;
}

static int wait_button(void)
{
    struct pollfd fds[16];
    glob_t found;
    nfds_t n = 0;

    if (glob("/dev/input/event*", 0, NULL, &found))
        die("no input devices");
    for (; n < found.gl_pathc && n < 16; n++) {
        fds[n].fd = open(found.gl_pathv[n], O_RDONLY);
        fds[n].events = POLLIN;
    }
    puts("LAB waiting for the button");
    fflush(stdout);
    while (poll(fds, n, -1) > 0)
        for (nfds_t i = 0; i < n; i++) {
            struct input_event event;

            if ((fds[i].revents & POLLIN) &&
                read(fds[i].fd, &event, sizeof(event)) == sizeof(event) && event.type == EV_KEY &&
                event.code == KEY_POWER && event.value) {
                puts("LAB power button");
                return 0;
            }
        }
    die("poll");
}

/* The absolute pointer whose name begins so; -1: there is none. */
static int open_pointer(const char *name)
{
    struct input_absinfo info;
    glob_t found;
    char have[256];

    if (glob("/dev/input/event*", 0, NULL, &found))
        return -1;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        int fd = open(found.gl_pathv[i], O_RDONLY);
        if (fd >= 0 && ioctl(fd, EVIOCGNAME(sizeof(have)), have) >= 0 &&
            !strncmp(have, name, strlen(name)) && !ioctl(fd, EVIOCGABS(ABS_Y), &info) &&
            info.maximum)
            return fd;
        close(fd);
    }
    return -1;
}

static int show_pointer(const char *name, long count)
{
    int fd = open_pointer(name), x = -1, y = -1;
    struct input_absinfo ax, ay;
    struct input_event event;

    if (fd < 0 || ioctl(fd, EVIOCGABS(ABS_X), &ax) || ioctl(fd, EVIOCGABS(ABS_Y), &ay))
        die(name);
    printf("POINTER %d %d\n", ax.maximum, ay.maximum);
    fflush(stdout);
    while (count && read(fd, &event, sizeof(event)) == sizeof(event)) {
        if (event.type == EV_ABS && event.code == ABS_X)
            x = event.value;
        if (event.type == EV_ABS && event.code == ABS_Y)
            y = event.value;
        if (event.type != EV_SYN)
            continue;
        printf("AT %d %d\n", x, y);
        fflush(stdout);
        count--;
    }
    return 0;
}

/*
 * Not busybox's cat: that moves data by sendfile, which holds the lock of our
 * stdout pipe while it waits for the terminal, and so stops the pipe's reader.
 */
static int pass(int from, int to)
{
    char buf[4096];
    ssize_t n = read(from, buf, sizeof(buf)), at = 0, done;

    for (; at < n; at += done) {
        done = write(to, buf + at, (size_t)(n - at));
        if (done < 0)
            return -1;
    }
    return n > 0 ? 0 : -1;
}

static int serve_tty(const char *path)
{
    int fd = open(path, O_RDWR | O_NOCTTY);
    struct termios mode;

    if (fd < 0 || tcgetattr(fd, &mode))
        die(path);
    cfmakeraw(&mode);
    tcsetattr(fd, TCSANOW, &mode);
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

    while (poll(p, 2, -1) >= 0) {
        if (p[0].revents && pass(fd, 1))
            break; /* the device model is gone */
        if (p[1].revents && pass(0, fd))
            p[1].fd = -1;
    }
    return 0;
}

static int run_unprivileged(char **argv)
{
    if (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) ||
        prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0))
        die("capabilities");
    execvp(argv[0], argv);
    die(argv[0]);
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "unprivileged"))
        return run_unprivileged(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "write"))
        return pattern_io(argv + 2, 1);
    if (argc == 7 && !strcmp(argv[1], "verify"))
        return pattern_io(argv + 2, 0);
    if (argc == 7 && !strcmp(argv[1], "flushed"))
        return write_flushed(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "time"))
        return time_sequential(argv + 2);
    if (argc == 6 && !strcmp(argv[1], "random"))
        return time_random(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "tty"))
        return serve_tty(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "pointer"))
        return show_pointer(argv[2], strtol(argv[3], NULL, 0));
    if (argc == 2 && !strcmp(argv[1], "pci"))
        return dump_pci();
    if (argc == 2 && !strcmp(argv[1], "button"))
        return wait_button();
    puts("labio: usage: see labio.c");
    return 2;
}
