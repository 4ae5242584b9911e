"""The app for a visitor of `inspector serve`: `python -m inspector.tui.visitor`, shown in their browser.

The same screens; what reaches this machine's files, services and shell is not for a visitor. It ends with the
server, however that ended, and takes the visitor's folders (INSPECTOR_VISITOR) along.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from inspector.tui.app import InspectorApp


class VisitorApp(InspectorApp):
    """A visitor's app, with folders that go when it goes."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(visitor=True)
        self._folder = folder

    def last_act(self) -> None:
        """Take the folders away: the server does so too, where it is still there."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def main() -> None:
    """The process."""
    given = os.environ.get("INSPECTOR_VISITOR")
    app = VisitorApp(Path(given) if given else None)
    try:
        app.run()
    finally:
        app.last_act()


if __name__ == "__main__":
    main()
