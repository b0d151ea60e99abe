/* fuzz/fuzz_yaml.c: any bytes as settings: tree, values and checks, to an answer without a crash. */
/* covers: src/conf/tree.c src/conf/values.c src/conf/rows.c */
#include "conf/conf.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    GH_HOLDS(gh_conf_errors_init(&errors) == GH_OK);
    enum gh_reason reason =
        gh_conf_from_text(GH_STR("fuzz"), gh_str_of(data, size), GH_STR("/nonexistent"), &conf, &errors);
    GH_HOLDS((reason == GH_OK) == (conf != NULL) && (reason == GH_OK) == (errors.error_count == 0));
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    return 0;
}
