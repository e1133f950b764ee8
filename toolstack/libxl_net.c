/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_net: how network cards and their back-ends are said, and which belongs to which: -netdev
 * with -device, -net's two halves, -nic's whole; and what is captured. qemu(1), "Network options".
 */
#include "toolstack/libxl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/log.h"

#define CAPTURE_LENGTH 65536 /* of a frame, unless maxlen= says else */

void libxl_nets_free(struct libxl *p)
{
    for (size_t i = 0; i < CONFIG_MAX_NICS; i++)
        free(p->nics[i].netdev_id);
    for (size_t i = 0; i < CONFIG_MAX_CAPTURES; i++)
        free(p->capture_netdevs[i]);
}

/* The back-end of this id; CONFIG_NO_NETDEV: there is none. */
static size_t find_netdev(const struct config *c, const char *id)
{
    for (size_t i = 0; i < c->netdev_count; i++)
        if (c->netdevs[i].id && !strcmp(c->netdevs[i].id, id))
            return i;
    return CONFIG_NO_NETDEV;
}

/* An id for who was not given one: "user.0". */
static void name_netdev(const struct config *c, struct netdev_config *n, const char *kind)
{
    char id[32];
    for (unsigned i = 0; !n->id; i++) {
        snprintf(id, sizeof(id), "%.16s.%u", kind, i);
        if (find_netdev(c, id) == CONFIG_NO_NETDEV)
            n->id = xstrdup(id);
    }
}

/* The id, or by the older word name=, of a back-end, which no other has. */
static bool netdev_id(const struct config *c, struct optstr *o, const char *kind, char **id,
                      struct err *err)
{
    *id = NULL;
    if (!libxl_take_id(o, id, err))
        return false;
    if (*id && find_netdev(c, *id) != CONFIG_NO_NETDEV)
        return err_set(err, "%s %s: id=%s is there twice", o->option, kind, *id);
    return true;
}

bool libxl_netdev(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (*arg == '{')
        return err_set(err, "%s: JSON is not part of this version; say type=…,id=…", option);
    if (!optstr_parse_many(&o, option, arg, "type", "hostfwd", err))
        return false;
    const char *kind = optstr_need(&o, "type", err);
    char *id = NULL;
    bool ok = kind && netdev_id(p->config, &o, kind, &id, err);
    if (ok && !id)
        ok = err_set(err, "%s %s: id= is missing, by which a -device names it", option, kind);
    struct netdev_config *n = ok ? libxl_netdev_new(p, &o, kind, err) : NULL;
    ok = n && optstr_finish(&o, err);
    if (n)
        n->id = id;
    else
        free(id);
    optstr_free(&o);
    return ok;
}

/* ---- -net: a card and a back-end that are in the same `vlan` ---- */

static bool take_vlan(struct optstr *o, int *vlan, struct err *err)
{
    uint64_t number = 0;
    if (!optstr_number(o, "vlan", 0, INT_MAX, &number, err))
        return false;
    *vlan = (int)number;
    return true;
}

static bool net_nic(struct libxl *p, struct optstr *o, struct err *err)
{
    struct config_nic *nic = libxl_nic_new(p, o->option, err);
    if (!nic)
        return false;
    struct libxl_nic *join = &p->nics[nic - p->config->nics];
    if (!libxl_nic_model(o, nic, err) || !libxl_nic_mac(o, "macaddr", nic, err) ||
        !optstr_string(o, "netdev", &join->netdev_id, err) ||
        !optstr_string(o, "name", &nic->id, err) || !take_vlan(o, &join->vlan, err) ||
        !(nic->model == CONFIG_NE2K_ISA ? optstr_refuse(o, "addr", "this card is on ISA", err)
                                        : libxl_pci_place(o, &nic->placed, &nic->devfn, err)))
        return false;
    if (nic->id && !libxl_id_valid(nic->id))
        return err_set(err,
                       "%s: name=%s is not a letter with letters, digits, '-', '.', '_' behind",
                       o->option, nic->id);
    if (join->netdev_id)
        join->vlan = LIBXL_NOT_SAID;
    return optstr_finish(o, err);
}

