/* issuer/page_account.c: what the user has allowed, each with a way to end it. */
#include "base/str.h"
#include "issuer/page.h"

static void put_grant(struct gh_html *html, const struct gh_issuer_request *r, const struct gh_grant *grant,
                      gh_str csrf)
{
    gh_html_markup(html, "<section>\n<h2>");
    gh_html_cut(html, grant->client_name.len > 0 ? grant->client_name : grant->client, 100);
    gh_html_markup(html, "</h2>\n<dl>\n<dt>Application</dt><dd>");
    gh_html_cut(html, grant->client, 300);
    gh_html_markup(html, "</dd>\n<dt>Returned to</dt><dd>");
    gh_html_cut(html, grant->redirect_host, 255);
    gh_html_markup(html, "</dd>\n<dt>Server</dt><dd>");
    gh_html_cut(html, grant->resource, 500);
    gh_html_markup(html, "</dd>\n<dt>May</dt><dd>");
    gh_page_scopes(html, grant->scopes);
    gh_html_markup(html, "</dd>\n<dt>Since</dt><dd>");
    gh_page_date(html, grant->created);
    gh_html_markup(html, "</dd>\n<dt>Last renewed</dt><dd>");
    gh_page_date(html, grant->used);
    gh_html_markup(html, "</dd>\n</dl>\n");
    gh_page_form_begin(html, r,
                       &(struct gh_page_form){ .path = "/account", .csrf = csrf, .grant = grant->id });
    /* Whoever hears one button after the other hears whose access it ends. */
    gh_html_markup(html, "<button type=\"submit\">End this access<span class=\"unseen\"> of ");
    gh_html_cut(html, grant->client_name.len > 0 ? grant->client_name : grant->client, 100);
    gh_html_markup(html, "</span></button>\n</form>\n</section>\n");
}

static struct gh_html begin(struct gh_issuer_request *r, gh_str heading, gh_str csrf)
{
    struct gh_html html = gh_page_begin(r, heading);
    gh_html_markup(&html, "<p>Signed in as <strong>");
    gh_html_text(&html, r->session.name);
    gh_html_markup(&html, "</strong>.</p>\n");
    gh_page_form_begin(&html, r, &(struct gh_page_form){ .path = "/logout", .csrf = csrf });
    gh_html_markup(&html, "<button type=\"submit\">Sign out</button>\n</form>\n");
    return html;
}

enum gh_step_end gh_page_logout(struct gh_issuer_request *r, gh_str csrf)
{
    struct gh_html html = begin(r, GH_STR("Sign out?"), csrf);
    return gh_page_answer(r, 200, &html, GH_STR(""));
}

enum gh_step_end gh_page_account(struct gh_issuer_request *r, gh_str csrf)
{
    struct gh_html html = begin(r, GH_STR("Your account"), csrf);
    if (r->managed->accounts && r->person.password.len > 0) {
        gh_html_markup(&html, "<p><a href=\"");
        gh_html_text(&html, r->managed->base);
        gh_html_markup(&html, "/account/password\">Change your password</a></p>\n");
    }
    for (size_t i = 0; i < r->rows.count; i++) {
        struct gh_grant grant;
        if (gh_grant_read(r->x->arena, r->rows.at[i].value, &grant) == GH_OK)
            put_grant(&html, r, &grant, csrf);
    }
    if (r->rows.count == GH_ACCOUNT_GRANTS_MAX)
        gh_html_markup(&html, "<p>There may be more: end what is not needed to see it.</p>\n");
    if (r->rows.count == 0)
        gh_html_markup(&html,
                       "<p>No application has access. When you connect one, it stands here, and you can end "
                       "its access.</p>\n");
    return gh_page_answer(r, 200, &html, GH_STR(""));
}
