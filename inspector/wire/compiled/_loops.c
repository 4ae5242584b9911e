/* The loops over all packets that numpy takes many passes for: see __init__.py of this folder.

   Buffers of bytes and columns (numpy's arrays, by the buffer protocol alone) come in, columns are filled.
   What the bytes say is never trusted: each length is compared with what is left before anything is read.
   All functions give what the Python beside them gives, which stays, and is what they are held to. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* --- columns -------------------------------------------------------------------------------------- */

enum { MOST_COLUMNS = 24 };

typedef struct {
    Py_buffer view[MOST_COLUMNS];
    int count;
} Columns;

static void
release(Columns *columns)
{
    while (columns->count > 0)
        PyBuffer_Release(&columns->view[--columns->count]);
}

/* Open a tuple of arrays. `sizes` has a character for each, the bytes of its items; `rows` is how many items
   each must hold, and `writes` whether they are filled. Gives 0, or -1 with an exception. */
static int
open_columns(Columns *columns, PyObject *arrays, const char *sizes, Py_ssize_t rows, int writes)
{
    Py_ssize_t count = (Py_ssize_t)strlen(sizes);
    if (!PyTuple_Check(arrays) || PyTuple_Size(arrays) != count || columns->count + count > MOST_COLUMNS) {
        PyErr_SetString(PyExc_TypeError, "a tuple of other columns is wanted");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_buffer *view = &columns->view[columns->count];
        Py_ssize_t size = sizes[i] - '0';
        PyObject *array = PyTuple_GetItem(arrays, i);
        if (array == NULL || PyObject_GetBuffer(array, view, writes ? PyBUF_CONTIG : PyBUF_CONTIG_RO) < 0)
            return -1;
        columns->count++;
        if (view->itemsize != size || view->len / size < rows
            || (view->len > 0 && (uintptr_t)view->buf % (size_t)size != 0)) {
            PyErr_Format(PyExc_ValueError, "column %zd holds other items, or fewer than %zd", i, rows);
            return -1;
        }
    }
    return 0;
}

static Py_ssize_t
length_of(PyObject *arrays, Py_ssize_t at)
{
    PyObject *array = PyTuple_Check(arrays) ? PyTuple_GetItem(arrays, at) : NULL;
    if (array == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a tuple of columns is wanted");
        return -1;
    }
    return PyObject_Length(array);
}

/* --- numbers in bytes ----------------------------------------------------------------------------- */

static inline uint32_t
big16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t
big32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t
big64(const uint8_t *at)
{
    return (uint64_t)big32(at) << 32 | big32(at + 4);
}

