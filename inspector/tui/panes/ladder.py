"""The ladder, the signature view: two programs as margins, the packets between them, a composer under each.

    | client pid 4131 :50412  ESTABLISHED   server pid 4130 :8765  ESTABLISHED | head
    | socket() = 3  |                                        | listen(128) = 0 |
    | connect() …   | 1 ── SYN  seq 0 ─────────────────────▶ | accept() …      | LadderList: calls,
    |   ┆ blocked   | 2 ◀───────── SYN ACK  seq 0 ack 1 ──── |   ┆             | packets, calls
    |   └ = 0       | 3 ── ACK  ack 1 ─────────────────────▶ |   └ = 4         |
    | send("hello") | 4 ══ "hello"  seq 1 len 5 ═══════════▶ | recv() = 5      |
    | client ▸ type, then Enter     text   server ▸ type, then Enter      text | composers
    | ‖ before send()                      ‖ before recv()                     | while paused

views/ladder/ draws it; this pane scrolls it, follows its end, and shows the conversation of what is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from inspector.model.packets import Row
from inspector.tui.messages import Selection, SelectionMade
from inspector.tui.panes.base import Anywhere, ListPane, PaneSpec
from inspector.tui.panes.ladder_list import LadderList
from inspector.tui.widgets.composer import Composer
from inspector.tui.widgets.painter import Head
from inspector.views.detail.whole import target_text
from inspector.views.ladder.current import conversation_at, conversation_of_call
from inspector.views.ladder.ladder import Conversation, Ladder, Target, default_conversation
from inspector.views.line.spans import Line

if TYPE_CHECKING:
    from inspector.model.spec import Role
    from inspector.trace.trace import Trace


class LadderPane(ListPane):
    """The picture of who asked what of the kernel, and what went over the wire for it."""

    HINT = "No packets and no system calls so far: what happens between the two ends is drawn here."
    LEGEND = (
        "Time runs down. The left margin is the client, the right one the server: the system calls of each "
        "stand at the height at which they happened. **┆** means that a call blocks, **└ =** that it came "
        "back. Between them the packets: **──▶** handshake and acknowledgments, **══▶** data, **──×** one "
        "direction closes (FIN), **×─×** reset (RST), **╌╌▶** ICMP.",
        "**┆┆**: two threads of that program block at once, as in a server, where one waits in accept() for "
        "the next client while another waits in recv() for this one's bytes. In a silence the "
        "bar names its call: a server that rests (Slow reader) waits in **┆ accept()** alone, and calls no "
        "recv().",
        "The line above names each end, its process, its address, and the TCP state in which it is at the "
        "chosen line, else at the first one in sight, and at the end while the picture follows it. With "
        "several servers, as behind a proxy, each packet names the ports of both ends: **:50412→:8000**. "
        "**r** switches sequence numbers between relative ones, from 0, and those on the wire. **a** shows"
        " one conversation, or all of them.",
        "**↑** **↓** choose a line, **←** **→** a call or the packet on it; **Enter** shows all of it.",
        "On a wire that you hold (launcher, **i**) each packet waits in the middle, **┃**: **p** lets it "
        "pass, **d** drops it, **b** has it arrive twice, **t** a second later, **u** after the next one; "
        "**P** lets all pass, or holds them again. They mean the chosen packet, else the one that waits "
        "longest: it says **▸ waits for you**, the others **waits**, and the line above how many there are. "
        "**[again]**: its sender has sent the same before, a retransmission (Packets and Detail have "
        "Wireshark's word). **✗** ends the line of a packet that was lost.",
        "On a wire that is slow or long, **▶ on its way** is a packet that has left and not come; **[took 50 "
        "ms]**: it came so long after the height at which it stands, where it left.",
        "While a session lives: **c** and **v** type what the client or the server says, **space** pauses "
        "both before their next system call, or lets them run on, **s** lets each make one, **x** ends the "
        "session in one of several ways. Where one types, **ctrl+j** ends a line (**␊**), and **ctrl+t** "
        "turns to other forms: **hex**, or **lines**, each sent with CR LF at its end.",
        "While they are held: **▸ recv(…)** at the foot of a margin is the call that this end makes at the "
        "next **s**; **+1**: another thread of it waits before a call too, and comes after it. Below the "
        "lines to type in, **‖ before** has all of them. An end without **▸** is inside a call that blocks "
        "(**┆**), or has no more call to make.",
        "Behind **└ = 0** of a recv(): **end**, the peer has closed (its FIN came); **woken**, the program "
        "itself woke its receiving thread to close the socket, by shutdown(SHUT_RD), which sends nothing.",
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "relative", "Relative/raw", id="ladder.relative",
                tooltip="Sequence numbers from 0, or as on the wire"),
        Binding("a", "whole", "All/one", id="ladder.whole",
                tooltip="All conversations, or the one that is chosen"),
    ]

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.ladder: Ladder | None = None
        self.relative = True

    def compose(self) -> ComposeResult:
        yield Head(self.head, id="ladder-head")
        yield LadderList(id="ladder-list", hint=self.HINT)
        with Horizontal(id="composers"):
            yield Composer("client")
            yield Composer("server")

    def on_mount(self) -> None:          # Textual calls that of the list's pane too
        self.watch(self.lines, "scroll_y", self._scrolled, init=False)

    def _scrolled(self) -> None:
        """The states above are those of the first line in sight, where none is chosen."""
        self.query_one(Head).again()

    @property
    def lines(self) -> LadderList:
        return self.query_one(LadderList)

    def composer(self, role: Role) -> Composer:
        """The composer under one margin."""
        return self.query_one(f"#composer-{role}", Composer)

    def show_session(self, waiting: Mapping[str, tuple[str, ...]], *, live: bool) -> None:
        """Composers say which calls each role waits before; they are there while the session lives."""
        self.set_class(live, "-live")
        for composer in self.query(Composer):
            composer.show_waiting(waiting.get(composer.role, ()))
            if not live:
                composer.stop_repeating()

    def head(self, width: int) -> list[Line]:
        if self.ladder is None:
            return [(), ()]
        lines = self.lines
        here = round(lines.scroll_y) if lines.cursor is None else lines.cursor
        # Who chose a line means that line, as Detail and Sockets do, also while the end is followed.
        chosen = self.selection.row is not None or self.selection.call is not None
        at_end = lines.following and (
            lines.cursor is None or (self.follow and (not chosen or lines.cursor == lines.count - 1)))
        return list(self.ladder.header(width, None if at_end else here))

    def reset(self) -> None:
        self.ladder = None
        self.lines.show(None)

    def update_trace(self) -> None:
        if self.trace is None:
            return
        if self.ladder is None:
            if self.trace.index.count or self.trace.calls:
                # Of what happens now all is shown, of a file its first conversation.
                self._draw(None if self.follow else default_conversation(self.trace))
        elif self.ladder.update():
            self.lines.refill(news=not self.first_reading)
            self._mark(go=False)         # lines may have come above it
        self.query_one(Head).again()

    def deeper(self) -> None:
        self.lines.again()
        self.query_one(Head).again()
        self._cursor_moved()

    def _draw(self, conversation: Conversation | None) -> None:
        assert self.trace is not None
        self.ladder = self.made(self.trace, conversation)
        self.lines.show(self.ladder)
        self.update_selection()

    def made(self, trace: Trace, conversation: Conversation | None) -> Ladder:
        """A new ladder."""
        return Ladder(trace, conversation, relative=self.relative)

    def update_selection(self) -> None:
        if self.ladder is None or self.trace is None:
            return
        row = self.selection.row
        if row is not None and self.ladder.conversation is not None:
            other = conversation_at(self.trace, row)
            if other is not None and other != self.ladder.conversation:
                self._draw(other)
                return
        self._mark(go=True)
        self.query_one(Head).again()

    def show_held(self, row: Row, *, last: bool) -> None:
        """Bring a packet of the wire into sight; the end again when no other one waits (`last`)."""
        line = None if self.ladder is None else self.ladder.index_of(Target(row=row))
        if line is None:
            return
        top = round(self.lines.scroll_y)
        if not top <= line < top + self.lines.scrollable_content_region.height:
            self.lines.following = False
            self.lines.scroll_to_line(line)
        if last:
            self.lines.following = True

    def _mark(self, *, go: bool) -> None:
        row, call = self.selection.row, self.selection.call
        if self.ladder is not None and self.ladder.chosen != row:
            self.ladder.chosen = row
            if self.trace is not None and self.trace.fates.waiting:
                self.lines.again()           # the keys of the wire may mean another packet
        target = Target(row=row) if row is not None else Target(call=call)
        self.lines.mark(target, self.selection.rows, go=go)

    def chosen(self, index: int, cell: int | None) -> None:
        if self.ladder is not None:
            width = self.lines.scrollable_content_region.width
            target = self.ladder.target(index, cell, width)
            if target != Target():       # on a silence there is nothing to choose
                self._choose(index, target)

    @on(LadderList.SideChosen)
    def _side_chosen(self, message: LadderList.SideChosen) -> None:
        message.stop()
        if self.lines.cursor is not None:
            self._choose(self.lines.cursor, message.target)

    def _choose(self, line: int, target: Target) -> None:
        """Have all panes show what stands on a line, as it was then."""
        at = None if self.ladder is None or target.call is None else self.ladder.instant_of(line, target.call)
        of = None if self.trace is None or self.ladder is None or target.call is None else (
            conversation_of_call(self.trace, self.ladder.sockets, target.call))
        self.post_message(SelectionMade(Selection(row=target.row, call=target.call, at=at, of=of)))

    def whole(self, index: int) -> str:
        if self.trace is None or self.ladder is None:
            return ""
        targets = self.ladder.targets(index)
        chosen = [one for one in targets if one in (self.lines.target,)] or targets
        return "\n\n".join(target_text(self.trace, one.row, one.call) for one in chosen)

    def action_relative(self) -> None:
        self.relative = not self.relative
        if self.ladder is not None:
            self.ladder.relative = self.relative
            self.lines.refill()
        self.notify("Sequence numbers relative, from 0." if self.relative else
                    "Sequence numbers as on the wire.", timeout=2)

    def action_whole(self) -> None:
        if self.ladder is None or self.trace is None:
            return
        if self.ladder.conversation is None:
            self._draw(self.conversation)
        else:
            self._draw(None)


SPEC = PaneSpec("ladder", "1", "Ladder", "ladder", LadderPane,
                anywhere=(Anywhere("r", "relative", "Relative/raw"),))
