/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qmp_commands: every QMP command, in one table with its arguments. Names and shapes are those of
 * QEMU's QMP reference (qapi/), as far as libxl, libxenstat and xenopsd use them.
 */
#include "toolstack/qmp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "toolstack/optstr.h"

#define MAX_ARGS 22
/* ARG_OTHERS: any other argument is taken, too. */
enum arg_type { ARG_NONE, ARG_STRING, ARG_BOOL, ARG_INT, ARG_ARRAY, ARG_OTHERS };

struct arg {
    const char *name;
    enum arg_type type;
    bool optional;
};

struct command {
    const char *name;
    void (*run)(struct qmp_call *call);
    struct arg args[MAX_ARGS + 1];
};

static const struct command commands[];

/* ---- arguments, after the table has checked them ---- */

const char *qmp_arg_string(const struct qmp_call *call, const char *name)
{
    return json_string_value(json_object_get(call->args, name));
}

bool qmp_arg_bool(const struct qmp_call *call, const char *name, bool fallback)
{
    const json_t *value = json_object_get(call->args, name);
    return value ? json_is_true(value) : fallback;
}

bool qmp_arg_int(const struct qmp_call *call, const char *name, json_int_t *out)
{
    const json_t *value = json_object_get(call->args, name);
    if (value)
        *out = json_integer_value(value);
    return value != NULL;
}

static bool arg_fits(enum arg_type type, const json_t *value)
{
    switch (type) {
    case ARG_STRING:
        return json_is_string(value);
    case ARG_BOOL:
        return json_is_boolean(value);
    case ARG_INT:
        return json_is_integer(value);
    case ARG_ARRAY:
        return json_is_array(value);
    case ARG_NONE:
    case ARG_OTHERS:
        break;
    }
    return false;
}

static bool check_args(struct qmp_call *call, const struct command *command)
{
    static const char *const type_names[] = {
        [ARG_NONE] = "",          [ARG_STRING] = "a string", [ARG_BOOL] = "true or false",
        [ARG_INT] = "an integer", [ARG_ARRAY] = "an array",
    };
    size_t known = 0;
    for (const struct arg *a = command->args; a->name; a++) {
        if (a->type == ARG_OTHERS)
            return true;
        const json_t *value = json_object_get(call->args, a->name);
        if (!value && !a->optional) {
            qmp_fail(call, QMP_GENERIC, "%s: argument '%s' is missing", command->name, a->name);
            return false;
        }
        if (value && !arg_fits(a->type, value)) {
            qmp_fail(call, QMP_GENERIC, "%s: argument '%s' is %s", command->name, a->name,
                     type_names[a->type]);
            return false;
        }
        known += value != NULL;
    }
    const char *key;
    json_t *value;
    if (known < json_object_size(call->args))
        json_object_foreach(call->args, key, value)
        {
            bool found = false;
            for (const struct arg *a = command->args; a->name; a++)
                found = found || !strcmp(a->name, key);
            if (!found) {
                qmp_fail(call, QMP_GENERIC, "%s: there is no argument '%.64s'", command->name, key);
                return false;
            }
        }
    return true;
}

/* ---- answers ---- */

static void ok(struct qmp_call *call)
{
    call->result = json_object();
}

void qmp_done(struct qmp_call *call, bool offered, bool success)
{
    if (!offered)
        qmp_fail(call, QMP_GENERIC, "this command is not available here");
    else if (success)
        ok(call);
    else
        call->error_class = QMP_GENERIC; /* the target has set call->err */
}

/* ---- about us ---- */

json_t *qmp_version(void)
{
    return json_pack("{s:{s:i,s:i,s:i},s:s}", "qemu", "major", CONFIG_QEMU_MAJOR, "minor",
                     CONFIG_QEMU_MINOR, "micro", CONFIG_QEMU_MICRO, "package",
                     "hvm-dm " HVM_DM_VERSION);
}

static void cmd_capabilities(struct qmp_call *call)
{
    if (json_array_size(json_object_get(call->args, "enable"))) {
        qmp_fail(call, QMP_GENERIC, "qmp_capabilities: there is no capability to enable");
        return;
    }
    call->monitor->negotiated = true;
    ok(call);
}

static void cmd_version(struct qmp_call *call)
{
    call->result = qmp_version();
}

static void cmd_commands(struct qmp_call *call)
{
    call->result = json_array();
    for (const struct command *c = commands; c->name; c++)
        json_array_append_new(call->result, json_pack("{s:s}", "name", c->name));
}

