/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_set: see qcow2_set.h. */
#include "block/qcow2_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_BITS 16
#define LIST_MAX   4096u /* as large as the bitmap */
#define MAP_BYTES  8192u

struct qcow2_group {
    uint64_t number;
    union {
        uint16_t *list; /* sorted */
        uint8_t *map;
    };
    uint32_t count, room; /* room: of the list; 0: a bitmap, or (list NULL) not in use */
};

static bool in_use(const struct qcow2_group *group)
{
    return group->list != NULL;
}

static bool is_map(const struct qcow2_group *group)
{
    return group->list && !group->room;
}

void qcow2_set_clear(struct qcow2_set *set)
{
    for (size_t i = 0; i < set->room; i++)
        free(set->groups[i].list);
    free(set->groups);
    memset(set, 0, sizeof(*set));
}

/* Where the group is, or would be; `room` is a power of two and never full. */
static struct qcow2_group *place(struct qcow2_group *groups, size_t room, uint64_t number)
{
    size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (room - 1);
    while (in_use(&groups[i]) && groups[i].number != number)
        i = (i + 1) & (room - 1);
    return &groups[i];
}

static bool grow(struct qcow2_set *set)
{
    size_t room = set->room ? set->room * 2 : 16;
    struct qcow2_group *groups = calloc(room, sizeof(*groups));

    if (!groups)
        return false;
    for (size_t i = 0; i < set->room; i++)
        if (in_use(&set->groups[i]))
            *place(groups, room, set->groups[i].number) = set->groups[i];
    free(set->groups);
    set->groups = groups;
    set->bytes += (room - set->room) * sizeof(*groups);
    set->room = room;
    return true;
}

/* The first place in the list whose number is not below n. */
static uint32_t lower_bound(const struct qcow2_group *group, uint32_t n)
{
    uint32_t low = 0, high = group->count;

    if (high && group->list[high - 1] < n)
        return high;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (group->list[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool to_map(struct qcow2_set *set, struct qcow2_group *group)
{
    uint8_t *map = calloc(1, MAP_BYTES);

    if (!map)
        return false;
    for (uint32_t i = 0; i < group->count; i++)
        map[group->list[i] / 8] |= (uint8_t)(1u << group->list[i] % 8);
    set->bytes += MAP_BYTES - group->room * sizeof(uint16_t);
    free(group->list);
    group->map = map;
    group->room = 0;
    return true;
}

static bool make_room(struct qcow2_set *set, struct qcow2_group *group)
{
    if (group->count < group->room)
        return true;
    if (group->count == LIST_MAX)
        return to_map(set, group);
    uint32_t room = group->room ? group->room * 2 : 4;
    uint16_t *list = realloc(group->list, room * sizeof(uint16_t));
    if (!list)
        return false;
    set->bytes += (room - group->room) * sizeof(uint16_t);
    group->list = list;
    group->room = room;
    return true;
}

int qcow2_set_add(struct qcow2_set *set, uint64_t cluster)
{
    uint64_t number = cluster >> GROUP_BITS;
    uint32_t n = cluster & 0xffff;

    if (set->bytes > QCOW2_SET_BYTES || (set->count * 4 >= set->room * 3 && !grow(set)))
        return -ENOMEM;
    struct qcow2_group *group = place(set->groups, set->room, number);
    uint32_t at = 0;
    if (in_use(group) && !is_map(group)) {
        at = lower_bound(group, n);
        if (at < group->count && group->list[at] == n)
            return -EEXIST;
    }
    if (!is_map(group)) {
        bool fresh = !in_use(group);
        if (!make_room(set, group))
            return -ENOMEM;
        group->number = number;
        set->count += fresh;
    }
    if (is_map(group)) {
        uint8_t bit = (uint8_t)(1u << n % 8);
        if (group->map[n / 8] & bit)
            return -EEXIST;
        group->map[n / 8] |= bit;
        return 0;
    }
    memmove(group->list + at + 1, group->list + at, (group->count - at) * sizeof(uint16_t));
    group->list[at] = (uint16_t)n;
    group->count++;
    return 0;
}

void qcow2_set_remove(struct qcow2_set *set, uint64_t cluster)
{
    uint32_t n = cluster & 0xffff;

    if (!set->room)
        return;
    struct qcow2_group *group = place(set->groups, set->room, cluster >> GROUP_BITS);
    if (!in_use(group))
        return;
    if (is_map(group)) {
        group->map[n / 8] &= (uint8_t) ~(1u << n % 8);
        return;
    }
    uint32_t at = lower_bound(group, n);
    if (at == group->count || group->list[at] != n)
        return;
    group->count--;
    memmove(group->list + at, group->list + at + 1, (group->count - at) * sizeof(uint16_t));
}

static bool group_has(const struct qcow2_group *group, uint32_t first, uint32_t last)
{
    if (!in_use(group))
        return false;
    if (!is_map(group)) {
        uint32_t at = lower_bound(group, first);
        return at < group->count && group->list[at] <= last;
    }
    for (uint32_t n = first; n <= last; n++)
        if (group->map[n / 8] & (1u << n % 8))
            return true;
    return false;
}

bool qcow2_set_has(const struct qcow2_set *set, uint64_t first, uint64_t count)
{
    uint64_t last = first + count - 1;

    if (!set->room || !count)
        return false;
    for (uint64_t number = first >> GROUP_BITS; number <= last >> GROUP_BITS; number++) {
        uint32_t from = number == first >> GROUP_BITS ? (uint32_t)(first & 0xffff) : 0;
        uint32_t to = number == last >> GROUP_BITS ? (uint32_t)(last & 0xffff) : 0xffff;
        if (group_has(place(set->groups, set->room, number), from, to))
            return true;
    }
    return false;
}
