/* fuzz_yaml.c: any bytes as settings: tree, values and checks, to an answer without a crash. */
#include <stdlib.h>

#include "base/str.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return 0;
    enum gh_reason reason =
        gh_conf_from_text(GH_STR("fuzz"), gh_str_of(data, size), GH_STR("/nonexistent"), &conf, &errors);
    if ((reason == GH_OK) != (conf != NULL) || (reason == GH_OK) != (errors.error_count == 0))
        abort();
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    return 0;
}
