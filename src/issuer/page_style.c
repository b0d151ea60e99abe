/* issuer/page_style.c: the one stylesheet of all pages: a narrow column, light and dark, large targets. */
/* size: table - one text, which must stand together */
#include "issuer/page.h"

const gh_str gh_page_style = GH_STR_INIT(
    ":root{color-scheme:light dark;--text:#1c2024;--dim:#5b636e;--back:#f4f5f7;--card:#fff;--line:#d5d9df;"
    "--go:#0b57d0;--on-go:#fff;--warn-back:#fff4e0;--warn:#7a4100;--bad:#a11212}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e6e8eb;--dim:#a3abb6;--back:#14171a;--card:#1d2125;"
    "--line:#3a4048;--go:#8ab4f8;--on-go:#0b1a33;--warn-back:#3a2a10;--warn:#ffd79a;--bad:#ff9d94}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}\n"
    "main{max-width:32rem;margin:0 auto;padding:1.5rem;background:var(--card);min-height:100vh}\n"
    "@media(min-width:36rem){main{margin:3rem auto;min-height:0;border:1px solid var(--line);"
    "border-radius:12px;padding:2rem}}\n"
    "h1{font-size:1.4rem;line-height:1.3;margin:0 0 1rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.05rem;margin:1.25rem 0 .25rem;overflow-wrap:anywhere}\n"
    "p,ul,dl{margin:0 0 1rem}\n"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem}\n"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
    "label{display:block;margin:0 0 .25rem}\n"
    "input[type=text],input[type=password]{width:100%;font:inherit;color:inherit;background:transparent;"
    "padding:.6rem;margin:0 0 1rem;border:1px solid var(--dim);border-radius:8px}\n"
    "button{font:inherit;min-height:2.75rem;padding:.5rem 1.25rem;margin:0 .5rem .5rem 0;border-radius:8px;"
    "border:1px solid var(--go);background:transparent;color:var(--go);cursor:pointer}\n"
    "button.go{background:var(--go);color:var(--on-go)}\n"
    "a{color:var(--go)}\n"
    ":focus-visible{outline:3px solid var(--go);outline-offset:2px}\n"
    ".warn{background:var(--warn-back);color:var(--warn);padding:.75rem 1rem;border-radius:8px}\n"
    ".bad{color:var(--bad)}\n"
    ".small{color:var(--dim);font-size:.875rem;overflow-wrap:anywhere}\n"
    "section{border-top:1px solid var(--line)}\n");

static enum gh_step_end serve_style(struct gh_issuer_request *r)
{
    return gh_page_stylesheet(r, gh_page_style);
}
const struct gh_step gh_steps_style[] = { { "style", serve_style }, { NULL, NULL } };