static bool net_backend(struct libxl *p, struct optstr *o, const char *kind, struct err *err)
{
    char *id = NULL, *name = NULL;
    int vlan = 0;
    bool ok = netdev_id(p->config, o, kind, &id, err) && optstr_string(o, "name", &name, err) &&
              take_vlan(o, &vlan, err);
    if (ok && !id && name) {
        id = name;
        name = NULL;
        ok = libxl_id_valid(id)
                 ? find_netdev(p->config, id) == CONFIG_NO_NETDEV ||
                       err_set(err, "%s %s: name=%s is there twice", o->option, kind, id)
                 : err_set(err,
                           "%s: name=%s is not a letter with letters, digits, '-', "
                           "'.', '_' behind",
                           o->option, id);
    }
    free(name);
    struct netdev_config *n = ok ? libxl_netdev_new(p, o, kind, err) : NULL;
    if (!n) {
        free(id);
        return false;
    }
    n->id = id;
    p->netdevs[n - p->config->netdevs].vlan = vlan;
    return optstr_finish(o, err);
}

bool libxl_net(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse_many(&o, option, arg, "type", "hostfwd", err))
        return false;
    const char *kind = optstr_need(&o, "type", err);
    bool ok;
    if (!kind)
        ok = false;
    else if (!strcmp(kind, "none"))
        ok = optstr_finish(&o, err);
    else if (!strcmp(kind, "nic"))
        ok = net_nic(p, &o, err);
    else if (!strcmp(kind, "dump"))
        ok = err_set(err, "%s dump: use -object filter-dump,id=ID,netdev=ID,file=FILE", option);
    else
        ok = net_backend(p, &o, kind, err);
    optstr_free(&o);
    return ok;
}

bool libxl_nic_ne2000(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    (void)option, (void)arg, (void)err;
    p->nic_ne2000 = true;
    return true;
}

/* ---- -nic: both in one ---- */

bool libxl_nic_both(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse_many(&o, option, arg, "type", "hostfwd", err))
        return false;
    const char *kind = optstr_need(&o, "type", err);
    struct config_nic *nic = NULL;
    struct netdev_config *n = NULL;
    bool ok = kind != NULL;
    if (ok && strcmp(kind, "none") != 0) {
        nic = libxl_nic_new(p, option, err);
        ok = nic && libxl_take_id(&o, &nic->id, err) && libxl_nic_model(&o, nic, err) &&
             libxl_nic_mac(&o, "mac", nic, err);
        n = ok ? libxl_netdev_new(p, &o, kind, err) : NULL;
        ok = n != NULL;
    }
    ok = ok && optstr_finish(&o, err);
    if (ok && n) {
        nic->netdev = (size_t)(n - p->config->netdevs);
        p->netdevs[nic->netdev].used = true;
    }
    optstr_free(&o);
    return ok;
}

/* ---- -object filter-dump ---- */

static bool capture_keys(struct libxl *p, struct optstr *o, struct err *err)
{
    struct config *c = p->config;
    if (c->capture_count == CONFIG_MAX_CAPTURES)
        return err_set(err, "%s: there are at most %d captures", o->option, CONFIG_MAX_CAPTURES);
    struct config_capture *capture = &c->captures[c->capture_count];
    char **netdev = &p->capture_netdevs[c->capture_count++];
    uint64_t maxlen = CAPTURE_LENGTH;
    *capture = (struct config_capture){.netdev = CONFIG_NO_NETDEV};
    if (!optstr_need(o, "id", err) || !optstr_need(o, "netdev", err) ||
        !optstr_need(o, "file", err) || !libxl_take_id(o, &capture->id, err) ||
        !optstr_string(o, "netdev", netdev, err) ||
        !optstr_string(o, "file", &capture->file, err) ||
        !optstr_number(o, "maxlen", 1, INT_MAX, &maxlen, err) ||
        !optstr_only(o, "queue", "all", err) || !optstr_only(o, "status", "on", err) ||
        !optstr_only(o, "position", "tail head", err) || !optstr_finish(o, err))
        return false;
    capture->maxlen = (uint32_t)maxlen;
    if (strlen(capture->file) >= PATH_MAX)
        return err_set(err, "%s: file=: the name is too long", o->option);
    for (const struct config_capture *other = c->captures; other < capture; other++) {
        if (!strcmp(other->id, capture->id))
            return err_set(err, "%s: id=%s is there twice", o->option, capture->id);
        if (!strcmp(other->file, capture->file))
            return err_set(err, "%s: file=%s: %s writes there already", o->option, capture->file,
                           other->id);
    }
    return true;
}

