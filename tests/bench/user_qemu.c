/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user_qemu: QEMU's user-mode network, as user.c measures ours: a machine whose CPU halts at once,
 * whose memory is a file that we share, and whose e1000 is driven through the qtest socket (one
 * line for an access). In place of vcpu.c. usage: bench-user-qemu ROUNDS; writes the figures, as
 * doubles, to its output.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "user.h"

#define RAM (16u << 20)

unsigned rounds = 10;
static uint8_t *memory;
static int qtest;

static uint64_t ask(const char *line)
{
    char answer[128];
    size_t have = 0;
    if (write(qtest, line, strlen(line)) < 0)
        return UINT64_MAX;
    do {
        ssize_t n = read(qtest, answer + have, sizeof(answer) - 1 - have);
        if (n <= 0)
            return UINT64_MAX;
        have += (size_t)n;
        answer[have] = 0;
    } while (!strchr(answer, '\n') && have + 1 < sizeof(answer));
    return strncmp(answer, "OK ", 3) ? 0 : strtoull(answer + 3, NULL, 0);
}

/* "readl 0x1000", "outw 0xcfc 0x5" */
static uint64_t access_at(const char *what, unsigned size, uint64_t addr, const uint64_t *value)
{
    char line[96];
    int n = snprintf(line, sizeof(line), "%s%c 0x%llx", what,
                     size == 1   ? 'b'
                     : size == 2 ? 'w'
                                 : 'l',
                     (unsigned long long)addr);
    if (value)
        n += snprintf(line + n, sizeof(line) - (size_t)n, " 0x%llx", (unsigned long long)*value);
    strcpy(line + n, "\n");
    return ask(line);
}

uint64_t vcpu_read(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size)
{
    (void)x, (void)vcpu;
    return access_at("read", size, addr, NULL);
}

void vcpu_write(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size, uint64_t value)
{
    (void)x, (void)vcpu;
    access_at("write", size, addr, &value);
}

uint32_t vcpu_in(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size)
{
    (void)x, (void)vcpu;
    return (uint32_t)access_at("in", size, port, NULL);
}

void vcpu_out(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t value)
{
    const uint64_t v = value;
    (void)x, (void)vcpu;
    access_at("out", size, port, &v);
}

static uint16_t config_at(struct xenstub *x, uint8_t devfn, unsigned reg)
{
    vcpu_out(x, 0, 0xCF8, 4, 0x80000000u | (uint32_t)devfn << 8 | (reg & 0xFC));
    return (uint16_t)(0xCFC + (reg & 3));
}

uint32_t vcpu_pci_read(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg, unsigned size)
{
    return vcpu_in(x, vcpu, config_at(x, devfn, reg), size);
}

void vcpu_pci_write(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg, unsigned size,
                    uint32_t value)
{
    vcpu_out(x, vcpu, config_at(x, devfn, reg), size, value);
}

bool guest_read(struct xenstub *x, uint64_t addr, void *buf, size_t len)
{
    (void)x;
    memcpy(buf, memory + addr, len);
    return true;
}

bool guest_write(struct xenstub *x, uint64_t addr, const void *buf, size_t len)
{
    (void)x;
    memcpy(memory + addr, buf, len);
    return true;
}

void guest_fill(struct xenstub *x, uint64_t addr, int byte, size_t len)
{
    (void)x;
    memset(memory + addr, byte, len);
}

/* A file in `dir` of so many bytes; its descriptor. */
static int make_file(char *path, size_t size, const char *dir, const char *name, off_t bytes)
{
    snprintf(path, size, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && !ftruncate(fd, bytes) ? fd : -1;
}

/* Starts it and waits for its connection. */
static pid_t start(const char *dir, const char *netdev)
{
    static const uint8_t halt[] = {0xFA, 0xF4, 0xEB, 0xFD}; /* cli; hlt; and again */
    char bios[128], ram[128], backend[192], socket_arg[128];
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rom = make_file(bios, sizeof(bios), dir, "bios", 65536);
    int fd = make_file(ram, sizeof(ram), dir, "ram", RAM);
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%.90s/qtest", dir);
    snprintf(socket_arg, sizeof(socket_arg), "unix:%s", sa.sun_path);
    snprintf(backend, sizeof(backend), "memory-backend-file,id=m,size=16M,share=on,mem-path=%s",
             ram);
    if (rom < 0 || fd < 0 || pwrite(rom, halt, sizeof(halt), 0xFFF0) != sizeof(halt) ||
        bind(listener, (struct sockaddr *)&sa, sizeof(sa)) || listen(listener, 1))
        return -1;
    memory = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(2, 1);
        execlp("qemu-system-x86_64", "qemu-system-x86_64", "-accel", "tcg", "-m", "16M", "-object",
               backend, "-machine", "pc,memory-backend=m,usb=off", "-nodefaults", "-display",
               "none", "-bios", bios, "-qtest", socket_arg, "-qtest-log", "none", "-netdev", netdev,
               "-device", "e1000,netdev=net0,mac=00:16:3e:00:00:01,addr=5,romfile=", (char *)NULL);
        _exit(127);
    }
    const struct timeval patience = {.tv_sec = 20};
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    qtest = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return qtest >= 0 && memory != MAP_FAILED ? pid : -1;
}

int main(int argc, char **argv)
{
    char dir[] = "/dev/shm/bench-user.XXXXXX", command[64];
    static struct user_host host;
    double f[USER_FIGURES];
    if (argc > 1 && atoi(argv[1]) > 0)
        rounds = (unsigned)atoi(argv[1]);
    for (unsigned i = 0; i < USER_FIGURES; i++)
        f[i] = NAN;
    pid_t pid = mkdtemp(dir) && user_host_open(&host) ? start(dir, host.netdev) : -1;
    if (pid > 0) {
        user_measure(NULL, pid, &host, f);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
    return write(1, f, sizeof(f)) == sizeof(f) ? 0 : 1;
}
