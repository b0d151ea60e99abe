"""A person with a browser: keeps cookies, follows redirects on the issuer's own host, fills in forms; runs no script."""
import html.parser
import urllib.parse
from dataclasses import dataclass, field

from .http1 import Connection, Request

# What every page must say, errors included (threats.md A7, A25).
GUARDS = {"x-frame-options": "DENY", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff", "cache-control": "no-store"}


@dataclass
class Form:
    action: str
    fields: dict = field(default_factory=dict)
    buttons: list = field(default_factory=list)


class Page(html.parser.HTMLParser):
    """What a browser would make of it: forms, links, text, and every element."""

    def __init__(self, answer, url):
        super().__init__()
        self.answer, self.url, self.forms, self.links, self.text, self.elements = answer, url, [], [], "", []
        self.goes_on = None  # by itself
        self.feed(answer.body.decode())

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.elements.append((tag, named))
        assert tag not in ("script", "img", "iframe", "object") and not [name for name in named if name == "style" or name.startswith("on")]
        if tag == "meta" and named.get("http-equiv") == "refresh":
            self.goes_on = named["content"].removeprefix("0;url=")
        if tag == "form":
            self.forms.append(Form(named["action"]))
        elif tag == "input":
            self.forms[-1].fields[named["name"]] = named.get("value", "")
        elif tag == "button" and "name" in named:
            self.forms[-1].buttons.append((named["name"], named["value"]))
        elif tag == "a":
            self.links.append(named["href"])

    def handle_data(self, data):
        self.text += data


class Browser:
    def __init__(self, site):
        self.site, self.jar, self.set_cookies = site, {}, []

    # ---- one request

    def send(self, method, path, form=None, fields=()):
        """The bare answer; cookies are sent and kept. Pages and redirects are held to what all of them must say."""
        lines = [("Host", self.site.authority)]
        if self.jar:
            lines.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.jar.items())))
        body = b""
        if form is not None:
            body = urllib.parse.urlencode(form).encode()
            lines.append(("Content-Type", "application/x-www-form-urlencoded"))
            if not any(name.lower() in ("origin", "sec-fetch-site") for name, _ in fields):
                lines += [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")]  # as Chrome does under no-referrer
        request = Request(method, path, (*lines, *fields), body)
        with Connection(self.site.port) as connection:
            connection.send(request.wire())
            answer = connection.read(method)
        for line in answer.all("set-cookie"):
            self.keep(line)
        self.check(answer)
        return answer

    def keep(self, line):
        self.set_cookies.append(line)
        name, _, value = line.split(";")[0].partition("=")
        if "Max-Age=0" in line:
            self.jar.pop(name, None)
        else:
            self.jar[name] = value

    @staticmethod
    def check(answer):
        if answer["content-type"] == "text/css; charset=utf-8":
            return
        for name, value in GUARDS.items():
            assert answer[name] == value, (name, answer)
        policy = answer["content-security-policy"]
        for part in ("default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'"):
            assert part in policy, policy
        if answer.body:
            Page(answer, "")

    # ---- as a person

    def open(self, url, status=200):
        """The page at this URL, or where its redirects on this host lead; a redirect elsewhere is returned as its URL."""
        return self.follow(self.send("GET", self.path(url)), url, status)

    def submit(self, page, form=0, status=200, button=None, fields=(), **typed):
        shown = page.forms[form]
        filled = {**shown.fields, **typed, **({button[0]: button[1]} if button else {})}
        return self.follow(self.send("POST", shown.action, filled, fields), shown.action, status)

    def follow(self, answer, url, status):
        for _ in range(10):
            if answer.status != 303:
                assert answer.status == status, (answer.status, answer.body)
                assert answer["location"] is None
                page = Page(answer, url)
                if page.goes_on is None:
                    return page
                url = page.goes_on
            else:
                url = answer["location"]
            if not url.startswith(self.site.origin + "/"):
                return url
            answer = self.send("GET", self.path(url))
        raise AssertionError("ten redirects, and no end")

    def path(self, url):
        return url.removeprefix(self.site.origin)

    def set_up(self, name="ada", password="correct horse"):
        """The first account, by the link that the gateway printed."""
        page = self.open(self.site.setup_link())
        return self.submit(page, username=name, password=password, again=password)

    def sign_in(self, page, name="ada", password="correct horse", status=200):
        return self.submit(page, status=status, username=name, password=password)

    def allow(self, page):
        return self.submit(page, button=("answer", "allow"))

    def deny(self, page):
        return self.submit(page, button=("answer", "deny"))


def answer_of(url):
    """The parameters that came back to the client, each once."""
    parts = urllib.parse.urlsplit(url)
    pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    assert len(pairs) == len(dict(pairs)), url
    return dict(pairs)