/* What a toolstack asks before it chooses its words: libxl looks for run-with's chroot and user. */
static void cmd_command_line_options(struct qmp_call *call)
{
    static const struct {
        const char *option;
        struct arg parameters[8];
    } options[] = {
        {"run-with", {{"chroot", ARG_STRING, true}, {"user", ARG_STRING, true}, {0}}},
        {"sandbox",
         {{"enable", ARG_BOOL, true},
          {"obsolete", ARG_STRING, true},
          {"elevateprivileges", ARG_STRING, true},
          {"spawn", ARG_STRING, true},
          {"resourcecontrol", ARG_STRING, true},
          {0}}},
        {"add-fd",
         {{"fd", ARG_INT, true}, {"set", ARG_INT, true}, {"opaque", ARG_STRING, true}, {0}}},
        {"mon", {{"chardev", ARG_STRING, true}, {"mode", ARG_STRING, true}, {0}}},
        {"chardev",
         {{"backend", ARG_STRING, true},
          {"path", ARG_STRING, true},
          {"host", ARG_STRING, true},
          {"port", ARG_STRING, true},
          {"server", ARG_BOOL, true},
          {"wait", ARG_BOOL, true},
          {"fd", ARG_STRING, true},
          {0}}},
        {"smp-opts", {{"cpus", ARG_INT, true}, {"maxcpus", ARG_INT, true}, {0}}},
        {"boot-opts", {{"order", ARG_STRING, true}, {0}}},
        {"device", {{0}}}, /* as QEMU, which does not say what these take */
        {"netdev", {{0}}},
        {"nic", {{0}}},
        {"net", {{0}}},
        {"object", {{0}}},
    };
    const char *wanted = qmp_arg_string(call, "option");
    call->result = json_array();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (wanted && strcmp(wanted, options[i].option))
            continue;
        json_t *parameters = json_array();
        for (const struct arg *a = options[i].parameters; a->name; a++)
            json_array_append_new(parameters, json_pack("{s:s,s:s}", "name", a->name, "type",
                                                        a->type == ARG_BOOL  ? "boolean"
                                                        : a->type == ARG_INT ? "number"
                                                                             : "string"));
        json_array_append_new(call->result, json_pack("{s:s,s:o}", "option", options[i].option,
                                                      "parameters", parameters));
    }
    if (wanted && !json_array_size(call->result))
        qmp_fail(call, QMP_GENERIC, "there is no option '%s'", wanted);
}

/* ---- running and stopping ---- */

const char *qmp_run_state_name(struct qmp *qmp)
{
    static const char *const names[] = {
        [QMP_PRELAUNCH] = "prelaunch",     [QMP_INMIGRATE] = "inmigrate",
        [QMP_PAUSED] = "paused",           [QMP_RUNNING] = "running",
        [QMP_IO_ERROR] = "io-error",       [QMP_SHUTDOWN] = "shutdown",
        [QMP_POSTMIGRATE] = "postmigrate",
    };
    const struct qmp_target *t = qmp->target;
    return names[t->run_state ? t->run_state(t->opaque) : QMP_PRELAUNCH];
}

static void cmd_status(struct qmp_call *call)
{
    const char *status = qmp_run_state_name(call->qmp);
    call->result = json_pack("{s:b,s:b,s:s}", "running", !strcmp(status, "running"), "singlestep",
                             0, "status", status);
}

static void cmd_stop(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->stop, t->stop && t->stop(t->opaque, &call->err));
}

static void cmd_cont(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->cont, t->cont && t->cont(t->opaque, &call->err));
}

static void cmd_quit(struct qmp_call *call)
{
    call->monitor->quit = true; /* when the answer has left */
    ok(call);
}

static void cmd_reset(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->reset, t->reset && t->reset(t->opaque, &call->err));
}

static void cmd_powerdown(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->press_power, t->press_power && t->press_power(t->opaque, &call->err));
}

static void cmd_wakeup(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->wakeup, t->wakeup && t->wakeup(t->opaque, &call->err));
}

/* libxl wakes a guest by system_wakeup only if this says that it can be. */
static void cmd_current_machine(struct qmp_call *call)
{
    call->result = json_pack("{s:b}", "wakeup-suspend-support", call->qmp->target->wakeup != NULL);
}

/* ---- saving ---- */

