/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_block: the QMP commands about disks and CDs. Shapes: QEMU's QMP reference, "Block devices".
 */
#include "toolstack/qmp_internal.h"

#include <stdio.h>
#include <string.h>

#include "block/format.h"

static const char *const limit_names[BLOCK_LIMIT_COUNT] = {
    [BLOCK_LIMIT_BPS] = "bps",           [BLOCK_LIMIT_BPS_READ] = "bps_rd",
    [BLOCK_LIMIT_BPS_WRITE] = "bps_wr",  [BLOCK_LIMIT_IOPS] = "iops",
    [BLOCK_LIMIT_IOPS_READ] = "iops_rd", [BLOCK_LIMIT_IOPS_WRITE] = "iops_wr",
};

json_t *qmp_node_name(const char *name, size_t index)
{
    char made_up[32];
    snprintf(made_up, sizeof(made_up), "#block%03zu", index);
    return qmp_text(name ? name : made_up);
}

static void add_limits(json_t *inserted, const struct block_limits *limits)
{
    static const struct block_limits none;
    char key[32];
    if (!limits)
        limits = &none;
    for (size_t i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        json_object_set_new(inserted, limit_names[i], json_integer((json_int_t)limits->of[i].avg));
        if (!limits->of[i].max)
            continue;
        snprintf(key, sizeof(key), "%s_max", limit_names[i]);
        json_object_set_new(inserted, key, json_integer((json_int_t)limits->of[i].max));
        snprintf(key, sizeof(key), "%s_max_length", limit_names[i]);
        uint32_t length = limits->of[i].length;
        json_object_set_new(inserted, key, json_integer(length ? length : 1));
    }
    if (limits->iops_size)
        json_object_set_new(inserted, "iops_size", json_integer((json_int_t)limits->iops_size));
}

static json_t *block_inserted(const struct qmp_block_info *info, size_t index)
{
    static const char *const detects[] = {[BLOCK_DETECT_ZEROES_OFF] = "off",
                                          [BLOCK_DETECT_ZEROES_ON] = "on",
                                          [BLOCK_DETECT_ZEROES_UNMAP] = "unmap"};
    enum block_cache c = info->cache;
    bool direct = c == BLOCK_CACHE_NONE || c == BLOCK_CACHE_DIRECTSYNC;
    bool writeback = c != BLOCK_CACHE_WRITETHROUGH && c != BLOCK_CACHE_DIRECTSYNC;
    const char *format = block_format_name(info->format);
    json_t *inserted = json_pack(
        "{s:o,s:o,s:b,s:s,s:b,s:i,s:s,s:i,s:{s:b,s:b,s:b},s:{s:o,s:s,s:I}}", "file",
        qmp_text(info->file), "node-name", qmp_node_name(info->node_name, index), "ro",
        info->read_only, "drv", format, "encrypted", 0, "backing_file_depth", 0, "detect_zeroes",
        detects[info->detect_zeroes], "write_threshold", 0, "cache", "writeback", writeback,
        "direct", direct, "no-flush", c == BLOCK_CACHE_UNSAFE, "image", "filename",
        qmp_text(info->file), "format", format, "virtual-size", (json_int_t)info->bytes);
    add_limits(inserted, info->limits);
    return inserted;
}

void qmp_cmd_block(struct qmp_call *call)
{
    static const char *const states[] = {
        [BLOCK_IO_OK] = "ok", [BLOCK_IO_FAILED] = "failed", [BLOCK_IO_NOSPACE] = "nospace"};
    const struct qmp_target *t = call->qmp->target;
    struct qmp_block_info info = {0};
    call->result = json_array();
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        json_t *block =
            json_pack("{s:o,s:s,s:b,s:b}", "device", qmp_text(info.id), "type", "unknown",
                      "removable", info.cdrom || info.floppy, "locked", info.locked);
        if (info.qdev)
            json_object_set_new(block, "qdev", qmp_text(info.qdev));
        if (info.cdrom)
            json_object_set_new(block, "tray_open", json_boolean(info.tray_open));
        if (info.inserted) {
            json_object_set_new(block, "io-status", json_string(states[info.io_status]));
            json_object_set_new(block, "inserted", block_inserted(&info, i));
        }
        json_array_append_new(call->result, block);
        info = (struct qmp_block_info){0};
    }
}

void qmp_cmd_named_nodes(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    struct qmp_block_info info = {0};
    call->result = json_array();
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        if (info.inserted)
            json_array_append_new(call->result, block_inserted(&info, i));
        info = (struct qmp_block_info){0};
    }
}