bool libxl_object(struct libxl *p, const char *option, const char *arg, struct err *err)
{
    struct optstr o;
    if (!optstr_parse(&o, option, arg, "qom-type", err))
        return false;
    const char *type = optstr_need(&o, "qom-type", err);
    bool ok = type != NULL;
    if (ok && strcmp(type, "filter-dump") != 0)
        ok = err_set(err, "%s %.64s: not part of this version; leave it out (there is filter-dump)",
                     option, type);
    ok = ok && capture_keys(p, &o, err);
    optstr_free(&o);
    return ok;
}

/* ---- when all are known ---- */

/* A vlan is a wire: it has a card and a back-end. */
static bool check_vlan(const struct libxl *p, int vlan, struct err *err)
{
    unsigned nics = 0, netdevs = 0;
    for (size_t i = 0; i < p->config->nic_count; i++)
        nics += p->nics[i].vlan == vlan;
    for (size_t i = 0; i < p->config->netdev_count; i++)
        netdevs += p->netdevs[i].vlan == vlan;
    if (nics <= 1 && netdevs <= 1)
        return true;
    return err_set(err,
                   "-net: vlan=%d has %u network cards and %u back-ends; give each card a vlan= of "
                   "its own with one back-end",
                   vlan, nics, netdevs);
}

static bool join(struct libxl *p, size_t index, struct err *err)
{
    struct config *c = p->config;
    struct config_nic *nic = &c->nics[index];
    const struct libxl_nic *said = &p->nics[index];
    const char *driver = config_nic_name(nic->model);
    if (nic->netdev != CONFIG_NO_NETDEV)
        return true; /* -nic */
    if (said->netdev_id) {
        size_t n = find_netdev(c, said->netdev_id);
        if (n == CONFIG_NO_NETDEV)
            return err_set(err, "-device %s: netdev=%s: no -netdev has that id", driver,
                           said->netdev_id);
        if (p->netdevs[n].used)
            return err_set(err, "-device %s: netdev=%s: another network card uses it already",
                           driver, said->netdev_id);
        nic->netdev = n;
    } else if (said->vlan != LIBXL_NOT_SAID) {
        if (!check_vlan(p, said->vlan, err))
            return false;
        for (size_t n = 0; n < c->netdev_count; n++)
            if (p->netdevs[n].vlan == said->vlan && !p->netdevs[n].used)
                nic->netdev = n;
    }
    if (nic->netdev != CONFIG_NO_NETDEV)
        p->netdevs[nic->netdev].used = true;
    else
        log_warn("-device %s%s%s: there is no back-end (netdev=): nothing is plugged in", driver,
                 nic->id ? ",id=" : "", nic->id ? nic->id : "");
    return true;
}

bool libxl_nets_finish(struct libxl *p, struct err *err)
{
    static const char *const kinds[] = {[NETDEV_NULL] = "null",
                                        [NETDEV_TAP] = "tap",
                                        [NETDEV_USER] = "user",
                                        [NETDEV_SOCKET] = "socket"};
    struct config *c = p->config;
    for (size_t i = 0; i < c->netdev_count; i++)
        name_netdev(c, &c->netdevs[i], kinds[c->netdevs[i].kind]);
    for (size_t i = 0; i < c->nic_count; i++)
        if (!join(p, i, err))
            return false;
    for (size_t i = 0; i < c->netdev_count; i++) {
        if (p->netdevs[i].vlan != LIBXL_NOT_SAID && !check_vlan(p, p->netdevs[i].vlan, err))
            return false;
        if (!p->netdevs[i].used)
            log_warn("-netdev %s,id=%s: no network card uses it", kinds[c->netdevs[i].kind],
                     c->netdevs[i].id);
    }
    for (size_t i = 0; i < c->capture_count; i++) {
        c->captures[i].netdev = find_netdev(c, p->capture_netdevs[i]);
        if (c->captures[i].netdev == CONFIG_NO_NETDEV)
            return err_set(err, "-object filter-dump: netdev=%s: no -netdev has that id",
                           p->capture_netdevs[i]);
    }
    return libxl_nics_finish(p, err);
}
