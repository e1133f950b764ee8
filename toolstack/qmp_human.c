/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_human: the few lines of the human monitor that `xl qemu-monitor-command` is used for. */
#include "toolstack/qmp_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/format.h"

static void info_version(struct qmp *qmp, FILE *out)
{
    (void)qmp;
    fprintf(out, "%d.%d.%d (hvm-dm %s)\r\n", CONFIG_QEMU_MAJOR, CONFIG_QEMU_MINOR,
            CONFIG_QEMU_MICRO, HVM_DM_VERSION);
}

static void info_status(struct qmp *qmp, FILE *out)
{
    const char *status = qmp_run_state_name(qmp);
    if (!strcmp(status, "running") || !strcmp(status, "paused"))
        fprintf(out, "VM status: %s\r\n", status);
    else
        fprintf(out, "VM status: paused (%s)\r\n", status);
}

static void info_name(struct qmp *qmp, FILE *out)
{
    if (qmp->target->name)
        fprintf(out, "%s\r\n", qmp->target->name);
}

static void info_block(struct qmp *qmp, FILE *out)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_block_info info = {0};
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        fprintf(out, "%s: ", info.id ? info.id : "");
        if (info.inserted)
            fprintf(out, "%s (%s%s), %llu bytes\r\n", info.file ? info.file : "",
                    block_format_name(info.format), info.read_only ? ", read-only" : "",
                    (unsigned long long)info.bytes);
        else
            fprintf(out, "[not inserted]\r\n");
        if (info.qdev)
            fprintf(out, "    Attached to: %s\r\n", info.qdev);
        if (info.cdrom)
            fprintf(out, "    Removable device: %slocked, tray %s\r\n", info.locked ? "" : "not ",
                    info.tray_open ? "open" : "closed");
        info = (struct qmp_block_info){0};
    }
}

static void info_blockstats(struct qmp *qmp, FILE *out)
{
    static const struct block_stats none;
    const struct qmp_target *t = qmp->target;
    struct qmp_block_info info = {0};
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        const struct block_stats *s = info.inserted && info.stats ? info.stats : &none;
        fprintf(out,
                "%s: rd_bytes=%llu wr_bytes=%llu rd_operations=%llu wr_operations=%llu "
                "flush_operations=%llu\r\n",
                info.id ? info.id : "", (unsigned long long)s->rd_bytes,
                (unsigned long long)s->wr_bytes, (unsigned long long)s->rd_operations,
                (unsigned long long)s->wr_operations, (unsigned long long)s->flush_operations);
        info = (struct qmp_block_info){0};
    }
}

static void info_chardev(struct qmp *qmp, FILE *out)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_chardev_info info = {0};
    for (const struct qmp_monitor *m = qmp->monitors; m; m = m->next)
        fprintf(out, "%s: filename=unix:%s,server=on\r\n", m->id, m->path ? m->path : "");
    for (size_t i = 0; t->chardev && t->chardev(t->opaque, i, &info); i++)
        fprintf(out, "%s: filename=%s\r\n", info.label, info.filename);
}

static void info_vnc(struct qmp *qmp, FILE *out)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_vnc_info info = {0};
    if (!t->vnc || !t->vnc(t->opaque, &info)) {
        fprintf(out, "Server: disabled\r\n");
        return;
    }
    if (info.unix_path)
        fprintf(out, "Server: %s (unix)\r\n", info.unix_path);
    else
        fprintf(out, "Server: %s:%s (%s)\r\n", info.host, info.service,
                info.ipv6 ? "ipv6" : "ipv4");
    fprintf(out, "    Auth: %s\r\n    Clients: %u\r\n", info.password ? "vnc" : "none",
            info.clients);
}

static void info_cpus(struct qmp *qmp, FILE *out)
{
    for (unsigned i = 0; i < qmp->target->vcpus; i++)
        fprintf(out, "%c CPU #%u: (Xen's)\r\n", i ? ' ' : '*', i);
}

static void info_pci(struct qmp *qmp, FILE *out)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_pci_info info = {0};
    for (size_t i = 0; t->pci && t->pci(t->opaque, i, &info); i++) {
        fprintf(out,
                "  Bus  0, device %3u, function %u:\r\n    Class %04x: PCI device %04x:%04x\r\n",
                info.slot, info.function, info.class_code >> 8, info.vendor, info.device);
        if (info.subsystem_vendor || info.subsystem)
            fprintf(out, "      PCI subsystem %04x:%04x\r\n", info.subsystem_vendor,
                    info.subsystem);
        if (info.irq_pin)
            fprintf(out, "      IRQ %u, pin %c\r\n", info.irq, 'A' + info.irq_pin - 1);
        for (size_t r = 0; r < info.region_count && r < 7; r++) {
            const struct qmp_pci_region *region = &info.regions[r];
            fprintf(out, "      BAR%u: %s at 0x%llx [0x%llx bytes]\r\n", region->bar,
                    region->io         ? "I/O"
                    : region->prefetch ? "prefetchable memory"
                                       : "memory",
                    (unsigned long long)region->address, (unsigned long long)region->size);
        }
        fprintf(out, "      id \"%s\"\r\n", info.qdev_id ? info.qdev_id : "");
        info = (struct qmp_pci_info){0};
    }
}

static const struct {
    const char *name;
    void (*print)(struct qmp *qmp, FILE *out);
} infos[] = {
    {"block", info_block},     {"blockstats", info_blockstats},
    {"chardev", info_chardev}, {"cpus", info_cpus},
    {"name", info_name},       {"pci", info_pci},
    {"status", info_status},   {"version", info_version},
    {"vnc", info_vnc},
};

static void help(FILE *out)
{
    fprintf(out, "help\r\n");
    for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
        fprintf(out, "info %s\r\n", infos[i].name);
}

static void answer(struct qmp *qmp, const char *line, FILE *out)
{
    char word[2][32] = {"", ""};
    sscanf(line, "%31s %31s", word[0], word[1]);
    if (!word[0][0])
        return;
    if (!strcmp(word[0], "help") || !strcmp(word[0], "?") ||
        (!strcmp(word[0], "info") && !word[1][0])) {
        help(out);
        return;
    }
    if (strcmp(word[0], "info")) {
        fprintf(out, "unknown command: '%s' (help lists them; all others are QMP's)\r\n", word[0]);
        return;
    }
    for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++)
        if (!strcmp(infos[i].name, word[1])) {
            infos[i].print(qmp, out);
            return;
        }
    fprintf(out, "unknown command: 'info %s' (help lists them)\r\n", word[1]);
}

json_t *qmp_human(struct qmp *qmp, const char *line)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    answer(qmp, line, out);
    json_t *result = fclose(out) == 0 ? qmp_text(text) : NULL;
    free(text);
    return result;
}