static inline uint32_t
word(const uint8_t *at, int big)
{
    return big ? big32(at) : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* --- the records of files ------------------------------------------------------------------------- */

enum { CAPTURED_FIRST, LENGTH_FIRST, LESSER };     /* how the two lengths of a pcap record stand */

PyDoc_STRVAR(pcap_records_doc,
"pcap_records(data, start, stop, size, big, scale, order, limit, (starts, captured, lengths, time_ns))\n"
"The whole records of data[start:stop] as columns: how many, and where the first other one begins.");

static PyObject *
pcap_records(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    Py_ssize_t start, stop, size;
    int big, scale, order;
    long long limit;
    PyObject *arrays, *result = NULL;
    Columns columns = {.count = 0};

    if (!PyArg_ParseTuple(args, "y*nnniiiLO", &data, &start, &stop, &size, &big, &scale, &order, &limit,
                          &arrays))
        return NULL;
    if (start < 0 || stop < start || stop > data.len || size < 16) {
        PyErr_SetString(PyExc_ValueError, "the records do not lie within the data");
        goto done;
    }
    Py_ssize_t room = length_of(arrays, 0);
    if (room < 0 || open_columns(&columns, arrays, "8888", room, 1) < 0)
        goto done;
    const uint8_t *bytes = data.buf;
    int64_t *starts = columns.view[0].buf, *captured = columns.view[1].buf;
    int64_t *lengths = columns.view[2].buf, *time_ns = columns.view[3].buf;
    Py_ssize_t count = 0;
    while (count < room && stop - start >= size) {
        const uint8_t *at = bytes + start;
        uint32_t here = word(at + 8, big), there = word(at + 12, big);
        if (order == LENGTH_FIRST || (order == LESSER && there < here)) {
            uint32_t other = here;
            here = there;
            there = other;
        }
        if (here > limit || (int64_t)here > (int64_t)(stop - start - size))
            break;
        starts[count] = start + size;
        captured[count] = here;
        lengths[count] = there;
        time_ns[count] = (int64_t)word(at, big) * 1000000000 + (int64_t)word(at + 4, big) * scale;
        count++;
        start += size + (Py_ssize_t)here;
    }
    result = Py_BuildValue("nn", count, start);
done:
    release(&columns);
    PyBuffer_Release(&data);
    return result;
}

enum { ENHANCED_PACKET = 6, LEAST_BLOCK = 32 };

PyDoc_STRVAR(pcapng_packets_doc,
"pcapng_packets(data, start, stop, big, (starts,))\n"
"The enhanced packet blocks that follow each other from data[start] on: how many, and where the first other\n"
"block begins, or one that does not end before stop.");

static PyObject *
pcapng_packets(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    Py_ssize_t start, stop;
    int big;
    PyObject *arrays, *result = NULL;
    Columns columns = {.count = 0};

    if (!PyArg_ParseTuple(args, "y*nniO", &data, &start, &stop, &big, &arrays))
        return NULL;
    if (start < 0 || stop < start || stop > data.len) {
        PyErr_SetString(PyExc_ValueError, "the blocks do not lie within the data");
        goto done;
    }
    Py_ssize_t room = length_of(arrays, 0);
    if (room < 0 || open_columns(&columns, arrays, "8", room, 1) < 0)
        goto done;
    const uint8_t *bytes = data.buf;
    int64_t *starts = columns.view[0].buf;
    Py_ssize_t count = 0;
    while (count < room && stop - start >= 12) {
        uint32_t total = word(bytes + start + 4, big);
        if (word(bytes + start, big) != ENHANCED_PACKET || total < LEAST_BLOCK
            || (int64_t)total > (int64_t)(stop - start))
            break;
        starts[count++] = start;
        start += (Py_ssize_t)total;
    }
    result = Py_BuildValue("nn", count, start);
done:
    release(&columns);
    PyBuffer_Release(&data);
    return result;
}

/* --- headers -------------------------------------------------------------------------------------- */

enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86DD, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88A8, TYPE_QINQ_OLD = 0x9100 };
enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_SLL = 113, LINK_IPV4 = 228, LINK_SLL2 = 276 };
enum { ARPHRD_NETLINK = 824, MOST_TAGS = 2, CUT = 2, TCP = 6, UDP = 17 };

typedef struct {
    const uint8_t *frame;
    int64_t captured, end;               /* bytes that are there, and where the datagram ends on the wire */
    int64_t at;
    uint32_t kind;
} Place;

static inline int
holds(const Place *place, int64_t count)
{
    return place->captured - place->at >= count;
}

static inline int
holds_header(const Place *place, int64_t count)
{
    return holds(place, count) && place->end - place->at >= count;
}

/* Go past the link's header to IPv4 or IPv6; 0 where something else follows, or more is to be looked at. */
static int
past_link(Place *place, int link)
{
    const uint8_t *frame = place->frame;
    switch (link) {
    case LINK_ETHERNET:
        if (!holds(place, 14))
            return 0;
        place->kind = big16(frame + 12);
        place->at = 14;
        for (int i = 0; i < MOST_TAGS; i++) {
            if (place->kind != TYPE_VLAN && place->kind != TYPE_QINQ && place->kind != TYPE_QINQ_OLD)
                break;
            if (!holds(place, 4))
                return 0;
            place->kind = big16(frame + place->at + 2);
            place->at += 4;
        }
        break;
    case LINK_RAW:
    case LINK_IPV4:
        if (!holds(place, 1))
            return 0;
        place->kind = frame[0] >> 4 == 4 ? TYPE_IPV4 : frame[0] >> 4 == 6 ? TYPE_IPV6 : 0;
        break;
    case LINK_SLL:
        if (!holds(place, 16) || big16(frame + 2) == ARPHRD_NETLINK)
            return 0;
        place->kind = big16(frame + 14);
        place->at = 16;
        break;
    case LINK_SLL2:
        if (!holds(place, 20) || big16(frame + 8) == ARPHRD_NETLINK)
            return 0;
        place->kind = big16(frame);
        place->at = 20;
        break;
    default:
        return 0;
    }
    return place->kind == TYPE_IPV4 || place->kind == TYPE_IPV6;
}

