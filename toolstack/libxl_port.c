/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_port: what is at the end of each stream: -serial, -parallel, -monitor, -mon, -qmp, the
 * ports that are there by default, and which -chardev each has. */
#include "toolstack/libxl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/chardev_mux.h"

/* Does s start with prefix? Then what follows, else NULL. */
static const char *behind(const char *s, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(s, prefix, len) ? NULL : s + len;
}

/* What is behind a port: a back-end's word, or a -chardev by name. */
static bool chardev_of(const char *option, const char *arg, struct chardev_config *c,
                       struct libxl_port *named, struct err *err)
{
    const char *id = behind(arg, "chardev:");
    if (!id)
        return libxl_chardev_word(option, arg, c, err);
    named->chardev_id = xstrdup(id);
    return true;
}

static bool too_long(const char *option, const char *arg, struct err *err)
{
    return strlen(arg) > OPTSTR_MAX_LENGTH && !err_set(err, "%s: its value is too long", option);
}

/* ---- Monitors ---- */

static struct config_hmp *hmp_new(struct libxl *p, const char *option, struct err *err)
{
    struct config *config = p->config;
    if (config->hmp_count == CONFIG_MAX_HMPS) {
        err_set(err, "%s: more than %d monitors", option, CONFIG_MAX_HMPS);
        return NULL;
    }
    struct config_hmp *m = &config->hmps[config->hmp_count++];
    *m = (struct config_hmp){.chardev = {.kind = CHARDEV_NULL, .fd = -1}};
    return m;
}

bool libxl_monitor(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    p->have_monitor = true;
    if (too_long(option, arg, err))
        return false;
    /* Where nobody can type there need be no monitor. */
    if (!strcmp(arg, "none") || !strcmp(arg, "null") || !strcmp(arg, "/dev/null"))
        return true;
    struct libxl_port *port = &p->hmps[p->config->hmp_count];
    struct config_hmp *m = hmp_new(p, option, err);
    return m && chardev_of(option, arg, &m->chardev, port, err);
}

static struct config_monitor *qmp_new(struct libxl *p, const char *option, const char *id,
                                      struct err *err)
{
    struct config *config = p->config;
    if (config->monitor_count == CONFIG_MAX_MONITORS) {
        err_set(err, "%s: more than %d QMP sockets", option, CONFIG_MAX_MONITORS);
        return NULL;
    }
    struct config_monitor *m = &config->monitors[config->monitor_count++];
    *m = (struct config_monitor){.chardev_id = xstrdup(id), .fd = -1};
    return m;
}

static bool mon_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    const char *id = optstr_need(o, "chardev", err);
    const char *mode = optstr_take(o, "mode");
    if (!id || !optstr_only(o, "pretty", "off", err))
        return false;
    if (mode && !strcmp(mode, "control"))
        return optstr_finish(o, err) && qmp_new(p, o->option, id, err);
    if (mode && strcmp(mode, "readline"))
        return err_set(err, "%s: mode=%s is neither control (QMP) nor readline", o->option, mode);
    struct libxl_port *port = &p->hmps[p->config->hmp_count];
    struct config_hmp *m = hmp_new(p, o->option, err);
    if (!m)
        return false;
    port->chardev_id = xstrdup(id);
    return optstr_bool(o, "privileged", &m->privileged, err) && optstr_finish(o, err);
}

bool libxl_mon(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "chardev", err))
        return false;
    p->have_monitor = true;
    bool ok = mon_keys(p, &o, err);
    optstr_free(&o);
    return ok;
}

/* A QMP socket is a UNIX socket that we listen on and do not wait for. */
static bool qmp_set(struct config_monitor *m, const char *what, const struct chardev_config *c,
                    struct err *err)
{
    if (c->kind != CHARDEV_UNIX || !c->server || c->wait || c->telnet)
        return err_set(err, "%s: QMP is served on a UNIX socket with server=on,wait=off only",
                       what);
    if (c->log)
        return err_set(err, "%s: logfile= is not for QMP; leave it out", what);
    m->path = c->path ? xstrdup(c->path) : NULL;
    m->fd = c->fd;
    return true;
}

bool libxl_qmp(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    static const char *const names[CONFIG_MAX_MONITORS] = {"compat_monitor0", "compat_monitor1",
                                                           "compat_monitor2", "compat_monitor3"};
    p->have_monitor = true;
    if (!strcmp(arg, "none"))
        return true;
    size_t n = p->config->monitor_count;
    struct config_monitor *m = qmp_new(p, option, n < CONFIG_MAX_MONITORS ? names[n] : "", err);
    if (!m)
        return false;
    struct chardev_config c = {.kind = CHARDEV_NULL, .fd = -1};
    bool ok = libxl_chardev_word(option, arg, &c, err) && qmp_set(m, option, &c, err);
    chardev_config_free(&c);
    return ok;
}

