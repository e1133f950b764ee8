/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libxl_netdev: the back-ends of network cards: tap, user, socket, null, and the keys of each.
 * qemu(1), "-netdev". */
#include "toolstack/libxl.h"

#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* What an interface may be called (netdevice(7)); "tap%d": the kernel puts in a number. */
static bool take_interface(struct optstr *o, const char *key, char **out, struct err *err)
{
    if (!optstr_string(o, key, out, err))
        return false;
    if (!*out)
        return true;
    const char *name = *out, *percent = strchr(name, '%');
    bool ok = strlen(name) < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
              (!percent || (percent[1] == 'd' && !strchr(percent + 1, '%')));
    for (const char *c = name; *c; c++)
        ok = ok && *c > 0x20 && *c < 0x7F && *c != '/' && *c != ':';
    return ok || err_set(err, "%s: %s=%s is not the name of an interface (%d characters at most)",
                         o->option, key, name, IFNAMSIZ - 1);
}

/* A program, or "no" and nothing for none. */
static bool take_script(struct optstr *o, const char *key, char **out, bool *no, struct err *err)
{
    const char *value = optstr_take(o, key);
    *no = value && (!*value || !strcmp(value, "no"));
    if (!value || *no)
        return true;
    if (strlen(value) >= PATH_MAX)
        return err_set(err, "%s: %s=: the name is too long", o->option, key);
    *out = xstrdup(value);
    return true;
}

#define ONE_QUEUE "a network card has one queue; say fd=N"

/* A tap: by its name, or open. */
static bool tap_keys(struct libxl *p, struct optstr *o, struct netdev_config *n, struct err *err)
{
    static const char *const not_with_fd[] = {"ifname", "script", "downscript", "br", "bridge"};
    const char *fd = optstr_take(o, "fd"), *sndbuf = optstr_take(o, "sndbuf");
    bool no_downscript;
    n->kind = NETDEV_TAP;
    n->vnet_hdr = true;
    for (size_t i = 0; fd && i < sizeof(not_with_fd) / sizeof(not_with_fd[0]); i++)
        if (optstr_take(o, not_with_fd[i]))
            return err_set(err, "%s: %s= is not for a tap that is open already (fd=%s)", o->option,
                           not_with_fd[i], fd);
    if (fd && !libxl_fd(p, "-netdev: tap: fd=", fd, &n->fd, err))
        return false;
    if (sndbuf && !parse_size(sndbuf, 1, 0, INT_MAX, &n->sndbuf))
        return err_set(err, "%s: sndbuf=%s is not a size up to 2G", o->option, sndbuf);
    return take_interface(o, "ifname", &n->ifname, err) &&
           take_interface(o, "bridge", &n->bridge, err) && /* as the traditional dialect has it */
           take_interface(o, "br", &n->bridge, err) &&
           take_script(o, "script", &n->script, &n->no_script, err) &&
           take_script(o, "downscript", &n->downscript, &no_downscript, err) &&
           optstr_bool(o, "vnet_hdr", &n->vnet_hdr, err) && optstr_only(o, "vhost", "off", err) &&
           optstr_only(o, "vhostforce", "off", err) && optstr_only(o, "queues", "1", err) &&
           optstr_only(o, "poll-us", "0", err) &&
           optstr_refuse(o, "helper", "no helper is run; say br=BRIDGE or script=FILE", err) &&
           optstr_refuse(o, "fds", ONE_QUEUE, err) &&
           optstr_refuse(o, "vhostfd", "there is no vhost for emulated cards; leave it out", err) &&
           optstr_refuse(o, "vhostfds", "there is no vhost for emulated cards; leave it out", err);
}

/* ---- user ---- */

static bool take_address(struct optstr *o, const char *key, struct in_addr *out, struct err *err)
{
    const char *value = optstr_take(o, key);
    if (value && (inet_pton(AF_INET, value, out) != 1 || !out->s_addr))
        return err_set(err, "%s: %s=%s is not an IPv4 address", o->option, key, value);
    return true;
}

#define USER_NETWORK 0x0A000200 /* 10.0.2.0/24, as qemu has it */
#define USER_MASK    0xFFFFFF00