/* Go past IPv4 without options or fragments to TCP or UDP; 0 where there is anything else. */
static int
past_ipv4(Place *place)
{
    if (!holds_header(place, 20))
        return 0;
    const uint8_t *head = place->frame + place->at;
    int64_t total = big16(head + 2);
    if (head[0] != 0x45 || (total != 0 && total < 20) || (big16(head + 6) & 0x3FFF) != 0)
        return 0;
    /* A length of 0 is left by segmentation offload: the datagram then ends with the frame. */
    if (total != 0 && place->at + total < place->end)
        place->end = place->at + total;
    place->kind = head[9];
    place->at += 20;
    return 1;
}

/* The same of IPv6 without extension headers, whose length is told. */
static int
past_ipv6(Place *place)
{
    if (!holds_header(place, 40))
        return 0;
    const uint8_t *head = place->frame + place->at;
    int64_t length = big16(head + 4);
    if (head[0] >> 4 != 6 || length == 0)
        return 0;
    if (place->at + 40 + length < place->end)
        place->end = place->at + 40 + length;
    place->kind = head[6];
    place->at += 40;
    return 1;
}

typedef struct {
    uint8_t *l3, *network, *protocol, *status, *addressed, *in_flow;
    uint16_t *l4, *payload, *sport, *dport, *flags, *window;
    uint32_t *payload_length, *src, *dst, *seq, *ack;
} Headers;

/* The UDP ports behind which there may be a tunnel: VXLAN (two), Geneve, GTP-U, MPLS. */
static inline int
is_tunnel(uint32_t port)
{
    return port == 4789 || port == 4790 || port == 6081 || port == 2152 || port == 6635;
}

/* Fill row i by TCP or UDP at `place`; 0 where it is neither, or something is odd about it. */
static int
transport(const Place *place, Headers *headers, Py_ssize_t i)
{
    const uint8_t *head = place->frame + place->at;
    int64_t payload;
    if (place->kind == TCP && holds_header(place, 16)) {
        uint32_t words = big16(head + 12);
        payload = place->at + (int64_t)(words >> 12) * 4;
        if (words < 0x5000 || payload > place->end)
            return 0;
        headers->seq[i] = big32(head + 4);
        headers->ack[i] = big32(head + 8);
        headers->flags[i] = (uint16_t)(words & 0x0FFF);
        headers->window[i] = (uint16_t)big16(head + 14);
        headers->payload_length[i] = (uint32_t)(place->end - payload);
    } else if (place->kind == UDP && holds_header(place, 8)) {
        uint32_t length = big16(head + 4);
        if (length < 8 || is_tunnel(big16(head)) || is_tunnel(big16(head + 2)))
            return 0;
        payload = place->at + 8;
        headers->seq[i] = headers->ack[i] = 0;
        headers->flags[i] = 0;
        headers->window[i] = (uint16_t)length;
        headers->payload_length[i] = length - 8;
    } else
        return 0;
    headers->sport[i] = (uint16_t)big16(head);
    headers->dport[i] = (uint16_t)big16(head + 2);
    headers->l4[i] = (uint16_t)place->at;
    headers->payload[i] = (uint16_t)payload;
    headers->protocol[i] = (uint8_t)place->kind;
    return 1;
}