void qmp_cmd_blockstats(struct qmp_call *call)
{
    static const struct block_stats none;
    const struct qmp_target *t = call->qmp->target;
    struct qmp_block_info info = {0};
    call->result = json_array();
    for (size_t i = 0; t->block && t->block(t->opaque, i, &info); i++) {
        const struct block_stats *s = info.inserted && info.stats ? info.stats : &none;
        const struct {
            const char *name;
            uint64_t value;
        } values[] = {
            {"rd_bytes", s->rd_bytes},
            {"wr_bytes", s->wr_bytes},
            {"rd_operations", s->rd_operations},
            {"wr_operations", s->wr_operations},
            {"flush_operations", s->flush_operations},
            {"unmap_operations", s->unmap_operations},
            {"rd_total_time_ns", s->rd_total_time_ns},
            {"wr_total_time_ns", s->wr_total_time_ns},
            {"flush_total_time_ns", s->flush_total_time_ns},
            {"failed_rd_operations", s->failed_rd_operations},
            {"failed_wr_operations", s->failed_wr_operations},
            {"failed_flush_operations", s->failed_flush_operations},
            /* Nothing is merged or refused before it is counted. */
            {"rd_merged", 0},
            {"wr_merged", 0},
            {"invalid_rd_operations", 0},
            {"invalid_wr_operations", 0},
            {"invalid_flush_operations", 0},
        };
        json_t *stats = json_object();
        for (size_t n = 0; n < sizeof(values) / sizeof(values[0]); n++)
            json_object_set_new(stats, values[n].name, json_integer((json_int_t)values[n].value));
        json_object_set_new(stats, "account_invalid", json_true());
        json_object_set_new(stats, "account_failed", json_true());
        json_object_set_new(stats, "timed_stats", json_array());
        json_t *entry = json_pack("{s:o,s:o}", "device", qmp_text(info.id), "stats", stats);
        if (info.inserted)
            json_object_set_new(entry, "node-name", qmp_node_name(info.node_name, i));
        if (info.qdev)
            json_object_set_new(entry, "qdev", qmp_text(info.qdev));
        json_array_append_new(call->result, entry);
        info = (struct qmp_block_info){0};
    }
}

int qmp_find_block(struct qmp *qmp, const char *id, struct qmp_block_info *info)
{
    const struct qmp_target *t = qmp->target;
    *info = (struct qmp_block_info){0};
    for (int i = 0; t->block && t->block(t->opaque, (size_t)i, info); i++) {
        if ((info->qdev && !strcmp(info->qdev, id)) || (info->id && !strcmp(info->id, id)))
            return i;
        *info = (struct qmp_block_info){0};
    }
    return -1;
}

/* The drive with a medium that `key` (a drive's or device's id) or `node` (its image's name) names;
 * -1 with the error set. */
static int with_medium(struct qmp_call *call, const char *id, const char *node)
{
    const struct qmp_target *t = call->qmp->target;
    struct qmp_block_info info = {0};
    int index = id ? qmp_find_block(call->qmp, id, &info) : -1;
    for (int i = 0; !id && node && index < 0 && t->block && t->block(t->opaque, (size_t)i, &info);
         i++) {
        json_t *name = qmp_node_name(info.node_name, (size_t)i);
        if (info.inserted && !strcmp(json_string_value(name), node))
            index = i;
        json_decref(name);
    }
    if (!id && !node)
        qmp_fail(call, QMP_GENERIC, "the argument that names the drive is missing");
    else if (index < 0)
        qmp_fail(call, QMP_NO_DEVICE, "there is no drive '%s'", id ? id : node);
    else if (!info.inserted) {
        qmp_fail(call, QMP_GENERIC, "drive '%s' has no medium", id ? id : node);
        index = -1;
    }
    return index;
}

/* Is it a disk that the guest knows as a PV disk only? *index: the emulated one it was, or -1. */
static bool is_pv_disk(struct qmp_call *call, const char *id, int *index)
{
    struct qmp_block_info info;

    *index = id ? qmp_find_block(call->qmp, id, &info) : -1;
    if (*index >= 0)
        return !info.inserted && !info.cdrom && !info.floppy;
    return id && !strncmp(id, "xvd", 3);
}

void qmp_cmd_block_resize(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *id = qmp_arg_string(call, "device");
    json_int_t size = 0;
    int index = -1;
    bool pv = t->resize_pv && is_pv_disk(call, id, &index);
    if (!pv)
        index = with_medium(call, id, qmp_arg_string(call, "node-name"));
    if (!pv && index < 0)
        return;
    qmp_arg_int(call, "size", &size);
    if (size <= 0)
        qmp_fail(call, QMP_GENERIC, "size is more than 0");
    else if (pv)
        qmp_done(call, true, t->resize_pv(t->opaque, index, id, (uint64_t)size, &call->err));
    else
        qmp_done(call, t->resize,
                 t->resize && t->resize(t->opaque, (size_t)index, (uint64_t)size, &call->err));
}

