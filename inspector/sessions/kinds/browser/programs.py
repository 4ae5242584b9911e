"""Which browser of this machine can be started without a window, and how.

PATH -> `Browser` -> the words of its command. Its profile is a new folder: nothing of the user's own browser
is read or changed.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_CHROMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge",
)  # fmt: skip
_FIREFOXES = ("firefox", "firefox-esr")
NONE = "No browser is found here that could be the client (chromium, google-chrome, microsoft-edge, firefox)."
# What a Chromium does besides the page is its own affair: as little of it as can be.
_ALONE = (
    "--headless=new", "--no-first-run", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--mute-audio",
    # The lab is a sandbox of its own, in which theirs (namespaces, a setuid helper) cannot be made.
    "--no-sandbox", "--disable-dev-shm-usage",
)
_PREFERENCES = (
    'user_pref("browser.shell.checkDefaultBrowser", false);\n'
    'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n'
    'user_pref("app.update.enabled", false);\n'
    'user_pref("network.captive-portal-service.enabled", false);\n'
    'user_pref("network.connectivity-service.enabled", false);\n'
)


@dataclass(frozen=True, slots=True)
class Browser:
    """An installed browser."""

    path: str
    is_firefox: bool

    @property
    def name(self) -> str:
        """`chromium`."""
        return Path(self.path).name

    def command(self, profile: Path, address: str) -> list[str]:
        """The words that start it on `address`, with `profile`, a folder that is there and empty."""
        if self.is_firefox:
            (profile / "user.js").write_text(_PREFERENCES)
            return [self.path, "--headless", "--no-remote", "--profile", str(profile), address]
        return [self.path, *_ALONE, f"--user-data-dir={profile}", address]


def find_browser() -> Browser | None:
    """The first of those that can do it; None where there is none."""
    for names, is_firefox in ((_CHROMES, False), (_FIREFOXES, True)):
        for name in names:
            if path := shutil.which(name, path=os.environ.get("PATH")):
                return Browser(path, is_firefox)
    return None


def lacking() -> str:
    """Why there can be no session with a browser, one sentence; "" where there can."""
    return "" if find_browser() is not None else NONE