/* ---- Multiplexers ---- */

bool libxl_echr(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    uint64_t escape;
    if (!parse_number(arg, 0, 31, &escape))
        return err_set(err, "%s: '%s' is not the number of a control character (1 for Ctrl+A)",
                       option, arg);
    p->config->mux_escape = (unsigned char)escape;
    return true;
}

static struct config_mux *mux_new(struct libxl *p, const char *option, const char *id,
                                  struct err *err)
{
    struct config *config = p->config;
    if (config->mux_count == CONFIG_MAX_MUXES) {
        err_set(err, "%s: more than %d streams with mux=on", option, CONFIG_MAX_MUXES);
        return NULL;
    }
    struct config_mux *m = &config->muxes[config->mux_count++];
    *m = (struct config_mux){.id = xstrdup(id), .chardev = {.kind = CHARDEV_NULL, .fd = -1}};
    return m;
}

static struct chardev_config branch_of(const struct libxl *p, const struct config_mux *m)
{
    return (struct chardev_config){
        .kind = CHARDEV_MUX, .mux = (unsigned)(m - p->config->muxes), .fd = -1};
}

/* mon:WORD: the port and a monitor on one stream. */
static bool with_monitor(struct libxl *p, const char *option, const char *word,
                         struct chardev_config *c, struct err *err)
{
    char id[32];
    snprintf(id, sizeof(id), "mon%zu", p->config->mux_count);
    struct config_mux *m = mux_new(p, option, id, err);
    struct config_hmp *monitor = m ? hmp_new(p, option, err) : NULL;
    if (!monitor || !libxl_chardev_word(option, word, &m->chardev, err))
        return false;
    m->chardev.raw = true; /* Ctrl+C is the guest's; Ctrl+A x ends us */
    *c = monitor->chardev = branch_of(p, m);
    p->have_monitor = true;
    return true;
}

/* ---- Serial and parallel ports ---- */

