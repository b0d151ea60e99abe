"""Commands that ask the running gateway by its admin listener."""
import json
import subprocess
import urllib.error
import urllib.request

from .gateway import BINARY


def run(site, *words, status=0, stdin=None):
    """What it printed: of success on the standard output, of failure (status 1 or 2) on the other."""
    found = subprocess.run([BINARY, words[0], "-c", "gatehouse.yaml", *words[1:]], cwd=site.folder, input=stdin, capture_output=True,
                           text=True, timeout=60)
    assert found.returncode == status, (words, found.returncode, found.stdout, found.stderr)
    assert not (found.stdout if status else found.stderr), (found.stdout, found.stderr)
    return found.stderr if status else found.stdout


def told(site, *words):
    return json.loads(run(site, *words))


def ask(site, path, body, token=None):
    """(status, answer) of POST /admin/v1/PATH."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{site.admin_port}/admin/v1/{path}", data=data, method="POST")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def refused(site, path, body, status, reason, good):
    """Refused with words; the same way asked well it is answered. Returns the words."""
    found, answer = ask(site, path, body)
    assert (found, answer["reason"]) == (status, reason), answer
    assert ask(site, path, good)[0] == 200, good
    return answer["error"]
