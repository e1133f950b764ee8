/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_argv: an argument line, its arguments separated by NULs or newlines. */
#include <fcntl.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "toolstack/config.h"

#define MAX_ARGS 64
#define MAX_FD   64

/* A line that lacks only what the fuzzer says, so that the last checks are reached too. */
static const char *const frame[] = {"hvm-dm", "-xen-domid", "7", "-machine", "xenfv", "-m", "64"};
#define FRAME (sizeof(frame) / sizeof(frame[0]))

static void parse(int argc, char **argv)
{
    struct config config;
    struct err err;
    err.text[0] = '\0';
    if (!config_from_libxl(&config, argc, argv, &err)) {
        if (!err.text[0] || strchr(err.text, '\n'))
            abort(); /* a refusal is one line */
    } else if (config.action == CONFIG_RUN) {
        if (!config.domid || !config.ram_bytes || config.vcpus > config.max_vcpus ||
            config.drive_count > CONFIG_MAX_DRIVES || config.vnc.to < config.vnc.display)
            abort();
        for (size_t i = 0; i < config.drive_count; i++)
            if (config.drives[i].ide_unit > 3 || config.drives[i].ahci_port >= CONFIG_AHCI_PORTS ||
                !config.drives[i].id || config.drives[i].empty != !config.drives[i].file)
                abort();
        if (config.nic_count > CONFIG_MAX_NICS || config.netdev_count > CONFIG_MAX_NETDEVS)
            abort();
        for (size_t i = 0; i < config.nic_count; i++)
            if ((config.nics[i].mac[0] & 1) || (config.nics[i].netdev != CONFIG_NO_NETDEV &&
                                                config.nics[i].netdev >= config.netdev_count))
                abort();
        for (size_t i = 0; i < config.netdev_count; i++)
            if (!config.netdevs[i].id || config.netdevs[i].forward_count > NETDEV_MAX_FORWARDS)
                abort();
        for (size_t i = 0; i < config.capture_count; i++)
            if (config.captures[i].netdev >= config.netdev_count || !config.captures[i].file)
                abort();
    }
    config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), *argv[FRAME + MAX_ARGS + 1];
    bool open_before[MAX_FD];
    memcpy(copy, data, size);
    copy[size] = '\0';
    int argc = 0;
    for (size_t i = 0; i < FRAME; i++)
        argv[argc++] = (char *)frame[i];
    for (char *p = copy; p < copy + size && argc < (int)(FRAME + MAX_ARGS);) {
        argv[argc++] = p;
        size_t n = strcspn(p, "\n");
        p[n] = '\0';
        p += n + 1;
    }
    argv[argc] = NULL;

    for (int fd = 3; fd < MAX_FD; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0;
    parse(argc, argv);
    argv[FRAME - 1] = argv[0];
    parse(argc - (int)FRAME + 1, argv + FRAME - 1); /* without the frame */
    for (int fd = 3; fd < MAX_FD; fd++)
        if (!open_before[fd])
            close(fd); /* copies of /dev/fdset/N */
    free(copy);
    return 0;
}