bool libxl_serial(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    const char *shared = behind(arg, "mon:");
    if (config->serial_count == CONFIG_MAX_SERIAL)
        return err_set(err, "%s: a PC has %d serial ports", option, CONFIG_MAX_SERIAL);
    if (too_long(option, arg, err))
        return false;
    size_t n = config->serial_count;
    struct chardev_config *c = &config->serial[n];
    *c = (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
    config->serial_count++; /* from here on config_free releases it */
    if (!strcmp(arg, "none")) {
        config->serial_absent[n] = true;
        return true;
    }
    if (shared)
        return with_monitor(p, option, shared, c, err);
    return chardev_of(option, arg, c, &p->serials[n], err);
}

bool libxl_parallel(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct config *config = p->config;
    const char *shared = behind(arg, "mon:");
    p->have_parallel = true;
    if (!strcmp(arg, "none"))
        return true;
    if (config->have_parallel)
        return err_set(err, "%s: there is one parallel port", option);
    if (too_long(option, arg, err))
        return false;
    config->parallel = (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
    config->have_parallel = true;
    if (shared)
        return with_monitor(p, option, shared, &config->parallel, err);
    return chardev_of(option, arg, &config->parallel, &p->parallel, err);
}

/* iobase= and irq= say no more than which port it is. */
static bool isa_place(struct optstr *o, unsigned ports, unsigned *index, struct err *err)
{
    static const struct {
        uint16_t iobase, irq;
    } serial[] = {{0x3F8, 4}, {0x2F8, 3}, {0x3E8, 4}, {0x2E8, 3}}, parallel[] = {{0x378, 7}};
    uint64_t n = UINT64_MAX, iobase = UINT64_MAX, irq = UINT64_MAX;
    if (!optstr_number(o, "index", 0, ports - 1, &n, err) ||
        !optstr_number(o, "iobase", 0, 0xFFFF, &iobase, err) ||
        !optstr_number(o, "irq", 0, 15, &irq, err))
        return false;
    for (unsigned i = 0; i < ports && n == UINT64_MAX && iobase != UINT64_MAX; i++)
        if ((ports == 1 ? parallel[i].iobase : serial[i].iobase) == iobase)
            n = i;
    *index = n == UINT64_MAX ? ports : (unsigned)n;
    unsigned at = *index < ports ? *index : 0;
    uint16_t usual_base = ports == 1 ? parallel[at].iobase : serial[at].iobase;
    uint16_t usual_irq = ports == 1 ? parallel[at].irq : serial[at].irq;
    if ((iobase != UINT64_MAX && iobase != usual_base) || (irq != UINT64_MAX && irq != usual_irq))
        return err_set(err, "%s: iobase= and irq= are those of a PC; say index=", o->option);
    return true;
}

static bool isa_keys(struct optstr *o, unsigned ports, char **chardev_id, unsigned *index,
                     struct err *err)
{
    const char *id = optstr_need(o, "chardev", err);
    if (!id || !isa_place(o, ports, index, err))
        return false;
    optstr_take(o, "id");
    if (!optstr_finish(o, err))
        return false;
    *chardev_id = xstrdup(id);
    return true;
}

bool libxl_isa_serial(struct libxl *p, struct optstr *o, struct err *err)
{
    if (p->isa_serial_count == CONFIG_MAX_SERIAL)
        return err_set(err, "%s: a PC has %d serial ports", o->option, CONFIG_MAX_SERIAL);
    struct libxl_isa_serial *s = &p->isa_serials[p->isa_serial_count];
    if (!isa_keys(o, CONFIG_MAX_SERIAL, &s->chardev_id, &s->index, err))
        return false;
    p->isa_serial_count++;
    return true;
}

bool libxl_isa_parallel(struct libxl *p, struct optstr *o, struct err *err)
{
    unsigned index;
    if (p->config->have_parallel)
        return err_set(err, "%s: there is one parallel port", o->option);
    if (!isa_keys(o, 1, &p->parallel.chardev_id, &index, err))
        return false;
    p->config->parallel = (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
    p->config->have_parallel = p->have_parallel = true;
    return true;
}

/* A place for a -device isa-serial: between those of -serial, or behind them. */
static bool place_isa_serial(struct libxl *p, struct libxl_isa_serial *s, struct err *err)
{
    struct config *config = p->config;
    size_t n = s->index;
    for (size_t i = 0; n == CONFIG_MAX_SERIAL && i < CONFIG_MAX_SERIAL; i++)
        if (i >= config->serial_count || (config->serial_absent[i] && p->serials[i].gap))
            n = i;
    bool taken = n < config->serial_count && !(config->serial_absent[n] && p->serials[n].gap);
    if (n == CONFIG_MAX_SERIAL || taken)
        return err_set(err, "-device isa-serial: COM%zu is there already",
                       n == CONFIG_MAX_SERIAL ? n : n + 1);
    for (; config->serial_count <= n; config->serial_count++) {
        config->serial[config->serial_count] =
            (struct chardev_config){.kind = CHARDEV_NULL, .fd = -1};
        config->serial_absent[config->serial_count] = true;
        p->serials[config->serial_count].gap = true;
    }
    config->serial_absent[n] = false;
    p->serials[n] = (struct libxl_port){.chardev_id = s->chardev_id};
    s->chardev_id = NULL;
    return true;
}

/* ---- What is there by default ---- */

bool libxl_nodefaults(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->nodefaults = true;
    return true;
}

bool libxl_nographic(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->nographic = true;
    return true;
}

/* As qemu(1) has it: text consoles beside a screen, with -nographic standard input and output. */
static bool add_defaults(struct libxl *p, struct err *err)
{
    const struct config *config = p->config;
    bool serial = !config->serial_count && !p->isa_serial_count, monitor = !p->have_monitor;
    const char *word = p->nographic ? "stdio" : "vc", *parallel = p->nographic ? "null" : "vc";
    if (p->nodefaults || config->action != CONFIG_RUN ||
        !(p->nographic || config->vnc.enabled || config->sdl.enabled))
        return true;
    if (!p->have_parallel && !libxl_parallel(p, "-parallel", parallel, err))
        return false;
    if (p->nographic && serial && monitor)
        return libxl_serial(p, "-nographic", "mon:stdio", err);
    return (!serial || libxl_serial(p, "-serial", word, err)) &&
           (!monitor || libxl_monitor(p, "-monitor", word, err));
}

/* ---- Which -chardev each has ---- */

static struct libxl_chardev *chardev_claim(struct libxl *p, const char *option, const char *id,
                                           struct err *err)
{
    for (size_t i = 0; i < p->chardev_count; i++) {
        struct libxl_chardev *c = &p->chardevs[i];
        if (strcmp(c->id, id))
            continue;
        if (c->used && !c->mux) {
            err_set(err, "%s: -chardev %s is used already (mux=on lets several share it)", option,
                    id);
            return NULL;
        }
        return c;
    }
    err_set(err, "%s: there is no -chardev with id=%s", option, id);
    return NULL;
}

/* A port gets its -chardev's configuration, with its strings; or a branch of it. */
static bool chardev_take(struct libxl *p, const char *option, const struct libxl_port *named,
                         struct chardev_config *out, struct err *err)
{
    if (!named->chardev_id)
        return true;
    struct libxl_chardev *c = chardev_claim(p, option, named->chardev_id, err);
    if (!c)
        return false;
    if (!c->mux) {
        *out = c->chardev;
        c->chardev = (struct chardev_config){.fd = -1};
    } else {
        if (!c->used) {
            struct config_mux *m = mux_new(p, option, c->id, err);
            if (!m)
                return false;
            m->chardev = c->chardev;
            c->chardev = (struct chardev_config){.fd = -1};
            c->mux_index = (unsigned)(m - p->config->muxes);
        }
        *out = branch_of(p, &p->config->muxes[c->mux_index]);
    }
    c->used = true;
    return true;
}

static bool take_qmp(struct libxl *p, struct err *err)
{
    struct config *config = p->config;
    for (size_t i = 0; i < config->monitor_count; i++) {
        struct config_monitor *m = &config->monitors[i];
        if (m->path || m->fd >= 0)
            continue;
        struct libxl_chardev *c = chardev_claim(p, "-mon", m->chardev_id, err);
        if (!c)
            return false;
        if (c->mux)
            return err_set(err, "-mon: -chardev %s: QMP shares its socket with nobody", c->id);
        if (!qmp_set(m, "-mon", &c->chardev, err))
            return false;
        c->used = true;
    }
    return true;
}

static unsigned count_if(const struct config *config, enum chardev_kind kind, unsigned mux)
{
    unsigned n = 0;
    for (size_t i = 0; i < config->serial_count; i++)
        n += config->serial[i].kind == kind && config->serial[i].mux == mux;
    for (size_t i = 0; i < config->hmp_count; i++)
        n += config->hmps[i].chardev.kind == kind && config->hmps[i].chardev.mux == mux;
    for (size_t i = 0; kind != CHARDEV_MUX && i < config->mux_count; i++)
        n += config->muxes[i].chardev.kind == kind;
    return n +
           (config->have_parallel && config->parallel.kind == kind && config->parallel.mux == mux);
}

static bool check_shares(const struct config *config, struct err *err)
{
    for (unsigned i = 0; i < config->mux_count; i++)
        if (count_if(config, CHARDEV_MUX, i) > CHARDEV_MUX_MAX)
            return err_set(err, "-chardev %s: no more than %d share one stream",
                           config->muxes[i].id, CHARDEV_MUX_MAX);
    if (count_if(config, CHARDEV_STDIO, 0) > 1)
        return err_set(err, "stdio is used twice; let them share it (-serial mon:stdio, or "
                            "-chardev stdio,id=ID,mux=on)");
    return true;
}

bool libxl_chardevs_finish(struct libxl *p, struct err *err)
{
    struct config *config = p->config;
    /* Those with a place of their own first. */
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < p->isa_serial_count; i++)
            if ((p->isa_serials[i].index == CONFIG_MAX_SERIAL) == (round == 1) &&
                !place_isa_serial(p, &p->isa_serials[i], err))
                return false;
    if (!add_defaults(p, err))
        return false;
    for (size_t i = 0; i < config->serial_count; i++)
        if (!chardev_take(p, "-serial", &p->serials[i], &config->serial[i], err))
            return false;
    if (!chardev_take(p, "-parallel", &p->parallel, &config->parallel, err) || !take_qmp(p, err))
        return false;
    for (size_t i = 0; i < config->hmp_count; i++)
        if (!chardev_take(p, "-monitor", &p->hmps[i], &config->hmps[i].chardev, err))
            return false;
    for (size_t i = 0; i < p->chardev_count; i++)
        if (!p->chardevs[i].used)
            return err_set(err,
                           "-chardev: nothing uses %s (channels of PV consoles are not part of "
                           "this version; leave channel= out)",
                           p->chardevs[i].id);
    return check_shares(config, err);
}

void libxl_chardevs_free(struct libxl *p)
{
    for (size_t i = 0; i < p->chardev_count; i++) {
        chardev_config_free(&p->chardevs[i].chardev);
        free(p->chardevs[i].id);
    }
    for (size_t i = 0; i < CONFIG_MAX_SERIAL; i++)
        free(p->serials[i].chardev_id);
    for (size_t i = 0; i < CONFIG_MAX_HMPS; i++)
        free(p->hmps[i].chardev_id);
    for (size_t i = 0; i < p->isa_serial_count; i++)
        free(p->isa_serials[i].chardev_id);
    free(p->parallel.chardev_id);
}