/* net=ADDRESS/BITS or ADDRESS/MASK; and what is in it. */
static bool user_network(struct optstr *o, struct netdev_config *n, struct err *err)
{
    static const char *const keys[] = {"host", "dhcpstart", "dns"};
    struct in_addr *const inside[] = {&n->host, &n->dhcp_start, &n->dns};
    const char *net = optstr_take(o, "net");
    uint32_t mask = USER_MASK, network = USER_NETWORK;
    if (net) {
        char address[32];
        const char *slash = strchr(net, '/');
        uint64_t bits = 24;
        struct in_addr dotted;
        size_t len = slash ? (size_t)(slash - net) : strlen(net);
        bool ok = len < sizeof(address);
        if (ok) {
            memcpy(address, net, len);
            address[len] = '\0';
            ok = inet_pton(AF_INET, address, &n->network) == 1;
        }
        if (ok && slash && inet_pton(AF_INET, slash + 1, &dotted) == 1) {
            for (bits = 0; bits < 32 && ntohl(dotted.s_addr) >> (31 - bits) & 1;)
                bits++;
            ok = bits < 32 && ntohl(dotted.s_addr) << bits == 0;
        } else if (ok && slash)
            ok = parse_number(slash + 1, 0, 32, &bits);
        /* Room for the gateway, the name server and 15 guests. */
        if (!ok || bits < 4 || bits > 27)
            return err_set(err, "%s: net=%s is not a network such as 10.0.2.0/24 (4 to 27 bits)",
                           o->option, net);
        mask = UINT32_MAX << (32 - bits);
        network = ntohl(n->network.s_addr) & mask;
        n->network.s_addr = htonl(network);
        n->netmask.s_addr = htonl(mask);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!take_address(o, keys[i], inside[i], err))
            return false;
        uint32_t address = ntohl(inside[i]->s_addr);
        if (address && ((address & mask) != network || !(address & ~mask) || !(~address & ~mask))) {
            char text[INET_ADDRSTRLEN];
            inet_ntop(AF_INET, inside[i], text, sizeof(text));
            return err_set(err, "%s: %s=%s is no guest's address in the network%s", o->option,
                           keys[i], text, net ? " of net=" : " (10.0.2.0/24; say net=)");
        }
    }
    if (n->host.s_addr && n->host.s_addr == n->dns.s_addr)
        return err_set(err, "%s: host= and dns= are the same address", o->option);
    return true;
}

/* "[ADDRESS]:PORT", up to `len` characters. */
static bool parse_end(const char *text, size_t len, struct in_addr *address, uint16_t *port)
{
    char copy[32];
    uint64_t number;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *colon = strchr(copy, ':');
    if (!colon || !parse_number(colon + 1, 1, UINT16_MAX, &number))
        return false;
    *colon = '\0';
    *port = (uint16_t)number;
    return !*copy || inet_pton(AF_INET, copy, address) == 1;
}

static bool forward_keys(struct optstr *o, struct netdev_config *n, struct err *err)
{
    const char *text;
    while ((text = optstr_take(o, "hostfwd"))) {
        struct netdev_forward f = {0};
        const char *host = strchr(text, ':'), *dash = strchr(text, '-');
        size_t len = host ? (size_t)(host - text) : 0;
        f.udp = len == 3 && !memcmp(text, "udp", 3);
        if (!host || !dash || dash < host ||
            !(f.udp || !len || (len == 3 && !memcmp(text, "tcp", 3))) ||
            !parse_end(host + 1, (size_t)(dash - host - 1), &f.host, &f.host_port) ||
            !parse_end(dash + 1, strlen(dash + 1), &f.guest, &f.guest_port))
            return err_set(err,
                           "%s: hostfwd=%s is not tcp or udp, :[ADDRESS]:PORT-[ADDRESS]:PORT, as "
                           "tcp::2222-:22",
                           o->option, text);
        for (size_t i = 0; i < n->forward_count; i++)
            if (n->forwards[i].udp == f.udp && n->forwards[i].host_port == f.host_port &&
                n->forwards[i].host.s_addr == f.host.s_addr)
                return err_set(err, "%s: hostfwd=%s: this port is forwarded already", o->option,
                               text);
        if (n->forward_count == NETDEV_MAX_FORWARDS)
            return err_set(err, "%s: hostfwd= more than %d times", o->option, NETDEV_MAX_FORWARDS);
        n->forwards[n->forward_count++] = f;
    }
    return true;
}

