/* base/poison.h: tells the address sanitizer which bytes of our own memory nobody may touch; nothing without
 * it. */
#ifndef GH_BASE_POISON_H
#define GH_BASE_POISON_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GH_POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GH_POISONS 1
#endif

#ifdef GH_POISONS
#include <sanitizer/asan_interface.h>
/* Between two pieces, so that one byte too far is not the next one's first. */
#define GH_REDZONE 16u
static inline void gh_poison(const void *at, size_t len)
{
    __asan_poison_memory_region(at, len);
}
static inline void gh_unpoison(const void *at, size_t len)
{
    __asan_unpoison_memory_region(at, len);
}
#else
#define GH_REDZONE 0u
static inline void gh_poison(const void *at, size_t len)
{
}
static inline void gh_unpoison(const void *at, size_t len)
{
}
#endif

#endif
