/* conf/places.c: remembers where listeners, issuers and routes stand, for what is found out about them later.
 */
#include "base/str.h"
#include "conf/build.h"

static struct gh_conf_place place_of(const struct gh_node *node)
{
    return node != NULL ? (struct gh_conf_place){ node->line, node->column } : (struct gh_conf_place){ 0 };
}

static struct gh_conf_place *new_places(struct gh_build *build, size_t count)
{
    struct gh_conf_place *places = gh_arena_calloc(build->arena, count + 1, sizeof(*places));
    build->teller->out_of_memory |= places == NULL;
    return places;
}

void gh_build_places(struct gh_build *build)
{
    const struct gh_settings *settings = build->settings;
    const struct gh_node *root = gh_issuer_at(settings, 0)->at.node->parent->parent;
    struct gh_conf *conf = &build->settings->conf;
    struct gh_conf_place *listeners = new_places(build, settings->listen.count);
    struct gh_conf_place *issuers = new_places(build, settings->issuers.count);
    struct gh_conf_place *routes = new_places(build, settings->routes.count);
    for (size_t i = 0; listeners != NULL && i < settings->listen.count; i++)
        listeners[i] = place_of(gh_listen_at(settings, i)->at.node);
    for (size_t i = 0; issuers != NULL && i < settings->issuers.count; i++)
        issuers[i] = place_of(gh_issuer_at(settings, i)->at.node);
    for (size_t i = 0; routes != NULL && i < settings->routes.count; i++)
        routes[i] = place_of(gh_route_at(settings, i)->at.node);
    conf->places = (struct gh_conf_places){ .listeners = listeners,
                                            .issuers = issuers,
                                            .issuer_count = settings->issuers.count,
                                            .routes = routes,
                                            .admin = place_of(gh_node_get(root, "admin")),
                                            .fetch = place_of(gh_node_get(root, "fetch")),
                                            .sessions = place_of(gh_node_get(root, "sessions")),
                                            .store = place_of(gh_node_get(root, "store")) };
    conf->file = gh_arena_dup(build->arena, build->teller->file);
    build->teller->out_of_memory |= conf->file.ptr == NULL;
}

bool gh_conf_tell(const struct gh_conf *conf, struct gh_conf_place place, const struct gh_conf_error *what,
                  struct gh_conf_errors *errors)
{
    struct gh_conf_error error = *what;
    error.file = conf->file;
    error.line = place.line;
    error.column = place.column;
    return gh_conf_errors_add(errors, &error);
}
