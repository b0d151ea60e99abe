/* issuer/page.c: the frame of all pages, and the headers that no page is without. */
#include "issuer/page.h"

#include <time.h>

#include "base/str.h"

/* ---- headers ---- */

static bool add(struct gh_headers *headers, const char *name, gh_str value)
{
    return gh_headers_add(headers, gh_str_from(name), value) == GH_OK;
}

/* threats.md A7, A8, A25. No script at all, nothing from elsewhere, no frame around it. */
static bool begin(const struct gh_issuer_request *r, struct gh_headers *headers, gh_str target)
{
    struct gh_arena *arena = r->x->arena;
    /* Chrome holds the redirect behind a form to form-action too: the client's origin is named (issuer.md
     * section 7). */
    gh_str policy = gh_arena_printf(arena,
                                    "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors "
                                    "'none'; form-action 'self'%s%.*s",
                                    target.len > 0 ? " " : "", GH_STR_FMT(target));
    bool ok = policy.ptr != NULL && gh_headers_init(headers, arena, 16) == GH_OK &&
              add(headers, "content-security-policy", policy) &&
              add(headers, "x-frame-options", GH_STR("DENY")) &&
              add(headers, "referrer-policy", GH_STR("no-referrer")) &&
              add(headers, "x-content-type-options", GH_STR("nosniff")) &&
              add(headers, "cross-origin-opener-policy", GH_STR("same-origin")) &&
              add(headers, "cache-control", GH_STR("no-store")) &&
              add(headers, "x-request-id", gh_str_of(r->x->request_id, sizeof(r->x->request_id) - 1));
    for (size_t i = 0; i < GH_ARRAY_LEN(r->set_cookies); i++)
        if (r->set_cookies[i].ptr != NULL)
            ok = ok && add(headers, "set-cookie", r->set_cookies[i]);
    return ok;
}

static enum gh_step_end give_up(struct gh_issuer_request *r)
{
    gh_exchange_refuse(r->x, GH_OUT_OF_MEMORY, NULL);
    return GH_STEP_DONE;
}

static enum gh_step_end send(struct gh_issuer_request *r, int status, struct gh_headers *headers, gh_str body)
{
    r->x->policy = &r->managed->seen;
    gh_exchange_answer(r->x, status, headers, body);
    return GH_STEP_DONE;
}

/* ---- the frame: whose page this is, and its heading ---- */

/* The mark, a gate; drawn in the page, for nothing is loaded. */
#define ARCH                                                                                                 \
    "<svg width=\"24\" height=\"24\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">"                            \
    "<path d=\"M3 22V10a9 9 0 0 1 18 0v12h-4.5V10a4.5 4.5 0 0 0-9 0v12zm7-11h4v11h-4z\"/></svg>"

static struct gh_html begin_page(const struct gh_issuer_request *r, gh_str heading, gh_str forward)
{
    struct gh_html html = { .text = { .arena = r->x->arena } };
    gh_html_markup(&html, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                          "<meta name=\"robots\" content=\"noindex\">\n");
    if (forward.len > 0) {
        gh_html_markup(&html, "<meta http-equiv=\"refresh\" content=\"0;url=");
        gh_html_text(&html, forward);
        gh_html_markup(&html, "\">\n");
    }
    gh_html_markup(&html, "<title>");
    gh_html_text(&html, heading);
    gh_html_markup(&html, "</title>\n<link rel=\"stylesheet\" href=\"");
    gh_html_text(&html, r->managed->base);
    gh_html_markup(&html, "/style.css\">\n</head>\n<body>\n<header>" ARCH "<span>");
    gh_html_text(&html, gh_redirect_host(r->managed->policy.issuer));
    gh_html_markup(&html, "</span></header>\n<main>\n<h1>");
    gh_html_text(&html, heading);
    gh_html_markup(&html, "</h1>\n");
    return html;
}

struct gh_html gh_page_begin(const struct gh_issuer_request *r, gh_str heading)
{
    return begin_page(r, heading, GH_STR(""));
}

enum gh_step_end gh_page_answer(struct gh_issuer_request *r, int status, struct gh_html *html, gh_str target)
{
    struct gh_headers headers;
    gh_html_markup(html, "</main>\n</body>\n</html>\n");
    gh_str body = gh_html_take(html);
    bool ok = body.ptr != NULL && begin(r, &headers, target) &&
              add(&headers, "content-type", GH_STR("text/html; charset=utf-8"));
    if (ok && status == 405)
        ok = add(&headers, "allow", gh_str_from(r->endpoint->allow));
    if (ok && (status == 429 || status == 503)) {
        long long wait = r->retry_after_s > 0 ? (long long)r->retry_after_s : status == 429 ? 60 : 5;
        ok = add(&headers, "retry-after", gh_arena_printf(r->x->arena, "%lld", wait));
    }
    return ok ? send(r, status, &headers, body) : give_up(r);
}

