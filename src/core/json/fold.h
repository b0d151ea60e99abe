/* core/json/fold.h: is a member name the same as another one but for letter case? */
#ifndef GH_CORE_JSON_FOLD_H
#define GH_CORE_JSON_FOLD_H

#include "gatehouse/types.h"

/* Equal under Unicode simple case folding, where `name` is ASCII: besides the letters' own two cases that is
 * U+017F for s and U+212A for k (threats.md rule 1). Byte-equal names are equal here too. */
bool gh_fold_eq(gh_str member, gh_str name);

#endif