static void cmd_save_state(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    const char *file = qmp_arg_string(call, "filename");
    int fd;
    if (!t->save_state) {
        qmp_done(call, false, false);
        return;
    }
    if (!qmp_fd_file(call->qmp, file, true, &fd, &call->err)) {
        fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            err_set(&call->err, "%s: %s", file, strerror(errno));
    }
    bool success =
        fd >= 0 && t->save_state(t->opaque, fd, qmp_arg_bool(call, "live", true), &call->err);
    /* A full disk may show only now. */
    if (fd >= 0 && close(fd) < 0 && success)
        success = err_set(&call->err, "%s: %s", file, strerror(errno));
    qmp_done(call, true, success);
}

static void cmd_dirty_log(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    qmp_done(call, t->set_dirty_log,
             t->set_dirty_log &&
                 t->set_dirty_log(t->opaque, qmp_arg_bool(call, "enable", false), &call->err));
}

/* ---- lists ---- */

static void cmd_name(struct qmp_call *call)
{
    call->result = json_object();
    if (call->qmp->target->name)
        json_object_set_new(call->result, "name", qmp_text(call->qmp->target->name));
}

static void cmd_chardev(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    call->result = json_array();
    for (const struct qmp_monitor *m = call->qmp->monitors; m; m = m->next) {
        char filename[256];
        snprintf(filename, sizeof(filename), "unix:%s,server=on", m->path ? m->path : "");
        json_array_append_new(call->result,
                              json_pack("{s:o,s:o,s:b}", "label", qmp_text(m->id), "filename",
                                        qmp_text(filename), "frontend-open", 1));
    }
    struct qmp_chardev_info info = {0};
    for (size_t i = 0; t->chardev && t->chardev(t->opaque, i, &info); i++)
        json_array_append_new(
            call->result, json_pack("{s:o,s:o,s:b}", "label", qmp_text(info.label), "filename",
                                    qmp_text(info.filename), "frontend-open", info.frontend_open));
}

static void cmd_cpus_fast(struct qmp_call *call)
{
    call->result = json_array();
    for (unsigned i = 0; i < call->qmp->target->vcpus; i++)
        /* The vCPUs are Xen's; the thread that serves them is ours. */
        json_array_append_new(
            call->result, json_pack("{s:i,s:s,s:i,s:{},s:s}", "cpu-index", (int)i, "qom-path", "",
                                    "thread-id", (int)call->qmp->pid, "props", "target", "x86_64"));
}

static void cmd_hotpluggable_cpus(struct qmp_call *call)
{
    call->result = json_array();
}

static json_t *pci_regions(const struct qmp_pci_info *info)
{
    json_t *regions = json_array();
    for (size_t i = 0; i < info->region_count && i < 7; i++) {
        const struct qmp_pci_region *r = &info->regions[i];
        json_t *region =
            json_pack("{s:i,s:s,s:I,s:I}", "bar", (int)r->bar, "type", r->io ? "io" : "memory",
                      "address", (json_int_t)r->address, "size", (json_int_t)r->size);
        if (!r->io) {
            json_object_set_new(region, "prefetch", json_boolean(r->prefetch));
            json_object_set_new(region, "mem_type_64", json_false());
        }
        json_array_append_new(regions, region);
    }
    return regions;
}

static void cmd_pci(struct qmp_call *call)
{
    const struct qmp_target *t = call->qmp->target;
    json_t *devices = json_array();
    struct qmp_pci_info info = {0};
    for (size_t i = 0; t->pci && t->pci(t->opaque, i, &info); i++) {
        json_t *id =
            json_pack("{s:i,s:i,s:i,s:i}", "vendor", info.vendor, "device", info.device,
                      "subsystem-vendor", info.subsystem_vendor, "subsystem", info.subsystem);
        json_t *device =
            json_pack("{s:i,s:i,s:i,s:{s:i},s:o,s:i,s:o,s:o}", "bus", 0, "slot", (int)info.slot,
                      "function", (int)info.function, "class_info", "class",
                      (int)(info.class_code >> 8), "id", id, "irq_pin", info.irq_pin, "qdev_id",
                      qmp_text(info.qdev_id), "regions", pci_regions(&info));
        if (info.irq_pin)
            json_object_set_new(device, "irq", json_integer(info.irq));
        json_array_append_new(devices, device);
        info = (struct qmp_pci_info){0};
    }
    call->result = json_array();
    if (json_array_size(devices))
        json_array_append_new(call->result, json_pack("{s:i,s:O}", "bus", 0, "devices", devices));
    json_decref(devices);
}

/* ---- descriptors ---- */

