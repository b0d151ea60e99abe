/* issuer/page_consent.c: the page that says who asks for what, and leaves the choice. */
#include "base/str.h"
#include "issuer/page.h"

#define NAME_CHARACTERS 100

/* The host of a client id that is a URL proves who published it; other ids prove nothing to a person. */
static void put_client(struct gh_html *html, const struct gh_issuer_request *r)
{
    const struct gh_client *client = &r->client;
    gh_html_markup(html, "<p><strong>");
    gh_html_cut(html, client->name.len > 0 ? client->name : GH_STR("An application without a name"),
                NAME_CHARACTERS);
    gh_html_markup(
        html, "</strong> wants to use this server with your account.</p>\n<dl>\n<dt>Application</dt><dd>");
    switch (client->kind) {
    case GH_CLIENT_DOCUMENT:
        gh_html_cut(html, gh_redirect_host(client->id), 255);
        break;
    case GH_CLIENT_REGISTERED:
        gh_html_markup(html, "registered itself; nobody has checked its name");
        break;
    case GH_CLIENT_SETTINGS:
        gh_html_markup(html, "known to this gateway");
        break;
    }
    gh_html_markup(html, "</dd>\n");
}

static void put_place(struct gh_html *html, const struct gh_issuer_request *r)
{
    gh_html_markup(html, "<dt>You return to</dt><dd>");
    gh_html_cut(html, gh_redirect_host(r->request.redirect_uri), 255);
    gh_html_markup(html, "</dd>\n<dt>Server</dt><dd>");
    for (size_t i = 0; i < r->managed->policy.resource_count; i++)
        if (gh_str_eq(r->managed->policy.resources[i].canonical, r->request.resource)) {
            gh_html_cut(html, r->managed->policy.resources[i].name, NAME_CHARACTERS);
            gh_html_markup(html, "<br>");
        }
    gh_html_cut(html, r->request.resource, 500);
    gh_html_markup(html, "</dd>\n");
}

/* Nobody is signed in yet: it will be the account that comes back. */
static void put_account(struct gh_html *html, const struct gh_issuer_request *r)
{
    gh_html_markup(html, "<dt>Account</dt><dd>");
    if (r->before_sign_in) {
        gh_html_markup(html, "the one you sign in with next</dd>\n");
        return;
    }
    gh_html_cut(html, r->session.name, NAME_CHARACTERS);
    if (r->managed->login_count > 0) { /* who wants another one signs out first */
        gh_html_markup(html, "</dd>\n");
        return;
    }
    gh_html_markup(html, " (<a href=\"");
    gh_html_text(html, r->managed->base);
    gh_html_markup(html, "/login?txn=");
    gh_html_text(html, r->transaction.handle);
    gh_html_markup(html, "\">use another</a>)</dd>\n");
}

/* Days as they are lived: a refresh token that rests too long ends, and all of them some day. */
static void put_life(struct gh_html *html, const struct gh_issuer_request *r)
{
    long long days = r->managed->policy.refresh_absolute_s / 86400;
    gh_html_markup(html, "<dt>For</dt><dd>");
    if ((r->client.grants & GH_GRANT_REFRESH) == 0 || days < 1)
        gh_html_markup(html, "a short while");
    else
        gh_html_text(html, gh_arena_printf(r->x->arena, "up to %lld days, until you end it", days));
    gh_html_markup(html, "</dd>\n</dl>\n");
}

/* Scopes in words where they are our own (mcp:read, ...); writing and executing stand apart. */
static void put_scope(struct gh_html *html, gh_str scope)
{
    if (gh_str_eq(scope, GH_STR("mcp:read")))
        gh_html_markup(html, "<li>read what the server offers");
    else if (gh_str_eq(scope, GH_STR("mcp:write")))
        gh_html_markup(html, "<li class=\"strong\"><strong>change and delete</strong> what the server keeps");
    else if (gh_str_eq(scope, GH_STR("mcp:execute")))
        gh_html_markup(html, "<li class=\"strong\"><strong>run the tools</strong> of the server");
    else
        gh_html_markup(html, "<li>what the server calls so:");
    gh_html_markup(html, " <code>");
    gh_html_cut(html, scope, 200);
    gh_html_markup(html, "</code></li>\n");
}

void gh_page_scopes(struct gh_html *html, struct gh_strs scopes)
{
    gh_html_markup(html, "<ul class=\"scopes\" role=\"list\">\n");
    for (size_t i = 0; i < scopes.count; i++)
        put_scope(html, scopes.at[i]);
    if (scopes.count == 0)
        gh_html_markup(html, "<li>use the server as you do</li>\n");
    gh_html_markup(html, "</ul>\n");
}

static bool is_loopback(gh_str redirect_uri)
{
    return gh_str_starts(redirect_uri, GH_STR("http://"));
}

enum gh_step_end gh_page_consent(struct gh_issuer_request *r, gh_str csrf)
{
    struct gh_html html = gh_page_begin(r, GH_STR("Allow access?"));
    put_client(&html, r);
    put_place(&html, r);
    put_account(&html, r);
    put_life(&html, r);
    gh_html_markup(&html, "<h2>It may then</h2>\n");
    gh_page_scopes(&html, r->request.scopes);
    if (is_loopback(r->request.redirect_uri))
        gh_html_markup(&html,
                       "<p class=\"warn\">You return to a program on this computer. Nobody can prove which "
                       "program that is: allow this only if you have just started it yourself.</p>\n");
    else if (r->client.kind != GH_CLIENT_SETTINGS)
        gh_html_markup(&html, "<p class=\"warn\">Allow this only if you have just asked for it in that "
                              "application.</p>\n");
    gh_page_form_begin(
        &html, r, &(struct gh_page_form){ .path = "/consent", .csrf = csrf, .txn = r->transaction.handle });
    gh_html_markup(&html,
                   "<div class=\"answers\">\n"
                   "<button class=\"go\" type=\"submit\" name=\"answer\" value=\"allow\">Allow</button>\n"
                   "<button type=\"submit\" name=\"answer\" value=\"deny\">Deny</button>\n</div>\n</form>\n");
    return gh_page_answer(r, 200, &html, r->transaction.target);
}
