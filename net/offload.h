/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offload: what hosts leave to their network card, done in software: internet checksums and the
 * splitting of long TCP segments. Works on frames of whoever; each length is checked against the
 * frame before it is used. Plain functions, for the wire and for chips.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/net.h"

#define OFFLOAD_TCP 6
#define OFFLOAD_UDP 17

/*
 * The ones' complement sum (RFC 1071) of `len` bytes as 16-bit words in network order, an odd last
 * byte being the high half of a word, plus `sum` (0, or what an earlier call said of an even number
 * of bytes before these). Not complemented.
 */
uint16_t offload_sum(const uint8_t *data, size_t len, uint16_t sum);

/* What a frame is, as far as its headers go. */
struct offload_packet {
    uint8_t version;    /* of IP: 4, 6; 0: it is no IP, or its header doesn't fit; the rest is 0 */
    uint8_t protocol;   /* OFFLOAD_TCP, OFFLOAD_UDP: its header is there. 0: another, or a part of a
                           fragmented datagram: then no `transport` */
    uint16_t ip;        /* offsets from the frame's first byte: of the IP header … */
    uint16_t ip_len;    /* (its length with options; of IPv6 without extensions: 40) */
    uint16_t transport; /* … of TCP's or UDP's … */
    uint16_t payload;   /* … of what follows it … */
    uint32_t end;       /* … and of the datagram's end as IP says; padding may follow */
};

/* Reads the headers: Ethernet II, behind one or two VLAN tags at most; IPv4; IPv6 with hop-by-hop,
 * routing and destination options. Whether it is IP. */
bool offload_parse(const uint8_t *frame, size_t len, struct offload_packet *packet);

/* Whether the IPv4 header's checksum is right (IPv6 has none: true). */
bool offload_ip_valid(const uint8_t *frame, const struct offload_packet *packet);

/* Whether TCP's or UDP's checksum is right; true for UDP over IPv4 without one. Only where
 * `protocol` is not 0. */
bool offload_transport_valid(const uint8_t *frame, const struct offload_packet *packet);

/* Puts the IPv4 header's checksum in (nothing for IPv6). */
void offload_fill_ip(uint8_t *frame, const struct offload_packet *packet);

/* Puts the sum of the pseudo header into TCP's or UDP's checksum, and says in `offload` what is
 * left to be summed: for a chip that finds the headers by itself. Only where `protocol` is not 0.
 */
void offload_ask_transport(uint8_t *frame, const struct offload_packet *packet,
                           struct net_offload *offload);

/* Does `csum`. False: it doesn't fit the frame, which is left as it is. */
bool offload_checksum(uint8_t *frame, size_t len, const struct net_offload *offload);

/*
 * Whether `mss`, `ip` and `tcp` fit the frame; if so, makes it what a tap wants: the length in the
 * IP header and its checksum right, the pseudo header's sum in TCP's checksum, csum_start and
 * csum_at said. Says how long all headers are, and into how many parts it would be split.
 */
bool offload_prepare(uint8_t *frame, size_t len, struct net_offload *offload, size_t *headers,
                     size_t *parts);

#define OFFLOAD_MAX_HEADERS 512

/* A segment that is being split. The parts are made in the frame's own memory: the headers of each
 * are put before its payload, over what has been sent. */
struct offload_split {
    uint8_t header[OFFLOAD_MAX_HEADERS];
    size_t header_len, ip, tcp, mss;
    bool ipv6;
    size_t next; /* where the payload of the next part begins */
    size_t end;  /* of the frame */
    uint32_t seq;
    uint16_t id;
    uint16_t pseudo; /* sum of addresses and protocol */
    bool first;
};

/* False: not TCP over IP as `offload` says. The frame goes as it is. */
bool offload_split_begin(struct offload_split *split, const uint8_t *frame, size_t len,
                         const struct net_offload *offload);

/* Makes the next part, which is then `*len` bytes from frame + *at on. False: that was the last. */
bool offload_split_next(struct offload_split *split, uint8_t *frame, size_t *at, size_t *len);

/* The first `by` bytes of the frame are gone: what was at frame + by is now at its beginning. */
void offload_split_moved(struct offload_split *split, size_t by);

#endif
