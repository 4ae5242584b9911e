"""How a process that gets no more memory is known by what it raised or wrote, and what mends that.

The exceptions and last words of Python, of the loader and of allocators -> yes or no. Python says it in
several ways: MemoryError, and RuntimeError where no thread can be started, since its stack needs room too.
"""

from __future__ import annotations

import errno
import resource  # not later: nothing can be imported once it is asked for

from inspector.model.language import marked

NO_MEMORY = "There is no more memory for this: part of it may have been done."
NO_MEMORY_TO_CAPTURE = marked("The capture broke: there is no more memory for it.")
# Python of a thread, the dynamic linker, Python of an error for which it had no room, numpy, allocators.
_SIGNS = ("can't start new thread", "failed to map segment", "error return without exception set",
          "Unable to allocate", "bad_alloc", "annot allocate memory", "ut of memory")  # fmt: skip


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether this was raised since the process gets no more memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS)


def is_of_lacking_memory(words: str) -> bool:
    """Whether the last words of a process say so."""
    return any(sign in words for sign in ("MemoryError", *_SIGNS))


def memory_remedy() -> str:
    """The command that gives more memory; "" where nobody has limited it."""
    bounded = any(resource.getrlimit(kind)[0] != resource.RLIM_INFINITY
                  for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return "ulimit -v unlimited" if bounded else ""
