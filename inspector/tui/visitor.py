"""The app for a visitor of `inspector serve`, in their browser: `python -m inspector.tui.visitor [LANGUAGE]`.

The same screens; what reaches this machine's files, services and shell is not for a visitor. It ends with the
server, however that ended, and takes the visitor's folders (INSPECTOR_VISITOR) along. In a class
(INSPECTOR_CLASS, INSPECTOR_SEAT) it begins with the teacher's question, and calls the learner to each new
one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from inspector.lab.files.folders import FolderError
from inspector.lessons.pages.words import word
from inspector.model.language import LANGUAGES, ask_for
from inspector.tui.app import InspectorApp

if TYPE_CHECKING:
    from inspector.lessons.classroom.ballot import Seat
    from inspector.tui.lessons.vote import VoteScreen


class VisitorApp(InspectorApp):
    """A visitor's app, with folders that go when it goes. `seat`: the visitor's place in a class."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("V", "vote", "Vote", id="app.vote", tooltip="Your teacher's question"),
    ]

    def __init__(self, folder: Path | None, seat: Seat | None = None) -> None:
        super().__init__(visitor=True)
        self._folder, self.seat = folder, seat
        self._vote: VoteScreen | None = None
        self._noted: set[str] = set()      # questions whose answers were kept
        self._called: tuple[str, int] | None = None        # the round to which the learner was called

    def on_mount(self) -> None:
        if self.seat is not None:
            from inspector.lessons.classroom.ballot import LOOK  # here and below: few visitors are of a class

            self.seat.be_there()
            self.set_interval(LOOK, self._look)

    def show_first(self) -> None:
        if self.seat is None:
            super().show_first()
        else:
            self.action_vote()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "vote" and (self.seat is None or self._vote in self.screen_stack):
            return False
        return super().check_action(action, parameters)

    def action_vote(self) -> None:
        """Show the teacher's question, in the place of what is there."""
        from inspector.tui.lessons.vote import VoteScreen

        if self.seat is not None and self._vote not in self.screen_stack:
            self._vote = VoteScreen(self.seat, self.language)
            self._show(self._vote)

    def _look(self) -> None:
        """See whether there is a question; where it is not seen, the learner is called to it."""
        if self.seat is None:
            return
        self.seat.be_there()
        ballot = self.seat.ballot()
        if ballot is not None and ballot.state == "told" and ballot.id not in self._noted:
            from inspector.lessons.classroom.notes import note_vote

            self._noted.add(ballot.id)
            with contextlib.suppress(FolderError, OSError):        # then nothing can be kept
                note_vote(ballot, self.seat.answers(ballot))
        if self._vote is not None and self._vote in self.screen_stack:
            self._vote.show(ballot)
        elif ballot is not None and ballot.state == "open" and (ballot.id, ballot.round) != self._called:
            self._called = ballot.id, ballot.round
            if self.seat.choice(ballot) is not None:
                return                         # who has answered and went on is not called back
            self.notify(word(ballot.language, "vote-calls"), timeout=20)

    def last_act(self) -> None:
        """Take the folders away, and the vote: the server does so too, where it is still there."""
        if self.seat is not None:
            self.seat.leave()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def main() -> None:
    """The process."""
    given, folder, name = (os.environ.get(f"INSPECTOR_{one}") for one in ("VISITOR", "CLASS", "SEAT"))
    seat = None
    if folder and name:
        from inspector.lessons.classroom.ballot import Seat

        seat = Seat(Path(folder), name)
    if len(sys.argv) == 2 and sys.argv[1] in LANGUAGES:
        ask_for(sys.argv[1])
    app = VisitorApp(Path(given) if given else None, seat)
    try:
        app.run()
    finally:
        app.last_act()


if __name__ == "__main__":
    main()
