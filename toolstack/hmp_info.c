/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp_info: the subjects of `info`. */
#include "toolstack/hmp_internal.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/format.h"
#include "ui/input.h"

static void info_version(struct hmp *h)
{
    fprintf(h->out, "%d.%d.%d (hvm-dm %s)\r\n", CONFIG_QEMU_MAJOR, CONFIG_QEMU_MINOR,
            CONFIG_QEMU_MICRO, HVM_DM_VERSION);
}

static void info_status(struct hmp *h)
{
    const char *status = qmp_run_state_name(h->qmp);
    if (!strcmp(status, "running") || !strcmp(status, "paused"))
        fprintf(h->out, "VM status: %s\r\n", status);
    else
        fprintf(h->out, "VM status: paused (%s)\r\n", status);
}

static void info_name(struct hmp *h)
{
    if (h->target->name)
        fprintf(h->out, "%s\r\n", h->target->name);
}

/* Names of the host's files are for those who may use them. */
static const char *host_name(const struct hmp *h, const char *name)
{
    return !name ? "" : h->privileged ? name : "[an image]";
}

static void info_block(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_block_info info = {0};
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        fprintf(h->out, "%s: ", info.id ? info.id : "");
        if (info.inserted)
            fprintf(h->out, "%s (%s%s), %llu bytes\r\n", host_name(h, info.file),
                    block_format_name(info.format), info.read_only ? ", read-only" : "",
                    (unsigned long long)info.bytes);
        else
            fprintf(h->out, "[not inserted]\r\n");
        if (info.qdev)
            fprintf(h->out, "    Attached to: %s\r\n", info.qdev);
        if (info.cdrom)
            fprintf(h->out, "    Removable device: %slocked, tray %s\r\n",
                    info.locked ? "" : "not ", info.tray_open ? "open" : "closed");
        info = (struct qmp_block_info){0};
    }
}

static void info_blockstats(struct hmp *h)
{
    static const struct block_stats none;
    const struct qmp_target *t = h->target;
    struct qmp_block_info info = {0};
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        const struct block_stats *s = info.inserted && info.stats ? info.stats : &none;
        fprintf(h->out,
                "%s: rd_bytes=%llu wr_bytes=%llu rd_operations=%llu wr_operations=%llu "
                "flush_operations=%llu\r\n",
                info.id ? info.id : "", (unsigned long long)s->rd_bytes,
                (unsigned long long)s->wr_bytes, (unsigned long long)s->rd_operations,
                (unsigned long long)s->wr_operations, (unsigned long long)s->flush_operations);
        info = (struct qmp_block_info){0};
    }
}

static void info_chardev(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_chardev_info info = {0};
    for (const struct qmp_monitor *m = h->qmp->monitors; m; m = m->next)
        hmp_say(h, "%s: filename=unix%s%s", m->id, h->privileged ? ":" : "",
                h->privileged && m->path ? m->path : "");
    for (size_t i = 0; t->chardev && t->chardev(t->opaque, i, &info); i++)
        hmp_say(h, "%s: filename=%.*s", info.label,
                h->privileged ? INT_MAX : (int)strcspn(info.filename, ":"), info.filename);
}

static void info_vnc(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_vnc_info info = {0};
    if (!t->vnc || !t->vnc(t->opaque, &info)) {
        fprintf(h->out, "Server: disabled\r\n");
        return;
    }
    if (!h->privileged)
        fprintf(h->out, "Server: enabled\r\n");
    else if (info.unix_path)
        fprintf(h->out, "Server: %s (unix)\r\n", info.unix_path);
    else
        fprintf(h->out, "Server: %s:%s (%s)\r\n", info.host, info.service,
                info.ipv6 ? "ipv6" : "ipv4");
    fprintf(h->out, "    Auth: %s\r\n    Clients: %u\r\n", info.password ? "vnc" : "none",
            info.clients);
    for (unsigned i = 0; h->privileged && i < info.clients && i < VNC_MAX_CLIENTS; i++)
        hmp_say(h, "  Client: %s%s%s (%s)", info.viewers[i].host,
                *info.viewers[i].service ? ":" : "", info.viewers[i].service,
                info.viewers[i].websocket ? "websocket" : info.viewers[i].family);
}