/* Fill row i by the frame at `place`; 0 where it is left to others. `words` takes what IPv6 addresses say. */
static int
plain_header(Place place, int link, Headers *headers, Py_ssize_t i, uint64_t *words)
{
    int cut = place.captured < place.end;
    if (!past_link(&place, link))
        return 0;
    const uint8_t *head = place.frame + place.at;
    int64_t l3 = place.at;
    int six = place.kind == TYPE_IPV6;
    if (!(six ? past_ipv6(&place) : past_ipv4(&place)) || !transport(&place, headers, i))
        return 0;
    if (six) {
        for (int part = 0; part < 4; part++)
            words[part] = big64(head + 8 + 8 * part);
    } else {
        headers->src[i] = big32(head + 12);
        headers->dst[i] = big32(head + 16);
    }
    headers->l3[i] = (uint8_t)l3;
    headers->network[i] = six ? 6 : 4;
    headers->status[i] = cut ? CUT : 0;
    headers->addressed[i] = headers->in_flow[i] = 1;
    return six ? 6 : 4;
}

PyDoc_STRVAR(plain_headers_doc,
"plain_headers(data, link_type, (starts, captured, lengths), columns, (rows6,), (words6,), (left,))\n"
"Fill the columns of the frames that hold TCP or UDP in IPv4 or IPv6 and nothing else: how many of them have\n"
"IPv6 (their rows, and the words of their addresses), and how many are left to others (their rows).");

static PyObject *
plain_headers(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    int link;
    PyObject *places, *filled, *rows6, *words6, *rest, *result = NULL;
    Columns columns = {.count = 0};

    if (!PyArg_ParseTuple(args, "y*iOOOOO", &data, &link, &places, &filled, &rows6, &words6, &rest))
        return NULL;
    Py_ssize_t count = length_of(places, 0);
    if (count < 0 || count > PY_SSIZE_T_MAX / 64 || open_columns(&columns, places, "888", count, 0) < 0
        || open_columns(&columns, filled, "12241144222442111", count, 1) < 0
        || open_columns(&columns, rows6, "8", count, 1) < 0
        || open_columns(&columns, words6, "8", 4 * count, 1) < 0
        || open_columns(&columns, rest, "8", count, 1) < 0)
        goto done;
    const uint8_t *bytes = data.buf;
    const int64_t *starts = columns.view[0].buf, *captured = columns.view[1].buf;
    const int64_t *lengths = columns.view[2].buf;
    Py_buffer *view = &columns.view[3];
    Headers headers = {
        .l3 = view[0].buf, .l4 = view[1].buf, .payload = view[2].buf, .payload_length = view[3].buf,
        .network = view[4].buf, .protocol = view[5].buf, .src = view[6].buf, .dst = view[7].buf,
        .sport = view[8].buf, .dport = view[9].buf, .flags = view[10].buf, .seq = view[11].buf,
        .ack = view[12].buf, .window = view[13].buf, .status = view[14].buf, .addressed = view[15].buf,
        .in_flow = view[16].buf,
    };
    int64_t *six = columns.view[20].buf, *left = columns.view[22].buf;
    uint64_t *words = columns.view[21].buf;
    Py_ssize_t sixes = 0, lefts = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (starts[i] < 0 || captured[i] < 0 || starts[i] > data.len || captured[i] > data.len - starts[i]
            || lengths[i] < 0 || lengths[i] > UINT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "a frame does not lie within the data");
            goto done;
        }
        Place place = {.frame = bytes + starts[i], .captured = captured[i], .end = lengths[i]};
        int network = plain_header(place, link, &headers, i, words + 4 * sixes);
        if (network == 6)
            six[sixes++] = i;
        else if (network == 0)
            left[lefts++] = i;
    }
    result = Py_BuildValue("nn", sixes, lefts);
done:
    release(&columns);
    PyBuffer_Release(&data);
    return result;
}

/* --- conversations -------------------------------------------------------------------------------- */

enum { SYN = 2, ACK = 16 };

