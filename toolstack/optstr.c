/* SPDX-License-Identifier: GPL-2.0-or-later */
/* optstr: see optstr.h. */
#include "toolstack/optstr.h"

#include <stdlib.h>
#include <string.h>

char *xstrdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy)
        abort();
    return copy;
}

bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
    unsigned base = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (!*s)
        return false;
    uint64_t n = 0;
    for (; *s; s++) {
        unsigned digit;
        if (*s >= '0' && *s <= '9')
            digit = (unsigned)(*s - '0');
        else if (base == 16 && *s >= 'a' && *s <= 'f')
            digit = (unsigned)(*s - 'a') + 10;
        else if (base == 16 && *s >= 'A' && *s <= 'F')
            digit = (unsigned)(*s - 'A') + 10;
        else
            return false;
        if (n > (UINT64_MAX - digit) / base)
            return false;
        n = n * base + digit;
    }
    if (n < min || n > max)
        return false;
    *out = n;
    return true;
}

bool parse_size(const char *s, uint64_t unit, uint64_t min, uint64_t max, uint64_t *out)
{
    static const char suffixes[] = "BKMGT";
    char digits[32];
    size_t len = strlen(s);
    if (len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, s, len + 1);
    char last = digits[len - 1];
    if (last >= 'a' && last <= 'z')
        last = (char)(last - 'a' + 'A');
    /* In a hexadecimal number a final B is a digit. */
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    const char *suffix = hex && last == 'B' ? NULL : strchr(suffixes, last);
    if (suffix) {
        unit = UINT64_C(1) << (10 * (suffix - suffixes));
        digits[len - 1] = '\0';
    }
    uint64_t n;
    if (!parse_number(digits, 0, UINT64_MAX / unit, &n))
        return false;
    n *= unit;
    if (n < min || n > max)
        return false;
    *out = n;
    return true;
}

static bool is_many(const struct optstr *o, const char *name)
{
    return o->many && !strcmp(name, o->many);
}

static struct optstr_key *find(struct optstr *o, const char *name)
{
    for (size_t i = 0; i < o->count; i++)
        if (!strcmp(o->keys[i].name, name) && !(o->keys[i].taken && is_many(o, name)))
            return &o->keys[i];
    return NULL;
}

/* Splits one element off *rest, in place: doubled commas become one. */
static char *next_element(char **rest)
{
    char *start = *rest, *from = start, *to = start;
    for (; *from; *to++ = *from++)
        if (*from == ',') {
            if (from[1] != ',')
                break;
            from++;
        }
    *rest = *from ? from + 1 : NULL;
    *to = '\0';
    return start;
}

static bool parse(struct optstr *o, const char *option, const char *arg, const char *implied,
                  const char *many, bool positional, struct err *err)
{
    *o = (struct optstr){.option = option, .many = many};
    if (strlen(arg) > OPTSTR_MAX_LENGTH)
        return err_set(err, "%s: its value is longer than %d characters", option,
                       OPTSTR_MAX_LENGTH);
    o->text = xstrdup(arg);
    char *rest = *o->text ? o->text : NULL;
    bool first = true;
    while (rest) {
        char *element = next_element(&rest);
        struct optstr_key key = {.name = element};
        char *equals = first && positional ? NULL : strchr(element, '=');
        if (equals) {
            *equals = '\0';
            key.value = equals + 1;
        } else if (first && implied) {
            key.name = (char *)implied;
            key.value = element;
        } else {
            key.value = (char *)"on";
            key.bare = true;
        }
        first = false;
        if (!*key.name)
            err_set(err,
                    "%s: there is a comma with no key behind it (a comma in a value is "
                    "written twice)",
                    option);
        else if (!is_many(o, key.name) && find(o, key.name))
            err_set(err, "%s: %s is said twice", option, key.name);
        else if (o->count == OPTSTR_MAX_KEYS)
            err_set(err, "%s: more than %d keys", option, OPTSTR_MAX_KEYS);
        else {
            o->keys[o->count++] = key;
            continue;
        }
        optstr_free(o);
        return false;
    }
    return true;
}