enum gh_step_end gh_page_redirect(struct gh_issuer_request *r, gh_str location)
{
    struct gh_headers headers;
    if (location.ptr == NULL || !begin(r, &headers, GH_STR("")) || !add(&headers, "location", location))
        return give_up(r);
    return send(r, 303, &headers, GH_STR_NONE);
}

enum gh_step_end gh_page_go(struct gh_issuer_request *r, const char *path, gh_str txn)
{
    return gh_page_redirect(r, gh_arena_printf(r->x->arena, "%.*s%s%s%.*s",
                                               GH_STR_FMT(r->managed->policy.issuer), path,
                                               txn.len > 0 ? "?txn=" : "", GH_STR_FMT(txn)));
}

enum gh_step_end gh_page_forward(struct gh_issuer_request *r, const char *path, gh_str txn)
{
    gh_str url = gh_arena_printf(r->x->arena, "%.*s%s?txn=%.*s", GH_STR_FMT(r->managed->policy.issuer), path,
                                 GH_STR_FMT(txn));
    if (url.ptr == NULL)
        return give_up(r);
    struct gh_html html = begin_page(r, GH_STR("Now sign in"), url);
    gh_html_markup(&html, "<p><a href=\"");
    gh_html_text(&html, url);
    gh_html_markup(&html, "\">Go on to sign in</a></p>\n");
    return gh_page_answer(r, 200, &html, GH_STR(""));
}

enum gh_step_end gh_page_stylesheet(struct gh_issuer_request *r, gh_str text)
{
    struct gh_headers headers;
    bool ok = gh_headers_init(&headers, r->x->arena, 4) == GH_OK &&
              add(&headers, "content-type", GH_STR("text/css; charset=utf-8")) &&
              add(&headers, "x-content-type-options", GH_STR("nosniff")) &&
              add(&headers, "cache-control", GH_STR("public, max-age=3600"));
    return ok ? send(r, 200, &headers, text) : give_up(r);
}

/* ---- parts of templates ---- */

static void put_hidden(struct gh_html *html, gh_str name, gh_str value)
{
    if (value.len == 0)
        return;
    gh_html_markup(html, "<input type=\"hidden\"");
    gh_html_attribute(html, "name", name);
    gh_html_attribute(html, "value", value);
    gh_html_markup(html, ">\n");
}

void gh_page_form_begin(struct gh_html *html, const struct gh_issuer_request *r,
                        const struct gh_page_form *form)
{
    gh_html_markup(html, "<form method=\"post\" action=\"");
    gh_html_text(html, r->managed->base);
    gh_html_text(html, gh_str_from(form->path));
    gh_html_markup(html, "\">\n");
    put_hidden(html, GH_STR("csrf"), form->csrf);
    put_hidden(html, GH_STR("txn"), form->txn);
    put_hidden(html, GH_STR("token"), form->token);
    put_hidden(html, GH_STR("grant"), form->grant);
}

void gh_page_date(struct gh_html *html, int64_t at)
{
    char text[64];
    time_t when = (time_t)at;
    struct tm day;
    if (gmtime_r(&when, &day) == NULL)
        return;
    gh_html_text(html, gh_str_trim(gh_str_of(text, strftime(text, sizeof(text), "%e %B %Y", &day))));
}

/* ---- refusals ---- */

struct words {
    enum gh_reason why;
    const char *heading, *happened, *helps;
};

#define RETURN_TO_APP "Close this page, go back to the application and connect once more."

