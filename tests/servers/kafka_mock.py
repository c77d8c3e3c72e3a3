"""librdkafka's own mock of a cluster: it speaks the protocol, and fails when it is told to.

It keeps nothing on disk and has no rights: it proves our client's code, not Kafka's behaviour. It
is inside the library that the client brings along, and used by its C interface.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType

import confluent_kafka

PRODUCE = 0
"""The number of the request, as Kafka's protocol has it."""


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    [file] = folder.glob("librdkafka*.so*")
    library = ctypes.CDLL(str(file))
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    for name in ("cluster_bootstraps", "cluster_destroy"):
        getattr(library, f"rd_kafka_mock_{name}").argtypes = [ctypes.c_void_p]
    library.rd_kafka_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_topic_create.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int,
    ]  # fmt: skip
    for name in ("down", "up"):
        getattr(library, f"rd_kafka_mock_broker_set_{name}").argtypes = [
            ctypes.c_void_p, ctypes.c_int32,
        ]  # fmt: skip
    library.rd_kafka_mock_push_request_errors_array.argtypes = [
        ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int),
    ]  # fmt: skip
    return library


class MockCluster:
    """``with MockCluster() as cluster``: one broker, at ``cluster.servers``."""

    def __enter__(self) -> MockCluster:
        self._library = _library()
        why = ctypes.create_string_buffer(512)
        self._client = self._library.rd_kafka_new(0, None, why, len(why))
        assert self._client, why.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)
        found = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.servers = found.decode()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def make(self, topic: str, partitions: int = 1) -> str:
        self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        return topic

    def fail(self, request: int, *errors: int) -> None:
        """The next such requests are answered so, one after the other."""
        numbers = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, request, len(errors), numbers
        )

    def down(self) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, 1)
