/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cd_sector: see cd_sector.h. */
#include "hw/pc/cd_sector.h"

#include <string.h>

#define HEADER   12u
#define P_PARITY 2076u /* after EDC and eight zeroes */
#define Q_PARITY 2248u
#define P_COLUMNS                                                                   \
    43u /* pairs of columns of the matrix that annex A lays over header to P parity \
         */
#define P_ROWS    24u
#define Q_ROWS    26u
#define Q_COLUMNS 43u

/* 14.3: x^32 + x^31 + x^16 + x^15 + x^4 + x^3 + x + 1, lowest bit first. */
static uint32_t edc(const uint8_t *p, unsigned len)
{
    uint32_t crc = 0;

    while (len--) {
        crc ^= *p++;
        for (unsigned i = 0; i < 8; i++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xD8018001u : 0);
        }
    }
    return crc;
}

/* Multiplication by alpha in GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1 (annex A). */
static uint8_t times_alpha(uint8_t v)
{
    return (uint8_t)(v << 1 ^ (v & 0x80 ? 0x1D : 0));
}

/* Division by 1 + alpha: by what the powers of 1 + alpha repeat with, its 254th power. */
static uint8_t over_one_plus_alpha(uint8_t v)
{
    static uint8_t table[256];

    if (!table[1]) {
        for (unsigned i = 0; i < 256; i++) {
            table[(uint8_t)i ^ times_alpha((uint8_t)i)] = (uint8_t)i;
        }
    }
    return table[v];
}

/*
 * Two parity bytes such that the vector's bytes v[0..n), a, b fulfil: their sum is 0, and so is the
 * sum of each times alpha to the power of its distance from the end (annex A, the H matrices).
 */
static void parity(const uint8_t *v, unsigned n, uint8_t *a, uint8_t *b)
{
    uint8_t sum = 0, weighed = 0;

    for (unsigned i = 0; i < n; i++) {
        weighed = times_alpha(weighed ^ v[i]);
        sum ^= v[i];
    }
    /* a + b = sum, alpha a + b = alpha weighed: the difference is (1 + alpha) a. */
    *a = over_one_plus_alpha((uint8_t)(sum ^ times_alpha(weighed)));
    *b = sum ^ *a;
}

static void p_parity(uint8_t *s)
{
    uint8_t v[P_ROWS];

    for (unsigned column = 0; column < 2 * P_COLUMNS; column++) {
        for (unsigned row = 0; row < P_ROWS; row++) {
            v[row] = s[HEADER + row * 2 * P_COLUMNS + column];
        }
        parity(v, P_ROWS, &s[P_PARITY + column], &s[P_PARITY + 2 * P_COLUMNS + column]);
    }
}

/* Diagonals, which take in the P parity; words modulo 1118. */
static void q_parity(uint8_t *s)
{
    uint8_t v[Q_COLUMNS];

    for (unsigned n = 0; n < 2 * Q_ROWS; n++) {
        unsigned row = n / 2, byte = n & 1;
        for (unsigned m = 0; m < Q_COLUMNS; m++) {
            unsigned word = (44 * m + 43 * row) % (P_COLUMNS * Q_ROWS);
            v[m] = s[HEADER + word * 2 + byte];
        }
        parity(v, Q_COLUMNS, &s[Q_PARITY + n], &s[Q_PARITY + 2 * Q_ROWS + n]);
    }
}

static uint8_t bcd(uint32_t v)
{
    return (uint8_t)((v / 10 % 10) << 4 | v % 10);
}

void cd_sector_build(uint8_t sector[CD_SECTOR], uint32_t lba, const uint8_t *user)
{
    uint32_t frames = lba + 150, code;

    memmove(sector + CD_SECTOR_USER, user, 2048);
    memset(sector, 0xFF, CD_SECTOR_SYNC);
    sector[0] = sector[CD_SECTOR_SYNC - 1] = 0;
    sector[12] = bcd(frames / 75 / 60);
    sector[13] = bcd(frames / 75 % 60);
    sector[14] = bcd(frames % 75);
    sector[15] = 1; /* mode */
    code = edc(sector, CD_SECTOR_EDC);
    for (unsigned i = 0; i < 4; i++) {
        sector[CD_SECTOR_EDC + i] = (uint8_t)(code >> 8 * i);
    }
    memset(sector + CD_SECTOR_EDC + 4, 0, 8);
    p_parity(sector);
    q_parity(sector);
}
