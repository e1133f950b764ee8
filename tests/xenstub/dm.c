/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dm: see dm.h. The argument line is that recorded from Debian 12's libxl. */
#include "dm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STOCK "libexec/xen-qemu-system-i386"

/* `up` folders above the one of the running program. */
static void beside(char *out, size_t size, unsigned up, const char *name)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    out[n > 0 ? n : 0] = 0;
    for (unsigned i = 0; i <= up; i++) {
        char *slash = strrchr(out, '/');
        if (slash)
            *slash = 0;
    }
    snprintf(out + strlen(out), size - strlen(out), "/%s", name);
}

static bool find(struct dm *dm)
{
    char *out = dm->binary;
    const size_t size = sizeof(dm->binary);
    const char *given = dm->kind == DM_OURS    ? getenv("HVM_DM")
                        : dm->kind == DM_STOCK ? getenv("STOCK_DM")
                                               : NULL;
    if (given) {
        snprintf(out, size, "%s", given);
    } else if (dm->kind == DM_OURS) {
        beside(out, size, 2, "hvm-dm");
    } else if (dm->kind == DM_NULL) {
        beside(out, size, 0, "null-dm");
    } else {
        snprintf(out, size, "/usr/" STOCK);
        if (access(out, X_OK))
            beside(out, size, 2, "lab/xen-4.17/usr/" STOCK);
    }
    return !access(out, X_OK);
}

bool dm_init(struct dm *dm, enum dm_kind kind, struct xenstub *x, unsigned megabytes)
{
    *dm = (struct dm){.kind = kind};
    if (!find(dm))
        return false;
    snprintf(dm->domid, sizeof(dm->domid), "%u", xenstub_shm(x)->domid);
    snprintf(dm->megabytes, sizeof(dm->megabytes), "%u", megabytes);
    snprintf(dm->image, sizeof(dm->image), "%s/disk", xenstub_dir(x));
    snprintf(dm->qmp, sizeof(dm->qmp), "%s/qmp", xenstub_dir(x));
    snprintf(dm->qmp_arg, sizeof(dm->qmp_arg), "socket,id=libxl-cmd,path=%s,server=on,wait=off",
             dm->qmp);
    snprintf(dm->drive_arg, sizeof(dm->drive_arg),
             "file=%s,if=ide,index=0,media=disk,format=raw,cache=writeback", dm->image);
    const char *usr = strstr(dm->binary, "/" STOCK);
    int prefix = usr ? (int)(usr - dm->binary) : 0;
    snprintf(dm->data[0], sizeof(dm->data[0]), "%.*s/share/qemu", prefix, dm->binary);
    snprintf(dm->data[1], sizeof(dm->data[1]), "%.*s/share/seabios", prefix, dm->binary);
    const char *argv[] = {dm->binary, "-xen-domid", dm->domid, "-no-shutdown", "-chardev",
                          dm->qmp_arg, "-mon", "chardev=libxl-cmd,mode=control", "-nodefaults",
                          "-no-user-config", "-name", "stub", "-vnc", "none", "-display", "none",
                          "-serial", "pty", "-device", "VGA,vgamem_mb=16", "-boot", "order=cda",
                          "-net", "none", "-machine", "xenfv,suppress-vmdesc=on", "-m",
                          dm->megabytes, "-drive", dm->drive_arg, NULL,
                          /* An unpacked package does not find its data by itself. */
                          "-L", dm->data[0], "-L", dm->data[1], "-L", "/usr/share/qemu", "-L",
                          "/usr/share/seabios", NULL};
    const size_t count = sizeof(argv) / sizeof(argv[0]);
    size_t n = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (!argv[i] && kind != DM_STOCK)
            break;
        if (argv[i])
            dm->argv[n++] = argv[i];
    }
    return true;
}

void dm_set(struct dm *dm, const char *option, const char *value)
{
    for (size_t i = 1; dm->argv[i]; i++)
        if (!strcmp(dm->argv[i - 1], option))
            dm->argv[i] = value;
}

void dm_add(struct dm *dm, const char *const *words)
{
    size_t n = 0;
    while (dm->argv[n])
        n++;
    while (*words && n + 1 < sizeof(dm->argv) / sizeof(dm->argv[0]))
        dm->argv[n++] = *words++;
    dm->argv[n] = NULL;
}

void dm_drop(struct dm *dm, const char *option)
{
    size_t n = 0;
    for (size_t i = 0; dm->argv[i]; i++)
        if (!strcmp(dm->argv[i], option) && dm->argv[i + 1])
            i++;
        else
            dm->argv[n++] = dm->argv[i];
    dm->argv[n] = NULL;
}

void dm_set_vnc(struct dm *dm, unsigned port)
{
    snprintf(dm->vnc_arg, sizeof(dm->vnc_arg), "127.0.0.1:%d", (int)port - 5900);
    dm_set(dm, "-vnc", dm->vnc_arg);
}

uint8_t dm_pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 9) * 7 + (i >> 17));
}

bool dm_make_image(const struct dm *dm, size_t bytes)
{
    FILE *f = fopen(dm->image, "w");
    for (size_t i = 0; f && i < bytes; i++)
        putc(dm_pattern(i), f);
    return f && !fclose(f);
}

void dm_show_log(struct xenstub *x)
{
    char path[128], text[2048];
    snprintf(path, sizeof(path), "%s/log", xenstub_dir(x));
    int fd = open(path, O_RDONLY);
    ssize_t n;
    while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stderr);
    if (fd >= 0)
        close(fd);
}

void dm_log(struct xenstub *x, char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/log", xenstub_dir(x));
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
}

bool dm_start(const struct dm *dm, struct xenstub *x, unsigned timeout_ms)
{
    if (xenstub_start(x, dm->argv) && xenstub_wait_state(x, "running", timeout_ms))
        return true;
    dm_show_log(x);
    return false;
}

bool dm_ask(int qmp, const char *command, char *answer, size_t size)
{
    size_t have = 0;
    if (write(qmp, command, strlen(command)) != (ssize_t)strlen(command))
        return false;
    answer[0] = 0;
    while (!strstr(answer, "\"return\"") && !strstr(answer, "\"error\"")) {
        ssize_t n = read(qmp, answer + have, size - 1 - have);
        if (n <= 0)
            return false;
        have += (size_t)n;
        answer[have] = 0;
    }
    return true;
}

int dm_qmp(const struct dm *dm)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char reply[4096];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (strlen(dm->qmp) >= sizeof(at.sun_path))
        return -1;
    strcpy(at.sun_path, dm->qmp);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        read(fd, reply, sizeof(reply)) > 0 && /* greeting */
        dm_ask(fd, "{\"execute\":\"qmp_capabilities\"}", reply, sizeof(reply)))
        return fd;
    close(fd);
    return -1;
}
