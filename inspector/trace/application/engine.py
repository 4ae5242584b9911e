"""The machine behind `ApplicationLayers`: both streams in; out come layers, each a protocol and its decoder.

Sniffers find out what is spoken; its decoder reads, crosses what the capture lacks, and may name a successor
(an upgrade), whose decoder then goes on; where it names none, they look again. Only the interface of
`protocols.api` is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from inspector.model.packets import AFTER_ALL
from inspector.protocols import by_name
from inspector.protocols.api import CERTAIN, Decoder, Hole, Opening, Protocol, Rest, Source, Start
from inspector.trace.application.decode_as import DecodeAs
from inspector.wire.findings import Finding
from inspector.wire.tcp.delivery import Pump
from inspector.wire.tcp.stream import ByteStream

_AGAIN = 1.25            # times the bytes after which a start is looked for again
_MOST_LAYERS = 16        # protocols that follow each other on one connection


class Layer(NamedTuple):
    """One protocol of a connection, and its decoder; `beside`: the layer before it gives it what to read."""

    protocol: Protocol
    decoder: Decoder[Any]
    beside: bool = False

    @property
    def streams(self) -> tuple[ByteStream, ByteStream]:
        """The streams that it reads: those of the connection, or what another layer has opened."""
        return self.decoder.source.streams


def surest(protocols: Iterable[Protocol], opening: Opening) -> tuple[Protocol, Start] | None:
    """The protocol whose sniffer is surest; of equals the first one; None: none of them knows what it is."""
    best: tuple[Protocol, Start] | None = None
    for protocol in protocols:
        assert protocol.sniff is not None
        start = protocol.sniff(opening)
        if start is not None and (best is None or start.sure > best[1].sure):
            best = protocol, start
            if start.sure >= CERTAIN:          # the others may take long to find out that it is not theirs
                break
    return best


def first_words(streams: tuple[ByteStream, ByteStream]) -> tuple[ByteStream, ByteStream] | None:
    """Both streams as they stood before the second end spoke; None: it has not, or they began before."""
    if not (streams[0].start_known and streams[1].start_known):
        return None
    first, second = (next(stream.pieces(stream.start, stream.length), None) for stream in streams)
    if first is None or second is None:
        return None
    row = max(first.row, second.row)
    return streams[0].before(row), streams[1].before(row)


class Engine:
    """Reads one connection. `ports` are those of a and b, `protocols` the candidates, best known first.

    `rule`: what a person says is spoken, which nobody guesses then.
    """

    def __init__(self, source: Source, ports: tuple[int, int], protocols: Iterable[Protocol],
                 rule: DecodeAs | None = None) -> None:
        self._source, self._ports = source, ports
        self._sniffers = [protocol for protocol in protocols if protocol.sniff is not None]
        self._pump = Pump(source.streams, source.acknowledged)
        self._rule = rule
        self._more = False
        self._bytes_tried = 0                         # bytes there were when a start was last looked for
        self._stops_tried = 0                         # and how many streams had ended, or a hole
        self._behind: Start | None = None       # what begins behind the last layer, and is to be found out
        self._own: list[Layer] = []
        self._beside: dict[int, Layer] = {}     # what is read with layers of `_own`, by their places
        self._inside: Engine | None = None      # reads what the last layer carries opened
        self.damaged = False                    # bytes are missing that will never come

    @property
    def layers(self) -> list[Layer]:
        """The protocols in the order in which they followed each other; what the last one holds behind it."""
        own = self._own
        if self._beside:
            own = [one for place, layer in enumerate(own)
                   for one in (layer, self._beside.get(place)) if one is not None]
        return own if self._inside is None else [*own, *self._inside.layers]

    @property
    def current(self) -> Decoder[Any] | None:
        """The decoder that reads now."""
        return self._own[-1].decoder if self._own else None

    def update(self, acknowledged: Callable[[int], int], *, more: bool = False) -> bool:
        """Go on as far as the streams reach; True when something was taken.

        `more` is known to follow: what is spoken need not be looked for again after every packet.

        `acknowledged` tells up to which offset of a direction the peer has all bytes: what the capture lacks
        before it will never come, and is passed over.
        """
        changed, self._more = False, more
        while True:
            holes = self._find_holes(acknowledged)
            if not self._step() and not any(self._cross(hole) for hole in holes):
                self._look_beside()
                return self._look_inside() or changed
            changed = True

    def _look_beside(self) -> None:
        """Take note of what a layer reads with its own."""
        for place in range(max(len(self._own) - 2, 0), len(self._own)):
            beside = self._own[place].decoder.beside
            protocol = None if beside is None else by_name(beside.protocol)
            if beside is not None and protocol is not None and place not in self._beside:
                self._beside[place] = Layer(protocol, beside.decoder, True)

    def _look_inside(self) -> bool:
        """Read what the last layer has opened since."""
        source = None if self.current is None else self.current.inside
        if source is None:
            return False
        if self._inside is None:
            self._inside = Engine(source, self._ports, self._sniffers)
        return self._inside.update(lambda direction: source.streams[direction].length)

    def _step(self) -> bool:
        decoder = self.current
        if decoder is not None and self._behind is None:
            return decoder.take() and self._follow(decoder)
        size = sum(stream.captured for stream in self._source.streams)
        stops = sum((stream.end is not None) + (stream.captured < stream.length - stream.start)
                    for stream in self._source.streams)
        if stops == self._stops_tried and (
            size == self._bytes_tried or (self._more and size < self._bytes_tried * _AGAIN)
        ):
            return False
        self._bytes_tried, self._stops_tried = size, stops
        found = self._sniff()
        if found is None:
            return False
        protocol, start = found
        if self._behind is not None:
            start = start._replace(base=(-1, -1) if self.damaged else self._behind.offsets)
            self._behind = None
        self._pump.position = list(start.offsets)
        self._open(by_name(start.protocol) or protocol, start)
        return True

    def _sniff(self) -> tuple[Protocol, Start] | None:
        """The protocol that is surest of the connection; of equals the first one that is registered."""
        first, second = self._source.streams
        if self._behind is not None:
            places, known = self._behind.offsets, not self.damaged
            first = first.tail(places[0], known and first.start_known)
            second = second.tail(places[1], known and second.start_known)
        with first.sampled(), second.sampled():
            return self._surest(Opening((first, second), self._ports))

    def _surest(self, opening: Opening) -> tuple[Protocol, Start] | None:
        if self._rule is not None and not self._own:
            return self._by_rule(opening, self._rule)
        found = surest(self._sniffers, opening)
        if found is None or found[1].sure < CERTAIN or self._own:
            return found
        return self._by_first_words(opening, found) or found

    def _by_first_words(
        self, opening: Opening, found: tuple[Protocol, Start]
    ) -> tuple[Protocol, Start] | None:
        """Another protocol of which its sniffer is certain by what was said before the other end spoke.

        Live it was decided then, before an answer of any form came. Who is certain by all that was said, and
        not by the first words, was asked in vain then, as was whoever stands before it in the registry.
        """
        streams = first_words(opening.streams)
        if streams is None:
            return None
        begins, (protocol, _) = Opening(streams, opening.ports), found
        assert protocol.sniff is not None
        start = protocol.sniff(begins)
        if start is not None and start.sure >= CERTAIN:
            return None
        other = surest(self._sniffers[self._sniffers.index(protocol) + 1 :], begins)
        return other if other is not None and other[1].sure >= CERTAIN else None

    def _by_rule(self, opening: Opening, rule: DecodeAs) -> tuple[Protocol, Start] | None:
        """The protocol of a rule, where it begins by its own judgement, or else with the first byte."""
        protocol = by_name(rule.protocol)
        if protocol is None or protocol.sniff is None:
            return None
        start = protocol.sniff(opening)
        if start is None or start.protocol not in ("", protocol.name):
            client = int(rule.field == "tcp.port" and self._ports[1] != rule.value)
            start = Start(client, (opening.streams[0].start, opening.streams[1].start))
        return protocol, start

    def _follow(self, decoder: Decoder[Any]) -> bool:
        """Open the decoder that follows, where one does."""
        start = decoder.successor
        if start is not None and len(self._own) >= _MOST_LAYERS:
            decoder.over, decoder.left = True, f"behind {_MOST_LAYERS} protocols, and not read any further"
        elif start is not None and decoder is self.current and self._behind is None:
            protocol = by_name(start.protocol)
            if protocol is not None:
                self._open(protocol, start)
            elif start.protocol:
                decoder.over = True
            else:
                self._behind, self._bytes_tried = start, 0
        return True

    def _open(self, protocol: Protocol, start: Start) -> None:
        assert protocol.decoder is not None
        self._own.append(Layer(protocol, protocol.decoder(self._source, self._pump, start)))

    def _find_holes(self, acknowledged: Callable[[int], int]) -> list[Hole]:
        """What the capture lacks where reading stands, by the packets after it; bounds the other side."""
        holes = []
        self._pump.before = [None, None]
        for direction, stream in enumerate(self._source.streams):
            start = self._pump.available(direction)
            if start >= stream.length or self.over:
                continue
            piece = next(stream.pieces(start, stream.length), None)
            stop = stream.length if piece is None else piece.offset
            if acknowledged(direction) >= stop or self._is_cut(direction, start, stop):
                holes.append(Hole(AFTER_ALL if piece is None else piece.row, direction, start, stop))
                self._pump.before[1 - direction] = None if piece is None else piece.row
        return sorted(holes)

    def _is_cut(self, direction: int, start: int, stop: int) -> bool:
        """Whether the capture cut these bytes off one packet: they were sent, and will never be seen."""
        cut = self._source.cut_in(direction, start, start + 1)
        return cut is not None and cut.stop >= stop

    def _cross(self, hole: Hole) -> bool:
        decoder = self.current
        if decoder is None or self._behind is not None or not decoder.lose(hole):
            return False
        self.damaged = True
        return self._follow(decoder)

    @property
    def over(self) -> bool:
        """True when an upgrade led to something that is not told here."""
        return self.current is not None and self.current.over

    def rest(self, direction: int) -> Rest:
        """What bytes of a direction are that stand in no message, behind the last one."""
        decoder = self.current
        if self._inside is not None and self._inside.layers:
            return Rest("what TLS adds", True) if self.lacking else self._inside.rest(direction)
        if decoder is None or self._behind is not None:
            left = "" if decoder is None else decoder.left
            return Rest(left or "of no protocol that is known here", True)
        return decoder.rest(direction)

    @property
    def lacking(self) -> bool:
        """True when bytes were sent that could not be read, so that nothing can be said of the end."""
        decoder = self.current
        if decoder is None or decoder.over:
            return False
        streams, pump = self._source.streams, self._pump
        return self.damaged or any(
            decoder.wants(d) and pump.available(d) < streams[d].length for d in (0, 1))

    def fresh_findings(self) -> list[Finding]:
        """The findings since the last call, at bytes of the connection's streams."""
        return [on_the_wire(one, layer) for layer in self.layers for one in layer.decoder.fresh_findings()]

    def end(self, first: int, reset: bool) -> None:
        """The connection is over and all was read: what is missing is told."""
        if self.current is not None:
            self.current.end(first, reset)
        if self._inside is not None and not self._inside.lacking:
            self._inside.end(first, reset)


def on_the_wire(one: Finding, layer: Layer) -> Finding:
    """A finding with its place in the streams of the connection."""
    start, stop = layer.streams[one.direction or 0].wire(one.start, one.stop)
    return one if (start, stop) == (one.start, one.stop) else replace(one, start=start, stop=stop)
