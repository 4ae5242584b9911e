"""What listens on this machine, kept current; choosing a service opens the workbench on it.

kernel/services (on a thread, every second) -> `ServiceLines` -> a list -> a `Watch`: through the lab, which
needs no privilege, or on the loopback itself where this user may capture there; in another network: in there.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from inspector.lab.options import NO_LIMITS, Outside, Process, Watch
from inspector.model.language import marked, recognised, tr
from inspector.model.records import Service
from inspector.tui.widgets.base import BaseModal
from inspector.tui.widgets.line_list import LineList
from inspector.tui.widgets.painter import Head
from inspector.views.line.document import Document
from inspector.views.line.spans import Line
from inspector.views.session.services import ServiceLines
from inspector.wire.text import escaped

EVERY = 1.0                # seconds between two looks
NOTHING = marked("Nothing listens here now. Start your service; it appears by itself.")


class ServicesScreen(BaseModal[Watch | None]):
    """The list, over the launcher."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,v", "dismiss(None)", "Cancel", id="services.cancel"),
        Binding("w", "watch", "Watch itself", id="services.watch"),
        Binding("p", "process", "Watch its process", id="services.process"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._lines = ServiceLines((), 0.0)

    def compose(self) -> ComposeResult:
        with Vertical(classes="prompt -large"):
            yield Static(Content(tr("Which service of this machine?")), classes="question")
            yield Head(self._titles)
            yield LineList(id="services")
            yield Static(Content(tr(
                "enter  through the lab: no privilege; talk to the port named then\n"
                "w      itself, on the loopback (root or dumpcap)\n"
                "p      all ports that its process has, likewise      esc  back"
            )), classes="hint")  # fmt: skip

    def on_mount(self) -> None:
        self.query_one(LineList).focus()
        self._look()
        self.set_interval(EVERY, self._look)

    @work(thread=True, group="services", exclusive=True)
    def _look(self) -> None:
        from inspector.kernel.services import services  # start-up: hardly ever needed

        try:
            found: Sequence[Service] = services()
        except OSError:
            found = ()
        self.app.call_from_thread(self._show, found)

    def _show(self, found: Sequence[Service]) -> None:
        if self.is_leaving:
            return
        lines = self.query_one(LineList)
        chosen = self._chosen()
        self._lines = ServiceLines(found, time.time())
        if not found:
            page = Document()
            page.prose(tr(NOTHING), style="dim")
            lines.show(page.page(max(lines.size.width, 20)))
            return
        same = (place for place, one in enumerate(found) if chosen and one.address == chosen.address)
        lines.show(self._lines, next(same, 0))
        self.query_one(Head).again()

    def _titles(self, width: int) -> list[Line]:
        return [self._lines.title(width)]

    def _chosen(self) -> Service | None:
        cursor = self.query_one(LineList).cursor
        return self._lines.target(cursor) if cursor is not None and cursor < self._lines.count else None

    @on(LineList.LineOpened)
    def _opened(self, message: LineList.LineOpened) -> None:
        message.stop()
        service = self._chosen()
        if service is None or self._is_unix(service):
            return
        if service.elsewhere:
            self._watch_elsewhere(service)
        elif service.protocol == "udp":
            self.app.notify("What is led through the lab is TCP; w watches a UDP port itself.")
        else:
            self.dismiss(Watch(outside=Outside(via=((free_port(service.port + 1), service.port),))))

    def action_watch(self) -> None:
        service = self._chosen()
        if service is None or self._is_unix(service):
            return
        if service.elsewhere:
            self._watch_elsewhere(service)
        elif self._may_watch(f"watch {service.port}"):
            self.dismiss(Watch((service.port,)))

    def _is_unix(self, service: Service) -> bool:
        """Whether it is a Unix socket, of which is said then what can be seen."""
        if service.protocol != "unix":
            return False
        self.app.notify("A Unix socket has no packets. What a program asks of it is seen where it runs in "
                        "the lab: 'inspector exec --syscalls -- PROGRAM'.")
        return True

    def action_process(self) -> None:
        service = self._chosen()
        if service is None:
            return
        if service.pid is None:
            self.app.notify("It is another user's: which sockets its process has, only root may know.")
        elif service.elsewhere:
            self.app.notify("Its process lives in another network; enter watches that.")
        elif self._may_watch(f"watch --pid {service.pid}"):
            name = service.chain[0].rpartition(" ")[0]
            self.dismiss(Watch(process=Process(service.pid, escaped(name, 40))))

    def _may_watch(self, words: str) -> bool:
        from inspector.lab.capture.access import dumpcap, may_capture  # start-up: hardly ever needed

        if may_capture() or dumpcap() is not None:
            return True
        self.app.notify(tr("Watching itself: 'inspector {words}' in a shell, which asks for the privilege; "
                           "enter goes through the lab, which needs none.", words=words))
        return False

    def _watch_elsewhere(self, service: Service) -> None:
        """Its own network has no address here that could be led anywhere: it is listened to in there."""
        from inspector.lab.capture import elsewhere  # start-up: hardly ever needed
        from inspector.lab.errors import LabError

        try:
            place = elsewhere.place_of(str(service.elsewhere))
            if service.container:
                place = replace(place, words=f"container {escaped(service.container, 40)}")
            opened = elsewhere.opened_in(place, (service.port,), NO_LIMITS)
        except LabError as error:
            self.app.notify(tr("{sentence} sudo inspector watch --netns {network}",
                               sentence=recognised(error.sentence), network=service.elsewhere))
            return
        self.dismiss(Watch((service.port,), packet_socket=opened.detach(), place=place.words))


def free_port(first: int) -> int:
    """The first port from `first` on that nothing has on 127.0.0.1; 0 where all are taken."""
    for port in range(first, min(first + 100, 1 << 16)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return 0