static void info_cpus(struct hmp *h)
{
    for (unsigned i = 0; i < h->target->vcpus; i++)
        fprintf(h->out, "%c CPU #%u: (Xen's)\r\n", i ? ' ' : '*', i);
}

static void info_pci(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_pci_info info = {0};
    for (size_t i = 0; t->pci && t->pci(t->opaque, i, &info); i++) {
        fprintf(h->out,
                "  Bus  0, device %3u, function %u:\r\n    Class %04x: PCI device %04x:%04x\r\n",
                info.slot, info.function, info.class_code >> 8, info.vendor, info.device);
        if (info.subsystem_vendor || info.subsystem)
            fprintf(h->out, "      PCI subsystem %04x:%04x\r\n", info.subsystem_vendor,
                    info.subsystem);
        if (info.irq_pin)
            fprintf(h->out, "      IRQ %u, pin %c\r\n", info.irq, 'A' + info.irq_pin - 1);
        for (size_t r = 0; r < info.region_count && r < 7; r++) {
            const struct qmp_pci_region *region = &info.regions[r];
            fprintf(h->out, "      BAR%u: %s at 0x%llx [0x%llx bytes]\r\n", region->bar,
                    region->io         ? "I/O"
                    : region->prefetch ? "prefetchable memory"
                                       : "memory",
                    (unsigned long long)region->address, (unsigned long long)region->size);
        }
        fprintf(h->out, "      id \"%s\"\r\n", info.qdev_id ? info.qdev_id : "");
        info = (struct qmp_pci_info){0};
    }
}

static void info_mice(struct hmp *h)
{
    const struct input *input = h->target->input;
    const struct input_pointer *p;
    unsigned n = 0;
    for (; input && (p = input_pointer_nth(input, n)); n++)
        hmp_say(h, "%c Mouse #%u: %s%s", input_current_pointer(input) == p ? '*' : ' ', n,
                p->name ? p->name : "mouse", p->absolute ? " (absolute)" : "");
    if (!n)
        hmp_say(h, "No mouse devices connected");
}

static void net_counters(struct hmp *h, const char *way, const uint64_t n[5], const char *waits,
                         bool waiting)
{
    hmp_say(h,
            "    %-5s packets=%" PRIu64 " bytes=%" PRIu64 " dropped=%" PRIu64 " errors=%" PRIu64
            " %s=%" PRIu64 "%s",
            way, n[0], n[1], n[2], n[3], waits, n[4], waiting ? ", one waits now" : "");
}

/* The two ends of each wire, and what went over it: from the guest (tx), to it (rx). */
static void info_network(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_net_info info = {0};
    size_t i = 0;
    for (; t->net && t->net(t->opaque, i, &info); i++) {
        const struct net_stats *s = &info.stats;
        const uint8_t *m = info.mac;
        if (info.nic)
            hmp_say(h, "%s: type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x%s%s", info.nic,
                    info.model, m[0], m[1], m[2], m[3], m[4], m[5],
                    !info.netdev ? ",no cable"
                    : info.link  ? ",link=on"
                                 : ",link=off",
                    info.unplugged ? ",unplugged by the guest's PV drivers" : "");
        if (info.netdev) {
            /* Names of the host's interfaces and addresses are for those who may use them. */
            hmp_say(h, " %s %s: type=%.*s", info.nic ? "\\" : "(no card)", info.netdev,
                    h->privileged ? INT_MAX : (int)strcspn(info.backend, ","), info.backend);
            net_counters(
                h, "tx:",
                (uint64_t[]){s->tx_frames, s->tx_bytes, s->tx_dropped, s->tx_errors, s->tx_full},
                "full", s->tx_waiting);
            net_counters(
                h, "rx:",
                (uint64_t[]){s->rx_frames, s->rx_bytes, s->rx_dropped, s->rx_errors, s->rx_held},
                "held", s->rx_waiting);
            if (s->rx_stale)
                hmp_say(h, "          came while the receiver was off: %" PRIu64, s->rx_stale);
        }
        info = (struct qmp_net_info){0};
    }
    if (!i)
        hmp_say(h, "There are no emulated network cards (PV ones are the toolstack's: xl "
                   "network-list)");
}