bool optstr_parse(struct optstr *o, const char *option, const char *arg, const char *implied,
                  struct err *err)
{
    return parse(o, option, arg, implied, NULL, false, err);
}

bool optstr_parse_many(struct optstr *o, const char *option, const char *arg, const char *implied,
                       const char *many, struct err *err)
{
    return parse(o, option, arg, implied, many, false, err);
}

bool optstr_parse_positional(struct optstr *o, const char *option, const char *arg,
                             const char *first, struct err *err)
{
    return parse(o, option, arg, first, NULL, true, err);
}

void optstr_free(struct optstr *o)
{
    free(o->text);
    o->text = NULL;
    o->count = 0;
}

const char *optstr_take(struct optstr *o, const char *name)
{
    struct optstr_key *key = find(o, name);
    if (!key || key->bare)
        return NULL;
    key->taken = true;
    return key->value;
}

const char *optstr_need(struct optstr *o, const char *name, struct err *err)
{
    const char *value = optstr_take(o, name);
    if (value && *value)
        return value;
    err_set(err, "%s: %s= is missing%s", o->option, name, value ? " its value" : "");
    return NULL;
}

bool optstr_string(struct optstr *o, const char *name, char **out, struct err *err)
{
    const char *value = optstr_take(o, name);
    if (!value)
        return true;
    if (!*value)
        return err_set(err, "%s: %s= is missing its value", o->option, name);
    free(*out);
    *out = xstrdup(value);
    return true;
}

bool optstr_bool(struct optstr *o, const char *name, bool *out, struct err *err)
{
    static const char *const words[][2] = {
        {"off", "on"}, {"no", "yes"}, {"false", "true"}, {"n", "y"}};
    for (size_t i = 0; i < o->count; i++) {
        struct optstr_key *key = &o->keys[i];
        if (key->bare && !strncmp(key->name, "no", 2) && !strcmp(key->name + 2, name)) {
            key->taken = true;
            *out = false;
        }
    }
    struct optstr_key *key = find(o, name);
    if (!key)
        return true;
    key->taken = true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (int v = 0; v < 2; v++)
            if (!strcmp(key->value, words[i][v])) {
                *out = v;
                return true;
            }
    return err_set(err, "%s: %s= is on or off, not '%s'", o->option, name, key->value);
}

bool optstr_number(struct optstr *o, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                   struct err *err)
{
    const char *value = optstr_take(o, name);
    if (!value || parse_number(value, min, max, out))
        return true;
    return err_set(err, "%s: %s= is a number from %llu to %llu, not '%s'", o->option, name,
                   (unsigned long long)min, (unsigned long long)max, value);
}

/* Is `word` one of the space-separated words of `list`? */
static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; len && (p = strstr(p, word)); p += len)
        if ((p == list || p[-1] == ' ') && (!p[len] || p[len] == ' '))
            return true;
    return false;
}

bool optstr_only(struct optstr *o, const char *name, const char *allowed, struct err *err)
{
    struct optstr_key *key = find(o, name);
    if (!key)
        return true;
    key->taken = true;
    if (listed(allowed, key->value))
        return true;
    return err_set(err, "%s: %s=%s is not part of this version; leave it out (or use: %s)",
                   o->option, name, key->value, allowed);
}

bool optstr_refuse(struct optstr *o, const char *name, const char *instead, struct err *err)
{
    struct optstr_key *key = find(o, name);
    if (!key)
        return true;
    key->taken = true;
    return err_set(err, "%s: %s= is not part of this version; %s", o->option, name, instead);
}

bool optstr_finish(struct optstr *o, struct err *err)
{
    for (size_t i = 0; i < o->count; i++) {
        if (o->keys[i].taken)
            continue;
        if (o->keys[i].bare)
            return err_set(err,
                           "%s: '%s' is not known here (a comma in a file name is written twice, "
                           "',,')",
                           o->option, o->keys[i].name);
        return err_set(err, "%s: %s= is not known here (a comma in a value is written twice, ',,')",
                       o->option, o->keys[i].name);
    }
    return true;
}
