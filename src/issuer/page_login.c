/* issuer/page_login.c: the page that asks for name and password. */
#include "base/str.h"
#include "issuer/page.h"

static void put_trouble(struct gh_html *html, const struct gh_issuer_request *r, enum gh_reason told)
{
    if (told == GH_OK)
        return;
    gh_html_markup(html, "<p class=\"bad\" role=\"alert\" id=\"trouble\">");
    if (told == GH_LOGIN_THROTTLED) {
        gh_html_markup(html, "There were too many tries. Wait ");
        gh_html_text(html, gh_arena_printf(r->x->arena, "%lld", (long long)r->retry_after_s));
        gh_html_markup(html, " seconds, then try again.");
    } else {
        gh_html_markup(html, "Name or password are wrong. Try again.");
    }
    gh_html_markup(html, "</p>\n");
}

/* Of a field: is something wrong with it, and is it the one to be filled in next? */
static void put_state(struct gh_html *html, const struct gh_page_login *login, bool is_next)
{
    if (login->told == GH_LOGIN_FAILED)
        gh_html_markup(html, " aria-invalid=\"true\" aria-describedby=\"trouble\"");
    if (is_next)
        gh_html_markup(html, " autofocus");
}

static void put_password(struct gh_html *html, const struct gh_issuer_request *r,
                         const struct gh_page_login *login)
{
    gh_page_form_begin(html, r,
                       &(struct gh_page_form){ .path = "/login", .csrf = login->csrf, .txn = login->txn });
    gh_html_markup(html, "<label for=\"username\">Name</label>\n<input type=\"text\" id=\"username\" "
                         "name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" "
                         "spellcheck=\"false\" maxlength=\"64\" required");
    gh_html_attribute(html, "value", login->name);
    put_state(html, login, login->name.len == 0);
    gh_html_markup(html,
                   ">\n<label for=\"password\">Password</label>\n<input type=\"password\" id=\"password\" "
                   "name=\"password\" autocomplete=\"current-password\" required");
    put_state(html, login, login->name.len > 0);
    gh_html_markup(html, ">\n<button class=\"go wide\" type=\"submit\">Sign in</button>\n</form>\n");
}

/* Links, not forms: a form-action would hold for every redirect behind them. */
static void put_providers(struct gh_html *html, const struct gh_issuer_request *r,
                          const struct gh_page_login *login)
{
    for (size_t i = 0; i < r->managed->login_count; i++) {
        const struct gh_issuer_login *one = &r->managed->logins[i];
        gh_html_markup(html, "<p><a class=\"button\" href=\"");
        gh_html_text(html, gh_page_start_path(r, one, login->txn));
        gh_html_markup(html, "\">Sign in with ");
        gh_html_cut(html, one->label, 100);
        gh_html_markup(html, "</a></p>\n");
    }
}

gh_str gh_page_start_path(const struct gh_issuer_request *r, const struct gh_issuer_login *login, gh_str txn)
{
    return gh_arena_printf(r->x->arena, "%.*s/login/start?provider=%.*s%s%.*s", GH_STR_FMT(r->managed->base),
                           GH_STR_FMT(login->login.name), txn.len > 0 ? "&txn=" : "", GH_STR_FMT(txn));
}

enum gh_step_end gh_page_login(struct gh_issuer_request *r, const struct gh_page_login *login)
{
    struct gh_html html = gh_page_begin(r, GH_STR("Sign in"));
    put_trouble(&html, r, login->told);
    if (login->resource.len > 0) {
        gh_html_markup(&html, "<p>To connect an application with <strong>");
        gh_html_cut(&html, login->resource, 200);
        gh_html_markup(&html, "</strong>.</p>\n");
    }
    if (r->managed->accounts)
        put_password(&html, r, login);
    put_providers(&html, r, login);
    if (login->told != GH_OK)
        r->x->reason = login->told;
    return gh_page_answer(r, login->told == GH_OK ? 200 : gh_reason_row(login->told)->status, &html,
                          login->target);
}
