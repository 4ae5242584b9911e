"""The app for a visitor of `inspector serve`: `python -m inspector.tui.visitor`, shown in their browser.

The same screens; what reaches this machine's files, services and shell is not for a visitor.
"""

from __future__ import annotations

from inspector.tui.app import InspectorApp

if __name__ == "__main__":
    InspectorApp(visitor=True).run()