static bool limit_arg(struct qmp_call *call, const char *name, const char *suffix, uint64_t *out)
{
    char key[32];
    json_int_t value = 0;
    snprintf(key, sizeof(key), "%s%s", name, suffix);
    qmp_arg_int(call, key, &value);
    if (value < 0) {
        qmp_fail(call, QMP_GENERIC, "%s is negative", key);
        return false;
    }
    *out = (uint64_t)value;
    return true;
}

void qmp_cmd_block_throttle(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *id = qmp_arg_string(call, "id");
    struct block_limits limits = {0};
    int index = with_medium(call, id ? id : qmp_arg_string(call, "device"), NULL);
    if (index < 0)
        return;
    for (size_t i = 0; i < BLOCK_LIMIT_COUNT; i++) {
        uint64_t length = 0;
        if (!limit_arg(call, limit_names[i], "", &limits.of[i].avg) ||
            !limit_arg(call, limit_names[i], "_max", &limits.of[i].max) ||
            !limit_arg(call, limit_names[i], "_max_length", &length))
            return;
        limits.of[i].length = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
    }
    if (!limit_arg(call, "iops_size", "", &limits.iops_size))
        return;
    const char *group = qmp_arg_string(call, "group"); /* QEMU's default is the drive's own name */
    if (group && strcmp(group, id ? id : qmp_arg_string(call, "device")) != 0)
        qmp_fail(call, QMP_GENERIC, "group: each disk has its own limits");
    else
        qmp_done(call, t->set_limits,
                 t->set_limits && t->set_limits(t->opaque, (size_t)index, &limits, &call->err));
}

/* The CD or floppy drive that `id` or `device` names; -1 with the error set. */
static int removable(struct qmp_call *call, struct qmp_block_info *info)
{
    const char *id = qmp_arg_string(call, "id");
    if (!id)
        id = qmp_arg_string(call, "device");
    if (!id) {
        qmp_fail(call, QMP_GENERIC, "argument 'id' is missing");
        return -1;
    }
    int index = qmp_find_block(call->qmp, id, info);
    if (index < 0) {
        qmp_fail(call, QMP_NO_DEVICE, "there is no drive '%s'", id);
    } else if (!info->cdrom && !info->floppy) {
        qmp_fail(call, QMP_GENERIC, "the medium of '%s' cannot be changed", id);
        index = -1;
    }
    return index;
}

void qmp_cmd_eject(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    struct qmp_block_info info;
    int index = removable(call, &info);
    if (index >= 0)
        qmp_done(call, t->eject,
                 t->eject && t->eject(t->opaque, (size_t)index, qmp_arg_bool(call, "force", false),
                                      &call->err));
}

void qmp_change_medium(struct qmp_call *call, const char *file, const char *format,
                       const char *mode)
{
    const struct qmp_target *t = call->qmp->target;
    struct qmp_medium medium = {.file = file, .fd = -1, .format = BLOCK_FORMAT_RAW};
    struct qmp_block_info info;
    struct err why;
    int index = removable(call, &info);
    if (index < 0)
        return;
    medium.retain = info.floppy && (!mode || !strcmp(mode, "retain"));
    medium.read_only = info.cdrom || (mode && !strcmp(mode, "read-only"));
    const bool write = info.floppy && mode && !strcmp(mode, "read-write");
    if (format && !block_format_find(format, file, &medium.format, &why))
        qmp_fail(call, QMP_GENERIC, "%s", why.text);
    else if (mode && strcmp(mode, "retain") && strcmp(mode, "read-only") && !write)
        qmp_fail(call, QMP_GENERIC, "read-only-mode '%s': %s", mode,
                 info.cdrom ? "a CD is read-only" : "it is not retain, read-only or read-write");
    else if (!*file)
        qmp_fail(call, QMP_GENERIC, "the file's name is empty");
    else if (!t->change_medium)
        qmp_done(call, false, false);
    else if (qmp_fd_file(call->qmp, file, write, &medium.fd, &call->err) && medium.fd < 0)
        qmp_done(call, true, false);
    else
        qmp_done(call, true, t->change_medium(t->opaque, (size_t)index, &medium, &call->err));
}

void qmp_cmd_change_medium(struct qmp_call *call)
{
    qmp_change_medium(call, qmp_arg_string(call, "filename"), qmp_arg_string(call, "format"),
                      qmp_arg_string(call, "read-only-mode"));
}
