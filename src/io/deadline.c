/* io/deadline.c: the coarse wheel: thousands of deadlines, one timer, no system call to set or clear one. */
#include "io/loop_private.h"

static size_t slot_of(int64_t number)
{
    return (size_t)number & (WHEEL_SLOTS - 1);
}

void gh_wheel_init(struct gh_wheel *wheel)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        gh_list_init(&wheel->slots[i]);
    wheel->next = WHEEL_NEVER;
}

void gh_wheel_done(struct gh_wheel *wheel)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        while (!gh_list_is_empty(&wheel->slots[i]))
            gh_list_remove(gh_list_first(&wheel->slots[i]));
}

int64_t gh_wheel_due_ms(const struct gh_wheel *wheel)
{
    return wheel->next == WHEEL_NEVER ? WHEEL_NEVER : wheel->next << WHEEL_SHIFT;
}

void gh_deadline_init(struct gh_deadline *deadline, void (*fire)(struct gh_deadline *deadline))
{
    gh_list_init(&deadline->link);
    deadline->at_ms = 0;
    deadline->fire = fire;
}

/* The first slot that begins at or after the deadline: never early, 64 ms late at most. */
static void put(struct gh_wheel *wheel, struct gh_deadline *deadline)
{
    int64_t number = (deadline->at_ms + (1 << WHEEL_SHIFT) - 1) >> WHEEL_SHIFT;
    if (number < wheel->hand)
        number = wheel->hand;
    size_t slot = slot_of(number);
    gh_list_append(&wheel->slots[slot], &deadline->link);
    wheel->used[slot / 64] |= (uint64_t)1 << (slot % 64);
    /* Beyond one round the slot is met sooner than `number` says: that is when to wake. */
    int64_t met = wheel->hand + (int64_t)slot_of(number - wheel->hand);
    if (met < wheel->next)
        wheel->next = met;
}

/* A deadline that only moves away stays where it is: its slot sees that it is not due and passes it on. So
 * the timers that each request pushes forward cost two stores. */
void gh_deadline_set(struct gh_loop *loop, struct gh_deadline *deadline, int64_t in_ms)
{
    int64_t now = gh_loop_now_ms(loop);
    int64_t at = now + (in_ms < 0 ? 0 : in_ms);
    if (gh_deadline_is_set(deadline) && at >= deadline->at_ms) {
        deadline->at_ms = at;
        return;
    }
    gh_list_remove(&deadline->link);
    deadline->at_ms = at;
    if (loop->wheel.next > now >> WHEEL_SHIFT) /* nothing stands before now: bring the hand there */
        loop->wheel.hand = now >> WHEEL_SHIFT;
    put(&loop->wheel, deadline);
}

void gh_deadline_clear(struct gh_deadline *deadline)
{
    gh_list_remove(&deadline->link);
}

/* The next slot from the hand on that may hold something. */
static int64_t find_next(const struct gh_wheel *wheel)
{
    for (unsigned ahead = 0; ahead < WHEEL_SLOTS;) {
        size_t slot = slot_of(wheel->hand + ahead);
        uint64_t word = wheel->used[slot / 64] >> (slot % 64);
        if (word != 0) {
            ahead += (unsigned)__builtin_ctzll(word);
            return ahead < WHEEL_SLOTS ? wheel->hand + ahead : WHEEL_NEVER;
        }
        ahead += 64 - (unsigned)(slot % 64);
    }
    return WHEEL_NEVER;
}

/* Everything in the slot goes to a list of its own first: what fires may set, clear and free at will. */
static void run_slot(struct gh_loop *loop, size_t slot, int64_t now_ms)
{
    struct gh_wheel *wheel = &loop->wheel;
    struct gh_list due;
    gh_list_init(&due);
    gh_list_append(&wheel->slots[slot], &due);
    gh_list_remove(&wheel->slots[slot]);
    wheel->used[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    struct gh_list *node;
    while ((node = gh_list_first(&due)) != NULL) {
        struct gh_deadline *deadline = GH_LIST_ENTRY(node, struct gh_deadline, link);
        gh_list_remove(node);
        if (deadline->at_ms > now_ms)
            put(wheel, deadline);
        else
            deadline->fire(deadline);
    }
}

void gh_wheel_run(struct gh_loop *loop, int64_t now_ms)
{
    struct gh_wheel *wheel = &loop->wheel;
    int64_t last = now_ms >> WHEEL_SHIFT;
    if (wheel->next > last)
        return;
    int64_t first = wheel->next;
    int64_t count = last - first + 1;
    if (count > (int64_t)WHEEL_SLOTS) /* after a long sleep each slot is looked at once */
        count = WHEEL_SLOTS;
    wheel->hand = last + 1; /* what is set while firing falls behind what is run now */
    for (int64_t i = 0; i < count; i++) {
        size_t slot = slot_of(first + i);
        if ((wheel->used[slot / 64] >> (slot % 64) & 1) != 0)
            run_slot(loop, slot, now_ms);
    }
    wheel->next = find_next(wheel);
}
