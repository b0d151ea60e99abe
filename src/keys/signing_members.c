/* keys/signing_members.c: which key signs at what time: a function of times of birth and the clock. */
#include "keys/signing_members.h"

#include <stdio.h>

#include "base/str.h"

bool gh_signing_states(const struct gh_signing_conf *conf, const int64_t *created, size_t count, int64_t now,
                       enum gh_signing_state *ret_states)
{
    size_t active = 0; /* the newest that has been known long enough, else the oldest */
    for (size_t i = 1; i < count; i++)
        if (created[i] + conf->next_s <= now)
            active = i;
    for (size_t i = 0; i < count; i++) {
        ret_states[i] = i == active ? GH_SIGNING_ACTIVE : GH_SIGNING_NEXT;
        if (i >= active)
            continue;
        int64_t replaced = created[i + 1] + conf->next_s;
        ret_states[i] = replaced + conf->retired_s <= now ? GH_SIGNING_GONE : GH_SIGNING_RETIRED;
    }
    if (count == 0)
        return true;
    int64_t began = active > 0 ? created[active] + conf->next_s : created[active];
    return active == count - 1 && began + conf->active_s - conf->next_s <= now;
}

void gh_members_judge(const struct gh_signing_conf *conf, struct gh_signing_members *members, int64_t now,
                      bool *ret_due)
{
    int64_t created[GH_SIGNING_KEYS_MAX] = { 0 }; /* gcc does not see that `count` bounds both loops */
    enum gh_signing_state states[GH_SIGNING_KEYS_MAX];
    for (size_t i = 0; i < members->count; i++)
        created[i] = members->at[i].created;
    *ret_due = gh_signing_states(conf, created, members->count, now, states);
    for (size_t i = 0; i < members->count; i++)
        members->at[i].state = states[i];
}

static bool is_older(const struct gh_signing_member *member, int64_t created,
                     const struct gh_signing_key *key)
{
    return member->created != created
               ? member->created < created
               : gh_str_cmp(gh_signing_key_kid(member->key), gh_signing_key_kid(key)) < 0;
}

void gh_members_insert(struct gh_signing_members *members, int64_t created, struct gh_signing_key *key)
{
    size_t i = members->count++;
    for (; i > 0 && !is_older(&members->at[i - 1], created, key); i--)
        members->at[i] = members->at[i - 1];
    members->at[i] = (struct gh_signing_member){ .created = created, .key = key };
}

void gh_members_remove(struct gh_signing_members *members, size_t i)
{
    gh_signing_key_unref(members->at[i].key);
    members->count--;
    for (; i < members->count; i++)
        members->at[i] = members->at[i + 1];
}

void gh_members_done(struct gh_signing_members *members)
{
    for (size_t i = 0; i < members->count; i++)
        gh_signing_key_unref(members->at[i].key);
    members->count = 0;
}

void gh_members_copy(const struct gh_signing_members *members, struct gh_signing_members *ret_copy)
{
    *ret_copy = *members;
    for (size_t i = 0; i < ret_copy->count; i++)
        (void)gh_signing_key_ref(ret_copy->at[i].key);
}

size_t gh_members_find(const struct gh_signing_members *members, gh_str kid)
{
    size_t i = 0;
    while (i < members->count && !gh_str_eq(gh_signing_key_kid(members->at[i].key), kid))
        i++;
    return i;
}

int64_t gh_members_free_second(const struct gh_signing_members *members, int64_t from)
{
    for (size_t i = 0; i < members->count; i++)
        from += members->at[i].created == from; /* they are sorted */
    return from;
}

void gh_members_births(const struct gh_signing_members *members, const struct gh_signing_key *heir,
                       int64_t born, int64_t ret_births[GH_SIGNING_KEYS_MAX])
{
    int64_t latest = born - 1;
    for (size_t i = members->count; i-- > 0;) {
        const struct gh_signing_member *member = &members->at[i];
        ret_births[i] = member->key == heir ? born : member->created < latest ? member->created : latest;
        if (member->key != heir)
            latest = ret_births[i] - 1;
    }
}

void gh_members_sort(struct gh_signing_members *members)
{
    struct gh_signing_members all = *members;
    members->count = 0;
    for (size_t i = 0; i < all.count; i++)
        gh_members_insert(members, all.at[i].created, all.at[i].key);
}

struct gh_signing_key *gh_members_active(const struct gh_signing_members *members)
{
    for (size_t i = 0; i < members->count; i++)
        if (members->at[i].state == GH_SIGNING_ACTIVE)
            return members->at[i].key;
    return NULL;
}

/* ---- keys of the past ---- */

void gh_past_add(struct gh_signing_past *past, const struct gh_signing_members *before,
                 const struct gh_signing_members *after)
{
    for (size_t i = 0; i < before->count; i++) {
        gh_str kid = gh_signing_key_kid(before->at[i].key);
        if (gh_members_find(after, kid) < after->count)
            continue;
        (void)snprintf(past->kids[past->at], sizeof(past->kids[0]), "%.*s", GH_STR_FMT(kid));
        past->at = (past->at + 1) % GH_SIGNING_PAST_MAX;
    }
}

bool gh_past_remove(const struct gh_signing_past *past, struct gh_signing_members *members)
{
    size_t before = members->count;
    for (size_t i = 0; i < GH_SIGNING_PAST_MAX; i++) {
        size_t found = gh_members_find(members, gh_str_from(past->kids[i]));
        if (found < members->count)
            gh_members_remove(members, found);
    }
    return members->count != before;
}