static void info_usb(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    char text[128];
    size_t n = 0;
    for (; t->usb && t->usb(t->opaque, n, text, sizeof(text)); n++)
        hmp_say(h, "  %s", text);
    if (!t->usb)
        hmp_say(h, "USB support not enabled");
    else if (!n)
        hmp_say(h, "No USB devices connected");
}

static void info_mtree(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_io_range range = {0};
    bool memory = false;
    if (!t->io_range)
        return;
    hmp_say(h, "I/O ports");
    for (size_t i = 0; t->io_range(t->opaque, i, &range); i++) {
        if (range.memory && !memory)
            hmp_say(h, "memory");
        memory = range.memory;
        hmp_say(h, "  %0*" PRIx64 "-%0*" PRIx64 "  %s", memory ? 16 : 4, range.first,
                memory ? 16 : 4, range.last, range.name);
    }
    if (!memory)
        hmp_say(h, "memory: no ranges");
}

static void info_memory(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct qmp_memory_info info = {0};
    if (!t->memory || !t->memory(t->opaque, &info))
        return;
    hmp_say(h, "RAM: %" PRIu64 " bytes, below 4 GiB up to 0x%" PRIx64, info.ram_bytes,
            info.below_4g_end);
    if (info.vram_bytes && info.vram_at == UINT64_MAX)
        hmp_say(h, "video memory: %" PRIu64 " bytes, not mapped by the guest", info.vram_bytes);
    else if (info.vram_bytes)
        hmp_say(h, "video memory: %" PRIu64 " bytes at 0x%" PRIx64, info.vram_bytes, info.vram_at);
}

static void info_ioreq(struct hmp *h)
{
    const struct qmp_target *t = h->target;
    struct hv_ioreq_stats s = {0};
    static const char *const names[HV_IOREQ_KINDS] = {
        [HV_IOREQ_PORT_READ] = "port reads",         [HV_IOREQ_PORT_WRITE] = "port writes",
        [HV_IOREQ_MEMORY_READ] = "memory reads",     [HV_IOREQ_MEMORY_WRITE] = "memory writes",
        [HV_IOREQ_PCI_CONFIG] = "PCI configuration", [HV_IOREQ_OTHER] = "others",
    };
    if (!t->ioreq_stats || !t->ioreq_stats(t->opaque, &s)) {
        hmp_say(h, "there are no counters here");
        return;
    }
    for (unsigned i = 0; i < HV_IOREQ_KINDS; i++)
        hmp_say(h, "%-18s %" PRIu64, names[i], s.count[i]);
    hmp_say(h, "of them posted     %" PRIu64, s.posted);
    hmp_say(h, "from seen to answered, one of %u timed:", HV_IOREQ_SAMPLE);
    for (unsigned i = 0; i < HV_IOREQ_BUCKETS; i++)
        if (s.latency[i])
            hmp_say(h, "  %s %" PRIu64 " ns: %" PRIu64,
                    i == HV_IOREQ_BUCKETS - 1 ? "  at least" : "less than",
                    i == HV_IOREQ_BUCKETS - 1 ? HV_IOREQ_BUCKET_NS(i - 1) : HV_IOREQ_BUCKET_NS(i),
                    s.latency[i]);
}

const struct hmp_info hmp_infos[] = {
    {"block", "drives and their media", info_block},
    {"blockstats", "what went through each drive", info_blockstats},
    {"chardev", "streams", info_chardev},
    {"cpus", "virtual CPUs", info_cpus},
    {"ioreq", "the guest's accesses: how many, and how long they took", info_ioreq},
    {"memory", "the guest's memory", info_memory},
    {"mice", "pointers, and which gets events", info_mice},
    {"mtree", "which device answers where", info_mtree},
    {"name", "the guest's name", info_name},
    {"network", "network cards", info_network},
    {"pci", "PCI devices", info_pci},
    {"status", "whether the guest runs", info_status},
    {"usb", "USB devices", info_usb},
    {"version", "whose version", info_version},
    {"vnc", "who serves and sees the screen", info_vnc},
    {0},
};