static void cmd_add_fd(struct qmp_call *call)
{
    struct qmp_monitor *m = call->monitor;
    json_int_t set = -1;
    if (qmp_arg_int(call, "fdset-id", &set) && set < 0) {
        qmp_fail(call, QMP_GENERIC, "fdset-id is not negative");
        return;
    }
    if (!m->fd_count) {
        qmp_fail(call, QMP_GENERIC, "no descriptor came with the command (SCM_RIGHTS)");
        return;
    }
    int fd = m->fds[0];
    m->fd_count--;
    memmove(&m->fds[0], &m->fds[1], m->fd_count * sizeof(m->fds[0]));
    int in = qmp_fd_add(call->qmp, set, fd, qmp_arg_string(call, "opaque"), false, &call->err);
    if (in < 0)
        call->error_class = QMP_GENERIC;
    else
        call->result = json_pack("{s:i,s:i}", "fdset-id", in, "fd", fd);
}

static void cmd_remove_fd(struct qmp_call *call)
{
    json_int_t set = -1, fd = -1;
    bool one = qmp_arg_int(call, "fd", &fd);
    qmp_arg_int(call, "fdset-id", &set);
    if (set < 0 || set > INT_MAX || (one && (fd < 0 || fd > INT_MAX)))
        qmp_fail(call, QMP_GENERIC, "there is no such fdset-id or fd");
    else
        qmp_done(call, true, qmp_fd_remove(call->qmp, (unsigned)set, (int)fd, &call->err));
}

static void cmd_fdsets(struct qmp_call *call)
{
    call->result = qmp_fd_list(call->qmp);
}

/* ---- the table ---- */

