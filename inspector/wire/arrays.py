"""The types of numpy's arrays by what they hold, named once: columns of packets, masks, places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Structs = NDArray[np.void]              # of several fields each, as bytes of a file or header hold them
Objects = NDArray[np.object_]
Integers = NDArray[np.integer[Any]]     # whole numbers of any width: a function that serves several columns
Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]
UInt32s = NDArray[np.uint32]
Int32s = NDArray[np.int32]
UInt16s = NDArray[np.uint16]
UInt8s = NDArray[np.uint8]
Bools = NDArray[np.bool_]
