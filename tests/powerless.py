"""Root may write everywhere. What is done here may write where its user may, and so may the
processes that it begins: they have none of root's powers (capabilities of Linux), which belong to
each thread."""

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor

_VERSION_3 = 0x20080522
_NO_NEW_PRIVS = 38


def without_powers(work):
    """What ``work()`` returns or raises."""
    with ThreadPoolExecutor(1, initializer=_give_up) as thread:
        return thread.submit(work).result()


def _give_up():
    if os.geteuid() != 0 or sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "root's powers cannot be given up")