static const struct command commands[] = {
    {"qmp_capabilities", cmd_capabilities, {{"enable", ARG_ARRAY, true}}},
    {"query-version", cmd_version, {{0}}},
    {"query-commands", cmd_commands, {{0}}},
    {"query-command-line-options", cmd_command_line_options, {{"option", ARG_STRING, true}}},
    {"query-status", cmd_status, {{0}}},
    {"query-name", cmd_name, {{0}}},
    {"stop", cmd_stop, {{0}}},
    {"cont", cmd_cont, {{0}}},
    {"quit", cmd_quit, {{0}}},
    {"system_reset", cmd_reset, {{0}}},
    {"system_powerdown", cmd_powerdown, {{0}}},
    {"system_wakeup", cmd_wakeup, {{0}}},
    {"query-current-machine", cmd_current_machine, {{0}}},
    {"xen-save-devices-state",
     cmd_save_state,
     {{"filename", ARG_STRING, false}, {"live", ARG_BOOL, true}}},
    {"xen-set-global-dirty-log", cmd_dirty_log, {{"enable", ARG_BOOL, false}}},
    {"query-chardev", cmd_chardev, {{0}}},
    {"query-cpus-fast", cmd_cpus_fast, {{0}}},
    {"query-hotpluggable-cpus", cmd_hotpluggable_cpus, {{0}}},
    {"query-pci", cmd_pci, {{0}}},
    {"query-vnc", qmp_cmd_vnc, {{0}}},
    {"query-vnc-servers", qmp_cmd_vnc_servers, {{0}}},
    {"change-vnc-password", qmp_cmd_vnc_password, {{"password", ARG_STRING, false}}},
    {"set_password",
     qmp_cmd_set_password,
     {{"protocol", ARG_STRING, false},
      {"password", ARG_STRING, false},
      {"connected", ARG_STRING, true},
      {"display", ARG_STRING, true},
      {"view-only", ARG_BOOL, true}}},
    {"expire_password",
     qmp_cmd_expire_password,
     {{"protocol", ARG_STRING, false}, {"time", ARG_STRING, false}, {"display", ARG_STRING, true}}},
    {"change",
     qmp_cmd_change,
     {{"device", ARG_STRING, false}, {"target", ARG_STRING, false}, {"arg", ARG_STRING, true}}},
    {"query-block", qmp_cmd_block, {{0}}},
    {"query-blockstats", qmp_cmd_blockstats, {{"query-nodes", ARG_BOOL, true}}},
    {"query-named-block-nodes", qmp_cmd_named_nodes, {{"flat", ARG_BOOL, true}}},
    {"block_resize",
     qmp_cmd_block_resize,
     {{"device", ARG_STRING, true}, {"node-name", ARG_STRING, true}, {"size", ARG_INT, false}}},
    {"block_set_io_throttle",
     qmp_cmd_block_throttle,
     {{"device", ARG_STRING, true},
      {"id", ARG_STRING, true},
      {"bps", ARG_INT, false},
      {"bps_rd", ARG_INT, false},
      {"bps_wr", ARG_INT, false},
      {"iops", ARG_INT, false},
      {"iops_rd", ARG_INT, false},
      {"iops_wr", ARG_INT, false},
      {"bps_max", ARG_INT, true},
      {"bps_rd_max", ARG_INT, true},
      {"bps_wr_max", ARG_INT, true},
      {"iops_max", ARG_INT, true},
      {"iops_rd_max", ARG_INT, true},
      {"iops_wr_max", ARG_INT, true},
      {"bps_max_length", ARG_INT, true},
      {"bps_rd_max_length", ARG_INT, true},
      {"bps_wr_max_length", ARG_INT, true},
      {"iops_max_length", ARG_INT, true},
      {"iops_rd_max_length", ARG_INT, true},
      {"iops_wr_max_length", ARG_INT, true},
      {"iops_size", ARG_INT, true},
      {"group", ARG_STRING, true}}},
    {"eject",
     qmp_cmd_eject,
     {{"id", ARG_STRING, true}, {"device", ARG_STRING, true}, {"force", ARG_BOOL, true}}},
    {"blockdev-change-medium",
     qmp_cmd_change_medium,
     {{"id", ARG_STRING, true},
      {"device", ARG_STRING, true},
      {"filename", ARG_STRING, false},
      {"format", ARG_STRING, true},
      {"read-only-mode", ARG_STRING, true}}},
    {"device_add",
     qmp_cmd_device_add,
     {{"driver", ARG_STRING, false},
      {"id", ARG_STRING, true},
      {"bus", ARG_STRING, true},
      {"port", ARG_STRING, true},
      {"p2", ARG_INT, true}, /* the rest: of what is then refused by name */
      {"p3", ARG_INT, true},
      {"netdev", ARG_STRING, true},
      {"mac", ARG_STRING, true},
      {"addr", ARG_STRING, true},
      {"hostbus", ARG_STRING, true},
      {"hostaddr", ARG_STRING, true}}},
    {"device_del", qmp_cmd_device_del, {{"id", ARG_STRING, false}}},
    {"add-fd", cmd_add_fd, {{"fdset-id", ARG_INT, true}, {"opaque", ARG_STRING, true}}},
    {"remove-fd", cmd_remove_fd, {{"fdset-id", ARG_INT, false}, {"fd", ARG_INT, true}}},
    {"query-fdsets", cmd_fdsets, {{0}}},
    {"human-monitor-command",
     qmp_cmd_human,
     {{"command-line", ARG_STRING, false}, {"cpu-index", ARG_INT, true}}},
    {"send-key", qmp_cmd_send_key, {{"keys", ARG_ARRAY, false}, {"hold-time", ARG_INT, true}}},
    {"input-send-event",
     qmp_cmd_input_send_event,
     {{"device", ARG_STRING, true}, {"head", ARG_INT, true}, {"events", ARG_ARRAY, false}}},
    {"query-mice", qmp_cmd_mice, {{0}}},
    {"screendump",
     qmp_cmd_screendump,
     {{"filename", ARG_STRING, false},
      {"device", ARG_STRING, true},
      {"head", ARG_INT, true},
      {"format", ARG_STRING, true}}},
    {"set_link", qmp_cmd_set_link, {{"name", ARG_STRING, false}, {"up", ARG_BOOL, false}}},
    {"query-rx-filter", qmp_cmd_rx_filter, {{"name", ARG_STRING, true}}},
    {"announce-self",
     qmp_cmd_announce,
     {{"initial", ARG_INT, false},
      {"max", ARG_INT, false},
      {"rounds", ARG_INT, false},
      {"step", ARG_INT, false},
      {"interfaces", ARG_ARRAY, true},
      {"id", ARG_STRING, true}}},
    {"netdev_add",
     qmp_cmd_netdev_add,
     {{"type", ARG_STRING, false}, {"id", ARG_STRING, false}, {"…", ARG_OTHERS, true}}},
    {"netdev_del", qmp_cmd_netdev_del, {{"id", ARG_STRING, false}}},
    {"object-add",
     qmp_cmd_object_add,
     {{"qom-type", ARG_STRING, false},
      {"id", ARG_STRING, false},
      {"netdev", ARG_STRING, true},
      {"file", ARG_STRING, true},
      {"maxlen", ARG_INT, true},
      {"queue", ARG_STRING, true}}},
    {"object-del", qmp_cmd_object_del, {{"id", ARG_STRING, false}}},
    {0},
};

void qmp_dispatch(struct qmp_call *call, const char *name, json_t *args)
{
    call->args = args;
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name))
            continue;
        if (check_args(call, c))
            c->run(call);
        return;
    }
    qmp_fail(call, QMP_NOT_FOUND, "there is no command '%.64s'", name);
}
