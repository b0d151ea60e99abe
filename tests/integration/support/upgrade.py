"""Processes of one site that follow each other, each taking over from the one before."""
import os
import subprocess

from .gateway import BINARY
from .wait import until


def hand_over(site):
    """Settings under which a site's processes do so; `site.old` is who came before."""
    site.settings["handover"] = f"unix:{site.folder}/handover"
    site.old = []
    return site


def start_next(site, **changes):
    """Another process with the site's settings, but for some: beside the running one, and not waited for."""
    site.settings.update(changes)
    site.write("gatehouse.yaml", site.settings)
    with open(os.path.join(site.folder, "stderr"), "ab") as errors:
        return subprocess.Popen([BINARY, "serve", "-c", "gatehouse.yaml"], cwd=site.folder, stdin=subprocess.DEVNULL,
                                stdout=errors, stderr=errors)


def upgrade(site, **changes):
    """The next process is there, the old one drains or has ended."""
    drained = site.log().count("handover: the old process drains")
    site.old.append(site.process)
    site.process = start_next(site, **changes)
    until(lambda: site.process.poll() is not None or site.log().count("handover: the old process drains") > drained,
          f"handover; the log says:\n{site.log()[-3000:]}")
    assert site.process.poll() is None, site.log()[-3000:]


def all_old_have_ended(site):
    for process in site.old:
        assert process.wait(60) == 0, site.log()[-4000:]


def end_all(site):
    for process in site.old:
        if process.poll() is None:
            process.kill()
            process.wait()