typedef struct {                         /* see trace/index/addresses.py: keys of two words, numbered */
    uint64_t *first, *second;
    int32_t *slots;
    uint64_t mask;
    const uint64_t *mix;
    Py_ssize_t count, room;
} Keys;

enum { FULL = -1, BROKEN = -2 };

/* The number of a key, which gets the next one if it has none; FULL where there is no room for it. */
static int64_t
number_of(Keys *keys, uint64_t first, uint64_t second)
{
    uint64_t mixed = (first * keys->mix[0]) ^ ((second + keys->mix[1]) * keys->mix[2]);
    mixed = (mixed ^ mixed >> 29) * keys->mix[1];
    uint64_t slot = mixed >> 32 & keys->mask;
    for (uint64_t tried = 0; tried <= keys->mask; tried++, slot = (slot + 1) & keys->mask) {
        int32_t number = keys->slots[slot];
        if (number < 0) {
            if (keys->count >= keys->room || keys->count >= INT32_MAX
                || 2 * ((uint64_t)keys->count + 1) > keys->mask + 1)
                return FULL;
            keys->slots[slot] = (int32_t)keys->count;
            keys->first[keys->count] = first;
            keys->second[keys->count] = second;
            return keys->count++;
        }
        if (number >= keys->count)
            return BROKEN;
        if (keys->first[number] == first && keys->second[number] == second)
            return number;
    }
    return FULL;
}

/* The table behind four columns from `at` on: first, second, slots, mix. Gives 0, or -1 with an exception. */
static int
keys_of(const Columns *columns, int at, Py_ssize_t count, Py_ssize_t room, Keys *keys)
{
    const Py_buffer *view = &columns->view[at];
    uint64_t slots = (uint64_t)(view[2].len / 4);
    if (count < 0 || count > room || slots == 0 || (slots & (slots - 1)) != 0) {
        PyErr_SetString(PyExc_ValueError, "this is no table of keys");
        return -1;
    }
    *keys = (Keys){.first = view[0].buf, .second = view[1].buf, .slots = view[2].buf, .mask = slots - 1,
                   .mix = view[3].buf, .count = count, .room = room};
    return 0;
}

typedef struct {
    int64_t *first_row;
    uint8_t *reopened, *low_first, *answered, *known;
    uint32_t *base;
    Py_ssize_t count, room;
} Streams;

typedef struct {
    uint32_t flags, seq, ack;
    int low, sized;
} Segment;

/* Whether a segment opens a conversation anew on the ports of `stream`: a SYN with another number. */
static inline int
opens_anew(const Streams *streams, int64_t stream, const Segment *segment)
{
    int64_t here = 2 * stream + !segment->low;
    return (segment->flags & (SYN | ACK)) == SYN && streams->known[here] && streams->base[here] != segment->seq;
}

/* Note where directions begin: the first segment of each, or the first ACK from the other side. */
static inline void
learn(Streams *streams, int64_t stream, const Segment *segment)
{
    int64_t here = 2 * stream + !segment->low, there = here ^ 1;
    if ((segment->flags & (SYN | ACK)) == (SYN | ACK) && streams->known[here])
        streams->base[here] = segment->seq;
    if (!segment->sized)
        return;
    if (!streams->known[here]) {
        streams->base[here] = segment->seq - !(segment->flags & SYN);
        streams->known[here] = 1;
    }
    if ((segment->flags & ACK) && !streams->known[there]) {
        streams->base[there] = segment->ack - 1;
        streams->known[there] = 1;
    }
}

PyDoc_STRVAR(number_streams_doc,
"number_streams(begin, reuse, (pairs, streams), (source, destination, sport, dport, flags, seq, ack, sized,\n"
"row), (first, second, slots, newest), (mix,), (first_row, reopened, low_first, answered), (base, known),\n"
"(stream,))\n"
"The conversations of the packets from `begin` on: how many packets, pairs of ends and conversations there\n"
"are now. Ends early where a table is full, and is called again when that has grown.");

