"""The types of numpy's arrays by what they hold, named once: columns of packets, masks, places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]           # where one function serves columns of several types
Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]
UInt32s = NDArray[np.uint32]
Int32s = NDArray[np.int32]
UInt16s = NDArray[np.uint16]
UInt8s = NDArray[np.uint8]
Bools = NDArray[np.bool_]