#define NO_GUESTFWD "programs behind the network are not part of this version; leave it out"
#define NO_SMB      "Windows shares are not part of this version; leave it out"
#define IPV6_FIXED  "the network's IPv6 addresses are the usual ones (fec0::/64); leave it out"

static bool user_keys(struct optstr *o, struct netdev_config *n, struct err *err)
{
    bool ipv4 = true;
    n->kind = NETDEV_USER;
    if (!user_network(o, n, err) || !forward_keys(o, n, err) ||
        !optstr_bool(o, "restrict", &n->restricted, err) || !optstr_bool(o, "ipv4", &ipv4, err) ||
        !optstr_bool(o, "ipv6", &n->ipv6, err) ||
        !optstr_string(o, "hostname", &n->hostname, err) ||
        !optstr_string(o, "domainname", &n->domain, err) ||
        !optstr_string(o, "tftp", &n->tftp, err) ||
        !optstr_string(o, "bootfile", &n->bootfile, err) ||
        !optstr_refuse(o, "guestfwd", NO_GUESTFWD, err) || !optstr_refuse(o, "smb", NO_SMB, err) ||
        !optstr_refuse(o, "smbserver", NO_SMB, err) ||
        !optstr_refuse(o, "dnssearch", "say domainname=", err) ||
        !optstr_refuse(o, "tftp-server-name", "the server is the gateway; leave it out", err) ||
        !optstr_refuse(o, "ipv6-net", IPV6_FIXED, err) ||
        !optstr_refuse(o, "ipv6-prefix", IPV6_FIXED, err) ||
        !optstr_refuse(o, "ipv6-prefixlen", IPV6_FIXED, err) ||
        !optstr_refuse(o, "ipv6-host", IPV6_FIXED, err) ||
        !optstr_refuse(o, "ipv6-dns", IPV6_FIXED, err))
        return false;
    n->no_ipv4 = !ipv4;
    if (!ipv4 && !n->ipv6)
        return err_set(err, "%s: ipv4=off without ipv6=on: nothing is left", o->option);
    if (!ipv4 && n->forward_count)
        return err_set(err, "%s: hostfwd= is IPv4's, which ipv4=off takes away", o->option);
    if (n->hostname && strlen(n->hostname) > 32)
        return err_set(err, "%s: hostname=%s is longer than 32 characters", o->option, n->hostname);
    if (n->domain && strlen(n->domain) > 255)
        return err_set(err, "%s: domainname= is longer than 255 characters", o->option);
    if (n->bootfile && strlen(n->bootfile) > 127) /* RFC 2131, "file" */
        return err_set(err, "%s: bootfile= is longer than 127 characters", o->option);
    return true;
}

/* ---- socket ---- */

/* HOST:PORT; an IPv6 address is in brackets. The host may be missing where `any`. */
static bool is_address(const char *text, bool any)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !parse_number(colon + 1, 1, UINT16_MAX, &port) || strlen(text) > 300)
        return false;
    size_t len = (size_t)(colon - text);
    if (*text == '[')
        return len > 2 && text[len - 1] == ']';
    return len ? !memchr(text, ':', len) : any;
}

/* A group's address (RFC 5771). */
static bool is_group(const char *text)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr group;
    size_t len = strcspn(text, ":");
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET, copy, &group) == 1 && IN_MULTICAST(ntohl(group.s_addr));
}