static PyObject *
number_streams(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t begin, pairs, count;
    int reuse;
    PyObject *traffic, *table, *mixed, *told, *bases, *found, *result = NULL;
    Columns columns = {.count = 0};

    if (!PyArg_ParseTuple(args, "np(nn)OOOOOO", &begin, &reuse, &pairs, &count, &traffic, &table, &mixed,
                          &told, &bases, &found))
        return NULL;
    Py_ssize_t packets = length_of(traffic, 0), room = length_of(told, 0), pair_room = length_of(table, 0);
    if (packets < 0 || room < 0 || pair_room < 0 || room > PY_SSIZE_T_MAX / 64
        || open_columns(&columns, traffic, "442224418", packets, 0) < 0
        || open_columns(&columns, table, "8844", 0, 1) < 0
        || open_columns(&columns, mixed, "8", 3, 0) < 0
        || open_columns(&columns, told, "8111", room, 1) < 0
        || open_columns(&columns, bases, "41", reuse ? 2 * room : 0, 1) < 0
        || open_columns(&columns, found, "4", packets, 1) < 0)
        goto done;
    Py_buffer *view = columns.view;
    if (view[10].len / 8 < pair_room || view[12].len / 4 < pair_room || begin < 0 || begin > packets
        || count < 0 || count > room) {
        PyErr_SetString(PyExc_ValueError, "the tables are not of one size");
        goto done;
    }
    const uint32_t *source = view[0].buf, *destination = view[1].buf, *seq = view[5].buf, *ack = view[6].buf;
    const uint16_t *sport = view[2].buf, *dport = view[3].buf, *flags = view[4].buf;
    const uint8_t *sized = view[7].buf;
    const int64_t *row = view[8].buf;
    Py_buffer table_of[4] = {view[9], view[10], view[11], view[13]};
    Columns pair_columns = {.count = 0};
    memcpy(pair_columns.view, table_of, sizeof table_of);      /* borrowed: `columns` releases them */
    int32_t *newest = view[12].buf, *stream_of = view[20].buf;
    Keys keys;
    if (keys_of(&pair_columns, 0, pairs, pair_room, &keys) < 0)
        goto done;
    Streams streams = {
        .first_row = view[14].buf, .reopened = view[15].buf, .low_first = view[16].buf,
        .answered = view[17].buf, .base = view[18].buf, .known = view[19].buf, .count = count, .room = room,
    };
    Py_ssize_t i = begin;
    for (; i < packets && streams.count < room && streams.count < INT32_MAX; i++) {
        uint64_t here = (uint64_t)source[i] << 16 | sport[i], there = (uint64_t)destination[i] << 16 | dport[i];
        Segment segment = {.flags = flags[i], .seq = seq[i], .ack = ack[i], .low = here <= there,
                           .sized = sized[i]};
        Py_ssize_t known = keys.count;
        int64_t pair = number_of(&keys, segment.low ? here : there, segment.low ? there : here);
        if (pair == FULL)
            break;
        int64_t stream = pair >= 0 && pair < known ? newest[pair] : -1;
        if (pair == BROKEN || (pair < known && (stream < 0 || stream >= streams.count))) {
            PyErr_SetString(PyExc_ValueError, "the tables contradict each other");
            goto done;
        }
        if (stream < 0 || (reuse && opens_anew(&streams, stream, &segment))) {
            int again = stream >= 0;
            stream = streams.count++;
            newest[pair] = (int32_t)stream;
            streams.first_row[stream] = row[i];
            streams.reopened[stream] = (uint8_t)again;
            streams.low_first[stream] = (uint8_t)segment.low;
            streams.answered[stream] = 0;
            if (reuse) {
                streams.base[2 * stream] = streams.base[2 * stream + 1] = 0;
                streams.known[2 * stream] = streams.known[2 * stream + 1] = 0;
            }
        }
        stream_of[i] = (int32_t)stream;
        if (segment.low != streams.low_first[stream])
            streams.answered[stream] = 1;
        if (reuse)
            learn(&streams, stream, &segment);
    }
    result = Py_BuildValue("nnn", i, keys.count, streams.count);
done:
    release(&columns);
    return result;
}

