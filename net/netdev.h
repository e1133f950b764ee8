/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netdev: what can be behind a NIC's wire, as -netdev of qemu(1) describes it, and how it is
 * opened. Each kind has a file: tap.c, user.c, socket.c. */
#ifndef NET_NETDEV_H
#define NET_NETDEV_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/core/err.h"

struct loop;
struct net;

#define NETDEV_MAX_FORWARDS 16

enum netdev_kind { NETDEV_NULL, NETDEV_TAP, NETDEV_USER, NETDEV_SOCKET };

enum netdev_socket {
    NETDEV_SOCKET_LISTEN,  /* listen=[HOST]:PORT: TCP, one peer at a time */
    NETDEV_SOCKET_CONNECT, /* connect=HOST:PORT */
    NETDEV_SOCKET_MCAST,   /* mcast=ADDR:PORT[,localaddr=ADDR] */
    NETDEV_SOCKET_UDP,     /* udp=HOST:PORT,localaddr=HOST:PORT */
    NETDEV_SOCKET_FD,      /* fd=N: a connected stream or an open datagram socket */
};

/* hostfwd=tcp|udp:[ADDR]:PORT-[ADDR]:PORT */
struct netdev_forward {
    bool udp;
    struct in_addr host, guest; /* 0.0.0.0: all of the host's; the first address that DHCP gives */
    uint16_t host_port, guest_port;
};

struct netdev_config {
    enum netdev_kind kind;
    char *id;

    /* tap */
    char *ifname;       /* NULL: the kernel chooses a name */
    int fd;             /* an open tap (or a stand-in: a socket that keeps frames apart), else -1 */
    char *script;       /* run with the interface's name, then the bridge's; NULL: none */
    char *downscript;   /* the same, at the end */
    unsigned script_ms; /* what a script may take; 0: as usual */
    bool no_script;     /* script=no was said: whoever said it puts the tap where it belongs */
    char *bridge;    /* br=: what the scripts get; without script= joined by ourselves; or NULL */
    bool vnet_hdr;   /* offloads are offered, if the tap can (default) */
    uint64_t sndbuf; /* bytes; 0: as the kernel has it */

    /* user: addresses in network order, 0: the usual one (10.0.2.0/24 …) */
    struct in_addr network, netmask, host, dhcp_start, dns;
    bool restricted;    /* restrict=on: no way out but hostfwd */
    bool no_ipv4, ipv6; /* ipv4=off, ipv6=on */
    char *hostname;     /* that DHCP gives, or NULL */
    char *domain;       /* domainname=, or NULL */
    char *tftp;         /* folder served by TFTP, or NULL */
    char *bootfile;     /* that DHCP names, or NULL */
    struct netdev_forward forwards[NETDEV_MAX_FORWARDS];
    size_t forward_count;
    /* Set by who opens it: what the process that serves this network gives up before the guest's
     * first frame; afterwards it reads files of `tftp` alone. NULL: nothing. */
    bool (*confine)(const struct netdev_config *config, struct err *err);
    const void *confine_opaque;

    /* socket */
    enum netdev_socket socket;
    char *address;    /* HOST:PORT as said; a numeric host or a name, may be empty for listen */
    char *local_addr; /* localaddr=, or NULL */
};

/*
 * Opens what `config` describes and puts it at the wire's end. Before the confinement: files,
 * scripts, processes and sockets are opened here, and afterwards only used. On failure *err is one
 * line that names the netdev and the reason; nothing is left behind.
 */
bool netdev_open(const struct netdev_config *config, struct loop *loop, struct net *net,
                 struct err *err);

/* Releases what the configuration points to; closes no descriptor. */
void netdev_config_free(struct netdev_config *config);

#endif
