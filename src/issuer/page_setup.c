/* issuer/page_setup.c: the page that makes the first account, behind the link that the gateway printed. */
#include "base/str.h"
#include "issuer/page.h"

enum gh_step_end gh_page_setup(struct gh_issuer_request *r, const struct gh_page_setup *setup)
{
    struct gh_html html = gh_page_begin(r, GH_STR("Make the first account"));
    if (setup->told != GH_OK)
        gh_html_markup(&html,
                       "<p class=\"bad\" role=\"alert\">The password needs at least 8 characters, the same "
                       "both times, and the name at most 64. Nothing was made yet.</p>\n");
    gh_html_markup(&html,
                   "<p>With it you sign in when an application wants to use your MCP server. This link "
                   "works once.</p>\n");
    gh_page_form_begin(
        &html, r, &(struct gh_page_form){ .path = "/setup", .csrf = setup->csrf, .token = setup->token });
    gh_html_markup(&html, "<label for=\"username\">Name</label>\n<input type=\"text\" id=\"username\" "
                          "name=\"username\" autocomplete=\"username\" autocapitalize=\"none\" "
                          "spellcheck=\"false\" maxlength=\"64\" required autofocus");
    gh_html_attribute(&html, "value", setup->name);
    gh_html_markup(&html,
                   ">\n<label for=\"password\">Password, at least 8 characters</label>\n"
                   "<input type=\"password\" id=\"password\" name=\"password\" "
                   "autocomplete=\"new-password\" minlength=\"8\" required>\n"
                   "<label for=\"again\">The same password once more</label>\n"
                   "<input type=\"password\" id=\"again\" name=\"again\" autocomplete=\"new-password\" "
                   "minlength=\"8\" required>\n"
                   "<button class=\"go wide\" type=\"submit\">Make the account</button>\n</form>\n");
    if (setup->told != GH_OK)
        r->x->reason = setup->told;
    return gh_page_answer(r, setup->told == GH_OK ? 200 : gh_reason_row(setup->told)->status, &html,
                          GH_STR(""));
}