/* What a person reads: what happened, and what to do next. */
static const struct words refusals[] = {
    { GH_CLIENT_UNKNOWN, "Application not known",
      "The application that sent you here is not registered, or its registration has expired.",
      "Remove the connection in the application and add it again. If it still fails, tell its maker." },
    { GH_CLIENT_DOCUMENT_REFUSED, "Application not accepted",
      "What the application publishes about itself could not be read, or breaks a rule.",
      "Try again in a minute. If it still fails, tell the maker of the application." },
    { GH_FETCH_FAILED, "Application not reachable",
      "What the application publishes about itself could not be fetched.",
      "Try again in a minute. If it still fails, tell the maker of the application." },
    { GH_FETCH_REFUSED, "Application not accepted",
      "The application names an address that this gateway does not ask.",
      "If you did not follow a link that somebody sent you, tell the maker of the application." },
    { GH_LOGIN_REQUIRED, "Nobody is signed in", "The application asked for an answer without a question.",
      RETURN_TO_APP },
    { GH_REDIRECT_UNKNOWN, "This link leads elsewhere",
      "The address to send you back to is not one of the application's. You were not sent there.",
      "If you did not follow a link that somebody sent you, tell the maker of the application." },
    { GH_PARAMETER_MISSING, "Something is missing", "The application did not say who it is.", RETURN_TO_APP },
    { GH_TRANSACTION_UNKNOWN, "This sign-in is over",
      "It took longer than ten minutes, or it has been finished already, perhaps in another window.",
      RETURN_TO_APP },
    { GH_REQUEST_URI_UNKNOWN, "This link cannot be used any more",
      "It counts once, for one minute, and only for the application that asked for it.", RETURN_TO_APP },
    { GH_PUSH_REQUIRED, "Application not accepted",
      "The application did not announce its request here first.", "Tell the maker of the application." },
    { GH_CSRF, "This form is out of date",
      "It was not sent from our page in this browser, or you have signed in anew since.", RETURN_TO_APP },
    { GH_SETUP_UNKNOWN, "This link cannot be used any more",
      "The first account exists already, or a newer link was made.",
      "Sign in with the first account. Without one, restart the gateway: it prints a new link." },
    { GH_LINK_UNKNOWN, "This link cannot be used any more",
      "It was used, it is older than a day, or a newer one was made.",
      "Ask whoever gave it to you for another one." },
    { GH_OVERLOADED, "Too much at once",
      "Many people are signing in at this moment, or many new applications of one host came in the last "
      "minute.",
      "Wait a minute and try again." },
    { GH_REQUESTS_THROTTLED, "Too many at once",
      "Too many sign-ins were begun, or too many new applications were named, from your network.",
      "Wait ten minutes, then connect once more from the application." },
    { GH_CLIENT_THROTTLED, "Too many at once", "The application asked too often in the last minute.",
      "Wait a minute, then connect once more from the application." },
    { GH_STORE_DOWN, "Not available at the moment", "The gateway cannot reach its store.",
      "Try again in a few seconds. If it stays so, tell whoever runs this gateway." },
    { GH_LOGIN_STATE, "This sign-in is over",
      "It took longer than ten minutes, or it has been finished already, perhaps in another window.",
      RETURN_TO_APP },
    { GH_LOGIN_BROWSER, "This sign-in belongs to another browser",
      "It was begun in another browser, or this one keeps no cookies of this site.", RETURN_TO_APP },
    { GH_LOGIN_REFUSED, "You were not signed in",
      "Where you were sent to sign in, that did not work, or you gave it up.",
      "Connect once more from the application. If it still fails, ask whoever runs your organisation's "
      "sign-in." },
    { GH_LOGIN_USER, "This account may not sign in here",
      "You signed in with an account of another organisation, a private one, or one that was switched off.",
      "Connect once more from the application, with the account of your organisation." },
    { GH_LOGIN_PROVIDER, "Sign-in is not available at the moment",
      "The service that signs you in cannot be reached.",
      "Try again in a few seconds. If it stays so, tell whoever runs this gateway." },
    { GH_HTTP_METHOD_REFUSED, "Not a page", "This address takes no such request.", RETURN_TO_APP },
};

/* Nobody at a browser can do anything about these. */
static const struct words bad_answer = { GH_LOGIN_TOKEN, "You were not signed in",
                                         "What came back from where you signed in cannot be believed.",
                                         "Connect once more from the application. If it still fails, tell "
                                         "whoever runs this gateway." };

static const struct words otherwise = { GH_INTERNAL, "That did not work",
                                        "The request could not be answered.", RETURN_TO_APP };

enum gh_step_end gh_page_refuse(struct gh_issuer_request *r, enum gh_reason why)
{
    const struct gh_reason_row *row = gh_reason_row(why);
    bool is_answer = why >= GH_LOGIN_STATE && why <= GH_LOGIN_USER; /* of a provider */
    const struct words *words = is_answer ? &bad_answer : &otherwise;
    for (size_t i = 0; i < GH_ARRAY_LEN(refusals); i++)
        if (refusals[i].why == why)
            words = &refusals[i];
    struct gh_html html = gh_page_begin(r, gh_str_from(words->heading));
    gh_html_markup(&html, "<p role=\"alert\">");
    gh_html_text(&html, gh_str_from(words->happened));
    gh_html_markup(&html, "</p>\n<p>");
    gh_html_text(&html, gh_str_from(words->helps));
    gh_html_markup(&html, "</p>\n<p class=\"small\">Reason: ");
    gh_html_text(&html, gh_str_from(row->slug));
    gh_html_markup(&html, ", request ");
    gh_html_text(&html, gh_str_of(r->x->request_id, sizeof(r->x->request_id) - 1));
    gh_html_markup(&html, "</p>\n");
    r->x->reason = why;
    gh_issuer_tell_refused(r);
    /* RFC 9110 section 15.5.2 asks 401 for a challenge, which means nothing to a person. */
    return gh_page_answer(r, row->status == 401 ? 400 : row->status, &html, GH_STR(""));
}