static bool socket_keys(struct libxl *p, struct optstr *o, struct netdev_config *n, struct err *err)
{
    static const struct {
        const char *key;
        enum netdev_socket kind;
    } kinds[] = {{"listen", NETDEV_SOCKET_LISTEN},
                 {"connect", NETDEV_SOCKET_CONNECT},
                 {"mcast", NETDEV_SOCKET_MCAST},
                 {"udp", NETDEV_SOCKET_UDP},
                 {"fd", NETDEV_SOCKET_FD}};
    const char *said = NULL, *key = NULL;
    n->kind = NETDEV_SOCKET;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *value = optstr_take(o, kinds[i].key);
        if (value && said)
            return err_set(err,
                           "%s: %s= and %s=: a socket is one of listen, connect, mcast, udp, fd",
                           o->option, key, kinds[i].key);
        if (!value)
            continue;
        said = value;
        key = kinds[i].key;
        n->socket = kinds[i].kind;
    }
    if (!said)
        return err_set(err, "%s: socket: listen=, connect=, mcast=, udp= or fd= is missing",
                       o->option);
    if (!optstr_string(o, "localaddr", &n->local_addr, err))
        return false;
    if (n->local_addr && n->socket != NETDEV_SOCKET_MCAST && n->socket != NETDEV_SOCKET_UDP)
        return err_set(err, "%s: localaddr= is for mcast= and udp=, not for %s=", o->option, key);
    if (n->socket == NETDEV_SOCKET_FD)
        return libxl_fd(p, "-netdev: socket: fd=", said, &n->fd, err);
    if (!is_address(said, n->socket == NETDEV_SOCKET_LISTEN))
        return err_set(err, "%s: %s=%s is not HOST:PORT", o->option, key, said);
    n->address = xstrdup(said);
    if (n->socket == NETDEV_SOCKET_MCAST) {
        struct in_addr local;
        if (!is_group(said))
            return err_set(err, "%s: mcast=%s is not a group from 224.0.0.0 to 239.255.255.255",
                           o->option, said);
        if (n->local_addr && inet_pton(AF_INET, n->local_addr, &local) != 1)
            return err_set(err, "%s: localaddr=%s is not the IPv4 address of an interface here",
                           o->option, n->local_addr);
    }
    if (n->socket == NETDEV_SOCKET_UDP && !n->local_addr)
        return err_set(err, "%s: udp= needs localaddr=HOST:PORT, where frames come in", o->option);
    if (n->socket == NETDEV_SOCKET_UDP && !is_address(n->local_addr, true))
        return err_set(err, "%s: localaddr=%s is not HOST:PORT", o->option, n->local_addr);
    return true;
}

/* ---- all kinds ---- */

static bool kind_keys(struct libxl *p, struct optstr *o, const char *kind, struct netdev_config *n,
                      struct err *err)
{
    if (!strcmp(kind, "tap"))
        return tap_keys(p, o, n, err);
    if (!strcmp(kind, "user"))
        return user_keys(o, n, err);
    if (!strcmp(kind, "socket"))
        return socket_keys(p, o, n, err);
    if (!strcmp(kind, "null"))
        return true;
    if (!strcmp(kind, "bridge"))
        return err_set(err, "%s bridge: no helper is run; use tap,br=BRIDGE", o->option);
    if (!strcmp(kind, "stream") || !strcmp(kind, "dgram"))
        return err_set(err, "%s %s: not part of this version; use socket", o->option, kind);
    if (!strcmp(kind, "hubport"))
        return err_set(err,
                       "%s hubport: each network card has a back-end of its own; for several "
                       "guests on one wire use a bridge, or socket,mcast=",
                       o->option);
    return err_set(err, "%s %.64s: not part of this version; use tap, user, socket or null",
                   o->option, kind);
}

struct netdev_config *libxl_netdev_new(struct libxl *p, struct optstr *o, const char *kind,
                                       struct err *err)
{
    struct config *c = p->config;
    if (c->netdev_count == CONFIG_MAX_NETDEVS) {
        err_set(err, "%s: there are at most %d back-ends of network cards", o->option,
                CONFIG_MAX_NETDEVS);
        return NULL;
    }
    p->netdevs[c->netdev_count] = (struct libxl_netdev){.vlan = LIBXL_NOT_SAID};
    struct netdev_config *n = &c->netdevs[c->netdev_count++];
    *n = (struct netdev_config){.fd = -1};
    return kind_keys(p, o, kind, n, err) ? n : NULL;
}
