/* issuer/page_password.c: the pages on which somebody chooses a password: behind a link, or in place of the
 * present one. */
#include "base/str.h"
#include "issuer/page.h"

static void put_trouble(struct gh_html *html, const struct gh_issuer_request *r, enum gh_reason told)
{
    if (told == GH_OK)
        return;
    gh_html_markup(html, "<p class=\"bad\" role=\"alert\">");
    if (told == GH_LOGIN_THROTTLED) {
        gh_html_markup(html, "There were too many tries. Wait ");
        gh_html_text(html, gh_arena_printf(r->x->arena, "%lld", (long long)r->retry_after_s));
        gh_html_markup(html, " seconds, then try again. ");
    } else if (told == GH_LOGIN_FAILED) {
        gh_html_markup(html, "The present password is wrong. ");
    } else {
        gh_html_markup(html, "The password needs at least 8 characters, the same both times. ");
    }
    gh_html_markup(html, "Nothing was changed yet.</p>\n");
}

static void put_new(struct gh_html *html)
{
    gh_html_markup(html, "<label for=\"password\">New password, at least 8 characters</label>\n"
                         "<input type=\"password\" id=\"password\" name=\"password\" "
                         "autocomplete=\"new-password\" minlength=\"8\" required>\n"
                         "<label for=\"again\">The same password once more</label>\n"
                         "<input type=\"password\" id=\"again\" name=\"again\" autocomplete=\"new-password\" "
                         "minlength=\"8\" required>\n");
}

static enum gh_step_end answer(struct gh_issuer_request *r, struct gh_html *html, enum gh_reason told)
{
    if (told != GH_OK)
        r->x->reason = told;
    return gh_page_answer(r, told == GH_OK ? 200 : gh_reason_row(told)->status, html, GH_STR(""));
}

enum gh_step_end gh_page_choose(struct gh_issuer_request *r, const struct gh_page_password *page)
{
    struct gh_html html = gh_page_begin(r, GH_STR("Choose a password"));
    put_trouble(&html, r, page->told);
    gh_html_markup(&html, "<p>For the account <strong>");
    gh_html_cut(&html, page->name, 100);
    gh_html_markup(&html,
                   "</strong>. With this name and the password you sign in when an application wants to "
                   "use a server here. This link works once.</p>\n");
    gh_page_form_begin(
        &html, r, &(struct gh_page_form){ .path = "/password", .csrf = page->csrf, .token = page->token });
    put_new(&html);
    gh_html_markup(&html, "<button class=\"go wide\" type=\"submit\">Save the password</button>\n</form>\n");
    return answer(r, &html, page->told);
}

enum gh_step_end gh_page_change(struct gh_issuer_request *r, const struct gh_page_password *page)
{
    struct gh_html html = gh_page_begin(r, GH_STR("Change your password"));
    put_trouble(&html, r, page->told);
    gh_html_markup(&html, "<p>Signed in as <strong>");
    gh_html_cut(&html, page->name, 100);
    gh_html_markup(&html, "</strong>. You will be signed out everywhere else.</p>\n");
    gh_page_form_begin(&html, r, &(struct gh_page_form){ .path = "/account/password", .csrf = page->csrf });
    gh_html_markup(&html,
                   "<label for=\"current\">Present password</label>\n<input type=\"password\" id=\"current\" "
                   "name=\"current\" autocomplete=\"current-password\" required autofocus>\n");
    put_new(&html);
    gh_html_markup(&html,
                   "<button class=\"go wide\" type=\"submit\">Change the password</button>\n</form>\n");
    return answer(r, &html, page->told);
}