/* --- bytes and texts ------------------------------------------------------------------------------ */

/* A list of what `make` gives one after the other; NULL where it gives none, with an exception. */
static PyObject *
list_of(Py_ssize_t count, PyObject *(*make)(void *, Py_ssize_t), void *from)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *one = make(from, i);
        if (one == NULL || PyList_SetItem(list, i, one) < 0)
            Py_CLEAR(list);
    }
    return list;
}

typedef struct {
    const char *data;
    Py_ssize_t size;
    const int64_t *starts, *lengths;
} Places;

static PyObject *
piece_of(void *from, Py_ssize_t i)
{
    const Places *places = from;
    int64_t start = places->starts[i], length = places->lengths[i];
    if (start < 0 || length < 0) {
        PyErr_SetString(PyExc_ValueError, "a place does not lie within the data");
        return NULL;
    }
    int64_t left = start < places->size ? places->size - start : 0;
    Py_ssize_t size = (Py_ssize_t)(length < left ? length : left);
    return PyBytes_FromStringAndSize(size ? places->data + start : NULL, size);
}

PyDoc_STRVAR(pieces_doc,
"pieces(data, (starts, lengths))\n"
"The bytes of many places, each by itself; fewer where the data end before.");

static PyObject *
pieces(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    PyObject *arrays, *result = NULL;
    Columns columns = {.count = 0};

    if (!PyArg_ParseTuple(args, "y*O", &data, &arrays))
        return NULL;
    Py_ssize_t count = length_of(arrays, 0);
    if (count >= 0 && open_columns(&columns, arrays, "88", count, 0) == 0) {
        Places places = {data.buf, data.len, columns.view[0].buf, columns.view[1].buf};
        result = list_of(count, piece_of, &places);
    }
    release(&columns);
    PyBuffer_Release(&data);
    return result;
}

enum { MOST_PARTS = 32, DIGITS = 20 };
enum { TEXT, NUMBER, CHOICE, PERHAPS };

typedef struct {
    int kind;
    const char *text;                    /* of TEXT; before the number of PERHAPS */
    Py_ssize_t size;
    PyObject *choices;                   /* of CHOICE: a list of texts */
    const int64_t *column;               /* numbers, or which of the choices */
    long long absent;                    /* the number of PERHAPS that is none */
} Part;

/* Open one part of a line: see `lines`. `columns` holds its column open. Gives 0, or -1 with an exception. */
static int
open_part(PyObject *given, Py_ssize_t count, Part *part, Columns *columns)
{
    PyObject *column = given, *before = NULL;
    part->kind = NUMBER;
    if (PyUnicode_Check(given)) {
        part->kind = TEXT;
        part->text = PyUnicode_AsUTF8AndSize(given, &part->size);
        return part->text == NULL ? -1 : 0;
    }
    if (PyTuple_Check(given)) {
        if (PyTuple_Size(given) < 2 || (before = PyTuple_GetItem(given, 0)) == NULL
            || (column = PyTuple_GetItem(given, 1)) == NULL)
            return PyErr_Occurred() ? -1 : (PyErr_SetString(PyExc_TypeError, "this is no part of a line"), -1);
        if (PyList_Check(before) && PyTuple_Size(given) == 2) {
            part->kind = CHOICE;
            part->choices = before;
        } else if (PyUnicode_Check(before) && PyTuple_Size(given) == 3) {
            PyObject *absent = PyTuple_GetItem(given, 2);
            part->kind = PERHAPS;
            part->text = PyUnicode_AsUTF8AndSize(before, &part->size);
            part->absent = absent == NULL ? -1 : PyLong_AsLongLong(absent);
            if (part->text == NULL || PyErr_Occurred())
                return -1;
        } else {
            PyErr_SetString(PyExc_TypeError, "this is no part of a line");
            return -1;
        }
    }
    PyObject *alone = PyTuple_Pack(1, column);
    if (alone == NULL)
        return -1;
    int opened = open_columns(columns, alone, "8", count, 0);
    Py_DECREF(alone);
    if (opened == 0)
        part->column = columns->view[columns->count - 1].buf;
    return opened;
}

typedef struct {
    char *data;
    size_t size, room;
} Line;

static int
append(Line *line, const char *text, size_t size)
{
    if (size > line->room - line->size) {
        size_t room = 2 * line->room > line->size + size ? 2 * line->room : line->size + size;
        char *data = size > SIZE_MAX / 4 ? NULL : PyMem_Realloc(line->data, room);
        if (data == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        line->data = data;
        line->room = room;
    }
    memcpy(line->data + line->size, text, size);
    line->size += size;
    return 0;
}

static int
append_number(Line *line, int64_t number)
{
    char digits[DIGITS];
    int at = DIGITS;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0)
        digits[--at] = '-';
    return append(line, digits + at, (size_t)(DIGITS - at));
}

static int
append_part(Line *line, const Part *part, Py_ssize_t i)
{
    Py_ssize_t size;
    const char *text;
    switch (part->kind) {
    case TEXT:
        return append(line, part->text, (size_t)part->size);
    case NUMBER:
        return append_number(line, part->column[i]);
    case PERHAPS:
        if (part->column[i] == part->absent)
            return 0;
        if (append(line, part->text, (size_t)part->size) < 0)
            return -1;
        return append_number(line, part->column[i]);
    default:
        if (part->column[i] < 0 || part->column[i] >= PyList_Size(part->choices)) {
            PyErr_SetString(PyExc_IndexError, "there is no such choice");
            return -1;
        }
        text = PyUnicode_AsUTF8AndSize(PyList_GetItem(part->choices, (Py_ssize_t)part->column[i]), &size);
        return text == NULL ? -1 : append(line, text, (size_t)size);
    }
}

typedef struct {
    const Part *parts;
    Py_ssize_t count;
    Line line;                           /* used again by each */
} Lines;

static PyObject *
line_of(void *from, Py_ssize_t i)
{
    Lines *lines = from;
    lines->line.size = 0;
    for (Py_ssize_t part = 0; part < lines->count; part++)
        if (append_part(&lines->line, &lines->parts[part], i) < 0)
            return NULL;
    return PyUnicode_FromStringAndSize(lines->line.data, (Py_ssize_t)lines->line.size);
}

PyDoc_STRVAR(lines_doc,
"lines(count, parts)\n"
"So many texts, each of the same parts: see inspector/views/json/lines.py.");

static PyObject *
lines(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_ssize_t count;
    PyObject *given, *result = NULL;
    Columns columns = {.count = 0};
    Part parts[MOST_PARTS] = {{0}};

    if (!PyArg_ParseTuple(args, "nO!", &count, &PyTuple_Type, &given))
        return NULL;
    Lines lines = {parts, PyTuple_Size(given), {NULL, 0, 0}};
    if (count < 0 || lines.count > MOST_PARTS) {
        PyErr_SetString(PyExc_ValueError, "these are too many parts");
        return NULL;
    }
    for (Py_ssize_t part = 0; part < lines.count; part++)
        if (open_part(PyTuple_GetItem(given, part), count, &parts[part], &columns) < 0)
            goto done;
    result = list_of(count, line_of, &lines);
done:
    PyMem_Free(lines.line.data);
    release(&columns);
    return result;
}

/* --- the module ----------------------------------------------------------------------------------- */

static PyMethodDef functions[] = {
    {"pcap_records", pcap_records, METH_VARARGS, pcap_records_doc},
    {"pcapng_packets", pcapng_packets, METH_VARARGS, pcapng_packets_doc},
    {"plain_headers", plain_headers, METH_VARARGS, plain_headers_doc},
    {"number_streams", number_streams, METH_VARARGS, number_streams_doc},
    {"pieces", pieces, METH_VARARGS, pieces_doc},
    {"lines", lines, METH_VARARGS, lines_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_loops", .m_size = 0, .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__loops(void)
{
    return PyModuleDef_Init(&definition);
}
